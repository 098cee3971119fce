/* The promises of stretches.h, on texts that are made here, with short stretches. */
#include "support/test.h"

#include "base/file.h"
#include "documents/sections.h"
#include "documents/stretches.h"
#include "text/utf8.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum { BYTES = 4096 };

static char folder[] = "/tmp/rag-test-XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    stretches_set_bytes(BYTES);
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    rag_error error;
    return directory_remove(folder, &error) ? -1 : 0;
}

static char *write_text(const char *name, const struct buf *text)
{
    char *path = path_join(folder, name);
    rag_error error;
    assert_ok(file_write(path, text->data, text->size, &error), &error);
    return path;
}

static struct stretches *open_text(const char *path)
{
    struct stretches *stretches;
    rag_error error;
    assert_ok(stretches_open(path, &stretches, &error), &error);
    return stretches;
}

static struct stretch *next(struct stretches *stretches)
{
    struct stretch *stretch;
    rag_error error;
    assert_ok(stretches_next(stretches, &stretch, &error), &error);
    return stretch;
}

/* Where each stretch begins, with the size at the end; checks that they make the text. */
struct ends {
    uint64_t begin[4096];
    size_t count;
};

static void read_all(const char *path, const struct buf *text, struct ends *ends)
{
    struct stretches *stretches = open_text(path);
    assert_non_null(stretches);
    struct hash hash;
    rag_error error;
    assert_ok(hash_bytes(text->data, text->size, &hash, &error), &error);
    assert_memory_equal(&hash, &stretches_survey(stretches)->hash, sizeof hash);
    assert_int_equal(stretches_survey(stretches)->size, text->size);
    for (int round = 0; round < 2; round++) {
        struct stretch *stretch;
        uint64_t at = 0;
        ends->count = 0;
        while ((stretch = next(stretches))) {
            const struct document *document = &stretch->document;
            uint32_t line = 1;
            for (uint64_t i = 0; i < at; i++)
                line += text->data[i] == '\n';
            assert_int_equal(stretch->begin, at);
            assert_int_equal(stretch->line, line);
            assert_in_range(document->text.size, 1, BYTES);
            assert_memory_equal(document->text.data, text->data + at, document->text.size);
            assert_string_equal(document->path, path);
            assert_ok(document_check(document, &error), &error);
            assert_true(ends->count < 4095);
            ends->begin[ends->count++] = at;
            at += document->text.size;
            assert_int_equal(stretch->last, at == text->size);
        }
        assert_int_equal(at, text->size);
        ends->begin[ends->count] = at;
        stretches_rewind(stretches);
    }
    stretches_close(stretches);
}

/* Chapters, sections and paragraphs that are all different. */
static void append_book(struct buf *text, unsigned chapters)
{
    for (unsigned c = 1; c <= chapters; c++) {
        assert_true(buf_printf(text, "# Chapter *%u*\n\n", c));
        for (unsigned s = 1; s <= c % 5; s++) {
            assert_true(buf_printf(text, "## Part %u.%u\n\n", c, s));
            for (unsigned p = 0; p < 7 + c % 3; p++)
                assert_true(buf_printf(text,
                                       "Paragraph %u of part %u in chapter %u: 第%u段，"
                                       "with some words to fill it,\nand a second line.\n\n",
                                       p, s, c, p * s + c));
            if (s % 2)
                assert_true(buf_printf(text, "```\n# no heading %u\n\n# none\n```\n\n", s));
        }
    }
}

static void a_text_is_read_whole_in_stretches(void **state)
{
    (void)state;
    struct buf text = BUF_INIT(1 << 24);
    struct ends ends;
    append_book(&text, 60);
    char *path = write_text("book.md", &text);
    read_all(path, &text, &ends);
    assert_true(ends.count > text.size / BYTES);
    /* Headings are there in every second half, so that each stretch but the first begins with
     * one. */
    for (size_t i = 1; i < ends.count; i++)
        assert_int_equal(text.data[ends.begin[i]], '#');
    free(path);
    buf_release(&text);
}

/* The path of the section that a byte of the document lies in. */
static char *path_at(const struct document *document, size_t byte)
{
    struct sections sections;
    rag_error error;
    assert_ok(sections_read(document, &sections, &error), &error);
    size_t section = 0;
    for (size_t i = 1; i < sections.count; i++)
        if (document->blocks[sections.list[i].heading].begin <= byte)
            section = i;
    char *path = sections_path(&sections, section);
    assert_non_null(path);
    sections_release(&sections);
    return path;
}

