#include "model/config.h"

#include "base/file.h"
#include "model/json_file.h"
#include "model/known_models.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    MAX_CONFIG = 4 << 20, /* bytes of one of these files */
    MAX_PADDING_ID = MODEL_MAX_POSITIONS,
    MAX_TOKEN_TYPES = 1024,
};

/* What is being read, for messages: FOLDER/FILE. */
struct source {
    const char *folder, *file;
    const json_t *json;
    rag_error *error;
};

static rag_status bad_field(const struct source *source, const char *field, const char *what)
{
    return fail_with(source->error, RAG_MODEL, "%s/%s: %s: %s", source->folder, source->file,
                     field, what);
}

/* A whole number within min..max; `missing` (unless negative) stands for an absent one. */
static rag_status read_whole(const struct source *source, const char *field, uint64_t min,
                             uint64_t max, int64_t missing, uint32_t *out)
{
    const json_t *value = json_object_get(source->json, field);
    uint64_t whole;
    if ((!value || json_is_null(value)) && missing >= 0)
        whole = (uint64_t)missing;
    else if (!json_whole(value, max, &whole) || whole < min)
        return fail_with(source->error, RAG_MODEL,
                         "%s/%s: %s: must be a whole number from %llu to %llu", source->folder,
                         source->file, field, (unsigned long long)min, (unsigned long long)max);
    *out = (uint32_t)whole;
    return RAG_OK;
}

static const char *read_string(const struct source *source, const char *field)
{
    return json_string_value(json_object_get(source->json, field));
}

/* The classes of transformers that these encoders are the trunk of. */
static rag_status read_family(const struct source *source, struct model_config *out)
{
    static const struct {
        const char *type, *class_prefix;
        enum model_family family;
    } families[] = {
        {"xlm-roberta", "XLMRoberta", FAMILY_XLM_ROBERTA},
        {"bert", "Bert", FAMILY_BERT},
    };
    const char *type = read_string(source, "model_type");
    const json_t *architectures = json_object_get(source->json, "architectures");
    const char *class = json_string_value(json_array_get(architectures, 0));
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        const char *prefix = families[i].class_prefix;
        if (type ? strcmp(type, families[i].type) == 0
                 : class && strncmp(class, prefix, strlen(prefix)) == 0) {
            out->family = families[i].family;
            static const char head[] = "ForSequenceClassification";
            size_t size = class ? strlen(class) : 0;
            out->classifier =
                size >= sizeof head - 1 && strcmp(class + size - (sizeof head - 1), head) == 0;
            return RAG_OK;
        }
    }
    return fail_with(source->error, RAG_MODEL,
                     "%s/%s: model_type: \"%s\" is not supported; rag reads encoders of the "
                     "families xlm-roberta and bert",
                     source->folder, source->file,
                     type    ? type
                     : class ? class
                             : "");
}

static rag_status read_activation(const struct source *source, struct model_config *out)
{
    static const struct {
        const char *name;
        enum activation activation;
    } activations[] = {
        {"gelu", ACTIVATION_GELU},
        {"gelu_new", ACTIVATION_GELU_TANH},
        {"gelu_pytorch_tanh", ACTIVATION_GELU_TANH},
        {"relu", ACTIVATION_RELU},
    };
    const char *name = read_string(source, "hidden_act");
    for (size_t i = 0; i < sizeof activations / sizeof *activations; i++)
        if (strcmp(name ? name : "gelu", activations[i].name) == 0) {
            out->activation = activations[i].activation;
            return RAG_OK;
        }
    return bad_field(source, "hidden_act", "an activation that is not supported");
}

/* How many labels a classifier has: num_labels, else the size of id2label, else 2, which is
 * what transformers takes. */
static rag_status check_labels(const struct source *source)
{
    const json_t *labels = json_object_get(source->json, "id2label");
    uint32_t count;
    rag_status status =
        read_whole(source, "num_labels", 1, 1 << 20,
                   json_is_object(labels) ? (int64_t)json_object_size(labels) : 2, &count);
    if (!status && count != 1)
        status = bad_field(source, "num_labels",
                           "a classifier of several labels gives no "
                           "relevance; a reranker has one label");
    return status;
}

