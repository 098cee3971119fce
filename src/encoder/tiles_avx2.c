/* AVX2 and FMA. Without VNNI, int8 is widened to 16 bits, since vpmaddubsw would saturate;
 * bf16 becomes f32. */
#include "encoder/tiles_avx2.h"

#include "encoder/bf16.h"
#include "encoder/inline.h"

#include <immintrin.h>
#include <math.h>
#include <string.h>

enum { LANES = 8 };

/* Eight elements of a result; only f32 is asked for where bf16 is not fast. */
ALWAYS_INLINE void put(const struct tile_result *y, size_t row, size_t column, __m256 x)
{
    _mm256_storeu_ps((float *)y->data + row * y->stride + column, x);
}

/* The four bytes of a unit as 16 bits each, four times. */
ALWAYS_INLINE __m256i wide_unit(const uint8_t *unit)
{
    int32_t bytes;
    memcpy(&bytes, unit, sizeof bytes);
    return _mm256_broadcastq_epi64(_mm_cvtepu8_epi16(_mm_cvtsi32_si128(bytes)));
}

/* 8 columns' sums from two vectors of four columns with two partial sums each. */
ALWAYS_INLINE __m256i join_sums(__m256i low, __m256i high)
{
    return _mm256_permute4x64_epi64(_mm256_hadd_epi32(low, high), 0xd8);
}

/* `rows` rows and 16 columns; rows is a constant where it is inlined. */
ALWAYS_INLINE void int8_tile(size_t rows, const struct tile_rows *x, size_t first,
                             const struct tile_matrix *w, size_t column,
                             const struct tile_result *y)
{
    __m256i sums[2][4];
    const uint8_t *row = (const uint8_t *)x->data + first * x->stride;
    const int8_t *columns = (const int8_t *)w->data + column * w->units * 4;
    UNROLLED
    for (size_t i = 0; i < rows; i++) {
        UNROLLED
        for (size_t j = 0; j < 4; j++)
            sums[i][j] = _mm256_setzero_si256();
    }
    for (size_t u = 0; u < w->units; u++, columns += TILE_BYTES) {
        __m256i weights[4];
        UNROLLED
        for (size_t j = 0; j < 4; j++)
            weights[j] =
                _mm256_cvtepi8_epi16(_mm_load_si128((const __m128i *)(columns + j * 16)));
        UNROLLED
        for (size_t i = 0; i < rows; i++) {
            __m256i unit = wide_unit(row + i * x->stride + u * 4);
            UNROLLED
            for (size_t j = 0; j < 4; j++)
                sums[i][j] = _mm256_add_epi32(sums[i][j], _mm256_madd_epi16(unit, weights[j]));
        }
    }
    UNROLLED
    for (size_t i = 0; i < rows; i++) {
        __m256 row_scale =
            _mm256_set1_ps(*(const float *)((const char *)x->scale + (first + i) * x->stride));
        UNROLLED
        for (size_t j = 0; j < 2; j++) {
            size_t at = column + j * LANES;
            __m256i offset = _mm256_loadu_si256((const __m256i *)(w->offset + at));
            __m256i sum =
                _mm256_add_epi32(offset, join_sums(sums[i][2 * j], sums[i][2 * j + 1]));
            __m256 scale = _mm256_mul_ps(row_scale, _mm256_loadu_ps(w->scale + at));
            put(y, first + i, at,
                _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum), scale, _mm256_loadu_ps(w->bias + at)));
        }
    }
}

static void int8_product(const struct tile_rows *x, const struct tile_matrix *w, size_t first,
                         size_t end, const struct tile_result *y)
{
    for (size_t column = first; column < end; column += TILE_COLUMNS) {
        size_t i = 0;
        for (; i + 2 <= x->count; i += 2)
            int8_tile(2, x, i, w, column, y);
        if (i < x->count)
            int8_tile(1, x, i, w, column, y);
    }
}

/* A unit's two inputs are the halves of 32 bits: the upper one is an f32 once the lower one is
 * masked off, the lower one once it is shifted up. */
ALWAYS_INLINE __m256 lower_half(__m256i pairs)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16));
}

ALWAYS_INLINE __m256 upper_half(__m256i pairs)
{
    return _mm256_castsi256_ps(_mm256_and_si256(pairs, _mm256_set1_epi32((int)0xffff0000)));
}

