/* add.c - bringing an index up to date with files, read and cut one after the other. */
#define _XOPEN_SOURCE 700
#include "pipeline/add.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "pipeline/jobs.h"
#include "pipeline/known.h"
#include "pipeline/speed.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum {
    READ_ATTEMPTS = 3,                 /* of a file that changes meanwhile */
    CLOCK_TICK_NANOSECONDS = 20000000, /* file systems tell times apart that are this far */
};

/* ---- Reading ---- */

static int64_t nanoseconds(struct timespec time)
{
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static bool same_state(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
           nanoseconds(a->st_mtim) == nanoseconds(b->st_mtim);
}

/* Whoever writes twice within a tick of the clock leaves one and the same time: a file that was
 * written just now is looked at when the tick is over. */
static void wait_for_tick(const struct stat *st)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t age = nanoseconds(now) - nanoseconds(st->st_mtim);
    if (age < 0 || age >= CLOCK_TICK_NANOSECONDS)
        return;
    struct timespec rest = {.tv_nsec = CLOCK_TICK_NANOSECONDS - (long)age};
    nanosleep(&rest, NULL);
}

/* Reads a file as it was at one moment; *st is of that moment. */
static rag_status read_steadily(const char *path, struct stat *st, struct buf *bytes,
                                rag_error *error)
{
    for (int attempt = 0; attempt < READ_ATTEMPTS; attempt++) {
        struct stat after;
        wait_for_tick(st);
        if (stat(path, st) != 0)
            return fail_errno(error, RAG_INPUT, "%s", path);
        buf_clear(bytes);
        rag_status status = file_read(path, bytes, error);
        if (status)
            return status;
        if (stat(path, &after) == 0 && same_state(st, &after) &&
            (uint64_t)st->st_size == bytes->size)
            return RAG_OK;
        *st = after;
    }
    return fail_with(error, RAG_INPUT, "%s: it is being changed", path);
}

/* Cuts a file. RAG_INPUT: it is to be skipped. The recipe comes after that, so that a file that
 * is no text leaves no index behind. */
static rag_status prepare(struct run *run, const char *path, const struct buf *bytes,
                          struct job *job, rag_error *error)
{
    rag_status status = index_need_model(run->index, error);
    if (!status)
        status = document_parse(path, bytes->data, bytes->size, &job->document, error);
    if (!status)
        status =
            metadata_merge(job->document.metadata.data, run->metadata, &job->metadata, error);
    if (!status)
        status = chunk_document(&job->document, run->index->model->tokenizer, &run->chunker,
                                &job->chunks, error);
    if (!status && !run->dry)
        status = index_need_recipe(run->index, &run->chunker, error);
    if (!status)
        status = job_fill_vectors(run, job, NULL, error);
    return status;
}

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
};

static rag_status take_unchanged(struct run *run, uint64_t size)
{
    run->report->unchanged++;
    run->bytes_done += size;
    return RAG_OK;
}

/* The metadata that the caller gives now, where they make a difference to a document whose
 * bytes are the same: *changed. What cannot be read any more keeps what it has. */
static rag_status take_label(struct run *run, const struct known_document *known,
                             const char *path, const struct buf *bytes, bool *changed,
                             rag_error *error)
{
    struct document document;
    struct hash hash;
    rag_error trouble;
    char *metadata = NULL;
    *changed = false;
    rag_status status = document_parse(path, bytes->data, bytes->size, &document, &trouble);
    if (status)
        return status == RAG_INPUT ? RAG_OK : fail_with(error, status, "%s", trouble.message);
    status = metadata_merge(document.metadata.data, run->metadata, &metadata, error);
    if (!status)
        status = hash_bytes(metadata, strlen(metadata), &hash, error);
    document_release(&document);
    *changed = !status && memcmp(&hash, &known->file.metadata_hash, sizeof hash) != 0;
    if (*changed)
        return run_push_label(run, path, metadata, error);
    free(metadata);
    return status;
}

