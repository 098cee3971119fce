/* evidence.h - how likely it is that the documents answer a question at all.
 *
 * Scores of embedding models have no absolute meaning: with e5 unrelated texts have cosines of
 * 0.7 to 0.83, and other ones in another language. Two measures have one:
 *
 *   margin  the best score of late interaction less the mean of the other candidates': a
 *           passage that answers stands out from its neighbours, also across languages
 *   words   the lexical evidence of the best passage (fusion.h)
 *
 * Either may speak for an answer, so their logistic models are joined as 1 - (1-p)(1-q)
 * (noisy-or). The constants have the greatest likelihood on six public sets, each weighing the
 * same, whose questions were asked of one half of the documents, with their answer in it or
 * not. docs/quality.md has the trade-off of each threshold, each set left out of its own fit;
 * bench/evidence.py measures it. */
#ifndef RAG_PIPELINE_EVIDENCE_H
#define RAG_PIPELINE_EVIDENCE_H

#include <stddef.h>

/* The default of rag_ask_options.min_evidence. */
#define EVIDENCE_THRESHOLD 0.1

/* late: [count] scores of late interaction; words: [count], 0..1. NaN with fewer than
 * EVIDENCE_MIN_CANDIDATES, for a margin over few passages means nothing. */
enum { EVIDENCE_MIN_CANDIDATES = 10 };
double evidence_estimate(const double *late, const double *words, size_t count);

#endif
