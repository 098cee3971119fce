/* writer.h - how readers make a document's text: block by block, between which stands an empty
 * line, with white space collapsed as a browser does.
 *
 * A failure (out of memory, too long) is kept and the calls that follow do nothing: what counts
 * is the status of writer_finish. Strings must be UTF-8; what is not, control characters, and
 * U+FFFD, which stands for what another program could not read, are left out. */
#ifndef RAG_READERS_WRITER_H
#define RAG_READERS_WRITER_H

#include "documents/document.h"

#include <jansson.h>

enum {
    WRITER_MAX_COLUMNS = 16384, /* of a table */
};

struct writer {
    struct document *document;
    rag_error *error;
    rag_status status;
    /* The block in hand. */
    bool open;
    struct block block;
    bool verbatim;   /* white space counts */
    bool space;      /* there was some since the last character */
    char prefix[64]; /* of an item, before its first character */
    size_t newlines; /* wanted before the next character */
    /* The table in hand. */
    unsigned tables;               /* tables in tables: only the outermost one is a table */
    unsigned rows, columns, cells; /* columns: of the first row; cells: of this one */
    bool in_cell;
    /* Marks that wait for the next character. */
    struct place pending[PLACE_KINDS];
    struct buf pending_names[PLACE_KINDS];
    bool is_pending[PLACE_KINDS];
    json_t *metadata;
};

void writer_init(struct writer *w, struct document *document, rag_error *error);

/* Ends the block in hand and gives the metadata to the document. */
CHECKED rag_status writer_finish(struct writer *w);

/* Begins a block, ending the one before. Without text it leaves nothing. In a cell of a table
 * it is only a blank. */
void writer_begin(struct writer *w, enum block_kind kind, unsigned level);
void writer_end(struct writer *w);

/* Begins an item of a list, whose depth counts from 1: "- " or "1. " and its like before it. */
void writer_item(struct writer *w, unsigned depth, const char *mark);

/* Appends to the block in hand, or to a new paragraph. */
void writer_text(struct writer *w, const char *text, size_t size);
void writer_string(struct writer *w, const char *text);
void writer_format(struct writer *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A new line within the block. */
void writer_break(struct writer *w);
void writer_space(struct writer *w);

/* A table as Markdown writes it: a line a row, the first one as its header. */
void writer_table_begin(struct writer *w);
void writer_row(struct writer *w);
void writer_cell(struct writer *w);
void writer_table_end(struct writer *w);

/* Marks where the next text is from. name: NULL or copied. */
void writer_place(struct writer *w, enum place_kind kind, uint32_t number, const char *name);

/* A member of the metadata; the first value of a key counts. Empty ones are left out. */
void writer_metadata(struct writer *w, const char *key, const char *value, size_t size);

/* A file in the file: its text is to stand here, with headings `level` deeper. */
void writer_part(struct writer *w, const char *name, const void *bytes, size_t size,
                 unsigned level);

/* Says that something in the file could not be read. */
void writer_warn(struct writer *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Keeps a failure; the first one counts. */
void writer_fail(struct writer *w, rag_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
