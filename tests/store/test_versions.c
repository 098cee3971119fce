/* An index of an older format is read as it is, and brought up to date by its first change. */
#define _XOPEN_SOURCE 700
#include "store/fixture.h"
#include "store/older.h"

#include "base/buf.h"
#include "base/file.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_FILE = 16 << 20 };

static void assert_metadata(struct fixture *f, const char *path, const char *metadata)
{
    struct stored_document document;
    assert_ok(store_get_document(f->store, NULL, path, true, &document, &f->error), &f->error);
    assert_string_equal(document.metadata, metadata);
    stored_document_release(&document);
}

static int see_path(const char *path, void *user)
{
    strcat(user, path);
    return 0;
}

static int see_chunk(const struct stored_chunk *chunk, const float *vector, void *user)
{
    assert_string_equal(chunk->collection, "default");
    assert_true(vector_is_unit(vector, DIMENSION));
    strncat(user, chunk->text, chunk->text_size);
    return 0;
}

static void an_older_file_is_read_and_not_changed_by_it(void **state)
{
    struct fixture *f = *state;
    for (unsigned version = 1; version < STORE_NEWEST; version++) {
        make_older(f, version, 0);
        struct buf before = BUF_INIT(MAX_FILE), after = BUF_INIT(MAX_FILE);
        assert_ok(file_read(f->path, &before, &f->error), &f->error);
        struct store_recipe recipe;
        bool present;
        assert_ok(store_get_recipe(f->store, &recipe, &present, &f->error), &f->error);
        assert_true(present);
        assert_int_equal(hits(f->store, "banana", NULL), 1);
        struct stored_chunk chunk;
        assert_ok(store_get_chunk(f->store, 2, &chunk, &f->error), &f->error);
        assert_string_equal(chunk.text, "banana");
        assert_string_equal(chunk.metadata, "{}");
        stored_chunk_release(&chunk);
        struct stored_passage passage;
        assert_ok(store_get_passage(f->store, 2, 3, 3, &passage, &f->error), &f->error);
        assert_string_equal(passage.chunk.text, "banana");
        assert_string_equal(passage.before, "le\n");
        stored_passage_release(&passage);
        int64_t id;
        assert_ok(store_find_chunk(f->store, NULL, "/a", 2, &present, &id, &f->error),
                  &f->error);
        assert_true(present);
        assert_int_equal(id, 2);
        assert_metadata(f, "/a", "{}");
        struct store_file file;
        assert_ok(store_find_document(f->store, NULL, "/b", &file, &f->error), &f->error);
        assert_true(file.present);
        assert_ok(store_find_document(f->store, "other", "/b", &file, &f->error), &f->error);
        assert_false(file.present);
        char seen[64] = "";
        assert_ok(store_each_document(f->store, NULL, NULL, see_path, seen, &f->error),
                  &f->error);
        assert_ok(store_each_chunk(f->store, NULL, NULL, see_chunk, seen, &f->error),
                  &f->error);
        assert_string_equal(seen, "/a/bapplebananacherrydamson");
        assert_whole(f->store);
        assert_int_equal(counts(f->store).documents, 2);
        assert_int_equal(counts(f->store).format, version);
        assert_ok(file_read(f->path, &after, &f->error), &f->error);
        assert_int_equal(before.size, after.size);
        assert_memory_equal(before.data, after.data, before.size);
        buf_release(&before);
        buf_release(&after);
    }
}

static void assert_upgraded(struct fixture *f)
{
    assert_int_equal(counts(f->store).format, STORE_NEWEST);
    assert_metadata(f, "/b", "{}");
    assert_int_equal(hits(f->store, "damson", NULL), 1);
    assert_whole(f->store);
    /* The sentences are those of a new file: it opens again. */
    store_close(f->store);
    assert_ok(store_open(f->path, false, &f->store, &f->error), &f->error);
    assert_whole(f->store);
}

static void the_first_document_put_in_brings_it_up_to_date(void **state)
{
    struct fixture *f = *state;
    for (unsigned version = 1; version < STORE_NEWEST; version++) {
        make_older(f, version, 0);
        assert_ok(put_lines(f->store, "/c", "elderberry\n", 20, &f->error), &f->error);
        assert_upgraded(f);
        assert_int_equal(counts(f->store).documents, 3);
        /* Ids of documents and chunks that were taken out before are not given again. */
        assert_int_equal(integer(f, "SELECT id FROM documents WHERE path='/c'"), 4);
        assert_int_equal(integer(f, "SELECT first_chunk FROM documents WHERE path='/c'"), 6);
        assert_int_equal(integer(f, "SELECT removals_from FROM state"), version < 3 ? 4 : 0);
    }
}

static void taking_out_and_touching_bring_it_up_to_date_too(void **state)
{
    struct fixture *f = *state;
    for (unsigned version = 1; version < STORE_NEWEST; version++) {
        make_older(f, version, 0);
        assert_ok(store_touch(f->store, NULL, &(struct store_stamp){"/a", 1, 2}, 1, &f->error),
                  &f->error);
        assert_upgraded(f);
        make_older(f, version, 0);
        assert_ok(store_remove(f->store, NULL, (const char *const[]){"/a"}, 1, NULL, &f->error),
                  &f->error);
        assert_upgraded(f);
        assert_int_equal(counts(f->store).documents, 1);
    }
}

