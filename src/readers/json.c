/* JSON and JSON lines: written as lines "key: value", indented as it is nested, since quotes,
 * escapes and brackets are in the way of reading. Each value of a list at the top, or each
 * line, is a record with a block of its own. */
#include "documents/lines.h"
#include "readers/charset.h"
#include "readers/reader.h"
#include "readers/writer.h"

#include <jansson.h>
#include <string.h>

enum {
    MAX_DEPTH = 64,     /* that is written; jansson itself refuses more than 2048 */
    MAX_LINE = 1 << 26, /* bytes of one record of JSON lines */
    MAX_JSON = 1 << 27, /* bytes of a JSON file: a tree of it takes many times that */
    MAX_BAD_LINES = 10, /* that are named */
};

/* ---- One value -------------------------------------------------------------- */

static void write_value(struct writer *w, const json_t *value, unsigned depth);

static void indent(struct writer *w, unsigned depth)
{
    static const char blanks[2 * MAX_DEPTH + 1] =
        "                                                                "
        "                                                                ";
    writer_break(w);
    writer_text(w, blanks, 2 * (size_t)depth);
}

static void write_scalar(struct writer *w, const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_STRING:
        writer_text(w, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER:
        writer_format(w, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        break;
    case JSON_REAL:
        writer_format(w, "%.15g", json_real_value(value));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        writer_string(w, json_is_true(value) ? "true" : "false");
        break;
    default:
        break;
    }
}

static bool is_scalar(const json_t *value)
{
    return !json_is_object(value) && !json_is_array(value);
}

/* A list of scalars in one line. */
static bool is_flat(const json_t *list)
{
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item) if (!is_scalar(item) ||
                                          json_string_length(item) > 40) return false;
    return true;
}

static void write_list(struct writer *w, const json_t *list, unsigned depth)
{
    size_t i;
    json_t *item;
    if (is_flat(list)) {
        json_array_foreach(list, i, item)
        {
            writer_string(w, i ? ", " : "");
            write_scalar(w, item);
        }
        return;
    }
    json_array_foreach(list, i, item)
    {
        indent(w, depth);
        writer_string(w, "- ");
        write_value(w, item, depth + 1);
    }
}

static void write_object(struct writer *w, const json_t *object, unsigned depth)
{
    const char *key;
    json_t *value;
    bool first = depth == 0;
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        if (json_is_null(value) || w->status)
            continue;
        if (first)
            first = false;
        else
            indent(w, depth);
        writer_string(w, key);
        writer_string(w, ": ");
        write_value(w, value, depth + 1);
    }
}

static void write_value(struct writer *w, const json_t *value, unsigned depth)
{
    if (w->status)
        return;
    if (depth > MAX_DEPTH)
        writer_string(w, "...");
    else if (json_is_object(value))
        write_object(w, value, depth);
    else if (json_is_array(value))
        write_list(w, value, depth);
    else
        write_scalar(w, value);
}

/* A block of its own, in which lines and blanks count. */
static void write_record(struct writer *w, const json_t *value, uint32_t number)
{
    if (number)
        writer_place(w, PLACE_RECORD, number, NULL);
    writer_begin(w, BLOCK_PARAGRAPH, 0);
    w->verbatim = true;
    write_value(w, value, 0);
    writer_end(w);
}

/* A value, NULL if it is none: *why says so. Whole numbers beyond 64 bits become real ones. */
static json_t *load(const char *text, size_t size, json_error_t *why)
{
    const size_t flags = JSON_DECODE_ANY | JSON_ALLOW_NUL;
    json_t *value = json_loadb(text, size, flags, why);
    if (!value && json_error_code(why) == json_error_numeric_overflow)
        value = json_loadb(text, size, flags | JSON_DECODE_INT_AS_REAL, why);
    return value;
}

/* ---- Files ------------------------------------------------------------------ */

static void write_json(struct writer *w, const char *text, size_t size)
{
    json_error_t why;
    if (size > MAX_JSON) {
        writer_fail(w, RAG_INPUT, "JSON of more than %d bytes; JSON lines may be longer",
                    MAX_JSON);
        return;
    }
    json_t *value = load(text, size, &why);
    if (!value) {
        writer_fail(w, RAG_INPUT, "no JSON: line %d: %s", why.line, why.text);
        return;
    }
    if (json_is_array(value) && !is_flat(value)) {
        size_t i;
        json_t *item;
        json_array_foreach(value, i, item) write_record(w, item, (uint32_t)i + 1);
    } else {
        write_record(w, value, 0);
    }
    json_decref(value);
}

static void write_json_lines(struct writer *w, const char *text, size_t size)
{
    uint32_t number = 0;
    unsigned bad = 0, good = 0;
    for (size_t at = 0; at < size && !w->status;) {
        size_t end = line_end(text, size, at);
        number++;
        if (!is_blank(text, at, end)) {
            json_error_t why = {.text = "the line is too long"};
            json_t *value = end - at > MAX_LINE ? NULL : load(text + at, end - at, &why);
            if (value) {
                good++;
                write_record(w, value, number);
            } else if (bad++ < MAX_BAD_LINES) {
                writer_warn(w, "line %u is no JSON: %s", number, why.text);
            }
            json_decref(value);
        }
        at = end + 1;
    }
    if (bad && !good)
        writer_fail(w, RAG_INPUT, "none of its lines is JSON");
}

static rag_status read_json(const struct input *input, struct document *document,
                            rag_error *error)
{
    struct writer w;
    struct buf text = BUF_INIT(DOCUMENT_MAX_BYTES);
    writer_init(&w, document, error);
    if (!charset_decode_unlabelled(input->bytes, input->size, &text) ||
        !buf_reserve(&text, 0)) {
        writer_fail(&w, RAG_MEMORY, "out of memory");
    } else {
        size_t mark = byte_order_mark(text.data, text.size);
        if (strcmp(input->format, "jsonl") == 0)
            write_json_lines(&w, text.data + mark, text.size - mark);
        else
            write_json(&w, text.data + mark, text.size - mark);
    }
    buf_release(&text);
    return writer_finish(&w);
}

const struct reader json_reader = {"json jsonl", false, read_json};
