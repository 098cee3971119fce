/* Products in bf16 and int8, from the kernels of tiles.h.
 *
 * A packed matrix is one piece of memory that can be stored and mapped as it is, little-endian:
 *
 *   0   u32 kind       1: bf16, 2: int8
 *   4   u32 outputs    a multiple of 16
 *   8   u32 inputs
 *   12  u32 units      of 4 bytes, of a column (tiles.h)
 *   16  48 bytes of 0
 *   64  int8: f32 factor [inputs, padded to 16], by which inputs are multiplied beforehand
 *       int8: f32 scale  [outputs]
 *       int8: i32 offset [outputs]
 *       f32 bias         [outputs]
 *       weights          [outputs / 16][units][16][4 bytes]
 *
 * Nothing in it is an offset or an index: whatever the numbers are, they are only numbers.
 *
 * int8: weights have a scale for each output, rows of x one each, found as they come; both are
 * symmetric and use 255 of the 256 values. bf16: weights and rows are rounded to bf16.
 *
 * An operand is a cache line that begins with the row's scale, and then the row. */
#include "base/memory.h"
#include "encoder/bf16.h"
#include "encoder/matmul_provider.h"

#include <math.h>
#include <string.h>

enum kind { KIND_BF16 = 1, KIND_INT8 = 2 };

struct header {
    uint32_t kind, outputs, inputs, units;
    char zero[48];
};
_Static_assert(sizeof(struct header) == TILE_BYTES, "the header is a cache line");

struct reduced_provider {
    struct matmul_provider base;
    const struct tile_kernels *tiles;
    enum kind kind;
};

struct reduced_matmul {
    struct matmul base;
    void *own; /* NULL: someone else's memory */
    const void *stored;
    size_t size;
    const float *factor; /* int8 */
    struct tile_matrix matrix;
};

/* Where the parts of a stored matrix begin, and its size, in bytes. */
struct layout {
    size_t units, factor, scale, offset, bias, weights, size;
};

static bool lay_out(enum kind kind, size_t outputs, size_t inputs, struct layout *out)
{
    size_t width = kind == KIND_INT8 ? 1 : 2, bytes;
    if (outputs == 0 || outputs % TILE_COLUMNS || outputs > UINT32_MAX || inputs == 0 ||
        inputs > UINT32_MAX / 4)
        return false;
    out->units = tile_padded(inputs * width, TILE_BYTES) / 4;
    out->factor = sizeof(struct header);
    out->scale = out->factor + (kind == KIND_INT8 ? tile_padded(inputs, 16) * 4 : 0);
    out->offset = out->scale + (kind == KIND_INT8 ? outputs * 4 : 0);
    out->bias = out->offset + (kind == KIND_INT8 ? outputs * 4 : 0);
    out->weights = out->bias + outputs * 4;
    return size_mul(out->units * 4, outputs, &bytes) &&
           size_add(out->weights, bytes, &out->size);
}

/* ---- Packing ---- */

/* Byte (int8) or element (bf16) `input` of column `output`. */
static size_t place(size_t units, size_t output, size_t input, size_t per_unit)
{
    size_t unit = output / TILE_COLUMNS * units + input / per_unit;
    return (unit * TILE_COLUMNS + output % TILE_COLUMNS) * per_unit + input % per_unit;
}

static void pack_bf16(const float *weights, size_t outputs, size_t inputs,
                      const struct layout *at, char *to)
{
    uint16_t *packed = (uint16_t *)(to + at->weights);
    for (size_t j = 0; j < outputs; j++)
        for (size_t i = 0; i < inputs; i++)
            packed[place(at->units, j, i, 2)] = bf16_from_f32(weights[j * inputs + i]);
}

/* factor[i] = sqrt(the greatest weight of column i / the greatest input i); 1 where there is no
 * telling. */
static void find_factors(const float *weights, const float *magnitudes, size_t outputs,
                         size_t inputs, float *factor)
{
    for (size_t i = 0; i < inputs; i++)
        factor[i] = magnitudes ? 0 : 1;
    if (!magnitudes)
        return;
    for (size_t j = 0; j < outputs; j++)
        for (size_t i = 0; i < inputs; i++)
            factor[i] = fmaxf(factor[i], fabsf(weights[j * inputs + i]));
    for (size_t i = 0; i < inputs; i++) {
        float ratio = sqrtf(factor[i] / magnitudes[i]);
        factor[i] = isfinite(ratio) && ratio > 1e-6F && ratio < 1e6F ? ratio : 1;
    }
}

