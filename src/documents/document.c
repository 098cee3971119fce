/* From a file's bytes to a document: which reader, its answer, the files in the file. */
#include "documents/document.h"
#include "base/file.h"
#include "base/memory.h"
#include "documents/compose.h"
#include "documents/formats.h"
#include "documents/pdf.h"
#include "documents/titles.h"
#include "documents/worker.h"
#include "text/utf8.h"

#include <string.h>

bool document_supported(const char *path)
{
    return format_of_name(path) != NULL;
}

void above_release(struct above *above)
{
    for (size_t i = 0; i < above->count; i++)
        free(above->headings[i].title);
    *above = (struct above){0};
}

void document_release(struct document *document)
{
    above_release(&document->above);
    free(document->path);
    free(document->blocks);
    free(document->places);
    free(document->parts);
    buf_release(&document->text);
    buf_release(&document->names);
    buf_release(&document->metadata);
    buf_release(&document->warnings);
    buf_release(&document->part_bytes);
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

bool document_push_place(struct document *document, size_t begin, enum place_kind kind,
                         uint32_t number, const char *name)
{
    struct buf *names = &document->names;
    struct place place = {.begin = begin, .kind = kind, .number = number};
    if (names->size == 0 && !buf_append_char(names, 0))
        return false;
    if (name && *name) {
        place.name = (uint32_t)names->size;
        if (!buf_append(names, name, strlen(name) + 1))
            return false;
    }
    if (document->place_count >= UINT32_MAX ||
        !array_reserve(&document->places, &document->place_capacity, document->place_count + 1,
                       sizeof *document->places))
        return false;
    place.parent = (uint32_t)document->place_count;
    while (place.parent && document->places[place.parent - 1].kind >= kind)
        place.parent = document->places[place.parent - 1].parent;
    document->places[document->place_count++] = place;
    return true;
}

bool document_push_warning(struct document *document, const char *name, const char *line,
                           size_t size)
{
    struct buf *warnings = &document->warnings;
    size_t length = strlen(name), room = warnings->max - warnings->size;
    const char *between = length ? ": " : "";
    document->warning_count++;
    /* Beyond its maximum no more are kept: the first ones tell enough. */
    if (length > room || size > room || length + size + sizeof ": \n" > room)
        return true;
    return buf_printf(warnings, "%s%s%.*s\n", name, between, (int)size, line);
}

bool document_next_warning(const struct document *document, size_t *at, rag_text *line)
{
    const struct buf *warnings = &document->warnings;
    if (*at >= warnings->size)
        return false;
    const char *begin = warnings->data + *at;
    const char *end = memchr(begin, '\n', warnings->size - *at);
    line->data = begin;
    line->size = end ? (size_t)(end - begin) : warnings->size - *at;
    *at += line->size + 1;
    return true;
}

/* ---- Titles and places ------------------------------------------------------ */

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
    bool ok = heading->markup == TITLE_MARKDOWN ? markdown_title(name, size, out)
              : heading->markup == TITLE_LATEX  ? latex_title(name, size, out)
              : heading->markup == TITLE_ORG    ? org_title(name, size, out)
                                                : plain_title(name, size, out);
    if (!ok)
        return false;
    one_line(out, before);
    return true;
}

/* "sheet Sales", "page 3", "00:01:05". */
static bool append_place(const struct document *document, const struct place *place,
                         struct buf *out)
{
    static const char *const words[PLACE_KINDS] = {
        [PLACE_MESSAGE] = "message ", [PLACE_CHAPTER] = "chapter ", [PLACE_SHEET] = "sheet ",
        [PLACE_SLIDE] = "slide ",     [PLACE_PAGE] = "page ",       [PLACE_CELL] = "cell ",
        [PLACE_RECORD] = "record ",
    };
    const char *name = place->name ? document->names.data + place->name : NULL;
    const char *word = words[place->kind] ? words[place->kind] : "";
    if (place->kind == PLACE_TIME) {
        uint32_t seconds = place->number / 1000;
        return buf_printf(out, "%02u:%02u:%02u", seconds / 3600, seconds / 60 % 60,
                          seconds % 60);
    }
    /* A number is shorter than a title, and says as much beside the heading. */
    bool by_name = name && (place->kind == PLACE_SHEET || place->kind == PLACE_CELL ||
                            place->kind == PLACE_ENTRY || !place->number);
    return by_name ? buf_printf(out, "%s%s", word, name)
                   : buf_printf(out, "%s%u", word, place->number);
}

