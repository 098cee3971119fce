/* nearest.c - the nearest of vectors in memory, without an index. */
#include "base/memory.h"
#include "store/dot.h"
#include "store/scored.h"

#include <math.h>
#include <string.h>

/* Below this many multiplications starting threads costs more than it saves. */
enum { PARALLEL_WORK = 1 << 20 };

/* Squares of norms between these have kept their precision in single precision. */
static const float LEAST_SQUARE = 1e-20F, GREATEST_SQUARE = 1e20F;

/* A query of norm 1; its last block, padded with zeros, stands behind it. */
struct query {
    float *unit;             /* [dimension] */
    float *rest;             /* [DOT_BLOCK] */
    size_t dimension, whole; /* of whole: in full blocks */
    dot_fn *dot;
};

/* In double precision: for what single precision cannot hold. */
static float careful_cosine(const struct query *query, const float *vector)
{
    double product = 0, square = 0;
    for (size_t i = 0; i < query->dimension; i++) {
        product += (double)query->unit[i] * (double)vector[i];
        square += (double)vector[i] * (double)vector[i];
    }
    return isfinite(square) && square > 0 ? (float)(product / sqrt(square)) : 0;
}

/* The same bits on every machine and for any number of threads, as dot.h promises. */
static float cosine(const struct query *query, const float *vector)
{
    float rest[DOT_BLOCK] = {0};
    memcpy(rest, vector + query->whole, (query->dimension - query->whole) * sizeof *rest);
    float square = query->dot(vector, vector, query->whole) + query->dot(rest, rest, DOT_BLOCK);
    if (!(square >= LEAST_SQUARE && square <= GREATEST_SQUARE)) /* NaN too */
        return careful_cosine(query, vector);
    float product = query->dot(query->unit, vector, query->whole) +
                    query->dot(query->rest, rest, DOT_BLOCK);
    return (float)((double)product / sqrt((double)square));
}

/* False: no memory. A query of norm 0, or with a value that is not finite, becomes zeros. */
static bool query_make(const float *vector, size_t dimension, struct query *out)
{
    *out = (struct query){.unit = alloc_zeroed(dimension, sizeof(float)),
                          .rest = alloc_zeroed(DOT_BLOCK, sizeof(float)),
                          .dimension = dimension,
                          .whole = dimension / DOT_BLOCK * DOT_BLOCK,
                          .dot = dot_best()};
    if (!out->unit || !out->rest)
        return false;
    double square = 0;
    for (size_t i = 0; i < dimension; i++)
        square += (double)vector[i] * (double)vector[i];
    if (isfinite(square) && square > 0)
        for (size_t i = 0; i < dimension; i++)
            out->unit[i] = (float)((double)vector[i] / sqrt(square));
    memcpy(out->rest, out->unit + out->whole, (dimension - out->whole) * sizeof(float));
    return true;
}

static void score_all(const struct query *query, const float *vectors, size_t count,
                      float *scores)
{
    size_t dimension = query->dimension;
    bool parallel = count > PARALLEL_WORK / dimension;
#pragma omp parallel for schedule(static) if (parallel)
    for (size_t i = 0; i < count; i++) {
        float score = cosine(query, vectors + i * dimension);
        scores[i] = score > 1 ? 1 : score < -1 ? -1 : score;
    }
}

rag_status rag_nearest(const float *vectors, size_t count, size_t dimension, const float *query,
                       size_t k, size_t *positions, float *scores, size_t *found,
                       rag_error *error)
{
    size_t floats;
    *found = 0;
    if (!dimension || !size_mul(count, dimension, &floats))
        return fail_with(error, RAG_USAGE, "%zu vectors of %zu dimensions", count, dimension);
    if (!count || !k)
        return RAG_OK;
    struct query unit = {0};
    struct scored_list best = {0};
    float *all = alloc_array(count, sizeof *all);
    rag_status status = RAG_OK;
    if (!all || !query_make(query, dimension, &unit) || !scored_list_reserve(&best, k, count)) {
        status = fail_memory(error);
        goto out;
    }
    score_all(&unit, vectors, count, all);
    for (size_t i = 0; i < count; i++)
        scored_list_offer(&best, (int64_t)i, (double)all[i]);
    scored_list_sort(&best);
    for (size_t i = 0; i < best.count; i++) {
        if (positions)
            positions[i] = (size_t)best.items[i].chunk_id;
        if (scores)
            scores[i] = (float)best.items[i].score;
    }
    *found = best.count;
out:
    scored_list_release(&best);
    free(unit.unit);
    free(unit.rest);
    free(all);
    return status;
}
