#include "encoder/kernels.h"

const struct kernels *kernels_for(enum cpu_level level)
{
    switch (level) {
#if defined(__x86_64__)
    case CPU_AMX:
    case CPU_AVX512_BF16:
    case CPU_AVX512_VNNI:
    case CPU_AVX512:
        return &kernels_avx512;
    case CPU_AVX2:
        return &kernels_avx2;
#elif defined(__aarch64__)
    case CPU_NEON:
        return &kernels_neon;
#endif
    default:
        return &kernels_scalar;
    }
}
