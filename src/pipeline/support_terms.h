/* support_terms.h - a text as what of it can be compared: words, numbers, the script. */
#ifndef RAG_PIPELINE_SUPPORT_TERMS_H
#define RAG_PIPELINE_SUPPORT_TERMS_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A folded term (text/words.h) by its hash. */
struct support_term {
    uint64_t hash;
    size_t begin, end; /* bytes of the text */
    double weight;     /* longer terms are rarer and say more */
    bool colocated;
};

struct support_number {
    double value;
    size_t begin, end;
};

enum support_script { SCRIPT_NONE, SCRIPT_LATIN, SCRIPT_HAN, SCRIPT_OTHER };

struct support_terms {
    struct support_term *terms; /* in order */
    size_t count, capacity;
    uint64_t *known; /* [count] hashes, ascending */
    struct support_number *numbers;
    size_t number_count, number_capacity;
    enum support_script script; /* of most letters */
};

CHECKED rag_status support_terms_read(rag_text text, struct support_terms *out,
                                      rag_error *error);
void support_terms_release(struct support_terms *terms);

bool support_terms_have(const struct support_terms *terms, uint64_t hash);
bool support_terms_have_number(const struct support_terms *terms, double value);

/* Whether the terms first..last-1 of `quote`, one at a place, stand in `terms` one behind the
 * other, with at most one in ten different, missing or too many. Scratch memory is allocated:
 * *found is set, or RAG_MEMORY. */
CHECKED rag_status support_terms_contain(const struct support_terms *terms,
                                         const struct support_terms *quote, size_t first,
                                         size_t last, bool *found, rag_error *error);

#endif
