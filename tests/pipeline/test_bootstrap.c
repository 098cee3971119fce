/* Confidence intervals, against those that theory gives for the same values. */
#include "support/test.h"

#include "pipeline/bootstrap.h"

#include <math.h>
#include <string.h>

static rag_error error;

static rag_bootstrap_options options_of(double confidence, uint64_t seed)
{
    rag_bootstrap_options options = RAG_BOOTSTRAP_OPTIONS_INIT;
    options.samples = 20000;
    options.confidence = confidence;
    options.seed = seed;
    return options;
}

/* Of 400 values 0 or 1, 300 are 1: their mean's standard deviation is sqrt(0.75 x 0.25 / 400),
 * and it is nearly normal. */
enum { ROWS = 400, ONES = 300 };
static const double MEAN = 0.75, DEVIATION = 0.021650635;

static void fill(double values[ROWS][2])
{
    for (size_t i = 0; i < ROWS; i++) {
        values[i][0] = i < ONES;
        values[i][1] = i < ONES ? 0.04 : -0.04; /* mean 0.02 */
    }
}

static void the_interval_of_a_mean_is_that_of_the_normal_distribution(void **state)
{
    (void)state;
    double values[ROWS][2];
    rag_interval intervals[2];
    static const struct {
        double confidence, deviations;
    } cases[] = {{0.95, 1.95996}, {0.5, 0.67449}, {0.99, 2.57583}};
    fill(values);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rag_bootstrap_options options = options_of(cases[i].confidence, i);
        assert_ok(bootstrap(values[0], ROWS, 2, &options, intervals, NULL, &error), &error);
        double half = cases[i].deviations * DEVIATION;
        assert_true(fabs(intervals[0].low - (MEAN - half)) < 0.003);
        assert_true(fabs(intervals[0].high - (MEAN + half)) < 0.003);
        /* The second column is a linear function of the first: the samples are the same. */
        assert_true(fabs(intervals[1].low - (0.08 * intervals[0].low - 0.04)) < 1e-9);
        assert_true(fabs(intervals[1].high - (0.08 * intervals[0].high - 0.04)) < 1e-9);
    }
}

static void the_same_seed_gives_the_same_and_another_one_something_else(void **state)
{
    (void)state;
    double values[ROWS][2], chances[2];
    rag_interval first[2], again[2], other[2];
    fill(values);
    rag_bootstrap_options options = options_of(0.95, 7);
    assert_ok(bootstrap(values[0], ROWS, 2, &options, first, chances, &error), &error);
    assert_ok(bootstrap(values[0], ROWS, 2, &options, again, NULL, &error), &error);
    assert_memory_equal(first, again, sizeof first);
    options.seed = 8;
    options.samples = 100;
    assert_ok(bootstrap(values[0], ROWS, 2, &options, other, NULL, &error), &error);
    assert_memory_not_equal(first, other, sizeof first);
}

static void the_chance_of_a_difference_is_that_of_the_sign_test(void **state)
{
    (void)state;
    /* +1 and -1 for 55 and 45 of 100 queries: the mean is 0.1, its deviation by chance alone
     * 0.0995, so it is passed at either side with probability 0.32, a little more in steps. */
    double values[100], none[100], chance;
    rag_interval interval;
    for (size_t i = 0; i < 100; i++) {
        values[i] = i < 55 ? 1 : -1;
        none[i] = i % 2 ? 1 : -1;
    }
    rag_bootstrap_options options = options_of(0.95, 1);
    assert_ok(bootstrap(values, 100, 1, &options, &interval, &chance, &error), &error);
    assert_true(chance > 0.28 && chance < 0.37);
    assert_true(interval.low < 0 && interval.high > 0);
    assert_ok(bootstrap(none, 100, 1, &options, &interval, &chance, &error), &error);
    assert_true(chance == 1);
    for (size_t i = 0; i < 100; i++)
        values[i] = i < 90 ? 1 : 0;
    assert_ok(bootstrap(values, 100, 1, &options, &interval, &chance, &error), &error);
    assert_true(chance == 1.0 / 20001 && interval.low > 0.8);
}

static void one_query_has_no_spread(void **state)
{
    (void)state;
    double value = 0.5, chance;
    rag_interval interval;
    rag_bootstrap_options options = options_of(0.95, 0);
    options.samples = 1;
    assert_ok(bootstrap(&value, 1, 1, &options, &interval, &chance, &error), &error);
    assert_true(interval.low == 0.5 && interval.high == 0.5 && chance <= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_interval_of_a_mean_is_that_of_the_normal_distribution),
        cmocka_unit_test(the_same_seed_gives_the_same_and_another_one_something_else),
        cmocka_unit_test(the_chance_of_a_difference_is_that_of_the_sign_test),
        cmocka_unit_test(one_query_has_no_spread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
