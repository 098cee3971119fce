/* What is no whole index of ours is refused with a sentence, and left as it is. */
#define _XOPEN_SOURCE 700
#include "store/fixture.h"

#include "base/buf.h"
#include "base/file.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

enum { MAX_FILE = 16 << 20 };

/* Opens the fixture's file, with `create` or not, expecting a refusal that says `words`, and
 * the file to stay the same to the byte, with nothing new beside it. */
static void assert_refused(struct fixture *f, const char *words)
{
    struct buf before = BUF_INIT(MAX_FILE), after = BUF_INIT(MAX_FILE);
    assert_ok(file_read(f->path, &before, &f->error), &f->error);
    for (int create = 0; create < 2; create++) {
        struct store *store;
        assert_status(RAG_INDEX, store_open(f->path, create, &store, &f->error), &f->error);
        assert_null(store);
        assert_says(&f->error, words);
        assert_says(&f->error, f->path);
    }
    assert_ok(file_read(f->path, &after, &f->error), &f->error);
    assert_int_equal(before.size, after.size);
    if (before.size)
        assert_memory_equal(before.data, after.data, before.size);
    char beside[160];
    snprintf(beside, sizeof beside, "%s-journal", f->path);
    assert_false(path_is_file(beside));
    buf_release(&before);
    buf_release(&after);
}

static void close_store(struct fixture *f)
{
    store_close(f->store);
    f->store = NULL;
}

static void write_file(struct fixture *f, const void *data, size_t size)
{
    close_store(f);
    assert_ok(file_write(f->path, data, size, &f->error), &f->error);
}

static void a_missing_index_says_how_to_make_one(void **state)
{
    struct fixture *f = *state;
    close_store(f);
    assert_int_equal(unlink(f->path), 0);
    assert_status(RAG_INDEX, store_open(f->path, false, &f->store, &f->error), &f->error);
    assert_says(&f->error, "rag index");
    assert_false(path_is_file(f->path));
    char lost[160];
    snprintf(lost, sizeof lost, "%s/none/index.rag", f->folder);
    assert_status(RAG_INDEX, store_open(lost, true, &f->store, &f->error), &f->error);
    assert_says(&f->error, "folder");
}

static void an_empty_file_is_no_index_but_room_for_one(void **state)
{
    struct fixture *f = *state;
    write_file(f, "", 0);
    assert_status(RAG_INDEX, store_open(f->path, false, &f->store, &f->error), &f->error);
    assert_says(&f->error, "empty");
    assert_ok(store_open(f->path, true, &f->store, &f->error), &f->error);
    assert_whole(f->store);
}

static void a_text_file_is_refused(void **state)
{
    struct fixture *f = *state;
    static const char text[] = "Dear diary,\n";
    write_file(f, text, sizeof text - 1);
    assert_refused(f, "not an index of rag");
    static char longer[200];
    memset(longer, 'a', sizeof longer);
    assert_ok(file_write(f->path, longer, sizeof longer, &f->error), &f->error);
    assert_refused(f, "not an index of rag");
    memset(longer, 0, sizeof longer);
    assert_ok(file_write(f->path, longer, sizeof longer, &f->error), &f->error);
    assert_refused(f, "");
}

static void a_folder_is_refused(void **state)
{
    struct fixture *f = *state;
    struct store *store;
    assert_status(RAG_INDEX, store_open(f->folder, true, &store, &f->error), &f->error);
    assert_says(&f->error, "folder");
}

static void another_programs_sqlite_file_is_refused(void **state)
{
    struct fixture *f = *state;
    close_store(f);
    assert_int_equal(unlink(f->path), 0);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db, "CREATE TABLE documents(id); PRAGMA user_version=1", NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(db);
    assert_refused(f, "another program");
}

static void a_newer_format_is_refused(void **state)
{
    struct fixture *f = *state;
    close_store(f);
    tamper(f, "PRAGMA user_version=5");
    assert_refused(f, "newer rag");
    tamper(f, "PRAGMA user_version=0");
    assert_refused(f, "damaged");
}

static void a_changed_layout_is_refused(void **state)
{
    static const char *const changes[] = {
        "CREATE TRIGGER t AFTER INSERT ON chunks BEGIN DELETE FROM documents; END",
        "CREATE VIEW sneaky AS SELECT load_extension('x')",
        "CREATE TABLE words_more(x)",
        "ALTER TABLE documents ADD COLUMN more TEXT",
        "DROP TABLE vectors",
        ("DROP VIEW passages; "
         "CREATE VIEW passages AS SELECT 1 AS id, 'a' AS heading, 'b' AS text"),
    };
    struct fixture *f = *state;
    close_store(f);
    struct buf whole = BUF_INIT(MAX_FILE);
    assert_ok(file_read(f->path, &whole, &f->error), &f->error);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        assert_ok(file_write(f->path, whole.data, whole.size, &f->error), &f->error);
        tamper(f, changes[i]);
        assert_refused(f, i == 4 ? "missing" : "not part of an index");
    }
    buf_release(&whole);
}

