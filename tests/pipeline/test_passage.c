/* Passages: found by id and by line, with what stands around them, whatever the file has
 * become.
 */
#define _XOPEN_SOURCE 700
#include "pipeline/fixture.h"

#include "base/buf.h"

#include <stdlib.h>
#include <unistd.h>

static rag_error error;

static void assert_text(rag_text text, const char *expected)
{
    assert_int_equal(text.size, strlen(expected));
    assert_memory_equal(text.data, expected, text.size);
}

static rag_passage *at_line(rag_index *index, const char *document, uint32_t line,
                            size_t before, size_t after)
{
    rag_passage *passage;
    rag_passage_options options = RAG_PASSAGE_OPTIONS_INIT;
    options.before = before;
    options.after = after;
    assert_ok(rag_index_find_passage(index, document, line, &options, &passage, &error),
              &error);
    return passage;
}

/* The caller says where its chunks are. */
static const char text[] = "zero\n\n  one\ntwo\n\nthree\n\nfour four\nfive\n\n\n";

static void put_text(rag_index *index, const char *name, const rag_chunk *chunks, size_t count)
{
    rag_source source = {
        .name = name, .text = text_of(text), .chunks = chunks, .chunk_count = count};
    assert_ok(rag_index_put(index, &source, 1, NULL, NULL, &error), &error);
}

static const rag_chunk chunks[] = {
    {.begin = 8, .end = 15},  /* "one\ntwo", behind blanks of its line */
    {.begin = 17, .end = 22}, /* "three" */
    {.begin = 24, .end = 28}, /* the first "four" */
};

static void surroundings_are_lines_next_to_the_chunk(void **state)
{
    (void)state;
    static const struct {
        uint32_t line;
        size_t lines;
        const char *before, *text, *after;
    } cases[] = {
        {3, 0, "", "one\ntwo", ""},
        {3, 1, "zero\n\n  ", "one\ntwo", "\n\nthree"},
        {3, 2, "zero\n\n  ", "one\ntwo", "\n\nthree\n\nfour four"},
        {3, 10000, "zero\n\n  ", "one\ntwo", "\n\nthree\n\nfour four\nfive"},
        {6, 1, "two\n\n", "three", "\n\nfour four"},
        {8, 1, "three\n\n", "four", " four"}, /* the rest of its line counts */
        {8, 2, "two\n\nthree\n\n", "four", " four\nfive"},
    };
    rag_index *index = open_index("x.rag", NULL);
    put_text(index, "doc", chunks, 3);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rag_passage *passage =
            at_line(index, "doc", cases[i].line, cases[i].lines, cases[i].lines);
        assert_text(passage->before, cases[i].before);
        assert_text(passage->chunk.text, cases[i].text);
        assert_text(passage->after, cases[i].after);
        assert_int_equal(passage->file, RAG_FILE_NONE);
        assert_string_equal(passage->collection, "default");
        rag_passage_free(passage);
    }
    rag_index_close(index);
}

static void a_line_finds_the_first_chunk_that_ends_there_or_behind(void **state)
{
    (void)state;
    static const int64_t found[] = {1, 1, 1, 1, 1, 2, 2, 3, 3, 3, 3};
    rag_index *index = open_index("x.rag", NULL);
    rag_passage *passage;
    put_text(index, "doc", chunks, 3);
    for (uint32_t line = 0; line <= 10; line++) {
        passage = at_line(index, "doc", line, 0, 0);
        assert_int_equal(passage->chunk_id, found[line]);
        rag_passage_free(passage);
    }
    passage = at_line(index, "doc", 11, 0, 0); /* blank, as the last is */
    rag_passage_free(passage);
    assert_status(RAG_NOT_FOUND,
                  rag_index_find_passage(index, "doc", 12, NULL, &passage, &error), &error);
    assert_says(&error, "doc has 11 lines, and no line 12");
    assert_null(passage);
    put_text(index, "none", chunks, 0);
    assert_status(RAG_NOT_FOUND,
                  rag_index_find_passage(index, "none", 0, NULL, &passage, &error), &error);
    rag_index_close(index);
}

static void a_chunk_is_found_by_its_id_until_its_document_changes(void **state)
{
    (void)state;
    rag_index *index = open_index("x.rag", NULL);
    rag_passage *passage;
    assert_status(RAG_NOT_FOUND, rag_index_get_passage(index, 1, NULL, &passage, &error),
                  &error);
    assert_status(RAG_NOT_FOUND,
                  rag_index_find_passage(index, "doc", 0, NULL, &passage, &error), &error);
    put_text(index, "doc", chunks, 3);
    assert_ok(rag_index_get_passage(index, 2, NULL, &passage, &error), &error);
    assert_text(passage->chunk.text, "three");
    assert_int_equal(passage->chunk.number, 1);
    assert_int_equal(passage->chunk.line, 6);
    rag_passage_free(passage);
    put_text(index, "doc", chunks, 2);
    assert_status(RAG_NOT_FOUND, rag_index_get_passage(index, 2, NULL, &passage, &error),
                  &error);
    assert_says(&error, "there is no chunk 2");
    assert_says(&error, "search again");
    assert_null(passage);
    rag_passage_free(passage);
    rag_index_close(index);
}

