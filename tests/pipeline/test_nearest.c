/* The nearest of vectors in memory are those that a slow search finds. */
#include "support/test.h"

#include <math.h>
#include <omp.h>
#include <stdbool.h>
#include <stdlib.h>

static rag_error error;

static float random_value(unsigned *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (float)(*seed >> 8) / (1 << 23) - 1;
}

static float *random_vectors(size_t count, size_t dimension, unsigned seed)
{
    float *vectors = malloc(count * dimension * sizeof *vectors);
    assert_non_null(vectors);
    for (size_t i = 0; i < count * dimension; i++)
        vectors[i] = random_value(&seed);
    return vectors;
}

static double slow_cosine(const float *a, const float *b, size_t dimension)
{
    double product = 0, x = 0, y = 0;
    for (size_t i = 0; i < dimension; i++) {
        product += (double)a[i] * (double)b[i];
        x += (double)a[i] * (double)a[i];
        y += (double)b[i] * (double)b[i];
    }
    double cosine = product / sqrt(x * y);
    return isfinite(cosine) ? cosine : 0;
}

static void the_best_are_found_exactly(void **state)
{
    (void)state;
    static const size_t dimensions[] = {1, 2, 3, 63, 64, 65, 127, 384, 1000};
    enum { COUNT = 500, K = 20 };
    for (size_t d = 0; d < sizeof dimensions / sizeof *dimensions; d++) {
        size_t dimension = dimensions[d], positions[K], found;
        float *vectors = random_vectors(COUNT, dimension, (unsigned)d);
        float *query = random_vectors(1, dimension, 77);
        float scores[K];
        assert_ok(
            rag_nearest(vectors, COUNT, dimension, query, K, positions, scores, &found, &error),
            &error);
        assert_int_equal(found, K);
        double last = 2;
        size_t better = 0;
        for (size_t i = 0; i < K; i++) {
            double exact = slow_cosine(vectors + positions[i] * dimension, query, dimension);
            assert_true(fabs(exact - (double)scores[i]) < 1e-6);
            assert_true((double)scores[i] <= last);
            if (i && scores[i] == scores[i - 1])
                assert_true(positions[i] > positions[i - 1]);
            last = (double)scores[i];
        }
        for (size_t i = 0; i < COUNT; i++)
            better += slow_cosine(vectors + i * dimension, query, dimension) > last + 1e-6;
        assert_true(better < K);
        free(vectors);
        free(query);
    }
}

static void norms_do_not_matter_and_what_has_none_has_cosine_0(void **state)
{
    (void)state;
    static const float vectors[][2] = {
        {0, 0},   {3e38F, 3e38F}, {1e-44F, 1e-44F}, {NAN, 1},         {INFINITY, 1},
        {-2, -2}, {1e-30F, 0},    {5, 5},           {-3e38F, -3e38F}, {1, -INFINITY}};
    enum { COUNT = sizeof vectors / sizeof *vectors };
    static const float queries[][2] = {{1, 1}, {3e38F, 3e38F}, {1e-44F, 1e-44F}};
    for (size_t q = 0; q < 3; q++) {
        size_t positions[COUNT], found;
        float scores[COUNT];
        assert_ok(rag_nearest(vectors[0], COUNT, 2, queries[q], 100, positions, scores, &found,
                              &error),
                  &error);
        static const size_t order[COUNT] = {1, 2, 7, 6, 0, 3, 4, 9, 5, 8};
        static const double cosines[COUNT] = {1, 1, 1, 0.7071067811865475, 0, 0, 0, 0, -1, -1};
        assert_int_equal(found, COUNT);
        for (size_t i = 0; i < COUNT; i++) {
            assert_true(fabs((double)scores[i] - cosines[i]) < 1e-6);
            assert_true(fabsf(scores[i]) <= 1);
        }
        /* Cosines of 1 may differ in the last bit: which vectors are among them may not. */
        bool seen[COUNT] = {0};
        for (size_t i = 0; i < COUNT; i++)
            seen[positions[i]] = true;
        for (size_t i = 3; i < 8; i++)
            assert_int_equal(positions[i], order[i]);
        for (size_t i = 0; i < COUNT; i++)
            assert_true(seen[i]);
    }
    static const float bad[][2] = {{0, 0}, {NAN, 0}, {INFINITY, INFINITY}};
    for (size_t q = 0; q < 3; q++) {
        size_t positions[3], found;
        float scores[3];
        assert_ok(
            rag_nearest(vectors[0], COUNT, 2, bad[q], 3, positions, scores, &found, &error),
            &error);
        for (size_t i = 0; i < 3; i++) {
            assert_int_equal(positions[i], i);
            assert_true(scores[i] == 0);
        }
    }
}

