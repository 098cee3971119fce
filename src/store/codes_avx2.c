/* AVX2: a word of a block's rows is two registers. Ones are counted by a table of 16 entries
 * (Mula, Kurz, Lemire, "Faster Population Counts Using AVX2 Instructions", 2018), summed as
 * bytes and widened before they can overflow. */
#include "store/codes_inline.h"
#include "store/dot.h"

#include <immintrin.h>

enum { HALF = CODE_ROWS / 2, BYTES_HOLD = 31 /* counts of at most 8 */ };

static inline __m256i count_ones(__m256i x)
{
    const __m256i table = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1,
                                           1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
    const __m256i low = _mm256_set1_epi8(15);
    __m256i high = _mm256_and_si256(_mm256_srli_epi16(x, 4), low);
    return _mm256_add_epi8(_mm256_shuffle_epi8(table, _mm256_and_si256(x, low)),
                           _mm256_shuffle_epi8(table, high));
}

/* The four bytes of each 32 bits, added. */
static inline __m256i add_bytes(__m256i x)
{
    __m256i pairs = _mm256_maddubs_epi16(x, _mm256_set1_epi8(1));
    return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}

static inline __m256i counted(__m256i sum, __m256i word, const uint32_t *plane)
{
    __m256i x = _mm256_xor_si256(word, _mm256_set1_epi32((int)*plane));
    return _mm256_add_epi8(sum, count_ones(x));
}

/* h of half of a block's rows. */
static inline __m256i distances(const struct code_query *query, const uint32_t *block)
{
    __m256i sum = _mm256_setzero_si256();
    const uint32_t *plane = query->words;
    for (size_t w = 0; w < query->prefix;) {
        size_t end = query->prefix - w < BYTES_HOLD ? query->prefix : w + BYTES_HOLD;
        __m256i s0 = _mm256_setzero_si256(), s1 = s0, s2 = s0, s3 = s0;
        for (; w < end; w++, plane += CODE_PLANES) {
            __m256i word = _mm256_loadu_si256((const __m256i *)(block + w * CODE_ROWS));
            s0 = counted(s0, word, plane);
            s1 = counted(s1, word, plane + 1);
            s2 = counted(s2, word, plane + 2);
            s3 = counted(s3, word, plane + 3);
        }
        s0 = _mm256_add_epi32(add_bytes(s0), _mm256_slli_epi32(add_bytes(s1), 1));
        s2 = _mm256_add_epi32(add_bytes(s2), _mm256_slli_epi32(add_bytes(s3), 1));
        sum = _mm256_add_epi32(sum, _mm256_add_epi32(s0, _mm256_slli_epi32(s2, 2)));
    }
    return sum;
}

/* The bounds of half of a block's rows, as whole numbers of 32 bits. */
static inline __m256i bounds_of(const struct code_query *query, const uint32_t *block)
{
    __m256i pairs = _mm256_loadu_si256((const __m256i *)(block + query->prefix * CODE_ROWS));
    __m256 add =
        _mm256_castsi256_ps(_mm256_and_si256(pairs, _mm256_set1_epi32((int)0xffff0000u)));
    __m256 factor = _mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16));
    __m256 bound = _mm256_cvtepi32_ps(distances(query, block));
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
        const uint32_t *block = blocks + i * query->block;
        __m256i whole =
            _mm256_packs_epi32(bounds_of(query, block), bounds_of(query, block + HALF));
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
