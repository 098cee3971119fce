/* model.c - opening a model: folder, configuration, tokenizer, weights, encoder. */
#include "base/memory.h"
#include "model/folder.h"
#include "pipeline/pipeline.h"
#include "pipeline/precision.h"
#include "pipeline/tokenizer_cache.h"

#include <string.h>

static const char *weights_type(const struct checkpoint *checkpoint)
{
    const struct tensor *words =
        checkpoint_find(checkpoint, "embeddings.word_embeddings.weight");
    if (!words)
        return "";
    switch (words->type) {
    case TENSOR_F32:
        return "f32";
    case TENSOR_F16:
        return "f16";
    case TENSOR_BF16:
        return "bf16";
    default:
        return "";
    }
}

static void describe(rag_model *model)
{
    const struct model_config *config = &model->config;
    unsigned heads = encoder_heads(model->encoder);
    model->info = (rag_model_info){
        .name = model->name,
        .folder = model->folder,
        .architecture = config->family == FAMILY_BERT ? "bert" : "xlm-roberta",
        .tokenizer = tokenizer_kind(model->tokenizer),
        .pooling = config->pooling == POOLING_MEAN ? "mean" : "cls",
        .query_prefix = config->query_prefix,
        .passage_prefix = config->passage_prefix,
        .weights = weights_type(model->checkpoint),
        .precision = precision_name(model->precision),
        .agreement = model->agreement,
        .identity = model->identity,
        .heads = heads,
        .dimension = config->hidden,
        .multi_dimension =
            heads & RAG_MULTI ? (unsigned)encoder_multi_dimension(model->encoder) : 0,
        .layers = config->layers,
        .attention_heads = config->heads,
        .feed_forward = config->feed_forward,
        .vocabulary = config->vocabulary,
        .max_tokens = config->max_tokens,
    };
    for (size_t i = 0; i < checkpoint_count(model->checkpoint); i++) {
        const struct tensor *tensor = checkpoint_at(model->checkpoint, i);
        model->info.parameters += tensor->elements;
        model->info.bytes += tensor->bytes;
    }
}

/* A model in the folder of models has the name that it is found by; one elsewhere its path, so
 * that an index made with it finds it again. */
static rag_status name_model(rag_model *model, const char *models, rag_error *error)
{
    rag_status status = model_name_of(model->folder, models, &model->name, error);
    if (!status && !model->name && !(model->name = strdup(model->folder)))
        status = fail_memory(error);
    return status;
}

/* A tokenizer of another model would give ids that the embedding table does not have. */
static rag_status check_vocabulary(const rag_model *model, rag_error *error)
{
    size_t pieces = tokenizer_vocabulary(model->tokenizer);
    if (pieces <= model->config.vocabulary)
        return RAG_OK;
    return fail_with(error, RAG_MODEL,
                     "%s: the tokenizer has %zu pieces, but the model only %u embeddings; the "
                     "files belong to different models",
                     tokenizer_path(model->tokenizer), pieces, model->config.vocabulary);
}

rag_status rag_model_open(const char *name, const rag_model_options *options, rag_model **out,
                          rag_error *error)
{
    static const rag_model_options defaults = RAG_MODEL_OPTIONS_INIT;
    if (!options)
        options = &defaults;
    *out = NULL;
    rag_status status = CHECK_OPTIONS(options, error);
    if (status)
        return status;
    rag_model *model = alloc_zeroed(1, sizeof *model);
    if (!model)
        return fail_memory(error);
    pthread_mutex_init(&model->lock, NULL);

    struct hash identity, tokenizer_file;
    struct events events = {options->on_event, options->user};
    status = model_find(name, options->models, &model->folder, error);
    if (!status)
        status = name_model(model, options->models, error);
    if (!status)
        status = model_config_read(model->folder, &model->config, error);
    if (!status)
        status = tokenizer_open_cached(model->folder, &model->tokenizer, error);
    if (!status)
        status = check_vocabulary(model, error);
    if (!status)
        status = checkpoint_open(model->folder, &model->checkpoint, error);
    if (!status)
        status = tokenizer_file_hash(model->tokenizer, &tokenizer_file, error);
    if (!status)
        status = model_identity(&model->config, model->checkpoint, &tokenizer_file, &identity,
                                error);
    if (!status)
        status = precision_open(model, &identity, options->precision, options->threads, &events,
                                error);
    if (status) {
        rag_model_close(model);
        return status;
    }
    hash_to_hex(&identity, model->identity);
    describe(model);
    *out = model;
    return RAG_OK;
}

void rag_model_close(rag_model *model)
{
    if (!model)
        return;
    encoder_free(model->encoder);
    packed_close(model->packed);
    checkpoint_close(model->checkpoint);
    tokenizer_free(model->tokenizer);
    free(model->folder);
    free(model->name);
    pthread_mutex_destroy(&model->lock);
    free(model);
}

const rag_model_info *rag_model_get_info(const rag_model *model)
{
    return &model->info;
}
