/* add.c - bringing an index up to date with files: what each of them means for it. Most are
 * read and cut ahead of their turn (ahead.h), while those before are embedded. */
#define _XOPEN_SOURCE 700
#include "pipeline/add.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "pipeline/ahead.h"
#include "pipeline/jobs.h"
#include "pipeline/known.h"
#include "pipeline/large.h"
#include "pipeline/speed.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static void tell_skipped(const char *path, const char *reason, void *user)
{
    rag_change change = {.kind = RAG_SKIPPED, .path = path, .reason = reason};
    run_tell(user, &change);
}

/* The message of `why` begins with the path, as a rule. */
static void skip(struct run *run, const char *path, const rag_error *why, uint64_t size)
{
    size_t length = strlen(path);
    bool named = strncmp(why->message, path, length) == 0 &&
                 strncmp(why->message + length, ": ", 2) == 0;
    event_warning(run->events, "skipped: %s", why->message);
    tell_skipped(path, why->message + (named ? length + 2 : 0), run);
    run->report->skipped++;
    run->bytes_done += size;
}

/* ---- One file: gone, unchanged, renamed, skipped, or a job ---- */

struct adding {
    struct run run;
    struct file_list files;
    struct known known;
    struct reading_rules rules;
};

static void take_unchanged(struct run *run, uint64_t size)
{
    run->report->unchanged++;
    run->bytes_done += size;
}

/* The metadata that the caller gives now, where they make a difference to a document whose
 * bytes are the same: *changed. What cannot be read any more keeps what it has. */
static rag_status take_label(struct run *run, const struct known_document *known,
                             const struct reading *reading, bool *changed, rag_error *error)
{
    struct hash hash;
    char *metadata = NULL;
    *changed = false;
    if (!run->metadata || reading->status == RAG_INPUT)
        return RAG_OK;
    if (reading->status)
        return fail_with(error, reading->status, "%s", reading->error.message);
    rag_status status =
        metadata_merge(reading->document.metadata.data, run->metadata, &metadata, error);
    if (!status)
        status = hash_bytes(metadata, strlen(metadata), &hash, error);
    *changed = !status && memcmp(&hash, &known->file.metadata_hash, sizeof hash) != 0;
    if (*changed)
        return run_push_label(run, reading->path, metadata, error);
    free(metadata);
    return status;
}

/* A document whose bytes are the same. */
static rag_status take_same(struct run *run, const struct reading *reading, rag_error *error)
{
    struct store_stamp stamp = {reading->known->path, reading->size, reading->modified};
    bool changed = false;
    rag_status status = run_push_stamp(run, &stamp, error);
    if (!status)
        status = take_label(run, reading->known, reading, &changed, error);
    if (status)
        return status;
    if (changed)
        run->bytes_done += reading->size;
    else
        take_unchanged(run, reading->size);
    return RAG_OK;
}

/* A file that was there when files were looked for, and cannot be read. */
static void take_unreadable(struct run *run, struct known_document *known, const char *path,
                            const rag_error *why, uint64_t size)
{
    struct stat st;
    if (known && lstat(path, &st) != 0 && (errno == ENOENT || errno == ENOTDIR))
        known->fate = KNOWN_GONE;
    else
        skip(run, path, why, size);
}

static rag_status take_moved(struct run *run, const struct known_document *from,
                             const struct reading *reading, rag_error *error)
{
    struct store_move move = {.from = from->path,
                              .to = reading->path,
                              .hash = reading->hash,
                              .modified = reading->modified};
    bool changed;
    run->bytes_done += reading->size;
    rag_status status = run_push_move(run, &move, error);
    return status ? status : take_label(run, from, reading, &changed, error);
}

/* Fills a job from what was read of a file. The recipe comes after that, so that a file that is
 * no text leaves no index behind. */
static rag_status fill_job(struct run *run, struct reading *reading, struct job *job,
                           rag_error *error)
{
    job->hash = reading->hash;
    job->size = reading->size;
    job->modified = reading->modified;
    job->update = reading->known != NULL;
    job->document = reading->document;
    job->chunks = reading->chunks;
    reading->document = (struct document){0};
    reading->chunks = (struct chunk_list){0};
    rag_status status =
        metadata_merge(job->document.metadata.data, run->metadata, &job->metadata, error);
    if (!status && !run->dry)
        status = index_need_recipe(run->index, &run->chunker, error);
    return status ? status : job_fill_vectors(run, job, NULL, error);
}

