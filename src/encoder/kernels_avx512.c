/* AVX-512 (F, BW, DQ, VL): 32 registers of 16 floats, of which 24 hold a tile of 12 x 32. */
#include <immintrin.h>
#include <stddef.h>

typedef __m512 vec;
#define VEC_WIDTH     16
#define BLOCK_ROWS    12
#define BLOCK_VECS    2
#define KERNELS_LEVEL CPU_AVX512
#define KERNELS_NAME  kernels_avx512

#define vec_load(p)      _mm512_loadu_ps(p)
#define vec_store(p, v)  _mm512_storeu_ps(p, v)
#define vec_set(x)       _mm512_set1_ps(x)
#define vec_add(a, b)    _mm512_add_ps(a, b)
#define vec_sub(a, b)    _mm512_sub_ps(a, b)
#define vec_mul(a, b)    _mm512_mul_ps(a, b)
#define vec_div(a, b)    _mm512_div_ps(a, b)
#define vec_fma(a, b, c) _mm512_fmadd_ps(a, b, c)
#define vec_min(a, b)    _mm512_min_ps(a, b)
#define vec_max(a, b)    _mm512_max_ps(a, b)
#define vec_round(x)     _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)

static inline __m512 vec_power_of_two(__m512 x)
{
    __m512i exponent = _mm512_add_epi32(_mm512_cvtps_epi32(x), _mm512_set1_epi32(127));
    return _mm512_castsi512_ps(_mm512_slli_epi32(exponent, 23));
}

static inline float vec_sum(__m512 v)
{
    __m256 a = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
    __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    b = _mm_add_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_add_ss(b, _mm_movehdup_ps(b)));
}

#define TILE_SWITCH(m, vecs)                                                                   \
    switch (m) {                                                                               \
        TILE_CASE(1, vecs)                                                                     \
        TILE_CASE(2, vecs)                                                                     \
        TILE_CASE(3, vecs)                                                                     \
        TILE_CASE(4, vecs)                                                                     \
        TILE_CASE(5, vecs)                                                                     \
        TILE_CASE(6, vecs)                                                                     \
        TILE_CASE(7, vecs)                                                                     \
        TILE_CASE(8, vecs)                                                                     \
        TILE_CASE(9, vecs)                                                                     \
        TILE_CASE(10, vecs)                                                                    \
        TILE_CASE(11, vecs)                                                                    \
        TILE_CASE(12, vecs)                                                                    \
    }

#include "encoder/kernels_simd.h"
