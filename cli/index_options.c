/* index_options.c - settings as the library's options. */
#include "cli.h"

#include <stdint.h>
#include <string.h>

/* A model that is packed has a bar of its own, which is gone when it is done. */
static int packing_event(const rag_event *event, void *settings)
{
    static struct progress progress;
    static bool started;
    if (!started)
        progress_start(&progress, settings);
    started = true;
    int stop = progress_event(event, &progress);
    if (event->kind == RAG_EVENT_PROGRESS && event->done == event->total)
        progress_finish(&progress);
    return stop;
}

rag_model_options model_options(const struct settings *settings)
{
    rag_model_options options = RAG_MODEL_OPTIONS_INIT;
    options.models = settings->models;
    options.precision = settings->precision;
    options.threads = settings->threads;
    options.on_event = packing_event;
    options.user = (void *)(uintptr_t)settings;
    return options;
}

rag_search_options search_options(const struct settings *settings, struct progress *progress)
{
    rag_search_options options = RAG_SEARCH_OPTIONS_INIT;
    options.k = settings->k;
    options.candidates = settings->candidates;
    options.mode = settings->mode;
    options.on_event = progress_event;
    options.user = progress;
    options.filter = (rag_filter){.paths = settings->paths.items,
                                  .path_count = settings->paths.count,
                                  .formats = settings->types.items,
                                  .format_count = settings->types.count,
                                  .since = settings->since,
                                  .until = settings->until,
                                  .where = settings->where.items,
                                  .where_count = settings->where.count};
    return options;
}

rag_index_options index_options_of(const struct settings *settings, bool must_exist)
{
    rag_index_options options = RAG_INDEX_OPTIONS_INIT;
    options.model = settings->model;
    options.reranker = settings->rerank;
    options.models = model_options(settings);
    options.must_exist = must_exist;
    options.collection = settings->collection;
    options.chunker = settings->chunker;
    options.max_tokens = settings->max_tokens;
    options.context = settings->chunk_context;
    options.overlap = settings->overlap;
    return options;
}

/* A number, true and false are themselves; anything else is a string. */
static json_t *metadata_value(const char *text)
{
    json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);
    if (json_is_number(value) || json_is_boolean(value))
        return value;
    json_decref(value);
    return json_string_of(text);
}

static rag_status set_metadata(json_t *object, const char *text, rag_error *error)
{
    const char *sign = strchr(text, '=');
    size_t size = strlen(text);
    if (!sign || sign == text || !is_utf8((rag_text){text, size})) {
        error->status = RAG_USAGE;
        snprintf(error->message, sizeof error->message,
                 "--meta takes KEY=VALUE in UTF-8, not \"%.200s\"",
                 is_utf8((rag_text){text, size}) ? text : "");
        return RAG_USAGE;
    }
    json_t *value = metadata_value(sign + 1);
    if (json_object_setn_new(object, text, (size_t)(sign - text), value))
        return out_of_memory(error);
    return RAG_OK;
}

rag_status metadata_of(const struct settings *settings, char **metadata, rag_error *error)
{
    *metadata = NULL;
    if (!settings->meta.count)
        return RAG_OK;
    json_t *object = json_object();
    rag_status status = object ? RAG_OK : out_of_memory(error);
    for (size_t i = 0; !status && i < settings->meta.count; i++)
        status = set_metadata(object, settings->meta.items[i], error);
    if (!status && !(*metadata = json_dumps(object, JSON_COMPACT)))
        status = out_of_memory(error);
    json_decref(object);
    return status;
}

rag_status open_index(const struct settings *settings, bool must_exist, rag_index **index,
                      rag_error *error)
{
    rag_index_options options = index_options_of(settings, must_exist);
    return rag_index_open(settings->index, &options, index, error);
}

rag_status question_of(const struct settings *settings, rag_text *question, rag_error *error)
{
    *question = (rag_text){settings->arguments[0], strlen(settings->arguments[0])};
    if (is_utf8(*question))
        return RAG_OK;
    error->status = RAG_INPUT;
    snprintf(error->message, sizeof error->message, "the question is not UTF-8");
    return RAG_INPUT;
}
