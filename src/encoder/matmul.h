/* matmul.h - products with the model's weight matrices: y = x W^T + bias.
 *
 * One interface, one file a provider: matmul_onednn.c (Intel oneDNN's brgemm kernels, where
 * the machine has AVX-512), matmul_tiled.c (our own kernels, everywhere else: there oneDNN's
 * products depend on a row's place among the others).
 *
 * Weights are packed once. A product is cut into tasks that threads share out among them:
 * blocks of at most MATMUL_ROWS rows, and panels of at most MATMUL_PANEL columns. An element of
 * y depends on its row of x and its row of W alone: the same bits wherever the row stands, in
 * a block of whatever size, and whichever thread computes it.
 *
 * A provider and its matrices are shared by threads; each thread has a worker. */
#ifndef RAG_ENCODER_MATMUL_H
#define RAG_ENCODER_MATMUL_H

#include "encoder/kernels.h"

enum {
    MATMUL_ROWS = 128,
    MATMUL_PANEL = 512,
    MATMUL_STEP = 16, /* x and y have room for rows rounded up to a multiple of this */
};

struct matmul_provider;
struct matmul_worker;
struct matmul;

CHECKED rag_status matmul_provider_new(const struct kernels *kernels,
                                       struct matmul_provider **out, rag_error *error);
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

size_t matmul_inputs(const struct matmul *matmul);
size_t matmul_outputs(const struct matmul *matmul);
size_t matmul_panels(const struct matmul *matmul);

/* The first column of a panel, and the one after its last. */
size_t matmul_panel_begin(const struct matmul *matmul, size_t panel);
size_t matmul_panel_end(const struct matmul *matmul, size_t panel);

/* The panel's columns of y [rows x outputs] from x [rows x inputs], rows <= MATMUL_ROWS; what
 * stands in the rows up to the next multiple of MATMUL_STEP is computed too. */
CHECKED rag_status matmul_run(const struct matmul *matmul, struct matmul_worker *worker,
                              size_t panel, const float *x, size_t rows, float *y,
                              rag_error *error);

#endif
