/* The promises of packed.h to a writer: whole or nothing, errors that say why, no leftovers,
 * several at once. */
#define _XOPEN_SOURCE 700
#include "support/test.h"

#include "base/file.h"
#include "base/packed.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct hash source = {.bytes = "the source of the tests' files.."};
static char folder[1024], path[1100];
enum { LARGE = 1 << 20 };

static int make_folder(void **state)
{
    (void)state;
    const char *temporary = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/rag-packed-XXXXXX", temporary ? temporary : "/tmp");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/weights.ragpack", folder);
    return 0;
}

static int drop_folder(void **state)
{
    (void)state;
    rag_error error;
    return directory_remove(folder, &error) ? 1 : 0;
}

/* How many files lie in the folder. */
static size_t files(void)
{
    size_t count = 0;
    DIR *directory = opendir(folder);
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory));)
        count += entry->d_name[0] != '.';
    closedir(directory);
    return count;
}

/* A section of LARGE bytes of one value. */
static rag_status put_large(struct packed_writer *writer, unsigned char value, rag_error *error)
{
    static unsigned char large[LARGE];
    memset(large, value, sizeof large);
    return packed_put(writer, "large", large, sizeof large, error);
}

static rag_status write_large(unsigned char value, rag_error *error)
{
    struct packed_writer *writer;
    rag_status status = packed_writer_new(path, &source, "test-1", &writer, error);
    if (status)
        return status;
    if ((status = put_large(writer, value, error))) {
        packed_writer_abort(writer);
        return status;
    }
    return packed_writer_commit(writer, error);
}

static void check_large(unsigned char value)
{
    struct packed *packed;
    rag_error error;
    const void *data;
    size_t size;
    assert_ok(packed_open(path, &source, "test-1", &packed, &error), &error);
    assert_ok(packed_verify(packed, &error), &error);
    assert_true(packed_section(packed, "large", &data, &size));
    assert_int_equal(((const unsigned char *)data)[LARGE / 2], value);
    packed_close(packed);
}

static void an_aborted_file_leaves_the_old_one(void **state)
{
    (void)state;
    struct packed_writer *writer;
    rag_error error;
    assert_ok(write_large(1, &error), &error);
    assert_ok(packed_writer_new(path, &source, "test-1", &writer, &error), &error);
    assert_ok(put_large(writer, 2, &error), &error);
    packed_writer_abort(writer);
    check_large(1);
    assert_int_equal(files(), 1);
    assert_ok(write_large(3, &error), &error);
    check_large(3);
}

static void a_reader_keeps_the_file_that_it_opened(void **state)
{
    (void)state;
    struct packed *packed;
    rag_error error;
    assert_ok(write_large(1, &error), &error);
    assert_ok(packed_open(path, &source, "test-1", &packed, &error), &error);
    assert_ok(write_large(2, &error), &error);
    const void *data;
    size_t size;
    assert_true(packed_section(packed, "large", &data, &size));
    assert_int_equal(*(const unsigned char *)data, 1);
    assert_ok(packed_verify(packed, &error), &error);
    packed_close(packed);
}

/* The limit on the size of files stands for a full disk: write fails in the same place. */
static void a_full_disk_is_an_error_that_leaves_nothing(void **state)
{
    (void)state;
    struct rlimit old, small = {.rlim_cur = LARGE / 2};
    rag_error error;
    (void)unlink(path);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small.rlim_max = old.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    /* At every place: in a section, in the last flush. */
    for (rlim_t most = 0; most < LARGE + 600; most += most < LARGE ? LARGE / 8 : 100) {
        small.rlim_cur = most;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        rag_status status = write_large(1, &error);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
        if (most < LARGE + 192 + 96) {
            assert_int_equal(status, RAG_INPUT);
            assert_says(&error, "weights.ragpack: cannot be written: File too large");
            assert_int_equal(files(), 0);
        } else {
            assert_int_equal(status, RAG_OK);
        }
    }
    signal(SIGXFSZ, SIG_DFL);
}

static void a_folder_that_cannot_be_written_is_an_error_that_names_it(void **state)
{
    (void)state;
    struct packed_writer *writer;
    rag_error error;
    assert_status(RAG_INPUT,
                  packed_writer_new("/proc/none/x.ragpack", &source, "v", &writer, &error),
                  &error);
    assert_says(&error, "/proc/none");
    assert_null(writer);
}

