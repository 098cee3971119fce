/* Every write of a run of changes fails once, in every way that a disk has, and the power goes
 * at each: the index is whole, and holds what it said it held.
 *
 *   test_faults errors [STRIDE]    calls that fail
 *   test_faults power [STRIDE]     power losses, also while an interrupted write is undone
 *
 * STRIDE n: of what can happen at a write point, every n-th only, beginning with another at
 * each point, so that all kinds of faults take their turns. An odd n: seeds are even and odd
 * then, and an odd one's power goes twice.
 *
 * Each state begins with the disk as it was before one of the steps of script.h. */
#define _XOPEN_SOURCE 700
#include "store/script.h"

#include "support/fault_vfs.h"

#include <stdlib.h>

static const char path[] = "/fault/index.rag";

/* The disk before each step, and how many write points it has. */
static struct {
    struct fault_image *before;
    long points;
} * made;

static size_t states, steps;
static size_t stride = 1;

static int make_images(void **state)
{
    (void)state;
    struct store *store = NULL;
    rag_error error;
    steps = script_steps();
    made = calloc(steps, sizeof *made);
    assert_non_null(made);
    fault_disk_install();
    for (size_t i = 0; i < steps; i++) {
        store_close(store);
        store = NULL;
        made[i].before = fault_disk_save();
        if (i)
            assert_ok(store_open(path, false, &store, &error), &error);
        fault_disk_plan(NULL);
        assert_ok(script_run(i, path, &store, &error), &error);
        made[i].points = fault_disk_points();
        assert_true(made[i].points > 4);
    }
    store_close(store);
    return 0;
}

static int free_images(void **state)
{
    (void)state;
    for (size_t i = 0; i < steps; i++)
        fault_image_free(made[i].before);
    free(made);
    fault_disk_uninstall();
    printf("%zu states\n", states);
    return 0;
}

/* ---- One state ---- */

struct situation {
    size_t step;
    struct fault_plan plan;
};

/* Whether the turn of this one among those of its write point has come. */
static bool is_due(long point, size_t number)
{
    return ((size_t)point + number) % stride == 0;
}

static void print_situation(const struct situation *s, const char *what)
{
    print_error("%s: step %zu (%s), kind %d, at %ld, lasting %d, loss %d, seed %u\n", what,
                s->step, script_name(s->step), (int)s->plan.kind, s->plan.at, s->plan.lasting,
                (int)s->plan.loss, s->plan.seed);
}

/* The step under the plan, in a process that ends then or goes on; its status. */
static rag_status strike(const struct situation *s, struct store **store)
{
    rag_error error;
    *store = NULL;
    fault_disk_load(made[s->step].before);
    if (s->step)
        assert_ok(store_open(path, false, store, &error), &error);
    fault_disk_plan(&s->plan);
    rag_status status = script_run(s->step, path, store, &error);
    if (!fault_disk_struck())
        print_situation(s, "not reached");
    assert_true(fault_disk_struck());
    states++;
    return status;
}

/* What is there is what was before the step or after it, and after it if it said so. */
static void assert_one_or_the_other(const struct situation *s, struct store *store,
                                    rag_status status)
{
    struct script_state before = script_before(s->step), after = script_before(s->step + 1);
    struct script_state found = script_look(store);
    bool good =
        script_equal(&found, &after) || (status != RAG_OK && script_equal(&found, &before));
    if (!good)
        print_situation(s, "neither before nor after");
    assert_true(good);
}

/* The step again, and what is left of the script. */
static void go_on(const struct situation *s, struct store **store)
{
    rag_error error;
    struct script_state end = script_before(steps);
    for (size_t i = s->step; i < steps; i++)
        if (i || !*store)
            assert_ok(script_run(i, path, store, &error), &error);
    struct script_state found = script_look(*store);
    assert_true(script_equal(&found, &end));
}

static void reopen(const struct situation *s, struct store **store)
{
    rag_error error;
    store_close(*store);
    *store = NULL;
    fault_disk_plan(NULL);
    rag_status status = store_open(path, s->step == 0, store, &error);
    if (status)
        print_situation(s, error.message);
    assert_int_equal(status, RAG_OK);
}

/* ---- Errors ---- */

