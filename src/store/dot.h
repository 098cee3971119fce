/* dot.h - inner products. The same bits on every machine: 64 partial sums, element i going
 * to sum i mod 64, each product rounded (no fused multiply-add), added up in one order. */
#ifndef RAG_STORE_DOT_H
#define RAG_STORE_DOT_H

#include <stddef.h>

enum { DOT_BLOCK = 64 }; /* floats: `n` is a multiple of it, vectors are padded with zeros */

typedef float dot_fn(const float *a, const float *b, size_t n);

/* Halves the sums until one is left; they are lost. */
float dot_add_up(float sums[DOT_BLOCK]);

dot_fn dot_plain; /* the reference */
dot_fn *dot_best(void);

/* The i-th version that this machine can run (0: the reference), NULL past the last. */
dot_fn *dot_version(size_t i);

#endif
