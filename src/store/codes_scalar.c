/* The reference. */
#include "store/codes_inline.h"
#include "store/dot.h"

#include <math.h>

static uint32_t distance(const struct code_query *query, const uint32_t *block, size_t row)
{
    const uint8_t *bytes = (const uint8_t *)block + row, *table = query->tables;
    uint32_t sum = 0;
    for (size_t w = 0; w < query->prefix; w++, table += CODE_TABLES)
        for (size_t b = 0; b < 4; b++) {
            uint8_t byte = bytes[(4 * w + b) * CODE_ROWS];
            sum += table[b * CODE_NIBBLES + byte % 16];
            sum += table[(4 + b) * CODE_NIBBLES + byte / 16];
        }
    return sum;
}

static int16_t whole_bound(float bound)
{
    float whole = ceilf(bound * CODE_BOUND_SCALE);
    if (!(whole > INT16_MIN)) /* damaged codes give NaN */
        return INT16_MIN;
    return whole > INT16_MAX ? INT16_MAX : (int16_t)whole;
}

static void scan(const struct code_query *query, const uint32_t *blocks, size_t count,
                 int16_t *bounds)
{
    for (size_t i = 0; i < count * CODE_ROWS; i++) {
        const uint32_t *block = blocks + i / CODE_ROWS * query->block;
        uint32_t pair = block[query->prefix * CODE_ROWS + i % CODE_ROWS];
        uint32_t h = distance(query, block, i % CODE_ROWS);
        bounds[i] =
            whole_bound(code_bound(code_float(pair & 0xffff0000u), code_float(pair << 16),
                                   query->base, query->step, h));
    }
}

static float dot(const int8_t *row, const float *vector, size_t n)
{
    float sums[DOT_BLOCK] = {0};
    for (size_t i = 0; i < n; i += DOT_BLOCK)
        for (size_t j = 0; j < DOT_BLOCK; j++)
            sums[j] += (float)row[i + j] * vector[i + j];
    return dot_add_up(sums);
}

const struct code_kernels code_kernels_scalar = {scan, sift_by_blocks, differ_by_words, dot};
