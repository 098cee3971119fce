/* Markdown: CommonMark 0.29 with GitHub's tables, front matter, and LaTeX formulas.
 *
 * Only blocks are needed, as ranges of whole lines. The text goes through three steps,
 * in pieces of about MARKDOWN_PIECE bytes so that memory stays bounded:
 *   markdown_outline.c  copies the lines with all inline markup made harmless, and
 *                       finds formulas and front matter;
 *   markdown_tree.c     lets cmark find the blocks of the copy;
 *   this file           turns its lines into bytes, splits tables from paragraphs, and
 *                       sees to it that every line that is not blank is in one block.
 * A piece ends before the last block that cmark saw in it, since more of that may
 * follow: the next piece begins there. At the top level the parser has no memory of what
 * came before, so that the blocks do not depend on the pieces (a test holds that; but
 * where a fence opens inside an HTML block or is left open in a list, whether a formula
 * behind it is seen as one may).
 *
 * Tables are GFM 4.10: a row of cells, then a row of as many "---" or ":-:", then all
 * further lines of the paragraph. cmark's own extension for them is not used: it makes
 * a node a cell, and fills up short rows, so that 1 MB can become many gigabytes. */
#include "documents/markdown.h"
#include "base/memory.h"
#include "documents/lines.h"

enum {
    PIECE_MAX = 1 << 28, /* a longer block is cut there */
    TITLE_MAX_LINES = 3, /* more lines before "---" are a paragraph above a rule */
};

struct conversion {
    struct document *document;
    const struct outline *outline;
    size_t next_line; /* all lines before are in a block, or blank */
    size_t next_region;
};

/* ---- Lines ------------------------------------------------------------------ */

static size_t line_begin(const struct conversion *c, size_t line)
{
    return c->outline->lines[line];
}

/* Without the newline, and without the blanks in front of it. */
static size_t line_stop(const struct conversion *c, size_t line)
{
    return trim_end(c->document->text.data, line_begin(c, line), line_begin(c, line + 1));
}

static bool line_is_blank(const struct conversion *c, size_t line)
{
    return line_stop(c, line) == line_begin(c, line);
}

/* Adds a block of the lines first..last, less the blank ones around them. */
static bool push_lines(struct conversion *c, struct block block, size_t first, size_t last)
{
    while (first <= last && line_is_blank(c, first))
        first++;
    if (first > last)
        return true;
    while (line_is_blank(c, last))
        last--;
    block.begin = line_begin(c, first);
    block.end = line_stop(c, last);
    return document_push(c->document, block);
}

/* ---- Headings --------------------------------------------------------------- */

/* "#" to "######" and a blank or the end: the number of marks, or 0. */
static size_t count_marks(const char *text, size_t begin, size_t end)
{
    size_t n = 0;
    while (begin + n < end && text[begin + n] == '#')
        n++;
    return n <= 6 && (begin + n == end || is_blank_byte(text[begin + n])) ? n : 0;
}

/* The title of an underlined heading is all before the underline. */
static void find_title(const char *text, struct block *heading, size_t begin, size_t end)
{
    begin = skip_blanks(text, begin, end);
    end = trim_end(text, begin, end);
    size_t marks = count_marks(text, begin, end);
    if (marks) {
        begin = skip_blanks(text, begin + marks, end);
        size_t closing = end;
        while (closing > begin && text[closing - 1] == '#')
            closing--;
        if (closing == begin || is_blank_byte(text[closing - 1]))
            end = trim_end(text, begin, closing);
    }
    heading->name_begin = begin;
    heading->name_end = end;
}

/* The last line of a heading. cmark gives an underlined one the line behind it too. */
static size_t heading_last(const struct conversion *c, size_t first, size_t last)
{
    const char *text = c->document->text.data;
    size_t stop = line_stop(c, first);
    if (count_marks(text, skip_blanks(text, line_begin(c, first), stop), stop))
        return first;
    for (size_t line = first + 1; line <= last; line++) {
        stop = line_stop(c, line);
        size_t at = skip_blanks(text, line_begin(c, line), stop);
        char mark = at < stop ? text[at] : 0;
        while (at < stop && text[at] == mark)
            at++;
        if ((mark == '=' || mark == '-') && at == stop)
            return line;
    }
    return last;
}

static bool push_heading(struct conversion *c, unsigned level, size_t first, size_t last)
{
    if (last - first > TITLE_MAX_LINES)
        return push_lines(c, (struct block){.kind = BLOCK_PARAGRAPH}, first, last);
    struct block block = {.kind = BLOCK_HEADING, .level = level, .markup = TITLE_MARKDOWN};
    size_t title_last = last > first ? last - 1 : last;
    find_title(c->document->text.data, &block, line_begin(c, first), line_stop(c, title_last));
    return push_lines(c, block, first, last);
}

/* ---- Tables ----------------------------------------------------------------- */

/* The number of cells of a row, 0 if the line has no "|". */
static size_t count_cells(const char *text, size_t begin, size_t end)
{
    begin = skip_blanks(text, begin, end);
    size_t pipes = 0, inner = 0;
    for (size_t i = begin; i < end; i++) {
        if (text[i] == '\\')
            i++;
        else if (text[i] == '|') {
            pipes++;
            inner += i > begin && i + 1 < end;
        }
    }
    return pipes ? inner + 1 : 0;
}