static rag_status take_cut(struct run *run, struct reading *reading, rag_error *error)
{
    struct job job = {0};
    rag_error trouble = reading->error;
    rag_status status = reading->status;
    if (!status)
        status = fill_job(run, reading, &job, &trouble);
    if (status == RAG_INPUT)
        skip(run, reading->path, &trouble, reading->size);
    else if (status)
        fail_with(error, status, "%s", trouble.message);
    else
        status = run_push(run, &job, error);
    job_release(&job);
    return status == RAG_INPUT ? RAG_OK : status;
}

static rag_status take_gone(struct adding *adding, struct reading *reading, rag_error *error)
{
    const struct known_document *from =
        known_take_moved(&adding->known, &reading->hash, reading->path);
    if (from)
        return take_moved(&adding->run, from, reading, error);
    reading_cut(&adding->rules, reading);
    return take_cut(&adding->run, reading, error);
}

static rag_status take_reading(struct adding *adding, struct reading *reading,
                               rag_error *error);

static rag_status put_large(struct adding *adding, struct reading *reading,
                            struct stretches *stretches, rag_error *error)
{
    struct run *run = &adding->run;
    rag_error trouble;
    rag_status status = run_flush(run, error);
    run->file = reading->path;
    if (!status)
        status = reading_need_model(&adding->rules, error);
    if (status)
        return status;
    status = large_put(run, stretches, reading->path, NULL, reading->known != NULL, &trouble);
    if (status == RAG_INPUT)
        skip(run, reading->path, &trouble, reading->size);
    else if (status)
        fail_with(error, status, "%s", trouble.message);
    return status == RAG_INPUT ? RAG_OK : status;
}

/* A file that is large: if it is a text, it is read in stretches. */
static rag_status take_large(struct adding *adding, struct reading *reading, rag_error *error)
{
    struct stretches *stretches = NULL;
    const struct known_document *from = NULL;
    rag_status status = stretches_open(reading->path, &stretches, &reading->error);
    if (!status && !stretches) {
        reading_run_whole(&adding->rules, reading);
        return take_reading(adding, reading, error);
    }
    if (!status)
        status = reading_survey(&adding->rules, reading, stretches, &reading->error);
    if (status) {
        reading->fate = READING_UNREADABLE;
        reading->status = status;
    } else if (reading->fate == READING_GONE) {
        from = known_take_moved(&adding->known, &reading->hash, reading->path);
    }
    if (from)
        status = take_moved(&adding->run, from, reading, error);
    else if (reading->fate == READING_LARGE || reading->fate == READING_GONE)
        status = put_large(adding, reading, stretches, error);
    else
        status = take_reading(adding, reading, error);
    stretches_close(stretches);
    return status;
}

static rag_status take_reading(struct adding *adding, struct reading *reading, rag_error *error)
{
    struct run *run = &adding->run;
    run->file = reading->path;
    switch (reading->fate) {
    case READING_UNREADABLE:
        if (reading->status != RAG_INPUT)
            return fail_with(error, reading->status, "%s", reading->error.message);
        take_unreadable(run, known_find(&adding->known, reading->path), reading->path,
                        &reading->error, reading->size);
        return RAG_OK;
    case READING_LARGE:
        return take_large(adding, reading, error);
    case READING_SAME:
        return take_same(run, reading, error);
    case READING_GONE:
        return take_gone(adding, reading, error);
    case READING_CUT:
        return take_cut(run, reading, error);
    }
    return RAG_OK;
}

/* Has a file read, if its time or size are not those that are known. */
static void push_file(struct adding *adding, struct ahead *ahead, const char *path)
{
    struct run *run = &adding->run;
    struct known_document *known = known_find(&adding->known, path);
    struct stat st;
    rag_error trouble;
    if (stat(path, &st) != 0) {
        fail_errno(&trouble, RAG_INPUT, "%s", path);
        take_unreadable(run, known, path, &trouble, 0);
    } else if (!run->metadata && !read_options_matter(&run->read, path) && known &&
               known->file.size == (uint64_t)st.st_size &&
               known->file.modified == file_modified(&st)) {
        take_unchanged(run, (uint64_t)st.st_size);
    } else {
        ahead_push(ahead, path, known, (uint64_t)st.st_size);
    }
}

