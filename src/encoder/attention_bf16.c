/* The tiles of attention.h with bf16 products. Scores are row by row here: a row of 2^score is
 * the left side of the product with the values. */
#include "encoder/attention.h"
#include "encoder/polynomials.h"

#include <math.h>

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
#undef TAKE
    return used;
}

size_t attention_bf16_scratch(size_t tokens, size_t head_size)
{
    struct workspace w;
    return lay_out(&w, tokens, head_size, NULL) / sizeof(float);
}

/* One block of keys: its scores, their powers, and the values weighted with them into `to`. */
static void attend_block(const struct attention *a, const struct workspace *w, size_t first,
                         const struct tile_rows *queries, float *to)
{
    size_t d = a->head_size, width = width_of(d);
    size_t keys = a->tokens - first < KEYS ? a->tokens - first : KEYS;
    size_t columns = tile_padded(keys, TILE_COLUMNS);
    struct tile_matrix k = {.data = w->keys + first * depth_of(d), .units = depth_of(d) / 2};
    struct tile_rows powers = {w->powers, KEYS * sizeof *w->powers, queries->count, NULL};
    struct tile_matrix v = {.data = w->values + first * width,
                            .units = tile_padded(keys, TILE_BYTES / 2) / 2};

    struct tile_result scores = {w->scores, KEYS, TILE_F32}, sums = {to, width, TILE_F32};
    a->tiles->bf16_product(queries, &k, 0, columns, &scores);
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
