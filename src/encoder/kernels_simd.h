/* kernels_simd.h - the vector kernels, included once by each file that stands for an
 * instruction set. That file defines before:
 *
 *   vec                        a vector of VEC_WIDTH floats
 *   vec_load, vec_store, vec_set, vec_add, vec_sub, vec_mul, vec_div
 *   vec_fma(a, b, c)           a * b + c, rounded once
 *   vec_min, vec_max           NaN if the second argument is
 *   vec_round                  to the nearest whole number
 *   vec_power_of_two(x)        2^x for a whole x within EXP2_LOW .. EXP2_HIGH
 *   vec_sum                    of its elements, in one fixed order
 *   BLOCK_ROWS, BLOCK_VECS       the tile of outer_product that fills the registers
 *   TILE_SWITCH(m, vecs)       calls TILE_CASE(m', vecs) for m' = m, a constant
 *   KERNELS_LEVEL, KERNELS_NAME */
#include "encoder/inline.h"
#include "encoder/kernels.h"
#include "encoder/polynomials.h"

#include <math.h>
#include <string.h>

/* ---- Products of small matrices ---- */

/* c [rows x vecs vectors] stays in registers; rows and vecs are constants where it is
 * inlined. */
ALWAYS_INLINE void tile(size_t rows, size_t vecs, size_t k, const float *a, size_t lda,
                        const float *b, size_t ldb, float *c, size_t ldc, bool add)
{
    vec sum[BLOCK_ROWS][BLOCK_VECS];
    UNROLLED
    for (size_t i = 0; i < rows; i++) {
        UNROLLED
        for (size_t j = 0; j < vecs; j++)
            sum[i][j] = add ? vec_load(c + i * ldc + j * VEC_WIDTH) : vec_set(0);
    }
    for (size_t p = 0; p < k; p++) {
        vec column[BLOCK_VECS];
        UNROLLED
        for (size_t j = 0; j < vecs; j++)
            column[j] = vec_load(b + p * ldb + j * VEC_WIDTH);
        UNROLLED
        for (size_t i = 0; i < rows; i++) {
            vec row = vec_set(a[p * lda + i]);
            UNROLLED
            for (size_t j = 0; j < vecs; j++)
                sum[i][j] = vec_fma(row, column[j], sum[i][j]);
        }
    }
    UNROLLED
    for (size_t i = 0; i < rows; i++) {
        UNROLLED
        for (size_t j = 0; j < vecs; j++)
            vec_store(c + i * ldc + j * VEC_WIDTH, sum[i][j]);
    }
}

#define TILE_CASE(rows, vecs)                                                                  \
    case rows:                                                                                 \
        tile(rows, vecs, k, a, lda, b, ldb, c, ldc, add);                                      \
        break;

static void tile_wide(size_t m, size_t k, const float *a, size_t lda, const float *b,
                      size_t ldb, float *c, size_t ldc, bool add)
{
    TILE_SWITCH(m, BLOCK_VECS)
}

#if BLOCK_VECS * VEC_WIDTH > 16
static void tile_narrow(size_t m, size_t k, const float *a, size_t lda, const float *b,
                        size_t ldb, float *c, size_t ldc, bool add)
{
    TILE_SWITCH(m, 16 / VEC_WIDTH)
}
#else
#define tile_narrow tile_wide
#endif

static void outer_product(size_t m, size_t n, size_t k, const float *a, size_t lda,
                          const float *b, size_t ldb, float *c, size_t ldc, bool add)
{
    enum { WIDE = BLOCK_VECS * VEC_WIDTH };
    for (size_t j = 0; j < n;) {
        bool wide = n - j >= WIDE;
        for (size_t i = 0; i < m; i += BLOCK_ROWS) {
            size_t rows = m - i < BLOCK_ROWS ? m - i : BLOCK_ROWS;
            if (wide)
                tile_wide(rows, k, a + i, lda, b + j, ldb, c + i * ldc + j, ldc, add);
            else
                tile_narrow(rows, k, a + i, lda, b + j, ldb, c + i * ldc + j, ldc, add);
        }
        j += wide ? WIDE : KERNEL_LANES;
    }
}

/* ---- Products with packed matrices ---- */

enum {
    UNITS_A_STEP = 4,
    MOST_UNITS = 1024, /* at once: 128 rows of so many inputs take 512 KB of the second cache */
};

/* The units [from, to) of a product, which go on from what y has of those before. */
struct part {
    const struct tile_rows *x;
    const struct tile_matrix *w;
    size_t from, to;
    float *y;
    size_t stride;
};

/* One unit: sum += inputs x weights, and the rows go on. Three of them go by one pointer, which
 * keeps the addresses in registers. */
