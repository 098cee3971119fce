#include "encoder/matmul_provider.h"

rag_status matmul_provider_new(const struct kernels *kernels, const struct tile_kernels *tiles,
                               rag_precision precision, struct matmul_provider **out,
                               rag_error *error)
{
    *out = NULL;
    if (precision == RAG_PRECISION_BF16 || precision == RAG_PRECISION_INT8)
        return matmul_reduced_new(tiles, precision, out, error);
    if (kernels->level == CPU_AVX512) {
        rag_status status = matmul_onednn_new(kernels, out, error);
        if (status || *out)
            return status;
    }
    return matmul_tiled_new(kernels, out, error);
}

void matmul_provider_free(struct matmul_provider *provider)
{
    if (provider)
        provider->operations->provider_free(provider);
}

const char *matmul_provider_name(const struct matmul_provider *provider)
{
    return provider->operations->name;
}

rag_status matmul_worker_new(struct matmul_provider *provider, struct matmul_worker **out,
                             rag_error *error)
{
    return provider->operations->worker_new(provider, out, error);
}

void matmul_worker_free(struct matmul_worker *worker)
{
    if (worker)
        worker->provider->operations->worker_free(worker);
}

rag_status matmul_new(struct matmul_provider *provider, const float *weights, const float *bias,
                      size_t outputs, size_t inputs, struct matmul **out, rag_error *error)
{
    return matmul_new_smoothed(provider, weights, bias, NULL, outputs, inputs, out, error);
}

rag_status matmul_new_smoothed(struct matmul_provider *provider, const float *weights,
                               const float *bias, const float *magnitudes, size_t outputs,
                               size_t inputs, struct matmul **out, rag_error *error)
{
    return provider->operations->matrix_new(provider, weights, bias, magnitudes, outputs,
                                            inputs, out, error);
}

const void *matmul_stored(const struct matmul *matmul, size_t *size)
{
    const struct matmul_operations *operations = matmul->provider->operations;
    return operations->stored ? operations->stored(matmul, size) : NULL;
}

rag_status matmul_from_stored(struct matmul_provider *provider, const void *data, size_t size,
                              size_t outputs, size_t inputs, struct matmul **out,
                              rag_error *error)
{
    return provider->operations->from_stored(provider, data, size, outputs, inputs, out, error);
}

size_t matmul_operand_bytes(const struct matmul *matmul)
{
    const struct matmul_operations *operations = matmul->provider->operations;
    return operations->operand_bytes ? operations->operand_bytes(matmul) : 0;
}

void matmul_operand(const struct matmul *matmul, const float *x, void *operand)
{
    matmul->provider->operations->operand(matmul, x, operand);
}

void matmul_free(struct matmul *matmul)
{
    if (matmul)
        matmul->provider->operations->matrix_free(matmul);
}

/* Four panels or more of a matrix, so that a few rows still keep some threads busy; not so
 * narrow that the work of a call no longer outweighs its start. */
struct matmul matmul_make(struct matmul_provider *provider, size_t outputs, size_t inputs)
{
    enum { LEAST = 128, STEP = 32 };
    size_t panel = (outputs / 4 + STEP - 1) / STEP * STEP;
    panel = panel < LEAST ? LEAST : panel > MATMUL_PANEL ? MATMUL_PANEL : panel;
    return (struct matmul){provider, outputs, inputs, panel};
}

void matmul_operand_bf16(const struct matmul *matmul, const uint16_t *x, void *operand)
{
    matmul->provider->operations->operand_bf16(matmul, x, operand);
}

double matmul_operand_error(const struct matmul *matmul, const float *x, const void *operand)
{
    return matmul->provider->operations->operand_error(matmul, x, operand);
}

bool matmul_is_of(const struct matmul *matmul, const struct matmul_provider *provider)
{
    return matmul->provider == provider;
}

size_t matmul_inputs(const struct matmul *matmul)
{
    return matmul->inputs;
}

size_t matmul_outputs(const struct matmul *matmul)
{
    return matmul->outputs;
}

size_t matmul_panels(const struct matmul *matmul)
{
    return (matmul->outputs + matmul->panel - 1) / matmul->panel;
}

size_t matmul_panel_begin(const struct matmul *matmul, size_t panel)
{
    return panel * matmul->panel;
}

size_t matmul_panel_end(const struct matmul *matmul, size_t panel)
{
    size_t end = (panel + 1) * matmul->panel;
    return end < matmul->outputs ? end : matmul->outputs;
}

rag_status matmul_run(const struct matmul *matmul, struct matmul_worker *worker, size_t panel,
                      const void *x, size_t rows, const struct tile_result *y, rag_error *error)
{
    return matmul->provider->operations->run(matmul, worker, panel, x, rows, y, error);
}
