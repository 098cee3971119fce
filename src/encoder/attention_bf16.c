/* The tiles of attention.h with bf16 products. Scores are row by row here: a row of 2^score is
 * the left side of the product with the values.
 *
 * Scores may be taken in int8, with a scale for each query and key: half the instructions where
 * vectors multiply (VNNI against BF16). The powers stay in bf16, for in int8 those of many weak
 * keys would all become 0. */
#include "encoder/attention.h"
#include "encoder/polynomials.h"

#include <math.h>
#include <string.h>

/* Queries and keys of a tile: its scores (64 KB) stay in the second cache, and most texts have
 * a single block of keys, so that nothing is scaled again. */
enum { QUERIES = 32, KEYS = 512 };

/* d = head_size; depth = d padded to TILE_BYTES as bf16; width = d padded to TILE_COLUMNS. */
struct workspace {
    uint16_t *keys;               /* [tokens padded to 16] columns of `depth` */
    uint16_t *values;             /* a matrix for each block of KEYS */
    uint16_t *query;              /* [QUERIES][depth] */
    uint16_t *powers;             /* [QUERIES][KEYS] */
    float *scores;                /* [QUERIES][KEYS] */
    float *part;                  /* [QUERIES][width], values weighted of a block */
    float *sums;                  /* [QUERIES][width], of the blocks so far */
    float *max, *total, *factors; /* [QUERIES] */
    /* int8: */
    char *queries; /* [QUERIES] a cache line with the row's scale, and the row */
    float *key_scales, *key_biases; /* [tokens padded to 16]; all biases are 0 */
    int32_t *key_offsets;
};

static size_t depth_of(size_t head_size)
{
    return tile_padded(head_size, TILE_BYTES / 2);
}

static size_t width_of(size_t head_size)
{
    return tile_padded(head_size, TILE_COLUMNS);
}

/* Lays the workspace out in scratch (NULL: only measures it); returns its bytes. */
static size_t lay_out(struct workspace *w, size_t tokens, size_t head_size, char *scratch)
{
    size_t depth = depth_of(head_size), width = width_of(head_size), used = 0;
#define TAKE(member, count)                                                                    \
    w->member = scratch ? (void *)(scratch + used) : NULL;                                     \
    used += tile_padded((count) * sizeof *w->member, TILE_BYTES);
    TAKE(keys, tile_padded(tokens, TILE_COLUMNS) * depth)
    TAKE(values, tile_padded(tokens, TILE_BYTES / 2) * width)
    TAKE(powers, QUERIES * KEYS)
    TAKE(scores, QUERIES * KEYS)
    TAKE(part, QUERIES * width)
    TAKE(sums, QUERIES * width)
    TAKE(max, QUERIES)
    TAKE(total, QUERIES)
    TAKE(factors, QUERIES)
    TAKE(queries, QUERIES * (TILE_BYTES + tile_padded(head_size, TILE_BYTES)))
    TAKE(key_scales, tile_padded(tokens, TILE_COLUMNS))
    TAKE(key_biases, tile_padded(tokens, TILE_COLUMNS))
    TAKE(key_offsets, tile_padded(tokens, TILE_COLUMNS))
#undef TAKE
    return used;
}

size_t attention_bf16_scratch(size_t tokens, size_t head_size)
{
    struct workspace w;
    return lay_out(&w, tokens, head_size, NULL) / sizeof(float);
}

/* Keys as the columns of an int8 matrix (tiles.h): signed, which operands of rows are not. */
static void pack_keys_int8(const struct attention *a, const struct workspace *w)
{
    const uint16_t *k = a->k;
    size_t bytes = tile_padded(a->head_size, TILE_BYTES);
    size_t columns = tile_padded(a->tokens, TILE_COLUMNS);
    _Alignas(TILE_BYTES) uint8_t row[ATTENTION_MAX_HEAD];
    uint32_t *packed = (uint32_t *)w->keys;
    for (size_t j = 0; j < columns; j++) {
        int32_t sum = 0;
        memset(row, TILE_MIDDLE, bytes);
        float scale = 0;
        if (j < a->tokens)
            scale = a->tiles->quantise_bf16(k + j * a->stride, NULL, TILE_MIDDLE, a->head_size,
                                            row);
        for (size_t i = 0; i < bytes; i++) {
            sum += row[i] - TILE_MIDDLE;
            row[i] ^= TILE_MIDDLE;
        }
        uint32_t *column = packed + (j / TILE_COLUMNS * bytes / 4) * TILE_COLUMNS;
        for (size_t u = 0; u < bytes / 4; u++)
            memcpy(&column[u * TILE_COLUMNS + j % TILE_COLUMNS], row + u * 4, 4);
        w->key_scales[j] = scale;
        w->key_biases[j] = 0;
        w->key_offsets[j] = -TILE_MIDDLE * sum;
    }
}

