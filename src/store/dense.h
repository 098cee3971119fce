/* dense.h - dense search: the vectors of a store, and what finds the nearest of them.
 *
 * Up to DENSE_EXACT vectors lie in memory and are all compared with the query; their scores are
 * exact. More are found and scored by their codes, in a memory-mapped cache beside the index
 * (vector_cache.h): scores are right to CODE_ERROR, and no vector is read, which would take
 * longer than to find it.
 *
 * All is brought up to date for each generation of the file (every writing transaction makes a
 * new one, in this process or another).
 * Memory: 4 bytes for each dimension rounded up to a multiple of 64, and 12 bytes more, for
 * each of up to DENSE_EXACT chunks; else 2 bytes for each chunk. */
#ifndef RAG_STORE_DENSE_H
#define RAG_STORE_DENSE_H

#include "store/matrix.h"
#include "store/vector_cache.h"

/* Vectors that are compared one by one: of 384 dimensions 12 MB, some 0.5 ms to read. */
enum { DENSE_EXACT = 8192 };

struct dense {
    struct vector_state state; /* what the rest is of */
    bool current;
    struct matrix matrix;      /* of few vectors: matrix.rows is set */
    struct vector_cache cache; /* of many */
    float *query;              /* [stride], zeros behind the dimension */
    size_t stride;
};

void dense_init(struct dense *dense);
void dense_release(struct dense *dense); /* before the connection is closed */

#endif