static void blocks_and_headings_are_those_of_the_whole(void **state)
{
    (void)state;
    struct buf text = BUF_INIT(1 << 24);
    append_book(&text, 60);
    char *path = write_text("book.md", &text);
    struct document whole;
    rag_error error;
    assert_ok(document_read(path, NULL, &whole, &error), &error);
    struct stretches *stretches = open_text(path);
    struct stretch *stretch;
    size_t block = 0;
    while ((stretch = next(stretches))) {
        const struct document *part = &stretch->document;
        for (size_t i = 0; i < part->block_count; i++, block++) {
            assert_true(block < whole.block_count);
            assert_int_equal(part->blocks[i].kind, whole.blocks[block].kind);
            assert_int_equal(part->blocks[i].begin + stretch->begin, whole.blocks[block].begin);
            assert_int_equal(part->blocks[i].end + stretch->begin, whole.blocks[block].end);
        }
        for (size_t at = 0; at < part->text.size; at += 997) {
            char *here = path_at(part, at), *there = path_at(&whole, stretch->begin + at);
            assert_string_equal(here, there);
            free(here);
            free(there);
        }
    }
    assert_int_equal(block, whole.block_count);
    stretches_close(stretches);
    document_release(&whole);
    free(path);
    buf_release(&text);
}

/* An edit near the beginning moves the ends near it; those behind stay where they were in the
 * text. */
static void an_edit_moves_the_ends_near_it_only(void **state)
{
    (void)state;
    struct buf text = BUF_INIT(1 << 24), edited = BUF_INIT(1 << 24);
    struct ends before, after;
    for (unsigned p = 0; p < 2000; p++)
        assert_true(buf_printf(&text, "Paragraph %u says something about the number %u.\n\n", p,
                               p * p));
    assert_true(buf_append_text(&edited, "A new beginning, with a few more words.\n\n") &&
                buf_append(&edited, text.data, text.size));
    char *first = write_text("plain.txt", &text), *second = write_text("edited.txt", &edited);
    read_all(first, &text, &before);
    read_all(second, &edited, &after);
    size_t same = 0;
    while (same < before.count && same < after.count &&
           text.size - before.begin[before.count - same] ==
               edited.size - after.begin[after.count - same])
        same++;
    assert_true(before.count > 20);
    assert_true(same > before.count * 3 / 4);
    free(first);
    free(second);
    buf_release(&text);
    buf_release(&edited);
}

static void a_block_longer_than_a_stretch_is_cut_between_lines(void **state)
{
    (void)state;
    struct buf text = BUF_INIT(1 << 24);
    struct ends ends;
    for (unsigned line = 0; line < 2000; line++)
        assert_true(buf_printf(&text, "12:00:%04u something happened\n", line));
    char *path = write_text("log.txt", &text);
    read_all(path, &text, &ends);
    for (size_t i = 1; i < ends.count; i++)
        assert_int_equal(text.data[ends.begin[i] - 1], '\n');
    free(path);
    buf_release(&text);
}

static void a_line_longer_than_a_stretch_is_cut_between_characters(void **state)
{
    (void)state;
    struct buf text = BUF_INIT(1 << 24);
    struct ends ends;
    for (unsigned i = 0; i < 20000; i++)
        assert_true(buf_append_text(&text, i % 7 ? "字" : "a"));
    char *path = write_text("line.txt", &text);
    read_all(path, &text, &ends);
    for (size_t i = 1; i < ends.count; i++)
        assert_int_equal(utf8_floor(text.data, text.size, ends.begin[i]), ends.begin[i]);
    free(path);
    buf_release(&text);
}

static void check_whole(const char *name, const struct buf *text)
{
    char *path = write_text(name, text);
    assert_null(open_text(path));
    free(path);
}

