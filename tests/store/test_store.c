/* The promises of src/store about documents and chunks. */
#define _XOPEN_SOURCE 700
#include "store/fixture.h"

#include "base/buf.h"

#include <math.h>
#include <stdlib.h>

static struct scored_list find(struct store *store, const char *question)
{
    struct scored_list found;
    rag_error error;
    assert_ok(store_search_lexical(store, (rag_text){question, strlen(question)}, 100, NULL,
                                   &found, NULL, &error),
              &error);
    return found;
}

static void an_empty_store_answers_everything(void **state)
{
    struct fixture *f = *state;
    struct scored_list found;
    float query[DIMENSION];
    double score, ceiling;
    unit_vector(1, query);
    int64_t id = 1;
    assert_ok(store_search_dense(f->store, query, 10, NULL, &found, &f->error), &f->error);
    assert_int_equal(found.count, 0);
    scored_list_release(&found);
    assert_ok(store_score_dense(f->store, query, &id, 1, &score, &f->error), &f->error);
    assert_true(isnan(score));
    assert_ok(store_search_lexical(f->store, (rag_text){"word", 4}, 10, NULL, &found, &ceiling,
                                   &f->error),
              &f->error);
    assert_int_equal(found.count, 0);
    scored_list_release(&found);
    assert_true(ceiling == 0);
    struct store_counts c = counts(f->store);
    assert_int_equal(c.documents + c.chunks + c.tokens, 0);
    assert_int_equal(c.format, 4);
    size_t removed;
    assert_ok(store_remove(f->store, NULL, (const char *const[]){"/a"}, 1, &removed, &f->error),
              &f->error);
    assert_int_equal(removed, 0);
    assert_whole(f->store);
}

static void a_chunk_comes_back_as_it_was_put(void **state)
{
    struct fixture *f = *state;
    static const char text[] = "first line\n\xe6\xae\x8b\xe5\xb7\xae\xe8\xbf\x9e\xe6\x8e\xa5\n";
    assert_ok(put_lines(f->store, "/docs/a", text, 1, &f->error), &f->error);
    struct scored_list found = find(f->store, "\xe6\xae\x8b\xe5\xb7\xae");
    assert_int_equal(found.count, 1);
    struct stored_chunk chunk;
    assert_ok(store_get_chunk(f->store, found.items[0].chunk_id, &chunk, &f->error), &f->error);
    assert_string_equal(chunk.path, "/docs/a");
    assert_string_equal(chunk.heading, "Chapter");
    assert_string_equal(chunk.text, "\xe6\xae\x8b\xe5\xb7\xae\xe8\xbf\x9e\xe6\x8e\xa5");
    assert_int_equal(chunk.text_size, 12);
    assert_int_equal(chunk.number, 1);
    assert_int_equal(chunk.begin, 11);
    assert_int_equal(chunk.end, 23);
    assert_int_equal(chunk.line, 2);
    assert_int_equal(chunk.last_line, 2);
    assert_int_equal(chunk.tokens, 7);
    stored_chunk_release(&chunk);
    scored_list_release(&found);
    assert_status(RAG_NOT_FOUND, store_get_chunk(f->store, 999, &chunk, &f->error), &f->error);
    assert_null(chunk.text);
    assert_whole(f->store);
}

static void text_may_hold_any_character_and_be_empty(void **state)
{
    struct fixture *f = *state;
    static const char text[] = "before\0after";
    float vector[DIMENSION];
    unit_vector(3, vector);
    struct store_chunk chunk = {
        .end = sizeof text - 1, .line = 1, .last_line = 1, .heading = "", .vector = vector};
    struct store_document document = {
        .path = "/nul", .format = "text", .text = {text, sizeof text - 1}};
    assert_ok(store_put(f->store, &document, &chunk, 1, &f->error), &f->error);
    struct scored_list found = find(f->store, "after");
    assert_int_equal(found.count, 1);
    struct stored_chunk stored;
    assert_ok(store_get_chunk(f->store, found.items[0].chunk_id, &stored, &f->error),
              &f->error);
    assert_int_equal(stored.text_size, sizeof text - 1);
    assert_memory_equal(stored.text, text, sizeof text);
    stored_chunk_release(&stored);
    scored_list_release(&found);
    struct store_document empty = {.path = "/empty", .format = "text"};
    assert_ok(store_put(f->store, &empty, NULL, 0, &f->error), &f->error);
    chunk.end = 0;
    assert_ok(store_put(f->store, &empty, &chunk, 1, &f->error), &f->error);
    assert_whole(f->store);
    assert_ok(store_remove(f->store, NULL, (const char *const[]){"/nul", "/empty"}, 2, NULL,
                           &f->error),
              &f->error);
    assert_whole(f->store);
}

