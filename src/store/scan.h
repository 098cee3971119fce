/* scan.h - the rows of a table of codes that lie nearest to a query.
 *
 * Steps 1 to 3 of codes.h. A row's key is the least of what the steps say of it: the bounds of
 * its codes, and the score by its residual. The k greatest keys are found, the smaller row
 * first where they are equal: that depends on the codes alone, not on the number of threads or
 * the order in which rows are looked at, while rows whose bound falls short of the k-th key
 * need not be looked at. Bounds of a first few rows, the best by step 1, give a key to start
 * from.
 *
 * All threads of OpenMP scan; what follows, a few thousand rows, is one thread's work. */
#ifndef RAG_STORE_SCAN_H
#define RAG_STORE_SCAN_H

#include "store/codes.h"
#include "store/scored.h"

struct scan_table {
    const struct coder *coder;
    const struct code_kernels *kernels;
    const uint32_t *blocks, *fine; /* 64-byte aligned */
    const int8_t *residuals;
    size_t rows; /* at most SCAN_MAX_ROWS */
};
#define SCAN_MAX_ROWS ((size_t)UINT32_MAX - CODE_ROWS)

struct row_range {
    size_t first, end;
};

/* Memory that is used again by the next search: 2 bytes a row. To be released; {0} to begin. */
struct scan_room {
    int16_t *bounds;
    size_t capacity;
};
void scan_room_release(struct scan_room *room);

/* out: the k rows of `ranges` (ascending, disjoint, not empty, within the table) with the
 * greatest keys: chunk_id is the row, score its key + q c. In no order; to be released. */
CHECKED rag_status scan_nearest(const struct scan_table *table, const struct row_range *ranges,
                                size_t count, const float *query, size_t k,
                                struct scan_room *room, struct scored_list *out,
                                rag_error *error);

#endif
