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

/* 64 bits at a time. */
static inline void differ_by_words(const struct code_query *query, const struct code_part *part,
                                   const uint32_t *rows, size_t count, uint32_t *h)
{
    const uint64_t *planes = query->rows + part->first;
    size_t stride = query->planes / 2;
    for (size_t i = 0; i < count; i++) {
        const uint32_t *words = part->codes + rows[i] * part->stride;
        h[i] = 0;
        for (size_t w = 0; w < part->pairs; w++) {
            uint64_t word;
            memcpy(&word, words + 2 * w, sizeof word);
            for (unsigned j = 0; j < CODE_PLANES; j++)
                h[i] += (uint32_t)__builtin_popcountll(word ^ planes[j * stride + w]) << j;
        }
    }
}

#endif
