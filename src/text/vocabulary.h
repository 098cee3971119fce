/* vocabulary.h - the pieces of a tokenizer by id.
 *
 * Flat arrays, so that a packed copy of them can be mapped as it is. */
#ifndef RAG_TEXT_VOCABULARY_H
#define RAG_TEXT_VOCABULARY_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    VOCABULARY_MAX_PIECES = 1 << 24,
    VOCABULARY_MAX_TEXT = 1 << 30, /* bytes of all pieces */
    VOCABULARY_MAX_PIECE = 1 << 16,
};
#define VOCABULARY_HOLE UINT32_MAX /* offset of an id that has no piece: behind all text */

struct vocabulary {
    struct buf text;   /* the pieces, each with a NUL behind */
    uint32_t *offsets; /* [count] into text */
    double *scores;    /* [count] log probabilities, 0 where there are none */
    size_t count, offset_capacity, score_capacity;
};

void vocabulary_init(struct vocabulary *vocabulary);
void vocabulary_release(struct vocabulary *vocabulary);

/* Appends the piece of the next id; a NULL piece leaves a hole. RAG_MODEL: not UTF-8, with
 * a NUL in it, too long, too many. */
CHECKED rag_status vocabulary_push(struct vocabulary *vocabulary, const char *piece,
                                   size_t size, double score, rag_error *error);

/* NULL for a hole or an id out of range. */
static inline const char *vocabulary_piece(const struct vocabulary *vocabulary, int64_t id)
{
    if (id < 0 || (uint64_t)id >= vocabulary->count ||
        vocabulary->offsets[id] >= vocabulary->text.size)
        return NULL;
    return vocabulary->text.data + vocabulary->offsets[id];
}

#endif
