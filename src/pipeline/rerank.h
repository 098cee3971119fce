/* rerank.h - scoring passages against a question a second time, more closely. */
#ifndef RAG_PIPELINE_RERANK_H
#define RAG_PIPELINE_RERANK_H

#include "pipeline/pipeline.h"

/* rag_rerank without its options. scores: [count], higher is better. */
CHECKED rag_status rerank_passages(rag_model *model, rag_text query, const rag_text *passages,
                                   size_t count, const struct events *events, float *scores,
                                   rag_error *error);

#endif
