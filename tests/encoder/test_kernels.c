/* Each vector kernel against the scalar one over odd sizes, and the scalar functions against
 * the C library. Sizes run over what is less than, equal to and more than a vector. */
#include "encoder/kernels.h"
#include "support/test.h"

#include <math.h>
#include <stdlib.h>

enum { MOST = 400 };
static const size_t sizes[] = {1,  2,  3,  4,  7,  8,  15,  16,  17,
                               31, 33, 48, 63, 64, 65, 100, 255, 384};
enum { SIZES = sizeof sizes / sizeof *sizes };

static uint32_t seed = 1;

/* Uniform within +-width. */
static float any(float width)
{
    seed = seed * 1664525 + 1013904223;
    return width * ((float)(seed >> 8) / (1 << 23) - 1);
}

static void fill(float *x, size_t n, float width)
{
    for (size_t i = 0; i < n; i++)
        x[i] = any(width);
}

static void assert_close(const float *a, const float *b, size_t n, float tolerance)
{
    for (size_t i = 0; i < n; i++)
        if (!(fabsf(a[i] - b[i]) <= tolerance)) {
            print_error("[%zu] %.9g is not %.9g\n", i, (double)a[i], (double)b[i]);
            fail_msg("kernels differ");
        }
}

/* Calls `check` with the kernels of each instruction set that this machine has. */
static void each_level(void (*check)(const struct kernels *kernels))
{
    for (int level = CPU_SCALAR; level <= CPU_AVX512; level++)
        if (cpu_has((enum cpu_level)level)) {
            const struct kernels *kernels = kernels_for((enum cpu_level)level);
            assert_int_equal(kernels->level, level);
            check(kernels);
        }
}

static void check_products(const struct kernels *k)
{
    enum { MAX_M = 29, MAX_N = 80, MAX_K = 20, LD = 96 };
    static float a[MAX_K * LD], b[MAX_K * LD], got[MAX_M * LD], expected[MAX_M * LD];
    fill(a, MAX_K * LD, 1);
    fill(b, MAX_K * LD, 1);
    for (size_t m = 1; m <= MAX_M; m++)
        for (size_t n = KERNEL_LANES; n <= MAX_N; n += KERNEL_LANES)
            for (size_t depth = 1; depth <= MAX_K; depth += 19)
                for (int add = 0; add < 2; add++) {
                    fill(got, MAX_M * LD, 1);
                    memcpy(expected, got, sizeof got);
                    k->outer_product(m, n, depth, a, LD, b, LD, got, LD, add);
                    kernels_scalar.outer_product(m, n, depth, a, LD, b, LD, expected, LD, add);
                    assert_close(got, expected, MAX_M * LD, 1e-5F);
                }
}

static void products_agree_with_the_scalar_ones_and_touch_nothing_else(void **state)
{
    (void)state;
    each_level(check_products);
}

static void check_same_bits(const struct kernels *k)
{
    enum { M = 25, N = 64, K = 30, LONE = 17 };
    static float a[K * M], b[K * N], whole[M * N], split[M * N], row[N];
    fill(a, K * M, 1);
    fill(b, K * N, 1);
    k->outer_product(M, N, K, a, M, b, N, whole, N, false);
    k->outer_product(M, N, 11, a, M, b, N, split, N, false);
    k->outer_product(M, N, K - 11, a + (size_t)11 * M, M, b + (size_t)11 * N, N, split, N,
                     true);
    assert_memory_equal(whole, split, sizeof whole);
    k->outer_product(1, N, K, a + LONE, M, b, N, row, N, false);
    assert_memory_equal(whole + (size_t)LONE * N, row, sizeof row);
}

static void a_product_has_the_same_bits_alone_and_in_pieces(void **state)
{
    (void)state;
    each_level(check_same_bits);
}

static double gelu(double x)
{
    return 0.5 * x * (1 + erf(x / sqrt(2)));
}

