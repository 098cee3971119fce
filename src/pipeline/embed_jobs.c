/* Embedding what has been gathered. */
#include "base/clock.h"
#include "base/memory.h"
#include "pipeline/jobs.h"

#include <string.h>

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
    struct embedded *places; /* where each goes */
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
    free(slice->places);
    free(slice->contexts);
}

static bool slice_push(struct slice *slice, const struct run *run, const struct job *job,
                       size_t i, struct embedded place)
{
    size_t needed = slice->count + 1, capacity = slice->capacity;
    if (!array_reserve(&slice->texts, &capacity, needed, sizeof *slice->texts))
        return false;
    capacity = slice->capacity;
    if (!array_reserve(&slice->places, &capacity, needed, sizeof *slice->places))
        return false;
    capacity = slice->capacity;
    if (!array_reserve(&slice->contexts, &capacity, needed, sizeof *slice->contexts))
        return false;
    slice->capacity = capacity;
    struct buf context = BUF_INIT((size_t)TOKENIZER_MAX_TEXT);
    if (!job_context(run, job, i, &context)) {
        buf_release(&context);
        return false;
    }
    slice->contexts[slice->count] = context;
    slice->texts[slice->count] = (rag_text){context.data, context.size};
    slice->places[slice->count++] = place;
    slice->tokens += job->chunks.chunks[i].tokens;
    return true;
}

static rag_status keep_weights(const rag_embedding *item, struct packed_weights *out,
                               rag_error *error)
{
    struct token_weights weights = {item->sparse_ids, item->sparse_weights, item->sparse_count};
    out->data = token_weights_pack(&weights, &out->size);
    return out->data ? RAG_OK : fail_memory(error);
}

static rag_status embed_slice(struct run *run, struct slice *slice, struct relay *relay,
                              rag_error *error)
{
    if (!slice->count)
        return RAG_OK;
    struct events events = {relay_progress, relay};
    rag_embeddings *embeddings;
    rag_status status =
        embed_texts(run->index->model, slice->texts, slice->count, RAG_PASSAGE,
                    index_gives_weights(run->index) ? RAG_DENSE | RAG_SPARSE : RAG_DENSE,
                    &events, &embeddings, error);
    if (status)
        return status;
    for (size_t i = 0; i < slice->count && !status; i++) {
        const rag_embedding *item = rag_embeddings_get(embeddings, i);
        memcpy(slice->places[i].vector, item->dense, item->dimension * sizeof(float));
        if (slice->places[i].weights)
            status = keep_weights(item, slice->places[i].weights, error);
        run->report->tokens += item->tokens;
        run->report->chunks_embedded++;
    }
    relay->tokens_before += slice->tokens;
    rag_embeddings_free(embeddings);
    slice_clear(slice);
    return status;
}

static rag_status copy_embedded(const struct embedded_copy *copy, size_t dimension,
                                rag_error *error)
{
    memcpy(copy->to.vector, copy->from.vector, dimension * sizeof(float));
    if (!copy->to.weights)
        return RAG_OK;
    const struct packed_weights *from = copy->from.weights;
    copy->to.weights->data = alloc_array(from->size, 1);
    if (!copy->to.weights->data)
        return fail_memory(error);
    memcpy(copy->to.weights->data, from->data, from->size);
    copy->to.weights->size = from->size;
    return RAG_OK;
}

rag_status run_embed(struct run *run, rag_error *error)
{
    rag_status status = RAG_OK;
    size_t dimension = run->index->recipe.dimension;
    struct slice slice = {0};
    struct relay relay = {.run = run, .tokens_total = run->pending_tokens};
    double start = clock_seconds();
    for (size_t j = 0; !status && j < run->count; j++) {
        struct job *job = &run->jobs[j];
        run->file = job->document.path;
        for (size_t i = 0; !status && i < job->chunks.count; i++) {
            if (!job->missing[i])
                continue;
            if (!slice_push(&slice, run, job, i, job_place(job, i, dimension)))
                status = fail_memory(error);
            else if (slice.tokens >= GATHER_TOKENS)
                status = embed_slice(run, &slice, &relay, error);
        }
    }
    if (!status)
        status = embed_slice(run, &slice, &relay, error);
    for (size_t i = 0; !status && i < run->copy_count; i++)
        status = copy_embedded(&run->copies[i], dimension, error);
    run->embed_seconds += clock_seconds() - start;
    slice_release(&slice);
    return status;
}