ALWAYS_INLINE void multiply_unit(size_t rows, size_t vecs, const char *row[BLOCK_ROWS / 3],
                                 size_t row_stride, const float *columns, size_t group_stride,
                                 vec sum[BLOCK_ROWS][BLOCK_VECS])
{
    vec weights[BLOCK_VECS];
    UNROLLED
    for (size_t j = 0; j < vecs; j++) {
        size_t group = j * VEC_WIDTH / TILE_COLUMNS, at = j * VEC_WIDTH % TILE_COLUMNS;
        weights[j] = vec_load(columns + group * group_stride + at);
    }
    UNROLLED
    for (size_t i = 0; i < rows; i++) {
        vec input = vec_set(*(const float *)(row[i / 3] + i % 3 * row_stride));
        UNROLLED
        for (size_t j = 0; j < vecs; j++)
            sum[i][j] = vec_fma(input, weights[j], sum[i][j]);
    }
    UNROLLED
    for (size_t i = 0; i < BLOCK_ROWS / 3; i++)
        row[i] += sizeof(float);
}

/* As tile, but rows of x stand as they are, and columns in groups of TILE_COLUMNS. Each step
 * fetches one cache line, from `next` on, into the second cache. */
ALWAYS_INLINE void packed_tile(size_t rows, size_t vecs, const struct part *p, size_t first,
                               size_t column, const char *next)
{
    vec sum[BLOCK_ROWS][BLOCK_VECS];
    size_t row_stride = p->x->stride, group_stride = p->w->units * TILE_COLUMNS;
    const float *columns =
        (const float *)p->w->data + column * p->w->units + p->from * TILE_COLUMNS;
    const char *x0 = (const char *)p->x->data + first * row_stride + p->from * sizeof(float);
    float *y = p->y + first * p->stride + column;
    const float *bias = p->w->bias ? p->w->bias + column : NULL;
    const char *row[BLOCK_ROWS / 3];
    UNROLLED
    for (size_t i = 0; i < BLOCK_ROWS / 3; i++)
        row[i] = x0 + 3 * i * row_stride;
    UNROLLED
    for (size_t i = 0; i < rows; i++) {
        UNROLLED
        for (size_t j = 0; j < vecs; j++) {
            const float *so_far = p->from > 0 ? y + i * p->stride : bias;
            sum[i][j] = so_far ? vec_load(so_far + j * VEC_WIDTH) : vec_set(0);
        }
    }
    size_t left = p->to - p->from;
    for (; left >= UNITS_A_STEP; left -= UNITS_A_STEP, next += TILE_BYTES) {
        __builtin_prefetch(next, 0, 2);
        UNROLLED
        for (size_t u = 0; u < UNITS_A_STEP; u++, columns += TILE_COLUMNS)
            multiply_unit(rows, vecs, row, row_stride, columns, group_stride, sum);
    }
    for (; left > 0; left--, columns += TILE_COLUMNS)
        multiply_unit(rows, vecs, row, row_stride, columns, group_stride, sum);
    UNROLLED
    for (size_t i = 0; i < rows; i++) {
        UNROLLED
        for (size_t j = 0; j < vecs; j++)
            vec_store(y + i * p->stride + j * VEC_WIDTH, sum[i][j]);
    }
}

/* What the tile of the rows from `first` on fetches of the strip at the column `next`: each
 * four tiles share a group of columns. Behind the strip there is nothing to fetch, which is
 * harmless. */
static const char *to_fetch(const struct part *p, size_t first, size_t next)
{
    size_t tile = first / BLOCK_ROWS, units = p->to - p->from;
    size_t unit = (next / TILE_COLUMNS + tile / UNITS_A_STEP) * p->w->units + p->from +
                  tile % UNITS_A_STEP * (units / UNITS_A_STEP);
    return (const char *)p->w->data + unit * TILE_BYTES;
}

#undef TILE_CASE
#define TILE_CASE(rows, vecs)                                                                  \
    case rows:                                                                                 \
        packed_tile(rows, vecs, p, i, column, to_fetch(p, i, next));                           \
        break;

/* All rows by one strip of columns, which stays in the nearer caches, while the next comes. */
static void wide_strip(const struct part *p, size_t column, size_t next)
{
    size_t count = p->x->count;
    for (size_t i = 0; i < count; i += BLOCK_ROWS)
        TILE_SWITCH(count - i < BLOCK_ROWS ? count - i : BLOCK_ROWS, BLOCK_VECS)
}

#if BLOCK_VECS * VEC_WIDTH > 16
static void narrow_strip(const struct part *p, size_t column, size_t next)
{
    size_t count = p->x->count;
    for (size_t i = 0; i < count; i += BLOCK_ROWS)
        TILE_SWITCH(count - i < BLOCK_ROWS ? count - i : BLOCK_ROWS, 16 / VEC_WIDTH)
}
#else
#define narrow_strip wide_strip
#endif

