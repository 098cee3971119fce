/* search.h - hits, as search makes them and answers keep them. */
#ifndef RAG_PIPELINE_SEARCH_H
#define RAG_PIPELINE_SEARCH_H

#include "pipeline/pipeline.h"

struct rag_hits {
    rag_hit *items;              /* best first */
    struct stored_chunk *chunks; /* what the items point into */
    size_t count;
    double evidence; /* that the documents answer the question, evidence.h; NaN: not known */
};

/* rag_search for a caller that holds index->lock. */
CHECKED rag_status search_index(rag_index *index, rag_text question,
                                const rag_search_options *options, rag_hits **out,
                                rag_error *error);

/* Drops the hits from `count` on. */
void hits_truncate(rag_hits *hits, size_t count);

#endif
