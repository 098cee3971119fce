/* dense.h - all vectors of a store in memory, for exact search.
 *
 * Loaded once for each generation of the file (every writing transaction makes a new one, in
 * this process or another) and scanned from end to end.
 * Memory: 4 bytes for each dimension rounded up to a multiple of 64, and 12 bytes more, for
 * each chunk: 155 MB for 100,000 chunks of 384 dimensions. */
#ifndef RAG_STORE_DENSE_H
#define RAG_STORE_DENSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct matrix {
    float *rows;   /* [count x stride], 64-byte aligned, zeros behind each vector */
    float *scores; /* [count]: of the search in hand */
    int64_t *ids;  /* [count], ascending */
    float *query;  /* [stride] */
    size_t count, dimension, stride;
    int64_t generation;
    bool loaded;
};

void matrix_release(struct matrix *matrix);

#endif