static void product(const struct tile_rows *x, const struct tile_matrix *w, size_t first,
                    size_t end, float *y, size_t stride)
{
    enum { WIDE = BLOCK_VECS * VEC_WIDTH };
    for (size_t from = 0; from < w->units; from += MOST_UNITS) {
        size_t to = w->units - from < MOST_UNITS ? w->units : from + MOST_UNITS;
        struct part part = {x, w, from, to, y, stride};
        size_t column = first;
        for (; column + WIDE <= end; column += WIDE)
            wide_strip(&part, column, column + 2 * WIDE <= end ? column + WIDE : first);
        if (column < end)
            narrow_strip(&part, column, first);
    }
}

/* ---- Functions ---- */

ALWAYS_INLINE vec vec_exp2(vec x)
{
    static const float c[] = EXP2_POLYNOMIAL;
    x = vec_min(vec_set(EXP2_HIGH), vec_max(vec_set(EXP2_LOW), x));
    vec whole = vec_round(x);
    vec f = vec_sub(x, whole), p = vec_set(c[EXP2_DEGREE]);
    UNROLLED
    for (int i = EXP2_DEGREE - 1; i >= 0; i--)
        p = vec_fma(p, f, vec_set(c[i]));
    return vec_mul(p, vec_power_of_two(whole));
}

ALWAYS_INLINE vec vec_gelu(vec x)
{
    static const float c[] = ERF_POLYNOMIAL;
    vec z = vec_mul(x, vec_set(SQRT_HALF));
    z = vec_min(vec_set(ERF_BOUND), vec_max(vec_set(-ERF_BOUND), z));
    vec u = vec_fma(vec_mul(z, z), vec_set(ERF_SCALE), vec_set(-1));
    vec p = vec_set(c[ERF_DEGREE]);
    UNROLLED
    for (int i = ERF_DEGREE - 1; i >= 0; i--)
        p = vec_fma(p, u, vec_set(c[i]));
    vec half = vec_mul(x, vec_set(0.5F));
    return vec_fma(half, vec_mul(z, p), half);
}

ALWAYS_INLINE vec vec_gelu_tanh(vec x)
{
    vec cubic = vec_fma(vec_mul(x, x), vec_set(GELU_TANH_CUBIC), vec_set(1));
    vec power = vec_exp2(vec_mul(vec_mul(x, cubic), vec_set(GELU_TANH_SCALE)));
    return vec_sub(x, vec_div(x, vec_add(power, vec_set(1))));
}

/* x[i] = function(x[i]); the last, incomplete vector goes through a whole one. */
#define MAP_IN_PLACE(name, function)                                                           \
    static void name(float *x, size_t n)                                                       \
    {                                                                                          \
        size_t i = 0;                                                                          \
        for (; i + VEC_WIDTH <= n; i += VEC_WIDTH)                                             \
            vec_store(x + i, function(vec_load(x + i)));                                       \
        if (i < n) {                                                                           \
            float rest[VEC_WIDTH] = {0};                                                       \
            memcpy(rest, x + i, (n - i) * sizeof *x);                                          \
            vec_store(rest, function(vec_load(rest)));                                         \
            memcpy(x + i, rest, (n - i) * sizeof *x);                                          \
        }                                                                                      \
    }

ALWAYS_INLINE vec vec_relu(vec x)
{
    return vec_max(vec_set(0), x);
}

MAP_IN_PLACE(gelu, vec_gelu)
MAP_IN_PLACE(gelu_tanh, vec_gelu_tanh)
MAP_IN_PLACE(relu, vec_relu)

/* ---- Softmax ---- */

static void softmax_block(float *s, size_t keys, size_t n, float *max, float *sum,
                          float *factor)
{
    for (size_t q = 0; q < n; q += VEC_WIDTH) {
        vec before = vec_load(max + q), greatest = before;
        for (size_t key = 0; key < keys; key++)
            greatest = vec_max(greatest, vec_load(s + key * n + q));
        vec total = vec_set(0);
        for (size_t key = 0; key < keys; key++) {
            vec p = vec_exp2(vec_sub(vec_load(s + key * n + q), greatest));
            vec_store(s + key * n + q, p);
            total = vec_add(total, p);
        }
        vec change = vec_exp2(vec_sub(before, greatest));
        vec_store(factor + q, change);
        vec_store(sum + q, vec_fma(vec_load(sum + q), change, total));
        vec_store(max + q, greatest);
    }
}

/* ---- Rows ---- */

