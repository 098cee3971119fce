/* synthetic.h - a checkpoint of random weights that is nowhere stored: it takes the place of
 * src/model/checkpoint.h in a benchmark, so that a model of any shape can be timed. */
#ifndef RAG_BENCH_SYNTHETIC_H
#define RAG_BENCH_SYNTHETIC_H

#include "model/checkpoint.h"
#include "model/config.h"

struct checkpoint *synthetic_new(const struct model_config *config);
void synthetic_free(struct checkpoint *checkpoint);

#endif
