/* A packed matrix is one piece of memory that can be stored and mapped as it is, little-endian
 * (n = outputs, padded to a multiple of 16):
 *
 *   0   u32 kind       1: bf16, 2: int8, 3: f32
 *   4   u32 outputs
 *   8   u32 inputs
 *   12  u32 units      of 4 bytes, of a column (tiles.h)
 *   16  u32 zero       int8: what stands for 0 in rows (tiles.h); else 0
 *   20  44 bytes of 0
 *   64  int8: f32 factor [inputs, padded to 16], by which inputs are multiplied beforehand
 *       int8: f32 scale  [n]
 *       int8: i32 offset [n]
 *       f32 bias         [n]
 *       weights          [n / 16][units][16][4 bytes]
 *
 * Nothing in it is an offset or an index: whatever the numbers are, they are only numbers.
 *
 * int8: weights have a scale for each output and are symmetric; rows of x have one each, found
 * as they come. bf16: weights and rows are rounded to bf16.
 *
 * An operand is a cache line that begins with the row's scale, and then the row: also in f32,
 * where rows of 4 KB, standing as they are, would all lie in the same set of the first cache.
 */
#include "encoder/matmul.h"

#include "base/memory.h"
#include "encoder/bf16.h"

#include <math.h>
#include <string.h>

enum kind { KIND_BF16 = 1, KIND_INT8 = 2, KIND_F32 = 3 };

struct header {
    uint32_t kind, outputs, inputs, units, zero;
    char rest[44];
};
_Static_assert(sizeof(struct header) == TILE_BYTES, "the header is a cache line");

struct matmul {
    struct matmul_maker maker;
    size_t outputs, inputs;
    size_t panel; /* columns of all panels but the last, a multiple of TILE_COLUMNS */
    void *own;    /* NULL: someone else's memory */
    const void *stored;
    size_t size;
    const float *factor; /* int8; NULL if all are 1 */
    uint8_t zero;        /* int8 */
    struct tile_matrix matrix;
};

static enum kind kind_of(rag_precision precision)
{
    return precision == RAG_PRECISION_INT8   ? KIND_INT8
           : precision == RAG_PRECISION_BF16 ? KIND_BF16
                                             : KIND_F32;
}

/* Where the parts of a stored matrix begin, and its size, in bytes. */
struct layout {
    size_t units, factor, scale, offset, bias, weights, size;
};

static bool lay_out(enum kind kind, size_t outputs, size_t inputs, struct layout *out)
{
    size_t padded = tile_padded(outputs, TILE_COLUMNS), bytes;
    size_t row = kind == KIND_INT8 ? inputs : kind == KIND_BF16 ? inputs * 2 : inputs * 4;
    if (outputs == 0 || outputs > UINT32_MAX - TILE_COLUMNS || inputs == 0 ||
        inputs > UINT32_MAX / 8)
        return false;
    out->units = kind == KIND_F32 ? inputs : tile_padded(row, TILE_BYTES) / 4;
    out->factor = sizeof(struct header);
    out->scale = out->factor + (kind == KIND_INT8 ? tile_padded(inputs, 16) * 4 : 0);
    out->offset = out->scale + (kind == KIND_INT8 ? padded * 4 : 0);
    out->bias = out->offset + (kind == KIND_INT8 ? padded * 4 : 0);
    out->weights = out->bias + padded * 4;
    return size_mul(out->units * 4, padded, &bytes) &&
           size_add(out->weights, bytes, &out->size);
}

/* ---- Packing ---- */

/* Element `input` of column `output`, where a unit holds so many. */
static size_t place(size_t units, size_t output, size_t input, size_t per_unit)
{
    size_t unit = output / TILE_COLUMNS * units + input / per_unit;
    return (unit * TILE_COLUMNS + output % TILE_COLUMNS) * per_unit + input % per_unit;
}

