/* AVX512-VNNI and AVX512-BF16: a tile of 12 x 32 sums in 24 of the 32 registers. Each unit of
 * a row is broadcast to two vectors of columns. */
#include "encoder/tiles_avx512.h"
#include "encoder/inline.h"
#include "encoder/tiles_avx2.h"

#include <string.h>

enum { ROWS = 12, VECS = 2, AHEAD = 16 };

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
        for (size_t j = 0; j < vecs; j++)
            _mm_prefetch(w + j * next + (u + AHEAD) * TILE_BYTES, _MM_HINT_T0);
        UNROLLED
        for (size_t i = 0; i < rows; i++) {
            int32_t unit; /* of bf16 rows that begin anywhere */
            memcpy(&unit, pointers[i / 3] + i % 3 * stride + u * 4, sizeof unit);
            __m512i row = _mm512_set1_epi32(unit);
            UNROLLED
            for (size_t j = 0; j < vecs; j++)
                if (operation == INT8)
                    MULTIPLY_ADD("vpdpbusd", sums[i][j], row, columns[j]);
                else
                    MULTIPLY_ADD("vdpbf16ps", sums[i][j], row, columns[j]);
        }
    }
}

/* The sums leave the registers before they are finished: unrolled for each number of rows that
 * code would be many times as long, and a store and a load are little after so many units. */
ALWAYS_INLINE void tile(enum operation operation, size_t rows, size_t vecs,
                        const struct tile_rows *x, size_t first, const struct tile_matrix *w,
                        size_t column, const struct tile_result *y)
{
    __m512i sums[ROWS][VECS], stored[ROWS][VECS];
    const void *start = operation == INT8 ? (const void *)(w->offset + column)
                        : w->bias         ? (const void *)(w->bias + column)
                                          : NULL;
    UNROLLED
    for (size_t i = 0; i < rows; i++) {
        UNROLLED
        for (size_t j = 0; j < vecs; j++)
            sums[i][j] = start ? _mm512_loadu_si512((const char *)start + j * TILE_BYTES)
                               : _mm512_setzero_si512();
    }
    add_units(operation, rows, vecs, w->units, (const char *)x->data + first * x->stride,
              x->stride, (const char *)w->data + column * w->units * 4, sums);
    UNROLLED
    for (size_t i = 0; i < rows; i++) {
        UNROLLED
        for (size_t j = 0; j < vecs; j++)
            _mm512_store_si512(&stored[i][j], sums[i][j]);
    }
    struct tile_sums finished = {(const char *)stored, sizeof stored[0], first, column, vecs,
                                 operation == INT8};
    for (size_t i = 0; i < rows; i++)
        tile_finish_row(&finished, i, x, w, y);
}

#define EACH_ROWS(CASE)                                                                        \
    CASE(1)                                                                                    \
    CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8) CASE(9) CASE(10) CASE(11) CASE(12)

/* All rows by one or two vectors of columns, which stay in the first cache. */
#define STRIP(name, operation, vecs)                                                           \
    static void name(const struct tile_rows *x, const struct tile_matrix *w, size_t column,    \
                     const struct tile_result *y)                                              \
    {                                                                                          \
        enum { OPERATION = operation, WIDTH = vecs };                                          \
        for (size_t i = 0; i < x->count; i += ROWS)                                            \
            switch (x->count - i < ROWS ? x->count - i : ROWS) {                               \
                EACH_ROWS(TILE_CASE)                                                           \
            }                                                                                  \
    }
#define TILE_CASE(rows)                                                                        \
    case rows:                                                                                 \
        tile((enum operation)OPERATION, rows, WIDTH, x, i, w, column, y);                      \
        break;
STRIP(int8_strip, INT8, 1)
STRIP(int8_wide_strip, INT8, 2)
STRIP(bf16_strip, BF16, 1)
STRIP(bf16_wide_strip, BF16, 2)

static void int8_product(const struct tile_rows *x, const struct tile_matrix *w, size_t first,
                         size_t end, const struct tile_result *y)
{
    for (; first + VECS * TILE_COLUMNS <= end; first += VECS * TILE_COLUMNS)
        int8_wide_strip(x, w, first, y);
    if (first < end)
        int8_strip(x, w, first, y);
}

static void bf16_product(const struct tile_rows *x, const struct tile_matrix *w, size_t first,
                         size_t end, const struct tile_result *y)
{
    for (; first + VECS * TILE_COLUMNS <= end; first += VECS * TILE_COLUMNS)
        bf16_wide_strip(x, w, first, y);
    if (first < end)
        bf16_strip(x, w, first, y);
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
    .faster_int8 = true,
    .int8_product = int8_product,
    .bf16_product = bf16_product,
    .quantise = tiles_avx512_quantise,
    .quantise_bf16 = tiles_avx512_quantise_bf16,
    .to_bf16 = tiles_avx512_to_bf16,
    .softmax = tiles_avx512_softmax,
    .pack_keys = tiles_avx512_pack_keys,
    .pack_values = tiles_avx512_pack_values,
};
