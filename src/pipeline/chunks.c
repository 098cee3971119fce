/* chunks.c - files and folders as a stream of chunks. */
#include "documents/chunker.h"
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

static rag_status hand_over(const struct document *document, const struct chunk_list *list,
                            rag_chunk_fn on_chunk, void *user, rag_error *error)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct chunk *chunk = &list->chunks[i];
        rag_chunk public_chunk = {
            .document = document->path,
            .heading = chunk->heading,
            .number = i,
            .begin = chunk->begin,
            .end = chunk->end,
            .line = chunk->line,
            .last_line = chunk->last_line,
            .tokens = chunk->tokens,
            .text = {document->text.data + chunk->begin, chunk->end - chunk->begin},
            .header = {document->text.data + chunk->header_begin,
                       chunk->header_end - chunk->header_begin},
            .place = chunk->place ? chunk->place : "",
        };
        if (on_chunk(&public_chunk, user))
            return fail_with(error, RAG_INTERRUPTED, "stopped at %s, chunk %zu", document->path,
                             i);
    }
    return RAG_OK;
}

rag_status rag_chunk_paths(const rag_tokenizer *tokenizer, const char *const *paths,
                           size_t count, const rag_chunk_options *options,
                           rag_chunk_fn on_chunk, void *user, size_t *skipped, rag_error *error)
{
    static const rag_chunk_options defaults = RAG_CHUNK_OPTIONS_INIT;
    if (!options)
        options = &defaults;
    struct events events = {options->on_event, options->user};
    struct file_list files = {0};
    struct chunk_list chunks = {0};
    size_t skips = 0;
    struct chunker_options chunker;
    rag_status status = CHECK_OPTIONS(options, error);
    if (!status)
        status = resolve_chunker(options->chunker, options->max_tokens, options->overlap,
                                 options->context, 0, &chunker, error);
    if (!status)
        status = walk_paths(paths, count, &events, &files, &skips, error);
    for (size_t i = 0; !status && i < files.count; i++) {
        if (event_progress(&events, "chunking", "files", i, files.count, files.paths[i])) {
            status = fail_with(error, RAG_INTERRUPTED, "stopped before %s", files.paths[i]);
            break;
        }
        struct document document = {0};
        rag_error trouble;
        rag_status read = document_read(files.paths[i], &document, &trouble);
        if (!read)
            read = chunk_document(&document, tokenizer->tokenizer, &chunker, &chunks, &trouble);
        if (!read) {
            unread_tell(&document, &events, NULL, NULL);
            status = hand_over(&document, &chunks, on_chunk, user, error);
        } else if (read == RAG_INPUT) {
            event_warning(&events, "skipped: %s", trouble.message);
            skips++;
        } else {
            status = fail_with(error, read, "%s", trouble.message);
        }
        document_release(&document);
    }
    if (skipped)
        *skipped = skips;
    file_list_release(&files);
    chunk_list_release(&chunks);
    return status;
}
