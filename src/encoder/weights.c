/* Weights by the names that Hugging Face transformers gives them. */
#include "base/memory.h"
#include "encoder/magnitudes.h"
#include "encoder/parts.h"

#include <omp.h>
#include <stdio.h>
#include <string.h>

enum { NAME_SIZE = 128 };

/* A tensor that must be there in this shape; columns 0: a vector. */
static rag_status find(const struct checkpoint *checkpoint, const char *name, size_t rows,
                       size_t columns, const struct tensor **out, rag_error *error)
{
    const struct tensor *t = checkpoint_find(checkpoint, name);
    if (!t)
        return fail_with(error, RAG_MODEL,
                         "the weights have no tensor \"%s\", which config.json calls for",
                         name);
    bool vector = columns == 0 && t->dimensions == 1 && t->shape[0] == rows;
    bool matrix = t->dimensions == 2 && t->shape[0] == rows && t->shape[1] == columns;
    if (!vector && !matrix)
        return fail_with(error, RAG_MODEL,
                         "tensor \"%s\": %u dimension%s, the first of %llu; config.json calls "
                         "for [%zu%s%.0zu]",
                         name, t->dimensions, t->dimensions == 1 ? "" : "s",
                         (unsigned long long)(t->dimensions ? t->shape[0] : 0), rows,
                         columns ? ", " : "", columns);
    if (t->type != TENSOR_F32 && t->type != TENSOR_F16 && t->type != TENSOR_BF16)
        return fail_with(error, RAG_MODEL, "tensor \"%s\": weights must be f32, f16 or bf16",
                         name);
    *out = t;
    return RAG_OK;
}

static rag_status read_into(const struct checkpoint *checkpoint, const char *name, size_t rows,
                            size_t columns, float *out, rag_error *error)
{
    const struct tensor *t;
    rag_status status = find(checkpoint, name, rows, columns, &t, error);
    if (!status)
        tensor_read_f32(t, 0, t->elements, out);
    return status;
}

static rag_status load_vector(const struct checkpoint *checkpoint, const char *name,
                              size_t size, float **out, rag_error *error)
{
    *out = alloc_array(size, sizeof **out);
    return *out ? read_into(checkpoint, name, size, 0, *out, error) : fail_memory(error);
}

static rag_status load_norm(const struct checkpoint *checkpoint, const char *prefix,
                            size_t size, struct norm *out, rag_error *error)
{
    char name[NAME_SIZE];
    snprintf(name, sizeof name, "%sLayerNorm.weight", prefix);
    rag_status status = load_vector(checkpoint, name, size, &out->scale, error);
    if (status)
        return status;
    snprintf(name, sizeof name, "%sLayerNorm.bias", prefix);
    return load_vector(checkpoint, name, size, &out->shift, error);
}

static void norm_release(struct norm *norm)
{
    free(norm->scale);
    free(norm->shift);
}

/* The linear layers prefix + parts[i] as floats, one below the other: weights [outputs x
 * inputs], bias [outputs], outputs = count * part_outputs. parts ends with NULL. */
struct linear {
    const char *prefix;
    const char *const *parts;
    size_t part_outputs, inputs;
    float *weights, *bias;
    size_t outputs;
};

static void linear_release(struct linear *linear)
{
    free(linear->weights);
    free(linear->bias);
}

static rag_status linear_read(struct linear *l, const struct checkpoint *checkpoint,
                              rag_error *error)
{
    char name[NAME_SIZE];
    size_t count = 0, elements;
    rag_status status = RAG_OK;
    while (l->parts[count])
        count++;
    l->outputs = count * l->part_outputs;
    l->weights = NULL;
    l->bias = alloc_array(l->outputs, sizeof *l->bias);
    if (size_mul(l->outputs, l->inputs, &elements))
        l->weights = alloc_array(elements, sizeof *l->weights);
    if (!l->weights || !l->bias)
        status = fail_memory(error);
    for (size_t i = 0; i < count && !status; i++) {
        size_t first = i * l->part_outputs;
        snprintf(name, sizeof name, "%s%s.weight", l->prefix, l->parts[i]);
        status = read_into(checkpoint, name, l->part_outputs, l->inputs,
                           l->weights + first * l->inputs, error);
        snprintf(name, sizeof name, "%s%s.bias", l->prefix, l->parts[i]);
        if (!status)
            status = read_into(checkpoint, name, l->part_outputs, 0, l->bias + first, error);
    }
    return status;
}

