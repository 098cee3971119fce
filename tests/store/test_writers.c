/* Several handles, threads and processes on one index; and writers that die. */
#define _XOPEN_SOURCE 700
#include "store/fixture.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *const versions[] = {"old one\nold two\n", "new one\nnew two\nnew three\n"};

static size_t rows(struct store *store, rag_error *error)
{
    struct scored_list found;
    float query[DIMENSION];
    unit_vector(1, query);
    assert_ok(store_search_dense(store, query, 1000, NULL, &found, error), error);
    size_t count = found.count;
    scored_list_release(&found);
    return count;
}

static void another_handle_sees_what_is_written_at_once(void **state)
{
    struct fixture *f = *state;
    struct store *other;
    assert_ok(store_open(f->path, false, &other, &f->error), &f->error);
    assert_int_equal(rows(other, &f->error), 0);
    for (unsigned i = 0; i < 6; i++) {
        assert_ok(put_lines(i % 2 ? other : f->store, "/a", versions[i % 2], i, &f->error),
                  &f->error);
        assert_int_equal(rows(other, &f->error), i % 2 ? 3 : 2);
        assert_int_equal(rows(f->store, &f->error), i % 2 ? 3 : 2);
        assert_int_equal(hits(other, "new", NULL), i % 2 ? 3 : 0);
        assert_int_equal(hits(f->store, "old", NULL), i % 2 ? 0 : 2);
    }
    store_close(other);
    assert_whole(f->store);
}

static void a_reader_works_while_a_writer_is_in_the_middle(void **state)
{
    struct fixture *f = *state;
    assert_ok(put_lines(f->store, "/a", versions[0], 1, &f->error), &f->error);
    sqlite3 *writer;
    assert_int_equal(sqlite3_open(f->path, &writer), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(writer, "BEGIN IMMEDIATE; UPDATE documents SET size=99", NULL, NULL, NULL),
        SQLITE_OK);
    struct store_file file;
    assert_int_equal(hits(f->store, "old", NULL), 2);
    assert_int_equal(rows(f->store, &f->error), 2);
    assert_ok(store_find_document(f->store, NULL, "/a", &file, &f->error), &f->error);
    assert_int_equal(file.size, strlen(versions[0]));
    sqlite3_close(writer);
}

