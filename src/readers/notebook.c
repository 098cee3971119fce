/* Jupyter notebooks (nbformat 3 and 4): the cells in their order. Markdown cells are read as
 * Markdown, code cells are code. Outputs are left out unless they are asked for: then of them
 * the texts and tracebacks, and HTML where the text only names the object. */
#include "base/memory.h"
#include "documents/markdown.h"
#include "readers/html.h"
#include "readers/reader.h"
#include "readers/writer.h"
#include "text/utf8.h"

#include <jansson.h>
#include <string.h>

enum {
    MAX_OUTPUT = 1 << 14, /* bytes of a cell's output that are kept */
};

/* Appends a string or a list of strings. */
static bool append_source(const json_t *source, struct buf *out)
{
    if (json_is_string(source))
        return buf_append(out, json_string_value(source), json_string_length(source));
    size_t i;
    json_t *line;
    json_array_foreach(source, i, line) if (json_is_string(line) &&
                                            !buf_append(out, json_string_value(line),
                                                        json_string_length(line))) return false;
    return true;
}

/* Copies what Markdown's reader finds in a cell to the document. */
static bool copy_markdown(struct writer *w, const struct document *cell)
{
    struct document *d = w->document;
    for (size_t i = 0; i < cell->block_count; i++) {
        struct block b = cell->blocks[i];
        const char *text = cell->text.data;
        size_t from = b.begin, to = d->text.size;
        if (!buf_append(&d->text, text + from, b.end - from) ||
            !buf_append_text(&d->text, "\n\n"))
            return false;
        b.begin = to;
        b.end = b.end - from + to;
        if (b.name_end) {
            b.name_begin = b.name_begin - from + to;
            b.name_end = b.name_end - from + to;
        }
        if (b.header_end)
            b.header_end = b.header_end - from + to;
        if (!document_push(d, b))
            return false;
    }
    return true;
}

static void write_markdown(struct writer *w, const struct buf *source, uint32_t number)
{
    struct document cell = DOCUMENT_INIT;
    writer_end(w);
    bool ok =
        buf_append(&cell.text, source->data, source->size) &&
        document_push_place(w->document, w->document->text.size, PLACE_CELL, number, NULL);
    if (!ok || markdown_read(&cell, MARKDOWN_PIECE, NULL) != RAG_OK || !copy_markdown(w, &cell))
        writer_fail(w, RAG_MEMORY, "out of memory");
    document_release(&cell);
}

static void write_code(struct writer *w, const struct buf *source)
{
    writer_begin(w, BLOCK_CODE, 0);
    writer_text(w, source->data, source->size);
    writer_end(w);
}

/* ---- Outputs ----------------------------------------------------------------- */

/* Where a sequence for a terminal (ECMA-48) that begins at `at` ends, such as one for a colour
 * or a link; `at`: none begins there. */
static size_t escape_end(const struct buf *text, size_t at)
{
    const char *data = text->data;
    size_t end = text->size;
    if (data[at] != 0x1B || at + 1 == end)
        return at;
    char kind = data[++at];
    if (kind == '[') {
        for (at++; at < end && data[at] >= ' ' && data[at] < '@';)
            at++;
        return at < end && data[at] >= '@' && data[at] < 0x7F ? at + 1 : at;
    }
    if (kind == ']') {
        while (at < end && data[at] != '\a' && data[at] != 0x1B && data[at] != '\n')
            at++;
        return at < end && data[at] == '\a' ? at + 1 : at;
    }
    return kind >= ' ' && kind < 0x7F ? at + 1 : at;
}

/* Leaves what a terminal would show: no colours, and of a line that is written over with "\r",
 * as bars of progress do, its last form. */
static void settle(struct buf *text)
{
    size_t to = 0, line = 0;
    for (size_t at = 0; at < text->size;) {
        size_t next = escape_end(text, at);
        if (next > at) {
            at = next;
            continue;
        }
        char c = text->data[at++];
        if (c == '\r' && at < text->size && text->data[at] != '\n' && text->data[at] != '\r')
            to = line;
        else if (c != '\r')
            text->data[to++] = c;
        if (c == '\n')
            line = to;
    }
    text->size = to;
}

/* "<IPython.core.display.HTML object>": what an object is called that is shown otherwise. */
static bool is_object_name(const json_t *text)
{
    const json_t *line = json_is_array(text) ? json_array_get(text, 0) : text;
    const char *name = json_string_value(line);
    return name && *name == '<';
}

static bool is_picture(const json_t *data)
{
    static const char *const kinds[] = {"image/png", "image/svg+xml", "image/jpeg",
                                        "png",       "svg",           "jpeg"}; /* nbformat 3 */
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (json_object_get(data, kinds[i]))
            return true;
    return false;
}

/* The text of an output, and in *page what is to be read as HTML in its place; both NULL: it
 * has none. */
static const json_t *output_text(const json_t *output, const json_t **page)
{
    const json_t *data = json_object_get(output, "data");
    const json_t *text = json_object_get(output, "text");
    *page = NULL;
    if (text)
        return is_object_name(text) && is_picture(output) ? NULL : text;
    if (!data)
        data = output; /* nbformat 3 */
    text = json_object_get(data, "text/markdown");
    if (text)
        return text;
    text = json_object_get(data, "text/plain");
    if (!text || !is_object_name(text))
        return text;
    *page = json_object_get(data, "text/html");
    return *page || is_picture(data) ? NULL : text;
}

