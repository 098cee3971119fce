/* How likely it is that the documents answer. */
#include "support/test.h"

#include "pipeline/evidence.h"

#include <math.h>

enum { COUNT = 20 };

static double evidence(double best, double others, double words)
{
    double late[COUNT], found[COUNT] = {0};
    for (int i = 0; i < COUNT; i++)
        late[i] = others;
    late[7] = best; /* wherever it stands */
    found[3] = words;
    return evidence_estimate(late, found, COUNT);
}

static void a_passage_that_stands_out_speaks_for_an_answer(void **state)
{
    (void)state;
    assert_true(evidence(0.89, 0.78, 0) > 0.95);
    assert_true(evidence(0.80, 0.78, 0) < 0.1);
    assert_true(evidence(0.80, 0.80, 0) < EVIDENCE_THRESHOLD);
}

static void so_do_the_questions_words(void **state)
{
    (void)state;
    assert_true(evidence(0.80, 0.80, 0.9) > 0.95);
    assert_true(evidence(0.80, 0.80, 0.1) < EVIDENCE_THRESHOLD);
}

static void it_grows_with_either_and_stays_a_probability(void **state)
{
    (void)state;
    double last = -1;
    for (int i = 0; i <= 100; i++) {
        double now = evidence(0.8 + i * 0.002, 0.8, i * 0.01);
        assert_true(now > last && now >= 0 && now <= 1);
        last = now;
    }
}

static void few_passages_tell_nothing(void **state)
{
    (void)state;
    double late[EVIDENCE_MIN_CANDIDATES] = {0.9}, words[EVIDENCE_MIN_CANDIDATES] = {1};
    assert_true(isnan(evidence_estimate(late, words, EVIDENCE_MIN_CANDIDATES - 1)));
    assert_false(isnan(evidence_estimate(late, words, EVIDENCE_MIN_CANDIDATES)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_passage_that_stands_out_speaks_for_an_answer),
        cmocka_unit_test(so_do_the_questions_words),
        cmocka_unit_test(it_grows_with_either_and_stays_a_probability),
        cmocka_unit_test(few_passages_tell_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
