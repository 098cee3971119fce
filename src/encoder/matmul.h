/* matmul.h - products with the model's weight matrices: y = x W^T + bias.
 *
 * One interface, one file a provider: in f32 matmul_onednn.c (Intel oneDNN's brgemm kernels,
 * where the machine has AVX-512) and matmul_tiled.c (our own kernels, everywhere else: there
 * oneDNN's products depend on a row's place among the others); in bf16 and int8
 * matmul_reduced.c, whose packed matrices can be stored and mapped.
 *
 * Rows of x are floats, or operands that are made of them row by row (matmul_operand).
 * Weights are packed once. A product is cut into tasks that threads share out among them:
 * blocks of at most MATMUL_ROWS rows, and panels of at most MATMUL_PANEL columns. An element of
 * y depends on its row of x and its row of W alone: the same bits wherever the row stands, in
 * a block of whatever size, and whichever thread computes it.
 *
 * A provider and its matrices are shared by threads; each thread has a worker. */
#ifndef RAG_ENCODER_MATMUL_H
#define RAG_ENCODER_MATMUL_H

#include "encoder/kernels.h"
#include "encoder/tiles.h"

enum {
    MATMUL_ROWS = 128,
    MATMUL_PANEL = 512,
    MATMUL_STEP = 16, /* x and y have room for rows rounded up to a multiple of this */
};

struct matmul_provider;
struct matmul_worker;
struct matmul;

/* precision: RAG_PRECISION_F32, _BF16 or _INT8. tiles: of the last two; may be NULL in f32. */
CHECKED rag_status matmul_provider_new(const struct kernels *kernels,
                                       const struct tile_kernels *tiles,
                                       rag_precision precision, struct matmul_provider **out,
                                       rag_error *error);
void matmul_provider_free(struct matmul_provider *provider);
const char *matmul_provider_name(const struct matmul_provider *provider);

CHECKED rag_status matmul_worker_new(struct matmul_provider *provider,
                                     struct matmul_worker **out, rag_error *error);
void matmul_worker_free(struct matmul_worker *worker);

/* Packs weights [outputs x inputs] and bias [outputs]; both may go afterwards. The provider
 * must stay. May be called from several threads. */
CHECKED rag_status matmul_new(struct matmul_provider *provider, const float *weights,
                              const float *bias, size_t outputs, size_t inputs,
                              struct matmul **out, rag_error *error);
void matmul_free(struct matmul *matmul);

/* How great the inputs of a product are, before it is packed for int8: [inputs] the greatest
 * magnitude seen in each column of x. Columns that are far greater than others would take all
 * of a row's 255 steps: part of their size goes into the weights (Xiao et al., "SmoothQuant",
 * ICML 2023, with alpha = 1/2). Other precisions need none. */
CHECKED rag_status matmul_new_smoothed(struct matmul_provider *provider, const float *weights,
                                       const float *bias, const float *magnitudes,
                                       size_t outputs, size_t inputs, struct matmul **out,
                                       rag_error *error);

/* A packed matrix of bf16 or int8 as bytes, valid as long as it is; NULL in f32. */
const void *matmul_stored(const struct matmul *matmul, size_t *size);
/* The precision that such bytes say they are in; RAG_PRECISION_DEFAULT: of no matrix. */
rag_precision matmul_stored_as(const void *data, size_t size);
/* A matrix from such bytes, 64-byte aligned, which stay where they are. RAG_MODEL: they are
 * not those of a matrix of this shape and precision. */
CHECKED rag_status matmul_from_stored(struct matmul_provider *provider, const void *data,
                                      size_t size, size_t outputs, size_t inputs,
                                      struct matmul **out, rag_error *error);

/* Bytes from a row of x to the next; 0 if x is floats as they are, [rows x inputs]. */
size_t matmul_operand_bytes(const struct matmul *matmul);
/* A row of x as matmul_run reads it; only where matmul_operand_bytes is not 0. */
void matmul_operand(const struct matmul *matmul, const float *x, void *operand);
void matmul_operand_bf16(const struct matmul *matmul, const uint16_t *x, void *operand);
/* How much of a row its operand loses: |x - what it stands for|^2 / |x|^2; 0 for x = 0. */
double matmul_operand_error(const struct matmul *matmul, const float *x, const void *operand);

bool matmul_is_of(const struct matmul *matmul, const struct matmul_provider *provider);
size_t matmul_inputs(const struct matmul *matmul);
size_t matmul_outputs(const struct matmul *matmul);
size_t matmul_panels(const struct matmul *matmul);

/* The first column of a panel, and the one after its last. */
size_t matmul_panel_begin(const struct matmul *matmul, size_t panel);
size_t matmul_panel_end(const struct matmul *matmul, size_t panel);

/* The panel's columns of y [rows x outputs] from x, floats or operands, rows <= MATMUL_ROWS;
 * what stands in the rows up to the next multiple of MATMUL_STEP is computed too. In f32 y is
 * floats in rows of `outputs`; other forms are for tiles with fast_bf16. */
CHECKED rag_status matmul_run(const struct matmul *matmul, struct matmul_worker *worker,
                              size_t panel, const void *x, size_t rows,
                              const struct tile_result *y, rag_error *error);

#endif
