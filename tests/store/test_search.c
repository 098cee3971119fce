/* The promises of src/store about search: exact, in one order, with no syntax. */
#define _XOPEN_SOURCE 700
#include "store/fixture.h"

#include "store/dot.h"

#include <math.h>
#include <stdlib.h>

static void every_version_of_the_inner_product_gives_the_same_bits(void **state)
{
    (void)state;
    enum { MAXIMUM = 2048 };
    static float a[MAXIMUM], b[MAXIMUM];
    for (size_t n = DOT_BLOCK; n <= MAXIMUM; n += DOT_BLOCK) {
        double exact = 0;
        for (size_t i = 0; i < n; i++) {
            a[i] = (float)sin((double)(i * n + 1));
            b[i] = (float)cos((double)(i + 3 * n));
            exact += (double)a[i] * (double)b[i];
        }
        float reference = dot_plain(a, b, n);
        assert_true(fabs(reference - exact) < 1e-4);
        for (size_t i = 0; dot_version(i); i++) {
            float other = dot_version(i)(a, b, n);
            assert_memory_equal(&other, &reference, sizeof other);
        }
    }
}

enum { DOCUMENTS = 40, LINES = 25 };

static void put_many(struct fixture *f)
{
    static char text[LINES * 32];
    for (unsigned i = 0; i < DOCUMENTS; i++) {
        char path[32];
        size_t size = 0;
        for (unsigned j = 0; j < LINES; j++)
            size += (size_t)snprintf(text + size, sizeof text - size, "word%u common\n",
                                     i * LINES + j);
        snprintf(path, sizeof path, "/d/%u", i);
        assert_ok(put_lines(f->store, path, text, i * LINES, &f->error), &f->error);
    }
}

static void dense_search_finds_the_nearest_exactly(void **state)
{
    struct fixture *f = *state;
    assert_ok(store_set_volatile(f->store, &f->error), &f->error);
    put_many(f);
    for (unsigned q = 0; q < 20; q++) {
        float query[DIMENSION], vector[DIMENSION];
        unit_vector(100000 + q, query);
        struct scored_list found;
        assert_ok(store_search_dense(f->store, query, 10, NULL, &found, &f->error), &f->error);
        assert_int_equal(found.count, 10);
        size_t better = 0;
        for (unsigned i = 0; i < DOCUMENTS * LINES; i++) {
            unit_vector(i, vector);
            double dot = 0;
            for (int j = 0; j < DIMENSION; j++)
                dot += (double)query[j] * (double)vector[j];
            better += dot > found.items[9].score + 1e-6;
        }
        assert_true(better <= 9);
        for (size_t i = 1; i < found.count; i++)
            assert_true(found.items[i - 1].score >= found.items[i].score);
        double scores[11];
        int64_t ids[11] = {-1};
        for (size_t i = 0; i < 10; i++)
            ids[i + 1] = found.items[i].chunk_id;
        assert_ok(store_score_dense(f->store, query, ids, 11, scores, &f->error), &f->error);
        assert_true(isnan(scores[0]));
        for (size_t i = 0; i < 10; i++)
            assert_true(scores[i + 1] == found.items[i].score);
        scored_list_release(&found);
    }
}

static void a_document_is_about_the_sum_of_its_chunks(void **state)
{
    struct fixture *f = *state;
    assert_ok(put_lines(f->store, "/several", "one\ntwo\nthree\n", 0, &f->error), &f->error);
    assert_ok(put_lines(f->store, "/single", "four\n", 3, &f->error), &f->error);
    float query[DIMENSION], vector[DIMENSION], unit[DIMENSION];
    unit_vector(100, query);
    struct scored_list found;
    assert_ok(store_search_dense(f->store, query, 10, NULL, &found, &f->error), &f->error);
    assert_int_equal(found.count, 4);

    double sum[DIMENSION] = {0}, product = 0, norm = 0;
    for (unsigned i = 0; i < 3; i++) {
        unit_vector(i, vector);
        for (int j = 0; j < DIMENSION; j++)
            sum[j] += (double)vector[j];
    }
    for (int j = 0; j < DIMENSION; j++) {
        product += sum[j] * (double)query[j];
        norm += sum[j] * sum[j];
    }
    unit_vector(3, unit);
    double single = 0;
    for (int j = 0; j < DIMENSION; j++)
        single += (double)unit[j] * (double)query[j];

    int64_t ids[5] = {99999};
    double scores[5];
    for (size_t i = 0; i < 4; i++)
        ids[i + 1] = found.items[i].chunk_id;
    assert_ok(store_score_documents(f->store, query, ids, 5, scores, &f->error), &f->error);
    assert_true(isnan(scores[0]));
    for (size_t i = 0; i < 4; i++) {
        if (fabs(found.items[i].score - single) < 1e-6)
            assert_true(isnan(scores[i + 1]));
        else
            assert_true(fabs(scores[i + 1] - product / sqrt(norm)) < 1e-6);
    }
    scored_list_release(&found);
}

