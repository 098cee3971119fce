/* chunks.h - what the chunkers share: the work in hand, and adding a chunk to the list. */
#ifndef RAG_DOCUMENTS_CHUNKS_H
#define RAG_DOCUMENTS_CHUNKS_H

#include "documents/chunker.h"
#include "documents/sections.h"

struct chunks {
    const struct document *document;
    const struct tokenizer *tokenizer;
    const struct chunker_options *options;
    struct sections sections;
    size_t *contexts; /* [sections] tokens of what is embedded before a text; structure alone */
    struct chunk_list *out;
    /* Where the last chunk begins and ends, to count lines in one pass. */
    size_t begin, end;
    uint32_t line, last_line;
};

/* Adds text[begin, end). Neither may be smaller than that of the chunk before it. `header`: the
 * table whose header is embedded before it, or NULL. */
CHECKED rag_status chunks_add(struct chunks *chunks, size_t begin, size_t end, size_t tokens,
                              size_t section, const struct block *header, rag_error *error);

#endif
