#include "readers/writer.h"
#include "base/memory.h"
#include "documents/lines.h"
#include "text/utf8.h"

#include <stdarg.h>
#include <string.h>

enum {
    MAX_NAME = 1 << 10,  /* bytes of a place's or a part's name */
    MAX_VALUE = 1 << 14, /* bytes of a member of the metadata */
    MAX_MEMBERS = 100,
    MAX_INDENT = 16, /* levels of lists that are shown */
    MAX_MARK = 12,   /* bytes before an item */
};

void writer_init(struct writer *w, struct document *document, rag_error *error)
{
    *w = (struct writer){
        .document = document, .error = error, .block = {.kind = BLOCK_PARAGRAPH}};
    for (size_t i = 0; i < PLACE_KINDS; i++)
        w->pending_names[i] = BUF_INIT(MAX_NAME);
    if (!buf_reserve(&document->text, 0))
        w->status = fail_memory(error);
}

void writer_fail(struct writer *w, rag_status status, const char *format, ...)
{
    if (w->status)
        return;
    char message[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    w->status = fail_with(w->error, status, "%s", message);
}

static bool check(struct writer *w, bool ok)
{
    if (!ok && !w->status) {
        const struct buf *text = &w->document->text;
        w->status =
            text->size > text->max / 2
                ? fail_with(w->error, RAG_INPUT, "its text has more than %zu bytes", text->max)
                : fail_memory(w->error);
    }
    return ok;
}

/* ---- Characters ------------------------------------------------------------- */

static bool flush_places(struct writer *w)
{
    for (unsigned kind = 0; kind < PLACE_KINDS; kind++) {
        if (!w->is_pending[kind])
            continue;
        w->is_pending[kind] = false;
        if (!check(w,
                   document_push_place(w->document, w->document->text.size, kind,
                                       w->pending[kind].number, w->pending_names[kind].data)))
            return false;
    }
    return true;
}

/* Writes what is due before a character: the block's beginning, lines, a blank. */
static bool prepare(struct writer *w)
{
    struct buf *text = &w->document->text;
    if (!w->open) {
        w->open = true;
        w->block.begin = text->size;
        w->space = false;
        w->newlines = 0;
        bool begun = flush_places(w) && check(w, buf_append_text(text, w->prefix));
        w->prefix[0] = 0;
        return begun;
    }
    bool ok = true;
    if (w->newlines) {
        for (; ok && w->newlines; w->newlines--)
            ok = check(w, buf_append_char(text, '\n'));
    } else if (w->space && text->size > w->block.begin) {
        ok = check(w, buf_append_char(text, ' '));
    }
    w->space = false;
    w->newlines = 0;
    return ok && flush_places(w);
}

/* The bytes from `at` on that are to be written as they are. */
static size_t plain_run(const struct writer *w, const char *text, size_t at, size_t size)
{
    size_t end = at;
    while (end < size) {
        unsigned char c = (unsigned char)text[end];
        size_t n = 1;
        if (c < 0x20 || c == 0x7F || (c == ' ' && !w->verbatim) || (c == '|' && w->in_cell))
            break;
        if (c >= 0x80) {
            int32_t code = utf8_decode(text + end, size - end, &n);
            if (code < 0 || (code < 0xA0 && code != 0x85))
                break;
            if (code == 0xA0 || code == 0xFEFF || code == 0xAD || code == 0x200B ||
                code == 0x85 || code == 0xFFFD)
                break;
        }
        end += n;
    }
    return end;
}

/* One character that plain_run leaves out; its length. */
static size_t special(struct writer *w, const char *text, size_t size)
{
    size_t n = 1;
    unsigned char c = (unsigned char)*text;
    if (c >= 0x80) {
        int32_t code = utf8_decode(text, size, &n);
        if (code == 0xA0 || code == 0x85)
            w->space = true;
        if (code == 0xA0 && w->verbatim && prepare(w))
            check(w, buf_append_char(&w->document->text, ' '));
        return n; /* a byte order mark, a soft hyphen, a glyph nobody knows, no UTF-8 */
    }
    if (c == '|') {
        if (prepare(w))
            check(w, buf_append_text(&w->document->text, "\\|"));
    } else if (c == '\n' && w->verbatim && !w->in_cell) {
        if (w->open)
            w->newlines++;
    } else if (c == '\t' && w->verbatim && !w->in_cell) {
        if (prepare(w))
            check(w, buf_append_char(&w->document->text, '\t'));
    } else if (is_blank_byte((char)c)) {
        w->space = !w->verbatim || w->in_cell;
    }
    return 1;
}

void writer_text(struct writer *w, const char *text, size_t size)
{
    for (size_t at = 0; at < size && !w->status;) {
        size_t end = plain_run(w, text, at, size);
        if (end == at) {
            at += special(w, text + at, size - at);
            continue;
        }
        if (w->tables == 1 && !w->in_cell)
            writer_cell(w); /* text between cells */
        if (!w->status && prepare(w))
            check(w, buf_append(&w->document->text, text + at, end - at));
        at = end;
    }
}

void writer_string(struct writer *w, const char *text)
{
    writer_text(w, text, strlen(text));
}

void writer_format(struct writer *w, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    writer_string(w, text);
}

void writer_space(struct writer *w)
{
    w->space = true;
}

void writer_break(struct writer *w)
{
    if (w->in_cell || w->tables)
        w->space = true;
    else if (w->open)
        w->newlines++;
}

/* ---- Blocks ----------------------------------------------------------------- */

/* Removes blanks and lines at the end that hold nothing. */
static void trim_block(struct writer *w)
{
    struct buf *text = &w->document->text;
    text->size = trim_end(text->data, w->block.begin, text->size);
    text->data[text->size] = 0;
}

void writer_end(struct writer *w)
{
    if (w->tables)
        return;
    w->prefix[0] = 0;
    if (w->status || !w->open) {
        w->block = (struct block){.kind = BLOCK_PARAGRAPH};
        w->verbatim = false;
        return;
    }
    w->open = w->verbatim = w->space = false;
    w->newlines = 0;
    trim_block(w);
    struct block block = w->block;
    struct buf *text = &w->document->text;
    w->block = (struct block){.kind = BLOCK_PARAGRAPH};
    if (text->size == block.begin)
        return;
    block.end = text->size;
    if (block.kind == BLOCK_HEADING) {
        block.name_begin = block.begin;
        block.name_end = block.end;
    }
    /* Items of a list stand close to each other. */
    struct document *d = w->document;
    check(w, document_push(d, block) &&
                 buf_append_text(text, block.kind == BLOCK_LIST_ITEM ? "\n" : "\n\n"));
}

void writer_begin(struct writer *w, enum block_kind kind, unsigned level)
{
    if (w->tables) {
        w->space = true;
        return;
    }
    /* A paragraph that begins an item of a list is the item. */
    if (kind == BLOCK_PARAGRAPH && w->prefix[0] && !w->open)
        return;
    writer_end(w);
    if (w->status)
        return;
    if (kind == BLOCK_HEADING)
        level = level < 1 ? 1 : level > HEADING_LEVELS ? HEADING_LEVELS : level;
    /* After a list, an empty line. */
    struct document *d = w->document;
    if (kind != BLOCK_LIST_ITEM && d->block_count &&
        d->blocks[d->block_count - 1].kind == BLOCK_LIST_ITEM &&
        d->blocks[d->block_count - 1].end + 1 == d->text.size)
        check(w, buf_append_char(&d->text, '\n'));
    w->block = (struct block){.kind = kind, .level = level};
    w->verbatim = kind == BLOCK_CODE;
}

void writer_item(struct writer *w, unsigned depth, const char *mark)
{
    writer_begin(w, BLOCK_LIST_ITEM, depth);
    if (w->tables)
        return;
    unsigned indent = depth > 1 ? depth - 1 : 0;
    if (indent > MAX_INDENT)
        indent = MAX_INDENT;
    snprintf(w->prefix, sizeof w->prefix, "%*s%.*s ", 2 * (int)indent, "", MAX_MARK, mark);
}

/* ---- Tables ----------------------------------------------------------------- */

void writer_table_begin(struct writer *w)
{
    if (w->tables == 0) {
        writer_begin(w, BLOCK_TABLE, 0);
        w->rows = w->columns = w->cells = 0;
    }
    w->tables++;
}

static void append(struct writer *w, const char *text)
{
    check(w, buf_append_text(&w->document->text, text));
}

static void end_row(struct writer *w)
{
    if (w->cells == 0 || w->status)
        return;
    w->in_cell = w->space = false;
    while (w->cells < w->columns && !w->status) {
        append(w, " |");
        w->cells++;
    }
    append(w, " |\n");
    if (w->rows == 0) {
        w->columns = w->cells;
        append(w, "|");
        for (unsigned i = 0; i < w->columns && !w->status; i++)
            append(w, " --- |");
        append(w, "\n");
        w->block.header_end = w->document->text.size - 1;
    }
    w->rows++;
    w->cells = 0;
}

void writer_row(struct writer *w)
{
    if (w->tables == 1)
        end_row(w);
}

void writer_cell(struct writer *w)
{
    if (w->tables != 1) {
        w->space = true;
        return;
    }
    if (w->cells >= WRITER_MAX_COLUMNS) {
        writer_fail(w, RAG_INPUT, "a table with more than %d columns", WRITER_MAX_COLUMNS);
        return;
    }
    w->space = false;
    w->newlines = 0;
    if (!w->status && prepare(w))
        append(w, w->cells ? " |" : "|");
    w->cells++;
    w->in_cell = true;
    w->space = true;
}

void writer_table_end(struct writer *w)
{
    if (w->tables == 0 || --w->tables > 0)
        return;
    end_row(w);
    w->in_cell = false;
    writer_end(w);
}

/* ---- What goes with the text ------------------------------------------------ */

/* A name that is shown: UTF-8 in one line without control characters. */
static bool append_name(struct buf *out, const char *text, size_t size, size_t most)
{
    for (size_t at = 0; at < size && out->size < most;) {
        size_t n;
        int32_t code = utf8_decode(text + at, size - at, &n);
        bool blank = code >= 0 && code <= ' ';
        if (blank && out->size && out->data[out->size - 1] != ' ' && !buf_append_char(out, ' '))
            return false;
        if (!blank && code >= 0 && code != 0x7F && (code < 0x80 || code >= 0xA0) &&
            out->size + n <= most && !buf_append(out, text + at, n))
            return false;
        at += n;
    }
    while (out->size && out->data[out->size - 1] == ' ')
        out->data[--out->size] = 0;
    return true;
}

void writer_place(struct writer *w, enum place_kind kind, uint32_t number, const char *name)
{
    struct buf *kept = &w->pending_names[kind];
    w->pending[kind] = (struct place){.kind = kind, .number = number};
    w->is_pending[kind] = true;
    buf_clear(kept);
    if (name)
        check(w, append_name(kept, name, strlen(name), MAX_NAME - 1));
    /* Smaller ones that were waiting belonged to what was before. */
    for (unsigned i = kind + 1; i < PLACE_KINDS; i++)
        w->is_pending[i] = false;
}

void writer_metadata(struct writer *w, const char *key, const char *value, size_t size)
{
    if (w->status)
        return;
    struct buf clean = BUF_INIT(MAX_VALUE);
    if (!w->metadata)
        w->metadata = json_object();
    if (check(w, w->metadata && append_name(&clean, value, size, MAX_VALUE - 1)) &&
        clean.size && !json_object_get(w->metadata, key) &&
        json_object_size(w->metadata) < MAX_MEMBERS)
        check(w,
              json_object_set_new(w->metadata, key, json_stringn(clean.data, clean.size)) == 0);
    buf_release(&clean);
}

void writer_part(struct writer *w, const char *name, const void *bytes, size_t size,
                 unsigned level)
{
    struct document *d = w->document;
    writer_end(w);
    if (w->status)
        return;
    struct buf clean = BUF_INIT(MAX_NAME);
    struct part part = {.at = d->text.size, .level = level, .name = d->part_bytes.size};
    bool ok = flush_places(w) && append_name(&clean, name, strlen(name), MAX_NAME - 1) &&
              buf_append(&d->part_bytes, clean.data, clean.size) &&
              buf_append_char(&d->part_bytes, 0);
    part.begin = d->part_bytes.size;
    ok = ok && buf_append(&d->part_bytes, bytes, size) &&
         array_reserve(&d->parts, &d->part_capacity, d->part_count + 1, sizeof *d->parts);
    buf_release(&clean);
    if (!check(w, ok))
        return;
    part.end = d->part_bytes.size;
    d->parts[d->part_count++] = part;
}

void writer_warn(struct writer *w, const char *format, ...)
{
    char message[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    struct buf line = BUF_INIT(sizeof message);
    check(w, append_name(&line, message, strlen(message), sizeof message - 1) &&
                 document_push_warning(w->document, "", line.data ? line.data : "", line.size));
    buf_release(&line);
}

rag_status writer_finish(struct writer *w)
{
    while (w->tables && !w->status)
        writer_table_end(w);
    writer_end(w);
    if (!w->status && w->metadata && json_object_size(w->metadata)) {
        char *json = json_dumps(w->metadata, JSON_COMPACT);
        struct buf *metadata = &w->document->metadata;
        check(w, json && buf_append_text(metadata, json));
        free(json);
    }
    json_decref(w->metadata);
    w->metadata = NULL;
    for (size_t i = 0; i < PLACE_KINDS; i++)
        buf_release(&w->pending_names[i]);
    return w->status;
}
