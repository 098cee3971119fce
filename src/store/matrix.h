/* matrix.h - a few vectors in memory, all of which are compared with a query. */
#ifndef RAG_STORE_MATRIX_H
#define RAG_STORE_MATRIX_H

#include "store/scored.h"

struct store;

struct matrix {
    float *rows;   /* [count x stride], 64-byte aligned, zeros behind each vector */
    float *scores; /* [count]: of the search in hand */
    int64_t *ids;  /* [count], ascending */
    size_t count, dimension, stride;
};

/* Reads up to `count` vectors of the index. */
CHECKED rag_status matrix_load(struct store *store, struct matrix *matrix, size_t count,
                               size_t dimension, rag_error *error);
void matrix_release(struct matrix *matrix);

/* Offers the chunks of `within` (NULL: all). query: [stride], zeros behind the dimension. */
void matrix_search(struct matrix *matrix, const float *query, const struct id_ranges *within,
                   struct scored_list *out);

/* The row of a chunk; NULL if it has none. */
const float *matrix_find(const struct matrix *matrix, int64_t id);

#endif