static bool is_delimiter_row(const char *text, size_t begin, size_t end)
{
    bool dash = false;
    for (size_t i = skip_blanks(text, begin, end); i < end; i++) {
        char c = text[i];
        if (c != '-' && c != ':' && c != '|' && c != ' ' && c != '\t')
            return false;
        dash |= c == '-';
        if (c == ':' && i > begin && i + 1 < end && text[i - 1] == '-' && text[i + 1] == '-')
            return false;
    }
    return dash;
}

static bool push_paragraph(struct conversion *c, size_t first, size_t last)
{
    const char *text = c->document->text.data;
    for (size_t line = first; line < last; line++) {
        size_t under = line_begin(c, line + 1), under_end = line_stop(c, line + 1);
        if (!is_delimiter_row(text, under, under_end))
            continue;
        size_t cells = count_cells(text, line_begin(c, line), line_stop(c, line));
        if (!cells || cells != count_cells(text, under, under_end))
            continue;
        struct block paragraph = {.kind = BLOCK_PARAGRAPH};
        struct block table = {.kind = BLOCK_TABLE, .header_end = under_end};
        return (line == first || push_lines(c, paragraph, first, line - 1)) &&
               push_lines(c, table, line, last);
    }
    return push_lines(c, (struct block){.kind = BLOCK_PARAGRAPH}, first, last);
}

/* ---- From nodes to blocks --------------------------------------------------- */

/* The region that holds the line, NULL if it is in none. Lines are asked for in order. */
static const struct region *region_of(struct conversion *c, size_t line)
{
    const struct outline *o = c->outline;
    while (c->next_region < o->region_count && o->regions[c->next_region].last < line)
        c->next_region++;
    if (c->next_region == o->region_count || o->regions[c->next_region].first > line)
        return NULL;
    return &o->regions[c->next_region];
}

/* Adds the lines before `line` that no block has taken. */
static bool push_rest(struct conversion *c, size_t line)
{
    bool ok = c->next_line >= line ||
              push_lines(c, (struct block){.kind = BLOCK_OTHER}, c->next_line, line - 1);
    if (c->next_line < line)
        c->next_line = line;
    return ok;
}

/* `end` is the line before which the node must end: where the next one begins, for cmark
 * lets some blocks end a line late. */
static bool push_node(struct conversion *c, const struct node *node, size_t end)
{
    size_t first = node->first, last = node->last < end ? node->last : end - 1;
    enum block_kind kind = node->kind;
    const struct region *region = kind == BLOCK_OTHER ? region_of(c, first) : NULL;
    if (region) {
        first = region->first;
        last = region->last;
        kind = region->kind;
    }
    if (first < c->next_line)
        first = c->next_line;
    if (kind == BLOCK_HEADING && first <= last)
        last = heading_last(c, first, last);
    if (first > last)
        return true;
    if (!push_rest(c, first))
        return false;
    c->next_line = last + 1;
    switch (kind) {
    case BLOCK_HEADING:
        return push_heading(c, node->level, first, last);
    case BLOCK_PARAGRAPH:
        return push_paragraph(c, first, last);
    default:
        return push_lines(c, (struct block){.kind = kind, .level = node->level}, first, last);
    }
}

/* The line before which a piece ends: that of its last block at the top level, or of the
 * region that this is a part of. 0: there is one block only. */
static size_t last_start(const struct outline *outline, const struct node_list *nodes)
{
    size_t n = nodes->count;
    while (n > 0 && !nodes->nodes[n - 1].top)
        n--;
    size_t line = n > 0 ? nodes->nodes[n - 1].first : 0;
    for (size_t i = outline->region_count; i-- > 0;)
        if (outline->regions[i].first <= line)
            return outline->regions[i].last >= line ? outline->regions[i].first : line;
    return line;
}

static bool push_piece(struct document *document, const struct outline *outline,
                       const struct node_list *nodes, size_t line_count)
{
    struct conversion c = {.document = document, .outline = outline};
    for (size_t i = 0; i < nodes->count && nodes->nodes[i].first < line_count; i++) {
        size_t end = line_count;
        if (i + 1 < nodes->count && nodes->nodes[i + 1].first < end)
            end = nodes->nodes[i + 1].first;
        if (nodes->nodes[i].first < end && !push_node(&c, &nodes->nodes[i], end))
            return false;
    }
    return push_rest(&c, line_count);
}

rag_status markdown_read(struct document *document, size_t piece, rag_error *error)
{
    const char *text = document->text.data;
    size_t size = document->text.size, at = byte_order_mark(text, size), length = piece;
    struct outline outline = {0};
    struct node_list nodes = {0};
    rag_status status = RAG_OK;
    while (at < size) {
        size_t end = size - at > length ? at + length : size;
        status = outline_read(&outline, text, size, at, end, error);
        if (!status)
            status = tree_read(&outline, &nodes, error);
        if (status)
            break;
        size_t lines = outline.line_count;
        if (outline.lines[lines] < size && length < PIECE_MAX) {
            lines = last_start(&outline, &nodes);
            if (lines == 0) {
                length *= 2;
                continue;
            }
        }
        if (!push_piece(document, &outline, &nodes, lines)) {
            status = fail_memory(error);
            break;
        }
        at = outline.lines[lines];
        length = piece;
    }
    free(nodes.nodes);
    outline_release(&outline);
    return status;
}
