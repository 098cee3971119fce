/* matmul_provider.h - what a provider of matmul.h implements. Each struct of its own begins
 * with the one that is declared here. */
#ifndef RAG_ENCODER_MATMUL_PROVIDER_H
#define RAG_ENCODER_MATMUL_PROVIDER_H

#include "encoder/matmul.h"

struct matmul_operations {
    const char *name;
    void (*provider_free)(struct matmul_provider *provider);
    rag_status (*worker_new)(struct matmul_provider *provider, struct matmul_worker **out,
                             rag_error *error);
    void (*worker_free)(struct matmul_worker *worker);
    rag_status (*matrix_new)(struct matmul_provider *provider, const float *weights,
                             const float *bias, const float *magnitudes, size_t outputs,
                             size_t inputs, struct matmul **out, rag_error *error);
    void (*matrix_free)(struct matmul *matmul);
    rag_status (*run)(const struct matmul *matmul, struct matmul_worker *worker, size_t panel,
                      const void *x, size_t rows, const struct tile_result *y,
                      rag_error *error);
    /* NULL in f32. */
    const void *(*stored)(const struct matmul *matmul, size_t *size);
    rag_status (*from_stored)(struct matmul_provider *provider, const void *data, size_t size,
                              size_t outputs, size_t inputs, struct matmul **out,
                              rag_error *error);
    size_t (*operand_bytes)(const struct matmul *matmul);
    void (*operand)(const struct matmul *matmul, const float *x, void *operand);
    void (*operand_bf16)(const struct matmul *matmul, const uint16_t *x, void *operand);
    double (*operand_error)(const struct matmul *matmul, const float *x, const void *operand);
};

struct matmul_provider {
    const struct matmul_operations *operations;
    const struct kernels *kernels;
};

struct matmul_worker {
    struct matmul_provider *provider;
};

struct matmul {
    struct matmul_provider *provider;
    size_t outputs, inputs;
    size_t panel; /* columns of all panels but the last */
};

struct matmul matmul_make(struct matmul_provider *provider, size_t outputs, size_t inputs);

CHECKED rag_status matmul_tiled_new(const struct kernels *kernels, struct matmul_provider **out,
                                    rag_error *error);

CHECKED rag_status matmul_reduced_new(const struct tile_kernels *tiles, rag_precision precision,
                                      struct matmul_provider **out, rag_error *error);

/* *out is NULL if oneDNN has no brgemm kernels for this machine. */
CHECKED rag_status matmul_onednn_new(const struct kernels *kernels,
                                     struct matmul_provider **out, rag_error *error);

#endif
