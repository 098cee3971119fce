/* AMX: tiles of 16 rows of 64 bytes (Intel SDM, volume 1, chapter 18). Four of the eight hold
 * 32 x 32 sums, two the rows and two the columns that meet there: one load a product. */
#include "encoder/tiles_avx512.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* What ldtilecfg reads: eight tiles of 16 rows of 64 bytes. */
static const struct {
    uint8_t palette, start_row, reserved[14];
    uint16_t bytes[16];
    uint8_t rows[16];
} configuration = {
    .palette = 1,
    .bytes = {64, 64, 64, 64, 64, 64, 64, 64},
    .rows = {16, 16, 16, 16, 16, 16, 16, 16},
};

enum { TILE_SUMS = TILE_ROWS * TILE_COLUMNS };

/* The places of a tile in memory. */
struct operands {
    const char *rows, *columns;
    size_t row_stride;  /* bytes from a row to the next */
    size_t next_column; /* bytes from 16 columns to the next */
    size_t depth;       /* tiles */
};

static struct operands operands_at(const struct tile_rows *x, size_t row,
                                   const struct tile_matrix *w, size_t column)
{
    return (struct operands){
        .rows = (const char *)x->data + row * x->stride,
        .columns = (const char *)w->data + column * w->units * 4,
        .row_stride = x->stride,
        .next_column = w->units * TILE_BYTES,
        .depth = w->units / TILE_UNITS,
    };
}

enum operation { INT8, BF16 };

#define MULTIPLY(sum, row, column)                                                             \
    do {                                                                                       \
        if (operation == INT8)                                                                 \
            _tile_dpbusd(sum, row, column);                                                    \
        else                                                                                   \
            _tile_dpbf16ps(sum, row, column);                                                  \
    } while (0)

/* Tiles 0 and 1 are the upper rows' sums, 2 and 3 the lower ones'. operation, rows and vecs
 * are constants where it is inlined. */
ALWAYS_INLINE void multiply_tiles(enum operation operation, size_t rows, size_t vecs,
                                  const struct operands *o)
{
    for (size_t k = 0; k < o->depth; k++) {
        const char *column = o->columns + k * TILE_UNITS * TILE_BYTES;
        const char *row = o->rows + k * TILE_BYTES;
        _tile_loadd(6, column, TILE_BYTES);
        _tile_loadd(4, row, o->row_stride);
        MULTIPLY(0, 4, 6);
        if (vecs == 2) {
            _tile_loadd(7, column + o->next_column, TILE_BYTES);
            MULTIPLY(1, 4, 7);
        }
        if (rows == 2) {
            _tile_loadd(5, row + TILE_ROWS * o->row_stride, o->row_stride);
            MULTIPLY(2, 5, 6);
            if (vecs == 2)
                MULTIPLY(3, 5, 7);
        }
    }
}

ALWAYS_INLINE void multiply(enum operation operation, size_t rows, size_t vecs,
                            const struct operands *o)
{
    if (rows == 2 && vecs == 2)
        multiply_tiles(operation, 2, 2, o);
    else if (rows == 2)
        multiply_tiles(operation, 2, 1, o);
    else if (vecs == 2)
        multiply_tiles(operation, 1, 2, o);
    else
        multiply_tiles(operation, 1, 1, o);
}

/* A stride of 0 gives each row of sums the same start. */
static void start_sums(const void *start, size_t vecs)
{
    if (!start) {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
        return;
    }
    _tile_loadd(0, start, 0);
    _tile_loadd(2, start, 0);
    if (vecs == 2) {
        _tile_loadd(1, (const char *)start + TILE_BYTES, 0);
        _tile_loadd(3, (const char *)start + TILE_BYTES, 0);
    }
}

/* Sums of 16 rows into y. */
static void unscale_tile(const int32_t *sums, const struct tile_rows *x, size_t row,
                         const struct tile_matrix *w, size_t column, float *y, size_t stride)
{
    size_t end = x->count - row < TILE_ROWS ? x->count : row + TILE_ROWS;
    for (; row < end; row++, sums += TILE_COLUMNS)
        _mm512_storeu_ps(
            y + row * stride + column,
            tile_unscale(_mm512_load_si512(sums), w, column, tile_row_scale(x, row)));
}

static void int8_block(const struct tile_rows *x, size_t row, const struct tile_matrix *w,
                       size_t column, size_t vecs, float *y, size_t stride)
{
    _Alignas(64) int32_t sums[4 * TILE_SUMS];
    size_t rows = x->count - row > TILE_ROWS ? 2 : 1;
    struct operands o = operands_at(x, row, w, column);
    start_sums(w->offset + column, vecs);
    multiply(INT8, rows, vecs, &o);
    _tile_stored(0, sums, TILE_BYTES);
    _tile_stored(1, sums + TILE_SUMS, TILE_BYTES);
    _tile_stored(2, sums + 2 * TILE_SUMS, TILE_BYTES);
    _tile_stored(3, sums + 3 * TILE_SUMS, TILE_BYTES);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < vecs; j++)
            unscale_tile(sums + (2 * i + j) * TILE_SUMS, x, row + i * TILE_ROWS, w,
                         column + j * TILE_COLUMNS, y, stride);
}

static void bf16_block(const struct tile_rows *x, size_t row, const struct tile_matrix *w,
                       size_t column, size_t vecs, float *y, size_t stride)
{
    size_t rows = x->count - row > TILE_ROWS ? 2 : 1;
    struct operands o = operands_at(x, row, w, column);
    start_sums(w->bias ? w->bias + column : NULL, vecs);
    multiply(BF16, rows, vecs, &o);
    y += row * stride + column;
    _tile_stored(0, y, stride * sizeof *y);
    if (vecs == 2)
        _tile_stored(1, y + TILE_COLUMNS, stride * sizeof *y);
    if (rows == 2) {
        y += TILE_ROWS * stride;
        _tile_stored(2, y, stride * sizeof *y);
        if (vecs == 2)
            _tile_stored(3, y + TILE_COLUMNS, stride * sizeof *y);
    }
}

#define PRODUCT(name, block)                                                                   \
    static void name(const struct tile_rows *x, const struct tile_matrix *w, size_t first,     \
                     size_t end, float *y, size_t stride)                                      \
    {                                                                                          \
        _tile_loadconfig(&configuration);                                                      \
        for (size_t column = first; column < end; column += 2 * TILE_COLUMNS) {                \
            size_t vecs = end - column > TILE_COLUMNS ? 2 : 1;                                 \
            for (size_t row = 0; row < x->count; row += 2 * TILE_ROWS)                         \
                block(x, row, w, column, vecs, y, stride);                                     \
        }                                                                                      \
        _tile_release();                                                                       \
    }
PRODUCT(int8_product, int8_block)
PRODUCT(bf16_product, bf16_block)

const struct tile_kernels tiles_amx = {
    .level = CPU_AMX,
    .fast_bf16 = true,
    .int8_product = int8_product,
    .bf16_product = bf16_product,
    .quantise = tiles_avx512_quantise,
    .to_bf16 = tiles_avx512_to_bf16,
    .softmax = tiles_avx512_softmax,
    .pack_keys = tiles_avx512_pack_keys,
    .pack_values = tiles_avx512_pack_values,
};