static void a_line_without_end_is_read_in_part_and_at_characters(void **state)
{
    (void)state;
    enum { HALF = 300000, LIMIT = 4096 };
    struct buf long_text = BUF_INIT(1 << 20);
    /* Three bytes each, so that the limits fall within one, at both sides. */
    for (int i = 0; i < 2 * HALF / 3; i++)
        assert_true(buf_append_text(&long_text, "\xe8\xaf\x8d"));
    rag_index *index = open_index("x.rag", NULL);
    rag_chunk chunk = {.begin = HALF, .end = HALF + 3};
    rag_source source = {.name = "long",
                         .text = {long_text.data, long_text.size},
                         .chunks = &chunk,
                         .chunk_count = 1};
    assert_ok(rag_index_put(index, &source, 1, NULL, NULL, &error), &error);
    for (size_t lines = 1; lines < 4; lines++) {
        rag_passage *passage = at_line(index, "long", 1, lines, lines);
        size_t most = lines * LIMIT;
        assert_int_equal(passage->before.size, most - most % 3);
        assert_int_equal(passage->after.size, most - most % 3);
        assert_memory_equal(passage->before.data, long_text.data, passage->before.size);
        assert_memory_equal(passage->after.data, long_text.data, passage->after.size);
        rag_passage_free(passage);
    }
    buf_release(&long_text);
    rag_index_close(index);
}

static void assert_state(rag_index *index, const char *name, rag_file_state expected)
{
    rag_passage *passage = at_line(index, in_sandbox(name), 0, 0, 0);
    assert_int_equal(passage->file, expected);
    assert_text(passage->chunk.text, "the river");
    rag_passage_free(passage);
}

static void what_became_of_the_file_is_known(void **state)
{
    (void)state;
    rag_index *index = open_index("x.rag", NULL);
    write_text("docs/a.txt", "the river\n");
    add_path(index, "docs");
    assert_state(index, "docs/a.txt", RAG_FILE_SAME);
    write_text("docs/a.txt", "the river\n"); /* with another time */
    assert_state(index, "docs/a.txt", RAG_FILE_SAME);
    write_text("docs/a.txt", "the RIVER\n");
    assert_state(index, "docs/a.txt", RAG_FILE_CHANGED);
    write_text("docs/a.txt", "the river \n");
    assert_state(index, "docs/a.txt", RAG_FILE_CHANGED);
    assert_int_equal(unlink(in_sandbox("docs/a.txt")), 0);
    assert_state(index, "docs/a.txt", RAG_FILE_GONE);
    write_text("docs/a.txt/b", "a folder now\n");
    assert_state(index, "docs/a.txt", RAG_FILE_GONE);
    rag_index_close(index);
}

static void a_collection_has_its_own(void **state)
{
    (void)state;
    rag_passage *passage;
    rag_index_options options = index_options(small_model("bge-m3-like"));
    options.collection = "b";
    rag_index *index = open_index("x.rag", &options);
    put_text(index, "doc", chunks, 1);
    rag_index_close(index);
    options.collection = "a";
    index = open_index("x.rag", &options);
    assert_status(RAG_NOT_FOUND,
                  rag_index_find_passage(index, "doc", 0, NULL, &passage, &error), &error);
    assert_says(&error, "no document doc in the collection a");
    put_text(index, "doc", chunks, 2);
    assert_status(RAG_NOT_FOUND, rag_index_get_passage(index, 1, NULL, &passage, &error),
                  &error);
    assert_says(&error, "no chunk 1 in the collection a");
    rag_index_close(index);
    index = open_index("x.rag", NULL);
    passage = at_line(index, "doc", 0, 0, 0);
    assert_string_equal(passage->collection, "a");
    rag_passage_free(passage);
    assert_ok(rag_index_get_passage(index, 1, NULL, &passage, &error), &error);
    assert_string_equal(passage->collection, "b");
    rag_passage_free(passage);
    rag_index_close(index);
}

static void wrong_options_are_refused(void **state)
{
    (void)state;
    rag_index *index = open_index("x.rag", NULL);
    rag_passage *passage;
    rag_passage_options options = RAG_PASSAGE_OPTIONS_INIT;
    put_text(index, "doc", chunks, 1);
    options.after = 10001;
    assert_status(RAG_USAGE, rag_index_get_passage(index, 1, &options, &passage, &error),
                  &error);
    options.after = 10000;
    assert_ok(rag_index_get_passage(index, 1, &options, &passage, &error), &error);
    rag_passage_free(passage);
    options.size = 8;
    assert_status(RAG_USAGE,
                  rag_index_find_passage(index, "doc", 0, &options, &passage, &error), &error);
    assert_status(RAG_USAGE, rag_index_find_passage(index, "", 0, NULL, &passage, &error),
                  &error);
    rag_index_close(index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SANDBOX(surroundings_are_lines_next_to_the_chunk),
        IN_SANDBOX(a_line_finds_the_first_chunk_that_ends_there_or_behind),
        IN_SANDBOX(a_chunk_is_found_by_its_id_until_its_document_changes),
        IN_SANDBOX(a_line_without_end_is_read_in_part_and_at_characters),
        IN_SANDBOX(what_became_of_the_file_is_known),
        IN_SANDBOX(a_collection_has_its_own),
        IN_SANDBOX(wrong_options_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
