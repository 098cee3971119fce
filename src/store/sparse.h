/* sparse.h - the weights of chunks' tokens in the file, and the same turned round for
 * searching. For the driver's files; the search itself is in store.h. */
#ifndef RAG_STORE_SPARSE_H
#define RAG_STORE_SPARSE_H

#include "store/sqlite.h"

/* Pairs of a token's number (32 bits) and its weight (a single), little-endian; numbers ascend,
 * weights are finite and above 0. */
enum { TOKEN_WEIGHT_SIZE = 8 };
CHECKED bool token_weights_fit(rag_text weights);

/* Calls back with each pair; to be used on what fits. */
void token_weights_get(rag_text weights, size_t i, uint32_t *token, float *weight);

/* Puts a chunk's weights into both tables; nothing if `weights` is of NULL. */
struct weight_inserts {
    sqlite3_stmt *weights, *posting;
};
CHECKED rag_status weight_inserts_prepare(struct store *store, struct weight_inserts *inserts,
                                          rag_error *error);
void weight_inserts_finish(struct store *store, struct weight_inserts *inserts);
CHECKED rag_status weights_insert(struct store *store, struct weight_inserts *inserts,
                                  int64_t chunk, rag_text weights, rag_error *error);

/* Takes those of a document's chunks from a number on out of both. */
CHECKED rag_status weights_remove(struct store *store, int64_t document, int64_t first,
                                  rag_error *error);

/* Fills `postings` anew from what is whole of `token_weights`, within a writing transaction. */
CHECKED rag_status postings_rebuild(struct store *store, rag_error *error);

#endif
