/* Passages: what stands around a chunk, over the pieces of a text; a chunk by its line; nothing
 * of documents that are not finished, and no trust in a damaged row. */
#define _XOPEN_SOURCE 700
#include "store/growing.h"

#include <stdlib.h>

static int64_t chunk_at(struct fixture *f, const char *path, uint32_t line)
{
    bool known;
    int64_t id = 0;
    assert_ok(store_find_chunk(f->store, NULL, path, line, &known, &id, &f->error), &f->error);
    assert_true(known);
    return id;
}

static void assert_surroundings(struct fixture *f, const struct source *source, size_t i,
                                size_t most)
{
    struct stored_passage passage;
    const struct store_chunk *chunk = &source->chunks[i];
    const char *text = source->text.data;
    size_t before = chunk->begin < most ? chunk->begin : most;
    size_t behind = source->text.size - chunk->end;
    int64_t id = chunk_at(f, source->path, 0) + (int64_t)i;
    assert_ok(store_get_passage(f->store, id, most, most, &passage, &f->error), &f->error);
    assert_int_equal(passage.before_size, before);
    assert_memory_equal(passage.before, text + chunk->begin - before, before);
    assert_int_equal(passage.after_size, behind < most ? behind : most);
    assert_memory_equal(passage.after, text + chunk->end, passage.after_size);
    assert_memory_equal(passage.chunk.text, text + chunk->begin, passage.chunk.text_size);
    assert_string_equal(passage.format, source_document(source).format);
    stored_passage_release(&passage);
}

static void surroundings_reach_over_the_pieces_of_a_text(void **state)
{
    struct fixture *f = *state;
    enum { CHUNKS = 200, LINE = 2000, STRETCH = 60 };
    struct source source;
    source_make(&source, "/long", CHUNKS, LINE, 1000);
    assert_ok(source_grow(&source, f->store, STRETCH, &f->error), &f->error);
    for (size_t i = 0; i < CHUNKS; i += 3) {
        assert_surroundings(f, &source, i, 0);
        assert_surroundings(f, &source, i, LINE + LINE / 2);
        assert_surroundings(f, &source, i, 100 * LINE); /* several pieces */
    }
    source_release(&source);
}

static void what_is_not_finished_is_not_found(void **state)
{
    struct fixture *f = *state;
    struct source source;
    struct store_growing *growing;
    struct stored_passage passage;
    bool known;
    int64_t id;
    source_make(&source, "/long", 8, 100, 1000);
    assert_ok(source_begin(&source, f->store, &growing, &f->error), &f->error);
    assert_ok(source_add(&source, growing, 0, 4, &f->error), &f->error);
    assert_ok(store_find_chunk(f->store, NULL, "/long", 1, &known, &id, &f->error), &f->error);
    assert_false(known);
    assert_status(RAG_NOT_FOUND, store_get_passage(f->store, 1, 9, 9, &passage, &f->error),
                  &f->error);
    assert_ok(source_add(&source, growing, 4, 8, &f->error), &f->error);
    assert_ok(store_grow_finish(growing, &f->error), &f->error);
    store_grow_free(growing);
    assert_surroundings(f, &source, 0, 9);
    source_release(&source);
}

static void a_line_is_looked_for_in_all_of_the_text(void **state)
{
    struct fixture *f = *state;
    enum { CHUNKS = 100, LINE = 2000 };
    struct source source;
    bool known;
    int64_t id;
    source_make(&source, "/long", CHUNKS, LINE, 1000);
    assert_ok(source_grow(&source, f->store, 30, &f->error), &f->error);
    int64_t first = chunk_at(f, "/long", 0);
    assert_int_equal(chunk_at(f, "/long", 1), first);
    /* Each chunk runs on into the next line, so that it is the first to end there. */
    assert_int_equal(chunk_at(f, "/long", 50), first + 48);
    assert_int_equal(chunk_at(f, "/long", CHUNKS), first + CHUNKS - 2);
    assert_status(RAG_NOT_FOUND,
                  store_find_chunk(f->store, NULL, "/long", CHUNKS + 1, &known, &id, &f->error),
                  &f->error);
    assert_says(&f->error, "has 100 lines, and no line 101");
    assert_true(known);
    assert_ok(store_find_chunk(f->store, "other", "/long", 1, &known, &id, &f->error),
              &f->error);
    assert_false(known);
    source_release(&source);
}

static void damaged_rows_are_refused(void **state)
{
    static const char *const damages[] = {
        "UPDATE documents SET hash=x'00'",
        "UPDATE chunks SET begin_byte=-1",
        "UPDATE chunks SET end_byte=9223372036854775807",
        "UPDATE texts SET begin_byte=9223372036854775807",
        "UPDATE texts SET text=zeroblob(1)",
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        struct stored_passage passage;
        assert_ok(put_lines(f->store, "/a", "one\ntwo\nthree\n", 1, &f->error), &f->error);
        int64_t id = chunk_at(f, "/a", 2);
        assert_ok(store_get_passage(f->store, id, 9, 9, &passage, &f->error), &f->error);
        assert_string_equal(passage.before, "one\n");
        assert_string_equal(passage.after, "\nthree\n");
        stored_passage_release(&passage);
        tamper(f, damages[i]);
        rag_status status = store_get_passage(f->store, id, 9, 9, &passage, &f->error);
        assert_status(RAG_INDEX, status, &f->error);
        tamper(f, "DELETE FROM vectors; DELETE FROM chunks; DELETE FROM texts; "
                  "DELETE FROM documents; INSERT INTO words(words) VALUES('rebuild')");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(surroundings_reach_over_the_pieces_of_a_text),
        TEST(what_is_not_finished_is_not_found),
        TEST(a_line_is_looked_for_in_all_of_the_text),
        TEST(damaged_rows_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