static void what_is_no_large_text_is_left(void **state)
{
    (void)state;
    struct buf text = BUF_INIT(1 << 24);
    for (unsigned i = 0; text.size < (size_t)BYTES * STRETCHES_FROM - 1; i++)
        assert_true(buf_append_text(&text, i % 60 ? "a" : "\n"));
    check_whole("short.txt", &text);
    assert_true(buf_append_text(&text, "end\n"));
    char *path = write_text("long.txt", &text);
    struct stretches *stretches = open_text(path);
    assert_non_null(stretches);
    assert_string_equal(stretches_survey(stretches)->format, "text");
    stretches_close(stretches);
    free(path);
    assert_true(buf_append(&text, "\xC4\xE3\xBA\xC3", 4)); /* GB18030 */
    check_whole("other.txt", &text);
    buf_clear(&text);
    assert_true(buf_append_text(&text, "<!DOCTYPE html><html><body>"));
    while (text.size < (size_t)BYTES * STRETCHES_FROM)
        assert_true(buf_append_text(&text, "<p>A paragraph.</p>\n"));
    check_whole("page.html", &text);
    buf_release(&text);
}

/* Blocks of a mebibyte are checked one after the other. */
static void characters_between_blocks_are_characters(void **state)
{
    (void)state;
    enum { BLOCK = 1 << 20 };
    struct buf text = BUF_INIT(1 << 24);
    for (int before = 1; before <= 3; before++) {
        buf_clear(&text);
        while (text.size < (size_t)BLOCK - (size_t)before)
            assert_true(buf_append_char(&text, text.size % 80 ? 'a' : '\n'));
        assert_true(buf_append_text(&text, "𝄞 and so on\n"));
        char *path = write_text("edge.txt", &text);
        struct stretches *stretches = open_text(path);
        assert_non_null(stretches);
        stretches_close(stretches);
        free(path);
        assert_true(buf_append(&text, "\xF0\x9D\x84", 3)); /* cut off at the end */
        check_whole("cut.txt", &text);
    }
    buf_release(&text);
}

static void a_file_that_changes_is_told(void **state)
{
    (void)state;
    struct buf text = BUF_INIT(1 << 24);
    append_book(&text, 30);
    char *path = write_text("changing.md", &text);
    struct stretches *stretches = open_text(path);
    struct stretch *stretch;
    rag_error error;
    assert_ok(stretches_next(stretches, &stretch, &error), &error);
    FILE *file = fopen(path, "ab");
    assert_non_null(file);
    assert_true(fputs("one more line\n", file) >= 0);
    fclose(file);
    assert_int_equal(stretches_next(stretches, &stretch, &error), RAG_INPUT);
    assert_non_null(strstr(error.message, "changing.md: it is being changed"));
    stretches_close(stretches);
    free(path);
    buf_release(&text);
}

#ifndef RAG_SANITIZED /* which keeps what is freed */
/* The greatest resident memory of this process so far, in bytes. */
static size_t peak_memory(void)
{
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return (size_t)usage.ru_maxrss << 10;
}

/* 64 MiB, as large texts are read. */
static void memory_does_not_grow_with_the_text(void **state)
{
    (void)state;
    struct buf text = BUF_INIT(1 << 24);
    append_book(&text, 3000);
    char *path = write_text("large.md", &text);
    FILE *file = fopen(path, "ab");
    assert_non_null(file);
    for (size_t size = text.size; size < (size_t)64 << 20; size += text.size)
        assert_int_equal(fwrite(text.data, 1, text.size, file), text.size);
    fclose(file);
    buf_release(&text);
    stretches_set_bytes(0);
    size_t before = peak_memory(), count = 0;
    struct stretches *stretches = open_text(path);
    assert_non_null(stretches);
    while (next(stretches))
        count++;
    assert_true(count >= 8);
    assert_true(peak_memory() - before < (size_t)40 << 20);
    stretches_close(stretches);
    stretches_set_bytes(BYTES);
    free(path);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
#ifndef RAG_SANITIZED
        cmocka_unit_test(memory_does_not_grow_with_the_text),
#endif
        cmocka_unit_test(a_text_is_read_whole_in_stretches),
        cmocka_unit_test(blocks_and_headings_are_those_of_the_whole),
        cmocka_unit_test(an_edit_moves_the_ends_near_it_only),
        cmocka_unit_test(a_block_longer_than_a_stretch_is_cut_between_lines),
        cmocka_unit_test(a_line_longer_than_a_stretch_is_cut_between_characters),
        cmocka_unit_test(what_is_no_large_text_is_left),
        cmocka_unit_test(characters_between_blocks_are_characters),
        cmocka_unit_test(a_file_that_changes_is_told),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
