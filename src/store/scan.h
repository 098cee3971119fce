/* scan.h - the rows of a table of codes that lie nearest to a query.
 *
 * Steps 1 to 5 of codes.h. The fourth says of a row what its score is at least and at most, the
 * ones before what it is at most; of those that at most reach what the k-th best has at least,
 * the fifth finds the k best. That depends on the codes alone, not on the number of threads or
 * the order in which rows are looked at, while rows whose bound falls short need not be looked
 * at. Bounds of a first few rows, the best by step 1, give a reach to start from.
 *
 * All threads of OpenMP scan; what follows, a few thousand rows, is one thread's work. */
#ifndef RAG_STORE_SCAN_H
#define RAG_STORE_SCAN_H

#include "store/codes.h"
#include "store/scored.h"

#include <stdbool.h>

struct scan_table {
    const struct coder *coder;
    const struct code_kernels *kernels;
    const uint32_t *blocks, *rest, *lower; /* 64-byte aligned */
    const int8_t *residuals;
    size_t rows; /* at most SCAN_MAX_ROWS */
};
#define SCAN_MAX_ROWS ((size_t)UINT32_MAX - CODE_ROWS)

/* Where parts of a row's code are. */
static inline const uint32_t *scan_rest(const struct scan_table *table, size_t row)
{
    return table->rest + row * table->coder->rest;
}

static inline const uint32_t *scan_lower(const struct scan_table *table, size_t row)
{
    return table->lower + row * table->coder->planes;
}

static inline const int8_t *scan_residual(const struct scan_table *table, size_t row)
{
    return table->residuals + row * 2 * table->coder->width;
}

/* Whether the row has not been taken out. */
static inline bool scan_has_row(const struct scan_table *table, size_t row)
{
    const uint32_t *block = table->blocks + row / CODE_ROWS * table->coder->block;
    return block[code_row_mark(table->coder, row % CODE_ROWS)] != CODE_NO_ROW;
}

struct row_range {
    size_t first, end;
};

/* Memory that is used again by the next search: 2 bytes a row, and a few for each row that is
 * looked at closer. To be released; {0} to begin. */
struct scan_candidate;
struct scan_room {
    int16_t *bounds;
    size_t capacity;
    uint32_t *hits;
    struct scan_candidate *near;
    size_t hit_capacity, near_capacity;
    bool backwards; /* the next search begins at the end */
};
void scan_room_release(struct scan_room *room);

/* out: the k rows of `ranges` (ascending, disjoint, not empty, within the table) that have the
 * greatest scores, the smaller row first where these are equal: chunk_id is the row, score is
 * q x to CODE_ERROR. In no order; to be released. */
CHECKED rag_status scan_nearest(const struct scan_table *table, const struct row_range *ranges,
                                size_t count, const float *query, size_t k,
                                struct scan_room *room, struct scored_list *out,
                                rag_error *error);

#endif