static rag_status read_shapes(const struct source *source, struct model_config *out)
{
    bool bert = out->family == FAMILY_BERT;
    const struct {
        const char *field;
        uint64_t min, max;
        int64_t missing;
        uint32_t *out;
    } fields[] = {
        {"hidden_size", 1, MODEL_MAX_HIDDEN, -1, &out->hidden},
        {"num_hidden_layers", 1, MODEL_MAX_LAYERS, -1, &out->layers},
        {"num_attention_heads", 1, MODEL_MAX_HIDDEN, -1, &out->heads},
        {"intermediate_size", 1, MODEL_MAX_FEED_FORWARD, -1, &out->feed_forward},
        {"vocab_size", 1, MODEL_MAX_VOCABULARY, -1, &out->vocabulary},
        {"max_position_embeddings", 1, MODEL_MAX_POSITIONS, -1, &out->positions},
        {"type_vocab_size", 1, MAX_TOKEN_TYPES, bert ? 2 : 1, &out->token_types},
        {"pad_token_id", 0, MAX_PADDING_ID, bert ? 0 : 1, &out->padding_id},
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        rag_status status = read_whole(source, fields[i].field, fields[i].min, fields[i].max,
                                       fields[i].missing, fields[i].out);
        if (status)
            return status;
    }
    if (out->hidden % out->heads)
        return bad_field(source, "num_attention_heads", "does not divide hidden_size");
    if (model_config_first_position(out) >= out->positions)
        return bad_field(source, "max_position_embeddings", "too few for pad_token_id");
    const json_t *epsilon = json_object_get(source->json, "layer_norm_eps");
    double value = epsilon ? json_number_value(epsilon) : 1e-12;
    if (!(value >= 1e-20 && value <= 1))
        return bad_field(source, "layer_norm_eps", "must be a number from 1e-20 to 1");
    out->layer_norm_epsilon = (float)value;
    return RAG_OK;
}

static rag_status read_config(const struct source *source, struct model_config *out)
{
    rag_status status = read_family(source, out);
    if (!status)
        status = read_activation(source, out);
    if (!status)
        status = read_shapes(source, out);
    if (!status && out->classifier)
        status = check_labels(source);
    if (status)
        return status;
    const char *positions = read_string(source, "position_embedding_type");
    if (positions && strcmp(positions, "absolute") != 0)
        return bad_field(source, "position_embedding_type", "only \"absolute\" is supported");
    if (json_is_true(json_object_get(source->json, "is_decoder")))
        return bad_field(source, "is_decoder", "a decoder, not an encoder");
    return RAG_OK;
}

/* 1_Pooling/config.json: one flag a way of pooling, of which just one may be set. */
static rag_status read_pooling(const struct source *source, enum pooling *pooling)
{
    static const char flag_prefix[] = "pooling_mode_";
    const char *mode = read_string(source, "pooling_mode");
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)source->json, name, value)
    {
        if (strncmp(name, flag_prefix, sizeof flag_prefix - 1) != 0 || !json_is_true(value))
            continue;
        if (mode)
            return bad_field(source, name, "two ways of pooling together are not supported");
        mode = name + sizeof flag_prefix - 1;
    }
    if (!mode)
        return bad_field(source, "pooling_mode", "no way of pooling is set");
    if (strcmp(mode, "cls_token") == 0 || strcmp(mode, "cls") == 0)
        *pooling = POOLING_CLS;
    else if (strcmp(mode, "mean_tokens") == 0 || strcmp(mode, "mean") == 0)
        *pooling = POOLING_MEAN;
    else
        return bad_field(source, mode,
                         "this way of pooling is not supported (cls and mean "
                         "are)");
    return RAG_OK;
}

/* The path of a module is a folder within the model's. */
static bool module_path_is_safe(const char *path)
{
    return path && *path && *path != '.' && !strchr(path, '/');
}

static rag_status read_pooling_module(const struct source *modules, const char *path,
                                      enum pooling *pooling)
{
    if (!module_path_is_safe(path))
        return bad_field(modules, "path", "the pooling's folder is not beside this file");
    char *file = path_join(path, "config.json");
    if (!file)
        return fail_memory(modules->error);
    json_t *json = NULL;
    rag_status status =
        json_file_read(modules->folder, file, MAX_CONFIG, &json, modules->error);
    if (!status && !json)
        status = fail_with(modules->error, RAG_MODEL, "%s/%s: missing", modules->folder, file);
    struct source source = {modules->folder, file, json, modules->error};
    if (!status)
        status = read_pooling(&source, pooling);
    json_decref(json);
    free(file);
    return status;
}

/* modules.json: a list of {"path", "type"}, sentence-transformers' pipeline. */
static rag_status read_modules(const struct source *source, struct model_config *out)
{
    for (size_t i = 0; i < json_array_size(source->json); i++) {
        const json_t *module = json_array_get(source->json, i);
        const char *type = json_string_value(json_object_get(module, "type"));
        const char *dot = type ? strrchr(type, '.') : NULL;
        const char *class = dot ? dot + 1 : type ? type : "";
        if (strcmp(class, "Pooling") == 0) {
            const char *path = json_string_value(json_object_get(module, "path"));
            rag_status status = read_pooling_module(source, path, &out->pooling);
            if (status)
                return status;
        } else if (strcmp(class, "Transformer") != 0 && strcmp(class, "Normalize") != 0) {
            return bad_field(source, class, "a module that is not supported");
        }
    }
    return RAG_OK;
}

/* Whether `name` is ORGANISATION/LAST for this last part. */
static bool names_last(const char *name, const char *last)
{
    const char *slash = strchr(name, '/');
    return slash && slash != name && strcasecmp(slash + 1, last) == 0;
}

