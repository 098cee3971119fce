/* convert.c - the float types of checkpoints as f32: exactly, for f32 holds every value of
 * the two shorter types. The scalar functions are the reference for the vector ones. */
#include "model/checkpoint.h"

#include <string.h>

static void read_bf16(const unsigned char *from, size_t count, float *out)
{
    for (size_t i = 0; i < count; i++) {
        uint16_t half;
        memcpy(&half, from + 2 * i, sizeof half);
        uint32_t bits = (uint32_t)half << 16;
        memcpy(&out[i], &bits, sizeof bits);
    }
}

/* IEEE 754 binary16: 1 sign, 5 exponent (bias 15), 10 fraction bits. */
static float f16_to_f32(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16;
    uint32_t exponent = half >> 10 & 31, fraction = half & 0x3ff;
    uint32_t bits;
    if (exponent == 0) {
        /* Subnormal: fraction * 2^-24, which f32 holds as a normal number. */
        float value = (float)fraction * 0x1p-24f;
        memcpy(&bits, &value, sizeof bits);
        bits |= sign;
    } else if (exponent == 31) {
        /* A NaN becomes quiet, as the processors' own conversions make it. */
        bits = sign | 0x7f800000 | fraction << 13 | (fraction ? 0x400000 : 0);
    } else {
        bits = sign | (exponent + 127 - 15) << 23 | fraction << 13;
    }
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void read_f16_scalar(const unsigned char *from, size_t count, float *out)
{
    for (size_t i = 0; i < count; i++) {
        uint16_t half;
        memcpy(&half, from + 2 * i, sizeof half);
        out[i] = f16_to_f32(half);
    }
}

#if defined(__x86_64__)
#include <immintrin.h>

__attribute__((target("avx512f"))) static void read_f16_avx512(const unsigned char *from,
                                                               size_t count, float *out)
{
    size_t i = 0;
    for (; i + 16 <= count; i += 16) {
        __m256i halves = _mm256_loadu_si256((const __m256i *)(const void *)(from + 2 * i));
        _mm512_storeu_ps(out + i, _mm512_cvtph_ps(halves));
    }
    read_f16_scalar(from + 2 * i, count - i, out + i);
}

__attribute__((target("avx,f16c"))) static void read_f16_f16c(const unsigned char *from,
                                                              size_t count, float *out)
{
    size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        __m128i halves = _mm_loadu_si128((const __m128i *)(const void *)(from + 2 * i));
        _mm256_storeu_ps(out + i, _mm256_cvtph_ps(halves));
    }
    read_f16_scalar(from + 2 * i, count - i, out + i);
}

static void read_f16(const unsigned char *from, size_t count, float *out)
{
    if (__builtin_cpu_supports("avx512f"))
        read_f16_avx512(from, count, out);
    else if (__builtin_cpu_supports("avx2")) /* f16c came earlier; clang 14 cannot ask */
        read_f16_f16c(from, count, out);
    else
        read_f16_scalar(from, count, out);
}

#elif defined(__aarch64__)
#include <arm_neon.h>

static void read_f16(const unsigned char *from, size_t count, float *out)
{
    size_t i = 0;
    for (; i + 4 <= count; i += 4) {
        uint16x4_t halves = vreinterpret_u16_u8(vld1_u8(from + 2 * i));
        vst1q_f32(out + i, vcvt_f32_f16(vreinterpret_f16_u16(halves)));
    }
    read_f16_scalar(from + 2 * i, count - i, out + i);
}

#else
#define read_f16 read_f16_scalar
#endif

void tensor_read_f32(const struct tensor *tensor, uint64_t first, uint64_t count, float *out)
{
    const unsigned char *data = tensor->data;
    switch (tensor->type) {
    case TENSOR_F32:
        if (count)
            memcpy(out, data + 4 * first, 4 * count);
        break;
    case TENSOR_F16:
        read_f16(data + 2 * first, count, out);
        break;
    case TENSOR_BF16:
        read_bf16(data + 2 * first, count, out);
        break;
    case TENSOR_I64:
    case TENSOR_OTHER:
        break;
    }
}