ALWAYS_INLINE void bf16_tile(size_t rows, const struct tile_rows *x, size_t first,
                             const struct tile_matrix *w, size_t column,
                             const struct tile_result *y)
{
    __m256 sums[4][2];
    const char *row = (const char *)x->data + first * x->stride;
    const char *columns = (const char *)w->data + column * w->units * 4;
    UNROLLED
    for (size_t i = 0; i < rows; i++) {
        UNROLLED
        for (size_t j = 0; j < 2; j++)
            sums[i][j] =
                w->bias ? _mm256_loadu_ps(w->bias + column + j * LANES) : _mm256_setzero_ps();
    }
    for (size_t u = 0; u < w->units; u++, columns += TILE_BYTES) {
        __m256 low[2], high[2];
        UNROLLED
        for (size_t j = 0; j < 2; j++) {
            __m256i pairs = _mm256_load_si256((const __m256i *)(columns + j * 32));
            low[j] = lower_half(pairs);
            high[j] = upper_half(pairs);
        }
        UNROLLED
        for (size_t i = 0; i < rows; i++) {
            int32_t unit;
            memcpy(&unit, row + i * x->stride + u * 4, sizeof unit);
            __m256i pair = _mm256_set1_epi32(unit);
            __m256 a = lower_half(pair), b = upper_half(pair);
            UNROLLED
            for (size_t j = 0; j < 2; j++)
                sums[i][j] =
                    _mm256_fmadd_ps(b, high[j], _mm256_fmadd_ps(a, low[j], sums[i][j]));
        }
    }
    UNROLLED
    for (size_t i = 0; i < rows; i++) {
        UNROLLED
        for (size_t j = 0; j < 2; j++)
            put(y, first + i, column + j * LANES, sums[i][j]);
    }
}

void tiles_avx2_bf16_product(const struct tile_rows *x, const struct tile_matrix *w,
                             size_t first, size_t end, const struct tile_result *y)
{
    for (size_t column = first; column < end; column += TILE_COLUMNS) {
        size_t i = 0;
        for (; i + 4 <= x->count; i += 4)
            bf16_tile(4, x, i, w, column, y);
        for (; i < x->count; i++)
            bf16_tile(1, x, i, w, column, y);
    }
}

ALWAYS_INLINE __m256 load_scaled(const float *x, const float *factor, size_t i)
{
    __m256 v = _mm256_loadu_ps(x + i);
    return factor ? _mm256_mul_ps(v, _mm256_loadu_ps(factor + i)) : v;
}

static float quantise(const float *x, const float *factor, uint8_t zero, size_t n, uint8_t *q)
{
    __m256 greatest = _mm256_setzero_ps(), least = greatest, finite = greatest;
    size_t whole = n / LANES * LANES;
    for (size_t i = 0; i < whole; i += LANES) {
        __m256 v = load_scaled(x, factor, i);
        greatest = _mm256_max_ps(greatest, v);
        least = _mm256_min_ps(least, v);
        finite = _mm256_fmadd_ps(v, _mm256_setzero_ps(), finite);
    }
    float highs[LANES], lows[LANES], nans[LANES], high = 0, low = 0, nan = 0;
    _mm256_storeu_ps(highs, greatest);
    _mm256_storeu_ps(lows, least);
    _mm256_storeu_ps(nans, finite);
    for (size_t i = 0; i < LANES; i++) {
        high = highs[i] > high ? highs[i] : high;
        low = lows[i] < low ? lows[i] : low;
        nan += nans[i];
    }
    for (size_t i = whole; i < n; i++) {
        float v = factor ? x[i] * factor[i] : x[i];
        high = v > high ? v : high;
        low = v < low ? v : low;
        nan += v * 0;
    }
    float scale = tile_scale(low, high, zero), inverse = tile_inverse(scale);
    if (nan != 0) {
        memset(q, zero, tile_padded(n, TILE_BYTES));
        return scale + nan;
    }
    for (size_t i = 0; i < whole; i += LANES) {
        __m256i v = _mm256_cvtps_epi32(
            _mm256_mul_ps(load_scaled(x, factor, i), _mm256_set1_ps(inverse)));
        v = _mm256_add_epi32(v, _mm256_set1_epi32(zero));
        __m128i words =
            _mm_packus_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
        _mm_storel_epi64((__m128i *)(q + i), _mm_packus_epi16(words, words));
    }
    for (size_t i = whole; i < n; i++)
        q[i] = (uint8_t)((int)nearbyintf((factor ? x[i] * factor[i] : x[i]) * inverse) + zero);
    memset(q + n, zero, tile_padded(n, TILE_BYTES) - n);
    return scale;
}

void tiles_avx2_to_bf16(const float *x, float factor, size_t n, uint16_t *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = bf16_from_f32(x[i] * factor);
    memset(y + n, 0, (tile_padded(n, TILE_BYTES / 2) - n) * sizeof *y);
}

const struct tile_kernels tiles_avx2 = {
    .level = CPU_AVX2,
    .int8_product = int8_product,
    .bf16_product = tiles_avx2_bf16_product,
    .quantise = quantise,
    .to_bf16 = tiles_avx2_to_bf16,
};
