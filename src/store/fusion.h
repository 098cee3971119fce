/* fusion.h - one ranking out of two.
 *
 * Reciprocal rank fusion (Cormack, Clarke, Buettcher, SIGIR 2009) is blind to how strong
 * each leg's evidence is, and ruins a good leg when the other sees nothing. So scores are
 * fused: docs/quality.md has the comparison.
 *
 *   score = z + WEIGHT evidence min(1, strongest / FULL)
 *
 * z: the cosine less the mean of the dense list, in its standard deviations; evidence: BM25
 * over its ceiling, an absolute measure of how much of the question's words are there (1: all);
 * strongest: the best evidence in the lexical list. Where no passage holds much of the words
 * (a question in another language), the lexical leg fades out. */
#ifndef RAG_STORE_FUSION_H
#define RAG_STORE_FUSION_H

#include "store/store.h"

/* dense: cosines, best first; lexical: BM25, best first, with its ceiling. The k best of
 * both. A chunk that the dense list lacks counts as the last of it. */
CHECKED rag_status fuse(const struct scored_list *dense, const struct scored_list *lexical,
                        double lexical_ceiling, size_t k, struct scored_list *out,
                        rag_error *error);

/* The same where the cosines of the lexical list's chunks are known too: lexical_dense
 * [lexical->count], NaN where not. They do not count in the mean and the deviation. */
CHECKED rag_status fuse_scored(const struct scored_list *dense,
                               const struct scored_list *lexical, double lexical_ceiling,
                               const double *lexical_dense, size_t k, struct scored_list *out,
                               rag_error *error);

#endif
