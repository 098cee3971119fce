#include "store/vectors.h"

#include "support/test.h"

#include <math.h>
#include <stdlib.h>

static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* Nearly normal: the sum of eight uniform numbers, of variance 1. */
static double noise(uint64_t *state)
{
    uint64_t a = next_random(state), b = next_random(state);
    double sum = 0;
    for (int i = 0; i < 4; i++, a >>= 16, b >>= 16)
        sum += (double)(a & 0xffff) + (double)(b & 0xffff);
    return (sum / 65535 - 4) * sqrt(1.5);
}

void clustered_vector(uint64_t seed, size_t clusters, size_t dimension, float *vector)
{
    uint64_t state = seed * 0x2545f4914f6cdd1du + 1;
    uint64_t centre = next_random(&state) % clusters * 7919 + 5;
    double square = 0;
    for (size_t i = 0; i < dimension; i++) {
        double x = noise(&centre) + noise(&state) + (i % 7 == 0); /* a narrow cone */
        vector[i] = (float)x;
        square += x * x;
    }
    for (size_t i = 0; i < dimension; i++)
        vector[i] = (float)((double)vector[i] / sqrt(square));
}

float *clustered_vectors(uint64_t first, size_t count, size_t clusters, size_t dimension)
{
    float *vectors = malloc(count * dimension * sizeof *vectors);
    assert_non_null(vectors);
    for (size_t i = 0; i < count; i++)
        clustered_vector(first + i, clusters, dimension, vectors + i * dimension);
    return vectors;
}

double exact_product(const float *a, const float *b, size_t dimension)
{
    double sum = 0;
    for (size_t i = 0; i < dimension; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}
