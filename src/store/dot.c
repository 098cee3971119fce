#include "store/dot.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

float dot_add_up(float sums[DOT_BLOCK])
{
    for (size_t half = DOT_BLOCK / 2; half; half /= 2)
        for (size_t i = 0; i < half; i++)
            sums[i] += sums[i + half];
    return sums[0];
}

float dot_plain(const float *a, const float *b, size_t n)
{
    float sums[DOT_BLOCK] = {0};
    for (size_t i = 0; i < n; i += DOT_BLOCK)
        for (size_t j = 0; j < DOT_BLOCK; j++)
            sums[j] += a[i + j] * b[i + j];
    return dot_add_up(sums);
}

#if defined(__x86_64__)
/* The sums are named one by one: gcc 12 at -O2 keeps an array of them in memory. */
__attribute__((target("avx2"))) static inline __m256 step8(__m256 sum, const float *a,
                                                           const float *b)
{
    return _mm256_add_ps(sum, _mm256_mul_ps(_mm256_loadu_ps(a), _mm256_loadu_ps(b)));
}

__attribute__((target("avx2"))) static float dot_avx2(const float *a, const float *b, size_t n)
{
    __m256 s0 = _mm256_setzero_ps(), s1 = s0, s2 = s0, s3 = s0, s4 = s0, s5 = s0, s6 = s0,
           s7 = s0;
    for (size_t i = 0; i < n; i += DOT_BLOCK) {
        s0 = step8(s0, a + i, b + i);
        s1 = step8(s1, a + i + 8, b + i + 8);
        s2 = step8(s2, a + i + 16, b + i + 16);
        s3 = step8(s3, a + i + 24, b + i + 24);
        s4 = step8(s4, a + i + 32, b + i + 32);
        s5 = step8(s5, a + i + 40, b + i + 40);
        s6 = step8(s6, a + i + 48, b + i + 48);
        s7 = step8(s7, a + i + 56, b + i + 56);
    }
    float sums[DOT_BLOCK];
    _mm256_storeu_ps(sums, s0);
    _mm256_storeu_ps(sums + 8, s1);
    _mm256_storeu_ps(sums + 16, s2);
    _mm256_storeu_ps(sums + 24, s3);
    _mm256_storeu_ps(sums + 32, s4);
    _mm256_storeu_ps(sums + 40, s5);
    _mm256_storeu_ps(sums + 48, s6);
    _mm256_storeu_ps(sums + 56, s7);
    return dot_add_up(sums);
}

__attribute__((target("avx512f"))) static inline __m512 step16(__m512 sum, const float *a,
                                                               const float *b)
{
    return _mm512_add_ps(sum, _mm512_mul_ps(_mm512_loadu_ps(a), _mm512_loadu_ps(b)));
}

__attribute__((target("avx512f"))) static float dot_avx512(const float *a, const float *b,
                                                           size_t n)
{
    __m512 s0 = _mm512_setzero_ps(), s1 = s0, s2 = s0, s3 = s0;
    for (size_t i = 0; i < n; i += DOT_BLOCK) {
        s0 = step16(s0, a + i, b + i);
        s1 = step16(s1, a + i + 16, b + i + 16);
        s2 = step16(s2, a + i + 32, b + i + 32);
        s3 = step16(s3, a + i + 48, b + i + 48);
    }
    float sums[DOT_BLOCK];
    _mm512_storeu_ps(sums, s0);
    _mm512_storeu_ps(sums + 16, s1);
    _mm512_storeu_ps(sums + 32, s2);
    _mm512_storeu_ps(sums + 48, s3);
    return dot_add_up(sums);
}
#endif

dot_fn *dot_version(size_t i)
{
    dot_fn *versions[3] = {dot_plain};
    size_t count = 1;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2"))
        versions[count++] = dot_avx2;
    if (__builtin_cpu_supports("avx512f"))
        versions[count++] = dot_avx512;
#endif
    return i < count ? versions[i] : NULL;
}

dot_fn *dot_best(void)
{
    size_t last = 0;
    while (dot_version(last + 1))
        last++;
    return dot_version(last);
}
