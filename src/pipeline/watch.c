/* watch.c - an index that follows its files.
 *
 * What the system tells of changes is only where to look: the paths that it names are walked
 * and brought up to date as rag_index_add does it, so that nothing depends on the order, or the
 * meaning, of what is told. */
#define _XOPEN_SOURCE 700
#include "documents/watch.h"
#include "base/clock.h"
#include "base/file.h"
#include "documents/document.h"
#include "pipeline/add.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Editors write a file in several steps: a pause tells that they are done. Who never pauses is
 * looked at all the same. */
static const double QUIET_SECONDS = 0.3, MOST_SECONDS = 3, RETRY_SECONDS = 1;

enum {
    WAIT_MILLISECONDS = 300, /* between two questions whether to stop */
    MOST_PATHS = 20000,      /* that have changed: above it everything is looked at */
};

struct root {
    const char *path; /* of struct watching */
    bool is_folder, missing;
};

struct watching {
    rag_index *index;
    const rag_add_options *options;
    struct read_options read;
    struct events events;
    rag_add_report *total;
    struct file_list paths; /* sorted */
    struct root *roots;     /* [paths.count] */
    struct watch *watch;
    struct file_list changed;
    bool everything; /* has to be looked at */
    bool told;       /* that another process keeps us waiting */
    bool started;    /* once it was up to date */
    bool mismatched; /* the last time: the index was re-indexed meanwhile, or is for good */
    double first_change, last_change, not_before;
};

/* ---- What is told ---- */

/* NULL: it is none. */
static const struct root *find_root(const struct watching *watching, const char *path)
{
    for (size_t i = 0; i < watching->paths.count; i++)
        if (strcmp(watching->roots[i].path, path) == 0)
            return &watching->roots[i];
    return NULL;
}

/* A path with its folder, without its last part, in place. */
static void cut_name(char *path)
{
    char *slash = strrchr(path, '/');
    slash[slash == path] = '\0';
}

/* What a walk would take no notice of is left out: hidden names, formats that no reader takes.
 */
static rag_status note_change(const char *path, bool is_folder, void *user, rag_error *error)
{
    struct watching *watching = user;
    const char *name = path_name(path);
    bool patterns = strcmp(name, ".gitignore") == 0;
    bool root = find_root(watching, path) != NULL;
    if (!root && !patterns && (*name == '.' || (!is_folder && !document_supported(path))))
        return RAG_OK;
    if (!root && !file_list_covers(&watching->paths, path))
        return RAG_OK; /* beside a file that is watched */
    struct file_list *changed = &watching->changed;
    if (!file_list_add(changed, path))
        return fail_memory(error);
    if (patterns)
        cut_name(changed->paths[changed->count - 1]);
    watching->last_change = clock_seconds();
    if (changed->count == 1 && !watching->everything)
        watching->first_change = watching->last_change;
    if (changed->count > MOST_PATHS) {
        file_list_sort(changed);
        if (changed->count > MOST_PATHS / 2) {
            file_list_release(changed);
            watching->everything = true;
        }
    }
    return RAG_OK;
}

/* ---- What is watched ---- */

static rag_status watch_walked(const char *folder, void *user, rag_error *error)
{
    struct watching *watching = user;
    return watch_folder(watching->watch, folder, error);
}

/* A file that is named is watched by its folder, for editors put a new one in its place. */
static rag_status watch_beside(struct watching *watching, const char *path, rag_error *error)
{
    char *folder = strdup(path);
    if (!folder)
        return fail_memory(error);
    cut_name(folder);
    rag_status status = watch_folder(watching->watch, folder, error);
    free(folder);
    return status;
}

/* A file that is gone goes out of the index, and may come back; a folder's documents stay, for
 * a disk may have been taken out. Either is looked at again when it is there. */
static rag_status look_at_root(struct watching *watching, struct root *root, rag_error *error)
{
    struct stat st;
    bool missing = stat(root->path, &st) != 0;
    if (missing && !root->missing)
        event_warning(&watching->events,
                      "%s is not there any more; it is looked at again when it is back",
                      root->path);
    if (!missing && root->missing)
        watching->everything = true;
    root->missing = missing;
    if (!missing)
        root->is_folder = S_ISDIR(st.st_mode);
    return root->is_folder ? RAG_OK : watch_beside(watching, root->path, error);
}

