/* vectors.h - vectors in clusters, as those of real texts are, that depend on a seed alone. */
#ifndef RAG_TESTS_STORE_VECTORS_H
#define RAG_TESTS_STORE_VECTORS_H

#include <stddef.h>
#include <stdint.h>

/* A unit vector: one of `clusters` centres, and noise as strong as it. */
void clustered_vector(uint64_t seed, size_t clusters, size_t dimension, float *vector);

/* [count x dimension]: those of seeds first, first + 1, ...; to be freed. */
float *clustered_vectors(uint64_t first, size_t count, size_t clusters, size_t dimension);

double exact_product(const float *a, const float *b, size_t dimension);

#endif