static rag_status take_ahead(struct adding *adding, struct ahead *ahead,
                             const struct file_list *files, rag_error *error)
{
    struct run *run = &adding->run;
    rag_status status = RAG_OK;
    size_t next = 0;
    while (!status && !run->stop && (next < files->count || ahead_has_more(ahead))) {
        if (next < files->count && ahead_has_room(ahead)) {
            push_file(adding, ahead, files->paths[next++]);
        } else {
            struct reading *reading = ahead_take(ahead);
            status = take_reading(adding, reading, error);
            reading_release(reading);
        }
        if (!status)
            run_progress(run, run->bytes_done);
        if (!status && (run_is_full(run) || run->stop))
            status = run_flush(run, error);
    }
    if (!status)
        status = run_flush(run, error);
    if (!status && (next < files->count || ahead_has_more(ahead)))
        status = run_fail_stopped(error);
    return status;
}

static rag_status take_all(struct adding *adding, const struct file_list *files,
                           rag_error *error)
{
    struct ahead *ahead;
    adding->rules.chunker = adding->run.chunker;
    rag_status status = ahead_start(&adding->rules, &ahead, error);
    if (!status)
        status = take_ahead(adding, ahead, files, error);
    ahead_stop(ahead);
    return status;
}

/* ---- Removing what is gone ---- */

static bool is_to_go(const struct known_document *document)
{
    return document->fate == KNOWN_GONE || document->fate == KNOWN_OUTSIDE;
}

static void report_removed(struct run *run, const struct known_document *document)
{
    rag_change change = {.kind = RAG_REMOVED,
                         .path = document->path,
                         .reason = document->fate == KNOWN_GONE
                                       ? "its file is gone"
                                       : "its file is ignored or hidden now, or unreadable"};
    run->report->removed++;
    run_tell(run, &change);
}

static rag_status remove_gone(struct adding *adding, rag_error *error)
{
    struct known *known = &adding->known;
    const char **paths = alloc_array(known->count, sizeof *paths);
    size_t count = 0, removed;
    rag_status status = paths ? RAG_OK : fail_memory(error);
    for (size_t i = 0; !status && i < known->count; i++)
        if (is_to_go(&known->documents[i]))
            paths[count++] = known->documents[i].path;
    if (!status && count && !adding->run.dry)
        status = store_remove(adding->run.index->store, adding->run.collection, paths, count,
                              &removed, error);
    for (size_t i = 0; !status && i < known->count; i++)
        if (is_to_go(&known->documents[i]))
            report_removed(&adding->run, &known->documents[i]);
    free(paths);
    return status;
}

/* ---- How long it would take ---- */

static rag_status estimate(struct run *run, rag_error *error)
{
    rag_add_report *report = run->report;
    rag_model *model = run->index->model;
    rag_status status = RAG_OK;
    if (!report->tokens || !model)
        return RAG_OK;
    report->tokens_per_second = speed_known(model, run->index->options.models.threads);
    report->speed_from = "earlier runs";
    if (!report->tokens_per_second) {
        report->speed_from = "a sample";
        status = speed_measure(model, run->events, &report->tokens_per_second, error);
    }
    return status;
}

/* ---- The whole ---- */

static uint64_t total_bytes(const struct file_list *files)
{
    uint64_t total = 0;
    struct stat st;
    for (size_t i = 0; i < files->count; i++)
        if (stat(files->paths[i], &st) == 0)
            total += (uint64_t)st.st_size;
    return total;
}

static rag_status find_files(struct adding *adding, const struct file_list *paths,
                             const struct walk_hooks *hooks, rag_error *error)
{
    struct run *run = &adding->run;
    size_t folders_skipped = 0;
    rag_status status =
        walk_paths_with((const char *const *)paths->paths, paths->count, run->events, hooks,
                        &adding->files, &folders_skipped, error);
    if (status)
        return status;
    run->report->skipped += folders_skipped;
    run->bytes_total = total_bytes(&adding->files);
    status = known_read(run->index, run->collection, hooks->within ? hooks->within : paths,
                        &adding->known, error);
    return status
               ? status
               : known_find_gone(&adding->known, &adding->files, folders_skipped == 0, error);
}