static void pack_int8(const float *weights, const float *magnitudes, size_t outputs,
                      size_t inputs, const struct layout *at, char *to)
{
    float *factor = (float *)(to + at->factor), *scale = (float *)(to + at->scale);
    int32_t *offset = (int32_t *)(to + at->offset);
    int8_t *packed = (int8_t *)(to + at->weights);
    find_factors(weights, magnitudes, outputs, inputs, factor);
    for (size_t j = 0; j < outputs; j++) {
        const float *column = weights + j * inputs;
        float greatest = 0;
        int32_t sum = 0;
        for (size_t i = 0; i < inputs; i++)
            greatest = fmaxf(greatest, fabsf(column[i] / factor[i]));
        float inverse = greatest > 1e-30F ? 127 / greatest : 0;
        for (size_t i = 0; i < inputs; i++) {
            int q = (int)nearbyintf(column[i] / factor[i] * inverse);
            packed[place(at->units, j, i, 4)] = (int8_t)q;
            sum += q;
        }
        scale[j] = greatest / 127;
        offset[j] = -128 * sum;
    }
}

/* Rows of int8 operands are filled up with 128, columns with 0. */
static rag_status reduced_open(struct reduced_provider *provider, void *own, const void *stored,
                               size_t size, size_t outputs, size_t inputs, struct matmul **out,
                               rag_error *error)
{
    struct layout at;
    struct reduced_matmul *m = alloc_zeroed(1, sizeof *m);
    if (!m || !lay_out(provider->kind, outputs, inputs, &at)) {
        free(m);
        return m ? fail_with(error, RAG_INTERNAL, "a matrix of %zu x %zu", outputs, inputs)
                 : fail_memory(error);
    }
    const char *bytes = stored;
    *m = (struct reduced_matmul){
        .base = matmul_make(&provider->base, outputs, inputs),
        .own = own,
        .stored = stored,
        .size = size,
        .matrix = {.data = bytes + at.weights,
                   .units = at.units,
                   .bias = (const float *)(bytes + at.bias)},
    };
    if (provider->kind == KIND_INT8) {
        m->factor = (const float *)(bytes + at.factor);
        m->matrix.scale = (const float *)(bytes + at.scale);
        m->matrix.offset = (const int32_t *)(bytes + at.offset);
    }
    *out = &m->base;
    return RAG_OK;
}

static rag_status reduced_matrix_new(struct matmul_provider *base, const float *weights,
                                     const float *bias, const float *magnitudes, size_t outputs,
                                     size_t inputs, struct matmul **out, rag_error *error)
{
    struct reduced_provider *provider = (struct reduced_provider *)base;
    struct layout at;
    if (!lay_out(provider->kind, outputs, inputs, &at))
        return fail_with(error, RAG_MODEL,
                         "a matrix with %zu outputs: bf16 and int8 need multiples of %d; use "
                         "the precision f32",
                         outputs, TILE_COLUMNS);
    char *bytes = alloc_aligned(at.size, 1);
    if (!bytes)
        return fail_memory(error);
    memset(bytes, 0, at.size);
    struct header header = {
        provider->kind, (uint32_t)outputs, (uint32_t)inputs, (uint32_t)at.units, {0}};
    memcpy(bytes, &header, sizeof header);
    memcpy(bytes + at.bias, bias, outputs * sizeof *bias);
    if (provider->kind == KIND_INT8)
        pack_int8(weights, magnitudes, outputs, inputs, &at, bytes);
    else
        pack_bf16(weights, outputs, inputs, &at, bytes);
    rag_status status =
        reduced_open(provider, bytes, bytes, at.size, outputs, inputs, out, error);
    if (status)
        free(bytes);
    return status;
}

static rag_status reduced_from_stored(struct matmul_provider *base, const void *data,
                                      size_t size, size_t outputs, size_t inputs,
                                      struct matmul **out, rag_error *error)
{
    struct reduced_provider *provider = (struct reduced_provider *)base;
    struct layout at;
    struct header header;
    if (size < sizeof header || !lay_out(provider->kind, outputs, inputs, &at) ||
        size != at.size || (uintptr_t)data % TILE_BYTES)
        return fail_with(error, RAG_MODEL, "a packed matrix of %zu x %zu has %zu bytes",
                         outputs, inputs, size);
    memcpy(&header, data, sizeof header);
    if (header.kind != provider->kind || header.outputs != outputs || header.inputs != inputs ||
        header.units != at.units)
        return fail_with(error, RAG_MODEL, "a packed matrix of %zu x %zu is another's", outputs,
                         inputs);
    return reduced_open(provider, NULL, data, size, outputs, inputs, out, error);
}

static const void *reduced_stored(const struct matmul *matmul, size_t *size)
{
    const struct reduced_matmul *m = (const struct reduced_matmul *)matmul;
    *size = m->size;
    return m->stored;
}

rag_precision matmul_stored_as(const void *data, size_t size)
{
    struct header header;
    if (size < sizeof header)
        return RAG_PRECISION_DEFAULT;
    memcpy(&header, data, sizeof header);
    return header.kind == KIND_BF16   ? RAG_PRECISION_BF16
           : header.kind == KIND_INT8 ? RAG_PRECISION_INT8
                                      : RAG_PRECISION_DEFAULT;
}

