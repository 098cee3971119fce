/* A text that is read in stretches on its way into an index: what is found in it, what an edit
 * costs, and stopping. Most of it is the same few chapters again and again, which are
 * embedded once. */
#define _GNU_SOURCE
#include "pipeline/fixture.h"

#include "documents/stretches.h"

#include <stdlib.h>
#include <unistd.h>

enum { BYTES = 1 << 15, SIZE = 12 * BYTES };

static rag_error error;

static void append(struct buf *text, const char *more)
{
    assert_true(buf_append_text(text, more));
}

/* What is found once only stands after `marked` bytes. different: no part is like another. */
static struct buf make_book(size_t marked, bool different)
{
    struct buf text = BUF_INIT(1 << 24);
    for (unsigned part = 0; text.size < SIZE; part++) {
        bool mark = text.size >= marked;
        append(&text, part % 40 ? "## The bank\n\n" : "# The river and its banks\n\n");
        if (different)
            assert_true(buf_printf(&text, "This is bank number %u.\n\n", part));
        for (unsigned i = 0; i < 30; i++)
            append(&text, "The river runs along its bank, and the bank keeps the river.\n"
                          "Where it is wide it is slow, where it is deep it is silent.\n\n");
        if (mark)
            append(&text, "## The lighthouse\n\nA lighthouse stands on the western rock.\n\n");
        marked = mark ? SIZE_MAX : marked;
    }
    return text;
}

static void write_book(const char *name, const struct buf *text)
{
    write_bytes(name, text->data, text->size);
}

/* With a model that no other test uses: how fast it is, is noted for dry runs. */
static rag_index *open_own_index(const char *name)
{
    if (access(in_sandbox("model"), F_OK) != 0)
        make_model("model", "bge-m3-like", 0, E5_PROMPTS);
    rag_index_options options = index_options(in_sandbox("model"));
    return open_index(name, &options);
}

struct watching {
    size_t flushes, stop_after; /* 0: never */
    size_t warnings;
};

static int watch(const rag_event *event, void *user)
{
    struct watching *watching = user;
    watching->warnings += event->kind == RAG_EVENT_WARNING;
    if (event->kind != RAG_EVENT_PROGRESS || strcmp(event->stage, "indexing") != 0)
        return 0;
    return watching->stop_after && ++watching->flushes >= watching->stop_after;
}

static rag_status add_watched(rag_index *index, struct watching *watching, bool dry,
                              rag_add_report *report)
{
    rag_add_options options = RAG_ADD_OPTIONS_INIT;
    const char *path = in_sandbox("docs");
    options.on_event = watch;
    options.user = watching;
    options.dry_run = dry;
    return rag_index_add(index, &path, 1, &options, report, &error);
}

struct reading_back {
    const struct buf *text;
    size_t count, end;
    uint32_t line;
    size_t counted;
};

/* Each chunk is what the file has at its bytes and lines; none of the text is left out. */
static int check_chunk(const rag_chunk *chunk, int64_t id, const float *vector, void *user)
{
    struct reading_back *back = user;
    const char *text = back->text->data;
    (void)id;
    (void)vector;
    assert_int_equal(chunk->number, back->count++);
    assert_true(chunk->begin >= back->counted && chunk->end <= back->text->size);
    assert_int_equal(chunk->text.size, chunk->end - chunk->begin);
    assert_memory_equal(chunk->text.data, text + chunk->begin, chunk->text.size);
    for (; back->counted < chunk->begin; back->counted++)
        back->line += text[back->counted] == '\n';
    assert_int_equal(chunk->line, back->line);
    for (; back->end < chunk->begin; back->end++)
        assert_true(text[back->end] == '\n' || text[back->end] == ' ');
    back->end = chunk->end;
    return 0;
}

static void check_book(rag_index *index, const char *name, const struct buf *text)
{
    struct reading_back back = {.text = text, .line = 1};
    assert_ok(rag_index_each_chunk(index, NULL, in_sandbox(name), check_chunk, &back, &error),
              &error);
    assert_true(back.count > text->size / 2000);
    const rag_index_info *info;
    assert_ok(rag_index_get_info(index, &info, &error), &error);
    assert_int_equal(info->documents, 1);
    assert_int_equal(info->chunks, back.count);
}

static void check_lighthouse(rag_index *index, const char *name, const struct buf *text)
{
    rag_search_options options = RAG_SEARCH_OPTIONS_INIT;
    rag_hits *hits;
    options.mode = RAG_MODE_LEXICAL;
    options.k = 1;
    assert_ok(rag_search(index, text_of("lighthouse western rock"), &options, &hits, &error), &error);
    assert_int_equal(rag_hits_count(hits), 1);
    const rag_chunk *chunk = &rag_hits_get(hits, 0)->chunk;
    assert_string_equal(chunk->document, in_sandbox(name));
    assert_non_null(strstr(chunk->heading, "The river and its banks"));
    assert_memory_equal(chunk->text.data, text->data + chunk->begin, chunk->text.size);
    assert_true(memmem(chunk->text.data, chunk->text.size, "western rock", 12) != NULL);
    rag_hits_free(hits);
}

