#include "pipeline/large.h"
#include "base/memory.h"

#include <string.h>

enum { WRITE_BYTES = 2 << 20 /* of text, at most about, in one transaction */ };

struct large {
    struct run *run;
    struct stretches *stretches;
    const char *path;
    const struct tokenizer *tokenizer;
    struct chunk_list chunks; /* of a stretch */
    size_t count;             /* of the whole */
    char *metadata;
    struct store_growing *growing;
    uint64_t written; /* bytes of the whole */
};

/* A job that borrows its document. */
static void release_part(struct job *job)
{
    job->document = (struct document){0};
    job_release(job);
}

/* ---- Cutting it once --------------------------------------------------------- */

/* What a dry run counts; the chunks go with it. */
static rag_status count_missing(struct large *large, const struct stretch *stretch,
                                rag_error *error)
{
    struct run *run = large->run;
    struct job job = {.document = stretch->document, .chunks = large->chunks};
    large->chunks = (struct chunk_list){0};
    rag_status status = job_fill_vectors(run, &job, NULL, error);
    run->report->chunks_embedded += job.missing_count;
    run->report->tokens += job.missing_tokens;
    release_part(&job);
    return status;
}

static rag_status cut(struct large *large, struct stretch **stretch, rag_error *error)
{
    rag_status status = stretches_next(large->stretches, stretch, error);
    if (!status && *stretch)
        status = chunk_document(&(*stretch)->document, large->tokenizer, &large->run->chunker,
                                &large->chunks, error);
    run_progress(large->run, large->run->bytes_done);
    return !status && large->run->stop ? run_fail_stopped(error) : status;
}

/* The metadata are those of the first stretch, if they are not known. */
static rag_status survey(struct large *large, rag_error *error)
{
    struct run *run = large->run;
    struct stretch *stretch;
    rag_status status;
    stretches_rewind(large->stretches);
    while (!(status = cut(large, &stretch, error)) && stretch) {
        if (!large->metadata)
            status = metadata_merge(stretch->document.metadata.data, run->metadata,
                                    &large->metadata, error);
        large->count += large->chunks.count;
        if (!status && run->dry)
            status = count_missing(large, stretch, error);
        if (status)
            break;
    }
    return status;
}

/* ---- A part of a stretch: chunks that are embedded and written together -------- */

/* Takes chunks [from, to) of the stretch for a job that borrows its document. */
static rag_status take_part(struct large *large, const struct stretch *stretch, size_t from,
                            size_t to, struct job *job, rag_error *error)
{
    struct chunk *chunks = large->chunks.chunks;
    job->document = stretch->document;
    job->chunks.chunks = alloc_array(to - from, sizeof *chunks);
    if (!job->chunks.chunks)
        return fail_memory(error);
    job->chunks.count = job->chunks.capacity = to - from;
    memcpy(job->chunks.chunks, chunks + from, (to - from) * sizeof *chunks);
    memset(chunks + from, 0, (to - from) * sizeof *chunks);
    job->size = job->chunks.chunks[to - from - 1].end - job->chunks.chunks[0].begin;
    return job_fill_vectors(large->run, job, NULL, error);
}

static void release_parts(struct run *run)
{
    for (size_t i = 0; i < run->count; i++)
        release_part(&run->jobs[i]);
    run_forget(run);
}

/* The gathered chunks as bytes and lines of the whole, up to `last` at most. */
static struct store_chunk *whole_chunks(const struct run *run, const struct stretch *stretch,
                                        size_t *count, uint64_t *last)
{
    size_t total = 0, n = 0, dimension = run->index->recipe.dimension;
    for (size_t j = 0; j < run->count; j++)
        total += run->jobs[j].chunks.count;
    struct store_chunk *chunks = alloc_array(total, sizeof *chunks);
    *last = 0;
    for (size_t j = 0; chunks && j < run->count; j++)
        for (size_t i = 0; i < run->jobs[j].chunks.count; i++) {
            struct store_chunk *chunk = &chunks[n++];
            *chunk = job_store_chunk(&run->jobs[j], i, dimension);
            chunk->begin += stretch->begin;
            chunk->end += stretch->begin;
            if (chunk->header_begin < chunk->header_end) {
                chunk->header_begin += stretch->begin;
                chunk->header_end += stretch->begin;
            }
            chunk->line += stretch->line - 1;
            chunk->last_line += stretch->line - 1;
            *last = chunk->end > *last ? chunk->end : *last;
        }
    *count = n;
    return chunks;
}