static rag_status add(struct adding *adding, const struct file_list *paths,
                      const struct walk_hooks *hooks, rag_error *error)
{
    struct run *run = &adding->run;
    struct file_list again = {0};
    rag_status status = find_files(adding, paths, hooks, error);
    /* A named model is checked even when nothing needs to be embedded. */
    if (!status && index_names_model(run->index))
        status = index_need_model(run->index, error);
    if (!status)
        status = run_resolve(run, error);
    if (!status)
        status = take_all(adding, &adding->files, error);
    if (!status && run->again.count) {
        again = run->again; /* somebody else has removed what was to be moved */
        run->again = (struct file_list){0};
        status = take_all(adding, &again, error);
        file_list_release(&again);
    }
    /* Last, so that what was renamed and changed finds its vectors. */
    if (!status)
        status = remove_gone(adding, error);
    if (!status && run->dry)
        status = estimate(run, error);
    return status;
}

rag_status add_files(struct run *run, const struct file_list *paths,
                     const struct walk_hooks *hooks, rag_error *error)
{
    struct adding adding = {.run = *run};
    adding.rules = (struct reading_rules){.index = run->index,
                                          .known = &adding.known,
                                          .read = run->read,
                                          .metadata = run->metadata != NULL};
    pthread_mutex_init(&adding.rules.loading, NULL);
    double start = clock_seconds();
    rag_status status = add(&adding, paths, hooks, error);
    rag_add_report *report = run->report;
    report->seconds = clock_seconds() - start;
    if (run->dry && !status && report->tokens_per_second > 0)
        report->estimated_seconds =
            report->seconds + (double)report->tokens / report->tokens_per_second;
    if (!run->dry && adding.run.embed_seconds > 0) {
        report->tokens_per_second = (double)report->tokens / adding.run.embed_seconds;
        speed_note(run->index->model, run->index->options.models.threads, report->tokens,
                   report->seconds);
    }
    pthread_mutex_destroy(&adding.rules.loading);
    file_list_release(&adding.files);
    known_release(&adding.known);
    run_release(&adding.run);
    return status;
}

static rag_status absolute_paths(const char *const *paths, size_t count, struct file_list *out,
                                 rag_error *error)
{
    rag_status status = RAG_OK;
    for (size_t i = 0; !status && i < count; i++) {
        char *absolute = NULL;
        status = path_absolute(paths[i], &absolute, error);
        if (!status && !file_list_add(out, absolute))
            status = fail_memory(error);
        free(absolute);
    }
    return status;
}

rag_status check_metadata(const char *metadata, rag_error *error)
{
    rag_error why;
    rag_status status = metadata_check(metadata, &why);
    return status
               ? fail_with(error, status == RAG_INPUT ? RAG_USAGE : status, "%s", why.message)
               : RAG_OK;
}

rag_status rag_index_add(rag_index *index, const char *const *paths, size_t count,
                         const rag_add_options *options, rag_add_report *report,
                         rag_error *error)
{
    static const rag_add_options defaults = RAG_ADD_OPTIONS_INIT;
    rag_add_report own;
    if (!report)
        report = &own;
    *report = (rag_add_report){0};
    rag_status status = CHECK_OPTIONS(options, error);
    if (!options)
        options = &defaults;
    if (!status && options->metadata)
        status = check_metadata(options->metadata, error);
    if (status)
        return status;
    struct events events = {options->on_event, options->user};
    struct run run = {.index = index,
                      .collection = index->options.collection,
                      .events = &events,
                      .on_change = options->on_change,
                      .user = options->user,
                      .dry = options->dry_run != 0,
                      .metadata = options->metadata,
                      .report = report};
    struct walk_hooks hooks = {.on_skip = tell_skipped, .user = &run};
    struct file_list absolute = {0};
    status = read_options_make(options->ocr, options->notebook_outputs != 0, &run.read, error);
    if (!status)
        status = absolute_paths(paths, count, &absolute, error);
    pthread_mutex_lock(&index->lock);
    if (!status)
        status = index_look(index, error);
    if (!status)
        status = add_files(&run, &absolute, &hooks, error);
    pthread_mutex_unlock(&index->lock);
    file_list_release(&absolute);
    return status;
}
