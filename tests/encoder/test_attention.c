/* Tiled attention against the formula in double precision. */
#include "base/memory.h"
#include "encoder/attention.h"
#include "support/test.h"

#include <math.h>

static uint32_t seed = 1;

static float *random_rows(size_t rows, size_t columns, float width)
{
    float *x = alloc_aligned(rows * columns, sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < rows * columns; i++) {
        seed = seed * 1664525 + 1013904223;
        x[i] = width * ((float)(seed >> 8) / (1 << 23) - 1);
    }
    return x;
}

/* Row `query` of softmax(Q K^T / sqrt(d)) V; q, k, v stand side by side in rows of 3d. */
static void exact(const float *qkv, size_t tokens, size_t d, size_t query, double *out)
{
    double scores[400], greatest = -INFINITY, total = 0;
    for (size_t t = 0; t < tokens; t++) {
        scores[t] = 0;
        for (size_t i = 0; i < d; i++)
            scores[t] += (double)qkv[query * 3 * d + i] * qkv[t * 3 * d + d + i];
        scores[t] /= sqrt((double)d);
        greatest = fmax(greatest, scores[t]);
    }
    for (size_t i = 0; i < d; i++)
        out[i] = 0;
    for (size_t t = 0; t < tokens; t++) {
        double weight = exp(scores[t] - greatest);
        total += weight;
        for (size_t i = 0; i < d; i++)
            out[i] += weight * qkv[t * 3 * d + 2 * d + i];
    }
    for (size_t i = 0; i < d; i++)
        out[i] /= total;
}

static float *run(const struct kernels *kernels, const float *qkv, size_t tokens,
                  size_t queries, size_t d)
{
    float *out = random_rows(queries, d, 1);
    float *scratch = random_rows(attention_scratch(tokens, d), 1, 1e30F); /* of a former use */
    attend(kernels, tokens, queries, d, qkv, qkv + d, qkv + 2 * d, 3 * d, out, d, scratch);
    free(scratch);
    return out;
}

static void check(const struct kernels *kernels, size_t tokens, size_t d)
{
    double expected[128];
    float *qkv = random_rows(tokens, 3 * d, 4);
    float *out = run(kernels, qkv, tokens, tokens, d);
    for (size_t query = 0; query < tokens; query += 1 + tokens / 40) {
        exact(qkv, tokens, d, query, expected);
        for (size_t i = 0; i < d; i++)
            assert_true(fabs(out[query * d + i] - expected[i]) < 2e-5);
    }
    float *first = run(kernels, qkv, tokens, 1, d);
    assert_memory_equal(first, out, d * sizeof *first);
    free(first);
    free(out);
    free(qkv);
}

static const struct kernels *levels(int level)
{
    return cpu_has((enum cpu_level)level) ? kernels_for((enum cpu_level)level) : NULL;
}

static void tiled_attention_agrees_with_the_formula(void **state)
{
    (void)state;
    static const size_t lengths[] = {1, 2, 15, 16, 17, 95, 96, 97, 192, 193, 333};
    static const size_t widths[] = {1, 8, 12, 32, 64, 96};
    for (int level = CPU_SCALAR; level <= CPU_AVX512; level++)
        for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
            for (size_t j = 0; j < sizeof widths / sizeof *widths; j++)
                if (levels(level))
                    check(levels(level), lengths[i], widths[j]);
}

/* One key far ahead of all others, in each place: the running maximum must move. */
static void a_maximum_may_stand_anywhere(void **state)
{
    (void)state;
    enum { TOKENS = 200, D = 16 };
    for (int level = CPU_SCALAR; level <= CPU_AVX512; level++)
        for (size_t at = 0; levels(level) && at < TOKENS; at += 33) {
            float *qkv = random_rows(TOKENS, 3 * D, 1);
            for (size_t t = 0; t < TOKENS; t++)
                for (size_t i = 0; i < D; i++) {
                    qkv[t * 3 * D + i] = 10;
                    qkv[t * 3 * D + D + i] = t == at ? 10 : -10;
                }
            float *out = run(levels(level), qkv, TOKENS, TOKENS, D);
            for (size_t t = 0; t < TOKENS; t++)
                assert_memory_equal(out + t * D, qkv + at * 3 * D + 2 * D, D * sizeof *out);
            free(out);
            free(qkv);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tiled_attention_agrees_with_the_formula),
        cmocka_unit_test(a_maximum_may_stand_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