static void a_document_put_again_takes_the_place_of_the_old_one(void **state)
{
    struct fixture *f = *state;
    assert_ok(put_lines(f->store, "/a", "apple\nbanana\ncherry\n", 1, &f->error), &f->error);
    assert_ok(put_lines(f->store, "/b", "damson\n", 9, &f->error), &f->error);
    assert_int_equal(hits(f->store, "banana", NULL), 1);
    assert_ok(put_lines(f->store, "/a", "apple\nelderberry\n", 1, &f->error), &f->error);
    assert_int_equal(hits(f->store, "banana", NULL), 0);
    assert_int_equal(hits(f->store, "apple", NULL), 1);
    assert_int_equal(hits(f->store, "elderberry", NULL), 1);
    assert_int_equal(hits(f->store, "damson", NULL), 1);
    struct store_counts c = counts(f->store);
    assert_int_equal(c.documents, 2);
    assert_int_equal(c.chunks, 3);
    assert_int_equal(c.tokens, 21);
    assert_whole(f->store);
}

static void an_id_is_never_given_to_another_chunk(void **state)
{
    struct fixture *f = *state;
    assert_ok(put_lines(f->store, "/a", "apple\n", 1, &f->error), &f->error);
    struct scored_list found = find(f->store, "apple");
    int64_t id = found.items[0].chunk_id;
    scored_list_release(&found);
    assert_ok(store_remove(f->store, NULL, (const char *const[]){"/a"}, 1, NULL, &f->error),
              &f->error);
    assert_ok(put_lines(f->store, "/b", "banana\n", 1, &f->error), &f->error);
    struct stored_chunk chunk;
    assert_status(RAG_NOT_FOUND, store_get_chunk(f->store, id, &chunk, &f->error), &f->error);
}

static void a_removed_document_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    assert_ok(put_lines(f->store, "/a", "apple\nbanana\n", 1, &f->error), &f->error);
    assert_ok(put_lines(f->store, "/b", "apple\n", 5, &f->error), &f->error);
    size_t removed;
    assert_ok(store_remove(f->store, NULL, (const char *const[]){"/a", "/a", "/none"}, 3,
                           &removed, &f->error),
              &f->error);
    assert_int_equal(removed, 1);
    assert_int_equal(hits(f->store, "apple", NULL), 1);
    assert_int_equal(hits(f->store, "banana", NULL), 0);
    assert_int_equal(counts(f->store).chunks, 1);
    float query[DIMENSION];
    struct scored_list found;
    unit_vector(1, query);
    assert_ok(store_search_dense(f->store, query, 10, NULL, &found, &f->error), &f->error);
    assert_int_equal(found.count, 1);
    scored_list_release(&found);
    assert_whole(f->store);
}

static void a_document_that_breaks_a_promise_changes_nothing(void **state)
{
    struct fixture *f = *state;
    assert_ok(put_lines(f->store, "/a", "apple\n", 1, &f->error), &f->error);
    static const char text[] = "\xc3\xa4pfel";
    float good[DIMENSION], bad[DIMENSION] = {1, 1, 0, 0};
    unit_vector(1, good);
    struct store_document document = {
        .path = "/a", .format = "text", .text = {text, sizeof text - 1}};
    struct store_chunk chunks[2] = {
        {.end = 6, .line = 1, .last_line = 1, .heading = "", .vector = good},
        {.end = 6, .line = 1, .last_line = 1, .heading = "", .vector = bad}};
    assert_status(RAG_INTERNAL, store_put(f->store, &document, chunks, 2, &f->error),
                  &f->error);
    assert_says(&f->error, "vector of chunk 1");
    bad[0] = NAN;
    assert_status(RAG_INTERNAL, store_put(f->store, &document, chunks, 2, &f->error),
                  &f->error);
    chunks[0].end = 7;
    assert_status(RAG_INTERNAL, store_put(f->store, &document, chunks, 1, &f->error),
                  &f->error);
    chunks[0].end = 1; /* inside a character */
    assert_status(RAG_INTERNAL, store_put(f->store, &document, chunks, 1, &f->error),
                  &f->error);
    document.text.size = 1;
    assert_status(RAG_INPUT, store_put(f->store, &document, NULL, 0, &f->error), &f->error);
    assert_says(&f->error, "UTF-8");
    assert_int_equal(hits(f->store, "apple", NULL), 1);
    assert_whole(f->store);
}