static void equal_scores_go_by_id(void **state)
{
    struct fixture *f = *state;
    float vector[DIMENSION];
    unit_vector(5, vector);
    for (int i = 0; i < 9; i++) {
        char path[16];
        snprintf(path, sizeof path, "/%d", i);
        assert_ok(put_lines(f->store, path, "same words\n", 5, &f->error), &f->error);
    }
    for (size_t k = 1; k < 12; k++) {
        struct scored_list dense, lexical;
        assert_ok(store_search_dense(f->store, vector, k, NULL, &dense, &f->error), &f->error);
        assert_ok(store_search_lexical(f->store, (rag_text){"words", 5}, k, NULL, &lexical,
                                       NULL, &f->error),
                  &f->error);
        assert_int_equal(dense.count, k < 9 ? k : 9);
        assert_int_equal(lexical.count, dense.count);
        for (size_t i = 0; i < dense.count; i++) {
            assert_int_equal(dense.items[i].chunk_id, i + 1);
            assert_int_equal(lexical.items[i].chunk_id, i + 1);
        }
        scored_list_release(&dense);
        scored_list_release(&lexical);
    }
}

static struct scored_list ask(struct fixture *f, const char *question, double *ceiling)
{
    struct scored_list found;
    assert_ok(store_search_lexical(f->store, (rag_text){question, strlen(question)}, 10, NULL,
                                   &found, ceiling, &f->error),
              &f->error);
    return found;
}

static void bm25_is_the_formula(void **state)
{
    struct fixture *f = *state;
    float vector[DIMENSION];
    unit_vector(1, vector);
    static const char *const texts[] = {"red red fish", "blue fish", "one two three four"};
    for (size_t i = 0; i < 3; i++) {
        char path[16];
        snprintf(path, sizeof path, "/%zu", i);
        struct store_chunk chunk = {.end = strlen(texts[i]),
                                    .line = 1,
                                    .last_line = 1,
                                    .heading = "",
                                    .vector = vector};
        struct store_document document = {
            .path = path, .format = "text", .text = {texts[i], strlen(texts[i])}};
        assert_ok(store_put(f->store, &document, &chunk, 1, &f->error), &f->error);
    }
    double ceiling;
    struct scored_list found = ask(f, "red fish, unheard", &ceiling);
    double red = log(1 + 2.5 / 1.5), fish = log(1 + 1.5 / 2.5), unheard = log(1 + 3.5 / 0.5);
    double norm0 = 0.9, norm1 = 0.9 * (0.25 + 0.75 * 2 / 3); /* lengths 3 and 2; mean 3 */
    assert_int_equal(found.count, 2);
    assert_int_equal(found.items[0].chunk_id, 1);
    assert_true(fabs(found.items[0].score - red * 2 * 1.9 / (2 + norm0) -
                     fish * 1.9 / (1 + norm0)) < 1e-12);
    assert_true(fabs(found.items[1].score - fish * 1.9 / (1 + norm1)) < 1e-12);
    assert_true(fabs(ceiling - red - fish - unheard) < 1e-12);
    scored_list_release(&found);
}

static void a_question_is_never_syntax(void **state)
{
    struct fixture *f = *state;
    assert_ok(put_lines(f->store, "/a", "apple NEAR tree\nbanana heading\n", 1, &f->error),
              &f->error);
    static const char *const questions[] = {
        "apple\" OR \"banana",
        "NOT apple",
        "text : zzz apple",
        "{heading} : apple",
        "^apple*",
        "apple AND zzz",
        "(apple",
        "-apple +apple",
        "NEAR(apple zzz)",
        "'apple;--",
    };
    for (size_t i = 0; i < sizeof questions / sizeof *questions; i++) {
        struct scored_list found = ask(f, questions[i], NULL);
        assert_true(found.count >= 1);
        scored_list_release(&found);
    }
    static const char *const wordless[] = {"", " \t\n", "\"", "?!*(){}^:-+,", "\xff\xfe"};
    for (size_t i = 0; i < sizeof wordless / sizeof *wordless; i++) {
        struct scored_list found = ask(f, wordless[i], NULL);
        assert_int_equal(found.count, 0);
        scored_list_release(&found);
    }
}

static void a_question_may_be_a_book(void **state)
{
    struct fixture *f = *state;
    assert_ok(put_lines(f->store, "/a", "word7\nother\n", 1, &f->error), &f->error);
    char *question = malloc(1 << 20);
    assert_non_null(question);
    size_t size = 0;
    for (unsigned i = 0; size < (1 << 20) - 32; i++)
        size += (size_t)snprintf(question + size, 32, "word%u ", i);
    struct scored_list found = ask(f, question, NULL);
    assert_int_equal(found.count, 1);
    scored_list_release(&found);
    memset(question, 'x', size); /* one word that is longer than any index has */
    question[size] = 0;
    found = ask(f, question, NULL);
    assert_int_equal(found.count, 0);
    scored_list_release(&found);
    free(question);
}

