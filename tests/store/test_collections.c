/* Collections keep documents of the same path apart, and the log of removals says what went. */
#include "store/fixture.h"

#include <stdlib.h>

static rag_status put_in(struct fixture *f, const char *collection, const char *path,
                         const char *text, unsigned seed)
{
    float vector[DIMENSION];
    unit_vector(seed, vector);
    size_t size = strlen(text);
    struct store_chunk chunk = {
        .end = size, .line = 1, .last_line = 1, .heading = "", .vector = vector};
    struct store_document document = {
        .collection = collection, .path = path, .format = "text", .text = {text, size}};
    return store_put(f->store, &document, &chunk, 1, &f->error);
}

static void assert_text(struct fixture *f, const char *collection, const char *text)
{
    struct stored_document document;
    if (!text) {
        assert_status(
            RAG_NOT_FOUND,
            store_get_document(f->store, collection, "/a", true, &document, &f->error),
            &f->error);
        return;
    }
    assert_ok(store_get_document(f->store, collection, "/a", true, &document, &f->error),
              &f->error);
    assert_string_equal(document.text, text);
    assert_string_equal(document.collection, collection ? collection : "default");
    stored_document_release(&document);
}

static void the_same_path_in_two_collections_is_two_documents(void **state)
{
    struct fixture *f = *state;
    assert_ok(put_in(f, NULL, "/a", "apple", 1), &f->error);
    assert_ok(put_in(f, "\xe4\xb9\xa6", "/a", "banana", 2), &f->error);
    assert_int_equal(counts(f->store).documents, 2);
    assert_text(f, NULL, "apple");
    assert_text(f, "default", "apple");
    assert_text(f, "\xe4\xb9\xa6", "banana");
    assert_text(f, "none", NULL);
    struct stored_chunk chunk;
    assert_ok(store_get_chunk(f->store, 2, &chunk, &f->error), &f->error);
    assert_string_equal(chunk.collection, "\xe4\xb9\xa6");
    stored_chunk_release(&chunk);

    assert_ok(put_in(f, "\xe4\xb9\xa6", "/a", "cherry", 3), &f->error);
    assert_text(f, NULL, "apple");
    assert_text(f, "\xe4\xb9\xa6", "cherry");
    assert_ok(store_remove(f->store, NULL, (const char *const[]){"/a"}, 1, NULL, &f->error),
              &f->error);
    assert_text(f, NULL, NULL);
    assert_text(f, "\xe4\xb9\xa6", "cherry");
    assert_whole(f->store);
}

static void a_name_that_is_none_is_refused(void **state)
{
    struct fixture *f = *state;
    char longest[COLLECTION_MAX_NAME + 2];
    memset(longest, 'x', sizeof longest);
    longest[COLLECTION_MAX_NAME + 1] = 0;
    const char *const names[] = {"", "a\nb", "a\x7f", "\xff", longest};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_status(RAG_INPUT, put_in(f, names[i], "/a", "apple", 1), &f->error);
    assert_says(&f->error, "1 to 255 bytes");
    longest[COLLECTION_MAX_NAME] = 0;
    assert_ok(put_in(f, longest, "/a", "apple", 1), &f->error);
    assert_int_equal(counts(f->store).documents, 1);
}

/* ---- The log, as somebody with vectors in memory reads it ---- */

/* "generation first last; ..." of all rows, behind "from; ". */
static void read_log(struct fixture *f, char *out, size_t size)
{
    sqlite3 *db;
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(db, "SELECT removals_from FROM state", -1, &statement, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    size_t used = (size_t)snprintf(out, size, "%d; ", sqlite3_column_int(statement, 0));
    sqlite3_finalize(statement);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT * FROM removals", -1, &statement, NULL),
                     SQLITE_OK);
    while (sqlite3_step(statement) == SQLITE_ROW && used < size)
        used += (size_t)snprintf(
            out + used, size - used, "%d %d %d; ", sqlite3_column_int(statement, 0),
            sqlite3_column_int(statement, 1), sqlite3_column_int(statement, 2));
    sqlite3_finalize(statement);
    sqlite3_close(db);
}

static void what_goes_out_is_logged(void **state)
{
    struct fixture *f = *state;
    char log[256];
    assert_ok(put_lines(f->store, "/a", "apple\nbanana\n", 1, &f->error), &f->error);
    assert_ok(put_lines(f->store, "/b", "cherry\ndamson\n", 9, &f->error), &f->error);
    assert_ok(put_lines(f->store, "/empty", "", 9, &f->error), &f->error);
    read_log(f, log, sizeof log);
    assert_string_equal(log, "0; ");
    assert_ok(put_lines(f->store, "/a", "elderberry\n", 17, &f->error), &f->error);
    read_log(f, log, sizeof log);
    assert_string_equal(log, "0; 4 1 2; ");
    assert_ok(store_remove(f->store, NULL, (const char *const[]){"/a", "/empty", "/b"}, 3, NULL,
                           &f->error),
              &f->error);
    read_log(f, log, sizeof log);
    assert_string_equal(log, "0; 4 1 2; 5 5 5; 5 3 4; ");
    assert_whole(f->store);
}

static void a_log_that_is_too_long_loses_whole_generations(void **state)
{
    struct fixture *f = *state;
    char log[256];
    assert_ok(put_lines(f->store, "/a", "apple\nbanana\n", 1, &f->error), &f->error);
    tamper(f, "UPDATE state SET generation=4; INSERT INTO removals "
              "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i+1 FROM n WHERE i<16383) "
              "SELECT CASE WHEN i<8000 THEN 2 WHEN i<16380 THEN 3 ELSE 4 END, 1, 1 FROM n");
    assert_whole(f->store);
    assert_ok(put_lines(f->store, "/a", "cherry\n", 9, &f->error), &f->error);
    read_log(f, log, sizeof log);
    assert_string_equal(log, "3; 4 1 1; 4 1 1; 4 1 1; 4 1 1; 5 1 2; ");
    assert_whole(f->store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_same_path_in_two_collections_is_two_documents),
        TEST(a_name_that_is_none_is_refused),
        TEST(what_goes_out_is_logged),
        TEST(a_log_that_is_too_long_loses_whole_generations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
