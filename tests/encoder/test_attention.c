/* Tiled attention against the formula in double precision. */
#include "base/memory.h"
#include "encoder/attention.h"
#include "encoder/bf16.h"
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
    static double scores[1200];
    double greatest = -INFINITY, total = 0;
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

/* What is checked: f32 on each instruction set, bf16 where it is fast and in the reference. */
struct variant {
    const struct kernels *kernels;
    const struct tile_kernels *tiles; /* NULL: f32 */
    bool int8_scores;
};

static float *run(const struct variant *variant, const float *qkv, size_t tokens,
                  size_t queries, size_t d)
{
    bool bf16 = variant->tiles != NULL;
    float *out = random_rows(queries, d, 1);
    size_t size = bf16 ? attention_bf16_scratch(tokens, d) : attention_scratch(tokens, d);
    float *scratch = random_rows(size, 1, 1e30F); /* of a former use */
    size_t count = (tokens + 32) * 3 * d;         /* with room behind the rows */
    uint16_t *half = alloc_aligned(count, sizeof *half);
    assert_non_null(half);
    for (size_t i = 0; i < count; i++)
        half[i] = i < tokens * 3 * d ? bf16_from_f32(qkv[i]) : 0;
    struct attention a = {.kernels = variant->kernels,
                          .tiles = variant->tiles,
                          .tokens = tokens,
                          .head_size = d,
                          .q = qkv,
                          .k = qkv + d,
                          .v = qkv + 2 * d,
                          .stride = 3 * d,
                          .out_stride = d,
                          .int8_scores = variant->int8_scores};
    if (bf16) {
        a.q = half;
        a.k = half + d;
        a.v = half + 2 * d;
        attend_bf16(&a, queries, out, scratch);
    } else {
        attend(&a, queries, out, scratch);
    }
    free(half);
    free(scratch);
    return out;
}

static void each_variant(void (*check)(const struct variant *variant))
{
    for (int level = CPU_SCALAR; level < CPU_LEVELS; level++)
        if (cpu_has((enum cpu_level)level)) {
            const struct kernels *kernels = kernels_for((enum cpu_level)level);
            const struct tile_kernels *tiles = tile_kernels_for((enum cpu_level)level);
            if ((int)kernels->level == level)
                check(&(struct variant){kernels, NULL, false});
            if (tiles->fast_bf16 || level == CPU_SCALAR) {
                check(&(struct variant){kernels, tiles, false});
                check(&(struct variant){kernels, tiles, true});
            }
        }
}

/* bf16 has 8 bits: the values' rounding, and that of scores around the size of 10. */
static void check_sizes(const struct variant *variant, size_t tokens, size_t d)
{
    double expected[128], tolerance = variant->tiles ? 0.1 : 2e-5, squares = 0;
    size_t count = 0;
    float *qkv = random_rows(tokens, 3 * d, variant->tiles ? 1 : 4);
    float *out = run(variant, qkv, tokens, tokens, d);
    for (size_t query = 0; query < tokens; query += 1 + tokens / 40) {
        exact(qkv, tokens, d, query, expected);
        for (size_t i = 0; i < d; i++, count++) {
            double difference = out[query * d + i] - expected[i];
            assert_true(fabs(difference) < tolerance);
            squares += difference * difference;
        }
    }
    double most = variant->int8_scores ? 6e-3 : variant->tiles ? 3e-3 : 2e-5;
    assert_true(sqrt(squares / (double)count) < most);
    float *first = run(variant, qkv, tokens, 1, d);
    assert_memory_equal(first, out, d * sizeof *first);
    free(first);
    free(out);
    free(qkv);
}

static void check_all_sizes(const struct variant *variant)
{
    static const size_t lengths[] = {1,  2,   15,  16,  17,  95,  96,
                                     97, 192, 193, 333, 512, 513, 1100};
    static const size_t widths[] = {1, 8, 12, 32, 64, 96};
    size_t lengths_count = sizeof lengths / sizeof *lengths;
    if (variant->kernels->level == CPU_SCALAR)
        lengths_count -= 3; /* they take long */
    for (size_t i = 0; i < lengths_count; i++)
        for (size_t j = 0; j < sizeof widths / sizeof *widths; j++)
            check_sizes(variant, lengths[i], widths[j]);
}

static void tiled_attention_agrees_with_the_formula(void **state)
{
    (void)state;
    each_variant(check_all_sizes);
}

/* One key far ahead of all others, in each place: the running maximum must move. */
static void check_maximum(const struct variant *variant)
{
    enum { TOKENS = 700, D = 16 };
    for (size_t at = 0; at < TOKENS; at += 133) {
        float *qkv = random_rows(TOKENS, 3 * D, 1);
        for (size_t t = 0; t < TOKENS; t++)
            for (size_t i = 0; i < D; i++) {
                qkv[t * 3 * D + i] = 10;
                qkv[t * 3 * D + D + i] = t == at ? 10 : -10;
            }
        float *out = run(variant, qkv, TOKENS, TOKENS, D);
        for (size_t t = 0; t < TOKENS; t++)
            for (size_t i = 0; i < D; i++) {
                float value = qkv[at * 3 * D + 2 * D + i];
                if (variant->tiles) /* its power of 0 is 1 within 1e-5 */
                    assert_true(fabsf(out[t * D + i] - bf16_to_f32(bf16_from_f32(value))) <
                                2e-5F);
                else
                    assert_true(out[t * D + i] == value);
            }
        free(out);
        free(qkv);
    }
}

static void a_maximum_may_stand_anywhere(void **state)
{
    (void)state;
    each_variant(check_maximum);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tiled_attention_agrees_with_the_formula),
        cmocka_unit_test(a_maximum_may_stand_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