static void ignore(const struct store_problem *problem, void *user)
{
    (void)problem;
    (void)user;
}

/* Everything a reader can do with a file, whatever is in it. Returns whether it is whole. */
static bool use(struct fixture *f)
{
    struct store *store;
    rag_status status = store_open(f->path, false, &store, &f->error);
    if (status) {
        assert_true(status == RAG_INDEX);
        assert_true(f->error.message[0]);
        return false;
    }
    struct scored_list found;
    struct stored_chunk chunk;
    float query[DIMENSION];
    struct store_counts c;
    unit_vector(1, query);
    status = store_search_dense(store, query, 5, NULL, &found, &f->error);
    scored_list_release(&found);
    status |=
        store_search_lexical(store, (rag_text){"line 3", 6}, 5, NULL, &found, NULL, &f->error);
    scored_list_release(&found);
    for (int64_t id = 1; id < 40; id += 13) {
        status |= store_get_chunk(store, id, &chunk, &f->error);
        stored_chunk_release(&chunk);
    }
    status |= store_count(store, &c, &f->error);
    rag_status verified = store_verify(store, ignore, NULL, NULL, &f->error);
    assert_true(verified == RAG_OK || verified == RAG_INDEX);
    store_close(store);
    return !status && !verified;
}

static void fill(struct fixture *f)
{
    char text[1024];
    size_t size = 0;
    for (int i = 0; i < 40; i++)
        size += (size_t)snprintf(text + size, sizeof text - size, "this is line %d\n", i);
    assert_ok(put_lines(f->store, "/a", text, 1, &f->error), &f->error);
}

static void damaged_bytes_never_crash_and_are_found_in_what_is_ours(void **state)
{
    struct fixture *f = *state;
    fill(f);
    close_store(f);
    struct buf whole = BUF_INIT(MAX_FILE), damaged = BUF_INIT(MAX_FILE);
    assert_ok(file_read(f->path, &whole, &f->error), &f->error);
    assert_true(use(f));
    unsigned random = 12345, found = 0;
    enum { ROUNDS = 200 };
    for (int i = 0; i < ROUNDS; i++) {
        buf_clear(&damaged);
        assert_true(buf_append(&damaged, whole.data, whole.size));
        for (int j = 0; j < 1 + i % 64; j++) {
            random = random * 1664525u + 1013904223u;
            damaged.data[(random >> 4) % whole.size] ^= (char)(1 + (random >> 24) % 255);
        }
        assert_ok(file_write(f->path, damaged.data, damaged.size, &f->error), &f->error);
        found += !use(f);
    }
    assert_true(found > ROUNDS / 4); /* the rest hit bytes of pages that nothing lies in */
    for (size_t size = 1; size < whole.size; size += 1 + whole.size / 97) {
        assert_ok(file_write(f->path, whole.data, size, &f->error), &f->error);
        assert_false(use(f));
    }
    buf_release(&whole);
    buf_release(&damaged);
}

/* ---- Permissions: root has all of them, so a child becomes nobody ---- */

static bool cannot_open(struct fixture *f)
{
    struct store *store;
    return store_open(f->path, true, &store, &f->error) == RAG_INDEX &&
           strstr(f->error.message, "Permission denied");
}

static bool can_read_and_not_write(struct fixture *f)
{
    struct store *store;
    struct scored_list found;
    const char *path = "/a";
    if (store_open(f->path, true, &store, &f->error) != RAG_OK)
        return false;
    bool good = store_search_lexical(store, (rag_text){"line", 4}, 5, NULL, &found, NULL,
                                     &f->error) == RAG_OK &&
                found.count == 5 &&
                store_verify(store, ignore, NULL, NULL, &f->error) == RAG_OK &&
                store_remove(store, NULL, &path, 1, NULL, &f->error) == RAG_INDEX &&
                strstr(f->error.message, "permission to write");
    scored_list_release(&found);
    store_close(store);
    return good;
}

static void an_unreadable_file_is_named(void **state)
{
    struct fixture *f = *state;
    fill(f);
    close_store(f);
    assert_int_equal(chmod(f->folder, 0755) | chmod(f->path, 0), 0);
    assert_true(as_nobody(cannot_open, f));
}

static void a_read_only_index_can_be_searched_and_verified(void **state)
{
    struct fixture *f = *state;
    fill(f);
    close_store(f);
    assert_int_equal(chmod(f->folder, 0555) | chmod(f->path, 0444), 0);
    assert_true(as_nobody(can_read_and_not_write, f));
    assert_int_equal(chmod(f->folder, 0755), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_missing_index_says_how_to_make_one),
        TEST(an_empty_file_is_no_index_but_room_for_one),
        TEST(a_text_file_is_refused),
        TEST(a_folder_is_refused),
        TEST(another_programs_sqlite_file_is_refused),
        TEST(a_newer_format_is_refused),
        TEST(a_changed_layout_is_refused),
        TEST(damaged_bytes_never_crash_and_are_found_in_what_is_ours),
        TEST(an_unreadable_file_is_named),
        TEST(a_read_only_index_can_be_searched_and_verified),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
