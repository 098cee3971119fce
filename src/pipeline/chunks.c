/* chunks.c - files and folders as a stream of chunks. */
#include "documents/chunker.h"
#include "documents/stretches.h"
#include "documents/walk.h"
#include "pipeline/pipeline.h"
#include "pipeline/unread.h"

rag_status resolve_chunker(rag_chunker chunker, size_t max_tokens, size_t overlap,
                           rag_context context, size_t model_tokens,
                           struct chunker_options *out, rag_error *error)
{
    if (context == RAG_CONTEXT_AUTO)
        context = RAG_CONTEXT_HEADING;
    if (chunker == RAG_CHUNKER_AUTO)
        chunker = RAG_CHUNKER_STRUCTURE;
    if (max_tokens == RAG_AUTO) {
        max_tokens = CHUNK_DEFAULT_TOKENS;
        if (model_tokens && model_tokens < max_tokens)
            max_tokens = model_tokens;
    }
    if (max_tokens == 0)
        return fail_with(error, RAG_USAGE, "chunks of 0 tokens: --max-tokens takes 1 or more");
    if (overlap == RAG_AUTO)
        overlap = chunker == RAG_CHUNKER_WINDOW ? max_tokens / 4 : 0;
    if (overlap >= max_tokens)
        return fail_with(error, RAG_USAGE,
                         "an overlap of %zu tokens leaves nothing of chunks of %zu; give a "
                         "smaller --overlap",
                         overlap, max_tokens);
    *out = (struct chunker_options){chunker, max_tokens, overlap, context};
    return RAG_OK;
}

/* One call of rag_chunk_paths. */
struct chunking {
    const struct tokenizer *tokenizer;
    struct chunker_options chunker;
    struct read_options read;
    struct events events;
    rag_chunk_fn on_chunk;
    void *user;
    struct chunk_list chunks;
};

/* number: of the list's first chunk. */
static rag_status hand_over(struct chunking *chunking, const struct stretch *stretch,
                            size_t number, rag_error *error)
{
    const struct document *document = &stretch->document;
    for (size_t i = 0; i < chunking->chunks.count; i++) {
        const struct chunk *chunk = &chunking->chunks.chunks[i];
        rag_chunk public_chunk = {
            .document = document->path,
            .heading = chunk->heading,
            .number = number + i,
            .begin = stretch->begin + chunk->begin,
            .end = stretch->begin + chunk->end,
            .line = stretch->line - 1 + chunk->line,
            .last_line = stretch->line - 1 + chunk->last_line,
            .tokens = chunk->tokens,
            .text = {document->text.data + chunk->begin, chunk->end - chunk->begin},
            .header = {document->text.data + chunk->header_begin,
                       chunk->header_end - chunk->header_begin},
            .place = chunk->place ? chunk->place : "",
        };
        if (chunking->on_chunk(&public_chunk, chunking->user))
            return fail_with(error, RAG_INTERRUPTED, "stopped at %s, chunk %zu", document->path,
                             number + i);
    }
    return RAG_OK;
}

static rag_status chunk_stretch(struct chunking *chunking, const struct stretch *stretch,
                                size_t number, rag_error *error)
{
    rag_status status = chunk_document(&stretch->document, chunking->tokenizer,
                                       &chunking->chunker, &chunking->chunks, error);
    if (status)
        return status;
    unread_tell(&stretch->document, &chunking->events, NULL, NULL);
    return hand_over(chunking, stretch, number, error);
}

static rag_status chunk_stretches(struct chunking *chunking, struct stretches *stretches,
                                  rag_error *error)
{
    struct stretch *stretch;
    size_t number = 0;
    rag_status status;
    while (!(status = stretches_next(stretches, &stretch, error)) && stretch) {
        status = chunk_stretch(chunking, stretch, number, error);
        if (status)
            break;
        number += chunking->chunks.count;
    }
    return status;
}

/* RAG_INPUT: the file is to be skipped. */
static rag_status chunk_file(struct chunking *chunking, const char *path, rag_error *error)
{
    struct stretches *stretches = NULL;
    rag_status status = RAG_OK;
    if (chunking->chunker.chunker == RAG_CHUNKER_STRUCTURE)
        status = stretches_open(path, &stretches, error);
    if (!status && stretches) {
        status = chunk_stretches(chunking, stretches, error);
        stretches_close(stretches);
    } else if (!status) {
        struct stretch whole = {.line = 1};
        status = document_read(path, &chunking->read, &whole.document, error);
        if (!status)
            status = chunk_stretch(chunking, &whole, 0, error);
        document_release(&whole.document);
    }
    return status;
}

rag_status rag_chunk_paths(const rag_tokenizer *tokenizer, const char *const *paths,
                           size_t count, const rag_chunk_options *options,
                           rag_chunk_fn on_chunk, void *user, size_t *skipped, rag_error *error)
{
    static const rag_chunk_options defaults = RAG_CHUNK_OPTIONS_INIT;
    if (!options)
        options = &defaults;
    struct chunking chunking = {.tokenizer = tokenizer->tokenizer,
                                .events = {options->on_event, options->user},
                                .on_chunk = on_chunk,
                                .user = user};
    struct events *events = &chunking.events;
    struct file_list files = {0};
    size_t skips = 0;
    rag_status status = CHECK_OPTIONS(options, error);
    if (!status)
        status = resolve_chunker(options->chunker, options->max_tokens, options->overlap,
                                 options->context, 0, &chunking.chunker, error);
    if (!status)
        status = read_options_make(options->ocr, options->notebook_outputs != 0, &chunking.read,
                                   error);
    if (!status)
        status = walk_paths(paths, count, events, &files, &skips, error);
    for (size_t i = 0; !status && i < files.count; i++) {
        if (event_progress(events, "chunking", "files", i, files.count, files.paths[i])) {
            status = fail_with(error, RAG_INTERRUPTED, "stopped before %s", files.paths[i]);
            break;
        }
        rag_error trouble;
        rag_status read = chunk_file(&chunking, files.paths[i], &trouble);
        if (read == RAG_INPUT) {
            event_warning(events, "skipped: %s", trouble.message);
            skips++;
        } else if (read) {
            status = fail_with(error, read, "%s", trouble.message);
        }
    }
    if (skipped)
        *skipped = skips;
    file_list_release(&files);
    chunk_list_release(&chunking.chunks);
    return status;
}