#define PARTS(...)                                                                             \
    (const char *const[])                                                                      \
    {                                                                                          \
        __VA_ARGS__, NULL                                                                      \
    }

/* A linear layer of a head. */
static rag_status load_head(const struct encoder *encoder, const struct checkpoint *checkpoint,
                            const char *name, size_t outputs, struct matmul **out,
                            rag_error *error)
{
    struct linear linear = {.prefix = "",
                            .parts = PARTS(name),
                            .part_outputs = outputs,
                            .inputs = encoder->config.hidden};
    rag_status status = linear_read(&linear, checkpoint, error);
    if (!status)
        status = matmul_new(&encoder->heads, linear.weights, linear.bias, NULL, linear.outputs,
                            linear.inputs, out, error);
    linear_release(&linear);
    return status;
}

static const char *const product_names[PRODUCTS] = {"qkv", "out", "up", "down"};

static void section_name(char name[NAME_SIZE], size_t layer, size_t product)
{
    snprintf(name, NAME_SIZE, "layer.%zu.%s", layer, product_names[product]);
}

/* The linear layer of a product, not yet read; prefix: room for it. */
static struct linear describe_product(const struct encoder *encoder, size_t layer,
                                      size_t product, char prefix[NAME_SIZE])
{
    static const char *const parts[PRODUCTS][4] = {
        {"attention.self.query", "attention.self.key", "attention.self.value", NULL},
        {"attention.output.dense", NULL},
        {"intermediate.dense", NULL},
        {"output.dense", NULL},
    };
    const struct model_config *c = &encoder->config;
    snprintf(prefix, NAME_SIZE, "encoder.layer.%zu.", layer);
    return (struct linear){
        .prefix = prefix,
        .parts = parts[product],
        .part_outputs = product == UP ? c->feed_forward : c->hidden,
        .inputs = product == DOWN ? c->feed_forward : c->hidden,
    };
}

static rag_status map_product(const struct encoder *encoder, const struct packed *packed,
                              size_t layer, size_t product, struct matmul **out,
                              rag_error *error)
{
    char name[NAME_SIZE], prefix[NAME_SIZE];
    struct linear shape = describe_product(encoder, layer, product, prefix);
    const struct matmul_maker *maker = &encoder->maker;
    const void *data;
    size_t size, outputs = shape.part_outputs * (product == QKV ? 3 : 1);
    section_name(name, layer, product);
    if (!packed_section(packed, name, &data, &size))
        return fail_with(error, RAG_MODEL, "there is no section %s", name);
    if (encoder->precision == RAG_PRECISION_INT8 &&
        matmul_stored_as(data, size) == RAG_PRECISION_BF16)
        maker = &encoder->higher;
    return matmul_from_stored(maker, data, size, outputs, shape.inputs, out, error);
}

/* From the checkpoint. */
static rag_status pack_product(const struct encoder *encoder,
                               const struct checkpoint *checkpoint,
                               const struct matmul_maker *maker,
                               const struct magnitudes *magnitudes, size_t layer,
                               size_t product, struct matmul **out, rag_error *error)
{
    char prefix[NAME_SIZE];
    struct linear linear = describe_product(encoder, layer, product, prefix);
    rag_status status = linear_read(&linear, checkpoint, error);
    /* What comes out of GELU is not smoothed: its great elements stand in other columns for
     * each token, so that smoothing loses more than it gains there. */
    struct matmul_columns columns = {.hardly_negative = product == DOWN};
    if (magnitudes) {
        size_t at = magnitudes_at(&encoder->config, layer, product);
        columns.greatest = product == DOWN ? NULL : magnitudes->greatest + at;
        columns.mean = magnitudes->mean + at;
    }
    if (!status)
        status = matmul_new(maker, linear.weights, linear.bias, &columns, linear.outputs,
                            linear.inputs, out, error);
    linear_release(&linear);
    return status;
}

