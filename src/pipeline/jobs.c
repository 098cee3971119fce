#include "pipeline/jobs.h"
#include "base/memory.h"

#include <string.h>

void job_release(struct job *job)
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

void run_progress(struct run *run, uint64_t done)
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
    run_progress(run, run->bytes_done +
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
        .metadata = job->metadata,
    };
    rag_status status = store_put(run->index->store, &document, chunks, count, error);
    free(chunks);
    if (status)
        return status;
    *(job->update ? &run->report->updated : &run->report->added) += 1;
    run->report->chunks += count;
    return RAG_OK;
}

rag_status run_flush(struct run *run, rag_error *error)
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
        run_progress(run, run->bytes_done);
    return status;
}

/* ---- Vectors that are known ---- */

static rag_status find_vector(struct run *run, struct job *job, size_t i, rag_error *error)
{
    bool found = false;
    size_t dimension = run->index->recipe.dimension;
    rag_status status = store_find_vector(run->index->store, &job->chunk_hashes[i],
                                          job->vectors + i * dimension, &found, error);
    if (!status && !found) {
        job->missing[i] = true;
        job->missing_count++;
        job->missing_tokens += job->chunks.chunks[i].tokens;
    }
    return status;
}

rag_status job_fill_vectors(struct run *run, struct job *job, const float *given,
                            rag_error *error)
{
    size_t row = run->index->recipe.dimension * sizeof(float), count = job->chunks.count;
    job->chunk_hashes = alloc_array(count, sizeof *job->chunk_hashes);
    job->vectors = alloc_array(count, row);
    job->missing = alloc_zeroed(count, sizeof *job->missing);
    if (!job->chunk_hashes || !job->vectors || !job->missing)
        return fail_memory(error);
    if (given)
        memcpy(job->vectors, given, count * row);
    rag_status status = RAG_OK;
    struct buf context = BUF_INIT((size_t)TOKENIZER_MAX_TEXT);
    for (size_t i = 0; !status && i < count; i++) {
        buf_clear(&context);
        if (!chunk_context(job->chunks.chunks[i].heading, chunk_text(job, i), &context)) {
            status = fail_memory(error);
            break;
        }
        status = hash_bytes(context.data, context.size, &job->chunk_hashes[i], error);
        if (!status && !given)
            status = find_vector(run, job, i, error);
    }
    buf_release(&context);
    return status;
}

/* ---- The whole ---- */

rag_status run_push(struct run *run, struct job *job, rag_error *error)
{
    if (!array_reserve(&run->jobs, &run->capacity, run->count + 1, sizeof *run->jobs))
        return fail_memory(error);
    run->pending_tokens += job->missing_tokens;
    run->pending_bytes += job->size;
    run->jobs[run->count++] = *job;
    *job = (struct job){0};
    return RAG_OK;
}

bool run_is_full(const struct run *run)
{
    return run->pending_tokens >= GATHER_TOKENS || run->pending_bytes >= GATHER_BYTES;
}

rag_status run_fail_stopped(rag_error *error)
{
    return fail_with(
        error, RAG_INTERRUPTED,
        "stopped; what was indexed is safe, and the same command goes on from here");
}

void run_release(struct run *run)
{
    for (size_t j = 0; j < run->count; j++)
        job_release(&run->jobs[j]);
    free(run->jobs);
    *run = (struct run){0};
}

rag_status run_resolve(struct run *run, rag_error *error)
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
