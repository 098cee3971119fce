/* blocks.h - what readers of formats that are text share: lines, and blocks of whole lines. */
#ifndef RAG_READERS_BLOCKS_H
#define RAG_READERS_BLOCKS_H

#include "documents/lines.h"
#include "readers/reader.h"

struct blocks {
    struct document *document;
    const char *text;
    size_t size;
    bool failed; /* out of memory */
};

struct blocks blocks_of(const struct input *input, struct document *document);

/* What a reader ends with. */
CHECKED rag_status blocks_finish(const struct blocks *b, rag_error *error);

/* The beginning of the line behind the one at `at`; size at the end. */
size_t blocks_next_line(const struct blocks *b, size_t at);

/* Adds the lines that begin in [begin, end), less the blank ones around them. */
void blocks_push(struct blocks *b, enum block_kind kind, unsigned level, size_t begin,
                 size_t end);

/* The same as a table whose header's lines are [begin, header). */
void blocks_push_table(struct blocks *b, size_t begin, size_t header, size_t end);

/* The same as a heading, whose title is [name, name_end), less the blanks around it. */
void blocks_push_heading(struct blocks *b, unsigned level, size_t begin, size_t end,
                         size_t name, size_t name_end, enum title_markup markup);

/* Whether the line at `at`, its leading blanks left out, begins with these words. */
bool blocks_line_begins(const struct blocks *b, size_t at, const char *words);
bool blocks_line_begins_any_case(const struct blocks *b, size_t at, const char *words);

/* The columns of blanks in front of the line; a tab is 8. */
size_t blocks_indent(const struct blocks *b, size_t at);

bool blocks_line_is_blank(const struct blocks *b, size_t at);

/* The end of the lines from `at` on that are blank or indented more than `indent`; blank ones
 * at the end are not taken. */
size_t blocks_indented_end(const struct blocks *b, size_t at, size_t indent);

/* The end of the paragraph at `at`: the next blank line. */
size_t blocks_paragraph_end(const struct blocks *b, size_t at);

/* "- ", "* ", "+ ", "1. ", "2) ", "a. ": whether the line is an item of a list in most markups.
 */
bool blocks_is_item(const struct blocks *b, size_t at);

#endif
