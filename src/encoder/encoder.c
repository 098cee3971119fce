#include "encoder/encoder.h"

#include "base/memory.h"
#include "encoder/attention.h"
#include "encoder/parts.h"
#include "encoder/tiles.h"

#include <omp.h>

enum {
    MAX_THREADS = 256,
    LEAST_WEIGHTS = 1 << 20, /* of layers: with less, f32 takes no time worth packing for */
};

static rag_status check_config(const struct model_config *c, rag_precision precision,
                               rag_error *error)
{
    if (precision != RAG_PRECISION_F32 &&
        (c->hidden % TILE_COLUMNS || c->feed_forward % TILE_COLUMNS))
        return fail_with(error, RAG_MODEL,
                         "precision %s needs a hidden size and a feed-forward size that are "
                         "multiples of %d, not %u and %u; use the precision f32",
                         precision == RAG_PRECISION_INT8 ? "int8" : "bf16", TILE_COLUMNS,
                         c->hidden, c->feed_forward);
    if (c->heads == 0 || c->hidden % c->heads != 0)
        return fail_with(error, RAG_MODEL, "a hidden size of %u cannot be cut into %u heads",
                         c->hidden, c->heads);
    if (c->max_tokens > c->positions - model_config_first_position(c))
        return fail_with(error, RAG_MODEL,
                         "%u positions, counted from %u, are too few for texts of %u tokens",
                         c->positions, model_config_first_position(c), c->max_tokens);
    return RAG_OK;
}

static rag_status start(struct encoder *encoder, unsigned threads, rag_error *error)
{
    enum cpu_level level;
    rag_status status = cpu_choose(&level, error);
    if (status)
        return status;
    encoder->kernels = kernels_for(level);
    encoder->tiles = tile_kernels_for(level);
    encoder->half = encoder->precision != RAG_PRECISION_F32 && encoder->tiles->fast_bf16;
    encoder->int8_scores = encoder->precision == RAG_PRECISION_INT8 &&
                           encoder->tiles->faster_int8 &&
                           encoder->config.hidden / encoder->config.heads <= ATTENTION_MAX_HEAD;
    encoder->threads = threads ? threads : (size_t)omp_get_num_procs();
    if (encoder->threads > MAX_THREADS)
        encoder->threads = MAX_THREADS;
    encoder->workers = alloc_zeroed(encoder->threads, sizeof *encoder->workers);
    encoder->maker =
        (struct matmul_maker){encoder->precision, encoder->kernels, encoder->tiles};
    encoder->higher = encoder->heads = encoder->maker;
    encoder->higher.precision = RAG_PRECISION_BF16;
    encoder->heads.precision = RAG_PRECISION_F32;
    return encoder->workers ? RAG_OK : fail_memory(error);
}

static rag_status create(const struct model_config *config, const struct checkpoint *checkpoint,
                         const struct encoder_weights *weights, rag_precision precision,
                         unsigned threads, struct encoder **out, rag_error *error)
{
    if (precision == RAG_PRECISION_DEFAULT)
        precision = RAG_PRECISION_F32;
    rag_status status = check_config(config, precision, error);
    if (status)
        return status;
    struct encoder *encoder = alloc_zeroed(1, sizeof *encoder);
    if (!encoder)
        return fail_memory(error);
    encoder->config = *config;
    encoder->precision = precision;
    status = start(encoder, threads, error);
    if (!status)
        status = encoder_load(encoder, checkpoint, weights, error);
    if (status)
        encoder_free(encoder);
    else
        *out = encoder;
    return status;
}

rag_status encoder_new(const struct model_config *config, const struct checkpoint *checkpoint,
                       rag_precision precision, unsigned threads, struct encoder **out,
                       rag_error *error)
{
    static const struct encoder_weights plain = {0};
    return create(config, checkpoint, &plain, precision, threads, out, error);
}

rag_status encoder_new_smoothed(const struct model_config *config,
                                const struct checkpoint *checkpoint,
                                const struct magnitudes *magnitudes, unsigned threads,
                                struct encoder **out, rag_error *error)
{
    struct encoder_weights weights = {.magnitudes = magnitudes};
    return create(config, checkpoint, &weights, RAG_PRECISION_INT8, threads, out, error);
}

rag_status encoder_new_packed(const struct model_config *config,
                              const struct checkpoint *checkpoint, const struct packed *packed,
                              rag_precision precision, unsigned threads, struct encoder **out,
                              rag_error *error)
{
    struct encoder_weights weights = {.packed = packed};
    return create(config, checkpoint, &weights, precision, threads, out, error);
}

void encoder_free(struct encoder *encoder)
{
    if (!encoder)
        return;
    for (size_t i = 0; encoder->workers && i < encoder->threads; i++)
        worker_release(&encoder->workers[i]);
    free(encoder->workers);
    encoder_unload(encoder);
    free(encoder);
}

