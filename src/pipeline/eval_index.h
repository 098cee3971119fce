/* eval_index.h - the passages of a set in an index.
 *
 * Each is one document of one chunk, so that everything from the embedding to the reranking is
 * what a user's search does. */
#ifndef RAG_PIPELINE_EVAL_INDEX_H
#define RAG_PIPELINE_EVAL_INDEX_H

#include "pipeline/evalset.h"
#include "pipeline/pipeline.h"

/* Passages that are in a kept index already are not embedded again. `temporary`: nobody waits
 * for the disk. RAG_INDEX_MISMATCH: the index holds something else too. */
CHECKED rag_status eval_index_fill(rag_index *index, const struct eval_texts *passages,
                                   bool temporary, const struct events *events,
                                   rag_error *error);

#endif
