/* attention.h - softmax(Q K^T / sqrt(head_size)) V for one head of one sequence.
 *
 * Tiles of queries and keys with an online softmax (Dao et al., "FlashAttention", NeurIPS
 * 2022): memory grows with the length of the sequence, not with its square. */
#ifndef RAG_ENCODER_ATTENTION_H
#define RAG_ENCODER_ATTENTION_H

#include "encoder/kernels.h"

/* Floats of scratch that attend needs. */
size_t attention_scratch(size_t tokens, size_t head_size);

/* q, k, v: [tokens x head_size] each, row stride `stride`. The first `queries` rows of the
 * result go to out [queries x head_size], row stride out_stride. A row's bits do not depend
 * on how many are asked for. scratch: 64-byte aligned. */
void attend(const struct kernels *kernels, size_t tokens, size_t queries, size_t head_size,
            const float *q, const float *k, const float *v, size_t stride, float *out,
            size_t out_stride, float *scratch);

#endif
