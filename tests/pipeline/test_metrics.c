/* Measures of a ranking, against values worked out by hand. */
#include "support/test.h"

#include "pipeline/metrics.h"

#include <math.h>

#define assert_close(a, b) assert_true(fabs((a) - (b)) < 1e-12)

/* Relevant: grades 3, 2, 1; the ranking has 0 3 0 1 and leaves the 2 out. */
static const double grades[] = {0, 3, 0, 1}, ideal[] = {3, 2, 1};
static const struct ranking ranking = {grades, 4, ideal, 3};

static void recall_is_the_share_found(void **state)
{
    (void)state;
    assert_close(recall_at(&ranking, 1), 0);
    assert_close(recall_at(&ranking, 2), 1.0 / 3);
    assert_close(recall_at(&ranking, 3), 1.0 / 3);
    assert_close(recall_at(&ranking, 4), 2.0 / 3);
    assert_close(recall_at(&ranking, 50), 2.0 / 3);
}

static void reciprocal_rank_is_of_the_first_relevant_one(void **state)
{
    (void)state;
    assert_close(reciprocal_rank_at(&ranking, 1), 0);
    assert_close(reciprocal_rank_at(&ranking, 2), 0.5);
    assert_close(reciprocal_rank_at(&ranking, 10), 0.5);
}

/* dcg@4 = 3 / log2(3) + 1 / log2(5); ideal = 3 / log2(2) + 2 / log2(3) + 1 / log2(4) */
static void ndcg_discounts_by_the_logarithm_of_the_place(void **state)
{
    (void)state;
    const double log2_3 = 1.5849625007211562, log2_5 = 2.3219280948873623;
    assert_close(ndcg_at(&ranking, 1), 0);
    assert_close(ndcg_at(&ranking, 2), (3 / log2_3) / (3 + 2 / log2_3));
    assert_close(ndcg_at(&ranking, 4), (3 / log2_3 + 1 / log2_5) / (3 + 2 / log2_3 + 0.5));
    assert_close(ndcg_at(&ranking, 10), ndcg_at(&ranking, 4));
}

static void the_ideal_ranking_is_1_by_all(void **state)
{
    (void)state;
    struct ranking best = {ideal, 3, ideal, 3};
    assert_close(recall_at(&best, 3), 1);
    assert_close(reciprocal_rank_at(&best, 1), 1);
    assert_close(ndcg_at(&best, 1), 1);
    assert_close(ndcg_at(&best, 2), 1);
    assert_close(ndcg_at(&best, 10), 1);
}

static void nothing_ranked_or_relevant_is_0_by_all(void **state)
{
    (void)state;
    const double none[] = {0, 0};
    struct ranking empty = {none, 0, ideal, 3}, irrelevant = {none, 2, none, 0};
    assert_close(recall_at(&empty, 10) + reciprocal_rank_at(&empty, 10) + ndcg_at(&empty, 10),
                 0);
    assert_close(recall_at(&irrelevant, 10), 0);
    assert_close(reciprocal_rank_at(&irrelevant, 10), 0);
    assert_close(ndcg_at(&irrelevant, 10), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recall_is_the_share_found),
        cmocka_unit_test(reciprocal_rank_is_of_the_first_relevant_one),
        cmocka_unit_test(ndcg_discounts_by_the_logarithm_of_the_place),
        cmocka_unit_test(the_ideal_ranking_is_1_by_all),
        cmocka_unit_test(nothing_ranked_or_relevant_is_0_by_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
