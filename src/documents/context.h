/* context.h - what is embedded before a chunk's text: where it stands.
 *
 * A line each: the document's title (context document), the heading path (heading, document),
 * and, of a chunk that begins among the later rows of a table, the rows of the table's header.
 * It is not stored with the chunk: all of it is found again from the document. */
#ifndef RAG_DOCUMENTS_CONTEXT_H
#define RAG_DOCUMENTS_CONTEXT_H

#include "documents/chunks.h"

/* Appends the context of a text in a chunk of at most max_tokens, each line with its newline.
 * title, heading: "" if none. So that they take no more than their part of the chunk whatever
 * the tokenizer, a heading path has at most a quarter as many bytes as the chunk has tokens
 * (its outermost titles are left out), and a title an eighth (its end is cut off). */
CHECKED bool context_append(rag_context context, size_t max_tokens, const char *title,
                            const char *heading, rag_text header, struct buf *out);

/* What `taken` tokens leave of `size`: at least one, since a few bytes can normalise to many
 * tokens. */
static inline size_t context_leaves(size_t size, size_t taken)
{
    return size > taken ? size - taken : 1;
}

/* [sections.count] the tokens that the context takes in each section, to be freed. */
CHECKED rag_status section_contexts(const struct chunks *chunks, size_t **out,
                                    rag_error *error);

#endif
