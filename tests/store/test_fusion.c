/* One ranking out of two: what each leg's evidence does to it. */
#include "support/test.h"

#include "store/fusion.h"

#include <math.h>

static rag_error error;

/* Mean 0.5, standard deviation 0.1: 1, 1, -1 and -1 standard deviations. */
static struct scored near_to[] = {{1, 0.6, 0}, {2, 0.6, 0}, {3, 0.4, 0}, {4, 0.4, 0}};
static const struct scored_list dense = {near_to, 4, 4};

static struct scored_list fused(const struct scored_list *words, const double *cosines,
                                size_t k)
{
    struct scored_list out;
    assert_ok(fuse(&dense, words, cosines, k, &out, &error), &error);
    return out;
}

static void assert_order(const struct scored_list *list, const int64_t *ids, size_t count)
{
    assert_int_equal(list->count, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(list->items[i].chunk_id, ids[i]);
}

static void without_words_the_order_is_that_of_the_meaning(void **state)
{
    (void)state;
    const struct scored_list none = {0};
    struct scored_list out = fused(&none, NULL, 10);
    assert_order(&out, (const int64_t[]){1, 2, 3, 4}, 4);
    assert_true(fabs(out.items[0].score - 1) < 1e-9 && fabs(out.items[3].score + 1) < 1e-9);
    scored_list_release(&out);
    out = fused(&none, NULL, 2);
    assert_order(&out, (const int64_t[]){1, 2}, 2);
    scored_list_release(&out);
}

static void many_words_outweigh_the_meaning_and_few_do_not(void **state)
{
    (void)state;
    /* 20 of BM25 with every word: 0.4 x 20. The same sum out of a tenth of the words: 0.8,
     * less than the two standard deviations that lie between. */
    struct scored all[] = {{4, 20, 1}}, few[] = {{4, 20, 0.1}};
    const struct scored_list strong = {all, 1, 1}, weak = {few, 1, 1};
    struct scored_list out = fused(&strong, NULL, 10);
    assert_order(&out, (const int64_t[]){4, 1, 2, 3}, 4);
    assert_true(fabs(out.items[0].score - (0.4 * 20 - 1)) < 1e-9);
    scored_list_release(&out);
    out = fused(&weak, NULL, 10);
    assert_order(&out, (const int64_t[]){1, 2, 4, 3}, 4);
    scored_list_release(&out);
}

static void what_only_the_words_found_has_its_own_cosine_or_counts_as_last(void **state)
{
    (void)state;
    struct scored found[] = {{9, 1, 0.5}, {8, 1, 0.5}};
    const struct scored_list words = {found, 2, 2};
    const double cosines[] = {0.55, NAN};
    struct scored_list out = fused(&words, cosines, 10);
    assert_order(&out, (const int64_t[]){1, 2, 9, 8, 3, 4}, 6);
    assert_true(fabs(out.items[2].score - (0.5 + 0.4 * 0.5)) < 1e-9);
    assert_true(fabs(out.items[3].score - (-1 + 0.4 * 0.5)) < 1e-9);
    scored_list_release(&out);
}

static void equal_cosines_say_nothing(void **state)
{
    (void)state;
    struct scored same[] = {{1, 0.5, 0}, {2, 0.5, 0}}, found[] = {{2, 3, 1}};
    const struct scored_list all = {same, 2, 2}, words = {found, 1, 1}, none = {0};
    struct scored_list out;
    assert_ok(fuse(&all, &words, NULL, 5, &out, &error), &error);
    assert_order(&out, (const int64_t[]){2, 1}, 2);
    scored_list_release(&out);
    assert_ok(fuse(&none, &words, NULL, 5, &out, &error), &error);
    assert_order(&out, (const int64_t[]){2}, 1);
    scored_list_release(&out);
    assert_ok(fuse(&none, &none, NULL, 5, &out, &error), &error);
    assert_int_equal(out.count, 0);
    scored_list_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_words_the_order_is_that_of_the_meaning),
        cmocka_unit_test(many_words_outweigh_the_meaning_and_few_do_not),
        cmocka_unit_test(what_only_the_words_found_has_its_own_cosine_or_counts_as_last),
        cmocka_unit_test(equal_cosines_say_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