bool document_place(const struct document *document, size_t byte, struct buf *out)
{
    enum { MOST = 64 }; /* files in files have fewer places around each other */
    const struct place *around[MOST];
    size_t low = 0, high = document->place_count, count = 0, before = out->size;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (document->places[middle].begin <= byte)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low && count < MOST; low = document->places[low - 1].parent)
        around[count++] = &document->places[low - 1];
    while (count--)
        if ((out->size > before && !buf_append_text(out, ", ")) ||
            !append_place(document, around[count], out))
            return false;
    return true;
}

/* ---- Reading ---------------------------------------------------------------- */

rag_status compose_read(const char *name, rag_text bytes, struct buf *owner,
                        struct composing *composing, struct document *out, rag_error *error)
{
    *out = DOCUMENT_INIT;
    if (composing->depth > COMPOSE_MAX_DEPTH)
        return fail_with(error, RAG_INPUT, "archives in archives, more than %d deep",
                         COMPOSE_MAX_DEPTH);
    rag_status status =
        format_is_pdf(name, bytes.data, bytes.size)
            ? pdf_read(name, bytes, &composing->options, out, error)
            : worker_read(name, NULL, &composing->options, bytes, owner, out, error);
    if (!status)
        status = compose_parts(out, composing, error);
    if (status)
        document_release(out);
    return status;
}

/* Gives the document its name, or the error. */
static rag_status finish(rag_status status, const char *name, struct document *out,
                         rag_error *error)
{
    if (!status) {
        out->path = strdup(name);
        if (!out->path)
            status = fail_memory(error);
    }
    if (status) {
        status = fail_within(error, status, "%s", name);
        document_release(out);
    }
    return status;
}

static struct composing begin(const struct read_options *options)
{
    struct composing composing = {0};
    if (options)
        composing.options = *options;
    return composing;
}

rag_status document_parse(const char *name, const void *bytes, size_t size,
                          const struct read_options *options, struct document *out,
                          rag_error *error)
{
    struct composing composing = begin(options);
    rag_text text = {size ? bytes : "", size};
    return finish(compose_read(name, text, NULL, &composing, out, error), name, out, error);
}

rag_status document_of_text(const char *name, const char *format, rag_text text,
                            struct document *out, rag_error *error)
{
    *out = (struct document){0};
    if (strcmp(format, "text") != 0 && strcmp(format, "markdown") != 0)
        return fail_with(error, RAG_INPUT,
                         "%s: there is no format \"%s\"; it is \"text\" or \"markdown\"", name,
                         format);
    const struct read_options none = {0};
    return finish(worker_read(name, format, &none, text, NULL, out, error), name, out, error);
}

rag_status document_take(const char *name, struct buf *bytes,
                         const struct read_options *options, struct document *out,
                         rag_error *error)
{
    struct composing composing = begin(options);
    rag_text text = {bytes->data ? bytes->data : "", bytes->size};
    struct buf *owner = bytes->data ? bytes : NULL;
    return finish(compose_read(name, text, owner, &composing, out, error), name, out, error);
}

rag_status document_read(const char *path, const struct read_options *options,
                         struct document *out, rag_error *error)
{
    struct buf bytes = BUF_INIT(DOCUMENT_MAX_BYTES);
    *out = (struct document){0};
    rag_status status = file_read(path, &bytes, error);
    if (!status)
        status = document_take(path, &bytes, options, out, error);
    buf_release(&bytes);
    return status;
}
