/* peak.h - what the machine could do: multiply-adds that wait for nothing, a multiplication
 * and an addition counted as two; the best of some tries of that many threads. */
#ifndef RAG_BENCH_PEAK_H
#define RAG_BENCH_PEAK_H

#include "base/cpu.h"

/* GFLOP/s in f32 with these instructions. */
double peak_gflops(enum cpu_level level, unsigned threads);

/* GOP/s and GFLOP/s with the best instructions that cpu_choose allows: AMX, else VNNI and
 * AVX512-BF16. Without those int8 is what pairs of 16-bit sums give (AVX-512BW, AVX2), and
 * bf16 is computed in f32, as is int8 where there is no x86. */
double peak_int8_gops(unsigned threads);
double peak_bf16_gflops(unsigned threads);

#endif
