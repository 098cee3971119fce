/* sheet.h - a spreadsheet's sheet as text: stretches of rows without an empty one between them
 * are tables, a row with one cell before a table is its title. A table begins with the column
 * in which one of its first two rows does, so that its columns stand under each other. */
#ifndef RAG_READERS_SHEET_H
#define RAG_READERS_SHEET_H

#include "readers/writer.h"

enum {
    SHEET_MAX_COLUMNS = 16384,
    SHEET_MAX_CELLS = 20000000, /* with text, in all sheets */
};

struct sheet_cell {
    unsigned long column; /* from 0 */
    size_t begin, end;    /* in its row's text */
};

struct sheet_row {
    unsigned long number; /* from 1; 0: none */
    struct sheet_cell *cells;
    size_t count, capacity;
    struct buf text;
};

struct sheet {
    struct writer *w;
    struct sheet_row row;   /* in hand */
    struct sheet_row first; /* of a table that is not begun yet; count 0: there is none */
    bool table;             /* one is begun */
    unsigned long column;   /* of the table, its first one */
    unsigned long last_row; /* that was written, 0: none */
    size_t total;           /* cells so far */
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
