/* AVX2: a register is two bytes of each of a block's rows. */
#include "store/codes_inline.h"
#include "store/dot.h"

#include <immintrin.h>

enum { HALF = CODE_ROWS / 2 };

/* What the bytes of half of a line of 64 add to h: at most 120 each. */
static inline __m256i look_up(const uint8_t *line, const uint8_t *tables)
{
    const __m256i low = _mm256_set1_epi8(15);
    __m256i bytes = _mm256_load_si256((const __m256i *)line);
    __m256i upper = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), low);
    __m256i a = _mm256_load_si256((const __m256i *)tables);
    __m256i b = _mm256_load_si256((const __m256i *)(tables + CODE_TABLES / 2));
    return _mm256_add_epi8(_mm256_shuffle_epi8(a, _mm256_and_si256(bytes, low)),
                           _mm256_shuffle_epi8(b, upper));
}

static inline __m128i add_lanes(__m256i x)
{
    return _mm_add_epi16(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
}

/* h of a block's rows, the first half and the second. */
static inline void distances(const struct code_query *query, const uint32_t *block,
                             __m256i sums[2])
{
    const uint8_t *line = (const uint8_t *)block, *tables = query->tables;
    const __m256i low = _mm256_set1_epi16(255);
    sums[0] = sums[1] = _mm256_setzero_si256();
    for (size_t w = 0; w < query->prefix;) {
        size_t end = query->prefix - w < CODE_WORDS_HOLD ? query->prefix : w + CODE_WORDS_HOLD;
        __m256i even = _mm256_setzero_si256(), odd = even; /* rows 0, 2, ... and 1, 3, ... */
        for (; w < end; w++, line += 64, tables += CODE_TABLES) {
            __m256i bytes =
                _mm256_add_epi8(look_up(line, tables), look_up(line + 32, tables + 32));
            even = _mm256_add_epi16(even, _mm256_and_si256(bytes, low));
            odd = _mm256_add_epi16(odd, _mm256_srli_epi16(bytes, 8));
        }
        __m128i e = add_lanes(even), o = add_lanes(odd);
        sums[0] = _mm256_add_epi32(sums[0], _mm256_cvtepu16_epi32(_mm_unpacklo_epi16(e, o)));
        sums[1] = _mm256_add_epi32(sums[1], _mm256_cvtepu16_epi32(_mm_unpackhi_epi16(e, o)));
    }
}

/* The bounds of half of a block's rows, as whole numbers of 32 bits. words: of these rows. */
static inline __m256i bounds_of(const struct code_query *query, const uint32_t *words,
                                __m256i h)
{
    __m256i pairs = _mm256_loadu_si256((const __m256i *)words);
    __m256 add =
        _mm256_castsi256_ps(_mm256_and_si256(pairs, _mm256_set1_epi32((int)0xffff0000u)));
    __m256 factor = _mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16));
    __m256 bound = _mm256_cvtepi32_ps(h);
    bound = _mm256_sub_ps(_mm256_set1_ps(query->base),
                          _mm256_mul_ps(_mm256_set1_ps(query->step), bound));
    bound = _mm256_add_ps(add, _mm256_mul_ps(factor, bound));
    bound = _mm256_mul_ps(bound, _mm256_set1_ps(CODE_BOUND_SCALE));
    bound = _mm256_max_ps(bound, _mm256_set1_ps(INT16_MIN)); /* NaN too becomes the second */
    bound = _mm256_min_ps(bound, _mm256_set1_ps(INT16_MAX));
    return _mm256_cvtps_epi32(_mm256_ceil_ps(bound));
}

static void scan(const struct code_query *query, const uint32_t *blocks, size_t count,
                 int16_t *bounds)
{
    for (size_t i = 0; i < count; i++) {
        __m256i sums[2];
        const uint32_t *block = blocks + i * query->block;
        const uint32_t *words = block + query->prefix * CODE_ROWS;
        distances(query, block, sums);
        __m256i whole = _mm256_packs_epi32(bounds_of(query, words, sums[0]),
                                           bounds_of(query, words + HALF, sums[1]));
        whole = _mm256_permute4x64_epi64(whole, 0xd8); /* packing goes by halves */
        _mm256_storeu_si256((__m256i *)(bounds + i * CODE_ROWS), whole);
    }
}

static size_t sift(const int16_t *bounds, size_t count, int16_t least, uint32_t first,
                   uint32_t *rows)
{
    size_t hits = 0;
    __m256i below =
        _mm256_set1_epi16((int16_t)(least - 1)); /* least is above CODE_BOUND_NONE */
    for (size_t i = 0; i < count; i += CODE_ROWS) {
        __m256i x = _mm256_loadu_si256((const __m256i *)(bounds + i));
        unsigned mask = (unsigned)_mm256_movemask_epi8(_mm256_cmpgt_epi16(x, below));
        for (mask &= 0x55555555; mask; mask &= mask - 1) /* two bits a bound */
            rows[hits++] = first + (uint32_t)(i + (unsigned)__builtin_ctz(mask) / 2);
    }
    return hits;
}

static inline __m256 step8(__m256 sum, const int8_t *row, const float *vector)
{
    __m256i wide = _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)row));
    return _mm256_add_ps(sum, _mm256_mul_ps(_mm256_cvtepi32_ps(wide), _mm256_loadu_ps(vector)));
}

/* The sums are named one by one: gcc 12 at -O2 keeps an array of them in memory. */
static float dot(const int8_t *row, const float *vector, size_t n)
{
    __m256 s0 = _mm256_setzero_ps(), s1 = s0, s2 = s0, s3 = s0, s4 = s0, s5 = s0, s6 = s0,
           s7 = s0;
    for (size_t i = 0; i < n; i += DOT_BLOCK) {
        s0 = step8(s0, row + i, vector + i);
        s1 = step8(s1, row + i + 8, vector + i + 8);
        s2 = step8(s2, row + i + 16, vector + i + 16);
        s3 = step8(s3, row + i + 24, vector + i + 24);
        s4 = step8(s4, row + i + 32, vector + i + 32);
        s5 = step8(s5, row + i + 40, vector + i + 40);
        s6 = step8(s6, row + i + 48, vector + i + 48);
        s7 = step8(s7, row + i + 56, vector + i + 56);
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

const struct code_kernels code_kernels_avx2 = {scan, sift, differ_by_words, dot};
