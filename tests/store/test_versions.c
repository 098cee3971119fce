/* An index of an older format is read as it is, and brought up to date by its first change. */
#define _XOPEN_SOURCE 700
#include "store/fixture.h"

#include "base/buf.h"
#include "base/file.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_FILE = 16 << 20 };

/* The tables as rag 0.1 with format 1 made them, to the letter. */
static const char version_1[] =
    "CREATE TABLE recipe(id INTEGER PRIMARY KEY CHECK(id=1), model TEXT NOT NULL, "
    "model_identity TEXT NOT NULL, dimension INTEGER NOT NULL, chunker TEXT NOT NULL, "
    "max_tokens INTEGER NOT NULL, overlap INTEGER NOT NULL) STRICT;"
    "CREATE TABLE state(id INTEGER PRIMARY KEY CHECK(id=1), generation INTEGER NOT NULL, "
    "words_hash BLOB NOT NULL) STRICT;"
    "CREATE TABLE documents(id INTEGER PRIMARY KEY AUTOINCREMENT, path TEXT NOT NULL UNIQUE, "
    "format TEXT NOT NULL, hash BLOB NOT NULL, size INTEGER NOT NULL, "
    "modified INTEGER NOT NULL, chunks INTEGER NOT NULL, chunks_hash BLOB NOT NULL, "
    "text_hash BLOB NOT NULL, text BLOB NOT NULL) STRICT;"
    "CREATE TABLE chunks(id INTEGER PRIMARY KEY AUTOINCREMENT, document INTEGER NOT NULL "
    "REFERENCES documents(id), number INTEGER NOT NULL, begin_byte INTEGER NOT NULL, "
    "end_byte INTEGER NOT NULL, line INTEGER NOT NULL, last_line INTEGER NOT NULL, "
    "tokens INTEGER NOT NULL, hash BLOB NOT NULL, heading TEXT NOT NULL, "
    "UNIQUE(document, number)) STRICT;"
    "CREATE INDEX chunks_by_hash ON chunks(hash);"
    "CREATE TABLE vectors(chunk INTEGER PRIMARY KEY REFERENCES chunks(id), "
    "vector BLOB NOT NULL) STRICT;"
    "CREATE VIEW passages AS SELECT chunks.id AS id, heading, CAST(substr(text, begin_byte+1, "
    "end_byte-begin_byte) AS TEXT) AS text FROM chunks JOIN documents ON "
    "documents.id=chunks.document;"
    "CREATE VIRTUAL TABLE words USING fts5(heading, text, content='passages', "
    "content_rowid='id', tokenize='rag_words');"
    "PRAGMA application_id=1380009833; PRAGMA user_version=1;";

/* Makes the fixture's file one of version 1 with the documents /a and /b, and opens it. */
static void make_version_1(struct fixture *f)
{
    assert_ok(put_lines(f->store, "/a", "apple\nbanana\ncherry\n", 1, &f->error), &f->error);
    assert_ok(put_lines(f->store, "/b", "damson\n", 9, &f->error), &f->error);
    store_close(f->store);
    f->store = NULL;
    char newer[160], sql[768];
    snprintf(newer, sizeof newer, "%s/newer.rag", f->folder);
    assert_int_equal(rename(f->path, newer), 0);
    tamper(f, version_1);
    snprintf(sql, sizeof sql,
             "ATTACH '%s' AS newer; INSERT INTO recipe SELECT * FROM newer.recipe; "
             "INSERT INTO state SELECT * FROM newer.state; "
             "INSERT INTO documents SELECT id, path, format, hash, size, modified, chunks, "
             "chunks_hash, text_hash, text FROM newer.documents; "
             "INSERT INTO chunks SELECT * FROM newer.chunks; "
             "INSERT INTO vectors SELECT * FROM newer.vectors; "
             "INSERT INTO words(words) VALUES('rebuild')",
             newer);
    tamper(f, sql);
    assert_ok(store_open(f->path, false, &f->store, &f->error), &f->error);
    assert_int_equal(counts(f->store).format, 1);
}

static size_t hits(struct store *store, const char *word)
{
    struct scored_list found;
    rag_error error;
    assert_ok(
        store_search_lexical(store, (rag_text){word, strlen(word)}, 9, &found, NULL, &error),
        &error);
    size_t count = found.count;
    scored_list_release(&found);
    return count;
}

static void assert_metadata(struct fixture *f, const char *path, const char *metadata)
{
    struct stored_document document;
    assert_ok(store_get_document(f->store, path, true, &document, &f->error), &f->error);
    assert_string_equal(document.metadata, metadata);
    stored_document_release(&document);
}

