#include "encoder/magnitudes.h"

#include "base/memory.h"
#include "encoder/bf16.h"
#include "encoder/parts.h"

#include <math.h>
#include <string.h>

void magnitudes_release(struct magnitudes *magnitudes)
{
    free(magnitudes->greatest);
    free(magnitudes->mean);
}

size_t magnitudes_at(const struct model_config *config, size_t layer, size_t product)
{
    return layer * (3 * (size_t)config->hidden + config->feed_forward) +
           product * config->hidden;
}

void magnitudes_note(const struct encoder *encoder, size_t layer, size_t product,
                     const float *x)
{
    size_t inputs = matmul_inputs(encoder->layers[layer].products[product]);
    size_t at = magnitudes_at(&encoder->config, layer, product);
    float *greatest = encoder->magnitudes->greatest + at, *sum = encoder->magnitudes->mean + at;
    for (size_t i = 0; i < inputs; i++) {
        greatest[i] = fmaxf(greatest[i], fabsf(x[i]));
        sum[i] += x[i];
    }
}

void errors_note(const struct encoder *encoder, size_t layer, size_t product, const float *x,
                 const void *operand)
{
    size_t i = layer * PRODUCTS + product;
    encoder->errors[i] += matmul_operand_error(*encoder_product(encoder, i), x, operand);
}

void errors_note_bf16(const struct encoder *encoder, size_t layer, size_t product,
                      const uint16_t *x, const void *operand)
{
    float *row = encoder->errors_row;
    size_t inputs = matmul_inputs(encoder->layers[layer].products[product]);
    for (size_t i = 0; i < inputs; i++)
        row[i] = bf16_to_f32(x[i]);
    errors_note(encoder, layer, product, row, operand);
}

/* All tokens of all sequences on one thread. The last layer's too: it would be cut short if a
 * first token's vector were all that is asked for. */
static rag_status run_alone(struct encoder *encoder, const struct sequence *sequences, size_t n,
                            size_t tokens, rag_error *error)
{
    size_t threads = encoder->threads;
    struct encoder_output out = {
        .hidden = alloc_array(tokens, encoder->config.hidden * sizeof(float))};
    if (!out.hidden)
        return fail_memory(error);
    encoder->threads = 1;
    rag_status status = encoder_run(encoder, sequences, n, &out, NULL, error);
    encoder->threads = threads;
    free(out.hidden);
    return status;
}

static size_t count_tokens(const struct sequence *sequences, size_t n)
{
    size_t tokens = 0;
    for (size_t i = 0; i < n; i++)
        tokens += sequences[i].count;
    return tokens;
}

rag_status magnitudes_measure(struct encoder *encoder, const struct sequence *sequences,
                              size_t n, struct magnitudes *out, rag_error *error)
{
    size_t tokens = count_tokens(sequences, n);
    out->count = magnitudes_at(&encoder->config, encoder->config.layers, QKV);
    out->greatest = alloc_zeroed(out->count, sizeof *out->greatest);
    out->mean = alloc_zeroed(out->count, sizeof *out->mean);
    if (!out->greatest || !out->mean)
        return fail_memory(error);
    encoder->magnitudes = out;
    rag_status status = run_alone(encoder, sequences, n, tokens, error);
    encoder->magnitudes = NULL;
    for (size_t i = 0; i < out->count; i++)
        out->mean[i] /= (float)tokens;
    return status;
}

rag_status errors_measure(struct encoder *encoder, const struct sequence *sequences, size_t n,
                          double *errors, rag_error *error)
{
    size_t tokens = count_tokens(sequences, n);
    for (size_t i = 0; i < encoder_products(encoder); i++)
        errors[i] = 0;
    float *row = alloc_array(encoder->config.feed_forward, sizeof *row);
    if (!row)
        return fail_memory(error);
    encoder->errors = errors;
    encoder->errors_row = row;
    rag_status status = run_alone(encoder, sequences, n, tokens, error);
    encoder->errors = NULL;
    encoder->errors_row = NULL;
    free(row);
    for (size_t i = 0; i < encoder_products(encoder); i++)
        errors[i] /= (double)tokens;
    return status;
}
