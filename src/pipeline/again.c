#include "pipeline/again.h"
#include "base/file.h"
#include "pipeline/large.h"

#include <stdlib.h>
#include <string.h>

struct again {
    struct run *run;
    struct store *source;
};

static bool has_text(const struct document *document, const struct stored_document *stored)
{
    return document->text.size == stored->text_size &&
           (!stored->text_size ||
            memcmp(document->text.data, stored->text, stored->text_size) == 0);
}

/* From the file, if it is there with the bytes that the document was made from. */
static bool read_file_again(const struct store_content *content,
                            const struct stored_document *stored, struct document *out)
{
    struct buf bytes = BUF_INIT((size_t)DOCUMENT_MAX_BYTES);
    struct read_options options;
    bool same = false;
    if (*stored->path == '/' && file_read(stored->path, &bytes, NULL) == RAG_OK &&
        read_options_find(stored->path, bytes.data, bytes.size, &content->hash, &options, &same,
                          NULL) == RAG_OK &&
        same)
        same =
            document_parse(stored->path, bytes.data, bytes.size, &options, out, NULL) == RAG_OK;
    buf_release(&bytes);
    if (same && has_text(out, stored))
        return true;
    document_release(out);
    *out = (struct document){0};
    return false;
}

/* Whether the stored text is all that its reader needs. */
static bool is_readable(const char *format)
{
    return strcmp(format, "text") == 0 || strcmp(format, "markdown") == 0;
}

/* The structure of a format that is no text of its own, such as PDF, is not in the index: it is
 * read from the file again, and without that the text is cut as plain text. */
static rag_status read_document(const struct store_content *content,
                                struct stored_document *stored, struct job *job,
                                rag_error *error)
{
    rag_text text = {stored->text, stored->text_size};
    rag_status status = RAG_OK;
    bool readable = is_readable(stored->format);
    if (readable || !read_file_again(content, stored, &job->document))
        status = document_of_text(stored->path, readable ? stored->format : "text", text,
                                  &job->document, error);
    if (!status && !has_text(&job->document, stored))
        status =
            fail_with(error, RAG_INTERNAL, "%s: its text is read as another one", stored->path);
    job->document.format = job->kept_format = stored->format;
    stored->format = NULL;
    return status;
}

static rag_status make_job(const struct again *again, const struct store_content *content,
                           struct stored_document *stored, struct job *job, rag_error *error)
{
    rag_status status = read_document(content, stored, job, error);
    if (!status)
        status = chunk_document(&job->document, again->run->index->model->tokenizer,
                                &again->run->chunker, &job->chunks, error);
    if (!status)
        status = job_fill_vectors(again->run, job, NULL, error);
    job->hash = content->hash;
    job->size = content->size;
    job->modified = content->modified;
    job->metadata = stored->metadata;
    stored->metadata = NULL;
    return status;
}

/* A text that is too large for memory, as it lies in the index. */
struct stored_text {
    struct store *store;
    const struct store_content *content;
};

static rag_status read_stored(void *user, uint64_t offset, char *to, size_t size,
                              rag_error *error)
{
    const struct stored_text *stored = user;
    char *text;
    rag_status status =
        store_get_text(stored->store, stored->content->collection, stored->content->path,
                       offset, offset + size, &text, error);
    if (!status)
        memcpy(to, text, size);
    free(text);
    return status;
}

/* Whether a document is to be cut in stretches, as rag_index_add does with its file. */
static bool is_large(const struct again *again, const struct store_content *content,
                     const struct stored_document *stored)
{
    return again->run->chunker.chunker == RAG_CHUNKER_STRUCTURE &&
           stretches_suit(content->text_size) && is_readable(stored->format);
}

static rag_status put_large(const struct again *again, const struct store_content *content,
                            const struct stored_document *document, rag_error *error)
{
    struct stored_text stored = {again->source, content};
    struct stretch_source source = {read_stored, &stored};
    struct survey survey = {.hash = content->hash,
                            .size = content->size,
                            .text_size = content->text_size,
                            .modified = content->modified,
                            .format = document->format};
    struct stretches *stretches = NULL;
    rag_status status = run_flush(again->run, error);
    if (!status)
        status = stretches_open_source(content->path, &survey, &source, &stretches, error);
    if (!status)
        status =
            large_put(again->run, stretches, content->path, document->metadata, false, error);
    stretches_close(stretches);
    return status;
}

static rag_status put_whole(const struct again *again, const struct store_content *content,
                            rag_error *error)
{
    struct stored_document stored;
    struct job job = {0};
    rag_status status = store_get_document(again->source, content->collection, content->path,
                                           true, &stored, error);
    if (!status)
        status = make_job(again, content, &stored, &job, error);
    if (!status)
        status = run_push(again->run, &job, error);
    job_release(&job);
    stored_document_release(&stored);
    return status;
}

rag_status again_take(struct run *run, struct store *source,
                      const struct store_content *content, rag_error *error)
{
    const struct again again = {run, source};
    struct stored_document stored;
    rag_error trouble;
    rag_status status = store_get_document(source, content->collection, content->path, false,
                                           &stored, &trouble);
    if (!status)
        status = is_large(&again, content, &stored)
                     ? put_large(&again, content, &stored, &trouble)
                     : put_whole(&again, content, &trouble);
    stored_document_release(&stored);
    return !status || status == RAG_NOT_FOUND ? RAG_OK
                                              : fail_with(error, status, "%s", trouble.message);
}