static rag_status look_at_roots(struct watching *watching, rag_error *error)
{
    rag_status status = RAG_OK;
    for (size_t i = 0; !status && i < watching->paths.count; i++)
        status = look_at_root(watching, &watching->roots[i], error);
    return status;
}

static bool some_root_is_missing(const struct watching *watching)
{
    for (size_t i = 0; i < watching->paths.count; i++)
        if (watching->roots[i].missing)
            return true;
    return false;
}

/* ---- Up to date ---- */

static void add_up(rag_add_report *total, const rag_add_report *report)
{
    total->added += report->added;
    total->updated += report->updated;
    total->renamed += report->renamed;
    total->unchanged = report->unchanged;
    total->removed += report->removed;
    total->skipped += report->skipped;
    total->warnings += report->warnings;
    total->chunks += report->chunks;
    total->chunks_embedded += report->chunks_embedded;
    total->tokens += report->tokens;
    total->seconds += report->seconds;
}

static void tell_skipped(const char *path, const char *reason, void *user)
{
    const struct watching *watching = user;
    rag_change change = {.kind = RAG_SKIPPED, .path = path, .reason = reason};
    if (watching->options->on_change)
        watching->options->on_change(&change, watching->options->user);
}

/* The roots that are there, and what of the changes lies in them or is a file that is gone. */
static rag_status divide(const struct watching *watching, struct file_list *present,
                         struct file_list *within, rag_error *error)
{
    bool made = true;
    for (size_t i = 0; made && i < watching->paths.count; i++)
        if (!watching->roots[i].missing)
            made = file_list_add(present, watching->roots[i].path);
    for (size_t i = 0; made && i < watching->changed.count; i++) {
        const char *path = watching->changed.paths[i];
        const struct root *root = find_root(watching, path);
        if (!root || !root->is_folder || !root->missing)
            made = file_list_add(within, path);
    }
    file_list_sort(within);
    return made ? RAG_OK : fail_memory(error);
}

static rag_status update(struct watching *watching, rag_error *error)
{
    const rag_add_options *options = watching->options;
    struct file_list present = {0}, within = {0};
    rag_add_report report = {0};
    struct run run = {.index = watching->index,
                      .collection = watching->index->options.collection,
                      .events = &watching->events,
                      .metadata = options->metadata,
                      .read = watching->read,
                      .on_change = options->on_change,
                      .user = options->user,
                      .report = &report};
    struct walk_hooks hooks = {
        .on_folder = watch_walked, .on_skip = tell_skipped, .user = watching};
    rag_status status = look_at_roots(watching, error);
    if (!status)
        status = divide(watching, &present, &within, error);
    if (!watching->everything)
        hooks.within = &within;
    pthread_mutex_lock(&watching->index->lock);
    if (!status)
        status = index_look(watching->index, error);
    if (!status)
        status = add_files(&run, &present, &hooks, error);
    pthread_mutex_unlock(&watching->index->lock);
    add_up(watching->total, &report);
    file_list_release(&present);
    file_list_release(&within);
    return status;
}

/* What was being done is done again soon: by then another process may be done with the index,
 * or a folder that went while it was walked be missed. */
static rag_status judge(struct watching *watching, rag_status status, const rag_error *trouble,
                        rag_error *error)
{
    bool was_missing = some_root_is_missing(watching);
    if (status == RAG_INDEX_MISMATCH && !watching->mismatched && watching->started) {
        watching->mismatched = true;
        return RAG_OK; /* at once */
    }
    if (status == RAG_INPUT && look_at_roots(watching, error) == RAG_OK && !was_missing &&
        some_root_is_missing(watching))
        status = RAG_INDEX_BUSY;
    if (status != RAG_INDEX_BUSY)
        return fail_with(error, status, "%s", trouble->message);
    if (!watching->told)
        event_warning(&watching->events, "%s; trying again", trouble->message);
    watching->told = true;
    watching->not_before = clock_seconds() + RETRY_SECONDS;
    return RAG_OK;
}