static size_t greatest_of(const double *errors, const bool *taken, size_t n)
{
    size_t best = n;
    for (size_t i = 0; i < n; i++)
        if (!taken[i] && (best == n || errors[i] > errors[best]))
            best = i;
    return best;
}

rag_status encoder_raise(struct encoder *encoder, const struct checkpoint *checkpoint,
                         const double *errors, size_t count, rag_error *error)
{
    size_t n = encoder_products(encoder);
    bool *taken = alloc_zeroed(n, sizeof *taken);
    rag_status status = taken ? RAG_OK : fail_memory(error);
    for (size_t i = 0; i < count && i < n && !status; i++) {
        size_t worst = greatest_of(errors, taken, n);
        struct matmul **place = encoder_product(encoder, worst), *raised;
        taken[worst] = true;
        if (matmul_precision(*place) == RAG_PRECISION_BF16)
            continue;
        status = pack_product(encoder, checkpoint, &encoder->higher, NULL, worst / PRODUCTS,
                              worst % PRODUCTS, &raised, error);
        if (!status) {
            matmul_free(*place);
            *place = raised;
        }
    }
    free(taken);
    for (size_t i = 0; i < encoder->threads; i++) /* their operands have grown */
        worker_shrink(&encoder->workers[i]);
    return status;
}

static rag_status load_layer(const struct encoder *encoder, const struct checkpoint *checkpoint,
                             const struct encoder_weights *weights, size_t index,
                             struct layer *out, rag_error *error)
{
    size_t d = encoder->config.hidden;
    char name[NAME_SIZE];
    rag_status status = RAG_OK;
    for (size_t i = 0; i < PRODUCTS && !status; i++)
        status = weights->packed
                     ? map_product(encoder, weights->packed, index, i, &out->products[i], error)
                     : pack_product(encoder, checkpoint, &encoder->maker, weights->magnitudes,
                                    index, i, &out->products[i], error);
    if (status)
        return status;
    snprintf(name, sizeof name, "encoder.layer.%zu.attention.output.", index);
    status = load_norm(checkpoint, name, d, &out->attention_norm, error);
    if (status)
        return status;
    snprintf(name, sizeof name, "encoder.layer.%zu.output.", index);
    return load_norm(checkpoint, name, d, &out->output_norm, error);
}

rag_status encoder_store(const struct encoder *encoder, struct packed_writer *writer,
                         rag_error *error)
{
    rag_status status = RAG_OK;
    for (size_t i = 0; i < encoder->config.layers; i++)
        for (size_t j = 0; j < PRODUCTS && !status; j++) {
            char name[NAME_SIZE];
            size_t size;
            const void *data = matmul_stored(encoder->layers[i].products[j], &size);
            section_name(name, i, j);
            status = packed_put(writer, name, data, size, error);
        }
    return status;
}

static void layer_release(struct layer *layer)
{
    for (size_t i = 0; i < PRODUCTS; i++)
        matmul_free(layer->products[i]);
    norm_release(&layer->attention_norm);
    norm_release(&layer->output_norm);
}

/* Layers are packed side by side; of several failures the first layer's is told. */
static rag_status load_layers(struct encoder *encoder, const struct checkpoint *checkpoint,
                              const struct encoder_weights *weights, rag_error *error)
{
    size_t count = encoder->config.layers, failed = count;
    rag_status status = RAG_OK;
    encoder->layers = alloc_zeroed(count, sizeof *encoder->layers);
    if (!encoder->layers)
        return fail_memory(error);
#pragma omp parallel for schedule(dynamic) num_threads((int)encoder->threads)
    for (size_t i = 0; i < count; i++) {
        rag_error own;
        rag_status s = load_layer(encoder, checkpoint, weights, i, &encoder->layers[i], &own);
#pragma omp critical(rag_encoder_load)
        if (s && i < failed) {
            failed = i;
            status = s;
            if (error)
                *error = own;
        }
    }
    return status;
}

