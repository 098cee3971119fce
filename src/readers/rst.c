/* reStructuredText, as docutils 0.19 defines it: sections by their underlines, literal blocks,
 * directives, grid and simple tables, lists. */
#include "readers/blocks.h"
#include "text/utf8.h"

#include <string.h>

enum {
    MAX_ADORNMENTS = 16,
    MAX_TITLE = 400, /* bytes */
};

struct rst {
    struct blocks b;
    /* Sections' marks in the order of their appearance: the character, and whether above too.
     */
    char adornments[MAX_ADORNMENTS][2];
    unsigned count;
};

/* ---- Sections --------------------------------------------------------------- */

/* The character of a line that is made of one mark only, at least `least` of it; 0: it is not.
 */
static char adornment(const struct blocks *b, size_t at, size_t least)
{
    size_t end = trim_end(b->text, at, line_end(b->text, b->size, at));
    if (end == at || end - at < least ||
        !strchr("=-`:.'\"~^_*+#<>!$%&(),/;?@[\\]{|}", b->text[at]))
        return 0;
    for (size_t i = at; i < end; i++)
        if (b->text[i] != b->text[at])
            return 0;
    return b->text[at];
}

/* Columns: wide characters take two. */
static size_t width(const struct blocks *b, size_t begin, size_t end)
{
    size_t columns = 0, n;
    for (size_t i = begin; i < end; i += n)
        columns += utf8_decode(b->text + i, end - i, &n) >= 0x1100 ? 2 : 1;
    return columns;
}

static unsigned level_of(struct rst *r, char mark, bool above)
{
    for (unsigned i = 0; i < r->count; i++)
        if (r->adornments[i][0] == mark && r->adornments[i][1] == (char)above)
            return i + 1;
    if (r->count == MAX_ADORNMENTS)
        return MAX_ADORNMENTS;
    r->adornments[r->count][0] = mark;
    r->adornments[r->count][1] = (char)above;
    return ++r->count;
}

/* A title with its underline, or with lines above and below; at: there is none. */
static size_t push_section(struct rst *r, size_t at)
{
    struct blocks *b = &r->b;
    char above = adornment(b, at, 2);
    size_t title = above ? blocks_next_line(b, at) : at;
    size_t under = blocks_next_line(b, title);
    size_t end = trim_end(b->text, title, line_end(b->text, b->size, title));
    if (title >= b->size || under >= b->size || end == title || end - title > MAX_TITLE ||
        (!above && is_blank_byte(b->text[title])))
        return at;
    size_t columns = width(b, skip_blanks(b->text, title, end), end);
    char below = adornment(b, under, columns > 4 ? columns * 3 / 4 : columns);
    if (!below || (above && above != below) || adornment(b, title, 1))
        return at;
    blocks_push_heading(b, level_of(r, below, above != 0), at,
                        line_end(b->text, b->size, under), title, end, TITLE_PLAIN);
    return blocks_next_line(b, under);
}

/* ---- Tables ----------------------------------------------------------------- */

/* "=====  ===": columns of a simple table. */
static bool is_simple_border(const struct blocks *b, size_t at)
{
    size_t end = trim_end(b->text, at, line_end(b->text, b->size, at)), blanks = 0;
    at = skip_blanks(b->text, at, end);
    if (end - at < 5)
        return false;
    for (size_t i = at; i < end; i++) {
        if (b->text[i] != '=' && b->text[i] != ' ')
            return false;
        blanks += b->text[i] == ' ';
    }
    return blanks > 0;
}

static size_t push_table(struct blocks *b, size_t at)
{
    size_t end = at, header = at;
    if (blocks_line_begins(b, at, "+-") || blocks_line_begins(b, at, "+=")) {
        while (end < b->size &&
               (blocks_line_begins(b, end, "+") || blocks_line_begins(b, end, "|"))) {
            if (header == at && blocks_line_begins(b, end, "+="))
                header = blocks_next_line(b, end);
            end = blocks_next_line(b, end);
        }
    } else if (is_simple_border(b, at)) {
        /* Border, header, border, rows, border; or border, rows, border. */
        size_t borders = 0;
        while (end < b->size && !(borders >= 2 && blocks_line_is_blank(b, end))) {
            bool border = is_simple_border(b, end);
            borders += border;
            end = blocks_next_line(b, end);
            if (border && borders == 2 && end < b->size && !blocks_line_is_blank(b, end))
                header = end;
            if (border && borders == 3)
                break;
        }
    }
    if (end > at)
        blocks_push_table(b, at, header, end);
    return end;
}

