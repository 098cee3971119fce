/* added_tokens.h - the tokens that a text may hold written out, such as "<mask>". They are
 * cut out before the model sees the text. */
#ifndef RAG_TEXT_ADDED_TOKENS_H
#define RAG_TEXT_ADDED_TOKENS_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

enum { ADDED_TOKENS_MAX = 1 << 16, ADDED_TOKENS_MAX_TEXT = 1 << 24 };

struct added_token {
    int32_t id;
    uint32_t offset, size; /* of its text in added_tokens.text */
    bool lstrip, rstrip;   /* takes the white space before, behind it */
    bool normalized;       /* is looked for in the normalised text */
    bool special;
};

struct added_tokens {
    struct added_token *items; /* [count] */
    size_t count, capacity;
    struct buf text;
    /* Of those that are looked for in the source: sorted by first byte, then longest
     * first; raw_first[b]..raw_first[b + 1] are those that begin with byte b. */
    uint32_t *raw; /* [raw_count] into items */
    size_t raw_count;
    uint32_t raw_first[257];
    int only_byte; /* the one first byte there is, -1 if there are several */
};

void added_tokens_init(struct added_tokens *tokens);
void added_tokens_release(struct added_tokens *tokens);
CHECKED rag_status added_tokens_push(struct added_tokens *tokens, struct added_token token,
                                     const char *text, size_t size, rag_error *error);
/* Call when all are there and before the first search. */
CHECKED rag_status added_tokens_prepare(struct added_tokens *tokens, rag_error *error);

struct added_match {
    const struct added_token *token;
    size_t begin, end; /* with the white space that it takes */
};

/* The first token (of those at one place the longest) in text[from..size); it takes no
 * white space before `from`, where the match before ended. */
bool added_tokens_next(const struct added_tokens *tokens, const char *text, size_t size,
                       size_t from, struct added_match *match);

#endif
