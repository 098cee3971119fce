/* rag info and rag remove: what an index holds. */
#include "cli.h"

#include <stdio.h>
#include <string.h>

static rag_status run_info(const struct settings *settings, rag_error *error)
{
    rag_index *index;
    const rag_index_info *info;
    rag_status status = open_index(settings, true, &index, error);
    if (status)
        return status;
    status = rag_index_get_info(index, &info, error);
    if (!status && settings->json) {
        status = print_json(
            json_pack("{s:o, s:i, s:o, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "index",
                      json_string_of(info->path), "format", (int)info->format, "model",
                      json_string_of(info->model), "model_identity", info->model_identity,
                      "chunker", info->chunker, "dimension", (json_int_t)info->dimension,
                      "max_tokens", (json_int_t)info->max_tokens, "overlap",
                      (json_int_t)info->overlap, "documents", (json_int_t)info->documents,
                      "chunks", (json_int_t)info->chunks, "tokens", (json_int_t)info->tokens,
                      "bytes", (json_int_t)info->bytes),
            error);
    } else if (!status) {
        printf("%s\n", info->path);
        printf("  format     %u, %.1f MB\n", info->format, (double)info->bytes / 1e6);
        printf("  documents  %zu\n", info->documents);
        if (*info->chunker)
            printf("  chunks     %zu of at most %zu tokens (%s, overlap %zu), %llu tokens in "
                   "all\n",
                   info->chunks, info->max_tokens, info->chunker, info->overlap,
                   (unsigned long long)info->tokens);
        else
            printf("  chunks     %zu\n", info->chunks);
        printf("  model      %s, %zu dimensions\n", info->model, info->dimension);
        printf("  identity   %s\n", info->model_identity);
    }
    rag_index_close(index);
    return status;
}

static rag_status run_remove(const struct settings *settings, rag_error *error)
{
    rag_index *index;
    size_t removed = 0;
    rag_status status = open_index(settings, true, &index, error);
    if (status)
        return status;
    status = rag_index_remove(index, (const char *const *)settings->arguments,
                              settings->argument_count, &removed, error);
    if (!status && settings->json)
        status = print_json(json_pack("{s:I}", "removed", (json_int_t)removed), error);
    else if (!status)
        printf("%zu removed\n", removed);
    if (!status && !removed) {
        status = RAG_NOT_FOUND;
        snprintf(error->message, sizeof error->message,
                 "the index has no documents of these names, or at or below these paths");
    }
    rag_index_close(index);
    return status;
}

const struct command info_command = {
    .name = "info",
    .arguments = "",
    .summary = "Show what an index holds",
    .options = "index json",
    .help = "examples:\n"
            "  rag info\n"
            "  rag info --index books.rag --json\n",
    .max_arguments = 0,
    .run = run_info,
};

const struct command remove_command = {
    .name = "remove",
    .arguments = "PATH...",
    .summary = "Take documents out of the index",
    .options = "index json",
    .help =
        "A folder stands for all documents below it. The files themselves are not touched.\n"
        "Documents that are no files are removed by their exact name.\n\n"
        "examples:\n"
        "  rag remove old-notes/ drafts/plan.md\n",
    .min_arguments = 1,
    .max_arguments = (size_t)-1,
    .run = run_remove,
};
