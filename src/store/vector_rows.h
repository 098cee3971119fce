/* vector_rows.h - what changes the rows of a cache of vectors. */
#ifndef RAG_STORE_VECTOR_ROWS_H
#define RAG_STORE_VECTOR_ROWS_H

#include "store/vector_cache.h"

/* Adds all chunks with greater ids than the state has seen, behind its rows. RAG_NOT_FOUND:
 * there is no room. */
CHECKED rag_status vector_rows_append(struct store *store, struct vector_cache *cache,
                                      struct cache_state *state, rag_error *error);

/* Marks the rows whose chunks went out since the state's generation. */
CHECKED rag_status vector_rows_take_out(struct store *store, struct vector_cache *cache,
                                        struct cache_state *state, rag_error *error);

/* Makes the coder of a new cache, and writes its centre: the mean of a sample. */
CHECKED rag_status vector_rows_choose_centre(struct store *store, struct vector_cache *cache,
                                             size_t dimension, rag_error *error);

/* The first row whose chunk is `id` or a later one. */
size_t vector_rows_find(const struct vector_cache *cache, int64_t id);

#endif
