/* window.h - the arithmetic of token windows, and the chunker that uses it. */
#ifndef RAG_DOCUMENTS_WINDOW_H
#define RAG_DOCUMENTS_WINDOW_H

#include "documents/chunks.h"

struct window {
    size_t start, end; /* tokens, end exclusive */
};

/* How many windows `tokens` tokens give: ceil(tokens / (size - overlap)). overlap is
 * taken as at most size - 1; size > 0. */
size_t window_count(size_t tokens, size_t size, size_t overlap);

/* The window of number i, as chunker.h defines it. */
struct window window_at(size_t tokens, size_t size, size_t overlap, size_t i);

CHECKED rag_status window_chunks(struct chunks *chunks, rag_error *error);

#endif
