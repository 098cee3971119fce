#include "readers/sheet.h"
#include "base/memory.h"
#include "documents/lines.h"

#include <stdio.h>

enum { MAX_GAP = 256 /* empty cells between two that are shown */ };

void sheet_init(struct sheet *s, struct writer *w)
{
    *s = (struct sheet){.w = w, .text = BUF_INIT(DOCUMENT_MAX_BYTES)};
}

void sheet_release(struct sheet *s)
{
    free(s->cells);
    buf_release(&s->text);
}

void sheet_end(struct sheet *s)
{
    sheet_row_end(s);
    if (s->table)
        writer_table_end(s->w);
    writer_end(s->w);
    s->table = false;
}

void sheet_begin(struct sheet *s, uint32_t number, const char *name)
{
    sheet_end(s);
    writer_place(s->w, PLACE_SHEET, number, name);
    writer_begin(s->w, BLOCK_HEADING, 1);
    writer_string(s->w, name);
    writer_end(s->w);
    s->last_row = s->row = 0;
}

void sheet_row(struct sheet *s, unsigned long row)
{
    sheet_row_end(s);
    s->row = row;
}

void sheet_cell(struct sheet *s, unsigned long column, const char *text, size_t size)
{
    if (is_blank(text, 0, size) || s->w->status)
        return;
    if (column >= SHEET_MAX_COLUMNS || ++s->total > SHEET_MAX_CELLS) {
        writer_fail(s->w, RAG_INPUT, "a sheet with more than %d columns or %d cells",
                    SHEET_MAX_COLUMNS, SHEET_MAX_CELLS);
        return;
    }
    if (!array_reserve(&s->cells, &s->capacity, s->count + 1, sizeof *s->cells)) {
        writer_fail(s->w, RAG_MEMORY, "out of memory");
        return;
    }
    s->cells[s->count].column = column;
    s->cells[s->count].begin = s->text.size;
    if (!buf_append(&s->text, text, size))
        writer_fail(s->w, RAG_MEMORY, "out of memory");
    s->cells[s->count++].end = s->text.size;
}

/* "B12" of row 12 and column 1. */
static void name_cell(char name[32], unsigned long row, unsigned long column)
{
    char letters[8];
    size_t n = sizeof letters;
    letters[--n] = 0;
    for (column++; column && n; column = (column - 1) / 26)
        letters[--n] = (char)('A' + (column - 1) % 26);
    snprintf(name, 32, "%s%lu", letters + n, row);
}

static void write_row(struct sheet *s)
{
    unsigned long column = s->cells[0].column;
    /* A table that is not at the left edge does not begin with empty columns, if it is new. */
    unsigned long next = s->w->rows || s->w->cells ? 0 : column;
    writer_row(s->w);
    for (size_t i = 0; i < s->count; i++) {
        column = s->cells[i].column;
        if (column > next && column - next <= MAX_GAP)
            for (; next < column; next++)
                writer_cell(s->w);
        writer_cell(s->w);
        writer_text(s->w, s->text.data + s->cells[i].begin,
                    s->cells[i].end - s->cells[i].begin);
        next = column + 1;
    }
}

void sheet_row_end(struct sheet *s)
{
    if (s->count == 0)
        return;
    if (s->table && s->row > s->last_row + 1) {
        writer_table_end(s->w);
        s->table = false;
    }
    char name[32];
    name_cell(name, s->row, s->cells[0].column);
    writer_place(s->w, PLACE_CELL, 0, name);
    if (!s->table && s->count == 1) {
        writer_begin(s->w, BLOCK_PARAGRAPH, 0);
        writer_text(s->w, s->text.data, s->text.size);
        writer_end(s->w);
    } else {
        if (!s->table)
            writer_table_begin(s->w);
        s->table = true;
        write_row(s);
    }
    s->last_row = s->row;
    s->count = 0;
    buf_clear(&s->text);
}
