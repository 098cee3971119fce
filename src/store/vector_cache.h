/* vector_cache.h - the codes of all vectors of an index, kept up to date with it.
 *
 * All functions are called with the store's lock held and within a reading transaction, which
 * keeps the index, and with it the cache, from changing under the search. */
#ifndef RAG_STORE_VECTOR_CACHE_H
#define RAG_STORE_VECTOR_CACHE_H

#include "store/cache_file.h"

#include <sqlite3.h>

struct store;

struct vector_cache {
    struct cache_file file;
    struct coder coder;
    const struct code_kernels *kernels;
    struct scan_room room;
};

void vector_cache_init(struct vector_cache *cache);
void vector_cache_release(struct vector_cache *cache);

/* What the index is at, as the transaction sees it. */
struct vector_state {
    int64_t generation, mark, removals_from;
    bool marked; /* false: an older format, whose vectors are kept in private memory */
    size_t dimension, chunks; /* vector_state_measure; dimension 0: there is no recipe */
};

CHECKED rag_status vector_state_read(struct store *store, struct vector_state *state,
                                     rag_error *error);
CHECKED rag_status vector_state_measure(struct store *store, struct vector_state *state,
                                        rag_error *error);

/* Makes the cache that of the state: as it is, by what has changed since, or anew. A file that
 * cannot be read or written is no error: private memory serves. */
CHECKED rag_status vector_cache_refresh(struct store *store, struct vector_cache *cache,
                                        const struct vector_state *state, rag_error *error);

void vector_cache_table(const struct vector_cache *cache, struct scan_table *table);

/* The rows of the chunks from id `first` to `last`, inclusive. */
void vector_cache_rows(const struct vector_cache *cache, int64_t first, int64_t last,
                       struct row_range *rows);

/* The row of a chunk. False: it has none. */
bool vector_cache_find(const struct vector_cache *cache, int64_t chunk, size_t *row);

/* Compares each row of the file beside the index with the vector that it was made of. *known
 * false: there is no file, or it is of another state of the index, and nothing was compared.
 * *wrong: rows that differ, and chunks without a row. */
CHECKED rag_status vector_cache_verify(struct store *store, bool *known, uint64_t *wrong,
                                       rag_error *error);

/* A vector as the file has it. RAG_INDEX if it is none. */
CHECKED rag_status vector_read(struct store *store, sqlite3_stmt *statement, int column,
                               int64_t chunk, size_t dimension, float *vector,
                               rag_error *error);

#endif
