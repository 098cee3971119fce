#include "store/rotation.h"
#include "base/memory.h"

#include <math.h>

/* SplitMix64 (Steele, Lea, Flood, 2014): the same signs on every machine, for ever: they are
 * part of the cache file's format. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* The window of components that a round transforms: the first ones and the last in turn. */
static size_t window(const struct rotation *rotation, size_t round)
{
    return round % 2 ? rotation->width - rotation->span : 0;
}

bool rotation_init(struct rotation *rotation, size_t width)
{
    size_t span = 64;
    while (span * 2 <= width)
        span *= 2;
    *rotation = (struct rotation){
        .width = width, .span = span, .signs = alloc_aligned(width, ROTATION_ROUNDS * 4)};
    if (!rotation->signs)
        return false;
    uint64_t state = 0x7261672d63616368u, random = 0;
    float scale = 1 / sqrtf((float)span);
    float *sign = rotation->signs;
    for (size_t round = 0; round < ROTATION_ROUNDS; round++) {
        size_t first = window(rotation, round);
        for (size_t i = 0; i < width; i++, random >>= 1) {
            if (i % 64 == 0)
                random = next_random(&state);
            float size = i >= first && i - first < span ? scale : 1;
            *sign++ = random & 1 ? size : -size;
        }
    }
    return true;
}

void rotation_release(struct rotation *rotation)
{
    free(rotation->signs);
    *rotation = (struct rotation){0};
}

static void butterfly(float *a, float *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float sum = a[i] + b[i];
        b[i] = a[i] - b[i];
        a[i] = sum;
    }
}

/* Steps of 1, 2, 4 and 8 within 16 components. */
static void transform_16(float *x)
{
    for (size_t step = 1; step < 16; step *= 2)
        for (size_t i = 0; i < 16; i += 2 * step)
            butterfly(x + i, x + i + step, step);
}

static void transform(float *x, size_t n)
{
    for (size_t i = 0; i < n; i += 16)
        transform_16(x + i);
    for (size_t step = 16; step < n; step *= 2)
        for (size_t i = 0; i < n; i += 2 * step)
            butterfly(x + i, x + i + step, step);
}

void rotation_apply(const struct rotation *rotation, float *vector)
{
    size_t width = rotation->width;
    for (size_t round = 0; round < ROTATION_ROUNDS; round++) {
        const float *signs = rotation->signs + round * width;
        for (size_t i = 0; i < width; i++)
            vector[i] *= signs[i];
        transform(vector + window(rotation, round), rotation->span);
        if (rotation->span == width)
            continue;
        butterfly(vector, vector + width / 2, width / 2);
        for (size_t i = 0; i < width; i++)
            vector[i] *= 0.70710678f;
    }
}
