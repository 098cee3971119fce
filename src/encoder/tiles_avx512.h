/* tiles_avx512.h - what tiles_avx512.c and tiles_amx.c share: rows on their way into and out
 * of products. */
#ifndef RAG_ENCODER_TILES_AVX512_H
#define RAG_ENCODER_TILES_AVX512_H

#include "encoder/tiles.h"

#include <immintrin.h>

/* 16 sums of an int8 product as floats. */
static inline __m512 tile_unscale(__m512i sum, const struct tile_matrix *w, size_t column,
                                  __m512 row_scale)
{
    __m512 scale = _mm512_mul_ps(row_scale, _mm512_loadu_ps(w->scale + column));
    return _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), scale, _mm512_loadu_ps(w->bias + column));
}

static inline __m512 tile_row_scale(const struct tile_rows *x, size_t row)
{
    return _mm512_set1_ps(*(const float *)((const char *)x->scale + row * x->stride));
}

float tiles_avx512_quantise(const float *x, const float *factor, size_t n, uint8_t *q);
void tiles_avx512_to_bf16(const float *x, float factor, size_t n, uint16_t *y);
void tiles_avx512_softmax(const float *s, size_t s_stride, size_t rows, size_t keys, float *max,
                          float *sum, float *factor, uint16_t *p, size_t p_stride);
void tiles_avx512_pack_keys(const float *k, size_t stride, size_t count, size_t size,
                            uint16_t *packed);
void tiles_avx512_pack_values(const float *v, size_t stride, size_t count, size_t size,
                              uint16_t *packed);

#endif
