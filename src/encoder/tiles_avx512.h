/* tiles_avx512.h - what the files of the AVX-512 levels share. */
#ifndef RAG_ENCODER_TILES_AVX512_H
#define RAG_ENCODER_TILES_AVX512_H

#include "encoder/inline.h"
#include "encoder/polynomials.h"
#include "encoder/tiles.h"

#include <immintrin.h>

static inline __m512 tile_gelu(__m512 x)
{
    static const float c[] = ERF_SHORT_POLYNOMIAL;
    __m512 bound = _mm512_set1_ps(ERF_BOUND), z = _mm512_mul_ps(x, _mm512_set1_ps(SQRT_HALF));
    /* min and max give their second argument if it is NaN. */
    z = _mm512_min_ps(bound, _mm512_max_ps(_mm512_sub_ps(_mm512_setzero_ps(), bound), z));
    __m512 u =
        _mm512_fmadd_ps(_mm512_mul_ps(z, z), _mm512_set1_ps(ERF_SCALE), _mm512_set1_ps(-1));
    __m512 p = _mm512_set1_ps(c[ERF_SHORT_DEGREE]);
    UNROLLED
    for (int i = ERF_SHORT_DEGREE - 1; i >= 0; i--)
        p = _mm512_fmadd_ps(p, u, _mm512_set1_ps(c[i]));
    __m512 half = _mm512_mul_ps(x, _mm512_set1_ps(0.5F));
    return _mm512_fmadd_ps(half, _mm512_mul_ps(z, p), half);
}

/* 16 elements of a result. */
static inline void tile_put(const struct tile_result *y, size_t row, size_t column, __m512 x)
{
    size_t at = row * y->stride + column;
    if (y->form == TILE_F32) {
        _mm512_storeu_ps((float *)y->data + at, x);
        return;
    }
    if (y->form == TILE_GELU_BF16)
        x = tile_gelu(x);
    _mm256_storeu_si256((__m256i *)((uint16_t *)y->data + at), (__m256i)_mm512_cvtneps_pbh(x));
}

/* Sums of a product, [rows][vecs * 16] in rows of `stride` bytes, into y. int8: they are whole
 * numbers, without their scales and bias. */
struct tile_sums {
    const char *data;
    size_t stride;
    size_t row, column; /* of the first, in y */
    size_t vecs;
    bool int8;
};

static inline void tile_finish_row(const struct tile_sums *sums, size_t i,
                                   const struct tile_rows *x, const struct tile_matrix *w,
                                   const struct tile_result *y)
{
    size_t row = sums->row + i;
    const char *data = sums->data + i * sums->stride;
    for (size_t j = 0; j < sums->vecs; j++, data += TILE_BYTES) {
        size_t column = sums->column + j * TILE_COLUMNS;
        __m512 v = _mm512_load_ps(data);
        if (sums->int8) {
            float row_scale = *(const float *)((const char *)x->scale + row * x->stride);
            __m512 scale =
                _mm512_mul_ps(_mm512_set1_ps(row_scale), _mm512_loadu_ps(w->scale + column));
            v = _mm512_fmadd_ps(_mm512_cvtepi32_ps(_mm512_castps_si512(v)), scale,
                                _mm512_loadu_ps(w->bias + column));
        }
        tile_put(y, row, column, v);
    }
}

float tiles_avx512_quantise(const float *x, const float *factor, uint8_t zero, size_t n,
                            uint8_t *q);
float tiles_avx512_quantise_bf16(const uint16_t *x, const float *factor, uint8_t zero, size_t n,
                                 uint8_t *q);
void tiles_avx512_to_bf16(const float *x, float factor, size_t n, uint16_t *y);
void tiles_avx512_softmax(const float *s, size_t s_stride, float scale, size_t rows,
                          size_t keys, float *max, float *sum, float *factor, uint16_t *p,
                          size_t p_stride);
void tiles_avx512_pack_keys(const uint16_t *k, size_t stride, size_t count, size_t size,
                            uint16_t *packed);
void tiles_avx512_pack_values(const uint16_t *v, size_t stride, size_t count, size_t size,
                              uint16_t *packed);

#endif
