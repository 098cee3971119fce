/* fusion.h - one ranking out of two.
 *
 * Reciprocal rank fusion (Cormack, Clarke, Buettcher, SIGIR 2009) is blind to how strong
 * each leg's evidence is, and ruins a good leg when the other sees nothing. So scores are
 * fused: docs/quality.md has the comparison.
 *
 *   score = z + WEIGHT evidence
 *
 * z: the cosine less the mean of the dense list, in its standard deviations; evidence: how
 * much of the question's words are there. */
#ifndef RAG_STORE_FUSION_H
#define RAG_STORE_FUSION_H

#include "store/store.h"

/* BM25 over its ceiling, an absolute measure within 0..1 (1: every word of the question),
 * less where even the best of the list holds few of the words: for a question in another
 * language than the passages the lexical leg fades out. */
double lexical_evidence(const struct scored_list *lexical, double ceiling, double score);

/* dense: cosines, best first; lexical: BM25, best first, with its ceiling; lexical_dense:
 * [lexical->count] the cosines of the lexical list's chunks, NaN where not known (NULL: none
 * is). The k best of both. A chunk without a cosine counts as the last of the dense list. */
CHECKED rag_status fuse(const struct scored_list *dense, const struct scored_list *lexical,
                        double ceiling, const double *lexical_dense, size_t k,
                        struct scored_list *out, rag_error *error);

#endif
