/* precision.h - the encoder of a model in the precision that is wanted. */
#ifndef RAG_PIPELINE_PRECISION_H
#define RAG_PIPELINE_PRECISION_H

#include "pipeline/pipeline.h"

/* The least cosine with f32 of any sample text, from which on AUTO takes a precision. */
#define AGREEMENT_INT8 0.999
#define AGREEMENT_BF16 0.9999

/* Gives the model, which is open but for that, its encoder. Packed weights come from the cache
 * (model/packed_files.h); if there are none, or they are damaged or another model's, they are
 * packed and stored. That they cannot be stored is told by an event and costs time alone. */
CHECKED rag_status precision_open(rag_model *model, const struct hash *identity,
                                  rag_precision wanted, unsigned threads,
                                  const struct events *events, rag_error *error);

const char *precision_name(rag_precision precision);

#endif
