/* What keeps a hostile file, and a reader that it has taken over, from doing harm: the sandbox
 * forbids what it names, and whatever the reader answers or does, the caller gets an error that
 * says so and goes on with another one. Arguments: rag-reader, bad_reader. */
#include "support/test.h"

#include "base/clock.h"
#include "documents/document.h"
#include "documents/wire.h"
#include "documents/worker.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *good, *bad;

static void use(const char *reader)
{
    worker_end_all();
    assert_int_equal(setenv("RAG_READER", reader, 1), 0);
}

static rag_status read_as(const char *name, rag_error *error)
{
    struct document document;
    rag_status status = document_parse(name, "a text", 6, NULL, &document, error);
    if (!status) {
        assert_string_equal(document.text.data, "a text");
        document_release(&document);
    }
    return status;
}

/* ---- The sandbox ------------------------------------------------------------ */

/* The exit status of a deed, or minus the signal that ended it. */
static int try_deed(const char *deed)
{
    pid_t pid = fork();
    if (pid == 0) {
        execl(good, "rag-reader", "try", deed, (char *)NULL);
        _exit(99);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void a_worker_can_compute_and_nothing_else(void **state)
{
    (void)state;
    static const char *const fatal[] = {"network", "exec", "fork", "ptrace", "kill"};
    static const char *const refused[] = {"open", "write", "code"};
    assert_int_equal(try_deed("compute"), 0);
    use(good);
    rag_error error;
    assert_ok(read_as("x.txt", &error), &error);
    if (!(worker_sandbox() & SANDBOX_SYSCALLS)) {
        print_message("this system has no seccomp: only the limits hold\n");
        return;
    }
    assert_true(worker_sandbox() & SANDBOX_LIMITS);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        assert_int_equal(try_deed(refused[i]), 1);
    for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++)
        assert_int_equal(try_deed(fatal[i]), -SIGSYS);
#ifndef RAG_SANITIZED /* whose shadow takes more than any limit */
    assert_int_equal(try_deed("memory"), 1);
#endif
}

/* ---- Readers that die, hang or lie ------------------------------------------ */

static void a_reader_that_dies_is_named_by_its_file_and_replaced(void **state)
{
    (void)state;
    use(bad);
    rag_error error;
    for (int i = 0; i < 3; i++) {
        assert_ok(read_as("fine.txt", &error), &error);
        assert_status(RAG_INPUT, read_as("crash", &error), &error);
        assert_says(&error, "crash: its reader was ended by signal 9");
        assert_status(RAG_INPUT, read_as("leave", &error), &error);
        assert_says(&error, "leave: its reader ended");
    }
}

static void a_reader_that_hangs_is_given_up(void **state)
{
    (void)state;
    use(bad);
    rag_error error;
    worker_set_patience(0.5);
    double begin = clock_seconds();
    assert_status(RAG_INPUT, read_as("hang", &error), &error);
    assert_says(&error, "hang: it was not read within");
    assert_true(clock_seconds() - begin < 30);
    worker_set_patience(0);
    assert_ok(read_as("fine.txt", &error), &error);
}

static void what_a_reader_answers_is_not_believed(void **state)
{
    (void)state;
    static const char *const lies[] = {
        "lie-utf8",     "lie-end",        "lie-kind",    "lie-name", "lie-parent",
        "lie-metadata", "lie-escape",     "lie-count",   "lie-part", "lie-format",
        "promise-text", "promise-blocks", "promise-mark"};
    use(bad);
    rag_error error;
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        assert_status(RAG_INTERNAL, read_as(lies[i], &error), &error);
        assert_says(&error, lies[i]);
        assert_ok(read_as("fine.txt", &error), &error);
    }
}

static void a_worker_that_died_between_files_costs_no_file(void **state)
{
    (void)state;
    use(good);
    rag_error error;
    struct document document;
    assert_ok(read_as("x.txt", &error), &error);
    /* The idle one is the only child. */
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    FILE *children = fopen(path, "r");
    int worker = 0;
    if (!children || fscanf(children, "%d", &worker) != 1) {
        print_message("this kernel does not list children: left out\n");
    } else {
        assert_int_equal(kill(worker, SIGKILL), 0);
    }
    if (children)
        fclose(children);
    assert_ok(document_parse("y.txt", "b", 1, NULL, &document, &error), &error);
    document_release(&document);
}

static void a_missing_reader_is_told_with_what_to_do(void **state)
{
    (void)state;
    use("/no/such/rag-reader");
    rag_error error;
    assert_status(RAG_INTERNAL, read_as("x.txt", &error), &error);
    assert_says(&error, "/no/such/rag-reader cannot be started");
    use("/bin/true");
    assert_status(RAG_INTERNAL, read_as("x.txt", &error), &error);
    assert_says(&error, "RAG_READER");
}

/* ---- Places ----------------------------------------------------------------- */

static void check_place(const struct document *d, size_t byte, const char *expected)
{
    struct buf place = BUF_INIT(1000);
    assert_true(buf_reserve(&place, 0) && document_place(d, byte, &place));
    assert_string_equal(place.data, expected);
    buf_release(&place);
}

static void a_place_is_found_by_a_byte_and_ends_with_a_larger_one(void **state)
{
    (void)state;
    struct document d = DOCUMENT_INIT;
    assert_true(document_push_place(&d, 10, PLACE_ENTRY, 0, "a.pdf") &&
                document_push_place(&d, 10, PLACE_PAGE, 1, NULL) &&
                document_push_place(&d, 20, PLACE_PAGE, 2, NULL) &&
                document_push_place(&d, 30, PLACE_ENTRY, 0, "b.xlsx") &&
                document_push_place(&d, 40, PLACE_SHEET, 1, "Sales") &&
                document_push_place(&d, 50, PLACE_CELL, 0, "B12") &&
                document_push_place(&d, 60, PLACE_TIME, 3661500, NULL));
    check_place(&d, 0, "");
    check_place(&d, 10, "a.pdf, page 1");
    check_place(&d, 19, "a.pdf, page 1");
    check_place(&d, 29, "a.pdf, page 2");
    check_place(&d, 39, "b.xlsx");
    check_place(&d, 55, "b.xlsx, sheet Sales, cell B12");
    check_place(&d, 99, "b.xlsx, sheet Sales, cell B12, 01:01:01");
    document_release(&d);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    good = argv[1];
    bad = argv[2];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_worker_can_compute_and_nothing_else),
        cmocka_unit_test(a_reader_that_dies_is_named_by_its_file_and_replaced),
        cmocka_unit_test(a_reader_that_hangs_is_given_up),
        cmocka_unit_test(what_a_reader_answers_is_not_believed),
        cmocka_unit_test(a_worker_that_died_between_files_costs_no_file),
        cmocka_unit_test(a_missing_reader_is_told_with_what_to_do),
        cmocka_unit_test(a_place_is_found_by_a_byte_and_ends_with_a_larger_one),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    worker_end_all();
    return failed;
}