static void a_large_text_is_found_edited_and_renamed(void **state)
{
    (void)state;
    struct buf text = make_book(SIZE / 3 * 2, false);
    struct watching watching = {0};
    write_book("docs/book.md", &text);
    rag_index *index = open_own_index("x.rag");
    rag_add_report dry, report;
    assert_ok(add_watched(index, &watching, true, &dry), &error);
    assert_ok(add_watched(index, &watching, false, &report), &error);
    assert_int_equal(report.added, 1);
    assert_int_equal(dry.added, 1);
    assert_int_equal(report.chunks, dry.chunks);
    assert_int_equal(report.chunks_embedded, dry.chunks_embedded);
    assert_in_range(report.chunks_embedded, 1, report.chunks / 10);
    check_book(index, "docs/book.md", &text);
    check_lighthouse(index, "docs/book.md", &text);

    /* A new first chapter moves all bytes and lines, and is all that is embedded. */
    struct buf edited = BUF_INIT(1 << 24);
    append(&edited, "# The sea\n\nAll rivers run into the sea.\n\n");
    assert_true(buf_append(&edited, text.data, text.size));
    write_book("docs/book.md", &edited);
    assert_ok(add_watched(index, &watching, false, &report), &error);
    assert_int_equal(report.updated, 1);
    assert_in_range(report.chunks_embedded, 1, 10);
    check_book(index, "docs/book.md", &edited);
    check_lighthouse(index, "docs/book.md", &edited);

    assert_int_equal(rename(in_sandbox("docs/book.md"), in_sandbox("docs/new.md")), 0);
    assert_ok(add_watched(index, &watching, false, &report), &error);
    assert_int_equal(report.renamed, 1);
    assert_int_equal(report.chunks_embedded, 0);
    check_lighthouse(index, "docs/new.md", &edited);
    assert_int_equal(watching.warnings, 0);
    assert_sound(index);
    rag_index_close(index);
    buf_release(&edited);
    buf_release(&text);
}

static void what_was_embedded_before_a_stop_is_not_embedded_again(void **state)
{
    (void)state;
    struct buf text = make_book(0, true);
    struct watching watching = {.stop_after = 40};
    write_book("docs/book.md", &text);
    rag_index *index = open_own_index("x.rag");
    rag_add_report report, second;
    const rag_index_info *info;
    assert_int_equal(add_watched(index, &watching, false, &report), RAG_INTERRUPTED);
    size_t first = report.chunks_embedded;
    assert_true(first > 0);
    assert_int_equal(report.added, 0);
    assert_ok(rag_index_get_info(index, &info, &error), &error);
    assert_int_equal(info->documents, 0);
    assert_sound(index);
    watching.stop_after = 0;
    assert_ok(add_watched(index, &watching, true, &second), &error);
    assert_ok(add_watched(index, &watching, false, &report), &error);
    assert_int_equal(report.added, 1);
    assert_int_equal(report.chunks_embedded, second.chunks_embedded);
    rag_index *other = open_own_index("y.rag");
    rag_add_report whole;
    assert_ok(add_watched(other, &watching, false, &whole), &error);
    rag_index_close(other);
    assert_int_equal(first + report.chunks_embedded, whole.chunks_embedded);
    check_book(index, "docs/book.md", &text);
    assert_sound(index);
    rag_index_close(index);
    buf_release(&text);
}

static void it_is_cut_anew_from_the_index(void **state)
{
    (void)state;
    struct buf text = make_book(SIZE / 2, false);
    struct watching watching = {0};
    write_book("docs/book.md", &text);
    rag_index *index = open_own_index("x.rag");
    rag_add_report first, same;
    assert_ok(add_watched(index, &watching, false, &first), &error);
    assert_int_equal(unlink(in_sandbox("docs/book.md")), 0);
    rag_reindex_options options = RAG_REINDEX_OPTIONS_INIT;
    rag_reindex_report report;
    options.max_tokens = 20;
    assert_ok(rag_index_reindex(index, &options, &report, &error), &error);
    assert_true(report.switched);
    assert_int_equal(report.documents, 1);
    assert_true(report.chunks > first.chunks);
    check_book(index, "docs/book.md", &text);
    check_lighthouse(index, "docs/book.md", &text);
    assert_sound(index);
    /* It is what indexing the file makes. */
    write_book("docs/book.md", &text);
    assert_ok(add_watched(index, &watching, false, &same), &error);
    assert_int_equal(same.unchanged, 1);
    rag_index_close(index);
    buf_release(&text);
}

/* Appends to the file when it is first cut. */
static int append_meanwhile(const rag_event *event, void *user)
{
    struct watching *watching = user;
    watching->warnings += event->kind == RAG_EVENT_WARNING;
    if (event->kind == RAG_EVENT_PROGRESS && strcmp(event->stage, "indexing") == 0 &&
        ++watching->flushes == 4) {
        FILE *file = fopen(in_sandbox("docs/book.md"), "ab");
        assert_true(file && fputs("\nOne more line.\n", file) >= 0);
        fclose(file);
    }
    return 0;
}

static void one_that_changes_meanwhile_is_skipped(void **state)
{
    (void)state;
    struct buf text = make_book(0, true);
    struct watching watching = {0};
    write_book("docs/book.md", &text);
    write_text("docs/other.md", "the stone\n");
    rag_index *index = open_own_index("x.rag");
    rag_add_options options = RAG_ADD_OPTIONS_INIT;
    rag_add_report report;
    const char *path = in_sandbox("docs");
    options.on_event = append_meanwhile;
    options.user = &watching;
    assert_ok(rag_index_add(index, &path, 1, &options, &report, &error), &error);
    assert_int_equal(report.added, 1);
    assert_int_equal(report.skipped, 1);
    assert_int_equal(watching.warnings, 1);
    assert_sound(index);
    assert_int_equal(add_path(index, "docs").added, 1);
    assert_sound(index);
    rag_index_close(index);
    buf_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SANDBOX(a_large_text_is_found_edited_and_renamed),
        IN_SANDBOX(what_was_embedded_before_a_stop_is_not_embedded_again),
        IN_SANDBOX(it_is_cut_anew_from_the_index),
        IN_SANDBOX(one_that_changes_meanwhile_is_skipped),
    };
    stretches_set_bytes(BYTES);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
