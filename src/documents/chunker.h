/* chunker.h - cutting a document into chunks of tokens.
 *
 * structure (default): blocks stay whole where they fit; a chunk never crosses into another
 * section unless both are small parts of the same one; too long paragraphs are cut
 * at sentences, code and tables at lines, and only then between characters. Overlap is
 * made of whole sentences. A table's later rows get its header in front (context.h). Never more
 * than max_tokens, with the context.
 *
 * window: the token windows of the system that rag replaces. N tokens in the whole text,
 * M = max_tokens, C = min(overlap, M-1), step = M-C; for pos = 0, step, 2*step .. < N:
 * start = max(0, pos-C), end = min(N, start+M), and if start > 0 and N-start < M the window
 * is [max(0, N-M), N). A window edge inside a character moves to the character's start. */
#ifndef RAG_DOCUMENTS_CHUNKER_H
#define RAG_DOCUMENTS_CHUNKER_H

#include "documents/document.h"
#include "text/tokenizer.h"

struct chunk {
    size_t begin, end;               /* bytes of the document's text; not empty */
    size_t header_begin, header_end; /* the rows of a table's header that are embedded before
                                        it; equal: none */
    uint32_t line, last_line;        /* from 1, inclusive */
    size_t tokens;                   /* of text[begin, end), no special tokens */
    char *heading;                   /* "A > B > C", "" if none */
    char *place;                     /* "page 3", "page 3 to page 4"; NULL: the lines tell */
};

struct chunk_list {
    struct chunk *chunks;
    size_t count, capacity;
};

void chunk_list_release(struct chunk_list *list);

struct chunker_options {
    rag_chunker chunker;
    size_t max_tokens; /* > 0; of structure's chunks with their context */
    size_t overlap;    /* < max_tokens */
    rag_context context;
};

/* Replaces `out` by the document's chunks, in order. Only white space of the text is in
 * no chunk. */
CHECKED rag_status chunk_document(const struct document *document,
                                  const struct tokenizer *tokenizer,
                                  const struct chunker_options *options, struct chunk_list *out,
                                  rag_error *error);

#endif