static rag_status load_embeddings(struct encoder *encoder, const struct checkpoint *checkpoint,
                                  rag_error *error)
{
    const struct model_config *c = &encoder->config;
    rag_status status = find(checkpoint, "embeddings.word_embeddings.weight", c->vocabulary,
                             c->hidden, &encoder->words, error);
    if (!status)
        status = find(checkpoint, "embeddings.position_embeddings.weight", c->positions,
                      c->hidden, &encoder->positions, error);
    if (!status)
        status = find(checkpoint, "embeddings.token_type_embeddings.weight", c->token_types,
                      c->hidden, &encoder->types, error);
    if (!status)
        status =
            load_norm(checkpoint, "embeddings.", c->hidden, &encoder->embedding_norm, error);
    return status;
}

/* One output: w . x + bias. */
static rag_status load_single(const struct checkpoint *checkpoint, const char *part,
                              size_t size, float **weights, float *bias, rag_error *error)
{
    char name[NAME_SIZE];
    *weights = alloc_array(size, sizeof **weights);
    if (!*weights)
        return fail_memory(error);
    snprintf(name, sizeof name, "%s.weight", part);
    rag_status status = read_into(checkpoint, name, 1, size, *weights, error);
    snprintf(name, sizeof name, "%s.bias", part);
    return status ? status : read_into(checkpoint, name, 1, 0, bias, error);
}

static rag_status load_classifier(struct encoder *encoder, const struct checkpoint *checkpoint,
                                  rag_error *error)
{
    bool xlmr = encoder->config.family == FAMILY_XLM_ROBERTA;
    struct classifier *c = &encoder->classifier;
    size_t d = encoder->config.hidden;
    rag_status status = load_head(
        encoder, checkpoint, xlmr ? "classifier.dense" : "pooler.dense", d, &c->dense, error);
    return status ? status
                  : load_single(checkpoint, xlmr ? "classifier.out_proj" : "classifier", d,
                                &c->weights, &c->bias, error);
}

/* colbert_linear may have another number of outputs than D. */
static rag_status load_multi(struct encoder *encoder, const struct checkpoint *checkpoint,
                             rag_error *error)
{
    const struct tensor *t = checkpoint_find(checkpoint, "colbert_linear.weight");
    uint64_t outputs = t->dimensions ? t->shape[0] : 0;
    if (outputs == 0 || outputs > MODEL_MAX_HIDDEN)
        return fail_with(
            error, RAG_MODEL,
            "tensor \"colbert_linear.weight\" has %llu outputs; 1 to %d can be used",
            (unsigned long long)outputs, MODEL_MAX_HIDDEN);
    return load_head(encoder, checkpoint, "colbert_linear", outputs, &encoder->multi, error);
}

rag_status encoder_load(struct encoder *encoder, const struct checkpoint *checkpoint,
                        const struct encoder_weights *weights, rag_error *error)
{
    rag_status status = load_embeddings(encoder, checkpoint, error);
    if (!status)
        status = load_layers(encoder, checkpoint, weights, error);
    if (!status && encoder->config.classifier)
        status = load_classifier(encoder, checkpoint, error);
    if (!status && checkpoint_find(checkpoint, "sparse_linear.weight"))
        status = load_single(checkpoint, "sparse_linear", encoder->config.hidden,
                             &encoder->sparse, &encoder->sparse_bias, error);
    if (!status && checkpoint_find(checkpoint, "colbert_linear.weight"))
        status = load_multi(encoder, checkpoint, error);
    return status;
}

void encoder_unload(struct encoder *encoder)
{
    for (size_t i = 0; encoder->layers && i < encoder->config.layers; i++)
        layer_release(&encoder->layers[i]);
    free(encoder->layers);
    norm_release(&encoder->embedding_norm);
    matmul_free(encoder->classifier.dense);
    free(encoder->classifier.weights);
    free(encoder->sparse);
    matmul_free(encoder->multi);
}
