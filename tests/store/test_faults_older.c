/* While a file of an older format is brought up to date by its first change, every write fails
 * once, in every way that a disk has, and the power goes at each: the file is one of the old
 * format or of the new one, and holds what it held.
 *
 *   test_faults_older errors [STRIDE]    calls that fail
 *   test_faults_older power [STRIDE]     power losses, also while an interrupted write is
 * undone
 *
 * STRIDE n: every n-th state only, for sanitizers. Of a file so large that pages leave memory
 * in the middle of the change only every LARGE_STRIDE-th is tried. */
#define _XOPEN_SOURCE 700
#include "store/older.h"

#include "base/buf.h"
#include "base/file.h"
#include "support/fault_vfs.h"

#include <stdlib.h>

enum {
    MAX_FILE = 16 << 20,
    LARGE = 3 << 20,    /* bytes; more than SQLite keeps in memory */
    LARGE_STRIDE = 599, /* with the number of ways to fail it has no factor in common */
};

static const char path[] = "/fault/index.rag";

/* The files to begin with. */
static struct origin {
    unsigned version;
    size_t padding;
    struct fault_image *before;
    long points; /* that the change has */
} origins[] = {{1, 0, NULL, 0},     {2, 0, NULL, 0},     {3, 0, NULL, 0},
               {1, LARGE, NULL, 0}, {2, LARGE, NULL, 0}, {3, LARGE, NULL, 0}};
enum { ORIGINS = sizeof origins / sizeof *origins };

static size_t states, situations;
static size_t stride = 1;

/* The first change of all. */
static rag_status change(struct store *store, rag_error *error)
{
    return put_lines(store, "/c", "elderberry\nfig\n", 20, error);
}

/* ---- The disk before -------------------------------------------------------- */

static void take_file(struct fixture *f, struct origin *origin)
{
    struct buf bytes = BUF_INIT(MAX_FILE);
    make_older(f, origin->version, origin->padding);
    store_close(f->store);
    f->store = NULL;
    assert_ok(file_read(f->path, &bytes, &f->error), &f->error);
    fault_disk_install();
    fault_disk_clear();
    fault_disk_write(path, bytes.data, bytes.size);
    origin->before = fault_disk_save();
    buf_release(&bytes);
}

static void count_points(struct origin *origin)
{
    struct store *store;
    rag_error error;
    assert_ok(store_open(path, false, &store, &error), &error);
    fault_disk_plan(NULL);
    assert_ok(change(store, &error), &error);
    origin->points = fault_disk_points();
    assert_true(origin->points > (origin->padding ? 1000 : 20));
    store_close(store);
}

static int make_images(void **state)
{
    for (size_t i = 0; i < ORIGINS; i++) {
        void *fixture = NULL;
        assert_int_equal(fixture_open(&fixture), 0);
        take_file(fixture, &origins[i]);
        count_points(&origins[i]);
        fault_disk_clear();
        fault_disk_uninstall();
        assert_int_equal(fixture_close(&fixture), 0);
    }
    fault_disk_install();
    (void)state;
    return 0;
}

static int free_images(void **state)
{
    (void)state;
    for (size_t i = 0; i < ORIGINS; i++)
        fault_image_free(origins[i].before);
    fault_disk_uninstall();
    printf("%zu states\n", states);
    return 0;
}

/* ---- What is there ---------------------------------------------------------- */

struct situation {
    const struct origin *origin;
    struct fault_plan plan;
};

static void print_situation(const struct situation *s, const char *what)
{
    print_error("%s: version %u, padding %zu, kind %d, at %ld, lasting %d, loss %d, seed %u\n",
                what, s->origin->version, s->origin->padding, (int)s->plan.kind, s->plan.at,
                s->plan.lasting, (int)s->plan.loss, s->plan.seed);
}

struct chunks {
    const char *lines;
    unsigned seed;
    size_t count;
};

static int see_chunk(const struct stored_chunk *chunk, const float *vector, void *user)
{
    struct chunks *chunks = user;
    float expected[DIMENSION];
    size_t size = strcspn(chunks->lines, "\n");
    assert_int_equal(chunk->text_size, size);
    assert_memory_equal(chunk->text, chunks->lines, size);
    unit_vector(chunks->seed++, expected);
    assert_memory_equal(vector, expected, sizeof expected);
    chunks->lines += size + 1;
    chunks->count++;
    return 0;
}

/* The document's text begins with these lines, each of which is a chunk, with these vectors;
 * padding follows. False: there is no such document. */
static bool has_document(struct store *store, const char *name, const char *lines,
                         size_t padding, unsigned seed)
{
    struct store_file file;
    struct stored_document found;
    rag_error error;
    struct chunks chunks = {lines, seed, 0};
    assert_ok(store_find_document(store, NULL, name, &file, &error), &error);
    if (!file.present)
        return false;
    assert_ok(store_get_document(store, NULL, name, true, &found, &error), &error);
    assert_int_equal(found.text_size, strlen(lines) + padding);
    assert_memory_equal(found.text, lines, strlen(lines));
    for (size_t i = strlen(lines); i < found.text_size; i++)
        if (found.text[i] != 'x')
            fail_msg("%s: byte %zu is another one", name, i);
    assert_string_equal(found.metadata, "{}");
    assert_ok(store_each_chunk(store, NULL, name, see_chunk, &chunks, &error), &error);
    assert_int_equal(chunks.count, found.chunks);
    assert_string_equal(chunks.lines, ""); /* each line is there */
    stored_document_release(&found);
    return true;
}

