/* cite.h - the citations of an answer: markers in its text, quotes in its passages.
 *
 * A marker is a number of a passage in brackets: [1], [1, 3], [2][3], 【1】. As the answer
 * arrives each becomes [1] or [1][3]; numbers that belong to no passage are dropped and
 * counted. In code, between backquotes, brackets are left alone. */
#ifndef RAG_PIPELINE_CITE_H
#define RAG_PIPELINE_CITE_H

#include "base/buf.h"

#include <stdbool.h>

/* A marker in the filtered text. */
struct marker {
    size_t number;   /* from 1 */
    size_t position; /* where in the text its bracket stands */
};

/* The bytes of a marker as it is written: "[12]". */
size_t marker_size(size_t number);

/* The marker of an ascending list at a position, NULL if there is none. */
const struct marker *marker_find(const struct marker *markers, size_t count, size_t position);

struct citer {
    size_t passages;     /* numbers 1..passages are valid */
    rag_text_fn on_text; /* gets the filtered text piece by piece; may be NULL */
    void *user;
    struct buf text; /* all of it */
    struct buf held; /* what may be a marker, from its bracket on */
    struct marker *markers;
    size_t marker_count, marker_capacity;
    size_t dropped;
    bool in_code, out_of_memory, stopped;
};

void citer_init(struct citer *citer, size_t passages, rag_text_fn on_text, void *user);
void citer_release(struct citer *citer);

/* The next piece of the answer, whole characters. False: out of memory, or on_text wants to
 * stop; see out_of_memory and stopped. */
CHECKED bool citer_feed(struct citer *citer, rag_text piece);
/* What was held back comes out. */
CHECKED bool citer_finish(struct citer *citer);

/* The part of a passage that bears a statement out best: neighbouring sentences, about
 * QUOTE_BYTES, that share the most with it, weighing long words more. Where nothing is
 * shared (another language) the passage's beginning. */
enum { QUOTE_BYTES = 360 };
CHECKED rag_status find_quote(rag_text passage, rag_text statement, size_t *begin, size_t *end,
                              rag_error *error);

/* The sentence of the answer that a marker at `position` stands behind. */
rag_text statement_before(rag_text answer, size_t position);

#endif
