/* sheet.h - a spreadsheet's sheet as text: stretches of rows without an empty one between them
 * are tables, a row with one cell before a table is its title. */
#ifndef RAG_READERS_SHEET_H
#define RAG_READERS_SHEET_H

#include "readers/writer.h"

enum {
    SHEET_MAX_COLUMNS = 16384,
    SHEET_MAX_CELLS = 20000000, /* with text, in all sheets */
};

struct sheet {
    struct writer *w;
    unsigned long row, last_row; /* from 1; last_row: written last, 0: none */
    bool table;
    size_t total; /* cells so far */
    /* The row in hand: its cells' columns and texts. */
    struct {
        unsigned long column; /* from 0 */
        size_t begin, end;
    } * cells;
    size_t count, capacity;
    struct buf text;
};

void sheet_init(struct sheet *sheet, struct writer *w);
void sheet_release(struct sheet *sheet);

/* Begins a sheet, ending the one before. */
void sheet_begin(struct sheet *sheet, uint32_t number, const char *name);

/* Begins a row; rows come in order. */
void sheet_row(struct sheet *sheet, unsigned long row);

/* Adds a cell to the row; one without text is none. */
void sheet_cell(struct sheet *sheet, unsigned long column, const char *text, size_t size);

/* Ends the row. */
void sheet_row_end(struct sheet *sheet);

void sheet_end(struct sheet *sheet);

#endif
