/* NEON of arm64: 32 registers of 4 floats, of which 24 hold a tile of 6 x 16. */
#include <arm_neon.h>
#include <stddef.h>

typedef float32x4_t vec;
#define VEC_WIDTH     4
#define BLOCK_ROWS    6
#define BLOCK_VECS    4
#define KERNELS_LEVEL CPU_NEON
#define KERNELS_NAME  kernels_neon

#define vec_load(p)      vld1q_f32(p)
#define vec_store(p, v)  vst1q_f32(p, v)
#define vec_set(x)       vdupq_n_f32(x)
#define vec_add(a, b)    vaddq_f32(a, b)
#define vec_sub(a, b)    vsubq_f32(a, b)
#define vec_mul(a, b)    vmulq_f32(a, b)
#define vec_div(a, b)    vdivq_f32(a, b)
#define vec_fma(a, b, c) vfmaq_f32(c, a, b)
#define vec_min(a, b)    vminq_f32(a, b)
#define vec_max(a, b)    vmaxq_f32(a, b)
#define vec_round(x)     vrndnq_f32(x)

static inline float32x4_t vec_power_of_two(float32x4_t x)
{
    int32x4_t exponent = vaddq_s32(vcvtnq_s32_f32(x), vdupq_n_s32(127));
    return vreinterpretq_f32_s32(vshlq_n_s32(exponent, 23));
}

static inline float vec_sum(float32x4_t v)
{
    float32x2_t half = vadd_f32(vget_low_f32(v), vget_high_f32(v));
    return vget_lane_f32(half, 0) + vget_lane_f32(half, 1);
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
