/* AVX512-VNNI and AVX512-BF16: a tile of 12 x 32 sums in 24 of the 32 registers. Each unit of
 * a row is broadcast to two vectors of columns. */
#include "encoder/tiles_avx512.h"
#include "encoder/tiles_avx2.h"

enum { ROWS = 12, VECS = 2 };

#define ALWAYS_INLINE static inline __attribute__((always_inline))
#if defined(__clang__)
#define UNROLLED _Pragma("clang loop unroll(full)")
#else
#define UNROLLED _Pragma("GCC unroll 16")
#endif

enum operation { INT8, BF16 };

/* As an intrinsic, gcc 12 keeps half of the sums in memory: a third of the speed. */
#define MULTIPLY_ADD(instruction, sum, a, b)                                                   \
    __asm__(instruction " %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b))

/* sums [rows x vecs] += the row's units times the columns'. Three rows go by one pointer,
 * which keeps the addresses in registers. rows and vecs are constants where it is inlined. */
ALWAYS_INLINE void add_units(enum operation operation, size_t rows, size_t vecs, size_t units,
                             const char *x, size_t stride, const char *w,
                             __m512i sums[ROWS][VECS])
{
    const char *pointers[ROWS / 3] = {x, x + 3 * stride, x + 6 * stride, x + 9 * stride};
    size_t next = units * TILE_BYTES;
    for (size_t u = 0; u < units; u++) {
        __m512i columns[VECS];
        UNROLLED
        for (size_t j = 0; j < vecs; j++)
            columns[j] = _mm512_load_si512(w + j * next + u * TILE_BYTES);
        UNROLLED
        for (size_t i = 0; i < rows; i++) {
            const char *unit = pointers[i / 3] + i % 3 * stride + u * 4;
            __m512i row = _mm512_set1_epi32(*(const int32_t *)unit);
            UNROLLED
            for (size_t j = 0; j < vecs; j++)
                if (operation == INT8)
                    MULTIPLY_ADD("vpdpbusd", sums[i][j], row, columns[j]);
                else
                    MULTIPLY_ADD("vdpbf16ps", sums[i][j], row, columns[j]);
        }
    }
}

ALWAYS_INLINE void tile_int8(size_t rows, size_t vecs, const struct tile_rows *x, size_t first,
                             const struct tile_matrix *w, size_t column, float *y,
                             size_t stride)
{
    __m512i sums[ROWS][VECS];
    UNROLLED
    for (size_t i = 0; i < rows; i++) {
        UNROLLED
        for (size_t j = 0; j < vecs; j++)
            sums[i][j] = _mm512_loadu_si512(w->offset + column + j * TILE_COLUMNS);
    }
    add_units(INT8, rows, vecs, w->units, (const char *)x->data + first * x->stride, x->stride,
              (const char *)w->data + column * w->units * 4, sums);
    UNROLLED
    for (size_t i = 0; i < rows; i++) {
        __m512 scale = tile_row_scale(x, first + i);
        UNROLLED
        for (size_t j = 0; j < vecs; j++) {
            size_t at = column + j * TILE_COLUMNS;
            _mm512_storeu_ps(y + (first + i) * stride + at,
                             tile_unscale(sums[i][j], w, at, scale));
        }
    }
}

ALWAYS_INLINE void tile_bf16(size_t rows, size_t vecs, const struct tile_rows *x, size_t first,
                             const struct tile_matrix *w, size_t column, float *y,
                             size_t stride)
{
    __m512i sums[ROWS][VECS];
    y += first * stride + column;
    UNROLLED
    for (size_t i = 0; i < rows; i++) {
        UNROLLED
        for (size_t j = 0; j < vecs; j++)
            sums[i][j] = w->bias ? _mm512_loadu_si512(w->bias + column + j * TILE_COLUMNS)
                                 : _mm512_setzero_si512();
    }
    add_units(BF16, rows, vecs, w->units, (const char *)x->data + first * x->stride, x->stride,
              (const char *)w->data + column * w->units * 4, sums);
    UNROLLED
    for (size_t i = 0; i < rows; i++) {
        UNROLLED
        for (size_t j = 0; j < vecs; j++)
            _mm512_storeu_ps(y + i * stride + j * TILE_COLUMNS,
                             _mm512_castsi512_ps(sums[i][j]));
    }
}

#define EACH_ROWS(CASE)                                                                        \
    CASE(1)                                                                                    \
    CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8) CASE(9) CASE(10) CASE(11) CASE(12)

/* All rows by one or two vectors of columns, which stay in the first cache. */
#define STRIP(name, each)                                                                      \
    static void name(const struct tile_rows *x, const struct tile_matrix *w, size_t column,    \
                     float *y, size_t stride)                                                  \
    {                                                                                          \
        for (size_t i = 0; i < x->count; i += ROWS)                                            \
            switch (x->count - i < ROWS ? x->count - i : ROWS) {                               \
                EACH_ROWS(each)                                                                \
            }                                                                                  \
    }
#define CASE_INT8_1(n)                                                                         \
    case n:                                                                                    \
        tile_int8(n, 1, x, i, w, column, y, stride);                                           \
        break;
#define CASE_INT8_2(n)                                                                         \
    case n:                                                                                    \
        tile_int8(n, 2, x, i, w, column, y, stride);                                           \
        break;
#define CASE_BF16_1(n)                                                                         \
    case n:                                                                                    \
        tile_bf16(n, 1, x, i, w, column, y, stride);                                           \
        break;
#define CASE_BF16_2(n)                                                                         \
    case n:                                                                                    \
        tile_bf16(n, 2, x, i, w, column, y, stride);                                           \
        break;
STRIP(strip_int8_1, CASE_INT8_1)
STRIP(strip_int8_2, CASE_INT8_2)
STRIP(strip_bf16_1, CASE_BF16_1)
STRIP(strip_bf16_2, CASE_BF16_2)

static void int8_product(const struct tile_rows *x, const struct tile_matrix *w, size_t first,
                         size_t end, float *y, size_t stride)
{
    size_t column = first;
    for (; column + VECS * TILE_COLUMNS <= end; column += VECS * TILE_COLUMNS)
        strip_int8_2(x, w, column, y, stride);
    if (column < end)
        strip_int8_1(x, w, column, y, stride);
}

static void bf16_product(const struct tile_rows *x, const struct tile_matrix *w, size_t first,
                         size_t end, float *y, size_t stride)
{
    size_t column = first;
    for (; column + VECS * TILE_COLUMNS <= end; column += VECS * TILE_COLUMNS)
        strip_bf16_2(x, w, column, y, stride);
    if (column < end)
        strip_bf16_1(x, w, column, y, stride);
}

const struct tile_kernels tiles_avx512vnni = {
    .level = CPU_AVX512_VNNI,
    .int8_product = int8_product,
    .bf16_product = tiles_avx2_bf16_product,
    .quantise = tiles_avx512_quantise,
    .to_bf16 = tiles_avx2_to_bf16,
};

const struct tile_kernels tiles_avx512bf16 = {
    .level = CPU_AVX512_BF16,
    .fast_bf16 = true,
    .int8_product = int8_product,
    .bf16_product = bf16_product,
    .quantise = tiles_avx512_quantise,
    .to_bf16 = tiles_avx512_to_bf16,
    .softmax = tiles_avx512_softmax,
    .pack_keys = tiles_avx512_pack_keys,
    .pack_values = tiles_avx512_pack_values,
};
