/* codes_inline.h - what several versions of the kernels share, compiled for the instructions of
 * each. */
#ifndef RAG_STORE_CODES_INLINE_H
#define RAG_STORE_CODES_INLINE_H

#include "store/codes.h"

/* Bounds that reach far are rare, so a block's worth of them is judged at once. */
static inline size_t sift_by_blocks(const int16_t *bounds, size_t count, int16_t least,
                                    uint32_t first, uint32_t *rows)
{
    size_t hits = 0;
    for (size_t i = 0; i < count; i += CODE_ROWS) {
        int16_t any = 0;
        for (size_t j = 0; j < CODE_ROWS; j++)
            any |= (int16_t) - (bounds[i + j] >= least);
        for (size_t j = 0; any && j < CODE_ROWS; j++)
            if (bounds[i + j] >= least)
                rows[hits++] = first + (uint32_t)(i + j);
    }
    return hits;
}

/* The bound of a fine code, 64 bits at a time. */
static inline float fine_by_words(const struct code_query *query, const uint32_t *fine)
{
    size_t words = query->planes / 2;
    uint32_t h = 0;
    for (size_t w = 0; w < words; w++) {
        uint64_t upper, lower;
        memcpy(&upper, fine + 2 * w, sizeof upper);
        memcpy(&lower, fine + query->planes + 2 * w, sizeof lower);
        for (unsigned j = 0; j < CODE_PLANES; j++) {
            uint64_t plane = query->rows[j * words + w];
            unsigned differ = 2 * (unsigned)__builtin_popcountll(upper ^ plane) +
                              (unsigned)__builtin_popcountll(lower ^ plane);
            h += (uint32_t)differ << j;
        }
    }
    const uint32_t *factors = fine + 2 * query->planes;
    return code_bound(code_float(factors[0]), code_float(factors[1] & 0xffff0000u),
                      query->fine_base, query->step / 2, h);
}

#endif
