/* A compaction gives room back and changes nothing else. (test_faults.c: at any interruption.)
 */
#define _XOPEN_SOURCE 700
#include "store/fixture.h"

#include <stdlib.h>

static const struct events silent = {0};

enum { DOCUMENTS = 40 };

static void fill(struct fixture *f)
{
    char name[16];
    struct {
        char text[6000];
    } *content = malloc(sizeof *content);
    assert_non_null(content);
    for (unsigned i = 0; i < DOCUMENTS; i++) {
        size_t size = 0;
        for (unsigned j = 0; size < sizeof content->text - 40; j++)
            size += (size_t)snprintf(content->text + size, sizeof content->text - size,
                                     "word%u of%u%c", i * 1000 + j, j, j % 9 ? ' ' : '\n');
        snprintf(name, sizeof name, "/%u", i);
        assert_ok(put_lines(f->store, name, content->text, i, &f->error), &f->error);
    }
    free(content);
}

static void fill_and_remove_most(struct fixture *f)
{
    char name[16];
    fill(f);
    for (unsigned i = 1; i < DOCUMENTS; i++) {
        snprintf(name, sizeof name, "/%u", i);
        const char *path = name;
        assert_ok(store_remove(f->store, NULL, &path, 1, NULL, &f->error), &f->error);
    }
}

static struct scored_list search(struct fixture *f)
{
    struct scored_list found;
    static const char question[] = "word3 of5 word40";
    assert_ok(store_search_lexical(f->store, (rag_text){question, sizeof question - 1}, 10,
                                   NULL, &found, NULL, &f->error),
              &f->error);
    return found;
}

static void room_is_given_back_and_nothing_else_changes(void **state)
{
    struct fixture *f = *state;
    fill_and_remove_most(f);
    struct scored_list before = search(f);
    struct store_compaction done;
    assert_ok(store_compact(f->store, &silent, &done, &f->error), &f->error);
    assert_true(done.bytes_after < done.bytes_before / 2);
    assert_int_equal(counts(f->store).bytes, done.bytes_after);
    struct scored_list after = search(f);
    assert_true(before.count > 0);
    assert_int_equal(after.count, before.count);
    for (size_t i = 0; i < after.count; i++) {
        assert_int_equal(after.items[i].chunk_id, before.items[i].chunk_id);
        assert_true(after.items[i].score == before.items[i].score);
    }
    scored_list_release(&before);
    scored_list_release(&after);
    assert_whole(f->store);
    /* Again there is nothing to do; and the index takes documents. */
    assert_ok(store_compact(f->store, &silent, &done, &f->error), &f->error);
    assert_int_equal(done.bytes_after, done.bytes_before);
    assert_ok(put_lines(f->store, "/new", "one\ntwo\n", 1, &f->error), &f->error);
    assert_whole(f->store);
}

static void an_index_in_use_is_busy_and_stays_as_it_is(void **state)
{
    struct fixture *f = *state;
    fill_and_remove_most(f);
    uint64_t bytes = counts(f->store).bytes;
    sqlite3 *reader;
    assert_int_equal(sqlite3_open(f->path, &reader), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(reader, "BEGIN; SELECT count(*) FROM documents", NULL, NULL, NULL),
        SQLITE_OK);
    store_set_patience(f->store, 20);
    struct store_compaction done;
    assert_status(RAG_INDEX_BUSY, store_compact(f->store, &silent, &done, &f->error),
                  &f->error);
    sqlite3_close(reader);
    assert_int_equal(counts(f->store).bytes, bytes);
    assert_whole(f->store);
    assert_ok(store_compact(f->store, &silent, &done, &f->error), &f->error);
}

/* Stops in the middle of the work. */
static int stop(const rag_event *event, void *user)
{
    return event->kind == RAG_EVENT_PROGRESS && ++*(int *)user == 3;
}

static void it_can_be_stopped(void **state)
{
    struct fixture *f = *state;
    fill(f);
    uint64_t bytes = counts(f->store).bytes;
    int asked = 0;
    struct events events = {stop, &asked};
    struct store_compaction done;
    assert_status(RAG_INTERRUPTED, store_compact(f->store, &events, &done, &f->error),
                  &f->error);
    assert_int_equal(asked, 3);
    assert_int_equal(counts(f->store).bytes, bytes);
    assert_whole(f->store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(room_is_given_back_and_nothing_else_changes),
        TEST(an_index_in_use_is_busy_and_stays_as_it_is),
        TEST(it_can_be_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