static void chinese_is_found_by_characters_and_pairs(void **state)
{
    struct fixture *f = *state;
    assert_ok(
        put_lines(
            f->store, "/zh",
            "\xe6\xb3\xa8\xe6\x84\x8f\xe5\x8a\x9b\xe6\x9c\xba\xe5\x88\xb6\n" /* 注意力机制 */
            "\xe5\x8a\x9b\xe5\xad\xa6\n"                                     /* 力学 */
            "DotProductAttention \xe7\xb1\xbb\n",
            1, &f->error),
        &f->error);
    struct scored_list found = ask(f, "\xe5\x8a\x9b", NULL); /* 力 */
    assert_int_equal(found.count, 2);
    scored_list_release(&found);
    found = ask(f, "\xe6\xb3\xa8\xe6\x84\x8f\xe5\x8a\x9b\xe6\x98\xaf\xe4\xbb\x80\xe4\xb9\x88",
                NULL); /* 注意力是什么 */
    assert_int_equal(found.items[0].chunk_id, 1);
    scored_list_release(&found);
    found = ask(f, "dotproductattention", NULL);
    assert_int_equal(found.count, 1);
    scored_list_release(&found);
}

static void headings_are_searched_too(void **state)
{
    struct fixture *f = *state;
    assert_ok(put_lines(f->store, "/a", "apple\n", 1, &f->error), &f->error);
    struct scored_list found = ask(f, "chapter", NULL);
    assert_int_equal(found.count, 1);
    scored_list_release(&found);
}

/* Every third chunk, some twos, and some that are not there. */
static struct id_ranges some_ranges(struct id_range *items)
{
    struct id_ranges ranges = {.items = items};
    items[ranges.count++] = (struct id_range){-5, 0};
    for (int64_t id = 7; id < DOCUMENTS * LINES; id += 30) {
        items[ranges.count++] = (struct id_range){id, id};
        items[ranges.count++] = (struct id_range){id + 9, id + 10};
    }
    items[ranges.count++] = (struct id_range){DOCUMENTS * LINES - 1, INT64_MAX};
    return ranges;
}

static void assert_within(const struct scored_list *found, const struct id_ranges *within,
                          const struct scored_list *all)
{
    size_t next = 0;
    for (size_t i = 0; i < all->count && next < found->count; i++) {
        if (!id_ranges_have(within, all->items[i].chunk_id))
            continue;
        assert_int_equal(found->items[next].chunk_id, all->items[i].chunk_id);
        assert_true(found->items[next++].score == all->items[i].score);
    }
    assert_int_equal(next, found->count);
}

static void a_search_within_some_chunks_finds_the_best_of_these(void **state)
{
    struct fixture *f = *state;
    assert_ok(store_set_volatile(f->store, &f->error), &f->error);
    put_many(f);
    struct id_range items[2 * DOCUMENTS * LINES / 30 + 4];
    struct id_ranges within = some_ranges(items), none = {0};
    enum { ALL = DOCUMENTS * LINES };
    static const char question[] = "common word7 word16 word3";
    for (unsigned q = 0; q < 5; q++) {
        float query[DIMENSION];
        unit_vector(100000 + q, query);
        struct scored_list all, found;
        assert_ok(store_search_dense(f->store, query, ALL, NULL, &all, &f->error), &f->error);
        assert_ok(store_search_dense(f->store, query, 10, &within, &found, &f->error),
                  &f->error);
        assert_int_equal(found.count, 10);
        assert_within(&found, &within, &all);
        scored_list_release(&all);
        scored_list_release(&found);
    }
    struct scored_list all, found;
    double of_all, of_some;
    rag_text text = {question, sizeof question - 1};
    assert_ok(store_search_lexical(f->store, text, ALL, NULL, &all, &of_all, &f->error),
              &f->error);
    assert_ok(store_search_lexical(f->store, text, 10, &within, &found, &of_some, &f->error),
              &f->error);
    assert_int_equal(found.count, 10);
    assert_true(of_some == of_all);
    assert_within(&found, &within, &all);
    scored_list_release(&found);
    assert_ok(store_search_lexical(f->store, text, 10, &none, &found, NULL, &f->error),
              &f->error);
    assert_int_equal(found.count, 0);
    scored_list_release(&found);
    float query[DIMENSION];
    unit_vector(1, query);
    assert_ok(store_search_dense(f->store, query, 10, &none, &found, &f->error), &f->error);
    assert_int_equal(found.count, 0);
    scored_list_release(&found);
    scored_list_release(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_version_of_the_inner_product_gives_the_same_bits),
        TEST(dense_search_finds_the_nearest_exactly),
        TEST(a_search_within_some_chunks_finds_the_best_of_these),
        TEST(a_document_is_about_the_sum_of_its_chunks),
        TEST(equal_scores_go_by_id),
        TEST(bm25_is_the_formula),
        TEST(a_question_is_never_syntax),
        TEST(a_question_may_be_a_book),
        TEST(chinese_is_found_by_characters_and_pairs),
        TEST(headings_are_searched_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
