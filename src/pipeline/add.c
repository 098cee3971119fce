/* add.c - bringing an index up to date with files.
 *
 * Files are read and cut one after the other and gathered until there are tokens enough for
 * the encoder to work on them well; then these are embedded together and their documents
 * written, one transaction each. A wish to stop is heeded after that, so that no finished
 * work is lost and no document is in the index in part. */
#define _XOPEN_SOURCE 700
#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "documents/walk.h"
#include "pipeline/pipeline.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* Tokens gathered before they are embedded: a few seconds of work, many times what one
 * batch of the encoder takes; and bytes of files, for texts whose vectors are known. */
enum { GATHER_TOKENS = 1 << 14, GATHER_BYTES = 1 << 24 };

/* A document on its way. */
struct job {
    struct document document;
    struct chunk_list chunks;
    struct hash hash;          /* of the file */
    struct hash *chunk_hashes; /* [chunks] */
    float *vectors;            /* [chunks x dimension] */
    bool *missing;             /* [chunks] to be embedded */
    size_t missing_count, missing_tokens;
    uint64_t size;
    int64_t modified;
    bool update;
};

struct run {
    rag_index *index;
    const struct events *events;
    rag_add_report *report;
    struct chunker_options chunker;
    struct job *jobs;
    size_t count, capacity;
    size_t pending_tokens, pending_bytes;
    uint64_t bytes_done, bytes_total;
    const char *file; /* in hand, for progress */
    bool stop;
};

static void job_release(struct job *job)
{
    document_release(&job->document);
    chunk_list_release(&job->chunks);
    free(job->chunk_hashes);
    free(job->vectors);
    free(job->missing);
    *job = (struct job){0};
}

bool chunk_context(const char *heading, rag_text text, struct buf *out)
{
    return (!*heading || (buf_append_text(out, heading) && buf_append_char(out, '\n'))) &&
           buf_append(out, text.data, text.size);
}

static rag_text chunk_text(const struct job *job, size_t i)
{
    const struct chunk *chunk = &job->chunks.chunks[i];
    return (rag_text){job->document.text.data + chunk->begin, chunk->end - chunk->begin};
}

static void report_progress(struct run *run, uint64_t done)
{
    if (event_progress(run->events, "indexing", "bytes", done, run->bytes_total, run->file))
        run->stop = true;
}

/* ---- Embedding what has been gathered ---- */

struct relay {
    struct run *run;
    uint64_t tokens_before, tokens_total;
};

/* The encoder's progress in tokens becomes the run's in bytes; a wish to stop is noted and
 * the work in hand goes on. */
static int relay_progress(const rag_event *event, void *user)
{
    const struct relay *relay = user;
    struct run *run = relay->run;
    if (event->kind != RAG_EVENT_PROGRESS || !relay->tokens_total)
        return 0;
    double share = (double)(relay->tokens_before + event->done) / (double)relay->tokens_total;
    report_progress(run, run->bytes_done +
                             (uint64_t)((share < 1 ? share : 1) * (double)run->pending_bytes));
    return 0;
}

/* The next chunks to embed: at most GATHER_TOKENS, across documents. */
struct slice {
    rag_text *texts;
    float **vectors; /* where each goes */
    size_t count, capacity;
    struct buf *contexts;
    size_t tokens;
};

static void slice_clear(struct slice *slice)
{
    for (size_t i = 0; i < slice->count; i++)
        buf_release(&slice->contexts[i]);
    slice->count = slice->tokens = 0;
}

static void slice_release(struct slice *slice)
{
    slice_clear(slice);
    free(slice->texts);
    free(slice->vectors);
    free(slice->contexts);
}

static bool slice_push(struct slice *slice, const struct job *job, size_t i, float *vector)
{
    size_t needed = slice->count + 1, capacity = slice->capacity;
    if (!array_reserve(&slice->texts, &capacity, needed, sizeof *slice->texts))
        return false;
    capacity = slice->capacity;
    if (!array_reserve(&slice->vectors, &capacity, needed, sizeof *slice->vectors))
        return false;
    capacity = slice->capacity;
    if (!array_reserve(&slice->contexts, &capacity, needed, sizeof *slice->contexts))
        return false;
    slice->capacity = capacity;
    struct buf context = BUF_INIT((size_t)TOKENIZER_MAX_TEXT);
    if (!chunk_context(job->chunks.chunks[i].heading, chunk_text(job, i), &context)) {
        buf_release(&context);
        return false;
    }
    slice->contexts[slice->count] = context;
    slice->texts[slice->count] = (rag_text){context.data, context.size};
    slice->vectors[slice->count++] = vector;
    slice->tokens += job->chunks.chunks[i].tokens;
    return true;
}

