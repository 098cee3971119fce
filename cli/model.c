/* rag model: what is installed, and installing more. */
#include "cli.h"

#include <stdio.h>
#include <string.h>

static rag_status list_models(const struct settings *settings, rag_error *error)
{
    rag_model_list *list;
    rag_status status = rag_model_list_open(settings->models, &list, error);
    if (status)
        return status;
    for (size_t i = 0; !status && i < rag_model_list_count(list); i++) {
        const char *folder;
        uint64_t bytes;
        const char *name = rag_model_list_get(list, i, &folder, &bytes);
        if (settings->json)
            status = print_json(json_pack("{s:s, s:o, s:I}", "name", name, "folder",
                                          json_string_of(folder), "bytes", (json_int_t)bytes),
                                error);
        else
            printf("%-44s %8.1f MB  %s\n", name, (double)bytes / 1e6, folder);
    }
    if (!status && rag_model_list_count(list) == 0) {
        status = RAG_NOT_FOUND;
        snprintf(error->message, sizeof error->message,
                 "no model is installed; try: rag model pull intfloat/multilingual-e5-small");
    }
    rag_model_list_free(list);
    return status;
}

static json_t *json_of_heads(unsigned heads)
{
    static const char *const names[] = {"dense", "sparse", "multi", "logit"};
    json_t *array = json_array();
    for (unsigned i = 0; i < 4; i++)
        if (heads & (1u << i))
            json_array_append_new(array, json_string(names[i]));
    return array;
}

static json_t *json_of_model(const rag_model_info *info)
{
    return json_pack(
        "{s:o, s:o, s:s, s:s, s:s, s:o, s:o, s:s, s:s, s:o, s:i, s:i, s:i, s:i, s:i, s:i, s:i, "
        "s:I, s:I, s:s, s:f}",
        "name", json_string_of(info->name), "folder", json_string_of(info->folder),
        "architecture", info->architecture, "tokenizer", info->tokenizer, "pooling",
        info->pooling, "query_prefix", json_string_of(info->query_prefix), "passage_prefix",
        json_string_of(info->passage_prefix), "weights", info->weights, "identity",
        info->identity, "heads", json_of_heads(info->heads), "dimension", (int)info->dimension,
        "multi_dimension", (int)info->multi_dimension, "layers", (int)info->layers,
        "attention_heads", (int)info->attention_heads, "feed_forward", (int)info->feed_forward,
        "vocabulary", (int)info->vocabulary, "max_tokens", (int)info->max_tokens, "parameters",
        (json_int_t)info->parameters, "bytes", (json_int_t)info->bytes, "precision",
        info->precision, "agreement", info->agreement);
}

static json_t *text_or_null(const char *text)
{
    return text ? json_string_of(text) : json_null();
}

static json_t *json_of_packed(const rag_packed_file *file)
{
    return json_pack("{s:o, s:o, s:o, s:I}", "path", json_string_of(file->path), "variant",
                     text_or_null(file->variant), "problem", text_or_null(file->problem),
                     "bytes", (json_int_t)file->bytes);
}

static void print_packed(const rag_packed_file *file)
{
    printf("  packed        %s, %.1f MB, %s\n", file->variant ? file->variant : "damaged",
           (double)file->bytes / 1e6, file->path);
}

static void print_model(const rag_model_info *info)
{
    printf("%s\n", info->name);
    printf("  folder        %s\n", info->folder);
    printf("  architecture  %s, %u layers, %u wide, %u heads, feed-forward %u\n",
           info->architecture, info->layers, info->dimension, info->attention_heads,
           info->feed_forward);
    printf("  tokenizer     %s, %u pieces, at most %u tokens a text\n", info->tokenizer,
           info->vocabulary, info->max_tokens);
    printf("  gives        %s%s%s%s\n", info->heads & RAG_DENSE ? " dense" : "",
           info->heads & RAG_SPARSE ? " sparse" : "", info->heads & RAG_MULTI ? " multi" : "",
           info->heads & RAG_LOGIT ? " logit (a reranker)" : "");
    if (info->heads & RAG_DENSE)
        printf("  pooling       %s; before questions \"%s\", before passages \"%s\"\n",
               info->pooling, info->query_prefix, info->passage_prefix);
    printf("  weights       %s, %.1f million parameters, %.1f MB\n", info->weights,
           (double)info->parameters / 1e6, (double)info->bytes / 1e6);
    printf("  computes in   %s; cosine with f32 at least %.4f\n", info->precision,
           info->agreement);
    printf("  identity      %s\n", info->identity);
}

