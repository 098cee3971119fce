/* Documents, their metadata and their chunks come back as they were put in. */
#define _XOPEN_SOURCE 700
#include "store/fixture.h"

#include "base/buf.h"

#include <stdlib.h>

static rag_status put_with(struct fixture *f, const char *path, const char *metadata)
{
    struct store_document document = {.path = path,
                                      .format = "text",
                                      .size = 3,
                                      .modified = 77,
                                      .text = {"a\0b", 3},
                                      .metadata = metadata};
    return store_put(f->store, &document, NULL, 0, &f->error);
}

static void a_document_comes_back_as_it_was_put(void **state)
{
    struct fixture *f = *state;
    static const char metadata[] =
        "{\"title\": \"\xe6\xae\x8b\", \"id\": 123456789012345678901}";
    assert_ok(put_with(f, "some name", metadata), &f->error);
    struct stored_document document;
    assert_ok(store_get_document(f->store, NULL, "some name", false, &document, &f->error),
              &f->error);
    assert_null(document.text);
    assert_string_equal(document.metadata, metadata);
    stored_document_release(&document);
    assert_ok(store_get_document(f->store, NULL, "some name", true, &document, &f->error),
              &f->error);
    assert_string_equal(document.path, "some name");
    assert_string_equal(document.format, "text");
    assert_int_equal(document.text_size, 3);
    assert_memory_equal(document.text, "a\0b", 4);
    assert_int_equal(document.size, 3);
    assert_int_equal(document.modified, 77);
    assert_int_equal(document.chunks, 0);
    stored_document_release(&document);
    assert_status(RAG_NOT_FOUND,
                  store_get_document(f->store, NULL, "other", false, &document, &f->error),
                  &f->error);
    assert_ok(put_with(f, "some name", NULL), &f->error);
    assert_ok(store_get_document(f->store, NULL, "some name", false, &document, &f->error),
              &f->error);
    assert_string_equal(document.metadata, "{}");
    stored_document_release(&document);
    assert_whole(f->store);
}

static void metadata_are_a_json_object_of_a_mebibyte_at_most(void **state)
{
    struct fixture *f = *state;
    static const char *const bad[] = {"",        " ",           "null",         "[]",
                                      "3",       "{",           "{}{}",         "{\"a\":}",
                                      "{'a':1}", "{\"a\":NaN}", "{\"\xff\":1}", "\"{}\""};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_status(RAG_INPUT, put_with(f, "/a", bad[i]), &f->error);
        assert_says(&f->error, "/a: its metadata");
    }
    struct buf deep = BUF_INIT(4 << 20);
    for (int i = 0; i < 100000; i++)
        assert_true(buf_append_text(&deep, "{\"a\":"));
    assert_status(RAG_INPUT, put_with(f, "/a", deep.data), &f->error);
    buf_clear(&deep);
    assert_true(buf_append_text(&deep, "{\"a\":\""));
    while (deep.size < METADATA_MAX_BYTES - 2)
        assert_true(buf_append_char(&deep, 'x'));
    assert_true(buf_append_text(&deep, "\"}"));
    assert_int_equal(deep.size, METADATA_MAX_BYTES);
    assert_ok(put_with(f, "/a", deep.data), &f->error);
    assert_true(buf_append_char(&deep, ' '));
    assert_status(RAG_INPUT, put_with(f, "/a", deep.data), &f->error);
    assert_ok(put_with(f, "/b", "{\"a\": \"\\u0000\"}"), &f->error);
    assert_int_equal(counts(f->store).documents, 2);
    assert_whole(f->store);
    buf_release(&deep);
}

static void a_chunk_carries_the_metadata_of_its_document(void **state)
{
    struct fixture *f = *state;
    float vector[DIMENSION];
    unit_vector(3, vector);
    struct store_chunk chunk = {
        .end = 4, .line = 1, .last_line = 1, .heading = "", .vector = vector};
    struct store_document document = {
        .path = "a", .format = "text", .text = {"text", 4}, .metadata = "{\"n\": 1}"};
    assert_ok(store_put(f->store, &document, &chunk, 1, &f->error), &f->error);
    struct stored_chunk stored;
    assert_ok(store_get_chunk(f->store, 1, &stored, &f->error), &f->error);
    assert_string_equal(stored.metadata, "{\"n\": 1}");
    stored_chunk_release(&stored);
}

