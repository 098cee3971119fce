/* Jupyter notebooks (nbformat 3 and 4): the cells in their order. Markdown cells are read as
 * Markdown, code cells are code; of outputs the texts, tracebacks excepted. */
#include "base/memory.h"
#include "documents/markdown.h"
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

/* The text of an output, "" if it has none. */
static bool append_output(const json_t *output, struct buf *out)
{
    const json_t *data = json_object_get(output, "data");
    const json_t *text = json_object_get(output, "text");
    if (!text)
        text = json_object_get(data ? data : output, "text/plain");
    return !text || append_source(text, out);
}

static void write_outputs(struct writer *w, const json_t *outputs)
{
    size_t i;
    json_t *output;
    struct buf text = BUF_INIT(DOCUMENT_MAX_BYTES);
    json_array_foreach(outputs, i, output) if (!append_output(output, &text))
        writer_fail(w, RAG_MEMORY, "out of memory");
    if (text.size > MAX_OUTPUT)
        text.size = utf8_floor(text.data, text.size, MAX_OUTPUT);
    if (text.size)
        write_code(w, &text);
    buf_release(&text);
}

static void write_cell(struct writer *w, const json_t *cell, uint32_t number)
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
        write_outputs(w, json_object_get(cell, "outputs"));
    }
    buf_release(&text);
}

static void write_notebook(struct writer *w, const json_t *notebook)
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
    json_array_foreach(cells, i, cell) write_cell(w, cell, (uint32_t)i + 1);
}

static rag_status read_notebook(const struct input *input, struct document *document,
                                rag_error *error)
{
    struct writer w;
    json_error_t why;
    writer_init(&w, document, error);
    json_t *notebook = json_loadb(input->bytes, input->size, JSON_ALLOW_NUL, &why);
    if (notebook)
        write_notebook(&w, notebook);
    else
        writer_fail(&w, RAG_INPUT, "no notebook: line %d: %s", why.line, why.text);
    json_decref(notebook);
    return writer_finish(&w);
}

const struct reader notebook_reader = {"notebook", false, read_notebook};