/* What was there is there, in the old format or the new one, and nothing that verify finds; the
 * change is there only in the new one. */
static bool look(const struct situation *s, struct store *store)
{
    unsigned format = counts(store).format;
    assert_whole(store);
    assert_true(has_document(store, "/a", "apple\nbanana\ncherry\n", 0, 1));
    assert_true(has_document(store, "/b", "damson\n", s->origin->padding, 9));
    bool changed = has_document(store, "/c", "elderberry\nfig\n", 0, 20);
    assert_int_equal(counts(store).documents, changed ? 3 : 2);
    if (format != STORE_NEWEST && (changed || format != s->origin->version)) {
        print_situation(s, "neither the old format nor the new one");
        fail();
    }
    return changed;
}

/* ---- One state -------------------------------------------------------------- */

static rag_status strike(const struct situation *s, struct store **store)
{
    rag_error error;
    *store = NULL;
    fault_disk_load(s->origin->before);
    assert_ok(store_open(path, false, store, &error), &error);
    fault_disk_plan(&s->plan);
    rag_status status = change(*store, &error);
    if (!fault_disk_struck())
        print_situation(s, "not reached");
    assert_true(fault_disk_struck());
    states++;
    return status;
}

static void assert_kept(const struct situation *s, struct store *store, rag_status status)
{
    if (!look(s, store) && status == RAG_OK) {
        print_situation(s, "the change is lost");
        fail();
    }
}

static void reopen(const struct situation *s, struct store **store)
{
    rag_error error;
    store_close(*store);
    *store = NULL;
    fault_disk_plan(NULL);
    rag_status status = store_open(path, false, store, &error);
    if (status)
        print_situation(s, error.message);
    assert_int_equal(status, RAG_OK);
}

static void go_on(const struct situation *s, struct store *store)
{
    rag_error error;
    assert_ok(change(store, &error), &error);
    assert_true(look(s, store));
    assert_int_equal(counts(store).format, STORE_NEWEST);
    store_close(store);
}

static bool is_left_out(const struct situation *s)
{
    return situations++ % (s->origin->padding ? stride * LARGE_STRIDE : stride) != 0;
}

/* ---- Errors ----------------------------------------------------------------- */

static void run_error(const struct situation *s)
{
    struct store *store;
    if (is_left_out(s))
        return;
    rag_status status = strike(s, &store);
    if (!s->plan.lasting) { /* the process goes on with the handle that it has */
        fault_disk_plan(NULL);
        assert_kept(s, store, status);
    }
    reopen(s, &store);
    assert_kept(s, store, status);
    go_on(s, store);
}

static void a_call_that_fails_while_a_file_is_brought_up_to_date_harms_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < ORIGINS; i++)
        for (long at = 0; at < origins[i].points; at++)
            for (int kind = FAULT_EIO; kind <= FAULT_DONE; kind++)
                for (int lasting = 0; lasting <= (kind <= FAULT_ENOSPC); lasting++)
                    run_error(&(struct situation){
                        &origins[i], {(enum fault_kind)kind, at, lasting, LOSS_OF_ALL, 0}});
}

/* ---- Power ------------------------------------------------------------------ */

/* The machine starts again, and the power goes once more while the interrupted write is being
 * undone. */
static void lose_again(const struct situation *s)
{
    struct store *store = NULL;
    rag_error error;
    struct fault_plan again = s->plan;
    again.at = s->plan.seed % 7;
    fault_disk_plan(&again);
    rag_status status = store_open(path, false, &store, &error);
    if (!fault_disk_struck())
        assert_int_equal(status, RAG_OK); /* there was less to undo */
    store_close(store);
    fault_disk_power_up();
}

static void run_power(const struct situation *s)
{
    struct store *store;
    if (is_left_out(s))
        return;
    rag_status status = strike(s, &store);
    store_close(store);
    store = NULL;
    fault_disk_power_up();
    if (s->plan.seed % 2)
        lose_again(s);
    reopen(s, &store);
    assert_kept(s, store, status);
    go_on(s, store);
}

static void a_power_loss_while_a_file_is_brought_up_to_date_harms_nothing(void **state)
{
    (void)state;
    unsigned seed = 0;
    for (size_t i = 0; i < ORIGINS; i++)
        for (long at = 0; at < origins[i].points; at++)
            for (int loss = 0; loss < LOSS_KINDS; loss++)
                run_power(&(struct situation){
                    &origins[i], {FAULT_POWER_LOSS, at, true, (enum fault_loss)loss, seed++}});
}

int main(int argc, char **argv)
{
    const struct CMUnitTest errors[] = {
        cmocka_unit_test(a_call_that_fails_while_a_file_is_brought_up_to_date_harms_nothing),
    };
    const struct CMUnitTest power[] = {
        cmocka_unit_test(a_power_loss_while_a_file_is_brought_up_to_date_harms_nothing),
    };
    if (argc > 2)
        stride = strtoul(argv[2], NULL, 10);
    if (argc > 1 && stride && strcmp(argv[1], "errors") == 0)
        return cmocka_run_group_tests(errors, make_images, free_images);
    if (argc > 1 && stride && strcmp(argv[1], "power") == 0)
        return cmocka_run_group_tests(power, make_images, free_images);
    fprintf(stderr, "usage: test_faults_older errors|power [STRIDE]\n");
    return 2;
}
