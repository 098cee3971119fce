/* Rows into operands with AVX-512 and AVX512-BF16. */
#include "encoder/tiles_avx512.h"

#include <math.h>
#include <string.h>

enum { LANES = 16 };

/* Which of the 16 lanes from i on lie before n. */
static inline __mmask16 lanes(size_t i, size_t n)
{
    return i >= n ? 0 : n - i >= LANES ? 0xffff : (__mmask16)((1U << (n - i)) - 1);
}

/* 16 elements of a row of floats or of bf16. */
static inline __m512 load_element(const void *x, bool half, const float *factor, size_t i,
                                  size_t n)
{
    __mmask16 mask = lanes(i, n);
    __m512 v;
    if (half) {
        __m512i wide =
            _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, (const uint16_t *)x + i));
        v = _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
    } else {
        v = _mm512_maskz_loadu_ps(mask, (const float *)x + i);
    }
    return factor ? _mm512_mul_ps(v, _mm512_maskz_loadu_ps(mask, factor + i)) : v;
}

/* Four vectors of whole numbers from -128 to 127 as 64 bytes, in order. */
static inline __m512i narrow(const __m512i v[4])
{
    const __m512i order =
        _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    __m512i low = _mm512_packs_epi32(v[0], v[1]), high = _mm512_packs_epi32(v[2], v[3]);
    return _mm512_permutexvar_epi32(order, _mm512_packs_epi16(low, high));
}

static inline float quantise(const void *x, bool half, const float *factor, uint8_t zero,
                             size_t n, uint8_t *q)
{
    __m512 greatest = _mm512_setzero_ps(), least = greatest, finite = greatest;
    for (size_t i = 0; i < n; i += LANES) {
        __m512 v = load_element(x, half, factor, i, n);
        greatest = _mm512_max_ps(greatest, v);
        least = _mm512_min_ps(least, v);
        finite = _mm512_fmadd_ps(v, _mm512_setzero_ps(), finite);
    }
    float nan = _mm512_reduce_add_ps(finite);
    float scale = tile_scale(_mm512_reduce_min_ps(least), _mm512_reduce_max_ps(greatest), zero);
    if (nan != 0) {
        memset(q, zero, tile_padded(n, TILE_BYTES));
        return scale + nan;
    }
    __m512 inverse = _mm512_set1_ps(tile_inverse(scale));
    __m512i shift = _mm512_set1_epi32(zero - 128); /* to signed bytes */
    for (size_t i = 0; i < n; i += TILE_BYTES) {
        __m512i v[4];
        for (size_t j = 0; j < 4; j++) {
            __m512 e = load_element(x, half, factor, i + j * LANES, n);
            v[j] = _mm512_add_epi32(_mm512_cvtps_epi32(_mm512_mul_ps(e, inverse)), shift);
        }
        _mm512_storeu_si512(q + i, _mm512_xor_si512(narrow(v), _mm512_set1_epi8(-128)));
    }
    return scale;
}

float tiles_avx512_quantise(const float *x, const float *factor, uint8_t zero, size_t n,
                            uint8_t *q)
{
    return quantise(x, false, factor, zero, n, q);
}

float tiles_avx512_quantise_bf16(const uint16_t *x, const float *factor, uint8_t zero, size_t n,
                                 uint8_t *q)
{
    return quantise(x, true, factor, zero, n, q);
}

void tiles_avx512_to_bf16(const float *x, float factor, size_t n, uint16_t *y)
{
    __m512 f = _mm512_set1_ps(factor);
    for (size_t i = 0; i < n; i += 2 * LANES) {
        __m512 low = _mm512_mul_ps(f, _mm512_maskz_loadu_ps(lanes(i, n), x + i));
        __m512 high =
            _mm512_mul_ps(f, _mm512_maskz_loadu_ps(lanes(i + LANES, n), x + i + LANES));
        _mm512_storeu_si512(y + i, (__m512i)_mm512_cvtne2ps_pbh(high, low));
    }
}

/* 2^x, relative error below 3e-6: bf16 keeps 2e-3. */
static inline __m512 exp2_short(__m512 x)
{
    static const float c[] = EXP2_SHORT_POLYNOMIAL;
    __m512 f = _mm512_reduce_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m512 p = _mm512_set1_ps(c[EXP2_SHORT_DEGREE]);
    for (int i = EXP2_SHORT_DEGREE - 1; i >= 0; i--)
        p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(c[i]));
    return _mm512_scalef_ps(p, _mm512_sub_ps(x, f));
}

