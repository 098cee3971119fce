/* AMX: tiles of 16 rows of 64 bytes (Intel SDM, volume 1, chapter 18). Four of the eight hold
 * 32 x 32 sums, two the rows and two the columns that meet there: one load a product. */
#include "encoder/inline.h"
#include "encoder/tiles_avx512.h"

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

/* A block of results is 32 x 32. While a block is multiplied, the one before is finished row by
 * row: the tiles' unit and the vectors' work side by side. */
enum {
    BLOCK = 2 * TILE_ROWS,
    SUMS_STRIDE = BLOCK * 4,
    SUMS = BLOCK * SUMS_STRIDE, /* bytes of a block's sums */
};

/* The product in hand. */
struct product {
    const struct tile_rows *x;
    const struct tile_matrix *w;
    const struct tile_result *y;
    struct tile_sums pending; /* of the block before */
    size_t pending_row, pending_rows;
};

enum operation { INT8, BF16 };

ALWAYS_INLINE void finish(struct product *p, size_t rows)
{
    for (; rows && p->pending_row < p->pending_rows; rows--, p->pending_row++)
        tile_finish_row(&p->pending, p->pending_row, p->x, p->w, p->y);
}

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
                                  struct product *p, size_t row, size_t column)
{
    size_t stride = p->x->stride, next = p->w->units * TILE_BYTES;
    size_t depth = p->w->units / TILE_UNITS;
    const char *x = (const char *)p->x->data + row * stride;
    const char *w = (const char *)p->w->data + column * p->w->units * 4;
    size_t share = (BLOCK + depth - 1) / depth;
    for (size_t k = 0; k < depth; k++, x += TILE_BYTES, w += TILE_UNITS * TILE_BYTES) {
        _tile_loadd(6, w, TILE_BYTES);
        _tile_loadd(4, x, stride);
        MULTIPLY(0, 4, 6);
        if (vecs == 2) {
            _tile_loadd(7, w + next, TILE_BYTES);
            MULTIPLY(1, 4, 7);
        }
        if (rows == 2) {
            _tile_loadd(5, x + TILE_ROWS * stride, stride);
            MULTIPLY(2, 5, 6);
            if (vecs == 2)
                MULTIPLY(3, 5, 7);
        }
        finish(p, share);
    }
}

ALWAYS_INLINE void multiply(enum operation operation, size_t rows, size_t vecs,
                            struct product *p, size_t row, size_t column)
{
    if (rows == 2 && vecs == 2)
        multiply_tiles(operation, 2, 2, p, row, column);
    else if (rows == 2)
        multiply_tiles(operation, 2, 1, p, row, column);
    else if (vecs == 2)
        multiply_tiles(operation, 1, 2, p, row, column);
    else
        multiply_tiles(operation, 1, 1, p, row, column);
}

/* A stride of 0 gives each row of sums the same start. */
static void start_sums(const char *start, size_t vecs)
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
        _tile_loadd(1, start + TILE_BYTES, 0);
        _tile_loadd(3, start + TILE_BYTES, 0);
    }
}

static void store_sums(char *sums)
{
    _tile_stored(0, sums, SUMS_STRIDE);
    _tile_stored(1, sums + TILE_BYTES, SUMS_STRIDE);
    _tile_stored(2, sums + TILE_ROWS * SUMS_STRIDE, SUMS_STRIDE);
    _tile_stored(3, sums + TILE_ROWS * SUMS_STRIDE + TILE_BYTES, SUMS_STRIDE);
}

/* The block of results at (row, column). */
ALWAYS_INLINE void block(enum operation operation, struct product *p, size_t row, size_t column,
                         size_t end, char *sums)
{
    size_t rows = p->x->count - row < BLOCK ? p->x->count - row : BLOCK;
    size_t vecs = end - column > TILE_COLUMNS ? 2 : 1;
    start_sums(operation == INT8 ? (const char *)(p->w->offset + column)
               : p->w->bias      ? (const char *)(p->w->bias + column)
                                 : NULL,
               vecs);
    multiply(operation, rows > TILE_ROWS ? 2 : 1, vecs, p, row, column);
    finish(p, BLOCK);
    store_sums(sums);
    p->pending = (struct tile_sums){sums, SUMS_STRIDE, row, column, vecs, operation == INT8};
    p->pending_row = 0;
    p->pending_rows = rows;
}

ALWAYS_INLINE void product(enum operation operation, const struct tile_rows *x,
                           const struct tile_matrix *w, size_t first, size_t end,
                           const struct tile_result *y)
{
    _Alignas(64) char sums[SUMS];
    struct product p = {.x = x, .w = w, .y = y};
    _tile_loadconfig(&configuration);
    for (size_t row = 0; row < x->count; row += BLOCK)
        for (size_t column = first; column < end; column += BLOCK)
            block(operation, &p, row, column, end, sums);
    finish(&p, BLOCK);
    _tile_release();
}

static void int8_product(const struct tile_rows *x, const struct tile_matrix *w, size_t first,
                         size_t end, const struct tile_result *y)
{
    product(INT8, x, w, first, end, y);
}

static void bf16_product(const struct tile_rows *x, const struct tile_matrix *w, size_t first,
                         size_t end, const struct tile_result *y)
{
    product(BF16, x, w, first, end, y);
}

const struct tile_kernels tiles_amx = {
    .level = CPU_AMX,
    .fast_bf16 = true,
    .int8_product = int8_product,
    .bf16_product = bf16_product,
    .quantise = tiles_avx512_quantise,
    .quantise_bf16 = tiles_avx512_quantise_bf16,
    .to_bf16 = tiles_avx512_to_bf16,
    .softmax = tiles_avx512_softmax,
    .pack_keys = tiles_avx512_pack_keys,
    .pack_values = tiles_avx512_pack_values,
};
