/* page.h - the parts of an answer's HTML page.
 *
 * Nothing of a document or a language model becomes markup but by these functions: text is
 * escaped, Markdown goes through cmark in its safe mode, which leaves raw HTML and script links
 * out. The page loads nothing: its policy (Content-Security-Policy) allows its own style and
 * script by their hashes, and no other source at all. */
#ifndef RAG_PIPELINE_PAGE_H
#define RAG_PIPELINE_PAGE_H

#include "base/buf.h"

#include <stdbool.h>

/* Appends text with & < > " escaped; control characters but tab and newline are left out. */
CHECKED bool page_text(struct buf *out, rag_text text);

/* The same, with its LaTeX formulas as elements that the page's script renders. *formulas
 * becomes true if there are any. */
CHECKED bool page_text_with_formulas(struct buf *out, rag_text text, bool *formulas);

/* A note in an answer's text, by the place that it stands at. */
struct page_note {
    size_t position; /* byte of the text */
    size_t size;     /* bytes that it takes the place of: a marker; 0 for a doubt */
    size_t number;   /* of the passage; 0 for a doubt */
    const char *why; /* of a doubt */
};

/* Appends Markdown as HTML: markers as links to #pN, doubts as marks. notes: by position. */
CHECKED rag_status page_markdown(struct buf *out, rag_text text, const struct page_note *notes,
                                 size_t count, bool *formulas, rag_error *error);

/* From the doctype to the beginning of the body, and its end. title: plain text. */
CHECKED rag_status page_begin(struct buf *out, rag_text title, bool formulas, rag_error *error);
CHECKED bool page_end(struct buf *out, bool formulas);

#endif
