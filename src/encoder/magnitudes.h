/* magnitudes.h - how great the inputs of each product of a model are, column by column.
 *
 * int8 needs to know it when it packs (matmul.h, matmul_new_smoothed). It is a property of the
 * model, seen on any texts: a few columns are large in all of them. */
#ifndef RAG_ENCODER_MAGNITUDES_H
#define RAG_ENCODER_MAGNITUDES_H

#include "encoder/encoder.h"

/* Floats of the magnitudes of all products of all layers. */
size_t magnitudes_count(const struct model_config *config);

/* Where in them those of a product begin. */
size_t magnitudes_at(const struct model_config *config, size_t layer, size_t product);

/* Runs sequences through an encoder in f32, on one thread, and notes the greatest magnitude of
 * each column: magnitudes [magnitudes_count]. */
CHECKED rag_status magnitudes_measure(struct encoder *encoder, const struct sequence *sequences,
                                      size_t n, float *magnitudes, rag_error *error);

/* A row that a product takes. */
void magnitudes_note(const struct encoder *encoder, size_t layer, size_t product,
                     const float *x);

#endif