static void run_error(const struct situation *s)
{
    struct store *store;
    rag_status status = strike(s, &store);
    if (!s->plan.lasting && store) { /* the process goes on with the handle that it has */
        fault_disk_plan(NULL);
        assert_one_or_the_other(s, store, status);
    }
    reopen(s, &store);
    assert_one_or_the_other(s, store, status);
    go_on(s, &store);
    store_close(store);
}

static void a_call_that_fails_at_any_point_harms_nothing(void **state)
{
    (void)state;
    for (size_t step = 0; step < steps; step++)
        for (long at = 0; at < made[step].points; at++) {
            size_t number = 0;
            for (int kind = FAULT_EIO; kind <= FAULT_DONE; kind++)
                for (int lasting = 0; lasting <= (kind <= FAULT_ENOSPC); lasting++)
                    if (is_due(at, number++))
                        run_error(&(struct situation){
                            step, {(enum fault_kind)kind, at, lasting, LOSS_OF_ALL, 0}});
        }
}

/* ---- Power ---- */

/* The machine starts again, and the power goes once more while the interrupted write is being
 * undone. */
static void lose_again(const struct situation *s, unsigned at)
{
    struct store *store = NULL;
    rag_error error;
    struct fault_plan again = s->plan;
    again.at = at;
    fault_disk_plan(&again);
    rag_status status = store_open(path, s->step == 0, &store, &error);
    if (!fault_disk_struck())
        assert_int_equal(status, RAG_OK); /* there was less to undo */
    store_close(store);
    fault_disk_power_up();
}

static void run_power(const struct situation *s)
{
    struct store *store;
    rag_status status = strike(s, &store);
    store_close(store);
    store = NULL;
    fault_disk_power_up();
    if (s->plan.seed % 2)
        lose_again(s, s->plan.seed % 7);
    reopen(s, &store);
    assert_one_or_the_other(s, store, status);
    go_on(s, &store);
    store_close(store);
}

static void a_power_loss_at_any_point_harms_nothing(void **state)
{
    (void)state;
    unsigned seed = 0;
    for (size_t step = 0; step < steps; step++)
        for (long at = 0; at < made[step].points; at++)
            for (int loss = 0; loss < LOSS_KINDS; loss++, seed++)
                if (is_due(at, (size_t)loss))
                    run_power(&(struct situation){
                        step, {FAULT_POWER_LOSS, at, true, (enum fault_loss)loss, seed}});
}

/* Whether what a power loss left of an unsynced change opens and is whole. */
static bool is_whole(struct store **store)
{
    rag_error error;
    return store_open(path, false, store, &error) == RAG_OK &&
           store_verify(*store, NULL, NULL, NULL, &error) == RAG_OK;
}

/* The disk is no kinder than real ones: without waiting for it, indexes break. */
static void without_syncs_this_disk_breaks_an_index(void **state)
{
    (void)state;
    size_t step = steps - 1, broken = 0;
    for (long at = 0; at < made[step].points; at++) {
        struct fault_plan plan = {FAULT_POWER_LOSS, at, true, LOSS_OF_SECTORS, (unsigned)at};
        struct store *store;
        rag_error error;
        fault_disk_load(made[step].before);
        assert_ok(store_open(path, false, &store, &error), &error);
        assert_ok(store_set_volatile(store, &error), &error);
        fault_disk_plan(&plan);
        (void)!script_run(step, path, &store, &error);
        store_close(store);
        fault_disk_power_up();
        broken += !is_whole(&store);
        store_close(store);
    }
    assert_true(broken > 2);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest errors[] = {
        cmocka_unit_test(a_call_that_fails_at_any_point_harms_nothing),
    };
    const struct CMUnitTest power[] = {
        cmocka_unit_test(a_power_loss_at_any_point_harms_nothing),
        cmocka_unit_test(without_syncs_this_disk_breaks_an_index),
    };
    if (argc > 2)
        stride = strtoul(argv[2], NULL, 10);
    if (argc > 1 && stride && strcmp(argv[1], "errors") == 0)
        return cmocka_run_group_tests(errors, make_images, free_images);
    if (argc > 1 && stride && strcmp(argv[1], "power") == 0)
        return cmocka_run_group_tests(power, make_images, free_images);
    fprintf(stderr, "usage: test_faults errors|power [STRIDE]\n");
    return 2;
}
