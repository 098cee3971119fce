/* reference.h - a model of tests/data/encoder with what transformers computes for it. */
#ifndef RAG_TESTS_ENCODER_REFERENCE_H
#define RAG_TESTS_ENCODER_REFERENCE_H

#include "encoder/encoder.h"

#include <stdbool.h>

struct reference {
    struct model_config config;
    struct checkpoint *checkpoint;
    size_t count, tokens; /* sequences, and their tokens in all */
    struct sequence *sequences;
    size_t *offsets; /* [count] first token of each */
    int32_t *ids;    /* [tokens] */
    uint8_t *types;  /* [tokens] */
    /* NULL where the model has no such head */
    float *hidden; /* [tokens x hidden] */
    float *pooled; /* [count x hidden] */
    float *sparse; /* [tokens] */
    float *multi;  /* [tokens x hidden] */
    float *logits; /* [count] */
};

/* Ends the test if it cannot be read. */
void reference_open(struct reference *reference, const char *name);
void reference_close(struct reference *reference);

/* Results of an encoder for all that the model has, allocated. */
struct results {
    struct encoder_output out;
    size_t hidden, pooled, sparse, multi, logits; /* floats in each */
};

void results_init(struct results *results, const struct encoder *encoder, size_t hidden,
                  size_t count, size_t tokens);
void results_release(struct results *results);

float greatest_difference(const float *a, const float *b, size_t n);
double cosine(const float *a, const float *b, size_t n);

#endif
