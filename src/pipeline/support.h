/* support.h - whether the cited passages bear out what an answer says.
 *
 * Sentence by sentence, by what can be compared without a language model: quotes (word by word,
 * with a few differences allowed), numbers, names, and how much of its words stand in the
 * passages. That finds what was made up; it does not prove a conclusion.
 *
 * A sentence without a marker rests on those of its paragraph. Where a sentence and its
 * passages are written in different scripts only numbers are compared. */
#ifndef RAG_PIPELINE_SUPPORT_H
#define RAG_PIPELINE_SUPPORT_H

#include "pipeline/cite.h"

enum {
    SUPPORT_MAX_ANSWER = 1 << 18,    /* bytes that are looked at; what follows is not */
    SUPPORT_MAX_STATEMENT = 1 << 12, /* bytes; a longer one is no sentence, and unchecked */
    SUPPORT_LEAST_NUMBER = 10,       /* smaller ones are counted, not quoted */
};

/* Shares of the words' weight: from SUPPORT_FULL on a sentence is supported, below
 * SUPPORT_LITTLE it is not. docs/quality.md has what they tell apart. */
#define SUPPORT_FULL   0.5
#define SUPPORT_LITTLE 0.25

struct statements {
    rag_statement *items; /* in order; their texts are parts of the answer's */
    size_t count, capacity;
};

/* Replaces nothing: `out` must be empty. passages[n - 1] is what a marker of number n stands
 * for, 1 <= n <= count; the markers by position. To be freed with statements_release. */
RAG_CHECKED rag_status support_check(rag_text answer, const struct marker *markers,
                                     size_t marker_count, const rag_text *passages,
                                     size_t count, struct statements *out, rag_error *error);
void statements_release(struct statements *statements);

#endif