/* scores [queries x KEYS] of a block of `columns` keys. */
static void score(const struct attention *a, const struct workspace *w, size_t first,
                  const struct tile_rows *queries, size_t columns)
{
    size_t d = a->head_size, bytes = tile_padded(d, TILE_BYTES);
    struct tile_result scores = {w->scores, KEYS, TILE_F32};
    if (!a->int8_scores) {
        struct tile_matrix k = {.data = w->keys + first * depth_of(d),
                                .units = depth_of(d) / 2};
        a->tiles->bf16_product(queries, &k, 0, columns, &scores);
        return;
    }
    struct tile_rows rows = {w->queries + TILE_BYTES, TILE_BYTES + bytes, queries->count,
                             (float *)w->queries};
    struct tile_matrix k = {.data = (char *)w->keys + first * bytes,
                            .units = bytes / 4,
                            .bias = w->key_biases + first,
                            .scale = w->key_scales + first,
                            .offset = w->key_offsets + first};
    if (first == 0)
        for (size_t i = 0; i < queries->count; i++) {
            char *to = w->queries + i * rows.stride;
            const void *from = (const char *)queries->data + i * queries->stride;
            *(float *)to =
                a->tiles->quantise_bf16(from, NULL, TILE_MIDDLE, d, (uint8_t *)to + TILE_BYTES);
        }
    a->tiles->int8_product(&rows, &k, 0, columns, &scores);
}

/* One block of keys: its scores, their powers, and the values weighted with them into `to`. */
static void attend_block(const struct attention *a, const struct workspace *w, size_t first,
                         const struct tile_rows *queries, float *to)
{
    size_t d = a->head_size, width = width_of(d);
    size_t keys = a->tokens - first < KEYS ? a->tokens - first : KEYS;
    struct tile_rows powers = {w->powers, KEYS * sizeof *w->powers, queries->count, NULL};
    struct tile_matrix v = {.data = w->values + first * width,
                            .units = tile_padded(keys, TILE_BYTES / 2) / 2};
    struct tile_result sums = {to, width, TILE_F32};
    score(a, w, first, queries, tile_padded(keys, TILE_COLUMNS));
    a->tiles->softmax(w->scores, KEYS, LOG2_E / sqrtf((float)d), queries->count, keys, w->max,
                      w->total, w->factors, w->powers, KEYS);
    a->tiles->bf16_product(&powers, &v, 0, width, &sums);
}

/* One tile of queries against all keys. */
static void attend_tile(const struct attention *a, const struct workspace *w,
                        const struct tile_rows *queries, float *out)
{
    size_t d = a->head_size, width = width_of(d);
    for (size_t i = 0; i < queries->count; i++) {
        w->max[i] = -INFINITY;
        w->total[i] = 0;
    }
    attend_block(a, w, 0, queries, w->sums);
    for (size_t first = KEYS; first < a->tokens; first += KEYS) {
        attend_block(a, w, first, queries, w->part);
        for (size_t i = 0; i < queries->count; i++) {
            float *sums = w->sums + i * width;
            a->kernels->scale(sums, sums, w->factors[i], width);
            a->kernels->add(sums, w->part + i * width, width);
        }
    }
    for (size_t i = 0; i < queries->count; i++)
        a->kernels->scale(out + i * a->out_stride, w->sums + i * width, 1 / w->total[i], d);
}

void attend_bf16(const struct attention *a, size_t queries, float *out, float *scratch)
{
    const uint16_t *q = a->q, *k = a->k, *v = a->v;
    struct workspace w;
    size_t d = a->head_size;
    lay_out(&w, a->tokens, d, (char *)scratch);
    if (a->int8_scores)
        pack_keys_int8(a, &w);
    else
        a->tiles->pack_keys(k, a->stride, a->tokens, d, w.keys);
    for (size_t first = 0; first < a->tokens; first += KEYS) {
        size_t keys = a->tokens - first < KEYS ? a->tokens - first : KEYS;
        a->tiles->pack_values(v + first * a->stride, a->stride, keys, d,
                              w.values + first * width_of(d));
    }
    for (size_t first = 0; first < queries; first += QUERIES) {
        struct tile_rows rows = {.data = q + first * a->stride,
                                 .stride = a->stride * sizeof *q,
                                 .count =
                                     queries - first < QUERIES ? queries - first : QUERIES};
        attend_tile(a, &w, &rows, out + first * a->out_stride);
    }
}
