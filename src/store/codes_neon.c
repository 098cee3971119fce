/* NEON: a word of a block's rows is four registers; it counts the ones of bytes. */
#include "store/codes_inline.h"
#include "store/dot.h"

#include <arm_neon.h>

enum { LANES = 4, BYTES_HOLD = 31 /* counts of at most 8 */ };

static inline uint32x4_t add_bytes(uint8x16_t x)
{
    return vpaddlq_u16(vpaddlq_u8(x));
}

static inline uint8x16_t counted(uint8x16_t sum, uint32x4_t word, const uint32_t *plane)
{
    uint32x4_t x = veorq_u32(word, vdupq_n_u32(*plane));
    return vaddq_u8(sum, vcntq_u8(vreinterpretq_u8_u32(x)));
}

/* h of four of a block's rows. */
static inline uint32x4_t distances(const struct code_query *query, const uint32_t *block)
{
    uint32x4_t sum = vdupq_n_u32(0);
    const uint32_t *plane = query->words;
    for (size_t w = 0; w < query->prefix;) {
        size_t end = query->prefix - w < BYTES_HOLD ? query->prefix : w + BYTES_HOLD;
        uint8x16_t s0 = vdupq_n_u8(0), s1 = s0, s2 = s0, s3 = s0;
        for (; w < end; w++, plane += CODE_PLANES) {
            uint32x4_t word = vld1q_u32(block + w * CODE_ROWS);
            s0 = counted(s0, word, plane);
            s1 = counted(s1, word, plane + 1);
            s2 = counted(s2, word, plane + 2);
            s3 = counted(s3, word, plane + 3);
        }
        uint32x4_t low = vaddq_u32(add_bytes(s0), vshlq_n_u32(add_bytes(s1), 1));
        uint32x4_t high = vaddq_u32(add_bytes(s2), vshlq_n_u32(add_bytes(s3), 1));
        sum = vaddq_u32(sum, vaddq_u32(low, vshlq_n_u32(high, 2)));
    }
    return sum;
}

static inline int16x4_t bounds_of(const struct code_query *query, const uint32_t *block)
{
    uint32x4_t pairs = vld1q_u32(block + query->prefix * CODE_ROWS);
    float32x4_t add = vreinterpretq_f32_u32(vandq_u32(pairs, vdupq_n_u32(0xffff0000u)));
    float32x4_t factor = vreinterpretq_f32_u32(vshlq_n_u32(pairs, 16));
    float32x4_t bound = vcvtq_f32_u32(distances(query, block));
    bound = vsubq_f32(vdupq_n_f32(query->base), vmulq_f32(vdupq_n_f32(query->step), bound));
    bound = vaddq_f32(add, vmulq_f32(factor, bound));
    bound = vmulq_f32(bound, vdupq_n_f32(CODE_BOUND_SCALE));
    bound = vmaxnmq_f32(bound, vdupq_n_f32(INT16_MIN)); /* NaN too */
    return vqmovn_s32(vcvtpq_s32_f32(bound));           /* rounded up, and cut above */
}

static void scan(const struct code_query *query, const uint32_t *blocks, size_t count,
                 int16_t *bounds)
{
    for (size_t i = 0; i < count * CODE_ROWS; i += LANES) {
        const uint32_t *block = blocks + i / CODE_ROWS * query->block;
        vst1_s16(bounds + i, bounds_of(query, block + i % CODE_ROWS));
    }
}

static float dot(const int8_t *row, const float *vector, size_t n)
{
    float32x4_t s[DOT_BLOCK / LANES];
    for (size_t j = 0; j < DOT_BLOCK / LANES; j++)
        s[j] = vdupq_n_f32(0);
    for (size_t i = 0; i < n; i += DOT_BLOCK) {
        for (size_t j = 0; j < DOT_BLOCK; j += 8) {
            int16x8_t wide = vmovl_s8(vld1_s8(row + i + j));
            float32x4_t low = vcvtq_f32_s32(vmovl_s16(vget_low_s16(wide)));
            float32x4_t high = vcvtq_f32_s32(vmovl_s16(vget_high_s16(wide)));
            s[j / 4] = vaddq_f32(s[j / 4], vmulq_f32(low, vld1q_f32(vector + i + j)));
            s[j / 4 + 1] =
                vaddq_f32(s[j / 4 + 1], vmulq_f32(high, vld1q_f32(vector + i + j + 4)));
        }
    }
    float sums[DOT_BLOCK];
    for (size_t j = 0; j < DOT_BLOCK / LANES; j++)
        vst1q_f32(sums + LANES * j, s[j]);
    return dot_add_up(sums);
}

const struct code_kernels code_kernels_neon = {scan, sift_by_blocks, differ_by_words, dot};
