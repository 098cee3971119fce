/* plain.h - the reader of plain text (plain.c says what it takes as a heading). */
#ifndef RAG_DOCUMENTS_PLAIN_H
#define RAG_DOCUMENTS_PLAIN_H

#include "documents/document.h"

/* Fills the document's blocks from its text. */
CHECKED rag_status plain_read(struct document *document, rag_error *error);

/* The same of text[begin, end) alone, which are whole lines. */
CHECKED rag_status plain_read_lines(struct document *document, size_t begin, size_t end,
                                    rag_error *error);

/* The level of a line that counts as a heading does ("1.2 Title", "Chapter 3. Title"), 0 if it
 * does not. */
unsigned plain_counted_level(const char *line, size_t size);

#endif