static void a_file_is_known_by_its_path_bytes_and_time(void **state)
{
    struct fixture *f = *state;
    struct store_file file;
    assert_ok(store_find_document(f->store, NULL, "/a", &file, &f->error), &f->error);
    assert_false(file.present);
    assert_ok(put_lines(f->store, "/a", "apple\n", 1, &f->error), &f->error);
    assert_ok(store_touch(f->store, NULL,
                          &(struct store_stamp){"/a", 6, INT64_C(1700000000123456789)}, 1,
                          &f->error),
              &f->error);
    assert_ok(store_find_document(f->store, NULL, "/a", &file, &f->error), &f->error);
    assert_true(file.present);
    assert_int_equal(file.size, 6);
    assert_true(file.modified == INT64_C(1700000000123456789));
    struct hash expected = text_hash("apple\n", 6);
    assert_memory_equal(file.hash.bytes, expected.bytes, sizeof expected.bytes);
    assert_whole(f->store);
}

static void a_vector_is_found_again_by_what_was_embedded(void **state)
{
    struct fixture *f = *state;
    float vector[DIMENSION], expected[DIMENSION];
    bool found;
    struct hash hash = text_hash("banana", 6);
    assert_ok(store_find_vector(f->store, &hash, vector, &found, &f->error), &f->error);
    assert_false(found);
    assert_ok(put_lines(f->store, "/a", "apple\nbanana\n", 40, &f->error), &f->error);
    assert_ok(store_find_vector(f->store, &hash, vector, &found, &f->error), &f->error);
    assert_true(found);
    unit_vector(41, expected);
    assert_memory_equal(vector, expected, sizeof expected);
}

static int collect(const char *path, void *user)
{
    return !buf_append_text(user, path) || !buf_append_char(user, ' ');
}

static void assert_paths(struct fixture *f, const char *path, const char *expected)
{
    struct buf list = BUF_INIT(4096);
    assert_ok(store_each_document(f->store, NULL, path, collect, &list, &f->error), &f->error);
    assert_string_equal(list.data ? list.data : "", expected);
    buf_release(&list);
}