static void a_second_writer_waits_and_then_says_who_is_in_the_way(void **state)
{
    struct fixture *f = *state;
    assert_ok(put_lines(f->store, "/a", versions[0], 1, &f->error), &f->error);
    sqlite3 *writer;
    assert_int_equal(sqlite3_open(f->path, &writer), SQLITE_OK);
    assert_int_equal(sqlite3_exec(writer, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    store_set_patience(f->store, 50);
    assert_status(RAG_INDEX_BUSY, put_lines(f->store, "/b", versions[1], 1, &f->error),
                  &f->error);
    assert_says(&f->error, "another process");
    size_t removed = 7;
    assert_status(
        RAG_INDEX_BUSY,
        store_remove(f->store, NULL, (const char *const[]){"/a"}, 1, &removed, &f->error),
        &f->error);
    assert_int_equal(removed, 0);
    sqlite3_close(writer);
    assert_ok(put_lines(f->store, "/b", versions[1], 1, &f->error), &f->error);
    assert_whole(f->store);
}

/* ---- Threads ---- */

enum { READERS = 8, WRITES = 12 };

struct shared {
    struct store *store;
    const char *path;
    pthread_mutex_t lock;
    bool done;
};

static bool is_done(struct shared *shared)
{
    pthread_mutex_lock(&shared->lock);
    bool done = shared->done;
    pthread_mutex_unlock(&shared->lock);
    return done;
}

/* Each answer is of one version of the document, never of both or of none. */
static bool look(struct store *store)
{
    rag_error error;
    struct scored_list found;
    float query[DIMENSION];
    unit_vector(1, query);
    bool good = store_search_dense(store, query, 100, NULL, &found, &error) == RAG_OK &&
                (found.count == 2 || found.count == 3);
    scored_list_release(&found);
    good = good &&
           store_search_lexical(store, (rag_text){"one", 3}, 100, NULL, &found, NULL, &error) ==
               RAG_OK &&
           found.count == 1;
    scored_list_release(&found);
    struct store_counts c;
    return good && store_count(store, &c, &error) == RAG_OK && c.documents == 1 &&
           (c.chunks == 2 || c.chunks == 3);
}

static void *read_shared(void *user)
{
    struct shared *shared = user;
    bool good = true;
    while (good && !is_done(shared))
        good = look(shared->store);
    return good ? user : NULL;
}

static void *read_own(void *user)
{
    struct shared *shared = user;
    struct store *store;
    rag_error error;
    if (store_open(shared->path, false, &store, &error) != RAG_OK)
        return NULL;
    bool good = true;
    while (good && !is_done(shared))
        good = look(store);
    store_close(store);
    return good ? user : NULL;
}

static void run_readers(struct fixture *f, void *(*reader)(void *))
{
    struct shared shared = {.store = f->store, .path = f->path};
    pthread_t threads[READERS];
    assert_int_equal(pthread_mutex_init(&shared.lock, NULL), 0);
    assert_ok(put_lines(f->store, "/a", versions[0], 1, &f->error), &f->error);
    for (size_t i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, reader, &shared), 0);
    for (unsigned i = 0; i < WRITES; i++)
        assert_ok(put_lines(f->store, "/a", versions[i % 2], i, &f->error), &f->error);
    pthread_mutex_lock(&shared.lock);
    shared.done = true;
    pthread_mutex_unlock(&shared.lock);
    bool good = true;
    for (size_t i = 0; i < READERS; i++) {
        void *result;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        good &= result != NULL;
    }
    pthread_mutex_destroy(&shared.lock);
    assert_true(good);
    assert_whole(f->store);
}

static void threads_share_a_handle(void **state)
{
    run_readers(*state, read_shared);
}

static void threads_have_handles_of_their_own(void **state)
{
    run_readers(*state, read_own);
}

/* ---- Processes ---- */

/* Reads until the other end of the pipe is closed; the number of looks, 0 if one was bad. */
static unsigned read_until_closed(const char *path, int pipe_end)
{
    struct store *store;
    rag_error error;
    unsigned looks = 0;
    if (store_open(path, false, &store, &error) != RAG_OK)
        return 0;
    struct pollfd end = {.fd = pipe_end, .events = POLLIN};
    do {
        if (!look(store))
            return 0;
        looks++;
    } while (poll(&end, 1, 0) == 0);
    store_close(store);
    return looks;
}

static void processes_read_while_one_writes_and_compacts(void **state)
{
    struct fixture *f = *state;
    int ends[2];
    pid_t children[READERS];
    struct events events = {0};
    struct store_compaction compaction;
    assert_ok(put_lines(f->store, "/a", versions[0], 1, &f->error), &f->error);
    store_close(f->store); /* a store must not be used on both sides of a fork */
    f->store = NULL;
    assert_int_equal(pipe(ends), 0);
    for (size_t i = 0; i < READERS; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i])
            continue;
        close(ends[1]);
        _exit(read_until_closed(f->path, ends[0]) == 0);
    }
    assert_ok(store_open(f->path, false, &f->store, &f->error), &f->error);
    for (unsigned i = 0; i < WRITES; i++) {
        assert_ok(put_lines(f->store, "/a", versions[i % 2], i, &f->error), &f->error);
        if (i % 4 == 3)
            assert_ok(store_compact(f->store, &events, &compaction, &f->error), &f->error);
    }
    close(ends[1]);
    close(ends[0]);
    bool good = true;
    for (size_t i = 0; i < READERS; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        good &= WIFEXITED(status) && WEXITSTATUS(status) == 0;
    }
    assert_true(good);
    assert_whole(f->store);
}

/* Each of several processes makes the index, or finds it made, and puts its documents in. */
static void processes_create_and_write_one_index_together(void **state)
{
    enum { PROCESSES = 4, DOCUMENTS = 5 };
    struct fixture *f = *state;
    char path[160];
    snprintf(path, sizeof path, "%s/together.rag", f->folder);
    pid_t children[PROCESSES];
    for (int i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i])
            continue;
        struct store *store;
        bool good = store_open(path, true, &store, &f->error) == RAG_OK &&
                    store_set_recipe(store, &fixture_recipe, &f->error) == RAG_OK;
        for (int j = 0; good && j < DOCUMENTS; j++) {
            char name[32];
            snprintf(name, sizeof name, "/%d/%d", i, j);
            good = put_lines(store, name, versions[1], 1, &f->error) == RAG_OK;
        }
        if (!good)
            fprintf(stderr, "writer %d: %s\n", i, f->error.message);
        _exit(!good);
    }
    bool good = true;
    for (int i = 0; i < PROCESSES; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        good &= WIFEXITED(status) && WEXITSTATUS(status) == 0;
    }
    assert_true(good);
    struct store *store;
    assert_ok(store_open(path, false, &store, &f->error), &f->error);
    assert_int_equal(counts(store).documents, PROCESSES * DOCUMENTS);
    assert_whole(store);
    store_close(store);
}

/* What a killed writer leaves is one version or the other, whole. */
static void assert_one_version(struct fixture *f)
{
    assert_ok(store_open(f->path, false, &f->store, &f->error), &f->error);
    assert_whole(f->store);
    size_t old = hits(f->store, "old", NULL), new = hits(f->store, "new", NULL);
    assert_true((old == 2 && new == 0) || (old == 0 && new == 3));
    assert_int_equal(hits(f->store, "stays", NULL), 1);
    assert_int_equal(rows(f->store, &f->error), 1 + old + new);
    store_close(f->store);
    f->store = NULL;
}

static void prepare(struct fixture *f)
{
    assert_ok(put_lines(f->store, "/a", versions[0], 1, &f->error), &f->error);
    assert_ok(put_lines(f->store, "/b", "stays\n", 1, &f->error), &f->error);
    store_close(f->store);
    f->store = NULL;
}