static rag_status embed_slice(struct run *run, struct slice *slice, struct relay *relay,
                              rag_error *error)
{
    if (!slice->count)
        return RAG_OK;
    struct events events = {relay_progress, relay};
    rag_embeddings *embeddings;
    rag_status status = embed_texts(run->index->model, slice->texts, slice->count, RAG_PASSAGE,
                                    RAG_DENSE, &events, &embeddings, error);
    if (status)
        return status;
    for (size_t i = 0; i < slice->count; i++) {
        const rag_embedding *item = rag_embeddings_get(embeddings, i);
        memcpy(slice->vectors[i], item->dense, item->dimension * sizeof(float));
        run->report->tokens += item->tokens;
        run->report->chunks_embedded++;
    }
    relay->tokens_before += slice->tokens;
    rag_embeddings_free(embeddings);
    slice_clear(slice);
    return RAG_OK;
}

static rag_status embed_jobs(struct run *run, rag_error *error)
{
    rag_status status = RAG_OK;
    size_t dimension = run->index->recipe.dimension;
    struct slice slice = {0};
    struct relay relay = {.run = run, .tokens_total = run->pending_tokens};
    for (size_t j = 0; !status && j < run->count; j++) {
        struct job *job = &run->jobs[j];
        run->file = job->document.path;
        for (size_t i = 0; !status && i < job->chunks.count; i++) {
            if (!job->missing[i])
                continue;
            if (!slice_push(&slice, job, i, job->vectors + i * dimension))
                status = fail_memory(error);
            else if (slice.tokens >= GATHER_TOKENS)
                status = embed_slice(run, &slice, &relay, error);
        }
    }
    if (!status)
        status = embed_slice(run, &slice, &relay, error);
    slice_release(&slice);
    return status;
}

/* ---- Writing ---- */

static rag_status write_job(struct run *run, const struct job *job, rag_error *error)
{
    size_t dimension = run->index->recipe.dimension, count = job->chunks.count;
    struct store_chunk *chunks = alloc_array(count, sizeof *chunks);
    if (!chunks)
        return fail_memory(error);
    for (size_t i = 0; i < count; i++) {
        const struct chunk *chunk = &job->chunks.chunks[i];
        chunks[i] = (struct store_chunk){.begin = chunk->begin,
                                         .end = chunk->end,
                                         .line = chunk->line,
                                         .last_line = chunk->last_line,
                                         .tokens = chunk->tokens,
                                         .heading = chunk->heading,
                                         .hash = job->chunk_hashes[i],
                                         .vector = job->vectors + i * dimension};
    }
    struct store_document document = {
        .path = job->document.path,
        .format = job->document.format,
        .hash = job->hash,
        .size = job->size,
        .modified = job->modified,
        .text = {job->document.text.data, job->document.text.size},
    };
    rag_status status = store_put(run->index->store, &document, chunks, count, error);
    free(chunks);
    if (status)
        return status;
    *(job->update ? &run->report->updated : &run->report->added) += 1;
    run->report->chunks += count;
    return RAG_OK;
}

static rag_status flush(struct run *run, rag_error *error)
{
    rag_status status = embed_jobs(run, error);
    for (size_t j = 0; j < run->count; j++) {
        if (!status)
            status = write_job(run, &run->jobs[j], error);
        if (!status)
            run->bytes_done += run->jobs[j].size;
        job_release(&run->jobs[j]);
    }
    run->file = NULL; /* it was one of theirs */
    run->count = 0;
    run->pending_tokens = run->pending_bytes = 0;
    if (!status)
        report_progress(run, run->bytes_done);
    return status;
}

/* ---- Reading ---- */

