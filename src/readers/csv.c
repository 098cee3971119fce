/* CSV and TSV: the file as it is, one table whose header is the first row (RFC 4180: a cell in
 * quotes may have line breaks). A row with one cell, or a blank line, before the first row with
 * more is a paragraph, as exports have titles; so is a row of three cells and more of which one
 * is filled at most. */
#include "documents/lines.h"
#include "readers/reader.h"

#include <string.h>

static const char separators[] = {',', ';', '\t', '|'};

struct row {
    size_t end;                       /* of its last line */
    size_t counts[sizeof separators]; /* separators outside of quotes */
};

/* The row that begins at `at`. A quote that is never closed does not reach beyond `limit`
 * bytes: then the line is the row. */
static struct row read_row(const char *text, size_t size, size_t at)
{
    enum { QUOTED_MAX = 1 << 20 };
    struct row row = {0}, line = {.end = line_end(text, size, at)};
    bool quoted = false;
    size_t limit = size - at > QUOTED_MAX ? at + QUOTED_MAX : size;
    for (size_t i = at; i < limit; i++) {
        if (text[i] == '"')
            quoted = !quoted;
        else if (text[i] == '\n' && !quoted)
            return row.end = i, row;
        for (size_t k = 0; k < sizeof separators; k++)
            row.counts[k] += text[i] == separators[k] && !quoted;
    }
    row.end = size;
    return quoted ? line : row;
}

/* How many of the cells in [begin, end) have something in them. */
static size_t count_filled(const char *text, size_t begin, size_t end, char separator)
{
    size_t filled = 0;
    bool quoted = false, empty = true;
    for (size_t i = begin; i < end; i++) {
        if (text[i] == '"')
            quoted = !quoted;
        else if (text[i] == separator && !quoted)
            empty = true;
        else if (empty && !is_blank_byte(text[i])) {
            filled++;
            empty = false;
        }
    }
    return filled;
}

/* Whether the row [begin, end) is a title, or a space: BLOCK_TABLE: it is neither. */
static enum block_kind kind_of(const char *text, size_t begin, size_t end,
                               const struct row *row)
{
    size_t most = 0;
    for (size_t k = 1; k < sizeof separators; k++)
        if (row->counts[k] > row->counts[most])
            most = k;
    if (!row->counts[most])
        return BLOCK_PARAGRAPH;
    /* A column without a name beside one that has one is a table of row names. */
    size_t filled =
        row->counts[most] < 2 ? 2 : count_filled(text, begin, end, separators[most]);
    return filled > 1 ? BLOCK_TABLE : filled ? BLOCK_PARAGRAPH : BLOCK_OTHER;
}

static rag_status read_csv(const struct input *input, struct document *document,
                           rag_error *error)
{
    const char *text = input->bytes;
    size_t size = input->size, at = byte_order_mark(text, size);
    struct block table = {.kind = BLOCK_TABLE};
    while (at < size) {
        struct row row = read_row(text, size, at);
        size_t end = trim_end(text, at, row.end);
        enum block_kind kind = table.end ? BLOCK_TABLE : kind_of(text, at, end, &row);
        if (end > at && kind != BLOCK_TABLE) {
            struct block title = {.kind = kind, .begin = at, .end = end};
            if (!document_push(document, title))
                return fail_memory(error);
        } else if (end > at) {
            if (!table.end) {
                table.begin = at;
                table.header_end = end;
            }
            table.end = end;
        }
        at = row.end + 1;
    }
    return !table.end || document_push(document, table) ? RAG_OK : fail_memory(error);
}

const struct reader csv_reader = {"csv tsv", true, read_csv};
