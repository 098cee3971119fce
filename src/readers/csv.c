/* CSV and TSV: the file as it is, one table whose header is the first row (RFC 4180: a cell in
 * quotes may have line breaks). A row with one cell, or a blank line, before the first row with
 * more is a paragraph, as exports have titles. */
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

static bool has_cells(const struct row *row)
{
    for (size_t k = 0; k < sizeof separators; k++)
        if (row->counts[k])
            return true;
    return false;
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
        if (end > at && !table.end && !has_cells(&row)) {
            struct block title = {.kind = BLOCK_PARAGRAPH, .begin = at, .end = end};
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
