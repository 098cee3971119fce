#include "pipeline/jobs.h"
#include "base/memory.h"
#include "documents/context.h"
#include "pipeline/unread.h"

#include <string.h>

void job_release(struct job *job)
{
    document_release(&job->document);
    free(job->kept_format);
    free(job->chunk_hashes);
    free(job->vectors);
    for (size_t i = 0; job->weights && i < job->chunks.count; i++)
        free(job->weights[i].data);
    free(job->weights);
    free(job->missing);
    free(job->metadata);
    chunk_list_release(&job->chunks);
    *job = (struct job){0};
}

bool chunk_context(const struct chunker_options *chunker, const char *document,
                   const char *heading, rag_text header, rag_text text, struct buf *out)
{
    return context_append(chunker->context, chunker->max_tokens, document, heading, header,
                          out) &&
           buf_append(out, text.data, text.size);
}

bool job_context(const struct run *run, const struct job *job, size_t i, struct buf *out)
{
    const struct chunk *chunk = &job->chunks.chunks[i];
    const char *data = job->document.text.data;
    rag_text header = {data + chunk->header_begin, chunk->header_end - chunk->header_begin};
    rag_text text = {data + chunk->begin, chunk->end - chunk->begin};
    return chunk_context(&run->chunker, document_name(&job->document), chunk->heading, header,
                         text, out);
}

void run_progress(struct run *run, uint64_t done)
{
    if (event_progress(run->events, run->stage ? run->stage : "indexing", "bytes", done,
                       run->bytes_total, run->file))
        run->stop = true;
}

void run_tell(const struct run *run, const rag_change *change)
{
    if (run->on_change)
        run->on_change(change, run->user);
}

/* ---- Writing ---- */

struct store_chunk store_chunk_of(const struct chunk *chunk)
{
    return (struct store_chunk){.begin = chunk->begin,
                                .end = chunk->end,
                                .line = chunk->line,
                                .last_line = chunk->last_line,
                                .tokens = chunk->tokens,
                                .heading = chunk->heading,
                                .header_begin = chunk->header_begin,
                                .header_end = chunk->header_end,
                                .place = chunk->place};
}

struct store_chunk job_store_chunk(const struct job *job, size_t i, size_t dimension)
{
    struct store_chunk out = store_chunk_of(&job->chunks.chunks[i]);
    out.hash = job->chunk_hashes[i];
    out.vector = job->vectors + i * dimension;
    if (job->weights)
        out.weights = (rag_text){job->weights[i].data, job->weights[i].size};
    return out;
}

static struct store_chunk *store_chunks(const struct job *job, size_t dimension)
{
    size_t count = job->chunks.count;
    struct store_chunk *chunks = alloc_array(count, sizeof *chunks);
    for (size_t i = 0; chunks && i < count; i++)
        chunks[i] = job_store_chunk(job, i, dimension);
    return chunks;
}

static struct store_document store_document(const struct run *run, const struct job *job)
{
    return (struct store_document){
        .collection = run->collection,
        .path = job->document.path,
        .format = job->document.format,
        .hash = job->hash,
        .size = job->size,
        .modified = job->modified,
        .text = {job->document.text.data, job->document.text.size},
        .metadata = job->metadata,
    };
}

static rag_status write_jobs(struct run *run, rag_error *error)
{
    struct store_entry *entries = alloc_zeroed(run->count, sizeof *entries);
    rag_status status = entries ? RAG_OK : fail_memory(error);
    for (size_t j = 0; !status && j < run->count; j++) {
        const struct job *job = &run->jobs[j];
        struct store_chunk *chunks = store_chunks(job, run->index->recipe.dimension);
        entries[j] = (struct store_entry){store_document(run, job), chunks, job->chunks.count};
        if (!chunks)
            status = fail_memory(error);
    }
    if (!status && run->count)
        status = store_put_all(run->index->store, entries, run->count, error);
    for (size_t j = 0; entries && j < run->count; j++)
        free((void *)(uintptr_t)entries[j].chunks);
    free(entries);
    return status;
}

static const char *reason_of(const struct run *run, const struct job *job)
{
    if (!job->update)
        return "it is new";
    return read_options_matter(&run->read, job->document.path)
               ? "its content, or how it is read, has changed"
               : "its content has changed";
}

static void report_job(struct run *run, const struct job *job)
{
    rag_change change = {.kind = job->update ? RAG_UPDATED : RAG_ADDED,
                         .path = job->document.path,
                         .reason = reason_of(run, job),
                         .chunks = job->chunks.count,
                         .chunks_embedded = job->missing_count,
                         .tokens = job->missing_tokens};
    *(job->update ? &run->report->updated : &run->report->added) += 1;
    run->report->chunks += job->chunks.count;
    if (run->dry) {
        run->report->chunks_embedded += job->missing_count;
        run->report->tokens += job->missing_tokens;
    }
    run->report->warnings += job->document.warning_count;
    run->bytes_done += job->size;
    run_tell(run, &change);
    unread_tell(&job->document, run->events, run->on_change, run->user);
}

