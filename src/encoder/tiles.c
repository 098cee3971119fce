#include "encoder/tiles.h"

const struct tile_kernels *tile_kernels_for(enum cpu_level level)
{
    switch (level) {
#if defined(__x86_64__)
    case CPU_AMX:
        return &tiles_amx;
    case CPU_AVX512_BF16:
        return &tiles_avx512bf16;
    case CPU_AVX512_VNNI:
        return &tiles_avx512vnni;
    case CPU_AVX512:
    case CPU_AVX2:
        return &tiles_avx2;
#endif
    default:
        return &tiles_scalar;
    }
}
