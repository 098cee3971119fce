/* large.h - a text that is too large for memory on its way into an index.
 *
 * It is read twice. First it is cut only, for the store wants to know how many chunks there
 * will be; then stretch by stretch it is cut, embedded and written, each time after a few
 * seconds of the encoder's work. A wish to stop is heeded after each; what was written serves
 * the next run, and no search finds it before all is there. */
#ifndef RAG_PIPELINE_LARGE_H
#define RAG_PIPELINE_LARGE_H

#include "documents/stretches.h"
#include "pipeline/jobs.h"

/* Puts it in, or counts what would be (run->dry). What else is gathered must be written before.
 * The index has its model. metadata: NULL, or what is kept with it in the place of its own,
 * with the run's over them. RAG_INPUT: the file is to be skipped. RAG_INTERRUPTED: run->stop.
 */
CHECKED rag_status large_put(struct run *run, struct stretches *stretches, const char *path,
                             const char *metadata, bool update, rag_error *error);

#endif
