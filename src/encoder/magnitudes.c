#include "encoder/magnitudes.h"

#include "base/memory.h"
#include "encoder/parts.h"

#include <math.h>
#include <string.h>

size_t magnitudes_count(const struct model_config *config)
{
    return magnitudes_at(config, config->layers, QKV);
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
    float *greatest = encoder->magnitudes + magnitudes_at(&encoder->config, layer, product);
    for (size_t i = 0; i < inputs; i++)
        greatest[i] = fmaxf(greatest[i], fabsf(x[i]));
}

rag_status magnitudes_measure(struct encoder *encoder, const struct sequence *sequences,
                              size_t n, float *magnitudes, rag_error *error)
{
    size_t threads = encoder->threads, tokens = 0;
    for (size_t i = 0; i < n; i++)
        tokens += sequences[i].count;
    /* All tokens are asked for: for a first token alone the last layer would be cut short. */
    struct encoder_output out = {
        .hidden = alloc_array(tokens, encoder->config.hidden * sizeof(float))};
    if (!out.hidden)
        return fail_memory(error);
    memset(magnitudes, 0, magnitudes_count(&encoder->config) * sizeof *magnitudes);
    encoder->magnitudes = magnitudes;
    encoder->threads = 1;
    rag_status status = encoder_run(encoder, sequences, n, &out, NULL, error);
    encoder->threads = threads;
    encoder->magnitudes = NULL;
    free(out.hidden);
    return status;
}
