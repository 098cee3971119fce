/* chunk_lengths.h - how many words each chunk has, which BM25 needs of every chunk that it
 * looks at: 4 bytes a chunk, read from the file as they are asked for and kept. They are those
 * of an id for good, unless the lexical index was filled anew or the whole file replaced. */
#ifndef RAG_STORE_CHUNK_LENGTHS_H
#define RAG_STORE_CHUNK_LENGTHS_H

#include "store/word_index.h"

/* Those of a window of ids; 0: not read. */
struct length_block {
    int64_t from;
    uint32_t *lengths; /* [POSTINGS_WINDOW]; NULL: an empty place */
};

struct chunk_lengths {
    struct length_block *blocks; /* a hash table, [capacity], a power of 2 */
    size_t count, capacity;
    struct hash words; /* the fingerprint that they belong to */
    int64_t schema;    /* and SQLite's count of changes of the whole file */
};

void chunk_lengths_release(struct chunk_lengths *lengths);

/* At the beginning of a read transaction: forgets what is not of this file any more. */
CHECKED rag_status chunk_lengths_begin(struct store *store, struct chunk_lengths *lengths,
                                       rag_error *error);

/* Those of a window that begins at a multiple of POSTINGS_WINDOW: reads what is missing of the
 * chunks in the list. Valid until chunk_lengths_release or _begin. */
CHECKED rag_status chunk_lengths_get(struct word_index *index, struct chunk_lengths *lengths,
                                     int64_t from, const struct posting *list, size_t count,
                                     const uint32_t **out, rag_error *error);

#endif