static inline __m512 load_scores(const float *s, size_t i, size_t keys)
{
    return _mm512_mask_loadu_ps(_mm512_set1_ps(-INFINITY), lanes(i, keys), s + i);
}

void tiles_avx512_softmax(const float *s, size_t s_stride, float scale, size_t rows,
                          size_t keys, float *max, float *sum, float *factor, uint16_t *p,
                          size_t p_stride)
{
    __m512 scales = _mm512_set1_ps(scale);
    for (size_t row = 0; row < rows; row++, s += s_stride, p += p_stride) {
        __m512 most = _mm512_set1_ps(-INFINITY);
        for (size_t i = 0; i < keys; i += LANES)
            most = _mm512_max_ps(most, load_scores(s, i, keys));
        float greatest = fmaxf(max[row], _mm512_reduce_max_ps(most) * scale);
        __m512 minus = _mm512_set1_ps(-greatest), total = _mm512_setzero_ps();
        for (size_t i = 0; i < keys; i += 2 * LANES) {
            __m512 low = exp2_short(_mm512_fmadd_ps(load_scores(s, i, keys), scales, minus));
            __m512 high =
                exp2_short(_mm512_fmadd_ps(load_scores(s, i + LANES, keys), scales, minus));
            total = _mm512_add_ps(total, _mm512_add_ps(low, high));
            _mm512_storeu_si512(p + i, (__m512i)_mm512_cvtne2ps_pbh(high, low));
        }
        factor[row] = exp2f(max[row] - greatest);
        sum[row] = sum[row] * factor[row] + _mm512_reduce_add_ps(total);
        max[row] = greatest;
    }
}

/* 16 rows of 16 units become 16 units of 16 columns. */
static void transpose(__m512i r[LANES])
{
    __m512i t[LANES];
    for (size_t i = 0; i < LANES; i += 2) {
        t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
    for (size_t i = 0; i < LANES; i += 4) {
        r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    for (size_t i = 0; i < 4; i++) {
        __m512i a = _mm512_shuffle_i32x4(r[i], r[i + 4], 0x88);
        __m512i b = _mm512_shuffle_i32x4(r[i], r[i + 4], 0xdd);
        __m512i c = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0x88);
        __m512i d = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0xdd);
        t[i] = _mm512_shuffle_i32x4(a, c, 0x88);
        t[i + 4] = _mm512_shuffle_i32x4(b, d, 0x88);
        t[i + 8] = _mm512_shuffle_i32x4(a, c, 0xdd);
        t[i + 12] = _mm512_shuffle_i32x4(b, d, 0xdd);
    }
    memcpy(r, t, sizeof t);
}

/* 32 bf16 of a row, none where it is not there. */
static inline __m512i load_bf16(const uint16_t *row, size_t i, size_t n, bool there)
{
    size_t count = !there || i >= n ? 0 : n - i < 2 * LANES ? n - i : 2 * LANES;
    __mmask32 mask = (__mmask32)((1ULL << count) - 1);
    return _mm512_maskz_loadu_epi16(mask, row + i);
}

void tiles_avx512_pack_keys(const uint16_t *k, size_t stride, size_t count, size_t size,
                            uint16_t *packed)
{
    for (size_t first = 0; first < count; first += TILE_COLUMNS)
        for (size_t i = 0; i < size; i += 2 * LANES) {
            __m512i rows[TILE_COLUMNS];
            for (size_t j = 0; j < TILE_COLUMNS; j++)
                rows[j] = load_bf16(k + (first + j) * stride, i, size, first + j < count);
            transpose(rows);
            for (size_t u = 0; u < LANES; u++, packed += 2 * TILE_COLUMNS)
                _mm512_store_si512(packed, rows[u]);
        }
}

void tiles_avx512_pack_values(const uint16_t *v, size_t stride, size_t count, size_t size,
                              uint16_t *packed)
{
    size_t units = tile_padded(count, TILE_BYTES / 2) / 2;
    for (size_t j = 0; j < size; j += TILE_COLUMNS)
        for (size_t u = 0; u < units; u++, packed += 2 * TILE_COLUMNS) {
            const uint16_t *row = v + 2 * u * stride + j;
            __mmask16 mask = lanes(j, size);
            __m256i even = _mm256_maskz_loadu_epi16(2 * u < count ? mask : 0, row);
            __m256i odd = _mm256_maskz_loadu_epi16(2 * u + 1 < count ? mask : 0, row + stride);
            _mm512_store_si512(
                packed, _mm512_or_si512(_mm512_cvtepu16_epi32(even),
                                        _mm512_slli_epi32(_mm512_cvtepu16_epi32(odd), 16)));
        }
}