void run_forget(struct run *run)
{
    run->count = run->copy_count = 0;
    run->pending_tokens = run->pending_bytes = 0;
    if (!run->dry) /* it counts what is alike in the whole run */
        seen_clear(&run->seen);
}

static rag_status flush_jobs(struct run *run, rag_error *error)
{
    rag_status status = run->dry ? RAG_OK : run_embed(run, error);
    if (!status && !run->dry)
        status = write_jobs(run, error);
    for (size_t j = 0; j < run->count; j++) {
        if (!status)
            report_job(run, &run->jobs[j]);
        job_release(&run->jobs[j]);
    }
    run_forget(run);
    return status;
}

static rag_status flush_moves(struct run *run, rag_error *error)
{
    rag_status status = RAG_OK;
    if (!run->dry && run->move_count)
        status =
            store_move(run->index->store, run->collection, run->moves, run->move_count, error);
    for (size_t i = 0; !status && i < run->move_count; i++) {
        const struct store_move *move = &run->moves[i];
        rag_change change = {.kind = RAG_RENAMED,
                             .path = move->to,
                             .from = move->from,
                             .reason = "its content is that of the file that has gone"};
        if (move->done || run->dry) {
            run->report->renamed++;
            run_tell(run, &change);
        } else if (!file_list_add(&run->again, move->to)) {
            status = fail_memory(error);
        }
    }
    run->move_count = 0;
    return status;
}

static void labels_clear(struct run *run)
{
    for (size_t i = 0; i < run->label_count; i++)
        free((char *)(uintptr_t)run->labels[i].metadata);
    run->label_count = 0;
}

static rag_status flush_labels(struct run *run, rag_error *error)
{
    rag_status status = RAG_OK;
    if (!run->dry && run->label_count)
        status = store_set_metadata(run->index->store, run->collection, run->labels,
                                    run->label_count, error);
    for (size_t i = 0; !status && i < run->label_count; i++) {
        rag_change change = {.kind = RAG_UPDATED,
                             .path = run->labels[i].path,
                             .reason = "its metadata have changed"};
        run->report->updated++;
        run_tell(run, &change);
    }
    labels_clear(run);
    return status;
}

rag_status run_flush(struct run *run, rag_error *error)
{
    rag_status status = flush_jobs(run, error);
    if (!status)
        status = flush_moves(run, error);
    if (!status && !run->dry && run->stamp_count)
        status = store_touch(run->index->store, run->collection, run->stamps, run->stamp_count,
                             error);
    run->stamp_count = 0;
    if (!status)
        status = flush_labels(run, error);
    run->file = NULL; /* it was one of theirs */
    if (!status)
        run_progress(run, run->bytes_done);
    return status;
}

/* ---- Vectors and weights that are known ---- */

/* Of the vectors that the run makes or finds; a dry run may be without an index. */
static size_t run_dimension(const struct run *run)
{
    const rag_index *index = run->index;
    if (index->has_recipe)
        return index->recipe.dimension;
    return index_is_external(index) ? index->options.dimension : index->model->config.hidden;
}

struct embedded job_place(const struct job *job, size_t i, size_t dimension)
{
    return (struct embedded){job->vectors + i * dimension,
                             job->weights ? &job->weights[i] : NULL};
}

static rag_status note_copy(struct run *run, struct embedded to, struct embedded from,
                            rag_error *error)
{
    if (!array_reserve(&run->copies, &run->copy_capacity, run->copy_count + 1,
                       sizeof *run->copies))
        return fail_memory(error);
    run->copies[run->copy_count++] = (struct embedded_copy){to, from};
    return RAG_OK;
}

/* What the index has of a chunk. If it has only its vector, which an index has that was made
 * before there were weights in it, the chunk is embedded again. */
static rag_status find_known(struct store *store, const struct hash *hash,
                             struct embedded place, bool *found, rag_error *error)
{
    rag_status status = store_find_vector(store, hash, place.vector, found, error);
    if (status || !*found || !place.weights)
        return status;
    status = store_find_weights(store, hash, &place.weights->data, &place.weights->size, error);
    *found = place.weights->data != NULL;
    return status;
}

