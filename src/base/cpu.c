#define _GNU_SOURCE /* syscall */
#include "base/cpu.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#endif

const char *cpu_level_name(enum cpu_level level)
{
    static const char *const names[CPU_LEVELS] = {"scalar",     "neon",       "avx2", "avx512",
                                                  "avx512vnni", "avx512bf16", "amx"};
    return names[level];
}

#if defined(__x86_64__)
/* gcc 12 and clang 14 cannot be asked for AVX512-BF16 and AMX by name, so that CPUID is:
 * leaf 7, subleaf 0, EDX 24 and 25; bit 22 for AMX-BF16; subleaf 1, EAX 5 for AVX512-BF16
 * (Intel SDM, volume 2A, CPUID). */
static bool has_bf16(void)
{
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) && a >> 5 & 1;
}

static bool has_amx(void)
{
#if defined(__linux__)
    enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 }; /* ARCH_REQ_XCOMP_PERM */
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && d >> 22 & 1 && d >> 24 & 1 &&
           d >> 25 & 1 && syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
#else
    return false;
#endif
}
#endif

bool cpu_has(enum cpu_level level)
{
    switch (level) {
    case CPU_SCALAR:
        return true;
#if defined(__aarch64__)
    case CPU_NEON:
        return true;
#elif defined(__x86_64__)
    case CPU_AVX2:
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case CPU_AVX512:
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    case CPU_AVX512_VNNI:
        return cpu_has(CPU_AVX512) && __builtin_cpu_supports("avx512vnni");
    case CPU_AVX512_BF16:
        return cpu_has(CPU_AVX512_VNNI) && has_bf16();
    case CPU_AMX:
        return cpu_has(CPU_AVX512_BF16) && has_amx();
#endif
    default:
        return false;
    }
}

rag_status cpu_choose(enum cpu_level *out, rag_error *error)
{
    const char *wanted = getenv("RAG_CPU");
    if (!wanted || !*wanted) {
        *out = CPU_AMX;
        while (!cpu_has(*out))
            *out = (enum cpu_level)(*out - 1);
        return RAG_OK;
    }
    for (int level = 0; level < CPU_LEVELS; level++) {
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
    return fail_with(
        error, RAG_USAGE,
        "RAG_CPU=%s: must be scalar, neon, avx2, avx512, avx512vnni, avx512bf16 or "
        "amx; unset it to use the best that this machine has",
        wanted);
}