/* ---- Chunks ---- */

struct seen {
    struct fixture *fixture;
    size_t count, stop_at;
    int64_t last_id;
    const char *remove; /* when the first chunk is seen */
    char texts[256];
};

static int see(const struct stored_chunk *chunk, const float *vector, void *user)
{
    struct seen *seen = user;
    double square = 0;
    for (int i = 0; i < DIMENSION; i++)
        square += (double)vector[i] * (double)vector[i];
    assert_true(square > 0.999 && square < 1.001);
    assert_true(chunk->chunk_id > seen->last_id);
    seen->last_id = chunk->chunk_id;
    strncat(seen->texts, chunk->path, 8);
    strcat(seen->texts, ":");
    strncat(seen->texts, chunk->text, chunk->text_size);
    strcat(seen->texts, " ");
    if (seen->remove) {
        rag_error error;
        assert_ok(store_remove(seen->fixture->store, NULL, &seen->remove, 1, NULL, &error),
                  &error);
        seen->remove = NULL;
    }
    return ++seen->count == seen->stop_at;
}

static void chunks_are_handed_over_in_the_order_they_were_put_in(void **state)
{
    struct fixture *f = *state;
    struct seen seen = {.fixture = f};
    assert_ok(store_each_chunk(f->store, NULL, NULL, see, &seen, &f->error), &f->error);
    assert_int_equal(seen.count, 0);
    assert_ok(put_lines(f->store, "/b", "one\ntwo\n", 1, &f->error), &f->error);
    assert_ok(put_lines(f->store, "/a", "three\n", 5, &f->error), &f->error);
    assert_ok(put_lines(f->store, "/c", "", 5, &f->error), &f->error);
    assert_ok(store_each_chunk(f->store, NULL, NULL, see, &seen, &f->error), &f->error);
    assert_string_equal(seen.texts, "/b:one /b:two /a:three ");
    seen = (struct seen){.fixture = f};
    assert_ok(store_each_chunk(f->store, NULL, "/a", see, &seen, &f->error), &f->error);
    assert_string_equal(seen.texts, "/a:three ");
    seen = (struct seen){.fixture = f, .stop_at = 1};
    assert_ok(store_each_chunk(f->store, NULL, NULL, see, &seen, &f->error), &f->error);
    assert_int_equal(seen.count, 1);
    assert_status(RAG_NOT_FOUND,
                  store_each_chunk(f->store, NULL, "/none", see, &seen, &f->error), &f->error);
    /* One that goes out meanwhile is passed over. */
    seen = (struct seen){.fixture = f, .remove = "/a"};
    assert_ok(store_each_chunk(f->store, NULL, NULL, see, &seen, &f->error), &f->error);
    assert_string_equal(seen.texts, "/b:one /b:two ");
}

static void damaged_chunks_are_refused_when_read(void **state)
{
    static const char *const damages[] = {
        "UPDATE chunks SET end_byte=1000", "UPDATE chunks SET begin_byte=-1",
        "UPDATE chunks SET begin_byte=end_byte+1", "UPDATE vectors SET vector=zeroblob(15)",
        "DELETE FROM vectors"};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        assert_ok(put_lines(f->store, "/a", "one\n", 1, &f->error), &f->error);
        tamper(f, damages[i]);
        struct seen seen = {.fixture = f};
        assert_status(RAG_INDEX, store_each_chunk(f->store, NULL, NULL, see, &seen, &f->error),
                      &f->error);
        assert_int_equal(seen.count, 0);
        tamper(f, "DELETE FROM vectors; DELETE FROM chunks; DELETE FROM documents; "
                  "INSERT INTO words(words) VALUES('rebuild')");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_document_comes_back_as_it_was_put),
        TEST(metadata_are_a_json_object_of_a_mebibyte_at_most),
        TEST(a_chunk_carries_the_metadata_of_its_document),
        TEST(chunks_are_handed_over_in_the_order_they_were_put_in),
        TEST(damaged_chunks_are_refused_when_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
