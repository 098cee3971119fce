/* rag compact: keeping an index small. */
#include "cli.h"

#include <stdio.h>

static rag_status print_compaction(const struct settings *settings,
                                   const rag_compact_report *report, rag_error *error)
{
    if (settings->json)
        return print_json(json_pack("{s:I, s:I, s:f}", "bytes_before",
                                    (json_int_t)report->bytes_before, "bytes_after",
                                    (json_int_t)report->bytes_after, "seconds",
                                    report->seconds),
                          error);
    double before = (double)report->bytes_before, after = (double)report->bytes_after;
    printf("%.1f MB instead of %.1f MB\n", after / 1e6, before / 1e6);
    return RAG_OK;
}

static rag_status run_compact(const struct settings *settings, rag_error *error)
{
    struct progress progress;
    rag_index *index;
    rag_compact_report report;
    progress_start(&progress, settings);
    interrupt_catch();
    rag_status status = open_index(settings, true, &index, error);
    if (status)
        return status;
    rag_compact_options options = RAG_COMPACT_OPTIONS_INIT;
    options.on_event = progress_event;
    options.user = &progress;
    status = rag_index_compact(index, &options, &report, error);
    progress_finish(&progress);
    if (!status)
        status = print_compaction(settings, &report, error);
    rag_index_close(index);
    return status;
}

const struct command compact_command = {
    .name = "compact",
    .arguments = "",
    .summary = "Make an index as small as it can be",
    .options = "index json quiet",
    .help =
        "Updates and removals leave room in the file, which later documents use, and words of\n"
        "chunks that are gone, which searches pass over. This gives the room back and drops\n"
        "the words. Readers and writers wait meanwhile. It needs room for two more copies of\n"
        "the index for the moment: one beside it, one in TMPDIR (/var/tmp). Killed or stopped\n"
        "in the middle, the index is as it was.\n\n"
        "examples:\n"
        "  rag compact\n"
        "  rag compact --index books.rag --json\n",
    .max_arguments = 0,
    .run = run_compact,
};
