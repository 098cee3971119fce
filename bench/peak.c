#include "peak.h"

#include "base/clock.h"

#include <stdint.h>

/* Twelve sums, each waiting for itself only: enough for 4 cycles of latency and two units, in
 * registers because each is a variable (of an array the compiler keeps a copy in memory). The
 * empty asm keeps it from working out the result, or a part of it once for all rounds. */
#define SUMS(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)
#define ZERO(i) sum##i = a,
#define STEP(i)                                                                                \
    sum##i = MULTIPLY_ADD(a, b, sum##i);                                                       \
    __asm__ volatile("" : "+" REGISTER(sum##i), "+" REGISTER(a));
#define PEAK_LOOP(name, attribute, vec, multiplications)                                       \
    attribute static double name(long rounds)                                                  \
    {                                                                                          \
        vec a = {0}, SUMS(ZERO) b = {0};                                                       \
        __asm__ volatile("" : "+" REGISTER(b));                                                \
        for (long r = 0; r < rounds; r++) {                                                    \
            SUMS(STEP)                                                                         \
        }                                                                                      \
        return 2.0 * multiplications * 12 * (double)rounds;                                    \
    }

typedef float vec4 __attribute__((vector_size(16)));

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET(names) __attribute__((target(names)))

#define REGISTER(x)           "v"(x)
#define MULTIPLY_ADD(a, b, c) _mm512_fmadd_ps(a, b, c)
PEAK_LOOP(f32_avx512, TARGET("avx512f"), __m512, 16)
#undef MULTIPLY_ADD
#define MULTIPLY_ADD(a, b, c) _mm512_dpbf16_ps(c, (__m512bh)(a), (__m512bh)(b))
PEAK_LOOP(bf16_avx512, TARGET("avx512f,avx512bf16"), __m512, 32)
#undef MULTIPLY_ADD
#define MULTIPLY_ADD(a, b, c) _mm512_dpbusd_epi32(c, a, b)
PEAK_LOOP(int8_vnni, TARGET("avx512f,avx512vnni"), __m512i, 64)
#undef MULTIPLY_ADD
#define MULTIPLY_ADD(a, b, c)                                                                  \
    _mm512_add_epi32(c, _mm512_madd_epi16(_mm512_maddubs_epi16(a, b), b))
PEAK_LOOP(int8_avx512, TARGET("avx512f,avx512bw"), __m512i, 64)
#undef MULTIPLY_ADD
#undef REGISTER

#define REGISTER(x) "x"(x)
#define MULTIPLY_ADD(a, b, c)                                                                  \
    _mm256_add_epi32(c, _mm256_madd_epi16(_mm256_maddubs_epi16(a, b), b))
PEAK_LOOP(int8_avx2, TARGET("avx2"), __m256i, 32)
#undef MULTIPLY_ADD
#define MULTIPLY_ADD(a, b, c) _mm256_fmadd_ps(a, b, c)
PEAK_LOOP(f32_avx2, TARGET("avx2,fma"), __m256, 8)
#undef MULTIPLY_ADD

/* AMX (Intel SDM, volume 1, chapter 18): tiles of 16 rows of 64 bytes, four of them sums. A
 * product takes 16 cycles and its sum is there after 52, so four keep the unit busy. */
#define AMX_LOOP(name, multiply, multiplications)                                              \
    TARGET("amx-tile,amx-int8,amx-bf16") static double name(long rounds)                       \
    {                                                                                          \
        static const struct {                                                                  \
            uint8_t palette, start_row, reserved[14];                                          \
            uint16_t bytes[16];                                                                \
            uint8_t rows[16];                                                                  \
        } tiles = {                                                                            \
            .palette = 1,                                                                      \
            .bytes = {64, 64, 64, 64, 64, 64, 64, 64},                                         \
            .rows = {16, 16, 16, 16, 16, 16, 16, 16},                                          \
        };                                                                                     \
        _tile_loadconfig(&tiles);                                                              \
        for (long r = 0; r < rounds; r++) {                                                    \
            multiply(0, 4, 6);                                                                 \
            multiply(1, 4, 7);                                                                 \
            multiply(2, 5, 6);                                                                 \
            multiply(3, 5, 7);                                                                 \
        }                                                                                      \
        _tile_release();                                                                       \
        return 2.0 * multiplications * 4 * (double)rounds;                                     \
    }
AMX_LOOP(int8_amx, _tile_dpbusd, 16 * 16 * 64)
AMX_LOOP(bf16_amx, _tile_dpbf16ps, 16 * 16 * 32)
#else
#define REGISTER(x) "w"(x)
#endif

#define MULTIPLY_ADD(a, b, c) ((a) * (b) + (c))
PEAK_LOOP(f32_plain, , vec4, 4)

static double measure(double (*loop)(long), unsigned threads)
{
    enum { ROUNDS = 2000000, TRIES = 9 };
    double best = 0;
    for (int t = 0; t < TRIES; t++) {
        double operations = 0, start = clock_seconds();
#pragma omp parallel num_threads((int)threads) reduction(+ : operations)
        operations += loop(ROUNDS);
        double rate = operations / (clock_seconds() - start) / 1e9;
        best = rate > best ? rate : best;
    }
    return best;
}

/* Where RAG_CPU is wrong, whoever else asks cpu_choose says so. */
static enum cpu_level chosen_level(void)
{
    enum cpu_level level;
    return cpu_choose(&level, NULL) ? CPU_SCALAR : level;
}

double peak_gflops(enum cpu_level level, unsigned threads)
{
#if defined(__x86_64__)
    if (level >= CPU_AVX512)
        return measure(f32_avx512, threads);
    if (level == CPU_AVX2)
        return measure(f32_avx2, threads);
#endif
    (void)level;
    return measure(f32_plain, threads);
}

double peak_int8_gops(unsigned threads)
{
    enum cpu_level level = chosen_level();
#if defined(__x86_64__)
    if (level == CPU_AMX)
        return measure(int8_amx, threads);
    if (level >= CPU_AVX512_VNNI)
        return measure(int8_vnni, threads);
    if (level == CPU_AVX512)
        return measure(int8_avx512, threads);
    if (level == CPU_AVX2)
        return measure(int8_avx2, threads);
#endif
    return peak_gflops(level, threads);
}

double peak_bf16_gflops(unsigned threads)
{
    enum cpu_level level = chosen_level();
#if defined(__x86_64__)
    if (level == CPU_AMX)
        return measure(bf16_amx, threads);
    if (level >= CPU_AVX512_BF16)
        return measure(bf16_avx512, threads);
#endif
    return peak_gflops(level, threads);
}
