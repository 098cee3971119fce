/* normalizer.h - from text to the symbols of a unigram vocabulary.
 *
 * A normaliser walks over a part of a text and appends to a stream, for each character
 * of the normalised text, its symbol (piece_trie.h) and the bytes of the source it stands
 * for. No normalised text is ever written. */
#ifndef RAG_TEXT_NORMALIZER_H
#define RAG_TEXT_NORMALIZER_H

#include "text/model.h"

/* Bits above the symbol. A piece never goes on over a boundary: a space, the Metaspace
 * sign, an added token. */
#define SYMBOL_BOUNDARY (UINT32_C(1) << 31)
#define SYMBOL_ADDED    (UINT32_C(1) << 30) /* the rest is an index into added.items */
#define SYMBOL_RUN      (UINT32_C(1) << 29) /* a Metaspace sign that was a run of spaces */
#define SYMBOL_MASK     (SYMBOL_RUN - 1)

/* The best way to a boundary between characters, for unigram.c. */
struct best_path {
    double score;
    uint32_t node;  /* the trie's node of the last piece, TRIE_NONE: unknown */
    uint32_t start; /* where the last piece begins */
};

struct symbol_stream {
    uint32_t *symbols;      /* [capacity] */
    uint32_t *begin, *end;  /* [capacity] bytes of the source */
    struct best_path *best; /* [capacity + 1] */
    size_t count, capacity;
};

CHECKED bool symbol_stream_reserve(struct symbol_stream *stream, size_t capacity);
void symbol_stream_release(struct symbol_stream *stream);

struct normalizer {
    const struct tokenizer *tokenizer;
    const char *text;
    size_t position, end; /* of the source: what is read next, and where it ends */
    /* Which source characters new ones stand for. It lags behind `position` by what was
     * removed at the very start, as in the reference. */
    size_t cursor;
    size_t before_begin; /* the character before the cursor */
    bool any, last_inserted, last_is_space, stripping;
};

void normalizer_start(struct normalizer *normalizer, const struct tokenizer *tokenizer,
                      const char *text, size_t begin, size_t end);

/* Appends until the stream holds `count` symbols or more, or the source ends. The last
 * symbol may still change until the source has ended. */
CHECKED bool normalizer_fill(struct normalizer *normalizer, struct symbol_stream *stream,
                             size_t count);

/* Make the tables for the unigram settings of a tokenizer whose trie is built: first what is
 * cheap and makes the flags of symbols, then what becomes of each character, which takes a
 * while and is kept in packed files. */
CHECKED rag_status normalizer_flags(struct tokenizer *tokenizer, rag_error *error);
CHECKED rag_status normalizer_entries(struct tokenizer *tokenizer, rag_error *error);

/* Whether entries and expansions that come from a file lead to symbols of the trie. */
bool normalizer_check(const struct tokenizer *tokenizer);

#endif
