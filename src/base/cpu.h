/* cpu.h - which instruction set the kernels of the encoder and of the store use.
 *
 * The best that the machine has, unless RAG_CPU in the environment names a lesser one:
 * "scalar", "neon", "avx2" (with FMA), "avx512" (F, BW, DQ, VL), "avx512vnni", "avx512bf16"
 * (VNNI too), "amx" (all of these and AMX-INT8 and AMX-BF16, which the system must grant).
 * The encoder's vectors are the same bits on the same instruction set; between two of them they
 * differ by rounding. The store's searches find the same on all. */
#ifndef RAG_BASE_CPU_H
#define RAG_BASE_CPU_H

#include "base/error.h"

enum cpu_level {
    CPU_SCALAR,
    CPU_NEON,
    CPU_AVX2,
    CPU_AVX512,
    CPU_AVX512_VNNI,
    CPU_AVX512_BF16,
    CPU_AMX,
};
enum { CPU_LEVELS = CPU_AMX + 1 };

const char *cpu_level_name(enum cpu_level level);

/* Whether this machine, and this build, has it. */
_Bool cpu_has(enum cpu_level level);

/* RAG_USAGE: RAG_CPU names none of these, or one that this machine lacks. */
CHECKED rag_status cpu_choose(enum cpu_level *out, rag_error *error);

#endif
