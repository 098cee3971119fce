/* metrics.h - how good a ranking is. Each within 0..1. */
#ifndef RAG_PIPELINE_METRICS_H
#define RAG_PIPELINE_METRICS_H

#include <stddef.h>

/* A query's ranking: grades[i] is the relevance (0: none) of what stands at place i. All
 * relevant passages of the query, ranked or not: `relevant` many; `ideal` are their grades in
 * descending order [relevant]. */
struct ranking {
    const double *grades;
    size_t count;
    const double *ideal;
    size_t relevant;
};

/* Share of the relevant passages among the first k. */
double recall_at(const struct ranking *ranking, size_t k);

/* 1 / place of the first relevant passage among the first k, else 0. */
double reciprocal_rank_at(const struct ranking *ranking, size_t k);

/* Normalised discounted cumulative gain with gain = grade and discount 1 / log2(place + 1)
 * (Jaervelin and Kekaelaeinen, TOIS 2002), as trec_eval's ndcg_cut. */
double ndcg_at(const struct ranking *ranking, size_t k);

#endif
