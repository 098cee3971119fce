#include "encoder/attention.h"
#include "encoder/polynomials.h"

#include <math.h>
#include <string.h>

/* Queries and keys of a tile: multiples of the kernels' tiles of 12 rows and 32 columns, and
 * small enough that a tile's scores (36 KB), keys and values (24 KB each for heads of 64)
 * stay in the second cache. */
enum { QUERIES = 96, KEYS = 96 };

/* What a head needs, laid out for outer_product. d = head_size; padded to KERNEL_LANES. */
struct workspace {
    float *keys;    /* [blocks][d][KEYS], transposed in each block */
    float *values;  /* [tokens][padded d] */
    float *query;   /* [d][QUERIES], transposed, scaled */
    float *scores;  /* [KEYS][QUERIES], transposed */
    float *sums;    /* [QUERIES][padded d], values weighted so far */
    float *max;     /* [QUERIES] */
    float *total;   /* [QUERIES] */
    float *factors; /* [QUERIES] */
};

static size_t key_blocks(size_t tokens)
{
    return (tokens + KEYS - 1) / KEYS;
}

static float *take(float **scratch, size_t count)
{
    float *here = *scratch;
    *scratch += kernel_padded(count);
    return here;
}

size_t attention_scratch(size_t tokens, size_t head_size)
{
    size_t width = kernel_padded(head_size);
    return kernel_padded(key_blocks(tokens) * head_size * KEYS) + tokens * width +
           head_size * QUERIES + KEYS * QUERIES + QUERIES * width + 3 * QUERIES;
}

/* to[i][t] = factor x[t][i]. A few rows at a time: they stay in the first cache, where rows
 * that stand whole pages apart all want the same places, and writes come in runs. */
static void transpose(const float *x, size_t rows, size_t columns, size_t stride, float factor,
                      float *to, size_t to_stride)
{
    enum { RUN = 8 };
    for (size_t first = 0; first < rows; first += RUN) {
        size_t end = rows - first < RUN ? rows : first + RUN;
        for (size_t i = 0; i < columns; i++)
            for (size_t t = first; t < end; t++)
                to[i * to_stride + t] = x[t * stride + i] * factor;
    }
}

static void pack_keys(const float *k, size_t tokens, size_t d, size_t stride, float *packed)
{
    for (size_t first = 0; first < tokens; first += KEYS) {
        size_t count = tokens - first < KEYS ? tokens - first : KEYS;
        transpose(k + first * stride, count, d, stride, 1, packed + first * d, KEYS);
    }
}

static void pack_values(const float *v, size_t tokens, size_t d, size_t stride, float *packed)
{
    size_t width = kernel_padded(d);
    for (size_t t = 0; t < tokens; t++) {
        memcpy(packed + t * width, v + t * stride, d * sizeof *v);
        memset(packed + t * width + d, 0, (width - d) * sizeof *v);
    }
}

/* Scores are wanted in units of log 2, for softmax_block takes powers of 2. */
static void pack_queries(const float *q, size_t count, size_t d, size_t stride, size_t lanes,
                         float *packed)
{
    transpose(q, count, d, stride, LOG2_E / sqrtf((float)d), packed, lanes);
    for (size_t i = 0; i < d; i++)
        memset(packed + i * lanes + count, 0, (lanes - count) * sizeof *q);
}

/* One tile of queries against all keys. */
static void attend_tile(const struct attention *a, const struct workspace *w, size_t queries,
                        float *out)
{
    size_t lanes = kernel_padded(queries), width = kernel_padded(a->head_size);
    size_t d = a->head_size;
    for (size_t i = 0; i < lanes; i++) {
        w->max[i] = -INFINITY;
        w->total[i] = 0;
    }
    for (size_t first = 0; first < a->tokens; first += KEYS) {
        size_t keys = a->tokens - first < KEYS ? a->tokens - first : KEYS;
        a->kernels->outer_product(keys, lanes, d, w->keys + first * d, KEYS, w->query, lanes,
                                  w->scores, lanes, false);
        a->kernels->softmax_block(w->scores, keys, lanes, w->max, w->total, w->factors);
        for (size_t i = 0; first > 0 && i < queries; i++)
            a->kernels->scale(w->sums + i * width, w->sums + i * width, w->factors[i], width);
        a->kernels->outer_product(queries, width, keys, w->scores, lanes,
                                  w->values + first * width, width, w->sums, width, first > 0);
    }
    for (size_t i = 0; i < queries; i++)
        a->kernels->scale(out + i * a->out_stride, w->sums + i * width, 1 / w->total[i], d);
}

void attend(const struct attention *a, size_t queries, float *out, float *scratch)
{
    size_t d = a->head_size, width = kernel_padded(d);
    struct workspace w;
    w.keys = take(&scratch, key_blocks(a->tokens) * d * KEYS);
    w.values = take(&scratch, a->tokens * width);
    w.query = take(&scratch, d * QUERIES);
    w.scores = take(&scratch, KEYS * QUERIES);
    w.sums = take(&scratch, QUERIES * width);
    w.max = take(&scratch, QUERIES);
    w.total = take(&scratch, QUERIES);
    w.factors = take(&scratch, QUERIES);
    pack_keys(a->k, a->tokens, d, a->stride, w.keys);
    pack_values(a->v, a->tokens, d, a->stride, w.values);
    for (size_t first = 0; first < queries; first += QUERIES) {
        size_t count = queries - first < QUERIES ? queries - first : QUERIES;
        pack_queries((const float *)a->q + first * a->stride, count, d, a->stride,
                     kernel_padded(count), w.query);
        attend_tile(a, &w, count, out + first * a->out_stride);
    }
}