/* The file is brought up to date in a transaction of its own, before the change. */
static void a_change_that_fails_changes_the_format_at_most(void **state)
{
    struct fixture *f = *state;
    for (unsigned version = 1; version < STORE_NEWEST; version++) {
        make_older(f, version, 0);
        struct store_document bad = {.path = "/c", .format = "text", .text = {"\xff", 1}};
        assert_status(RAG_INPUT, store_put(f->store, &bad, NULL, 0, &f->error), &f->error);
        assert_int_equal(counts(f->store).documents, 2);
        assert_upgraded(f);
    }
}

static void a_file_that_cannot_be_brought_up_to_date_stays_as_it_is(void **state)
{
    struct fixture *f = *state;
    make_older(f, 2, 0);
    /* A path that is there twice has no place in the new table. */
    tamper(f, "PRAGMA writable_schema=ON; DELETE FROM sqlite_schema WHERE "
              "name='sqlite_autoindex_documents_1'; UPDATE sqlite_schema SET "
              "sql=replace(sql, 'path TEXT NOT NULL UNIQUE', 'path TEXT NOT NULL') WHERE "
              "name='documents'");
    tamper(f, "UPDATE documents SET path='/a'");
    assert_false(put_lines(f->store, "/c", "elderberry\n", 20, &f->error) == RAG_OK);
    assert_int_equal(integer(f, "PRAGMA user_version"), 2);
    assert_int_equal(integer(f, "SELECT count(*) FROM documents"), 2);
    assert_int_equal(hits(f->store, "banana", NULL), 1);
}

static void another_reader_follows_while_it_is_brought_up_to_date(void **state)
{
    struct fixture *f = *state;
    for (unsigned version = 1; version < STORE_NEWEST; version++) {
        make_older(f, version, 0);
        struct store *other;
        assert_ok(store_open(f->path, false, &other, &f->error), &f->error);
        assert_int_equal(hits(other, "apple", NULL), 1);
        assert_ok(put_lines(f->store, "/c", "apple\n", 20, &f->error), &f->error);
        assert_int_equal(hits(other, "apple", NULL), 2);
        struct stored_chunk chunk;
        assert_ok(store_get_chunk(other, 6, &chunk, &f->error), &f->error);
        assert_string_equal(chunk.path, "/c");
        stored_chunk_release(&chunk);
        assert_ok(put_lines(other, "/d", "apple\n", 30, &f->error), &f->error);
        assert_whole(other);
        store_close(other);
    }
}

static bool is_read_and_not_written(struct fixture *f)
{
    if (store_open(f->path, false, &f->store, &f->error))
        return false;
    bool good = hits(f->store, "apple", NULL) == 1 &&
                store_verify(f->store, NULL, NULL, NULL, &f->error) == RAG_OK &&
                put_lines(f->store, "/c", "fig\n", 1, &f->error) == RAG_INDEX;
    store_close(f->store);
    return good;
}

static void an_older_file_without_permission_to_write_is_read(void **state)
{
    struct fixture *f = *state;
    make_older(f, 2, 0);
    store_close(f->store);
    f->store = NULL;
    assert_int_equal(chmod(f->path, 0444), 0);
    assert_int_equal(chmod(f->folder, 0555), 0);
    assert_true(as_nobody(is_read_and_not_written, f));
    assert_int_equal(chmod(f->folder, 0755), 0);
    assert_int_equal(chmod(f->path, 0644), 0);
}

/* What one version makes is not taken from a file that says it is of another. */
static void the_layout_must_be_that_of_the_version(void **state)
{
    struct fixture *f = *state;
    make_older(f, 1, 0);
    store_close(f->store);
    f->store = NULL;
    tamper(f, "PRAGMA user_version=2");
    assert_status(RAG_INDEX, store_open(f->path, false, &f->store, &f->error), &f->error);
    assert_says(&f->error, "\"documents\"");
    tamper(f, "PRAGMA user_version=3");
    assert_status(RAG_INDEX, store_open(f->path, false, &f->store, &f->error), &f->error);
    tamper(f, "PRAGMA user_version=4");
    assert_status(RAG_INDEX, store_open(f->path, false, &f->store, &f->error), &f->error);
    tamper(f, "PRAGMA user_version=1; "
              "ALTER TABLE documents ADD COLUMN metadata TEXT NOT NULL DEFAULT '{}'");
    assert_status(RAG_INDEX, store_open(f->path, false, &f->store, &f->error), &f->error);
    assert_says(&f->error, "\"documents\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_older_file_is_read_and_not_changed_by_it),
        TEST(the_first_document_put_in_brings_it_up_to_date),
        TEST(taking_out_and_touching_bring_it_up_to_date_too),
        TEST(a_change_that_fails_changes_the_format_at_most),
        TEST(a_file_that_cannot_be_brought_up_to_date_stays_as_it_is),
        TEST(another_reader_follows_while_it_is_brought_up_to_date),
        TEST(an_older_file_without_permission_to_write_is_read),
        TEST(the_layout_must_be_that_of_the_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