/* A document whose bytes are the same. */
static rag_status take_same(struct run *run, const struct known_document *known,
                            const struct buf *bytes, uint64_t size, rag_error *error)
{
    bool changed = false;
    rag_status status = RAG_OK;
    if (run->metadata)
        status = take_label(run, known, known->path, bytes, &changed, error);
    if (status || !changed)
        return status ? status : take_unchanged(run, size);
    run->bytes_done += size;
    return RAG_OK;
}

/* A file that was there when files were looked for, and cannot be read. */
static rag_status take_unreadable(struct run *run, struct known_document *known,
                                  const char *path, const rag_error *why, uint64_t size)
{
    struct stat st;
    if (known && lstat(path, &st) != 0 && (errno == ENOENT || errno == ENOTDIR))
        known->fate = KNOWN_GONE;
    else
        skip(run, path, why, size);
    return RAG_OK;
}

static rag_status take_moved(struct run *run, const struct known_document *from,
                             const char *path, const struct job *job, rag_error *error)
{
    struct store_move move = {
        .from = from->path, .to = path, .hash = job->hash, .modified = job->modified};
    run->bytes_done += job->size;
    return run_push_move(run, &move, error);
}

static rag_status take_bytes(struct adding *adding, const char *path,
                             struct known_document *known, const struct buf *bytes,
                             struct job *job, rag_error *error)
{
    struct run *run = &adding->run;
    rag_error trouble;
    rag_status status = hash_bytes(bytes->data, bytes->size, &job->hash, error);
    if (status)
        return status;
    if (known && memcmp(&known->file.hash, &job->hash, sizeof job->hash) == 0) {
        struct store_stamp stamp = {known->path, job->size, job->modified};
        status = run_push_stamp(run, &stamp, error);
        return status ? status : take_same(run, known, bytes, job->size, error);
    }
    const struct known_document *from =
        known ? NULL : known_take_moved(&adding->known, &job->hash, path);
    if (from) {
        bool changed;
        status = take_moved(run, from, path, job, error);
        return status || !run->metadata ? status
                                        : take_label(run, from, path, bytes, &changed, error);
    }
    job->update = known != NULL;
    status = prepare(run, path, bytes, job, &trouble);
    if (status == RAG_INPUT) {
        skip(run, path, &trouble, job->size);
        return RAG_OK;
    }
    return status ? fail_with(error, status, "%s", trouble.message) : run_push(run, job, error);
}

static rag_status take_file(struct adding *adding, const char *path, rag_error *error)
{
    struct run *run = &adding->run;
    struct known_document *known = known_find(&adding->known, path);
    struct stat st;
    rag_error trouble;
    run->file = path;
    if (stat(path, &st) != 0) {
        fail_errno(&trouble, RAG_INPUT, "%s", path);
        return take_unreadable(run, known, path, &trouble, 0);
    }
    if (!run->metadata && known && known->file.size == (uint64_t)st.st_size &&
        known->file.modified == nanoseconds(st.st_mtim))
        return take_unchanged(run, (uint64_t)st.st_size);

    struct job job = {0};
    struct buf bytes = BUF_INIT((size_t)DOCUMENT_MAX_BYTES);
    rag_status status = read_steadily(path, &st, &bytes, &trouble);
    job.size = (uint64_t)st.st_size;
    job.modified = nanoseconds(st.st_mtim);
    if (!status)
        status = take_bytes(adding, path, known, &bytes, &job, error);
    else if (status == RAG_INPUT)
        status = take_unreadable(run, known, path, &trouble, job.size);
    else
        status = fail_with(error, status, "%s", trouble.message);
    buf_release(&bytes);
    job_release(&job);
    return status;
}

static rag_status take_all(struct adding *adding, const struct file_list *files,
                           rag_error *error)
{
    struct run *run = &adding->run;
    rag_status status = RAG_OK;
    size_t taken = 0;
    while (!status && !run->stop && taken < files->count) {
        status = take_file(adding, files->paths[taken++], error);
        if (!status)
            run_progress(run, run->bytes_done);
        if (!status && (run_is_full(run) || run->stop))
            status = run_flush(run, error);
    }
    if (!status)
        status = run_flush(run, error);
    if (!status && taken < files->count)
        status = run_fail_stopped(error);
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
