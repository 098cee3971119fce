/* rag reindex: another model or chunker for an index that is used meanwhile. */
#include "cli.h"

#include <stdio.h>

static rag_status report_all(const struct settings *settings, rag_index *index,
                             const rag_reindex_report *report, rag_error *error)
{
    const rag_index_info *info;
    rag_status status = rag_index_get_info(index, &info, error);
    if (status)
        return status;
    if (settings->json)
        return print_json(
            json_pack("{s:o, s:b, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:o, s:s, s:I, s:I}",
                      "index", json_string_of(info->path), "switched", report->switched,
                      "documents", (json_int_t)report->documents, "documents_resumed",
                      (json_int_t)report->documents_resumed, "chunks",
                      (json_int_t)report->chunks, "chunks_embedded",
                      (json_int_t)report->chunks_embedded, "tokens", (json_int_t)report->tokens,
                      "seconds", report->seconds, "switch_seconds", report->switch_seconds,
                      "model", json_string_of(info->model), "chunker", info->chunker,
                      "max_tokens", (json_int_t)info->max_tokens, "overlap",
                      (json_int_t)info->overlap),
            error);
    if (report->switched)
        printf("%zu documents re-indexed, %zu of them before; %zu chunks embedded (%llu "
               "tokens) in %.1f s, %.1f s of it switching over\n",
               report->documents, report->documents_resumed, report->chunks_embedded,
               (unsigned long long)report->tokens, report->seconds, report->switch_seconds);
    else
        printf("there is nothing to do\n");
    printf("%s: %zu documents, %zu chunks of at most %zu tokens (%s, overlap %zu), %s\n",
           display_path(info->path), info->documents, info->chunks, info->max_tokens,
           info->chunker, info->overlap, info->model);
    return RAG_OK;
}

static rag_status run(const struct settings *settings, rag_error *error)
{
    struct progress progress;
    rag_index *index;
    rag_reindex_report report;
    struct settings as_it_is = *settings; /* what is wished for is not what it was made with */
    as_it_is.model = NULL;
    as_it_is.chunker = RAG_CHUNKER_AUTO;
    as_it_is.chunk_context = RAG_CONTEXT_AUTO;
    as_it_is.max_tokens = as_it_is.overlap = RAG_AUTO;
    progress_start(&progress, settings);
    interrupt_catch();
    rag_status status = open_index(&as_it_is, true, &index, error);
    if (status)
        return status;
    rag_reindex_options options = RAG_REINDEX_OPTIONS_INIT;
    options.model = settings->model;
    options.chunker = settings->chunker;
    options.max_tokens = settings->max_tokens;
    options.overlap = settings->overlap;
    options.context = settings->chunk_context;
    options.on_event = progress_event;
    options.user = &progress;
    status = rag_index_reindex(index, &options, &report, error);
    progress_finish(&progress);
    if (!status)
        status = report_all(settings, index, &report, error);
    rag_index_close(index);
    return status;
}

const struct command reindex_command = {
    .name = "reindex",
    .arguments = "",
    .summary = "Give the index another model or chunker while it is used",
    .options = "index model models chunker max-tokens overlap chunk-context precision threads "
               "json quiet",
    .help =
        "All documents are cut and embedded anew from the texts that are in the index, into a\n"
        "second file, NAME.rag-next, which catches up with what changes meanwhile and is then\n"
        "written over the index in one transaction. Others search and write in the meantime;\n"
        "only while it is switched over they wait. Stopped with Ctrl-C, or killed, the same\n"
        "command goes on where it was, and the index stays as it was until it is done.\n\n"
        "What is not named stays as it is. Documents need not be there as files any more.\n\n"
        "examples:\n"
        "  rag reindex --model BAAI/bge-m3\n"
        "  rag reindex --index books.rag --chunker window --max-tokens 256 --overlap 64\n",
    .max_arguments = 0,
    .run = run,
};
