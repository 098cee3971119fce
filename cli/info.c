/* rag info and rag remove: what an index holds. */
#include "cli.h"

#include <stdio.h>
#include <string.h>

static json_t *json_of_collections(const rag_index_info *info)
{
    json_t *list = json_array();
    for (size_t i = 0; list && i < info->collection_count; i++) {
        const rag_collection_info *item = &info->collections[i];
        json_t *object =
            json_pack("{s:o, s:I, s:I}", "name", json_string_of(item->name), "documents",
                      (json_int_t)item->documents, "chunks", (json_int_t)item->chunks);
        if (json_array_append_new(list, object)) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

/* The default one is not worth a word while there is no other. */
static void print_collections(const rag_index_info *info)
{
    if (info->collection_count == 1 && strcmp(info->collections[0].name, "default") == 0)
        return;
    for (size_t i = 0; i < info->collection_count; i++) {
        const rag_collection_info *item = &info->collections[i];
        printf("  collection ");
        print_safely(stdout, (rag_text){item->name, strlen(item->name)}, " ");
        printf(": %zu documents, %zu chunks\n", item->documents, item->chunks);
    }
}

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
            json_pack("{s:o, s:i, s:o, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}",
                      "index", json_string_of(info->path), "format", (int)info->format, "model",
                      json_string_of(info->model), "model_identity", info->model_identity,
                      "chunker", info->chunker, "dimension", (json_int_t)info->dimension,
                      "max_tokens", (json_int_t)info->max_tokens, "overlap",
                      (json_int_t)info->overlap, "documents", (json_int_t)info->documents,
                      "chunks", (json_int_t)info->chunks, "tokens", (json_int_t)info->tokens,
                      "bytes", (json_int_t)info->bytes, "collections",
                      json_of_collections(info)),
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
        print_collections(info);
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
    if (!settings->argument_count && !settings->collection) {
        snprintf(error->message, sizeof error->message,
                 "rag remove needs PATH, or --collection; see rag remove --help");
        return error->status = RAG_USAGE;
    }
    rag_status status = open_index(settings, true, &index, error);
    if (status)
        return status;
    const char *const *paths = (const char *const *)settings->arguments;
    status = rag_index_remove(index, settings->argument_count ? paths : NULL,
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
    .arguments = "[PATH]...",
    .summary = "Take documents out of the index",
    .options = "index collection json",
    .help =
        "A folder stands for all documents below it. The files themselves are not touched.\n"
        "Documents that are no files are removed by their exact name. Without a path the "
        "whole\n"
        "of --collection goes.\n\n"
        "examples:\n"
        "  rag remove old-notes/ drafts/plan.md\n"
        "  rag remove --collection drafts\n",
    .max_arguments = (size_t)-1,
    .run = run_remove,
};
