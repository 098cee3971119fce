#include "peak.h"

#include "base/clock.h"

/* Twelve sums, each waiting for itself only: enough for 4 cycles of latency and two units, in
 * registers because each is a variable (of an array the compiler keeps a copy in memory). The
 * empty asm keeps it from working out the result. */
#define SUMS(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)
#define ZERO(i) sum##i = a,
#define STEP(i)                                                                                \
    sum##i = FMA(a, b, sum##i);                                                                \
    __asm__ volatile("" : "+" REGISTER(sum##i));
#define PEAK_LOOP(name, attribute, vec, width)                                                 \
    typedef float vec __attribute__((vector_size(width * sizeof(float))));                     \
    attribute static double name(long rounds)                                                  \
    {                                                                                          \
        vec a = {0}, SUMS(ZERO) b = {0};                                                       \
        for (long r = 0; r < rounds; r++) {                                                    \
            SUMS(STEP)                                                                         \
        }                                                                                      \
        return 2.0 * width * 12 * (double)rounds;                                              \
    }

#if defined(__x86_64__)
#include <immintrin.h>
#define REGISTER(x)  "v"(x)
#define FMA(a, b, c) (vec16) _mm512_fmadd_ps((__m512)(a), (__m512)(b), (__m512)(c))
PEAK_LOOP(loop_avx512, __attribute__((target("avx512f"))), vec16, 16)
#undef FMA
#undef REGISTER
#define REGISTER(x)  "x"(x)
#define FMA(a, b, c) (vec8) _mm256_fmadd_ps((__m256)(a), (__m256)(b), (__m256)(c))
PEAK_LOOP(loop_avx2, __attribute__((target("avx2,fma"))), vec8, 8)
#undef FMA
#define FMA(a, b, c) ((a) * (b) + (c))
PEAK_LOOP(loop_plain, , vec4, 4)
#else
#define REGISTER(x)  "w"(x)
#define FMA(a, b, c) ((a) * (b) + (c))
PEAK_LOOP(loop_plain, , vec4, 4)
#endif

static double run_loop(enum cpu_level level, long rounds)
{
#if defined(__x86_64__)
    if (level == CPU_AVX512)
        return loop_avx512(rounds);
    if (level == CPU_AVX2)
        return loop_avx2(rounds);
#endif
    (void)level;
    return loop_plain(rounds);
}

double peak_gflops(enum cpu_level level, unsigned threads)
{
    enum { ROUNDS = 4000000, TRIES = 9 };
    double best = 0;
    for (int t = 0; t < TRIES; t++) {
        double flops = 0, start = clock_seconds();
#pragma omp parallel num_threads((int)threads) reduction(+ : flops)
        flops += run_loop(level, ROUNDS);
        double rate = flops / (clock_seconds() - start) / 1e9;
        best = rate > best ? rate : best;
    }
    return best;
}