static void equal_cosines_come_by_position(void **state)
{
    (void)state;
    float vectors[50][3];
    for (size_t i = 0; i < 50; i++)
        memcpy(vectors[i], (float[3]){0.1F, 0.2F, 0.3F}, sizeof vectors[i]);
    size_t positions[7], found;
    assert_ok(rag_nearest(vectors[0], 50, 3, vectors[0], 7, positions, NULL, &found, &error),
              &error);
    for (size_t i = 0; i < 7; i++)
        assert_int_equal(positions[i], i);
}

static void the_bits_do_not_depend_on_the_threads(void **state)
{
    (void)state;
    enum { COUNT = 20000, DIMENSION = 100, K = 500 };
    float *vectors = random_vectors(COUNT, DIMENSION, 1);
    static size_t first[K], again[K];
    static float scores[K], scores_again[K];
    size_t found;
    int threads = omp_get_max_threads();
    for (int n = 1; n <= 4; n++) {
        omp_set_num_threads(n);
        assert_ok(rag_nearest(vectors, COUNT, DIMENSION, vectors + 7 * DIMENSION, K,
                              n == 1 ? first : again, n == 1 ? scores : scores_again, &found,
                              &error),
                  &error);
        assert_int_equal(found, K);
        if (n > 1) {
            assert_memory_equal(first, again, sizeof first);
            assert_memory_equal(scores, scores_again, sizeof scores);
        }
    }
    omp_set_num_threads(threads);
    assert_int_equal(first[0], 7);
    free(vectors);
}

static void nothing_asked_or_nothing_there_finds_nothing(void **state)
{
    (void)state;
    static const float one[2] = {1, 2};
    size_t found = 9, position;
    float score;
    assert_ok(rag_nearest(NULL, 0, 2, one, 3, NULL, NULL, &found, &error), &error);
    assert_int_equal(found, 0);
    assert_ok(rag_nearest(one, 1, 2, one, 0, NULL, NULL, &found, &error), &error);
    assert_int_equal(found, 0);
    assert_ok(rag_nearest(one, 1, 2, one, SIZE_MAX, &position, &score, &found, &error), &error);
    assert_int_equal(found, 1);
    assert_int_equal(position, 0);
    assert_true(fabsf(score - 1) < 1e-6F);
    assert_ok(rag_nearest(one, 1, 2, one, 5, NULL, NULL, &found, &error), &error);
    assert_int_equal(found, 1);
    assert_status(RAG_USAGE, rag_nearest(one, 1, 0, one, 1, NULL, NULL, &found, &error),
                  &error);
    assert_status(RAG_USAGE,
                  rag_nearest(one, SIZE_MAX / 2, 3, one, 1, NULL, NULL, &found, &error),
                  &error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_are_found_exactly),
        cmocka_unit_test(norms_do_not_matter_and_what_has_none_has_cosine_0),
        cmocka_unit_test(equal_cosines_come_by_position),
        cmocka_unit_test(the_bits_do_not_depend_on_the_threads),
        cmocka_unit_test(nothing_asked_or_nothing_there_finds_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
