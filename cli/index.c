/* rag index: files and folders into the index. */
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>

struct indexing {
    struct progress progress;
    struct change_list changes;
};

static int on_event(const rag_event *event, void *user)
{
    struct indexing *indexing = user;
    return progress_event(event, &indexing->progress);
}

static void on_change(const rag_change *change, void *user)
{
    struct indexing *indexing = user;
    change_list_take(&indexing->changes, change);
}

static void print_estimate(const rag_add_report *report)
{
    printf("%zu chunks to embed (%llu tokens)", report->chunks_embedded,
           (unsigned long long)report->tokens);
    if (report->tokens_per_second > 0)
        printf(": about %.0f s, at %.0f tokens/s by %s", report->estimated_seconds,
               report->tokens_per_second, report->speed_from);
    printf("; nothing was changed\n");
}

static void print_done(const rag_index_info *info, const rag_add_report *report)
{
    printf("%zu chunks embedded (%llu tokens, %.0f tokens/s) in %.1f s\n",
           report->chunks_embedded, (unsigned long long)report->tokens,
           report->seconds > 0 ? (double)report->tokens / report->seconds : 0.0,
           report->seconds);
    printf("%s: %zu documents, %zu chunks, %s\n", display_path(info->path), info->documents,
           info->chunks, info->model);
}

static rag_status print_object(const struct settings *settings, const rag_index_info *info,
                               const rag_add_report *report, struct change_list *list,
                               rag_error *error)
{
    json_t *object = json_of_report(report);
    if (!object || list->failed)
        return out_of_memory(error);
    json_object_set_new(object, "index", json_string_of(info->path));
    json_object_set_new(object, "dry_run", json_boolean(settings->dry_run));
    if (settings->dry_run) {
        json_object_set_new(object, "estimated_seconds", json_real(report->estimated_seconds));
        json_object_set_new(object, "speed_from",
                            report->speed_from ? json_string(report->speed_from) : json_null());
    }
    json_object_set_new(object, "documents_total", json_integer((json_int_t)info->documents));
    json_object_set_new(object, "chunks_total", json_integer((json_int_t)info->chunks));
    json_object_set_new(object, "model", json_string(info->model));
    json_object_set_new(object, "skipped_files",
                        list->skipped ? json_incref(list->skipped) : json_array());
    json_object_set_new(object, "partial_files",
                        list->partial ? json_incref(list->partial) : json_array());
    if (list->changes)
        json_object_set(object, "changes", list->changes);
    return print_json(object, error);
}

static rag_status report_all(const struct settings *settings, rag_index *index,
                             const rag_add_report *report, struct indexing *indexing,
                             rag_error *error)
{
    const rag_index_info *info;
    rag_status status = rag_index_get_info(index, &info, error);
    if (status)
        return status;
    if (settings->json)
        return print_object(settings, info, report, &indexing->changes, error);
    print_add_report(report);
    if (settings->dry_run)
        print_estimate(report);
    else
        print_done(info, report);
    return RAG_OK;
}

static rag_status run(const struct settings *settings, rag_error *error)
{
    struct indexing indexing = {0};
    rag_index *index;
    rag_add_report report;
    if (!index_has_sources(settings)) {
        error->status = RAG_USAGE;
        snprintf(error->message, sizeof error->message,
                 "rag index takes PATH..., -, or --url; see rag index --help");
        return RAG_USAGE;
    }
    progress_start(&indexing.progress, settings);
    interrupt_catch();
    char *metadata;
    rag_status status = metadata_of(settings, &metadata, error);
    if (!status)
        status = open_index(settings, false, &index, error);
    if (status) {
        free(metadata);
        return status;
    }
    if (settings->dry_run)
        indexing.changes.changes = json_array();
    rag_add_options options = RAG_ADD_OPTIONS_INIT;
    options.on_event = on_event;
    options.on_change = on_change;
    options.user = &indexing;
    options.dry_run = settings->dry_run;
    options.metadata = metadata;
    options.ocr = settings->ocr;
    options.notebook_outputs = settings->notebook_outputs;
    status = index_sources(index, settings, &options, &report, error);
    progress_finish(&indexing.progress);
    rag_error trouble;
    if (!status)
        status = report_all(settings, index, &report, &indexing, error);
    else if (status == RAG_INTERRUPTED &&
             report_all(settings, index, &report, &indexing, &trouble))
        status = trouble.status;
    change_list_release(&indexing.changes);
    free(metadata);
    rag_index_close(index);
    return status;
}

const struct command index_command = {
    .name = "index",
    .arguments = "[PATH... | -]",
    .summary = "Bring the index up to date with files and folders",
    .options = "index collection meta model models chunker max-tokens overlap chunk-context "
               "precision threads url input-name ocr notebook-outputs dry-run "
               "json quiet",
    .help =
        "Folders are read with all below them, but for hidden and .gitignore'd files. Only\n"
        "what is new or changed is embedded; what is gone from the folders goes out of the\n"
        "index; a renamed file keeps its vectors. A file that cannot be read is named and\n"
        "skipped, and so is an attachment or an entry of an archive. Ctrl-C finishes what is "
        "in hand; the same command then goes on from "
        "there.\n\n"
        "With --dry-run nothing is changed: the counts, with --json each file and why, and an\n"
        "estimate of the time from earlier runs on this machine, or from a sample.\n\n"
        "The front matter of Markdown and what other files say of themselves (title, author)\n"
        "are their metadata, with --meta over them. A file that has not changed gets new ones\n"
        "without being embedded again.\n\n"
        "With - a file of any format comes from standard input; a name that ends as files of "
        "its\n"
        "format do (--input-name) tells what its bytes do not. --url fetches a page or file, "
        "from the\n"
        "public internet alone: addresses of this machine and of private networks are "
        "refused,\n"
        "in redirects too.\n\n"
        "A scanned PDF has no text and is skipped; with --ocr its text is recognised, where\n"
        "tesseract is installed. --notebook-outputs reads of notebooks what the cells printed "
        "too.\n"
        "What was indexed without is read again with them, but not the other way round.\n"
        "\n"
        "examples:\n"
        "  rag index ~/Documents\n"
        "  rag index --ocr eng+chi_sim scans/\n"
        "  rag index --collection papers --meta field=physics --meta year=2024 papers/\n"
        "  rag index --index books.rag --model BAAI/bge-m3 books/ notes.md\n"
        "  rag index --url https://www.debian.org/social_contract\n"
        "  man bash | rag index - --input-name bash.txt\n"
        "  rag index --dry-run ~/Documents\n"
        "  rag index docs --chunker window --max-tokens 1024 --overlap 256\n",
    .min_arguments = 0,
    .max_arguments = (size_t)-1,
    .run = run,
};