/* Sums over a row are kept in four vectors, so that one addition need not wait for the
 * other. */
enum { SUMS = 4, STEP = SUMS * VEC_WIDTH };

ALWAYS_INLINE float sum_of(const vec sums[SUMS])
{
    return vec_sum(vec_add(vec_add(sums[0], sums[1]), vec_add(sums[2], sums[3])));
}

static float add_residual(const float *x, const float *residual, size_t n, float *y)
{
    vec sums[SUMS] = {vec_set(0), vec_set(0), vec_set(0), vec_set(0)};
    size_t i = 0;
    for (; i + STEP <= n; i += STEP) {
        UNROLLED
        for (size_t j = 0; j < SUMS; j++) {
            size_t at = i + j * VEC_WIDTH;
            vec v = vec_load(x + at);
            if (residual)
                v = vec_add(v, vec_load(residual + at));
            vec_store(y + at, v);
            sums[j] = vec_add(sums[j], v);
        }
    }
    float sum = sum_of(sums);
    for (; i < n; i++) {
        y[i] = residual ? x[i] + residual[i] : x[i];
        sum += y[i];
    }
    return sum;
}

static float sum_of_squares_around(const float *y, float mean, size_t n)
{
    vec sums[SUMS] = {vec_set(0), vec_set(0), vec_set(0), vec_set(0)}, m = vec_set(mean);
    size_t i = 0;
    for (; i + STEP <= n; i += STEP) {
        UNROLLED
        for (size_t j = 0; j < SUMS; j++) {
            vec v = vec_sub(vec_load(y + i + j * VEC_WIDTH), m);
            sums[j] = vec_fma(v, v, sums[j]);
        }
    }
    float sum = sum_of(sums);
    for (; i < n; i++)
        sum += (y[i] - mean) * (y[i] - mean);
    return sum;
}

static void layer_norm(const float *x, const float *residual, const float *scale,
                       const float *shift, float epsilon, size_t n, float *y)
{
    float mean = add_residual(x, residual, n, y) / (float)n;
    float inverse = 1 / sqrtf(sum_of_squares_around(y, mean, n) / (float)n + epsilon);
    vec m = vec_set(mean), r = vec_set(inverse);
    size_t i = 0;
    for (; i + VEC_WIDTH <= n; i += VEC_WIDTH) {
        vec v = vec_mul(vec_sub(vec_load(y + i), m), r);
        vec_store(y + i, vec_fma(v, vec_load(scale + i), vec_load(shift + i)));
    }
    for (; i < n; i++)
        y[i] = (y[i] - mean) * inverse * scale[i] + shift[i];
}

static float dot(const float *a, const float *b, size_t n)
{
    vec sums[SUMS] = {vec_set(0), vec_set(0), vec_set(0), vec_set(0)};
    size_t i = 0;
    for (; i + STEP <= n; i += STEP) {
        UNROLLED
        for (size_t j = 0; j < SUMS; j++) {
            size_t at = i + j * VEC_WIDTH;
            sums[j] = vec_fma(vec_load(a + at), vec_load(b + at), sums[j]);
        }
    }
    float sum = sum_of(sums);
    for (; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

static void add(float *sum, const float *x, size_t n)
{
    size_t i = 0;
    for (; i + VEC_WIDTH <= n; i += VEC_WIDTH)
        vec_store(sum + i, vec_add(vec_load(sum + i), vec_load(x + i)));
    for (; i < n; i++)
        sum[i] += x[i];
}

static void scale(float *y, const float *x, float factor, size_t n)
{
    size_t i = 0;
    for (; i + VEC_WIDTH <= n; i += VEC_WIDTH)
        vec_store(y + i, vec_mul(vec_load(x + i), vec_set(factor)));
    for (; i < n; i++)
        y[i] = x[i] * factor;
}

/* x - x is 0 for a finite x and NaN for the others, and a NaN stays one in a sum. */
static bool finite_simd(const float *x, size_t n)
{
    vec sum = vec_set(0);
    size_t i = 0;
    for (; i + VEC_WIDTH <= n; i += VEC_WIDTH)
        sum = vec_add(sum, vec_sub(vec_load(x + i), vec_load(x + i)));
    float rest = vec_sum(sum);
    for (; i < n; i++)
        rest += x[i] - x[i];
    return rest == 0;
}

const struct kernels KERNELS_NAME = {
    .level = KERNELS_LEVEL,
    .product = product,
    .outer_product = outer_product,
    .softmax_block = softmax_block,
    .layer_norm = layer_norm,
    .gelu = gelu,
    .gelu_tanh = gelu_tanh,
    .relu = relu,
    .dot = dot,
    .add = add,
    .scale = scale,
    .finite = finite_simd,
};