/* Writes what is gathered with the text up to the byte `end` of the whole. */
static rag_status write_parts(struct large *large, const struct stretch *stretch, uint64_t end,
                              rag_error *error)
{
    size_t count;
    uint64_t last;
    struct store_chunk *chunks = whole_chunks(large->run, stretch, &count, &last);
    if (!chunks)
        return fail_memory(error);
    size_t from = (size_t)(large->written - stretch->begin);
    size_t beyond = last > end ? (size_t)(last - end) : 0;
    rag_text text = {stretch->document.text.data + from,
                     (size_t)(end - large->written) + beyond};
    rag_status status = store_grow_add(large->growing, text, beyond, chunks, count, error);
    if (!status)
        large->written = end;
    free(chunks);
    return status;
}

static rag_status flush(struct large *large, const struct stretch *stretch, uint64_t end,
                        rag_error *error)
{
    struct run *run = large->run;
    rag_status status = run_embed(run, error);
    run->bytes_done += run->pending_bytes;
    if (!status)
        status = write_parts(large, stretch, end, error);
    release_parts(run);
    run_progress(run, run->bytes_done);
    return !status && run->stop ? run_fail_stopped(error) : status;
}

/* The end of the part that begins with the chunk `from`. */
static size_t part_end(const struct chunk_list *chunks, size_t from)
{
    size_t tokens = 0, to = from;
    while (to < chunks->count && (to == from || tokens < GATHER_TOKENS))
        tokens += chunks->chunks[to++].tokens;
    return to;
}

static rag_status put_stretch(struct large *large, const struct stretch *stretch,
                              rag_error *error)
{
    struct run *run = large->run;
    const struct chunk_list *chunks = &large->chunks;
    uint64_t all = stretch->begin + stretch->document.text.size;
    rag_status status = RAG_OK;
    for (size_t from = 0, to; !status && from < chunks->count; from = to) {
        struct job job = {0};
        to = part_end(chunks, from);
        uint64_t end = to < chunks->count ? stretch->begin + chunks->chunks[to].begin : all;
        status = take_part(large, stretch, from, to, &job, error);
        if (!status)
            status = run_push(run, &job, error);
        release_part(&job);
        if (!status && (run->pending_tokens >= GATHER_TOKENS ||
                        run->pending_bytes >= WRITE_BYTES || to == chunks->count))
            status = flush(large, stretch, end, error);
    }
    if (!status && large->written < all) /* white space alone */
        status = flush(large, stretch, all, error);
    return status;
}

/* ---- The whole --------------------------------------------------------------- */

static rag_status begin(struct large *large, rag_error *error)
{
    struct run *run = large->run;
    const struct survey *survey = stretches_survey(large->stretches);
    struct store_document document = {.collection = run->collection,
                                      .path = large->path,
                                      .format = survey->format,
                                      .hash = survey->hash,
                                      .size = survey->size,
                                      .modified = survey->modified,
                                      .metadata = large->metadata};
    rag_status status = index_need_recipe(run->index, &run->chunker, error);
    return status ? status
                  : store_grow_begin(run->index->store, &document, large->count,
                                     &large->growing, error);
}

static rag_status put(struct large *large, rag_error *error)
{
    struct stretch *stretch;
    rag_status status = begin(large, error);
    stretches_rewind(large->stretches);
    while (!status && !(status = cut(large, &stretch, error)) && stretch)
        status = put_stretch(large, stretch, error);
    release_parts(large->run); /* of a failure */
    return status ? status : store_grow_finish(large->growing, error);
}

static void report(const struct large *large, bool update, const rag_add_report *before)
{
    rag_add_report *now = large->run->report;
    rag_change change = {.kind = update ? RAG_UPDATED : RAG_ADDED,
                         .path = large->path,
                         .reason = update ? "its content has changed" : "it is new",
                         .chunks = large->count,
                         .chunks_embedded = now->chunks_embedded - before->chunks_embedded,
                         .tokens = now->tokens - before->tokens};
    *(update ? &now->updated : &now->added) += 1;
    now->chunks += large->count;
    run_tell(large->run, &change);
}

rag_status large_put(struct run *run, struct stretches *stretches, const char *path,
                     const char *metadata, bool update, rag_error *error)
{
    struct large large = {.run = run,
                          .stretches = stretches,
                          .path = path,
                          .tokenizer = run->index->model->tokenizer};
    const rag_add_report before = *run->report;
    uint64_t done = run->bytes_done;
    rag_status status = RAG_OK;
    if (metadata && !(large.metadata = strdup(metadata)))
        status = fail_memory(error);
    if (!status)
        status = survey(&large, error);
    if (!status && !run->dry)
        status = put(&large, error);
    run->bytes_done = done;
    if (!status) {
        run->bytes_done += stretches_survey(stretches)->text_size;
        report(&large, update, &before);
    }
    store_grow_free(large.growing);
    chunk_list_release(&large.chunks);
    free(large.metadata);
    return status;
}
