/* rag watch: an index that follows its files. */
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct watching {
    struct progress progress;
    const struct settings *settings;
    rag_error trouble; /* of printing */
};

/* Waiting is no work to be shown. */
static int on_event(const rag_event *event, void *user)
{
    struct watching *watching = user;
    if (watching->trouble.status)
        return 1;
    if (event->kind == RAG_EVENT_PROGRESS && strcmp(event->stage, "watching") == 0) {
        progress_finish(&watching->progress);
        return interrupt_came();
    }
    return progress_event(event, &watching->progress);
}

static void print_path(const char *path)
{
    const char *shown = display_path(path);
    print_safely(stdout, (rag_text){shown, strlen(shown)}, " ");
}

static void print_change(const rag_change *change)
{
    printf("%-8s ", change_name(change->kind));
    if (change->from) {
        print_path(change->from);
        fputs(" -> ", stdout);
    }
    print_path(change->path);
    if (change->kind == RAG_ADDED || change->kind == RAG_UPDATED)
        printf("  (%zu of %zu chunks embedded)", change->chunks_embedded, change->chunks);
    else if (change->kind == RAG_SKIPPED || change->kind == RAG_PARTIAL) {
        fputs("  (", stdout);
        print_safely(stdout, (rag_text){change->reason, strlen(change->reason)}, " ");
        putchar(')');
    }
    putchar('\n');
}

static void on_change(const rag_change *change, void *user)
{
    struct watching *watching = user;
    progress_finish(&watching->progress);
    rag_error *trouble = &watching->trouble;
    rag_status status = RAG_OK;
    if (watching->settings->json)
        status = print_json(json_of_change(change), trouble);
    else
        print_change(change);
    if (!status)
        status = flush_output(trouble);
    trouble->status = status;
}

static rag_status run(const struct settings *settings, rag_error *error)
{
    struct watching watching = {.settings = settings};
    rag_index *index;
    progress_start(&watching.progress, settings);
    interrupt_catch();
    char *metadata;
    rag_status status = metadata_of(settings, &metadata, error);
    if (!status)
        status = open_index(settings, false, &index, error);
    if (status) {
        free(metadata);
        return status;
    }
    rag_add_options options = RAG_ADD_OPTIONS_INIT;
    options.on_event = on_event;
    options.on_change = on_change;
    options.user = &watching;
    options.metadata = metadata;
    options.ocr = settings->ocr;
    options.notebook_outputs = settings->notebook_outputs;
    status = rag_index_watch(index, (const char *const *)settings->arguments,
                             settings->argument_count, &options, NULL, error);
    progress_finish(&watching.progress);
    if (status == RAG_INTERRUPTED) { /* the way in which it ends */
        status = watching.trouble.status;
        *error = watching.trouble;
    }
    free(metadata);
    rag_index_close(index);
    return status;
}

const struct command watch_command = {
    .name = "watch",
    .arguments = "PATH...",
    .summary = "Keep the index up to date while files change",
    .options = "index collection meta model models chunker max-tokens overlap precision "
               "threads ocr notebook-outputs json quiet",
    .help =
        "Brings the index up to date as rag index does, then follows what is created, "
        "changed,\n"
        "renamed and deleted, with a line for each document (with --json an object). Other\n"
        "programs may search meanwhile. Ctrl-C, or SIGTERM, ends it, with nothing lost: the\n"
        "next rag watch or rag index catches up.\n\n"
        "On Linux, by inotify. Folders in great number need a higher limit:\n"
        "sysctl fs.inotify.max_user_watches.\n\n"
        "examples:\n"
        "  rag watch ~/Documents\n"
        "  rag watch --index books.rag --json books/ notes.md\n"
        "  rag watch --ocr eng inbox/\n",
    .min_arguments = 1,
    .max_arguments = (size_t)-1,
    .run = run,
};