static void a_writer_killed_at_any_moment_leaves_a_whole_index(void **state)
{
    struct fixture *f = *state;
    prepare(f);
    for (int i = 0; i < 25; i++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            struct store *store;
            if (store_open(f->path, false, &store, &f->error) != RAG_OK)
                _exit(1);
            for (unsigned j = 0;; j++)
                if (put_lines(store, "/a", versions[j % 2], j, &f->error) != RAG_OK)
                    _exit(1);
        }
        struct timespec pause = {.tv_nsec = 20000000L + i * 3700000L};
        nanosleep(&pause, NULL);
        assert_int_equal(kill(child, SIGKILL), 0);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        assert_one_version(f);
    }
}

/* The file calls of the writer that is to die, counted by a layer over SQLite's own. */
static long calls_left;

static void count_call(void)
{
    if (calls_left >= 0 && calls_left-- == 0)
        raise(SIGKILL);
}

static sqlite3_vfs *below;

/* SQLite has other methods for a database than for its journal. */
static sqlite3_io_methods methods[2];
static const sqlite3_io_methods *real[2];

static const sqlite3_io_methods *real_of(sqlite3_file *file)
{
    return real[file->pMethods == &methods[1]];
}

static int dying_write(sqlite3_file *file, const void *data, int size, sqlite3_int64 offset)
{
    count_call();
    return real_of(file)->xWrite(file, data, size, offset);
}

static int dying_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    count_call();
    return real_of(file)->xTruncate(file, size);
}

static int dying_sync(sqlite3_file *file, int flags)
{
    count_call();
    return real_of(file)->xSync(file, flags);
}

static int dying_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                      int *out_flags)
{
    (void)vfs;
    count_call();
    int code = below->xOpen(below, name, file, flags, out_flags);
    if (code == SQLITE_OK && file->pMethods) {
        int kind = (flags & SQLITE_OPEN_MAIN_DB) != 0;
        real[kind] = file->pMethods;
        methods[kind] = *real[kind];
        methods[kind].xWrite = dying_write;
        methods[kind].xTruncate = dying_truncate;
        methods[kind].xSync = dying_sync;
        file->pMethods = &methods[kind];
    }
    return code;
}

static int dying_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    (void)vfs;
    count_call();
    return below->xDelete(below, name, sync);
}

/* Runs `act` in a child that dies at the file call `at`. False: it was done before. */
static bool dies_at(long at, bool (*act)(struct fixture *), struct fixture *f)
{
    assert_true(at < 1000);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        static sqlite3_vfs dying;
        below = sqlite3_vfs_find(NULL);
        dying = *below;
        dying.zName = "dying";
        dying.xOpen = dying_open;
        dying.xDelete = dying_delete;
        sqlite3_vfs_register(&dying, 1);
        calls_left = at;
        _exit(act(f) ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
    return WIFSIGNALED(status);
}

static bool update(struct fixture *f)
{
    struct store *store;
    return store_open(f->path, false, &store, &f->error) == RAG_OK &&
           put_lines(store, "/a", versions[1], 5, &f->error) == RAG_OK;
}

static void a_writer_killed_at_every_file_call_leaves_a_whole_index(void **state)
{
    struct fixture *f = *state;
    prepare(f);
    long at = 0;
    for (; dies_at(at, update, f); at++) {
        assert_one_version(f);
        assert_ok(store_open(f->path, false, &f->store, &f->error), &f->error);
        assert_ok(put_lines(f->store, "/a", versions[0], 1, &f->error), &f->error);
        store_close(f->store);
        f->store = NULL;
    }
    assert_true(at > 10);
}

static bool create(struct fixture *f)
{
    struct store *store;
    return store_open(f->path, true, &store, &f->error) == RAG_OK;
}

static void a_creation_killed_at_every_file_call_can_be_gone_on_with(void **state)
{
    struct fixture *f = *state;
    long at = 0;
    bool died = true;
    for (; died; at++) {
        store_close(f->store);
        assert_int_equal(unlink(f->path), 0);
        died = dies_at(at, create, f);
        assert_ok(store_open(f->path, true, &f->store, &f->error), &f->error);
        assert_whole(f->store);
    }
    assert_true(at > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(another_handle_sees_what_is_written_at_once),
        TEST(a_reader_works_while_a_writer_is_in_the_middle),
        TEST(a_second_writer_waits_and_then_says_who_is_in_the_way),
        TEST(threads_share_a_handle),
        TEST(threads_have_handles_of_their_own),
        TEST(processes_read_while_one_writes_and_compacts),
        TEST(processes_create_and_write_one_index_together),
        TEST(a_writer_killed_at_any_moment_leaves_a_whole_index),
        TEST(a_writer_killed_at_every_file_call_leaves_a_whole_index),
        TEST(a_creation_killed_at_every_file_call_can_be_gone_on_with),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