static rag_status show_model(const struct settings *settings, const char *name,
                             rag_error *error)
{
    rag_model *model;
    rag_packed_list *packed = NULL;
    rag_model_options options = model_options(settings);
    rag_status status = rag_model_open(name, &options, &model, error);
    if (status)
        return status;
    status = rag_packed_list_open(name, settings->models, 0, &packed, error);
    if (status)
        goto out;
    if (settings->json) {
        json_t *files = json_array(), *object = json_of_model(rag_model_get_info(model));
        for (size_t i = 0; i < rag_packed_list_count(packed); i++)
            json_array_append_new(files, json_of_packed(rag_packed_list_get(packed, i)));
        json_object_set_new(object, "packed", files);
        status = print_json(object, error);
    } else {
        print_model(rag_model_get_info(model));
        for (size_t i = 0; i < rag_packed_list_count(packed); i++)
            print_packed(rag_packed_list_get(packed, i));
    }
out:
    rag_packed_list_free(packed);
    rag_model_close(model);
    return status;
}

static rag_status pack_model(const struct settings *settings, const char *name,
                             rag_error *error)
{
    struct progress progress;
    rag_pack_options options = RAG_PACK_OPTIONS_INIT;
    options.models = settings->models;
    options.precision = settings->precision;
    options.threads = settings->threads;
    options.on_event = progress_event;
    options.user = &progress;
    progress_start(&progress, settings);
    interrupt_catch();
    rag_status status = rag_model_pack(name, &options, error);
    progress_finish(&progress);
    return status;
}

/* A line for each packed file; the status of the run is that of the first damaged one. */
static rag_status verify_model(const struct settings *settings, const char *name,
                               rag_error *error)
{
    rag_packed_list *list;
    rag_status status = rag_packed_list_open(name, settings->models, 1, &list, error),
               damaged = 0;
    if (status)
        return status;
    for (size_t i = 0; !status && i < rag_packed_list_count(list); i++) {
        const rag_packed_file *file = rag_packed_list_get(list, i);
        if (settings->json)
            status = print_json(json_of_packed(file), error);
        else
            printf("%s  %s\n", file->problem ? "damaged" : "whole  ", file->path);
        if (!status && !damaged && file->problem) {
            damaged = error->status = RAG_MODEL;
            snprintf(error->message, sizeof error->message,
                     "%.700s; rag makes it anew when it needs it, or now: rag model pack",
                     file->problem);
        }
    }
    rag_packed_list_free(list);
    return status ? status : damaged;
}

static rag_status add_model(const struct settings *settings, const char *folder,
                            rag_error *error)
{
    struct progress progress;
    progress_start(&progress, settings);
    interrupt_catch();
    rag_status status = rag_model_add(folder, settings->name, settings->models, progress_event,
                                      &progress, error);
    progress_finish(&progress);
    return status;
}

static rag_status pull_model(const struct settings *settings, const char *name,
                             rag_error *error)
{
    struct progress progress;
    rag_pull_options options = RAG_PULL_OPTIONS_INIT;
    options.models = settings->models;
    options.hub = settings->hub;
    options.revision = settings->revision;
    options.on_event = progress_event;
    options.user = &progress;
    progress_start(&progress, settings);
    interrupt_catch();
    rag_status status = rag_model_pull(name, &options, error);
    progress_finish(&progress);
    return status;
}

static rag_status run(const struct settings *settings, rag_error *error)
{
    const char *action = settings->arguments[0];
    const char *argument = settings->argument_count > 1 ? settings->arguments[1] : NULL;
    if (strcmp(action, "list") == 0 && !argument)
        return list_models(settings, error);
    if (strcmp(action, "info") == 0)
        return show_model(settings, argument, error);
    if (strcmp(action, "add") == 0 && argument)
        return add_model(settings, argument, error);
    if (strcmp(action, "pull") == 0 && argument)
        return pull_model(settings, argument, error);
    if (strcmp(action, "pack") == 0)
        return pack_model(settings, argument, error);
    if (strcmp(action, "verify") == 0)
        return verify_model(settings, argument, error);
    error->status = RAG_USAGE;
    snprintf(
        error->message, sizeof error->message,
        "rag model takes list, info M, add DIR, pull NAME, pack M or verify M; see rag model "
        "--help");
    return RAG_USAGE;
}

const struct command model_command = {
    .name = "model",
    .arguments = "list | add DIR | pull NAME | info|pack|verify [M]",
    .summary = "List, show and install models",
    .options = "models name hub revision precision threads json quiet",
    .help =
        "Models are the hub's own folders: config.json, a tokenizer, and weights as "
        "safetensors\n"
        "or pytorch_model.bin. Encoders of the XLM-RoBERTa and BERT families work: bge-m3,\n"
        "multilingual-e5, bge, e5, gte, MiniLM, and the rerankers bge-reranker-base, -large\n"
        "and -v2-m3. pull goes on with a download that was broken off.\n\n"
        "What takes long to compute of a model is kept in packed files in the cache\n"
        "(RAG_CACHE), by the first command that uses it or by pack. verify reads them whole\n"
        "and finds what is damaged.\n\n"
        "examples:\n"
        "  rag model pull BAAI/bge-m3\n"
        "  rag model add ~/Downloads/bge-reranker-base --name BAAI/bge-reranker-base\n"
        "  rag model info BAAI/bge-m3 --json\n",
    .min_arguments = 1,
    .max_arguments = 2,
    .run = run,
};
