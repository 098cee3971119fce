/* sparse_leg.h - the third leg of a hybrid search, where the index holds weights of tokens:
 * what bge-m3 says of two texts is the cosine of their vectors plus a part of their lexical
 * matching score, and both together take the place of the cosine in the fusion with words.
 *
 * Its authors weigh dense to sparse 1 to 0.3 ("M3-Embedding", arXiv 2402.03216), and 0.4 to 0.2
 * in an example of theirs. The former is taken here: no weights of bge-m3 were at hand to
 * measure it. */
#ifndef RAG_PIPELINE_SPARSE_LEG_H
#define RAG_PIPELINE_SPARSE_LEG_H

#include "pipeline/candidates.h"

/* Makes of the dense list, of which `dense` is as deep as asked for, the list of the `depth`
 * best by both scores. Nothing changes without weights of the question. */
CHECKED rag_status sparse_join(struct search *search, size_t depth, struct scored_list *dense,
                               rag_error *error);

/* Adds the sparse part to the cosines [list->count] of a list's chunks. */
CHECKED rag_status sparse_add(const struct search *search, const struct scored_list *list,
                              double *cosines, rag_error *error);

/* Gives the candidates their scores in both legs, each by itself. */
CHECKED rag_status sparse_note(struct search *search, rag_error *error);

#endif
