#include "synthetic.h"

#include <stdlib.h>
#include <string.h>

enum { POOL = 1 << 20, MAX_TENSORS = 8192 };

struct checkpoint {
    struct model_config config;
    struct tensor tensors[MAX_TENSORS];
    size_t count;
    float weights[POOL], scales[POOL]; /* about 0 and about 1 */
};

static bool has(const char *name, const char *part)
{
    return strstr(name, part) != NULL;
}

static uint64_t rows_of(const struct model_config *c, const char *name)
{
    if (has(name, "word_embeddings"))
        return c->vocabulary;
    if (has(name, "position_embeddings"))
        return c->positions;
    if (has(name, "token_type_embeddings"))
        return c->token_types;
    if (has(name, "intermediate.dense"))
        return c->feed_forward;
    return has(name, "out_proj") ? 1 : c->hidden;
}

static uint64_t columns_of(const struct model_config *c, const char *name)
{
    bool inner = has(name, "output.dense.weight") && !has(name, "attention.output");
    return inner ? c->feed_forward : c->hidden;
}

static void random_fill(float *out, float mean, float width)
{
    uint32_t state = 1;
    for (size_t i = 0; i < POOL; i++) {
        state = state * 1664525 + 1013904223;
        out[i] = mean + width * ((float)(state >> 8) / (1 << 24) - 0.5F);
    }
}

struct checkpoint *synthetic_new(const struct model_config *config)
{
    struct checkpoint *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->config = *config;
    random_fill(c->weights, 0, 0.1F);
    random_fill(c->scales, 1, 0.1F);
    return c;
}

void synthetic_free(struct checkpoint *checkpoint)
{
    free(checkpoint);
}

/* No head but the classifier is there. */
const struct tensor *checkpoint_find(const struct checkpoint *checkpoint, const char *name)
{
    struct checkpoint *c = (struct checkpoint *)(uintptr_t)checkpoint;
    struct tensor *found = NULL;
    if (has(name, "sparse") || has(name, "colbert"))
        return NULL;
#pragma omp critical(synthetic)
    if (c->count < MAX_TENSORS) {
        bool vector = has(name, "bias") || has(name, "LayerNorm");
        found = &c->tensors[c->count++];
        *found = (struct tensor){.type = TENSOR_F32, .dimensions = vector ? 1 : 2};
        found->data = has(name, "LayerNorm.weight") ? c->scales : c->weights;
        found->shape[0] = rows_of(&c->config, name);
        found->shape[1] = vector ? 1 : columns_of(&c->config, name);
        found->elements = found->shape[0] * found->shape[1];
    }
    return found;
}

void tensor_read_f32(const struct tensor *tensor, uint64_t first, uint64_t count, float *out)
{
    const float *pool = tensor->data;
    for (uint64_t i = 0; i < count; i++)
        out[i] = pool[(first + i) % POOL];
}

uint32_t model_config_first_position(const struct model_config *config)
{
    return config->family == FAMILY_XLM_ROBERTA ? config->padding_id + 1 : 0;
}
