/* markdown.h - the parts of the Markdown reader (markdown.c says how they work together). */
#ifndef RAG_DOCUMENTS_MARKDOWN_H
#define RAG_DOCUMENTS_MARKDOWN_H

#include "documents/document.h"

enum { MARKDOWN_PIECE = 1 << 20 };

/* Fills the document's blocks from its text, in pieces of about so many bytes, MARKDOWN_PIECE
 * unless it is tested; the blocks do not depend on it. */
CHECKED rag_status markdown_read(struct document *document, size_t piece, rag_error *error);

/* ---- markdown_outline.c: the lines as the block parser is to see them ---- */

/* Lines that are one block by rules of ours: a formula, or the front matter. */
struct region {
    enum block_kind kind;
    size_t first, last; /* lines, from 0, within the outline */
};

/* Some lines of the text, and for each a line of `outline` with the same structure. */
struct outline {
    size_t *lines; /* [line_count + 1]: where each begins; the last: behind them all */
    size_t line_count, line_capacity;
    struct region *regions; /* in order */
    size_t region_count, region_capacity;
    struct buf outline;
};

void outline_release(struct outline *outline);

enum { FRONT_MATTER_MAX_BYTES = 1 << 16 };

/* The end of the line that closes the front matter (YAML between "---" lines, TOML between
 * "+++") that begins at `begin`, the start of a text; 0: there is none. */
size_t front_matter_end(const char *text, size_t size, size_t begin);

/* Fills `outline` from the lines in text[begin, end); more lines are taken where a region
 * reaches beyond the end. Whatever was in it is replaced. */
CHECKED rag_status outline_read(struct outline *outline, const char *text, size_t size,
                                size_t begin, size_t end, rag_error *error);

/* ---- markdown_tree.c: cmark's tree of an outline ---- */

/* A block at the top level or in a list, with what cmark says about it. */
struct node {
    enum block_kind kind;
    unsigned level;
    size_t first, last; /* lines, from 0 */
    bool top;           /* the first of a new child of the document */
};

struct node_list {
    struct node *nodes;
    size_t count, capacity;
};

/* Replaces `out` by the blocks of an outline, in order. */
CHECKED rag_status tree_read(const struct outline *outline, struct node_list *out,
                             rag_error *error);

#endif