static void misuse_is_told_and_not_written(void **state)
{
    (void)state;
    struct packed_writer *writer;
    rag_error error;
    char name[PACKED_MAX_NAME + 2];
    memset(name, 'n', sizeof name);
    name[PACKED_MAX_NAME + 1] = '\0';
    (void)unlink(path);
    assert_ok(packed_writer_new(path, &source, "test-1", &writer, &error), &error);
    assert_status(RAG_INTERNAL, packed_write(writer, "x", 1, &error), &error);
    assert_status(RAG_INTERNAL, packed_end(writer, &error), &error);
    assert_status(RAG_INTERNAL, packed_begin(writer, "", &error), &error);
    assert_status(RAG_INTERNAL, packed_begin(writer, name, &error), &error);
    name[PACKED_MAX_NAME] = '\0';
    assert_ok(packed_begin(writer, name, &error), &error);
    assert_status(RAG_INTERNAL, packed_begin(writer, "second", &error), &error);
    assert_status(RAG_INTERNAL, packed_writer_commit(writer, &error), &error);
    assert_int_equal(files(), 0);

    assert_ok(packed_writer_new(path, &source, "test-1", &writer, &error), &error);
    assert_ok(packed_put(writer, "twice", "1", 1, &error), &error);
    assert_ok(packed_put(writer, "other", "2", 1, &error), &error);
    assert_ok(packed_put(writer, "twice", "3", 1, &error), &error);
    assert_status(RAG_INTERNAL, packed_writer_commit(writer, &error), &error);
    assert_says(&error, "two sections are named twice");
    assert_int_equal(files(), 0);
}

static void processes_and_their_writers_all_succeed_at_once(void **state)
{
    (void)state;
    enum { PROCESSES = 4, ROUNDS = 20 };
    pid_t children[PROCESSES];
    for (unsigned i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0) {
            rag_error error;
            int failed = 0;
            for (unsigned round = 0; round < ROUNDS && !failed; round++)
                failed = write_large((unsigned char)i, &error) != RAG_OK;
            if (failed)
                print_error("%s\n", error.message);
            _exit(failed);
        }
    }
    rag_error error;
    struct packed *packed;
    for (unsigned read = 0; read < 50; read++) { /* what is there is whole */
        rag_status status = packed_open(path, &source, "test-1", &packed, &error);
        assert_true(status == RAG_OK || status == RAG_NOT_FOUND);
        if (!status)
            assert_ok(packed_verify(packed, &error), &error);
        packed_close(packed);
    }
    for (unsigned i = 0; i < PROCESSES; i++) {
        int result;
        assert_int_equal(waitpid(children[i], &result, 0), children[i]);
        assert_int_equal(result, 0);
    }
    assert_ok(packed_open(path, &source, "test-1", &packed, &error), &error);
    assert_ok(packed_verify(packed, &error), &error);
    packed_close(packed);
    assert_int_equal(files(), 1);
}

static void the_leftover_of_a_killed_writer_goes_and_that_of_a_living_one_stays(void **state)
{
    (void)state;
    struct packed_writer *mine;
    rag_error error;
    int ready[2];
    char byte;
    (void)unlink(path);
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct packed_writer *writer;
        if (packed_writer_new(path, &source, "test-1", &writer, &error) ||
            write(ready[1], "x", 1) != 1)
            _exit(1);
        pause();
        _exit(0);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_ok(packed_writer_new(path, &source, "test-1", &mine, &error), &error);
    assert_int_equal(files(), 2);
    struct packed_writer *second;
    assert_ok(packed_writer_new(path, &source, "test-1", &second, &error), &error);
    assert_int_equal(files(), 3);
    packed_writer_abort(second);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(files(), 2);
    assert_ok(packed_writer_new(path, &source, "test-1", &second, &error), &error);
    assert_int_equal(files(), 2); /* the two of this process */
    assert_ok(packed_writer_commit(second, &error), &error);
    packed_writer_abort(mine);
    assert_int_equal(files(), 1);
    close(ready[0]);
    close(ready[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_aborted_file_leaves_the_old_one),
        cmocka_unit_test(a_reader_keeps_the_file_that_it_opened),
        cmocka_unit_test(a_full_disk_is_an_error_that_leaves_nothing),
        cmocka_unit_test(a_folder_that_cannot_be_written_is_an_error_that_names_it),
        cmocka_unit_test(misuse_is_told_and_not_written),
        cmocka_unit_test(processes_and_their_writers_all_succeed_at_once),
        cmocka_unit_test(the_leftover_of_a_killed_writer_goes_and_that_of_a_living_one_stays),
    };
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
