/* rotation.h - one fixed random rotation of vectors of any length.
 *
 * What a code keeps of a vector is the signs of its components, which says most where the
 * components are alike in size and independent. A random rotation makes them so, whatever the
 * model. A matrix would cost n^2; here, as in the fast Johnson-Lindenstrauss transform (Ailon,
 * Chazelle, 2006), rounds of random signs and a Walsh-Hadamard transform cost n log n. Where n
 * is no power of two, the transform covers the first and the last 2^k components in turn, and
 * the two halves are mixed after each (as RaBitQ's own library does).
 *
 * Multiplications and additions stand in one order, none fused: the same bits on every machine.
 */
#ifndef RAG_STORE_ROTATION_H
#define RAG_STORE_ROTATION_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

enum { ROTATION_ROUNDS = 4 };

struct rotation {
    size_t width, span; /* of vectors; the greatest power of two that is not more */
    float *signs; /* [ROTATION_ROUNDS x width]: +-1, times what makes a round a rotation */
};

/* width: a multiple of 64. False: out of memory. */
CHECKED bool rotation_init(struct rotation *rotation, size_t width);
void rotation_release(struct rotation *rotation);

/* In place. vector: [width], 64-byte aligned. */
void rotation_apply(const struct rotation *rotation, float *vector);

#endif
