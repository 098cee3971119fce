#include "readers/sheet.h"
#include "base/memory.h"
#include "documents/lines.h"

#include <stdio.h>

enum { MAX_GAP = 256 /* empty cells between two that are shown */ };

void sheet_init(struct sheet *s, struct writer *w)
{
    *s = (struct sheet){.w = w};
    s->row.text = s->first.text = BUF_INIT(DOCUMENT_MAX_BYTES);
}

void sheet_release(struct sheet *s)
{
    free(s->row.cells);
    free(s->first.cells);
    buf_release(&s->row.text);
    buf_release(&s->first.text);
}

void sheet_cell(struct sheet *s, unsigned long column, const char *text, size_t size)
{
    struct sheet_row *row = &s->row;
    if (is_blank(text, 0, size) || s->w->status)
        return;
    if (column >= SHEET_MAX_COLUMNS || ++s->total > SHEET_MAX_CELLS) {
        writer_fail(s->w, RAG_INPUT, "a sheet with more than %d columns or %d cells",
                    SHEET_MAX_COLUMNS, SHEET_MAX_CELLS);
        return;
    }
    if (!array_reserve(&row->cells, &row->capacity, row->count + 1, sizeof *row->cells)) {
        writer_fail(s->w, RAG_MEMORY, "out of memory");
        return;
    }
    row->cells[row->count].column = column;
    row->cells[row->count].begin = row->text.size;
    if (!buf_append(&row->text, text, size))
        writer_fail(s->w, RAG_MEMORY, "out of memory");
    row->cells[row->count++].end = row->text.size;
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

static void clear_row(struct sheet_row *row)
{
    row->count = 0;
    buf_clear(&row->text);
}

static void mark_place(struct sheet *s, const struct sheet_row *row)
{
    char name[32];
    name_cell(name, row->number, row->cells[0].column);
    writer_place(s->w, PLACE_CELL, 0, name);
}

static void write_row(struct sheet *s, struct sheet_row *row)
{
    unsigned long next = s->column;
    mark_place(s, row);
    writer_row(s->w);
    for (size_t i = 0; i < row->count; i++) {
        unsigned long column = row->cells[i].column;
        if (column > next && column - next <= MAX_GAP)
            for (; next < column; next++)
                writer_cell(s->w);
        writer_cell(s->w);
        writer_text(s->w, row->text.data + row->cells[i].begin,
                    row->cells[i].end - row->cells[i].begin);
        next = column + 1;
    }
    s->last_row = row->number;
    clear_row(row);
}

/* Begins the table whose first row is waiting; `column`: where the row behind it begins. */
static void begin_table(struct sheet *s, unsigned long column)
{
    if (!s->first.count)
        return;
    s->column = s->first.cells[0].column < column ? s->first.cells[0].column : column;
    writer_table_begin(s->w);
    s->table = true;
    write_row(s, &s->first);
}

static void end_table(struct sheet *s)
{
    begin_table(s, SHEET_MAX_COLUMNS);
    if (s->table)
        writer_table_end(s->w);
    s->table = false;
}

static void write_title(struct sheet *s, struct sheet_row *row)
{
    mark_place(s, row);
    writer_begin(s->w, BLOCK_PARAGRAPH, 0);
    writer_text(s->w, row->text.data, row->text.size);
    writer_end(s->w);
    s->last_row = row->number;
    clear_row(row);
}

void sheet_row_end(struct sheet *s)
{
    struct sheet_row *row = &s->row;
    if (row->count == 0)
        return;
    unsigned long before = s->first.count ? s->first.number : s->last_row;
    unsigned long column = row->cells[0].column;
    /* One that begins further left than its table has no place in it. */
    if (row->number > before + 1 || (s->table && column < s->column))
        end_table(s);
    begin_table(s, column);
    if (s->table) {
        write_row(s, row);
    } else if (row->count == 1) {
        write_title(s, row);
    } else {
        struct sheet_row waiting = *row;
        *row = s->first;
        s->first = waiting;
    }
}

void sheet_row(struct sheet *s, unsigned long number)
{
    sheet_row_end(s);
    s->row.number = number;
}

void sheet_end(struct sheet *s)
{
    sheet_row_end(s);
    end_table(s);
    writer_end(s->w);
}

void sheet_begin(struct sheet *s, uint32_t number, const char *name)
{
    sheet_end(s);
    writer_place(s->w, PLACE_SHEET, number, name);
    writer_begin(s->w, BLOCK_HEADING, 1);
    writer_string(s->w, name);
    writer_end(s->w);
    s->last_row = s->row.number = 0;
}