/* Parts of one stream follow one another; anything else begins a line. */
static bool is_one_stream(const json_t *a, const json_t *b)
{
    const char *first = json_string_value(json_object_get(a, "name"));
    const char *second = json_string_value(json_object_get(b, "name"));
    return first && second && strcmp(first, second) == 0;
}

static bool append_output(const json_t *text, bool goes_on, struct buf *out)
{
    if (out->size && out->data[out->size - 1] != '\n' && !goes_on &&
        !buf_append_char(out, '\n'))
        return false;
    return append_source(text, out);
}

/* A traceback's lines have no ends of their own. */
static bool append_traceback(const json_t *lines, struct buf *out)
{
    for (size_t i = 0; i < json_array_size(lines); i++)
        if (!append_output(json_array_get(lines, i), false, out))
            return false;
    return true;
}

static void write_text(struct writer *w, struct buf *text)
{
    settle(text);
    if (text->size > MAX_OUTPUT)
        text->size = utf8_floor(text->data, text->size, MAX_OUTPUT);
    if (text->size)
        write_code(w, text);
    buf_clear(text);
}

static void write_page(struct writer *w, const json_t *source)
{
    struct buf page = BUF_INIT(DOCUMENT_MAX_BYTES);
    if (!buf_reserve(&page, 0) || !append_source(source, &page))
        writer_fail(w, RAG_MEMORY, "out of memory");
    else
        html_write(w, page.data, page.size, "UTF-8", NULL);
    buf_release(&page);
}

static void write_outputs(struct writer *w, const json_t *outputs)
{
    const json_t *before = NULL;
    struct buf text = BUF_INIT(DOCUMENT_MAX_BYTES);
    for (size_t i = 0; i < json_array_size(outputs); i++) {
        const json_t *output = json_array_get(outputs, i), *page;
        const json_t *source = output_text(output, &page);
        if (!append_traceback(json_object_get(output, "traceback"), &text) ||
            (source && !append_output(source, is_one_stream(before, output), &text)))
            writer_fail(w, RAG_MEMORY, "out of memory");
        if (page) {
            write_text(w, &text);
            write_page(w, page);
        }
        before = output;
    }
    write_text(w, &text);
    buf_release(&text);
}

/* ---- Cells ------------------------------------------------------------------ */

static void write_cell(struct writer *w, const json_t *cell, uint32_t number, bool outputs)
{
    const char *type = json_string_value(json_object_get(cell, "cell_type"));
    const json_t *source = json_object_get(cell, "source");
    struct buf text = BUF_INIT(DOCUMENT_MAX_BYTES);
    if (!source)
        source = json_object_get(cell, "input"); /* nbformat 3 */
    if (!type || !buf_reserve(&text, 0) || !append_source(source, &text)) {
        buf_release(&text);
        return;
    }
    if (strcmp(type, "markdown") == 0) {
        write_markdown(w, &text, number);
    } else if (strcmp(type, "heading") == 0) {
        json_int_t level = json_integer_value(json_object_get(cell, "level"));
        writer_place(w, PLACE_CELL, number, NULL);
        writer_begin(w, BLOCK_HEADING, level > 0 && level < 7 ? (unsigned)level : 1);
        writer_text(w, text.data, text.size);
        writer_end(w);
    } else {
        writer_place(w, PLACE_CELL, number, NULL);
        write_code(w, &text);
        if (outputs)
            write_outputs(w, json_object_get(cell, "outputs"));
    }
    buf_release(&text);
}

static void write_notebook(struct writer *w, const json_t *notebook, bool outputs)
{
    const json_t *cells = json_object_get(notebook, "cells");
    if (!cells) /* nbformat 3 has worksheets, in practice one */
        cells = json_object_get(json_array_get(json_object_get(notebook, "worksheets"), 0),
                                "cells");
    const json_t *about = json_object_get(notebook, "metadata");
    const json_t *title = json_object_get(about, "title");
    const json_t *kernel = json_object_get(json_object_get(about, "kernelspec"), "language");
    if (json_is_string(title))
        writer_metadata(w, "title", json_string_value(title), json_string_length(title));
    if (json_is_string(kernel))
        writer_metadata(w, "language", json_string_value(kernel), json_string_length(kernel));
    if (!json_is_array(cells)) {
        writer_fail(w, RAG_INPUT, "a notebook without cells");
        return;
    }
    size_t i;
    json_t *cell;
    json_array_foreach(cells, i, cell) write_cell(w, cell, (uint32_t)i + 1, outputs);
}

static rag_status read_notebook(const struct input *input, struct document *document,
                                rag_error *error)
{
    struct writer w;
    json_error_t why;
    writer_init(&w, document, error);
    json_t *notebook = json_loadb(input->bytes, input->size, JSON_ALLOW_NUL, &why);
    if (notebook)
        write_notebook(&w, notebook, input->options->notebook_outputs);
    else
        writer_fail(&w, RAG_INPUT, "no notebook: line %d: %s", why.line, why.text);
    json_decref(notebook);
    return writer_finish(&w);
}

const struct reader notebook_reader = {"notebook", false, read_notebook};
