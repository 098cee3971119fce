/* Matrix products from our own small ones (Goto, van de Geijn, "Anatomy of high-performance
 * matrix multiplication", 2008, without its outer loop: a panel's columns fit the cache).
 *
 * Weights are packed in groups of GROUP columns, [inputs][GROUP] each, the last one filled up
 * with zeros. A block of x is transposed in tiles of TILE rows, DEPTH inputs at a time, so
 * that tile, group and result stay in the first two caches. */
#include "base/memory.h"
#include "encoder/matmul_provider.h"

#include <string.h>

enum { GROUP = 32, TILE = 12, DEPTH = 256 };

struct tiled_worker {
    struct matmul_worker base;
    float x[(MATMUL_ROWS + TILE - 1) / TILE][DEPTH * TILE];
    float edge[TILE * GROUP]; /* of a group with less than GROUP columns */
};

struct tiled_matmul {
    struct matmul base;
    float *weights; /* [groups][inputs][GROUP] */
    float *bias;    /* [outputs] */
};

static void tiled_provider_free(struct matmul_provider *provider)
{
    free(provider);
}

static rag_status tiled_worker_new(struct matmul_provider *provider, struct matmul_worker **out,
                                   rag_error *error)
{
    struct tiled_worker *worker = alloc_aligned(1, sizeof *worker);
    if (!worker)
        return fail_memory(error);
    worker->base.provider = provider;
    *out = &worker->base;
    return RAG_OK;
}

static void tiled_worker_free(struct matmul_worker *worker)
{
    free(worker);
}

static void tiled_matrix_free(struct matmul *matmul)
{
    struct tiled_matmul *tiled = (struct tiled_matmul *)matmul;
    free(tiled->weights);
    free(tiled->bias);
    free(tiled);
}

static void pack_weights(const float *weights, size_t outputs, size_t inputs, float *packed)
{
    for (size_t first = 0; first < outputs; first += GROUP)
        for (size_t p = 0; p < inputs; p++)
            for (size_t j = first; j < first + GROUP; j++)
                *packed++ = j < outputs ? weights[j * inputs + p] : 0;
}

static rag_status tiled_matrix_new(struct matmul_provider *provider, const float *weights,
                                   const float *bias, const float *magnitudes, size_t outputs,
                                   size_t inputs, struct matmul **out, rag_error *error)
{
    (void)magnitudes;
    struct tiled_matmul *tiled = alloc_zeroed(1, sizeof *tiled);
    if (!tiled)
        return fail_memory(error);
    tiled->base = matmul_make(provider, outputs, inputs);
    size_t columns = (outputs + GROUP - 1) / GROUP * GROUP, elements;
    if (size_mul(columns, inputs, &elements))
        tiled->weights = alloc_aligned(elements, sizeof(float));
    tiled->bias = alloc_array(outputs, sizeof(float));
    if (!tiled->weights || !tiled->bias) {
        tiled_matrix_free(&tiled->base);
        return fail_memory(error);
    }
    pack_weights(weights, outputs, inputs, tiled->weights);
    memcpy(tiled->bias, bias, outputs * sizeof *bias);
    *out = &tiled->base;
    return RAG_OK;
}

/* A tile's columns [first, first + count) of x, transposed: [count][TILE]. */
static void pack_tile(const float *x, size_t rows, size_t stride, size_t first, size_t count,
                      float *packed)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t p = 0; p < count; p++)
            packed[p * TILE + i] = x[i * stride + first + p];
}

/* y [rows x columns], row stride `stride`, += tile [depth][TILE]^T group [depth][GROUP]. */
static void add_product(const struct kernels *kernels, const float *x, size_t rows,
                        const float *group, size_t depth, float *y, size_t columns,
                        size_t stride, float *edge)
{
    if (columns == GROUP) {
        kernels->outer_product(rows, GROUP, depth, x, TILE, group, GROUP, y, stride, true);
        return;
    }
    for (size_t i = 0; i < rows; i++)
        memcpy(edge + i * GROUP, y + i * stride, columns * sizeof *y);
    kernels->outer_product(rows, GROUP, depth, x, TILE, group, GROUP, edge, GROUP, true);
    for (size_t i = 0; i < rows; i++)
        memcpy(y + i * stride, edge + i * GROUP, columns * sizeof *y);
}

static rag_status tiled_run(const struct matmul *matmul, struct matmul_worker *base,
                            size_t panel, const void *operand, size_t rows,
                            const struct tile_result *out, rag_error *error)
{
    (void)error;
    const float *x = operand;
    float *y = out->data;
    const struct tiled_matmul *tiled = (const struct tiled_matmul *)matmul;
    const struct kernels *kernels = matmul->provider->kernels;
    struct tiled_worker *worker = (struct tiled_worker *)base;
    size_t inputs = matmul->inputs, outputs = matmul->outputs;
    size_t begin = matmul_panel_begin(matmul, panel), end = matmul_panel_end(matmul, panel);

    for (size_t i = 0; i < rows; i++)
        memcpy(y + i * outputs + begin, tiled->bias + begin, (end - begin) * sizeof *y);
    for (size_t p = 0; p < inputs; p += DEPTH) {
        size_t depth = inputs - p < DEPTH ? inputs - p : DEPTH;
        for (size_t i = 0; i < rows; i += TILE)
            pack_tile(x + i * inputs, rows - i < TILE ? rows - i : TILE, inputs, p, depth,
                      worker->x[i / TILE]);
        for (size_t j = begin; j < end; j += GROUP) {
            const float *group = tiled->weights + j * inputs + p * GROUP;
            size_t columns = end - j < GROUP ? end - j : GROUP;
            for (size_t i = 0; i < rows; i += TILE)
                add_product(kernels, worker->x[i / TILE], rows - i < TILE ? rows - i : TILE,
                            group, depth, y + i * outputs + j, columns, outputs, worker->edge);
        }
    }
    return RAG_OK;
}

static const struct matmul_operations operations = {
    .name = "tiled",
    .provider_free = tiled_provider_free,
    .worker_new = tiled_worker_new,
    .worker_free = tiled_worker_free,
    .matrix_new = tiled_matrix_new,
    .matrix_free = tiled_matrix_free,
    .run = tiled_run,
};

rag_status matmul_tiled_new(const struct kernels *kernels, struct matmul_provider **out,
                            rag_error *error)
{
    struct matmul_provider *provider = alloc_zeroed(1, sizeof *provider);
    if (!provider)
        return fail_memory(error);
    *provider = (struct matmul_provider){&operations, kernels};
    *out = provider;
    return RAG_OK;
}
