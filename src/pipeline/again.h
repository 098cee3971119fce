/* again.h - a document of one index on its way into another, made from what the first has of
 * it.
 */
#ifndef RAG_PIPELINE_AGAIN_H
#define RAG_PIPELINE_AGAIN_H

#include "pipeline/jobs.h"

/* Cuts a document of the store `source` as the run does, and gathers it, or, if it is large,
 * puts it in. One that has gone, or has been changed, since it was listed is passed over, or is
 * not what was listed: the caller compares again. */
CHECKED rag_status again_take(struct run *run, struct store *source,
                              const struct store_content *content, rag_error *error);

#endif
