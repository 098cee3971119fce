#include "pipeline/source.h"
#include "base/memory.h"
#include "text/utf8.h"

#include <string.h>

static const char *format_of(const rag_source *source)
{
    return source->format ? source->format : "text";
}

/* ---- Lines ---- */

/* Where the lines of a text end. */
struct line_ends {
    size_t *at; /* of each newline */
    size_t count, capacity;
};

static rag_status line_ends_read(rag_text text, struct line_ends *out, rag_error *error)
{
    *out = (struct line_ends){0};
    for (size_t i = 0; i < text.size; i++) {
        const char *newline = memchr(text.data + i, '\n', text.size - i);
        if (!newline)
            break;
        i = (size_t)(newline - text.data);
        if (!array_reserve(&out->at, &out->capacity, out->count + 1, sizeof *out->at)) {
            free(out->at);
            return fail_memory(error);
        }
        out->at[out->count++] = i;
    }
    return RAG_OK;
}

/* The line, from 1, of the byte at `offset`. */
static uint32_t line_at(const struct line_ends *ends, size_t offset)
{
    size_t low = 0, high = ends->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ends->at[middle] < offset)
            low = middle + 1;
        else
            high = middle;
    }
    return (uint32_t)low + 1;
}

static void place(const rag_chunk *chunk, const struct line_ends *ends, uint32_t *line,
                  uint32_t *last_line)
{
    *line = chunk->line;
    *last_line = chunk->last_line;
    if (chunk->line)
        return;
    size_t last = (size_t)(chunk->end > chunk->begin ? chunk->end - 1 : chunk->begin);
    *line = line_at(ends, (size_t)chunk->begin);
    *last_line = line_at(ends, last);
}

/* ---- Checking ---- */

static rag_status check_name(const char *name, rag_error *error)
{
    size_t size = name ? strnlen(name, SOURCE_MAX_NAME + 1) : 0;
    if (!size)
        return fail_with(error, RAG_INPUT, "its name is empty");
    if (size > SOURCE_MAX_NAME)
        return fail_with(error, RAG_INPUT, "its name has more than %d bytes", SOURCE_MAX_NAME);
    if (utf8_valid_prefix(name, size) != size)
        return fail_with(error, RAG_INPUT, "its name is not UTF-8");
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)name[i] < ' ' || name[i] == 0x7f)
            return fail_with(error, RAG_INPUT, "its name has a control character at byte %zu",
                             i);
    return RAG_OK;
}

bool source_is_file(const rag_source *source)
{
    return strcmp(format_of(source), "file") == 0;
}

static rag_status check_text(rag_text text, bool file, rag_error *error)
{
    if (text.size > STORE_MAX_TEXT)
        return fail_with(error, RAG_INPUT,
                         "%zu bytes of text; a document holds at most %d, split it", text.size,
                         STORE_MAX_TEXT);
    if (text.size && !text.data)
        return fail_with(error, RAG_INPUT, "its text is a NULL pointer");
    size_t valid = file ? text.size : utf8_valid_prefix(text.data, text.size);
    if (valid != text.size)
        return fail_with(error, RAG_INPUT, "byte %zu of its text is not UTF-8", valid);
    return RAG_OK;
}

static rag_status check_chunk(const rag_chunk *chunk, rag_text text,
                              const struct line_ends *ends, rag_error *error)
{
    size_t heading = chunk->heading ? strnlen(chunk->heading, SOURCE_MAX_HEADING + 1) : 0;
    if (chunk->begin > chunk->end || chunk->end > text.size)
        return fail_with(
            error, RAG_INPUT, "bytes %llu to %llu do not lie within the %zu bytes of the text",
            (unsigned long long)chunk->begin, (unsigned long long)chunk->end, text.size);
    if (utf8_floor(text.data, text.size, (size_t)chunk->begin) != chunk->begin ||
        utf8_floor(text.data, text.size, (size_t)chunk->end) != chunk->end)
        return fail_with(error, RAG_INPUT, "bytes %llu to %llu cut a character in two",
                         (unsigned long long)chunk->begin, (unsigned long long)chunk->end);
    if (chunk->line && (chunk->last_line < chunk->line || chunk->last_line > ends->count + 1))
        return fail_with(error, RAG_INPUT,
                         "lines %u to %u do not lie within the %zu lines of the text",
                         chunk->line, chunk->last_line, ends->count + 1);
    if (heading > SOURCE_MAX_HEADING)
        return fail_with(error, RAG_INPUT, "its heading has more than %d bytes",
                         SOURCE_MAX_HEADING);
    if (heading && utf8_valid_prefix(chunk->heading, heading) != heading)
        return fail_with(error, RAG_INPUT, "its heading is not UTF-8");
    return RAG_OK;
}

static rag_status check_chunks(const rag_source *source, size_t dimension, rag_error *error)
{
    struct line_ends ends;
    rag_status status = line_ends_read(source->text, &ends, error);
    if (status)
        return status;
    for (size_t i = 0; !status && i < source->chunk_count; i++) {
        status = check_chunk(&source->chunks[i], source->text, &ends, error);
        if (!status && source->vectors &&
            !vector_is_unit(source->vectors + i * dimension, dimension))
            status = fail_with(error, RAG_INPUT, "its vector must be finite and of norm 1");
        if (status)
            status = fail_within(error, status, "chunk %zu", i);
    }
    free(ends.at);
    return status;
}

