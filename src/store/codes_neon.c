/* NEON: a register is one byte of each of a block's rows. */
#include "store/codes_inline.h"
#include "store/dot.h"

#include <arm_neon.h>

enum { LANES = 4 };

/* What a byte of each row adds to h: at most 120. */
static inline uint8x16_t look_up(const uint8_t *bytes, const uint8_t *tables)
{
    uint8x16_t x = vld1q_u8(bytes);
    uint8x16_t a = vqtbl1q_u8(vld1q_u8(tables), vandq_u8(x, vdupq_n_u8(15)));
    uint8x16_t b = vqtbl1q_u8(vld1q_u8(tables + CODE_TABLES / 2), vshrq_n_u8(x, 4));
    return vaddq_u8(a, b);
}

/* h of a block's rows. */
static inline void distances(const struct code_query *query, const uint32_t *block,
                             uint32_t sums[CODE_ROWS])
{
    const uint8_t *bytes = (const uint8_t *)block, *tables = query->tables;
    uint32x4_t sum[CODE_ROWS / LANES];
    for (size_t i = 0; i < CODE_ROWS / LANES; i++)
        sum[i] = vdupq_n_u32(0);
    for (size_t w = 0; w < query->prefix;) {
        size_t end = query->prefix - w < CODE_WORDS_HOLD ? query->prefix : w + CODE_WORDS_HOLD;
        uint16x8_t low = vdupq_n_u16(0), high = low;
        for (; w < end; w++, tables += CODE_TABLES)
            for (size_t b = 0; b < 4; b += 2, bytes += 2 * CODE_ROWS) {
                const uint8_t *table = tables + b * CODE_NIBBLES;
                uint8x16_t two = vaddq_u8(look_up(bytes, table),
                                          look_up(bytes + CODE_ROWS, table + CODE_NIBBLES));
                low = vaddw_u8(low, vget_low_u8(two));
                high = vaddw_u8(high, vget_high_u8(two));
            }
        sum[0] = vaddw_u16(sum[0], vget_low_u16(low));
        sum[1] = vaddw_u16(sum[1], vget_high_u16(low));
        sum[2] = vaddw_u16(sum[2], vget_low_u16(high));
        sum[3] = vaddw_u16(sum[3], vget_high_u16(high));
    }
    for (size_t i = 0; i < CODE_ROWS / LANES; i++)
        vst1q_u32(sums + i * LANES, sum[i]);
}

/* words, sums: of four rows. */
static inline int16x4_t bounds_of(const struct code_query *query, const uint32_t *words,
                                  const uint32_t *sums)
{
    uint32x4_t pairs = vld1q_u32(words);
    float32x4_t add = vreinterpretq_f32_u32(vandq_u32(pairs, vdupq_n_u32(0xffff0000u)));
    float32x4_t factor = vreinterpretq_f32_u32(vshlq_n_u32(pairs, 16));
    float32x4_t bound = vcvtq_f32_u32(vld1q_u32(sums));
    bound = vsubq_f32(vdupq_n_f32(query->base), vmulq_f32(vdupq_n_f32(query->step), bound));
    bound = vaddq_f32(add, vmulq_f32(factor, bound));
    bound = vmulq_f32(bound, vdupq_n_f32(CODE_BOUND_SCALE));
    bound = vmaxnmq_f32(bound, vdupq_n_f32(INT16_MIN)); /* NaN too */
    return vqmovn_s32(vcvtpq_s32_f32(bound));           /* rounded up, and cut above */
}

static void scan(const struct code_query *query, const uint32_t *blocks, size_t count,
                 int16_t *bounds)
{
    for (size_t i = 0; i < count; i++, bounds += CODE_ROWS) {
        uint32_t sums[CODE_ROWS];
        const uint32_t *block = blocks + i * query->block;
        const uint32_t *words = block + query->prefix * CODE_ROWS;
        distances(query, block, sums);
        for (size_t row = 0; row < CODE_ROWS; row += LANES)
            vst1_s16(bounds + row, bounds_of(query, words + row, sums + row));
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