static int64_t modification_time(const struct stat *st)
{
    return (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

/* Vectors of chunks that the index has already are taken from it. */
static rag_status look_up_vectors(struct run *run, struct job *job, rag_error *error)
{
    size_t dimension = run->index->recipe.dimension, count = job->chunks.count;
    job->chunk_hashes = alloc_array(count, sizeof *job->chunk_hashes);
    job->vectors = alloc_array(count, dimension * sizeof *job->vectors);
    job->missing = alloc_zeroed(count, sizeof *job->missing);
    if (!job->chunk_hashes || !job->vectors || !job->missing)
        return fail_memory(error);
    rag_status status = RAG_OK;
    struct buf context = BUF_INIT((size_t)TOKENIZER_MAX_TEXT);
    for (size_t i = 0; !status && i < count; i++) {
        buf_clear(&context);
        if (!chunk_context(job->chunks.chunks[i].heading, chunk_text(job, i), &context)) {
            status = fail_memory(error);
            break;
        }
        bool found = false;
        status = hash_bytes(context.data, context.size, &job->chunk_hashes[i], error);
        if (!status)
            status = store_find_vector(run->index->store, &job->chunk_hashes[i],
                                       job->vectors + i * dimension, &found, error);
        if (!status && !found) {
            job->missing[i] = true;
            job->missing_count++;
            job->missing_tokens += job->chunks.chunks[i].tokens;
        }
    }
    buf_release(&context);
    return status;
}

/* Reads and cuts a file. RAG_INPUT: it is to be skipped. */
static rag_status prepare(struct run *run, const char *path, const struct buf *bytes,
                          struct job *job, rag_error *error)
{
    rag_status status = document_parse(path, bytes->data, bytes->size, &job->document, error);
    if (!status)
        status = chunk_document(&job->document, run->index->model->tokenizer, &run->chunker,
                                &job->chunks, error);
    if (!status)
        status = look_up_vectors(run, job, error);
    return status;
}

static rag_status resolve_for_index(struct run *run, rag_error *error)
{
    rag_index *index = run->index;
    if (index->has_recipe) {
        run->chunker = (struct chunker_options){index->recipe.chunker, index->recipe.max_tokens,
                                                index->recipe.overlap};
        return RAG_OK;
    }
    rag_status status = index_need_model(index, error);
    if (status)
        return status;
    struct token_list prefix = {0};
    const char *passage = index->model->config.passage_prefix;
    size_t specials = tokenizer_specials_before(index->model->tokenizer) +
                      tokenizer_specials_after(index->model->tokenizer);
    status = tokenizer_encode(index->model->tokenizer, (rag_text){passage, strlen(passage)},
                              &prefix, error);
    if (!status)
        status = resolve_chunker(
            index->options.chunker, index->options.max_tokens, index->options.overlap,
            index->model->config.max_tokens - specials - prefix.count, &run->chunker, error);
    token_list_release(&prefix);
    if (!status && run->chunker.max_tokens > index->model->config.max_tokens)
        event_note(run->events,
                   "%s takes %u tokens at once: chunks of up to %zu are embedded in windows "
                   "whose vectors are averaged",
                   index->model->name, index->model->config.max_tokens,
                   run->chunker.max_tokens);
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
    rag_status status = store_find_document(run->index->store, path, &known, error);
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
        status = store_touch(run->index->store, path, job.size, job.modified, error);
        goto unchanged;
    }
    if (!read && !(status = index_need_recipe(run->index, &run->chunker, error)))
        read = prepare(run, path, &bytes, &job, &trouble);
    if (status)
        goto out;
    if (read == RAG_INPUT) {
        skip(run, &trouble, job.size);
        goto out;
    }
    if (read) {
        status = fail_with(error, read, "%s", trouble.message);
        goto out;
    }
    if (!array_reserve(&run->jobs, &run->capacity, run->count + 1, sizeof *run->jobs)) {
        status = fail_memory(error);
        goto out;
    }
    run->pending_tokens += job.missing_tokens;
    run->pending_bytes += job.size;
    run->jobs[run->count++] = job;
    job = (struct job){0};
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
        status = store_remove(run->index->store, (const char *const *)stored.paths, gone,
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
    if (run->index->options.model && (status = index_need_model(run->index, error)))
        goto out;
    if ((status = resolve_for_index(run, error)))
        goto out;
    run->bytes_total = total_bytes(&files);
    size_t taken = 0;
    while (!status && !run->stop && taken < files.count) {
        status = take_file(run, files.paths[taken++], error);
        if (!status)
            report_progress(run, run->bytes_done);
        if (!status && (run->pending_tokens >= GATHER_TOKENS ||
                        run->pending_bytes >= GATHER_BYTES || run->stop))
            status = flush(run, error);
    }
    if (!status)
        status = flush(run, error);
    if (!status && taken < files.count)
        status = fail_with(error, RAG_INTERRUPTED,
                           "stopped; what was indexed is safe, and the same command goes on "
                           "from here");
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
    status = run_all(&run, paths, count, error);
    pthread_mutex_unlock(&index->lock);
    report->seconds = clock_seconds() - start;
    for (size_t j = 0; j < run.count; j++)
        job_release(&run.jobs[j]);
    free(run.jobs);
    return status;
}