static rag_status check_parts(const rag_source *source, bool external, rag_error *error)
{
    if (strcmp(format_of(source), "text") != 0 && strcmp(format_of(source), "markdown") != 0 &&
        !source_is_file(source))
        return fail_with(
            error, RAG_INPUT,
            "there is no format \"%.40s\"; it is \"text\", \"markdown\" or \"file\"",
            source->format);
    if (source_is_file(source) && (source->chunks || external))
        return fail_with(error, RAG_INPUT, "a file's chunks are cut by the index");
    if (!source->chunks && (source->chunk_count || source->vectors))
        return fail_with(error, RAG_INPUT, "it has %s, but no chunks",
                         source->vectors ? "vectors" : "a number of chunks");
    if (external && !source->chunks && source->text.size)
        return fail_with(error, RAG_INPUT,
                         "the vectors of this index come from outside: give its chunks and "
                         "their vectors");
    if (external && source->chunk_count && !source->vectors)
        return fail_with(error, RAG_INPUT,
                         "the vectors of this index come from outside: give those of its "
                         "chunks");
    return RAG_OK;
}

rag_status source_check(const rag_source *source, size_t dimension, bool external,
                        rag_error *error)
{
    rag_status status = check_name(source->name, error);
    if (!status)
        status = check_text(source->text, source_is_file(source), error);
    if (!status && source->metadata)
        status = metadata_check(source->metadata, error);
    if (!status)
        status = check_parts(source, external, error);
    if (!status && source->chunks)
        status = check_chunks(source, dimension, error);
    return status;
}

/* ---- What it is made of ---- */

static void hash_number(struct hasher *hasher, uint64_t number)
{
    unsigned char bytes[8];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(number >> i * 8);
    hasher_update(hasher, bytes, sizeof bytes);
}

static void hash_text(struct hasher *hasher, const char *text, size_t size)
{
    hash_number(hasher, size);
    hasher_update(hasher, size ? text : "", size);
}

static void hash_vector(struct hasher *hasher, const float *vector, size_t dimension)
{
    for (size_t i = 0; i < dimension; i++) {
        uint32_t bits;
        memcpy(&bits, &vector[i], sizeof bits);
        hash_number(hasher, bits);
    }
}

rag_status source_hash(const rag_source *source, size_t dimension,
                       const struct read_options *options, struct hash *out, rag_error *error)
{
    static const char prefix[] = "rag: source 1";
    const char *metadata = source->metadata ? source->metadata : METADATA_NONE;
    struct hasher *hasher;
    rag_status status = hasher_new(&hasher, error);
    if (status)
        return status;
    hash_text(hasher, prefix, sizeof prefix - 1);
    hash_text(hasher, format_of(source), strlen(format_of(source)));
    hash_text(hasher, metadata, strlen(metadata));
    hash_text(hasher, source->text.data, source->text.size);
    hash_number(hasher, source->chunks ? source->chunk_count : UINT64_MAX);
    for (size_t i = 0; i < source->chunk_count; i++) {
        const rag_chunk *chunk = &source->chunks[i];
        const char *heading = chunk->heading ? chunk->heading : "";
        hash_number(hasher, chunk->begin);
        hash_number(hasher, chunk->end);
        hash_number(hasher, chunk->line);
        hash_number(hasher, chunk->line ? chunk->last_line : 0);
        hash_text(hasher, heading, strlen(heading));
        if (source->vectors)
            hash_vector(hasher, source->vectors + i * dimension, dimension);
    }
    hasher_finish(hasher, out);
    return source_is_file(source) ? read_options_mix(options, source->name, out, error)
                                  : RAG_OK;
}

/* ---- Reading ---- */

static rag_status count_tokens(const struct tokenizer *tokenizer, rag_text text, size_t *count,
                               rag_error *error)
{
    struct token_list tokens = {0};
    *count = 0;
    if (!tokenizer)
        return RAG_OK;
    rag_status status = tokenizer_encode(tokenizer, text, &tokens, error);
    *count = tokens.count;
    token_list_release(&tokens);
    return status;
}

static rag_status read_chunk(const rag_chunk *from, rag_text text, const struct line_ends *ends,
                             const struct tokenizer *tokenizer, struct chunk_list *list,
                             rag_error *error)
{
    if (!array_reserve(&list->chunks, &list->capacity, list->count + 1, sizeof *list->chunks))
        return fail_memory(error);
    struct chunk chunk = {.begin = (size_t)from->begin, .end = (size_t)from->end};
    place(from, ends, &chunk.line, &chunk.last_line);
    rag_status status =
        count_tokens(tokenizer, (rag_text){text.data + chunk.begin, chunk.end - chunk.begin},
                     &chunk.tokens, error);
    if (status)
        return status;
    chunk.heading = strdup(from->heading ? from->heading : "");
    if (!chunk.heading)
        return fail_memory(error);
    list->chunks[list->count++] = chunk;
    return RAG_OK;
}

static rag_status read_chunks(const rag_source *source, const struct tokenizer *tokenizer,
                              struct job *job, rag_error *error)
{
    struct line_ends ends;
    rag_text text = {job->document.text.data, job->document.text.size};
    rag_status status = line_ends_read(text, &ends, error);
    if (status)
        return status;
    for (size_t i = 0; !status && i < source->chunk_count; i++)
        status = read_chunk(&source->chunks[i], text, &ends, tokenizer, &job->chunks, error);
    free(ends.at);
    return status;
}

rag_status source_read(const rag_source *source, const struct tokenizer *tokenizer,
                       const struct chunker_options *chunker,
                       const struct read_options *options, struct job *job, rag_error *error)
{
    rag_status status = source_is_file(source)
                            ? document_parse(source->name, source->text.data, source->text.size,
                                             options, &job->document, error)
                            : document_of_text(source->name, format_of(source), source->text,
                                               &job->document, error);
    if (status)
        return status;
    if (!source->chunks && tokenizer)
        return chunk_document(&job->document, tokenizer, chunker, &job->chunks, error);
    return read_chunks(source, tokenizer, job, error);
}
