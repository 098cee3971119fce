/* matmul.h - products with the model's weight matrices: y = x W^T + bias, in f32, bf16 or int8.
 *
 * Weights are packed once, with the kernels of kernels.h (f32) and tiles.h (bf16, int8) in
 * mind. Rows of x are floats, or operands that are made of them row by row (matmul_operand). A
 * product is cut into tasks that threads share out among them: blocks of at most MATMUL_ROWS
 * rows, and panels of columns. An element of y depends on its row of x and its row of W alone:
 * the same bits wherever the row stands, in a block of whatever size, and whichever thread
 * computes it.
 *
 * Matrices are shared by threads. */
#ifndef RAG_ENCODER_MATMUL_H
#define RAG_ENCODER_MATMUL_H

#include "encoder/kernels.h"
#include "encoder/tiles.h"

enum {
    MATMUL_ROWS = TILE_MOST_ROWS,
    MATMUL_STEP = TILE_ROWS, /* x and y have room for rows rounded up to a multiple of this */
};

/* What matrices are made for. */
struct matmul_maker {
    rag_precision precision; /* RAG_PRECISION_F32, _BF16 or _INT8 */
    const struct kernels *kernels;
    const struct tile_kernels *tiles;
};

struct matmul;

/* What is known of the columns of x, for int8. */
struct matmul_columns {
    /* [inputs] the greatest magnitude; NULL: not used. Columns that are far greater than others
     * would take all of a row's 255 steps: part of their size goes into the weights (Xiao et
     * al., "SmoothQuant", ICML 2023, with alpha = 1/2). */
    const float *greatest;
    /* [inputs] the mean; NULL: not known. What rounded weights add to an output on the mean is
     * taken off its bias (Nagel et al., "Data-free quantization through weight equalization and
     * bias correction", ICCV 2019). */
    const float *mean;
    bool hardly_negative; /* as what comes out of GELU */
};

/* Packs weights [outputs x inputs] and bias [outputs]; both may go afterwards. columns: NULL if
 * not known. RAG_MODEL: bf16 and int8 need outputs in multiples of TILE_COLUMNS. */
CHECKED rag_status matmul_new(const struct matmul_maker *maker, const float *weights,
                              const float *bias, const struct matmul_columns *columns,
                              size_t outputs, size_t inputs, struct matmul **out,
                              rag_error *error);
void matmul_free(struct matmul *matmul);

/* A packed matrix as bytes, valid as long as it is. */
const void *matmul_stored(const struct matmul *matmul, size_t *size);
/* The precision that such bytes say they are in; RAG_PRECISION_DEFAULT: of no matrix. */
rag_precision matmul_stored_as(const void *data, size_t size);
/* A matrix from such bytes, 64-byte aligned, which stay where they are. RAG_MODEL: they are
 * not those of a matrix of this shape and precision. */
CHECKED rag_status matmul_from_stored(const struct matmul_maker *maker, const void *data,
                                      size_t size, size_t outputs, size_t inputs,
                                      struct matmul **out, rag_error *error);

rag_precision matmul_precision(const struct matmul *matmul);
size_t matmul_inputs(const struct matmul *matmul);
size_t matmul_outputs(const struct matmul *matmul);

/* Bytes of an operand: from a row of x to the next. */
size_t matmul_operand_bytes(const struct matmul *matmul);
/* A row of x as matmul_run reads it, from floats, or from bf16 (not in f32). */
void matmul_operand(const struct matmul *matmul, const float *x, void *operand);
void matmul_operand_bf16(const struct matmul *matmul, const uint16_t *x, void *operand);
/* How much of a row its operand loses in bf16 or int8: |x - what it stands for|^2 / |x|^2; 0
 * for x = 0. */
double matmul_operand_error(const struct matmul *matmul, const float *x, const void *operand);

size_t matmul_panels(const struct matmul *matmul);

/* The panel's columns of y [rows x outputs] from the operands x, rows <= MATMUL_ROWS; what
 * stands in the rows up to the next multiple of MATMUL_STEP may be computed too. Forms but
 * TILE_F32 are for bf16 and int8 with fast_bf16. */
void matmul_run(const struct matmul *matmul, size_t panel, const void *x, size_t rows,
                const struct tile_result *y);

#endif
