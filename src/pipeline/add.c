/* add.c - bringing an index up to date with files, read and cut one after the other. */
#define _XOPEN_SOURCE 700
#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "documents/walk.h"
#include "pipeline/jobs.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* ---- Reading ---- */

static int64_t modification_time(const struct stat *st)
{
    return (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

/* Reads and cuts a file. RAG_INPUT: it is to be skipped. The recipe comes after that, so that a
 * file that is no text leaves no index behind. */
static rag_status prepare(struct run *run, const char *path, const struct buf *bytes,
                          struct job *job, rag_error *error)
{
    rag_status status = index_need_model(run->index, error);
    if (!status)
        status = document_parse(path, bytes->data, bytes->size, &job->document, error);
    if (!status)
        status = chunk_document(&job->document, run->index->model->tokenizer, &run->chunker,
                                &job->chunks, error);
    if (!status)
        status = index_need_recipe(run->index, &run->chunker, error);
    if (!status)
        status = job_fill_vectors(run, job, NULL, error);
    return status;
}

static void skip(struct run *run, const rag_error *why, uint64_t size)
{
    event_warning(run->events, "skipped: %s", why->message);
    run->report->skipped++;
    run->bytes_done += size;
}

/* One file: unchanged, skipped, or a job. */
static rag_status take_file(struct run *run, const char *path, rag_error *error)
{
    struct stat st;
    rag_error trouble;
    struct job job = {0};
    struct store_file known;
    struct buf bytes = BUF_INIT((size_t)DOCUMENT_MAX_BYTES);
    rag_status status = index_find_document(run->index, path, &known, error);
    if (status)
        return status;
    run->file = path;
    if (stat(path, &st) != 0) {
        fail_errno(&trouble, RAG_INPUT, "%s", path);
        skip(run, &trouble, 0);
        return RAG_OK;
    }
    job.size = (uint64_t)st.st_size;
    job.modified = modification_time(&st);
    job.update = known.present;
    if (known.present && known.size == job.size && known.modified == job.modified)
        goto unchanged;

    rag_status read = file_read(path, &bytes, &trouble);
    if (!read)
        read = hash_bytes(bytes.data, bytes.size, &job.hash, &trouble);
    if (!read && known.present && memcmp(&known.hash, &job.hash, sizeof job.hash) == 0) {
        status = store_touch(run->index->store, NULL, path, job.size, job.modified, error);
        goto unchanged;
    }
    if (!read)
        read = prepare(run, path, &bytes, &job, &trouble);
    if (read == RAG_INPUT) {
        skip(run, &trouble, job.size);
        goto out;
    }
    if (read) {
        status = fail_with(error, read, "%s", trouble.message);
        goto out;
    }
    status = run_push(run, &job, error);
    goto out;
unchanged:
    run->report->unchanged++;
    run->bytes_done += job.size;
out:
    buf_release(&bytes);
    job_release(&job);
    return status;
}

/* ---- Removing what is gone ---- */

static bool listed(const struct file_list *files, const char *path)
{
    size_t low = 0, high = files->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(files->paths[middle], path);
        if (order == 0)
            return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

/* Documents below the paths whose files are no longer found there. Where a folder could not
 * be read, only those whose file is known not to exist. */
static rag_status remove_gone(struct run *run, const char *const *paths, size_t count,
                              const struct file_list *files, bool all_read, rag_error *error)
{
    struct file_list stored = {0};
    rag_status status = RAG_OK;
    for (size_t i = 0; !status && i < count; i++) {
        char *absolute = NULL;
        if (!(status = path_absolute(paths[i], &absolute, error)))
            status = stored_paths(run->index, absolute, &stored, error);
        free(absolute);
    }
    size_t gone = 0;
    for (size_t i = 0; !status && i < stored.count; i++) {
        struct stat st;
        bool missing = lstat(stored.paths[i], &st) != 0 && errno == ENOENT;
        if (missing || (all_read && !listed(files, stored.paths[i]))) {
            char *path = stored.paths[i];
            stored.paths[i] = stored.paths[gone];
            stored.paths[gone++] = path;
        }
    }
    if (!status && gone)
        status = store_remove(run->index->store, NULL, (const char *const *)stored.paths, gone,
                              &run->report->removed, error);
    file_list_release(&stored);
    return status;
}

static uint64_t total_bytes(const struct file_list *files)
{
    uint64_t total = 0;
    struct stat st;
    for (size_t i = 0; i < files->count; i++)
        if (stat(files->paths[i], &st) == 0)
            total += (uint64_t)st.st_size;
    return total;
}

static rag_status run_all(struct run *run, const char *const *paths, size_t count,
                          rag_error *error)
{
    struct file_list files = {0};
    size_t folders_skipped = 0;
    rag_status status = walk_paths(paths, count, run->events, &files, &folders_skipped, error);
    if (status)
        goto out;
    run->report->skipped += folders_skipped;
    /* A named model is checked even when nothing needs to be embedded. */
    if (index_names_model(run->index) && (status = index_need_model(run->index, error)))
        goto out;
    if ((status = run_resolve(run, error)))
        goto out;
    run->bytes_total = total_bytes(&files);
    size_t taken = 0;
    while (!status && !run->stop && taken < files.count) {
        status = take_file(run, files.paths[taken++], error);
        if (!status)
            run_progress(run, run->bytes_done);
        if (!status && (run_is_full(run) || run->stop))
            status = run_flush(run, error);
    }
    if (!status)
        status = run_flush(run, error);
    if (!status && taken < files.count)
        status = run_fail_stopped(error);
    /* Last, so that a renamed file finds its vectors. */
    if (!status)
        status = remove_gone(run, paths, count, &files, folders_skipped == 0, error);
out:
    file_list_release(&files);
    return status;
}

rag_status rag_index_add(rag_index *index, const char *const *paths, size_t count,
                         const rag_add_options *options, rag_add_report *report,
                         rag_error *error)
{
    rag_add_report own;
    if (!report)
        report = &own;
    *report = (rag_add_report){0};
    rag_status status = CHECK_OPTIONS(options, error);
    if (status)
        return status;
    struct events events = {0};
    if (options)
        events = (struct events){options->on_event, options->user};
    struct run run = {.index = index, .events = &events, .report = report};
    double start = clock_seconds();
    pthread_mutex_lock(&index->lock);
    status = index_look(index, error);
    if (!status)
        status = run_all(&run, paths, count, error);
    pthread_mutex_unlock(&index->lock);
    report->seconds = clock_seconds() - start;
    run_release(&run);
    return status;
}
