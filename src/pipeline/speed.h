/* speed.h - how many tokens a second a model embeds on this machine, to say how long something
 * will take.
 *
 * Each long enough run leaves its speed, reading and writing included, in the model's folder of
 * packed files: a file of one number for each precision and number of threads. It may be
 * deleted at any time. */
#ifndef RAG_PIPELINE_SPEED_H
#define RAG_PIPELINE_SPEED_H

#include "pipeline/pipeline.h"

enum { SPEED_LEAST_TOKENS = 1 << 13 }; /* below it a run says little */

/* Keeps the speed of a run; one that cannot be kept is not missed. threads: as in
 * rag_model_options. */
void speed_note(const rag_model *model, unsigned threads, uint64_t tokens, double seconds);

/* What is kept; 0: nothing. */
double speed_known(const rag_model *model, unsigned threads);

/* Embeds a sample, for about a second. */
CHECKED rag_status speed_measure(rag_model *model, const struct events *events,
                                 double *tokens_per_second, rag_error *error);

#endif
