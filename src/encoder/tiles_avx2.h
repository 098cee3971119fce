/* tiles_avx2.h - what AVX-512 without BF16 takes from AVX2. */
#ifndef RAG_ENCODER_TILES_AVX2_H
#define RAG_ENCODER_TILES_AVX2_H

#include "encoder/tiles.h"

void tiles_avx2_bf16_product(const struct tile_rows *x, const struct tile_matrix *w,
                             size_t first, size_t end, const struct tile_result *y);
void tiles_avx2_to_bf16(const float *x, float factor, size_t n, uint16_t *y);

#endif