static void documents_are_listed_at_and_below_a_path_alone(void **state)
{
    struct fixture *f = *state;
    static const char *const paths[] = {"/d/a_b/x", "/d/a_b", "/d/aXb/x", "/d/a_b0",
                                        "/d/a_b.x", "/D/a_b", "/d/a%/y",  "/d/\xff/z"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        assert_ok(put_lines(f->store, paths[i], "x\n", (unsigned)i, &f->error), &f->error);
    assert_paths(f, "/d/a_b", "/d/a_b /d/a_b/x ");
    assert_paths(f, "/d/a_b/", "/d/a_b /d/a_b/x ");
    assert_paths(f, "/d/a%", "/d/a%/y ");
    assert_paths(f, "/d/\xff", "/d/\xff/z ");
    assert_paths(f, "/d/a", "");
    assert_paths(f, "/D", "/D/a_b ");
    const char *all = "/D/a_b /d/a%/y /d/aXb/x /d/a_b /d/a_b.x /d/a_b/x /d/a_b0 /d/\xff/z ";
    assert_paths(f, "/", all);
    assert_paths(f, NULL, all);
}

static int remove_it(const char *path, void *user)
{
    struct fixture *f = user;
    assert_ok(store_remove(f->store, NULL, &path, 1, NULL, &f->error), &f->error);
    return strcmp(path, "/d/b") == 0;
}

static void a_listing_may_change_the_store_and_stop(void **state)
{
    struct fixture *f = *state;
    assert_ok(put_lines(f->store, "/d/a", "x\n", 1, &f->error), &f->error);
    assert_ok(put_lines(f->store, "/d/b", "x\n", 2, &f->error), &f->error);
    assert_ok(put_lines(f->store, "/d/c", "x\n", 3, &f->error), &f->error);
    assert_ok(store_each_document(f->store, NULL, "/d", remove_it, f, &f->error), &f->error);
    assert_paths(f, NULL, "/d/c ");
}

static void the_recipe_stays_with_the_documents(void **state)
{
    struct fixture *f = *state;
    struct store_recipe other = fixture_recipe, got;
    bool present;
    strcpy(other.model, "test/other");
    other.model_identity[0] = 'f';
    other.dimension = 8;
    assert_ok(store_set_recipe(f->store, &other, &f->error), &f->error); /* still empty */
    assert_ok(store_set_recipe(f->store, &fixture_recipe, &f->error), &f->error);
    assert_ok(put_lines(f->store, "/a", "apple\n", 1, &f->error), &f->error);
    assert_ok(store_set_recipe(f->store, &fixture_recipe, &f->error), &f->error);
    assert_status(RAG_INDEX_MISMATCH, store_set_recipe(f->store, &other, &f->error), &f->error);
    assert_says(&f->error, "test/model");
    assert_says(&f->error, "--model");
    other = fixture_recipe;
    other.max_tokens = 200;
    assert_status(RAG_INDEX_MISMATCH, store_set_recipe(f->store, &other, &f->error), &f->error);
    assert_ok(store_get_recipe(f->store, &got, &present, &f->error), &f->error);
    assert_true(present);
    assert_string_equal(got.model, fixture_recipe.model);
    assert_string_equal(got.model_identity, fixture_recipe.model_identity);
    assert_int_equal(got.dimension, DIMENSION);
    assert_int_equal(got.max_tokens, 100);
    assert_int_equal(got.chunker, RAG_CHUNKER_STRUCTURE);
}

static void a_new_index_has_no_recipe(void **state)
{
    struct fixture *f = *state;
    char path[160];
    snprintf(path, sizeof path, "%s/new.rag", f->folder);
    struct store *store;
    struct store_recipe recipe;
    bool present;
    assert_ok(store_open(path, true, &store, &f->error), &f->error);
    assert_ok(store_get_recipe(store, &recipe, &present, &f->error), &f->error);
    assert_false(present);
    assert_status(RAG_INTERNAL, put_lines(store, "/a", "apple\n", 1, &f->error), &f->error);
    assert_int_equal(counts(store).documents, 0);
    assert_whole(store);
    store_close(store);
}

static void ids_may_be_of_any_size(void **state)
{
    struct fixture *f = *state;
    assert_ok(put_lines(f->store, "/a", "apple\n", 1, &f->error), &f->error);
    tamper(f, "UPDATE sqlite_sequence SET seq=9007199254740993");
    assert_ok(put_lines(f->store, "/b", "banana\n", 2, &f->error), &f->error);
    struct scored_list found = find(f->store, "banana");
    int64_t id = found.items[0].chunk_id;
    scored_list_release(&found);
    assert_true(id == INT64_C(9007199254740994));
    float query[DIMENSION];
    double score;
    unit_vector(2, query);
    assert_ok(store_score_dense(f->store, query, &id, 1, &score, &f->error), &f->error);
    assert_true(fabs(score - 1) < 1e-6);
    tamper(f, "UPDATE sqlite_sequence SET seq=9223372036854775807");
    assert_status(RAG_INDEX, put_lines(f->store, "/c", "cherry\n", 3, &f->error), &f->error);
    assert_whole(f->store);
}

static void a_reopened_index_is_the_same(void **state)
{
    struct fixture *f = *state;
    assert_ok(put_lines(f->store, "/a", "apple\nbanana\n", 1, &f->error), &f->error);
    store_close(f->store);
    assert_ok(store_open(f->path, false, &f->store, &f->error), &f->error);
    assert_int_equal(hits(f->store, "banana", NULL), 1);
    assert_whole(f->store);
}

static void words_of_another_version_are_filled_anew(void **state)
{
    struct fixture *f = *state;
    assert_ok(put_lines(f->store, "/a", "apple\nbanana\n", 1, &f->error), &f->error);
    tamper(f, "UPDATE state SET words_hash=zeroblob(32); "
              "INSERT INTO words(words, rowid, heading, text) "
              "VALUES('delete', 1, 'Chapter', 'apple')");
    assert_int_equal(hits(f->store, "apple", NULL), 0);
    assert_status(RAG_INDEX, store_verify(f->store, NULL, NULL, NULL, &f->error), &f->error);
    assert_ok(put_lines(f->store, "/b", "cherry\n", 3, &f->error), &f->error);
    assert_int_equal(hits(f->store, "apple", NULL), 1);
    assert_whole(f->store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_empty_store_answers_everything),
        TEST(a_chunk_comes_back_as_it_was_put),
        TEST(text_may_hold_any_character_and_be_empty),
        TEST(a_document_put_again_takes_the_place_of_the_old_one),
        TEST(an_id_is_never_given_to_another_chunk),
        TEST(a_removed_document_leaves_nothing),
        TEST(a_document_that_breaks_a_promise_changes_nothing),
        TEST(a_file_is_known_by_its_path_bytes_and_time),
        TEST(a_vector_is_found_again_by_what_was_embedded),
        TEST(documents_are_listed_at_and_below_a_path_alone),
        TEST(a_listing_may_change_the_store_and_stop),
        TEST(the_recipe_stays_with_the_documents),
        TEST(a_new_index_has_no_recipe),
        TEST(ids_may_be_of_any_size),
        TEST(a_reopened_index_is_the_same),
        TEST(words_of_another_version_are_filled_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
