/* attention.h - softmax(Q K^T / sqrt(head_size)) V for one head of one sequence.
 *
 * Tiles of queries and keys with an online softmax (Dao et al., "FlashAttention", NeurIPS
 * 2022): memory grows with the length of the sequence, not with its square. attention.c
 * computes in f32, attention_bf16.c takes bf16 products with f32 sums. */
#ifndef RAG_ENCODER_ATTENTION_H
#define RAG_ENCODER_ATTENTION_H

#include "encoder/kernels.h"
#include "encoder/tiles.h"

struct attention {
    const struct kernels *kernels;
    const struct tile_kernels *tiles; /* of attend_bf16; with fast_bf16, or the reference */
    size_t tokens, head_size;
    const void *q, *k, *v; /* [tokens x head_size] each: floats; attend_bf16: bf16, with room
                              behind their rows for a tile's (tiles.h) */
    size_t stride;         /* of their rows, in elements */
    size_t out_stride;
    bool int8_scores; /* attend_bf16: Q K^T in int8; for heads up to ATTENTION_MAX_HEAD */
};

enum { ATTENTION_MAX_HEAD = 1024 };

/* Floats of scratch that they need. */
size_t attention_scratch(size_t tokens, size_t head_size);
size_t attention_bf16_scratch(size_t tokens, size_t head_size);

/* The first `queries` rows of the result into out [queries x head_size]. A row's bits do not
 * depend on how many are asked for. scratch: 64-byte aligned. */
void attend(const struct attention *attention, size_t queries, float *out, float *scratch);
void attend_bf16(const struct attention *attention, size_t queries, float *out, float *scratch);

#endif
