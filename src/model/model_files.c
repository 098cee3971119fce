#include "model/model_files.h"

#include "model/folder.h"

#include <string.h>

static const char *const described_by[] = {
    "config.json",
    "tokenizer.json",
    "sentencepiece.bpe.model",
    "vocab.txt",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "modules.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "sparse_linear.pt",
    "colbert_linear.pt",
    "README.md",
    "LICENSE",
};

/* In the order of model_weight_files: the file itself, or an index and its shards. */
static const struct weights {
    const char *file, *shard_prefix, *shard_suffix;
} weights[] = {
    {"model.safetensors", NULL, NULL},
    {"model.safetensors.index.json", "model-", ".safetensors"},
    {"pytorch_model.bin", NULL, NULL},
    {"pytorch_model.bin.index.json", "pytorch_model-", ".bin"},
};
enum { WEIGHTS = sizeof weights / sizeof *weights };

static bool ends_with(const char *text, const char *end)
{
    size_t size = strlen(text), end_size = strlen(end);
    return size >= end_size && strcmp(text + size - end_size, end) == 0;
}

/* Such as model-00001-of-00002.safetensors: characters that a URL and a path take as they
 * are. */
static bool is_shard(const char *name, const struct weights *of)
{
    return of->shard_prefix && model_name_is_valid(name) && !strchr(name, '/') &&
           strncmp(name, of->shard_prefix, strlen(of->shard_prefix)) == 0 &&
           ends_with(name, of->shard_suffix);
}

bool model_file_is_weights(const char *name)
{
    for (size_t i = 0; i < WEIGHTS; i++)
        if (weights[i].shard_prefix ? is_shard(name, &weights[i])
                                    : strcmp(name, weights[i].file) == 0)
            return true;
    return false;
}

/* 1_Pooling/config.json, under whatever number. */
static bool is_pooling(const char *name)
{
    return model_name_is_valid(name) && ends_with(name, "_Pooling/config.json");
}

static bool is_description(const char *name)
{
    for (size_t i = 0; i < sizeof described_by / sizeof *described_by; i++)
        if (strcmp(name, described_by[i]) == 0)
            return true;
    return is_pooling(name);
}

static bool is_among(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static bool has_one_of(const char *const *wanted, const char *const *names, size_t count)
{
    for (; *wanted; wanted++)
        if (is_among(*wanted, names, count))
            return true;
    return false;
}

rag_status model_files_choose(const char *const *names, size_t count, bool *wanted,
                              rag_error *error)
{
    const struct weights *chosen = weights;
    while (chosen < weights + WEIGHTS && !is_among(chosen->file, names, count))
        chosen++;
    if (!is_among("config.json", names, count))
        return fail_with(error, RAG_MODEL, "no model: there is no config.json");
    if (!has_one_of(model_tokenizer_files, names, count))
        return fail_with(error, RAG_MODEL,
                         "no tokenizer that rag reads: there is neither tokenizer.json nor "
                         "sentencepiece.bpe.model nor vocab.txt");
    if (chosen == weights + WEIGHTS)
        return fail_with(error, RAG_MODEL,
                         "no weights that rag reads: there is neither model.safetensors nor "
                         "pytorch_model.bin");
    for (size_t i = 0; i < count; i++)
        wanted[i] = is_description(names[i]) || strcmp(names[i], chosen->file) == 0 ||
                    is_shard(names[i], chosen);
    return RAG_OK;
}
