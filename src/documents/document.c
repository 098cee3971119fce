/* From a file's bytes to a document: encoding, format, blocks. */
#include "documents/document.h"
#include "base/file.h"
#include "base/memory.h"
#include "documents/encoding.h"
#include "text/utf8.h"

#include <string.h>
#include <strings.h>

/* The first whose suffix fits reads the file; the last one takes any other. */
static const struct reader *const readers[] = {&markdown_reader, &plain_reader};

enum { READER_COUNT = sizeof readers / sizeof *readers };

static const struct reader *reader_of(const char *path)
{
    const char *suffix = strrchr(path_name(path), '.');
    for (size_t i = 0; suffix && i < READER_COUNT; i++)
        for (const char *const *s = readers[i]->suffixes; *s; s++)
            if (strcasecmp(suffix, *s) == 0)
                return readers[i];
    return NULL;
}

bool document_supported(const char *path)
{
    return reader_of(path) != NULL;
}

void document_release(struct document *document)
{
    free(document->path);
    free(document->blocks);
    buf_release(&document->text);
    *document = (struct document){0};
}

const char *document_name(const struct document *document)
{
    return path_name(document->path);
}

bool document_push(struct document *document, struct block block)
{
    if (!array_reserve(&document->blocks, &document->block_capacity, document->block_count + 1,
                       sizeof *document->blocks))
        return false;
    document->blocks[document->block_count++] = block;
    return true;
}

static void one_line(struct buf *out, size_t from)
{
    size_t to = from;
    for (size_t i = from; i < out->size; i++) {
        char c = out->data[i];
        if (c == '\n' || c == '\r' || c == '\t' || c == '\0')
            c = ' ';
        if (c == ' ' && (to == from || out->data[to - 1] == ' '))
            continue;
        out->data[to++] = c;
    }
    while (to > from && out->data[to - 1] == ' ')
        to--;
    if (to - from > DOCUMENT_MAX_TITLE)
        to = from + utf8_floor(out->data + from, to - from, DOCUMENT_MAX_TITLE);
    out->size = to;
    if (out->data)
        out->data[to] = 0;
}

bool document_title(const struct document *document, const struct block *heading,
                    struct buf *out)
{
    const char *name = document->text.data + heading->name_begin;
    size_t size = heading->name_end - heading->name_begin, before = out->size;
    if (!document->reader->title(name, size, out))
        return false;
    one_line(out, before);
    return true;
}

/* Finds the blocks of the text that is in `out`. */
static rag_status read_blocks(const char *name, const struct reader *reader,
                              struct document *out, rag_error *error)
{
    out->reader = reader ? reader : readers[READER_COUNT - 1];
    out->format = out->reader->format;
    out->path = strdup(name);
    if (!out->path || !buf_reserve(&out->text, 0))
        return fail_memory(error);
    return out->reader->read(out, error);
}

rag_status document_parse(const char *name, const void *bytes, size_t size,
                          struct document *out, rag_error *error)
{
    *out = (struct document){.text = BUF_INIT(DOCUMENT_MAX_BYTES)};
    const char *encoding;
    rag_status status = encoding_to_utf8(bytes, size, &out->text, &encoding, error);
    if (!status)
        status = read_blocks(name, reader_of(name), out, error);
    if (status) {
        status = fail_within(error, status, "%s", name);
        document_release(out);
    }
    return status;
}

rag_status document_of_text(const char *name, const char *format, rag_text text,
                            struct document *out, rag_error *error)
{
    *out = (struct document){.text = BUF_INIT(DOCUMENT_MAX_BYTES)};
    const struct reader *reader = NULL;
    for (size_t i = 0; i < READER_COUNT; i++)
        if (strcmp(readers[i]->format, format) == 0)
            reader = readers[i];
    if (!reader)
        return fail_with(error, RAG_INPUT,
                         "%s: there is no format \"%s\"; it is \"text\" or \"markdown\"", name,
                         format);
    rag_status status = buf_append(&out->text, text.data, text.size)
                            ? read_blocks(name, reader, out, error)
                            : fail_memory(error);
    if (status)
        document_release(out);
    return status;
}

rag_status document_read(const char *path, struct document *out, rag_error *error)
{
    *out = (struct document){.text = BUF_INIT(DOCUMENT_MAX_BYTES)};
    rag_status status = file_read(path, &out->text, error);
    if (status) {
        document_release(out);
        return status;
    }
    const char *encoding;
    const char *bytes = out->text.data ? out->text.data : "";
    status = encoding_detect(bytes, out->text.size, &encoding, error);
    if (!status && strcmp(encoding, "UTF-8") == 0) {
        /* The bytes stay where they are: a second copy of 1 GB is not needed. */
        status = read_blocks(path, reader_of(path), out, error);
    } else if (!status) {
        struct buf raw = out->text;
        out->text = BUF_INIT(DOCUMENT_MAX_BYTES);
        status = encoding_to_utf8(raw.data, raw.size, &out->text, &encoding, error);
        buf_release(&raw);
        if (!status)
            status = read_blocks(path, reader_of(path), out, error);
    }
    if (status) {
        status = fail_within(error, status, "%s", path);
        document_release(out);
    }
    return status;
}
