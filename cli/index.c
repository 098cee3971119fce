/* rag index: files and folders into the index. */
#include "cli.h"

#include <stdio.h>

static void print_report(const rag_index_info *info, const rag_add_report *report)
{
    printf("%zu added, %zu updated, %zu unchanged, %zu removed, %zu skipped\n", report->added,
           report->updated, report->unchanged, report->removed, report->skipped);
    printf("%zu chunks embedded (%llu tokens, %.0f tokens/s) in %.1f s\n",
           report->chunks_embedded, (unsigned long long)report->tokens,
           report->seconds > 0 ? (double)report->tokens / report->seconds : 0.0,
           report->seconds);
    printf("%s: %zu documents, %zu chunks, %s\n", display_path(info->path), info->documents,
           info->chunks, info->model);
}

static rag_status print_report_json(const rag_index_info *info, const rag_add_report *report,
                                    rag_error *error)
{
    return print_json(
        json_pack("{s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:I, s:I, s:s}", "index",
                  json_string_of(info->path), "added", (json_int_t)report->added, "updated",
                  (json_int_t)report->updated, "unchanged", (json_int_t)report->unchanged,
                  "removed", (json_int_t)report->removed, "skipped",
                  (json_int_t)report->skipped, "chunks", (json_int_t)report->chunks,
                  "chunks_embedded", (json_int_t)report->chunks_embedded, "tokens",
                  (json_int_t)report->tokens, "seconds", report->seconds, "documents_total",
                  (json_int_t)info->documents, "chunks_total", (json_int_t)info->chunks,
                  "model", info->model),
        error);
}

static rag_status run(const struct settings *settings, rag_error *error)
{
    struct progress progress;
    rag_index *index;
    rag_add_report report;
    const rag_index_info *info;
    progress_start(&progress, settings);
    interrupt_catch();
    rag_status status = open_index(settings, false, &index, error);
    if (status)
        return status;
    rag_add_options options = RAG_ADD_OPTIONS_INIT;
    options.on_event = progress_event;
    options.user = &progress;
    status = rag_index_add(index, (const char *const *)settings->arguments,
                           settings->argument_count, &options, &report, error);
    progress_finish(&progress);
    rag_error trouble;
    if ((!status || status == RAG_INTERRUPTED) && !rag_index_get_info(index, &info, &trouble)) {
        if (!settings->json)
            print_report(info, &report);
        else if (print_report_json(info, &report, &trouble))
            status = status ? status : RAG_INPUT;
    }
    rag_index_close(index);
    return status;
}

const struct command index_command = {
    .name = "index",
    .arguments = "PATH...",
    .summary = "Bring the index up to date with files and folders",
    .options = "index model models chunker max-tokens overlap precision threads json quiet",
    .help =
        "Folders are read with all below them, but for hidden and .gitignore'd files. Only\n"
        "what is new or changed is embedded; what is gone from the folders goes out of the\n"
        "index. A file that cannot be read is named and skipped. Ctrl-C finishes what is in\n"
        "hand; the same command then goes on from there.\n\n"
        "examples:\n"
        "  rag index ~/Documents\n"
        "  rag index --index books.rag --model BAAI/bge-m3 books/ notes.md\n"
        "  rag index docs --chunker window --max-tokens 1024 --overlap 256\n",
    .min_arguments = 1,
    .max_arguments = (size_t)-1,
    .run = run,
};
