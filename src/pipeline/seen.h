/* seen.h - chunks that are to be embedded already: a text that stands in many new documents,
 * such as a licence, is embedded once. A hash table from what is embedded to where its vector
 * goes, and its weights. */
#ifndef RAG_PIPELINE_SEEN_H
#define RAG_PIPELINE_SEEN_H

#include "base/hash.h"

#include <stdbool.h>

/* The weights of a chunk's tokens, as the store has them; owned. */
struct packed_weights {
    char *data;
    size_t size;
};

/* Where what a model makes of a chunk goes. */
struct embedded {
    float *vector;                  /* [dimension] */
    struct packed_weights *weights; /* NULL: the model gives none */
};

struct seen_entry {
    struct hash hash;
    struct embedded place;
    bool used;
};

struct seen {
    struct seen_entry *entries; /* [capacity], a power of two, at most half of it used */
    size_t count, capacity;
};

/* *first: where the vector of this hash goes; it is `place`, and noted, if the hash is new. */
CHECKED rag_status seen_look(struct seen *seen, const struct hash *hash, struct embedded place,
                             struct embedded *first, bool *is_new, rag_error *error);
void seen_clear(struct seen *seen);
void seen_release(struct seen *seen);

#endif