static void an_older_file_is_read_and_not_changed_by_it(void **state)
{
    struct fixture *f = *state;
    make_version_1(f);
    struct buf before = BUF_INIT(MAX_FILE), after = BUF_INIT(MAX_FILE);
    assert_ok(file_read(f->path, &before, &f->error), &f->error);
    struct store_recipe recipe;
    bool present;
    assert_ok(store_get_recipe(f->store, &recipe, &present, &f->error), &f->error);
    assert_true(present);
    assert_int_equal(hits(f->store, "banana"), 1);
    struct stored_chunk chunk;
    assert_ok(store_get_chunk(f->store, 2, &chunk, &f->error), &f->error);
    assert_string_equal(chunk.text, "banana");
    assert_string_equal(chunk.metadata, "{}");
    stored_chunk_release(&chunk);
    assert_metadata(f, "/a", "{}");
    assert_whole(f->store);
    assert_int_equal(counts(f->store).format, 1);
    assert_ok(file_read(f->path, &after, &f->error), &f->error);
    assert_int_equal(before.size, after.size);
    assert_memory_equal(before.data, after.data, before.size);
    buf_release(&before);
    buf_release(&after);
}

static void assert_upgraded(struct fixture *f)
{
    assert_int_equal(counts(f->store).format, 2);
    assert_metadata(f, "/b", "{}");
    assert_int_equal(hits(f->store, "damson"), 1);
    assert_whole(f->store);
    /* The sentences are those of a new file: it opens again. */
    store_close(f->store);
    assert_ok(store_open(f->path, false, &f->store, &f->error), &f->error);
    assert_whole(f->store);
}

static void the_first_document_put_in_brings_it_up_to_date(void **state)
{
    struct fixture *f = *state;
    make_version_1(f);
    assert_ok(put_lines(f->store, "/c", "elderberry\n", 20, &f->error), &f->error);
    assert_upgraded(f);
    assert_int_equal(counts(f->store).documents, 3);
}

static void taking_out_and_touching_bring_it_up_to_date_too(void **state)
{
    struct fixture *f = *state;
    make_version_1(f);
    assert_ok(store_touch(f->store, "/a", 1, 2, &f->error), &f->error);
    assert_upgraded(f);
    store_close(f->store);
    f->store = NULL;
    assert_int_equal(unlink(f->path), 0);
    assert_ok(store_open(f->path, true, &f->store, &f->error), &f->error);
    assert_ok(store_set_recipe(f->store, &fixture_recipe, &f->error), &f->error);
    make_version_1(f);
    assert_ok(store_remove(f->store, (const char *const[]){"/a"}, 1, NULL, &f->error),
              &f->error);
    assert_upgraded(f);
    assert_int_equal(counts(f->store).documents, 1);
}

static void a_change_that_fails_leaves_the_old_format(void **state)
{
    struct fixture *f = *state;
    make_version_1(f);
    struct store_document bad = {.path = "/c", .format = "text", .text = {"\xff", 1}};
    assert_status(RAG_INPUT, store_put(f->store, &bad, NULL, 0, &f->error), &f->error);
    assert_int_equal(counts(f->store).format, 1);
    assert_whole(f->store);
}

static void another_reader_follows_while_it_is_brought_up_to_date(void **state)
{
    struct fixture *f = *state;
    make_version_1(f);
    struct store *other;
    assert_ok(store_open(f->path, false, &other, &f->error), &f->error);
    assert_int_equal(hits(other, "apple"), 1);
    assert_ok(put_lines(f->store, "/c", "apple\n", 20, &f->error), &f->error);
    assert_int_equal(hits(other, "apple"), 2);
    struct stored_chunk chunk;
    assert_ok(store_get_chunk(other, 5, &chunk, &f->error), &f->error);
    assert_string_equal(chunk.path, "/c");
    stored_chunk_release(&chunk);
    assert_ok(put_lines(other, "/d", "apple\n", 30, &f->error), &f->error);
    assert_whole(other);
    store_close(other);
}

/* What one version makes is not taken from a file that says it is of the other. */
static void the_layout_must_be_that_of_the_version(void **state)
{
    struct fixture *f = *state;
    make_version_1(f);
    store_close(f->store);
    f->store = NULL;
    tamper(f, "PRAGMA user_version=2");
    assert_status(RAG_INDEX, store_open(f->path, false, &f->store, &f->error), &f->error);
    assert_says(&f->error, "\"documents\"");
    tamper(f, "PRAGMA user_version=1; "
              "ALTER TABLE documents ADD COLUMN metadata TEXT NOT NULL DEFAULT '{}'");
    assert_status(RAG_INDEX, store_open(f->path, false, &f->store, &f->error), &f->error);
    assert_says(&f->error, "\"documents\"");
}

/* An older rag that has the file open may still write to it once it is brought up to date. */
static void a_row_of_an_older_writer_is_whole(void **state)
{
    struct fixture *f = *state;
    tamper(f, "INSERT INTO documents(path, format, hash, size, modified, chunks, chunks_hash, "
              "text_hash, text) VALUES('/old', 'text', zeroblob(32), 0, 0, 0, "
              "x'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', "
              "x'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', x'')");
    assert_metadata(f, "/old", "{}");
    assert_whole(f->store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_older_file_is_read_and_not_changed_by_it),
        TEST(the_first_document_put_in_brings_it_up_to_date),
        TEST(taking_out_and_touching_bring_it_up_to_date_too),
        TEST(a_change_that_fails_leaves_the_old_format),
        TEST(another_reader_follows_while_it_is_brought_up_to_date),
        TEST(the_layout_must_be_that_of_the_version),
        TEST(a_row_of_an_older_writer_is_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