static void reduced_matrix_free(struct matmul *matmul)
{
    struct reduced_matmul *m = (struct reduced_matmul *)matmul;
    free(m->own);
    free(m);
}

/* ---- Products ---- */

static size_t reduced_operand_bytes(const struct matmul *matmul)
{
    return TILE_BYTES + ((const struct reduced_matmul *)matmul)->matrix.units * 4;
}

static void reduced_operand(const struct matmul *matmul, const float *x, void *operand)
{
    const struct reduced_matmul *m = (const struct reduced_matmul *)matmul;
    const struct reduced_provider *provider = (const struct reduced_provider *)matmul->provider;
    char *row = (char *)operand + TILE_BYTES;
    if (provider->kind == KIND_INT8)
        *(float *)operand =
            provider->tiles->quantise(x, m->factor, matmul->inputs, (uint8_t *)row);
    else
        provider->tiles->to_bf16(x, 1, matmul->inputs, (uint16_t *)row);
}

static void reduced_operand_bf16(const struct matmul *matmul, const uint16_t *x, void *operand)
{
    const struct reduced_matmul *m = (const struct reduced_matmul *)matmul;
    const struct reduced_provider *provider = (const struct reduced_provider *)matmul->provider;
    char *row = (char *)operand + TILE_BYTES;
    size_t inputs = matmul->inputs;
    if (provider->kind == KIND_INT8) {
        *(float *)operand =
            provider->tiles->quantise_bf16(x, m->factor, inputs, (uint8_t *)row);
    } else {
        memcpy(row, x, inputs * sizeof *x);
        memset(row + inputs * sizeof *x, 0, m->matrix.units * 4 - inputs * sizeof *x);
    }
}

static double reduced_operand_error(const struct matmul *matmul, const float *x,
                                    const void *operand)
{
    const struct reduced_matmul *m = (const struct reduced_matmul *)matmul;
    const void *row = (const char *)operand + TILE_BYTES;
    float scale = *(const float *)operand;
    double lost = 0, all = 0;
    for (size_t i = 0; i < matmul->inputs; i++) {
        double v = m->factor ? x[i] * m->factor[i] : x[i];
        double kept = m->factor ? (((const uint8_t *)row)[i] - 128) * (double)scale
                                : bf16_to_f32(((const uint16_t *)row)[i]);
        lost += (v - kept) * (v - kept);
        all += v * v;
    }
    return all > 0 ? lost / all : 0;
}

static rag_status reduced_run(const struct matmul *matmul, struct matmul_worker *worker,
                              size_t panel, const void *x, size_t rows,
                              const struct tile_result *y, rag_error *error)
{
    (void)worker;
    (void)error;
    const struct reduced_matmul *m = (const struct reduced_matmul *)matmul;
    const struct reduced_provider *provider = (const struct reduced_provider *)matmul->provider;
    struct tile_rows left = {(const char *)x + TILE_BYTES, reduced_operand_bytes(matmul), rows,
                             x};
    size_t first = matmul_panel_begin(matmul, panel), end = matmul_panel_end(matmul, panel);
    if (provider->kind == KIND_INT8)
        provider->tiles->int8_product(&left, &m->matrix, first, end, y);
    else
        provider->tiles->bf16_product(&left, &m->matrix, first, end, y);
    return RAG_OK;
}

static rag_status reduced_worker_new(struct matmul_provider *provider,
                                     struct matmul_worker **out, rag_error *error)
{
    *out = alloc_zeroed(1, sizeof **out);
    if (!*out)
        return fail_memory(error);
    (*out)->provider = provider;
    return RAG_OK;
}

static void reduced_worker_free(struct matmul_worker *worker)
{
    free(worker);
}

static void reduced_provider_free(struct matmul_provider *provider)
{
    free(provider);
}

static const struct matmul_operations operations = {
    .name = "tiles",
    .provider_free = reduced_provider_free,
    .worker_new = reduced_worker_new,
    .worker_free = reduced_worker_free,
    .matrix_new = reduced_matrix_new,
    .matrix_free = reduced_matrix_free,
    .run = reduced_run,
    .stored = reduced_stored,
    .from_stored = reduced_from_stored,
    .operand_bytes = reduced_operand_bytes,
    .operand = reduced_operand,
    .operand_bf16 = reduced_operand_bf16,
    .operand_error = reduced_operand_error,
};

rag_status matmul_reduced_new(const struct tile_kernels *tiles, rag_precision precision,
                              struct matmul_provider **out, rag_error *error)
{
    struct reduced_provider *provider = alloc_zeroed(1, sizeof *provider);
    if (!provider)
        return fail_memory(error);
    *provider = (struct reduced_provider){
        .base = {&operations, NULL},
        .tiles = tiles,
        .kind = precision == RAG_PRECISION_INT8 ? KIND_INT8 : KIND_BF16,
    };
    *out = &provider->base;
    return RAG_OK;
}
