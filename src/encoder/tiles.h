/* tiles.h - the arithmetic of the reduced precisions, once for each instruction set: products
 * of rows with packed matrices in int8 and bf16, and what turns floats into their operands.
 *
 * tiles_scalar.c is the reference; tiles_avx2.c, tiles_avx512.c (VNNI, BF16) and tiles_amx.c
 * agree with it: int8 products and quantising to the bit, since their sums are whole numbers
 * and each rounding stands in one place; bf16 within rounding.
 *
 * Units. An instruction multiplies 4 bytes of a row with 4 bytes of a column: four int8 inputs
 * or two bf16 ones, a unit. Rows and columns are filled up with zeros to whole tiles of
 * TILE_UNITS units (64 bytes), the depth of an AMX tile.
 *
 * Rows of an int8 operand are unsigned, q = round(x / scale) + zero, because VNNI multiplies
 * unsigned with signed; what that adds to a sum, `zero` times the column's weights, is in the
 * sum's start value. zero is TILE_MIDDLE, or TILE_LOW for rows that are hardly below 0: they
 * then have nearly twice the steps.
 *
 * Each result depends on its own row and column alone. */
#ifndef RAG_ENCODER_TILES_H
#define RAG_ENCODER_TILES_H

#include "base/cpu.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TILE_COLUMNS = 16,
    TILE_UNITS = 16,
    TILE_BYTES = 4 * TILE_UNITS, /* of a row */
    TILE_ROWS = 16,       /* rows of operands and results have room up to a multiple of this */
    TILE_MOST_ROWS = 128, /* of a product */
};

/* Which q stands for 0. */
enum { TILE_MIDDLE = 128, TILE_LOW = 32 };

static inline size_t tile_padded(size_t n, size_t multiple)
{
    return (n + multiple - 1) / multiple * multiple;
}

/* The scale of a row with this least (<= 0) and greatest (>= 0) element. */
static inline float tile_scale(float least, float greatest, uint8_t zero)
{
    float up = greatest / (float)(255 - zero), down = least / -(float)zero;
    return up > down ? up : down;
}

/* 1 / scale; 0 for a row of numbers too small for their inverse. */
static inline float tile_inverse(float scale)
{
    return scale > 1e-32F ? 1 / scale : 0;
}

/* Rows on the left of a product. Row i begins at data + i * stride and has 4 * units bytes.
 * Products may be computed up to a multiple of TILE_ROWS of x and of the result; what stands
 * behind the last row has no effect on others. */
struct tile_rows {
    const void *data;
    size_t stride;      /* bytes */
    size_t count;       /* at most TILE_MOST_ROWS */
    const float *scale; /* int8: of row 0; row i's is `stride` bytes behind row i - 1's */
};

/* A matrix on the right, packed: the columns [g * 16, g * 16 + 16) as [units][16][4 bytes]. */
struct tile_matrix {
    const void *data;  /* 64-byte aligned */
    size_t units;      /* a multiple of TILE_UNITS */
    const float *bias; /* [columns]; bf16: may be NULL */
    /* int8 alone, [columns] */
    const float *scale;
    const int32_t *offset; /* -zero * the sum of the column's weights */
};

/* Where a product goes: [rows x columns], in rows of `stride` elements. Room as for rows. */
enum tile_form {
    TILE_F32,
    TILE_BF16,      /* rounded to the nearest */
    TILE_GELU_BF16, /* x/2 (1 + erf(x/sqrt 2)) of it, within 1e-5 |x|, and rounded */
};

struct tile_result {
    void *data;
    size_t stride;
    enum tile_form form;
};

struct tile_kernels {
    enum cpu_level level;
    /* bf16 products are faster than f32 ones. Without it products have f32 results alone
     * and attention stays in f32; what else is here for them is NULL but in the reference. */
    bool fast_bf16;
    bool faster_int8; /* int8 products take half as long as bf16 ones, small ones too */

    /* The columns [first, end), multiples of TILE_COLUMNS, of
     *   y = (offset + sum over the row of q * w) * (row's scale * column's scale) + bias */
    void (*int8_product)(const struct tile_rows *x, const struct tile_matrix *w, size_t first,
                         size_t end, const struct tile_result *y);

    /* y = x w + bias (NULL: 0), added up in f32. */
    void (*bf16_product)(const struct tile_rows *x, const struct tile_matrix *w, size_t first,
                         size_t end, const struct tile_result *y);

    /* The row x[i] * factor[i] (NULL: x) as q [n], filled up with `zero` to a multiple of
     * TILE_BYTES; returns its scale, which is as small as the row's least and greatest element
     * allow. NaN if any is not finite. */
    float (*quantise)(const float *x, const float *factor, uint8_t zero, size_t n, uint8_t *q);

    /* The same of a row of bf16. */
    float (*quantise_bf16)(const uint16_t *x, const float *factor, uint8_t zero, size_t n,
                           uint8_t *q);

    /* y = x * factor as bf16, to the nearest, ties to even; filled up with 0 to a multiple of
     * TILE_BYTES. NaN stays NaN. */
    void (*to_bf16)(const float *x, float factor, size_t n, uint16_t *y);

    /* One block of keys of an online softmax, base 2 (Milakov, Gimelshein, "Online normalizer
     * calculation for softmax", 2018), of `rows` queries. s: [rows x keys], row stride
     * s_stride floats, to be multiplied by `scale` > 0; p: 2^(s - max) as bf16, row stride
     * p_stride, filled up with 0 to a multiple of TILE_BYTES. max, sum [rows] are brought up
     * to date (start: -inf, 0); factor [rows] is what earlier sums are to be multiplied by. */
    void (*softmax)(const float *s, size_t s_stride, float scale, size_t rows, size_t keys,
                    float *max, float *sum, float *factor, uint16_t *p, size_t p_stride);

    /* Keys k [count x size], bf16 rows of `stride`, as the columns of a bf16 matrix of
     * padded(size / 2) units. */
    void (*pack_keys)(const uint16_t *k, size_t stride, size_t count, size_t size,
                      uint16_t *packed);

    /* Values v [count x size] as a bf16 matrix of padded(count / 2) units and `size` columns.
     */
    void (*pack_values)(const uint16_t *v, size_t stride, size_t count, size_t size,
                        uint16_t *packed);
};

/* A level that cpu_has; what it lacks comes from the one below. */
const struct tile_kernels *tile_kernels_for(enum cpu_level level);

extern const struct tile_kernels tiles_scalar;
#if defined(__x86_64__)
extern const struct tile_kernels tiles_avx2, tiles_avx512vnni, tiles_avx512bf16, tiles_amx;
#endif

#endif
