/* AVX2 and FMA: 16 registers of 8 floats, of which 12 hold a tile of 6 x 16. */
#include <immintrin.h>
#include <stddef.h>

typedef __m256 vec;
#define VEC_WIDTH     8
#define BLOCK_ROWS    6
#define BLOCK_VECS    2
#define KERNELS_LEVEL CPU_AVX2
#define KERNELS_NAME  kernels_avx2

#define vec_load(p)      _mm256_loadu_ps(p)
#define vec_store(p, v)  _mm256_storeu_ps(p, v)
#define vec_set(x)       _mm256_set1_ps(x)
#define vec_add(a, b)    _mm256_add_ps(a, b)
#define vec_sub(a, b)    _mm256_sub_ps(a, b)
#define vec_mul(a, b)    _mm256_mul_ps(a, b)
#define vec_div(a, b)    _mm256_div_ps(a, b)
#define vec_fma(a, b, c) _mm256_fmadd_ps(a, b, c)
#define vec_min(a, b)    _mm256_min_ps(a, b)
#define vec_max(a, b)    _mm256_max_ps(a, b)
#define vec_round(x)     _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)

static inline __m256 vec_power_of_two(__m256 x)
{
    __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(x), _mm256_set1_epi32(127));
    return _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23));
}

static inline float vec_sum(__m256 v)
{
    __m128 b = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
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
    }

#include "encoder/kernels_simd.h"
