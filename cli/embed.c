/* rag embed: texts to vectors. */
#include "cli.h"

#include <stdio.h>

enum { LINES = 256, BYTES = 1 << 18 };

static json_t *json_vector(const float *values, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(array, json_real((double)values[i]));
    return array;
}

static rag_status print_embedding(const rag_embedding *item, unsigned heads, rag_error *error)
{
    json_t *object = json_object();
    if (heads & RAG_DENSE)
        json_object_set_new(object, "dense", json_vector(item->dense, item->dimension));
    if (heads & RAG_SPARSE) {
        json_t *weights = json_object();
        for (size_t i = 0; i < item->sparse_count; i++) {
            char id[16];
            snprintf(id, sizeof id, "%u", item->sparse_ids[i]);
            json_object_set_new(weights, id, json_real((double)item->sparse_weights[i]));
        }
        json_object_set_new(object, "sparse", weights);
    }
    if (heads & RAG_MULTI) {
        json_t *rows = json_array();
        for (size_t i = 0; i < item->multi_count; i++)
            json_array_append_new(rows, json_vector(item->multi + i * item->multi_dimension,
                                                    item->multi_dimension));
        json_object_set_new(object, "multi", rows);
    }
    json_object_set_new(object, "tokens", json_integer((json_int_t)item->tokens));
    json_object_set_new(object, "windows", json_integer((json_int_t)item->windows));
    return print_json(object, error);
}

static rag_status embed_lines(rag_model *model, const struct settings *settings,
                              const struct text_lines *lines, struct progress *progress,
                              rag_error *error)
{
    rag_text texts[LINES];
    for (size_t i = 0; i < lines->count; i++)
        texts[i] = (rag_text){lines->texts[i], lines->sizes[i]};
    rag_embed_options options = RAG_EMBED_OPTIONS_INIT;
    options.role = settings->role;
    options.heads = settings->heads ? settings->heads : RAG_DENSE;
    options.on_event = progress_event;
    options.user = progress;
    rag_embeddings *embeddings;
    rag_status status = rag_embed(model, texts, lines->count, &options, &embeddings, error);
    if (status)
        return status;
    for (size_t i = 0; !status && i < lines->count; i++)
        status = print_embedding(rag_embeddings_get(embeddings, i), options.heads, error);
    rag_embeddings_free(embeddings);
    return status;
}

static rag_status run(const struct settings *settings, rag_error *error)
{
    struct progress progress;
    rag_model *model;
    struct text_lines lines = {0};
    size_t number = 0;
    rag_model_options options = model_options(settings);
    progress_start(&progress, settings);
    rag_status status = rag_model_open(settings->model, &options, &model, error);
    if (status)
        return status;
    while (!(status = text_lines_read(&lines, LINES, BYTES, settings->jsonl, &number, error)) &&
           lines.count)
        if ((status = embed_lines(model, settings, &lines, &progress, error)))
            break;
    progress_finish(&progress);
    text_lines_release(&lines);
    rag_model_close(model);
    return status;
}

const struct command embed_command = {
    .name = "embed",
    .arguments = "",
    .summary = "Embed standard input, a text a line",
    .options = "model models as heads precision threads jsonl quiet",
    .help =
        "A line comes out for each, with what --heads asks for: \"dense\": [...] of L2 norm "
        "1,\n"
        "\"sparse\": {\"token id\": weight, ...}, \"multi\": [[...], ...] (a vector a token);\n"
        "\"tokens\" and \"windows\" (more than 1: the text is longer than the model takes, "
        "and\n"
        "the vectors of its windows were averaged).\n\n"
        "examples:\n"
        "  echo \"What is attention?\" | rag embed --as query\n"
        "  rag embed --jsonl --as passage < passages.jsonl > vectors.jsonl\n"
        "  rag embed --model BAAI/bge-m3 --heads dense,sparse,multi < texts\n",
    .max_arguments = 0,
    .run = run,
};