/* ---- Directives ------------------------------------------------------------- */

static enum block_kind directive_kind(const struct blocks *b, size_t at)
{
    static const struct {
        const char *name;
        enum block_kind kind;
    } known[] = {{".. code", BLOCK_CODE},
                 {".. sourcecode::", BLOCK_CODE},
                 {".. parsed-literal::", BLOCK_CODE},
                 {".. prompt::", BLOCK_CODE},
                 {".. highlight::", BLOCK_OTHER},
                 {".. doctest::", BLOCK_CODE},
                 {".. testcode::", BLOCK_CODE},
                 {".. math::", BLOCK_FORMULA},
                 {".. list-table::", BLOCK_TABLE},
                 {".. csv-table::", BLOCK_TABLE},
                 {".. image::", BLOCK_OTHER},
                 {".. toctree::", BLOCK_OTHER},
                 {".. contents::", BLOCK_OTHER},
                 {".. include::", BLOCK_OTHER},
                 {".. raw::", BLOCK_OTHER},
                 {".. index::", BLOCK_OTHER},
                 {".. _", BLOCK_OTHER}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (blocks_line_begins(b, at, known[i].name))
            return known[i].kind;
    size_t end = line_end(b->text, b->size, at);
    /* "name::" is a directive with text in it, the rest is a comment. */
    return memmem(b->text + at, end - at, "::", 2) || blocks_line_begins(b, at, ".. [")
               ? BLOCK_PARAGRAPH
               : BLOCK_OTHER;
}

static size_t push_directive(struct blocks *b, size_t at)
{
    enum block_kind kind = directive_kind(b, at);
    size_t indent = blocks_indent(b, at), line = blocks_next_line(b, at);
    size_t end = blocks_indented_end(b, line, indent);
    if (end < line)
        end = line;
    if (kind == BLOCK_PARAGRAPH) {
        /* Its paragraphs are read like others; the first goes with the directive. */
        size_t first = blocks_paragraph_end(b, line);
        end = first > line && first < end ? first : end > line && first > line ? end : line;
    }
    blocks_push(b, kind, 0, at, end);
    return end;
}

/* ---- Text ------------------------------------------------------------------- */

/* A paragraph or an item; if it ends with "::", the literal block behind it too. */
static size_t push_text(struct blocks *b, size_t at)
{
    bool item = blocks_is_item(b, at) || blocks_line_begins(b, at, "#. ");
    size_t indent = blocks_indent(b, at), end = blocks_next_line(b, at);
    while (end < b->size && !blocks_line_is_blank(b, end) &&
           (!item || blocks_indent(b, end) > indent) && !blocks_line_begins(b, end, ".. "))
        end = blocks_next_line(b, end);
    enum block_kind kind = item ? BLOCK_LIST_ITEM : indent ? BLOCK_QUOTE : BLOCK_PARAGRAPH;
    if (blocks_line_begins(b, at, ">>> "))
        kind = BLOCK_CODE;
    blocks_push(b, kind, item ? 1 + (unsigned)(indent < 60 ? indent / 2 : 30) : 0, at, end);
    size_t last = trim_end(b->text, at, end);
    if (last - at < 2 || memcmp(b->text + last - 2, "::", 2) != 0)
        return end;
    size_t literal = blocks_indented_end(b, end, indent);
    if (literal > end)
        blocks_push(b, BLOCK_CODE, 0, end, literal);
    return literal > end ? literal : end;
}

static rag_status read_rst(const struct input *input, struct document *document,
                           rag_error *error)
{
    struct rst r = {.b = blocks_of(input, document)};
    struct blocks *b = &r.b;
    for (size_t at = byte_order_mark(b->text, b->size); at < b->size && !b->failed;) {
        if (blocks_line_is_blank(b, at)) {
            at = blocks_next_line(b, at);
            continue;
        }
        size_t next = push_section(&r, at);
        if (next == at)
            next = push_table(b, at);
        if (next == at && blocks_line_begins(b, at, ".. "))
            next = push_directive(b, at);
        at = next > at ? next : push_text(b, at);
    }
    return blocks_finish(b, error);
}

const struct reader rst_reader = {"rst", true, read_rst};