static void pack_f32(const float *weights, size_t outputs, size_t inputs,
                     const struct layout *at, char *to)
{
    float *packed = (float *)(to + at->weights);
    for (size_t j = 0; j < outputs; j++)
        for (size_t i = 0; i < inputs; i++)
            packed[place(at->units, j, i, 1)] = weights[j * inputs + i];
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
static void find_factors(const float *weights, const float *greatest, size_t outputs,
                         size_t inputs, float *factor)
{
    for (size_t i = 0; i < inputs; i++)
        factor[i] = greatest ? 0 : 1;
    if (!greatest)
        return;
    for (size_t j = 0; j < outputs; j++)
        for (size_t i = 0; i < inputs; i++)
            factor[i] = fmaxf(factor[i], fabsf(weights[j * inputs + i]));
    for (size_t i = 0; i < inputs; i++) {
        float ratio = sqrtf(factor[i] / greatest[i]);
        factor[i] = isfinite(ratio) && ratio > 1e-6F && ratio < 1e6F ? ratio : 1;
    }
}

static void pack_int8(const float *weights, const struct matmul_columns *columns,
                      size_t outputs, size_t inputs, const struct layout *at, uint8_t zero,
                      char *to)
{
    float *factor = (float *)(to + at->factor), *scale = (float *)(to + at->scale);
    float *bias = (float *)(to + at->bias);
    int32_t *offset = (int32_t *)(to + at->offset);
    int8_t *packed = (int8_t *)(to + at->weights);
    find_factors(weights, columns ? columns->greatest : NULL, outputs, inputs, factor);
    for (size_t j = 0; j < outputs; j++) {
        const float *column = weights + j * inputs;
        float greatest = 0;
        int32_t sum = 0;
        double lost = 0;
        for (size_t i = 0; i < inputs; i++)
            greatest = fmaxf(greatest, fabsf(column[i] / factor[i]));
        float inverse = greatest > 1e-30F ? 127 / greatest : 0;
        for (size_t i = 0; i < inputs; i++) {
            int q = (int)nearbyintf(column[i] / factor[i] * inverse);
            packed[place(at->units, j, i, 4)] = (int8_t)q;
            sum += q;
            if (columns && columns->mean)
                lost += (column[i] - (double)((float)q * factor[i]) * greatest / 127) *
                        columns->mean[i];
        }
        bias[j] += (float)lost;
        scale[j] = greatest / 127;
        offset[j] = -zero * sum;
    }
}

/* Panels of whole tiles, four or more of a matrix, so that a few rows still keep some threads
 * busy; not so narrow that a task is nothing, not so wide that its weights leave the cache. */
static size_t panel_of(size_t outputs)
{
    enum { LEAST = 128, MOST = 512, STEP = 2 * TILE_COLUMNS };
    size_t panel = tile_padded(outputs / 4, STEP);
    return panel < LEAST ? LEAST : panel > MOST ? MOST : panel;
}

/* The factors, if there is anything to multiply by: not for what was not smoothed. */
static const float *used_factors(const float *factor, size_t inputs)
{
    for (size_t i = 0; i < inputs; i++)
        if (factor[i] != 1)
            return factor;
    return NULL;
}

static rag_status open_stored(const struct matmul_maker *maker, void *own, const void *stored,
                              const struct layout *at, size_t outputs, size_t inputs,
                              struct matmul **out, rag_error *error)
{
    const char *bytes = stored;
    const struct header *header = stored;
    struct matmul *m = alloc_zeroed(1, sizeof *m);
    if (!m)
        return fail_memory(error);
    *m = (struct matmul){
        .maker = *maker,
        .outputs = outputs,
        .inputs = inputs,
        .panel = panel_of(outputs),
        .own = own,
        .stored = stored,
        .size = at->size,
        .zero = (uint8_t)header->zero,
        .matrix = {.data = bytes + at->weights,
                   .units = at->units,
                   .bias = (const float *)(bytes + at->bias)},
    };
    if (maker->precision == RAG_PRECISION_INT8) {
        m->factor = used_factors((const float *)(bytes + at->factor), inputs);
        m->matrix.scale = (const float *)(bytes + at->scale);
        m->matrix.offset = (const int32_t *)(bytes + at->offset);
    }
    *out = m;
    return RAG_OK;
}

rag_status matmul_new(const struct matmul_maker *maker, const float *weights, const float *bias,
                      const struct matmul_columns *columns, size_t outputs, size_t inputs,
                      struct matmul **out, rag_error *error)
{
    enum kind kind = kind_of(maker->precision);
    struct layout at;
    if (kind != KIND_F32 && outputs % TILE_COLUMNS)
        return fail_with(error, RAG_MODEL,
                         "a matrix with %zu outputs: bf16 and int8 need multiples of %d; use "
                         "the precision f32",
                         outputs, TILE_COLUMNS);
    char *bytes = lay_out(kind, outputs, inputs, &at) ? alloc_aligned(at.size, 1) : NULL;
    if (!bytes)
        return fail_memory(error);
    memset(bytes, 0, at.size);
    uint8_t zero = columns && columns->hardly_negative ? TILE_LOW : TILE_MIDDLE;
    struct header header = {.kind = kind,
                            .outputs = (uint32_t)outputs,
                            .inputs = (uint32_t)inputs,
                            .units = (uint32_t)at.units,
                            .zero = kind == KIND_INT8 ? zero : 0};
    memcpy(bytes, &header, sizeof header);
    memcpy(bytes + at.bias, bias, outputs * sizeof *bias);
    if (kind == KIND_INT8)
        pack_int8(weights, columns, outputs, inputs, &at, zero, bytes);
    else if (kind == KIND_BF16)
        pack_bf16(weights, outputs, inputs, &at, bytes);
    else
        pack_f32(weights, outputs, inputs, &at, bytes);
    rag_status status = open_stored(maker, bytes, bytes, &at, outputs, inputs, out, error);
    if (status)
        free(bytes);
    return status;
}

static bool zero_is_valid(enum kind kind, uint32_t zero)
{
    return kind == KIND_INT8 ? zero == TILE_MIDDLE || zero == TILE_LOW : zero == 0;
}

rag_status matmul_from_stored(const struct matmul_maker *maker, const void *data, size_t size,
                              size_t outputs, size_t inputs, struct matmul **out,
                              rag_error *error)
{
    enum kind kind = kind_of(maker->precision);
    struct layout at;
    struct header header;
    if (size < sizeof header || !lay_out(kind, outputs, inputs, &at) || size != at.size ||
        (uintptr_t)data % TILE_BYTES || (kind != KIND_F32 && outputs % TILE_COLUMNS))
        return fail_with(error, RAG_MODEL, "a packed matrix of %zu x %zu has %zu bytes",
                         outputs, inputs, size);
    memcpy(&header, data, sizeof header);
    if (header.kind != kind || header.outputs != outputs || header.inputs != inputs ||
        header.units != at.units || !zero_is_valid(kind, header.zero))
        return fail_with(error, RAG_MODEL, "a packed matrix of %zu x %zu is another's", outputs,
                         inputs);
    return open_stored(maker, NULL, data, &at, outputs, inputs, out, error);
}

const void *matmul_stored(const struct matmul *matmul, size_t *size)
{
    *size = matmul->size;
    return matmul->stored;
}

rag_precision matmul_stored_as(const void *data, size_t size)
{
    struct header header;
    if (size < sizeof header)
        return RAG_PRECISION_DEFAULT;
    memcpy(&header, data, sizeof header);
    for (int p = RAG_PRECISION_F32; p <= RAG_PRECISION_INT8; p++)
        if (kind_of((rag_precision)p) == header.kind)
            return (rag_precision)p;
    return RAG_PRECISION_DEFAULT;
}

void matmul_free(struct matmul *matmul)
{
    if (!matmul)
        return;
    free(matmul->own);
    free(matmul);
}

/* ---- Products ---- */

rag_precision matmul_precision(const struct matmul *matmul)
{
    return matmul->maker.precision;
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

size_t matmul_operand_bytes(const struct matmul *matmul)
{
    return TILE_BYTES + matmul->matrix.units * 4;
}

void matmul_operand(const struct matmul *m, const float *x, void *operand)
{
    char *row = (char *)operand + TILE_BYTES;
    if (m->maker.precision == RAG_PRECISION_INT8)
        *(float *)operand =
            m->maker.tiles->quantise(x, m->factor, m->zero, m->inputs, (uint8_t *)row);
    else if (m->maker.precision == RAG_PRECISION_BF16)
        m->maker.tiles->to_bf16(x, 1, m->inputs, (uint16_t *)row);
    else
        memcpy(row, x, m->inputs * sizeof *x);
}

void matmul_operand_bf16(const struct matmul *m, const uint16_t *x, void *operand)
{
    char *row = (char *)operand + TILE_BYTES;
    size_t bytes = m->inputs * sizeof *x;
    if (m->maker.precision == RAG_PRECISION_INT8) {
        *(float *)operand =
            m->maker.tiles->quantise_bf16(x, m->factor, m->zero, m->inputs, (uint8_t *)row);
    } else {
        memcpy(row, x, bytes);
        memset(row + bytes, 0, m->matrix.units * 4 - bytes);
    }
}

double matmul_operand_error(const struct matmul *m, const float *x, const void *operand)
{
    const void *row = (const char *)operand + TILE_BYTES;
    bool int8 = m->maker.precision == RAG_PRECISION_INT8;
    float scale = *(const float *)operand;
    double lost = 0, all = 0;
    for (size_t i = 0; i < m->inputs; i++) {
        double v = m->factor ? x[i] * m->factor[i] : x[i];
        double kept = int8 ? (((const uint8_t *)row)[i] - m->zero) * (double)scale
                           : bf16_to_f32(((const uint16_t *)row)[i]);
        lost += (v - kept) * (v - kept);
        all += v * v;
    }
    return all > 0 ? lost / all : 0;
}

/* The last columns, where they don't fill a tile, by a place beside y. */
static void run_f32_edge(const struct matmul *m, const struct tile_rows *x, size_t first,
                         const struct tile_result *y)
{
    float edge[MATMUL_ROWS * TILE_COLUMNS];
    struct tile_matrix last = m->matrix;
    last.data = (const float *)m->matrix.data + first * m->matrix.units;
    last.bias = m->matrix.bias + first;
    m->maker.kernels->product(x, &last, 0, TILE_COLUMNS, edge, TILE_COLUMNS);
    for (size_t i = 0; i < x->count; i++)
        memcpy((float *)y->data + i * y->stride + first, edge + i * TILE_COLUMNS,
               (m->outputs - first) * sizeof *edge);
}

static void run_f32(const struct matmul *m, size_t first, size_t end, const struct tile_rows *x,
                    const struct tile_result *y)
{
    size_t whole = end / TILE_COLUMNS * TILE_COLUMNS;
    m->maker.kernels->product(x, &m->matrix, first, whole, y->data, y->stride);
    if (whole < end)
        run_f32_edge(m, x, whole, y);
}

void matmul_run(const struct matmul *m, size_t panel, const void *x, size_t rows,
                const struct tile_result *y)
{
    size_t first = panel * m->panel;
    size_t end = first + m->panel < m->outputs ? first + m->panel : m->outputs;
    struct tile_rows left = {(const char *)x + TILE_BYTES, matmul_operand_bytes(m), rows, x};
    if (m->maker.precision == RAG_PRECISION_INT8)
        m->maker.tiles->int8_product(&left, &m->matrix, first, end, y);
    else if (m->maker.precision == RAG_PRECISION_BF16)
        m->maker.tiles->bf16_product(&left, &m->matrix, first, end, y);
    else
        run_f32(m, first, end, &left, y);
}