rag_status encoder_is_faster(const struct model_config *config, rag_precision precision,
                             bool *faster, rag_error *error)
{
    enum cpu_level level = CPU_SCALAR;
    rag_status status = cpu_choose(&level, error);
    bool whole = config->hidden % TILE_COLUMNS == 0 && config->feed_forward % TILE_COLUMNS == 0;
    size_t d = config->hidden;
    size_t weights = config->layers * (4 * d * d + 2 * d * config->feed_forward);
    *faster = whole && weights >= LEAST_WEIGHTS &&
              (precision == RAG_PRECISION_INT8   ? level >= CPU_AVX512_VNNI
               : precision == RAG_PRECISION_BF16 ? tile_kernels_for(level)->fast_bf16
                                                 : false);
    return status;
}

size_t encoder_products(const struct encoder *encoder)
{
    return (size_t)encoder->config.layers * PRODUCTS;
}

struct matmul **encoder_product(const struct encoder *encoder, size_t i)
{
    return &encoder->layers[i / PRODUCTS].products[i % PRODUCTS];
}

size_t encoder_raised(const struct encoder *encoder)
{
    size_t count = 0;
    for (size_t i = 0; i < encoder_products(encoder); i++)
        count += matmul_precision(*encoder_product(encoder, i)) != encoder->precision;
    return count;
}

unsigned encoder_heads(const struct encoder *encoder)
{
    if (encoder->classifier.dense)
        return RAG_LOGIT;
    return RAG_DENSE | RAG_MULTI | (encoder->sparse ? RAG_SPARSE : 0U);
}

size_t encoder_multi_dimension(const struct encoder *encoder)
{
    return encoder->multi ? matmul_outputs(encoder->multi) : encoder->config.hidden;
}

static size_t wide_columns(const struct encoder *encoder)
{
    size_t wide = 3 * (size_t)encoder->config.hidden;
    if (wide < encoder->config.feed_forward)
        wide = encoder->config.feed_forward;
    size_t multi = encoder_multi_dimension(encoder);
    return wide < multi ? multi : wide;
}

size_t encoder_operand_bytes(const struct encoder *encoder)
{
    size_t most = 0;
    for (size_t i = 0; i < encoder_products(encoder); i++) {
        size_t bytes = matmul_operand_bytes(*encoder_product(encoder, i));
        most = bytes > most ? bytes : most;
    }
    const struct matmul *heads[] = {encoder->classifier.dense, encoder->multi};
    for (size_t i = 0; i < 2; i++)
        if (heads[i] && matmul_operand_bytes(heads[i]) > most)
            most = matmul_operand_bytes(heads[i]);
    return most;
}

/* Rows beyond a batch's last are computed with it, so that they must hold numbers. */
static float *alloc_rows(size_t rows, size_t columns)
{
    size_t count;
    float *all = size_mul(rows, columns, &count) ? alloc_aligned(count, sizeof(float)) : NULL;
    for (size_t i = 0; all && i < count; i++)
        all[i] = 0;
    return all;
}

static void activations_release(struct activations *a)
{
    free(a->hidden);
    free(a->context);
    free(a->sum);
    free(a->wide);
    free(a->operand);
    *a = (struct activations){0};
}

static rag_status activations_reserve(const struct encoder *encoder, struct activations *a,
                                      size_t rows, rag_error *error)
{
    rows = (rows + MATMUL_STEP - 1) / MATMUL_STEP * MATMUL_STEP;
    if (rows <= a->rows)
        return RAG_OK;
    activations_release(a);
    a->hidden = alloc_rows(rows, encoder->config.hidden);
    a->context = alloc_rows(rows, encoder->config.hidden);
    a->sum = alloc_rows(rows, encoder->config.hidden);
    a->wide = alloc_rows(rows, wide_columns(encoder));
    size_t operand = encoder_operand_bytes(encoder);
    a->operand = (char *)alloc_rows(rows, operand / sizeof(float));
    if (!a->hidden || !a->context || !a->sum || !a->wide || !a->operand) {
        activations_release(a);
        return fail_memory(error);
    }
    a->rows = rows;
    return RAG_OK;
}

rag_status worker_reserve(const struct encoder *encoder, struct worker *worker, size_t rows,
                          size_t longest, rag_error *error)
{
    size_t size = encoder->config.hidden / encoder->config.heads;
    size_t scratch = encoder->half ? attention_bf16_scratch(longest, size)
                                   : attention_scratch(longest, size);
    if (scratch > worker->attention_size) {
        free(worker->attention);
        worker->attention = alloc_aligned(scratch, sizeof *worker->attention);
        worker->attention_size = worker->attention ? scratch : 0;
        if (!worker->attention)
            return fail_memory(error);
    }
    return activations_reserve(encoder, &worker->activations, rows, error);
}

void worker_shrink(struct worker *worker)
{
    activations_release(&worker->activations);
}

void worker_release(struct worker *worker)
{
    free(worker->attention);
    activations_release(&worker->activations);
}