static rag_status find_vector(struct run *run, struct job *job, size_t i, rag_error *error)
{
    bool found = false;
    const struct hash *hash = &job->chunk_hashes[i];
    struct embedded place = job_place(job, i, run_dimension(run)), first;
    bool is_new = false;
    rag_status status = RAG_OK;
    if (run->index->has_recipe)
        status = find_known(run->index->store, hash, place, &found, error);
    if (!status && !found && run->same_model)
        status = find_known(run->same_model, hash, place, &found, error);
    if (!status && !found)
        status = seen_look(&run->seen, hash, place, &first, &is_new, error);
    if (status || found)
        return status;
    if (!is_new)
        return run->dry ? RAG_OK : note_copy(run, place, first, error);
    job->missing[i] = true;
    job->missing_count++;
    job->missing_tokens += job->chunks.chunks[i].tokens;
    return RAG_OK;
}

rag_status job_fill_vectors(struct run *run, struct job *job, const float *given,
                            rag_error *error)
{
    size_t row = run_dimension(run) * sizeof(float), count = job->chunks.count;
    job->chunk_hashes = alloc_array(count, sizeof *job->chunk_hashes);
    job->vectors = alloc_array(count, row);
    job->missing = alloc_zeroed(count, sizeof *job->missing);
    if (!given && index_gives_weights(run->index))
        job->weights = alloc_zeroed(count, sizeof *job->weights);
    if (!job->chunk_hashes || !job->vectors || !job->missing ||
        (!given && index_gives_weights(run->index) && !job->weights))
        return fail_memory(error);
    if (given)
        memcpy(job->vectors, given, count * row);
    rag_status status = RAG_OK;
    struct buf context = BUF_INIT((size_t)TOKENIZER_MAX_TEXT);
    for (size_t i = 0; !status && i < count; i++) {
        buf_clear(&context);
        if (!job_context(run, job, i, &context)) {
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

rag_status run_push_move(struct run *run, const struct store_move *move, rag_error *error)
{
    if (!array_reserve(&run->moves, &run->move_capacity, run->move_count + 1,
                       sizeof *run->moves))
        return fail_memory(error);
    run->moves[run->move_count++] = *move;
    return RAG_OK;
}

rag_status run_push_stamp(struct run *run, const struct store_stamp *stamp, rag_error *error)
{
    if (!array_reserve(&run->stamps, &run->stamp_capacity, run->stamp_count + 1,
                       sizeof *run->stamps))
        return fail_memory(error);
    run->stamps[run->stamp_count++] = *stamp;
    return RAG_OK;
}

rag_status run_push_label(struct run *run, const char *path, char *metadata, rag_error *error)
{
    if (!array_reserve(&run->labels, &run->label_capacity, run->label_count + 1,
                       sizeof *run->labels)) {
        free(metadata);
        return fail_memory(error);
    }
    run->labels[run->label_count++] = (struct store_label){path, metadata};
    return RAG_OK;
}

bool run_is_full(const struct run *run)
{
    return run->pending_tokens >= GATHER_TOKENS || run->pending_bytes >= GATHER_BYTES ||
           run->count + run->move_count + run->stamp_count + run->label_count >=
               GATHER_DOCUMENTS;
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
    free(run->moves);
    free(run->stamps);
    labels_clear(run);
    free(run->labels);
    free(run->copies);
    file_list_release(&run->again);
    seen_release(&run->seen);
    *run = (struct run){0};
}

rag_status passage_room(const rag_model *model, size_t *tokens, rag_error *error)
{
    struct token_list prefix = {0};
    const char *passage = model->config.passage_prefix;
    size_t specials = tokenizer_specials_before(model->tokenizer) +
                      tokenizer_specials_after(model->tokenizer);
    rag_status status = tokenizer_encode(model->tokenizer, (rag_text){passage, strlen(passage)},
                                         &prefix, error);
    if (!status)
        *tokens = model->config.max_tokens - specials - prefix.count;
    token_list_release(&prefix);
    return status;
}

rag_status run_resolve(struct run *run, rag_error *error)
{
    rag_index *index = run->index;
    if (index->has_recipe) {
        run->chunker = index_chunker(index);
        return RAG_OK;
    }
    size_t room = 0;
    rag_status status = index_need_model(index, error);
    if (!status)
        status = passage_room(index->model, &room, error);
    if (!status)
        status = resolve_chunker(index->options.chunker, index->options.max_tokens,
                                 index->options.overlap, index->options.context, room,
                                 &run->chunker, error);
    if (!status && run->chunker.max_tokens > index->model->config.max_tokens)
        event_note(run->events,
                   "%s takes %u tokens at once: chunks of up to %zu are embedded in windows "
                   "whose vectors are averaged",
                   index->model->name, index->model->config.max_tokens,
                   run->chunker.max_tokens);
    return status;
}