static rag_status bring_up_to_date(struct watching *watching, rag_error *error)
{
    rag_error trouble;
    rag_status status = update(watching, &trouble);
    if (status)
        return judge(watching, status, &trouble, error);
    watching->told = watching->everything = watching->mismatched = false;
    watching->started = true;
    file_list_release(&watching->changed);
    return RAG_OK;
}

/* ---- Following ---- */

static bool is_due(const struct watching *watching)
{
    double now = clock_seconds();
    if (!watching->everything && !watching->changed.count)
        return false;
    return now >= watching->not_before && (now - watching->last_change >= QUIET_SECONDS ||
                                           now - watching->first_change >= MOST_SECONDS);
}

static rag_status follow(struct watching *watching, rag_error *error)
{
    rag_status status = RAG_OK;
    while (!status) {
        bool lost = false;
        if (event_progress(&watching->events, "watching", "folders",
                           watch_count(watching->watch), 0, NULL))
            return fail_with(error, RAG_INTERRUPTED, "stopped watching");
        status = watch_wait(watching->watch, WAIT_MILLISECONDS / 3, note_change, watching,
                            &lost, error);
        if (!status && lost) {
            event_note(&watching->events,
                       "more has changed than the system keeps: all files are looked at");
            watching->everything = true;
            watching->first_change = watching->last_change = clock_seconds();
        }
        if (!status && some_root_is_missing(watching))
            status = look_at_roots(watching, error);
        if (!status && is_due(watching))
            status = bring_up_to_date(watching, error);
    }
    return status;
}

static rag_status start(struct watching *watching, const char *const *paths, size_t count,
                        rag_error *error)
{
    rag_status status = RAG_OK;
    struct stat st;
    for (size_t i = 0; !status && i < count; i++) {
        char *absolute = NULL;
        status = path_absolute(paths[i], &absolute, error);
        if (!status && stat(absolute, &st) != 0)
            status = fail_errno(error, RAG_INPUT, "%s", absolute);
        if (!status && !file_list_add(&watching->paths, absolute))
            status = fail_memory(error);
        free(absolute);
    }
    file_list_sort(&watching->paths);
    if (!status && !(watching->roots = calloc(count + 1, sizeof *watching->roots)))
        status = fail_memory(error);
    for (size_t i = 0; !status && i < watching->paths.count; i++)
        watching->roots[i].path = watching->paths.paths[i];
    return status ? status : watch_new(&watching->watch, error);
}

static rag_status watch(struct watching *watching, const char *const *paths, size_t count,
                        rag_error *error)
{
    rag_status status = start(watching, paths, count, error);
    watching->everything = true;
    while (!status && watching->everything) {
        status = bring_up_to_date(watching, error);
        if (!status && watching->everything &&
            event_progress(&watching->events, "watching", "folders", 0, 0, NULL))
            status = fail_with(error, RAG_INTERRUPTED, "stopped watching");
    }
    if (status)
        return status;
    event_note(&watching->events, "up to date; watching %zu folder%s",
               watch_count(watching->watch), watch_count(watching->watch) == 1 ? "" : "s");
    return follow(watching, error);
}

rag_status rag_index_watch(rag_index *index, const char *const *paths, size_t count,
                           const rag_add_options *options, rag_add_report *report,
                           rag_error *error)
{
    static const rag_add_options defaults = RAG_ADD_OPTIONS_INIT;
    rag_add_report own;
    if (!report)
        report = &own;
    *report = (rag_add_report){0};
    rag_status status = CHECK_OPTIONS(options, error);
    if (status)
        return status;
    if (!options)
        options = &defaults;
    if (options->metadata && (status = check_metadata(options->metadata, error)))
        return status;
    if (options->dry_run || !count)
        return fail_with(error, RAG_USAGE,
                         count ? "watching cannot be tried: it has no end"
                               : "no paths to watch");
    struct watching watching = {.index = index,
                                .options = options,
                                .events = {options->on_event, options->user},
                                .total = report};
    status =
        read_options_make(options->ocr, options->notebook_outputs != 0, &watching.read, error);
    if (!status)
        status = watch(&watching, paths, count, error);
    watch_free(watching.watch);
    file_list_release(&watching.paths);
    file_list_release(&watching.changed);
    free(watching.roots);
    return status;
}