static void read_name(const char *folder, const char *name_or_path, struct model_config *out,
                      const struct known_model **known)
{
    const char *last = path_name(folder);
    const char *name = last;
    *known = known_model_find(last);
    if (*known)
        name = (*known)->name;
    else if (name_or_path && names_last(name_or_path, last))
        name = name_or_path;
    if (!*known && name_or_path)
        *known = known_model_find(name_or_path);
    strncpy(out->name, name, sizeof out->name - 1);
}

/* A prompt is {"query": TEXT} under one of two names; an empty one says nothing. */
static const char *find_prompt(const json_t *prompts, const char *name, const char *other)
{
    const char *text = json_string_value(json_object_get(prompts, name));
    if (!text || !*text)
        text = json_string_value(json_object_get(prompts, other));
    return text && *text ? text : NULL;
}

static rag_status read_prompts(const struct source *source, struct model_config *out)
{
    const json_t *prompts = json_object_get(source->json, "prompts");
    const char *query = find_prompt(prompts, "query", "search_query");
    const char *passage = find_prompt(prompts, "passage", "document");
    if ((query && strlen(query) >= sizeof out->query_prefix) ||
        (passage && strlen(passage) >= sizeof out->passage_prefix))
        return bad_field(source, "prompts", "longer than 127 bytes");
    if (query)
        strcpy(out->query_prefix, query);
    if (passage)
        strcpy(out->passage_prefix, passage);
    return RAG_OK;
}

/* A field of a file that may be absent, as may the field. Out of range is not an error:
 * "no limit" is written as 10^30. */
static rag_status read_optional(const char *folder, const char *file, const char *field,
                                uint32_t *out, rag_error *error)
{
    json_t *json;
    rag_status status = json_file_read(folder, file, MAX_CONFIG, &json, error);
    uint64_t value;
    if (!status && json_whole(json_object_get(json, field), MODEL_MAX_POSITIONS, &value) &&
        value > 0)
        *out = (uint32_t)value;
    json_decref(json);
    return status;
}

static rag_status read_max_tokens(const char *folder, const struct known_model *known,
                                  struct model_config *out, rag_error *error)
{
    uint32_t usable = out->positions - model_config_first_position(out);
    out->max_tokens = known ? known->max_tokens : usable;
    rag_status status = read_optional(folder, "tokenizer_config.json", "model_max_length",
                                      &out->max_tokens, error);
    if (!status)
        status = read_optional(folder, "sentence_bert_config.json", "max_seq_length",
                               &out->max_tokens, error);
    if (!status && out->max_tokens > usable)
        out->max_tokens = usable;
    /* Room for the special tokens of a pair and something between them. */
    if (!status && out->max_tokens < 8)
        status = fail_with(error, RAG_MODEL, "%s: texts of at most %u tokens are too short",
                           folder, out->max_tokens);
    return status;
}

typedef rag_status field_reader(const struct source *source, struct model_config *out);

/* Reads a file that need not be there. */
static rag_status read_file(const char *folder, const char *file, field_reader *read,
                            struct model_config *out, rag_error *error)
{
    json_t *json;
    rag_status status = json_file_read(folder, file, MAX_CONFIG, &json, error);
    struct source source = {folder, file, json, error};
    if (!status && json)
        status = read(&source, out);
    json_decref(json);
    return status;
}

rag_status model_config_read(const char *folder, struct model_config *out, rag_error *error)
{
    static const char file[] = "config.json";
    *out = (struct model_config){.normalize = true};
    char *absolute = NULL;
    json_t *json = NULL;
    rag_status status = path_absolute(folder, &absolute, error);
    if (status)
        return status;
    if ((status = json_file_read(folder, file, MAX_CONFIG, &json, error)))
        goto out;
    if (!json) {
        status = fail_with(error, RAG_MODEL, "%s: no model: there is no config.json", folder);
        goto out;
    }
    const struct source source = {folder, file, json, error};
    if ((status = read_config(&source, out)))
        goto out;
    const struct known_model *known;
    read_name(absolute, read_string(&source, "_name_or_path"), out, &known);
    out->pooling = known ? known->pooling : POOLING_MEAN;
    strcpy(out->query_prefix, known ? known->query_prefix : "");
    strcpy(out->passage_prefix, known ? known->passage_prefix : "");
    if ((status = read_max_tokens(folder, known, out, error)))
        goto out;
    if ((status =
             read_file(folder, "config_sentence_transformers.json", read_prompts, out, error)))
        goto out;
    status = read_file(folder, "modules.json", read_modules, out, error);
out:
    json_decref(json);
    free(absolute);
    return status;
}

uint32_t model_config_first_position(const struct model_config *config)
{
    return config->family == FAMILY_XLM_ROBERTA ? config->padding_id + 1 : 0;
}
