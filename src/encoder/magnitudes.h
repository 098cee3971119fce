/* magnitudes.h - how great the inputs of each product of a model are, column by column, and how
 * much of them is lost when they are rounded.
 *
 * int8 needs to know it when it packs (matmul.h). It is a property of the
 * model, seen on any texts: a few columns are large in all of them. */
#ifndef RAG_ENCODER_MAGNITUDES_H
#define RAG_ENCODER_MAGNITUDES_H

#include "encoder/encoder.h"

/* Of all products of all layers, one behind the other: of each column of what a product takes
 * the greatest magnitude, and the mean. */
struct magnitudes {
    float *greatest, *mean; /* [count] */
    size_t count;
};

void magnitudes_release(struct magnitudes *magnitudes);

/* Where those of a product begin. */
size_t magnitudes_at(const struct model_config *config, size_t layer, size_t product);

/* Runs sequences through an encoder in f32, on one thread. To be released, also on failure. */
CHECKED rag_status magnitudes_measure(struct encoder *encoder, const struct sequence *sequences,
                                      size_t n, struct magnitudes *out, rag_error *error);

/* Runs sequences through an encoder in bf16 or int8, on one thread: errors [encoder_products],
 * how much of their inputs' square norm operands lose, on the mean. */
CHECKED rag_status errors_measure(struct encoder *encoder, const struct sequence *sequences,
                                  size_t n, double *errors, rag_error *error);

/* A row that a product takes, and its operand. */
void magnitudes_note(const struct encoder *encoder, size_t layer, size_t product,
                     const float *x);
void errors_note(const struct encoder *encoder, size_t layer, size_t product, const float *x,
                 const void *operand);
void errors_note_bf16(const struct encoder *encoder, size_t layer, size_t product,
                      const uint16_t *x, const void *operand);

#endif
