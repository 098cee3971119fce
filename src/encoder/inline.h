/* inline.h - for kernels, whose sums live in registers only where everything is inlined and
 * short loops are unrolled whole. */
#ifndef RAG_ENCODER_INLINE_H
#define RAG_ENCODER_INLINE_H

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* Before a short loop. */
#if defined(__clang__)
#define UNROLLED _Pragma("clang loop unroll(full)")
#else
#define UNROLLED _Pragma("GCC unroll 16")
#endif

#endif
