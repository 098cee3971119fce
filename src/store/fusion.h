/* fusion.h - one ranking out of two.
 *
 * Reciprocal rank fusion (Cormack, Clarke, Buettcher, SIGIR 2009) is blind to how strong
 * each leg's evidence is, and ruins a good leg when the other sees nothing. So scores are
 * fused:
 *
 *   score = z + WEIGHT BM25 share
 *
 * z: the cosine less the mean of the dense list, in its standard deviations, so that models
 * with other ranges of cosines are treated alike. BM25: a sum of weights that are log-odds
 * (Robertson and Zaragoza 2009), so it is absolute and is not scaled by the best of its list,
 * which would make the best of nothing look like something. share: how much of the question's
 * words the chunk holds, by their idf, within 0..1. It sharpens what would else be added up
 * from words that many wrong passages have: in another language than the question's these are
 * numbers, names and chance, where passages of both languages are mixed words like "the".
 *
 * On six public sets this is never below the better leg, and the optimum of WEIGHT is flat:
 * docs/quality.md has the comparison, each set left out of the choice, and what else was tried.
 */
#ifndef RAG_STORE_FUSION_H
#define RAG_STORE_FUSION_H

#include "store/store.h"

/* BM25 over its ceiling, within 0..1 (1: every word of the question), less where even the best
 * of the list holds few of the words. It is what evidence.h was fitted with; fuse does without
 * it. */
double lexical_evidence(const struct scored_list *lexical, double ceiling, double score);

/* What the words say for a chunk, in the units of BM25. */
double lexical_support(const struct scored *lexical);

/* dense: cosines, best first; lexical: BM25, best first, with shares; lexical_dense:
 * [lexical->count] the cosines of the lexical list's chunks, NaN where not known (NULL: none
 * is). The k best of both. A chunk without a cosine counts as the last of the dense list. */
CHECKED rag_status fuse(const struct scored_list *dense, const struct scored_list *lexical,
                        const double *lexical_dense, size_t k, struct scored_list *out,
                        rag_error *error);

#endif
