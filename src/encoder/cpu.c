#include "encoder/cpu.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { LEVELS = CPU_AVX512 + 1 };

const char *cpu_level_name(enum cpu_level level)
{
    static const char *const names[LEVELS] = {"scalar", "neon", "avx2", "avx512"};
    return names[level];
}

bool cpu_has(enum cpu_level level)
{
    switch (level) {
    case CPU_SCALAR:
        return true;
    case CPU_NEON:
#if defined(__aarch64__)
        return true;
#else
        return false;
#endif
    case CPU_AVX2:
#if defined(__x86_64__)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
        return false;
#endif
    case CPU_AVX512:
#if defined(__x86_64__)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#else
        return false;
#endif
    }
    return false;
}

rag_status cpu_choose(enum cpu_level *out, rag_error *error)
{
    const char *wanted = getenv("RAG_CPU");
    if (!wanted || !*wanted) {
        *out = CPU_AVX512;
        while (!cpu_has(*out))
            *out = (enum cpu_level)(*out - 1);
        return RAG_OK;
    }
    for (int level = 0; level < LEVELS; level++) {
        if (strcmp(wanted, cpu_level_name((enum cpu_level)level)) != 0)
            continue;
        if (!cpu_has((enum cpu_level)level))
            return fail_with(error, RAG_USAGE,
                             "RAG_CPU=%s: this machine does not have these instructions; "
                             "unset RAG_CPU to use the best that it has",
                             wanted);
        *out = (enum cpu_level)level;
        return RAG_OK;
    }
    return fail_with(error, RAG_USAGE,
                     "RAG_CPU=%s: must be scalar, neon, avx2 or avx512; unset it to use the "
                     "best that this machine has",
                     wanted);
}
