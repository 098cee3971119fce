/* rag verify, rag repair and rag compact: keeping an index sound and small. */
#include "cli.h"

#include <stdio.h>
#include <string.h>

/* ---- Problems ---- */

/* What problems and actions are printed with, as they come. */
struct listing {
    struct progress progress; /* first: it is what events are for */
    size_t count;
    bool json;
};

static void list(struct listing *listing, const char *key, const rag_problem *problem)
{
    rag_error error;
    progress_finish(&listing->progress);
    if (!listing->json) {
        print_safely(stdout, (rag_text){problem->sentence, strlen(problem->sentence)}, " ");
        putchar('\n');
        return;
    }
    json_t *object =
        json_pack("{s:o, s:s}", key, json_string_of(problem->sentence), "kind", problem->kind);
    if (object && problem->document)
        json_object_set_new(object, "document", json_string_of(problem->document));
    if (object && problem->collection)
        json_object_set_new(object, "collection", json_string_of(problem->collection));
    if (object && problem->chunk)
        json_object_set_new(object, "chunk", json_integer(problem->chunk));
    if (print_json(object, &error))
        return; /* found out again when the output is flushed */
}

static void print_problem(const rag_problem *problem, void *user)
{
    struct listing *listing = user;
    listing->count++;
    list(listing, "problem", problem);
}

static void print_action(const rag_problem *action, void *user)
{
    struct listing *listing = user;
    if (!listing->json)
        printf("%s: ", action->kind);
    list(listing, "action", action);
}

/* ---- Verifying ---- */

static rag_status run_verify(const struct settings *settings, rag_error *error)
{
    rag_index *index;
    struct listing listing = {.json = settings->json};
    progress_start(&listing.progress, settings);
    interrupt_catch();
    rag_status status = open_index(settings, true, &index, error);
    if (status)
        return status;
    rag_verify_options options = RAG_VERIFY_OPTIONS_INIT;
    options.on_problem = print_problem;
    options.on_event = progress_event;
    options.user = &listing;
    options.vectors = settings->vectors;
    status = rag_index_verify(index, &options, error);
    progress_finish(&listing.progress);
    if (settings->json) {
        rag_error trouble;
        rag_status printed = print_json(json_pack("{s:b, s:I}", "ok", status == RAG_OK,
                                                  "problems", (json_int_t)listing.count),
                                        &trouble);
        if (!status)
            status = printed;
    } else if (!status) {
        printf("ok\n");
    }
    rag_index_close(index);
    return status;
}

/* ---- Repairing ---- */

static rag_status print_repair(const struct settings *settings, rag_status status,
                               const rag_repair_report *report, rag_error *error)
{
    if (settings->json)
        return print_json(json_pack("{s:b, s:I, s:I, s:I, s:I, s:I, s:b, s:b, s:f}", "ok",
                                    status == RAG_OK, "problems", (json_int_t)report->problems,
                                    "mended", (json_int_t)report->mended, "lost",
                                    (json_int_t)report->lost, "left", (json_int_t)report->left,
                                    "chunks_embedded", (json_int_t)report->chunks_embedded,
                                    "salvaged", report->salvaged, "dry_run", settings->dry_run,
                                    "seconds", report->seconds),
                          error);
    if (!report->problems)
        printf("ok\n");
    else
        printf("%zu problems; %zu documents mended, %zu lost; %zu problems left\n",
               report->problems, report->mended, report->lost, report->left);
    return RAG_OK;
}

static rag_status run_repair(const struct settings *settings, rag_error *error)
{
    struct listing listing = {.json = settings->json};
    rag_repair_report report;
    rag_error trouble;
    progress_start(&listing.progress, settings);
    interrupt_catch();
    rag_index_options index_options = index_options_of(settings, true);
    rag_repair_options options = RAG_REPAIR_OPTIONS_INIT;
    options.dry_run = settings->dry_run;
    options.on_problem = print_problem;
    options.on_action = print_action;
    options.on_event = progress_event;
    options.user = &listing;
    rag_status status =
        rag_index_repair(settings->index, &index_options, &options, &report, error);
    progress_finish(&listing.progress);
    if (print_repair(settings, status, &report, &trouble) && !status) {
        *error = trouble;
        status = trouble.status;
    }
    return status;
}

/* ---- Compacting ---- */

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

const struct command verify_command = {
    .name = "verify",
    .arguments = "",
    .summary = "Check that an index is whole",
    .options = "index models vectors precision threads json quiet",
    .help =
        "Every count, hash, vector and word of the index is compared with the text it belongs\n"
        "to, and the installed model with the one that the index was made with. Each problem\n"
        "is a line; the exit status is 4 if there is any. With --vectors, the vectors of some\n"
        "chunks are computed again and compared.\n\n"
        "examples:\n"
        "  rag verify\n"
        "  rag verify --index books.rag --vectors 100\n"
        "  rag verify --json\n",
    .max_arguments = 0,
    .run = run_verify,
};

const struct command repair_command = {
    .name = "repair",
    .arguments = "",
    .summary = "Mend what can be mended of a damaged index",
    .options = "index model models precision threads dry-run json quiet",
    .help =
        "What follows from what is whole is made anew: counts, indexes and words from the\n"
        "texts, vectors by the model, a damaged text from its file if that has not changed.\n"
        "A document of which neither is left is taken out and named. Where the structure of\n"
        "the file itself is damaged, all that can be read goes into a new one, and the "
        "damaged\n"
        "one is kept beside it as NAME.rag.damaged. The exit status is 4 if a problem is "
        "left.\n"
        "Let no other program use the index meanwhile.\n\n"
        "examples:\n"
        "  rag repair --dry-run\n"
        "  rag repair --index books.rag\n"
        "  rag repair --json\n",
    .max_arguments = 0,
    .run = run_repair,
};

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
