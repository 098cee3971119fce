/* What rag index takes besides files and folders: standard input ("-") and addresses (--url).
 */
#include "cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INPUT_MOST = 512 << 20 /* bytes: what a source holds */ };

static bool is_input(const char *argument)
{
    return strcmp(argument, "-") == 0;
}

/* All of standard input; freed with free. */
static rag_status read_input(char **data, size_t *size, rag_error *error)
{
    size_t capacity = 1 << 16;
    *size = 0;
    *data = malloc(capacity);
    while (*data) {
        *size += fread(*data + *size, 1, capacity - *size, stdin);
        if (*size < capacity)
            break;
        if (capacity >= INPUT_MOST) {
            error->status = RAG_INPUT;
            snprintf(error->message, sizeof error->message,
                     "standard input: more than %d bytes", INPUT_MOST);
            free(*data);
            return RAG_INPUT;
        }
        capacity *= 2;
        char *moved = realloc(*data, capacity);
        if (!moved)
            free(*data);
        *data = moved;
    }
    if (!*data)
        return out_of_memory(error);
    if (ferror(stdin)) {
        error->status = RAG_INPUT;
        snprintf(error->message, sizeof error->message, "standard input: %s", strerror(errno));
        free(*data);
        return RAG_INPUT;
    }
    return RAG_OK;
}

static rag_status put_input(rag_index *index, const struct settings *settings,
                            const rag_add_options *options, rag_add_report *report,
                            rag_error *error)
{
    char *data;
    size_t size;
    rag_status status = read_input(&data, &size, error);
    if (status)
        return status;
    rag_source source = {.name = settings->input_name ? settings->input_name : "stdin",
                         .format = "file",
                         .metadata = options->metadata,
                         .text = {data, size}};
    status = rag_index_put(index, &source, 1, options, report, error);
    free(data);
    return status;
}

static void add_report(rag_add_report *sum, const rag_add_report *report)
{
    sum->added += report->added;
    sum->updated += report->updated;
    sum->unchanged += report->unchanged;
    sum->removed += report->removed;
    sum->renamed += report->renamed;
    sum->skipped += report->skipped;
    sum->warnings += report->warnings;
    sum->chunks += report->chunks;
    sum->chunks_embedded += report->chunks_embedded;
    sum->tokens += report->tokens;
    sum->seconds += report->seconds;
    sum->estimated_seconds += report->estimated_seconds;
    if (report->speed_from) {
        sum->speed_from = report->speed_from;
        sum->tokens_per_second = report->tokens_per_second;
    }
}

bool index_has_sources(const struct settings *settings)
{
    return settings->argument_count > 0 || settings->urls.count > 0;
}

rag_status index_sources(rag_index *index, const struct settings *settings,
                         const rag_add_options *options, rag_add_report *report,
                         rag_error *error)
{
    const char **paths = malloc((settings->argument_count + 1) * sizeof *paths);
    if (!paths)
        return out_of_memory(error);
    size_t count = 0;
    bool input = false;
    for (size_t i = 0; i < settings->argument_count; i++) {
        if (is_input(settings->arguments[i]))
            input = true;
        else
            paths[count++] = settings->arguments[i];
    }
    *report = (rag_add_report){0};
    rag_add_report one = {0};
    rag_status status = RAG_OK;
    if (count)
        status = rag_index_add(index, paths, count, options, report, error);
    if (!status && input) {
        status = put_input(index, settings, options, &one, error);
        add_report(report, &one);
    }
    for (size_t i = 0; i < settings->urls.count && !status; i++) {
        one = (rag_add_report){0};
        status = rag_index_put_url(index, settings->urls.items[i], options->metadata, options,
                                   &one, error);
        add_report(report, &one);
    }
    free(paths);
    return status;
}