static double gelu_tanh(double x)
{
    return 0.5 * x * (1 + tanh(sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
}

static void check_activations(const struct kernels *k)
{
    for (size_t i = 0; i < SIZES; i++) {
        float x[MOST], y[MOST], z[MOST], r[MOST];
        fill(x, MOST, 6);
        memcpy(y, x, sizeof x);
        memcpy(z, x, sizeof x);
        memcpy(r, x, sizeof x);
        k->gelu(y, sizes[i]);
        k->gelu_tanh(z, sizes[i]);
        k->relu(r, sizes[i]);
        for (size_t j = 0; j < sizes[i]; j++) {
            assert_true(fabs(y[j] - gelu(x[j])) < 4e-7 * (1 + fabs(x[j])));
            assert_true(fabs(z[j] - gelu_tanh(x[j])) < 4e-7 * (1 + fabs(x[j])));
            assert_true(r[j] == (x[j] > 0 ? x[j] : 0));
        }
        assert_memory_equal(y + sizes[i], x + sizes[i], (MOST - sizes[i]) * sizeof *x);
    }
    float far[] = {-1e3F, -50, 50, 1e3F};
    k->gelu(far, 4);
    assert_true(fabsf(far[0]) < 2e-4F && fabsf(far[1]) < 1e-5F);
    assert_true(fabsf(far[2] - 50) < 1e-5F && fabsf(far[3] - 1e3F) < 2e-4F);
}

static void activations_agree_with_the_c_library(void **state)
{
    (void)state;
    each_level(check_activations);
}

/* The bounds are what rounding a difference of scores of up to 60 leaves. */
static void check_softmax(const struct kernels *k)
{
    enum { N = 48, KEYS = 37 };
    static float scores[2][KEYS * N], p[2][KEYS * N];
    float max[N], sum[N], factor[N];
    for (size_t keys = 1; keys <= KEYS; keys += 4) {
        for (size_t q = 0; q < N; q++) {
            max[q] = -INFINITY;
            sum[q] = 0;
        }
        for (int block = 0; block < 2; block++) {
            fill(scores[block], keys * N, 30);
            memcpy(p[block], scores[block], keys * N * sizeof *p[block]);
            k->softmax_block(p[block], keys, N, max, sum, factor);
        }
        for (size_t q = 0; q < N; q++) {
            double greatest = -INFINITY, total = 0;
            for (int block = 0; block < 2; block++)
                for (size_t i = 0; i < keys; i++)
                    greatest = fmax(greatest, scores[block][i * N + q]);
            for (int block = 0; block < 2; block++)
                for (size_t i = 0; i < keys; i++)
                    total += exp2(scores[block][i * N + q] - greatest);
            assert_true((double)max[q] == greatest);
            assert_true(fabs(sum[q] - total) < 2e-6 * total);
            for (size_t i = 0; i < keys; i++) {
                double last = exp2(scores[1][i * N + q] - greatest);
                double first = exp2(scores[0][i * N + q] - greatest);
                assert_true(fabs(p[1][i * N + q] - last) <= 4e-6 * last + 1e-37);
                assert_true(fabs(p[0][i * N + q] * (double)factor[q] - first) <=
                            8e-6 * first + 1e-37);
            }
        }
    }
}

static void an_online_softmax_agrees_with_exact_powers_of_two(void **state)
{
    (void)state;
    each_level(check_softmax);
}

static void check_rows(const struct kernels *k)
{
    for (size_t i = 0; i < SIZES; i++) {
        size_t n = sizes[i];
        float x[MOST], residual[MOST], scale[MOST], shift[MOST], got[MOST], expected[MOST];
        fill(x, MOST, 2);
        fill(residual, MOST, 2);
        fill(scale, MOST, 1);
        fill(shift, MOST, 1);
        for (int with = 0; with < 2; with++) {
            memcpy(got, residual, sizeof got); /* in place of the residual, as it is used */
            k->layer_norm(x, with ? got : NULL, scale, shift, 1e-5F, n, got);
            kernels_scalar.layer_norm(x, with ? residual : NULL, scale, shift, 1e-5F, n,
                                      expected);
            assert_close(got, expected, n, 1e-5F);
            assert_memory_equal(got + n, residual + n, (MOST - n) * sizeof *got);
        }
        assert_true(fabsf(k->dot(x, residual, n) - kernels_scalar.dot(x, residual, n)) <
                    1e-6F * (float)(n + 1));
        memcpy(got, x, sizeof got);
        k->add(got, residual, n);
        k->scale(got, got, 0.3F, n);
        for (size_t j = 0; j < n; j++)
            assert_true(got[j] == (x[j] + residual[j]) * 0.3F);
        assert_memory_equal(got + n, x + n, (MOST - n) * sizeof *got);
    }
}

static void row_kernels_agree_with_the_scalar_ones(void **state)
{
    (void)state;
    each_level(check_rows);
}

/* Wherever it stands, in whole vectors and in what is left over. */
static void check_not_finite(const struct kernels *k)
{
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < SIZES; i++)
        for (size_t at = 0; at < sizes[i]; at += 1 + at / 3)
            for (size_t b = 0; b < 3; b++) {
                float x[MOST], ones[MOST], y[MOST];
                size_t n = sizes[i];
                fill(x, MOST, 1);
                for (size_t j = 0; j < MOST; j++)
                    ones[j] = 1;
                assert_true(k->finite(x, n));
                x[at] = bad[b];
                assert_false(k->finite(x, n));
                k->layer_norm(x, NULL, ones, ones, 1e-5F, n, y);
                assert_false(k->finite(y, n));
                memcpy(y, x, sizeof x);
                k->gelu(y, n);
                k->gelu_tanh(y, n);
                assert_true(b || !k->finite(y, n));
                memcpy(y, x, sizeof x);
                k->relu(y, n);
                assert_true(b == 2 || !k->finite(y, n));
            }
    enum { KEYS = 5 };
    float s[KEYS * KERNEL_LANES], max[KERNEL_LANES], sum[KERNEL_LANES], factor[KERNEL_LANES];
    for (size_t at = 0; at < KEYS; at++) {
        fill(s, KEYS * KERNEL_LANES, 1);
        for (size_t q = 0; q < KERNEL_LANES; q++) {
            max[q] = -INFINITY;
            sum[q] = 0;
        }
        s[at * KERNEL_LANES + 3] = NAN;
        k->softmax_block(s, KEYS, KERNEL_LANES, max, sum, factor);
        assert_true(isnan(sum[3]));
        assert_true(isfinite(sum[2]));
    }
}

static void what_is_not_finite_is_never_lost(void **state)
{
    (void)state;
    each_level(check_not_finite);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_agree_with_the_scalar_ones_and_touch_nothing_else),
        cmocka_unit_test(a_product_has_the_same_bits_alone_and_in_pieces),
        cmocka_unit_test(activations_agree_with_the_c_library),
        cmocka_unit_test(an_online_softmax_agrees_with_exact_powers_of_two),
        cmocka_unit_test(row_kernels_agree_with_the_scalar_ones),
        cmocka_unit_test(what_is_not_finite_is_never_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
