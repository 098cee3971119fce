/* kernels.h - the arithmetic between the large matrix products, once for each instruction
 * set.
 *
 * kernels_scalar.c is the reference, written as the formulas are; kernels_simd.h is one
 * vector version, compiled by kernels_avx512.c, kernels_avx2.c and kernels_neon.c for their
 * instructions. They agree within rounding.
 *
 * Every reduction has one order, which depends on its length alone. A NaN among the
 * inputs is a NaN in the results that it reaches. Pointers need no alignment. */
#ifndef RAG_ENCODER_KERNELS_H
#define RAG_ENCODER_KERNELS_H

#include "encoder/tiles.h"

#include <stdbool.h>
#include <stddef.h>

/* Columns of outer_product and of softmax_block come in multiples of this. */
enum { KERNEL_LANES = 16 };

static inline size_t kernel_padded(size_t n)
{
    return (n + KERNEL_LANES - 1) / KERNEL_LANES * KERNEL_LANES;
}

struct kernels {
    enum cpu_level level;

    /* The columns [first, end), multiples of TILE_COLUMNS, of y = x w + bias (NULL: 0), rows of
     * `stride` floats: x is rows of floats, a unit of w is one input (tiles.h). Inputs are
     * added in their order, one fused multiply-add each. */
    void (*product)(const struct tile_rows *x, const struct tile_matrix *w, size_t first,
                    size_t end, float *y, size_t stride);

    /* c[i][j] (+)= sum over p of a[p][i] * b[p][j], p ascending: one fused multiply-add
     * each, so that an element's value depends on neither m, n nor a split of k.
     * a: [k x m], row stride lda; b: [k x n], ldb; c: [m x n], ldc; n a multiple of
     * KERNEL_LANES. */
    void (*outer_product)(size_t m, size_t n, size_t k, const float *a, size_t lda,
                          const float *b, size_t ldb, float *c, size_t ldc, bool add);

    /* One block of keys of an online softmax, base 2 (Milakov, Gimelshein, "Online
     * normalizer calculation for softmax", 2018). s: [keys x n], row stride n, scores of n
     * queries, n a multiple of KERNEL_LANES; becomes 2^(s - max). max, sum [n] are brought
     * up to date (start: -inf, 0); factor [n] is what earlier sums are to be multiplied by. */
    void (*softmax_block)(float *s, size_t keys, size_t n, float *max, float *sum,
                          float *factor);

    /* y = (v - mean) / sqrt(variance + epsilon) * scale + shift with v = x + residual
     * (NULL: x). All [n]; y may be x or residual. */
    void (*layer_norm)(const float *x, const float *residual, const float *scale,
                       const float *shift, float epsilon, size_t n, float *y);

    /* In place. gelu: x/2 (1 + erf(x/sqrt 2)), absolute error below 4e-7 for |x| <= 6;
     * gelu_tanh: its approximation by tanh (Hendrycks, Gimpel, 2016). */
    void (*gelu)(float *x, size_t n);
    void (*gelu_tanh)(float *x, size_t n);
    void (*relu)(float *x, size_t n);

    float (*dot)(const float *a, const float *b, size_t n);
    void (*add)(float *sum, const float *x, size_t n);               /* sum += x */
    void (*scale)(float *y, const float *x, float factor, size_t n); /* y = factor x */
    bool (*finite)(const float *x, size_t n);
};

/* A level that cpu_has. */
const struct kernels *kernels_for(enum cpu_level level);

extern const struct kernels kernels_scalar;
#if defined(__x86_64__)
extern const struct kernels kernels_avx2, kernels_avx512;
#elif defined(__aarch64__)
extern const struct kernels kernels_neon;
#endif

#endif
