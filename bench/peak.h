/* peak.h - what the machine could do: multiply-adds that wait for nothing. */
#ifndef RAG_BENCH_PEAK_H
#define RAG_BENCH_PEAK_H

#include "encoder/cpu.h"

/* GFLOP/s in f32 of that many threads with these instructions; the best of some tries. */
double peak_gflops(enum cpu_level level, unsigned threads);

#endif
