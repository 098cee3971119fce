/* AsciiDoc: sections ("== Title", or underlined), delimited blocks, tables, lists. */
#include "readers/blocks.h"
#include "readers/writer.h"
#include "text/utf8.h"

#include <string.h>

enum {
    MAX_TITLE = 400,     /* bytes */
    MAX_ATTRIBUTES = 16, /* lines that belong to the block behind them */
};

static size_t stop_of(const struct blocks *b, size_t at)
{
    return trim_end(b->text, at, line_end(b->text, b->size, at));
}

/* ---- Sections --------------------------------------------------------------- */

static size_t push_section(struct blocks *b, size_t at)
{
    size_t end = stop_of(b, at), n = 0;
    char mark = b->text[at];
    while (at + n < end && (mark == '=' || mark == '#') && b->text[at + n] == mark)
        n++;
    if (n == 0 || n > 6 || at + n >= end || b->text[at + n] != ' ')
        return at;
    blocks_push_heading(b, (unsigned)n, at, end, at + n, end, TITLE_PLAIN);
    return blocks_next_line(b, at);
}

static size_t characters(const struct blocks *b, size_t begin, size_t end)
{
    size_t count = 0, n;
    for (size_t i = begin; i < end; i += n, count++)
        utf8_decode(b->text + i, end - i, &n);
    return count;
}

/* A title with a line of "=", "-", "~", "^" or "+" below it, about as long. */
static size_t push_underlined(struct blocks *b, size_t at)
{
    static const char marks[] = "=-~^+";
    size_t end = stop_of(b, at), under = blocks_next_line(b, at);
    if (under >= b->size || end - at > MAX_TITLE || end - at < 2 || is_blank_byte(b->text[at]))
        return at;
    size_t under_end = stop_of(b, under);
    const char *mark = under_end > under ? strchr(marks, b->text[under]) : NULL;
    size_t length = under_end - under, title = characters(b, at, end);
    if (!mark || !*mark || length + 2 < title || length > title + 2)
        return at;
    for (size_t i = under; i < under_end; i++)
        if (b->text[i] != *mark)
            return at;
    blocks_push_heading(b, 1 + (unsigned)(mark - marks), at, under_end, at, end, TITLE_PLAIN);
    return blocks_next_line(b, under);
}

/* ---- Delimited blocks ------------------------------------------------------- */

/* A line of four or more of a mark, or "|===", "```", "--". */
static bool is_delimiter(const struct blocks *b, size_t at, enum block_kind *kind)
{
    size_t end = stop_of(b, at), size = end - at;
    const char *line = b->text + at;
    if (size >= 3 && memcmp(line, "```", 3) == 0) {
        *kind = BLOCK_CODE;
        return true;
    }
    if (size >= 4 && strchr("|,:!", line[0]) && memcmp(line + 1, "===", 3) == 0) {
        *kind = BLOCK_TABLE;
        return true;
    }
    if (size < 4 || !strchr("-.+/_", line[0]))
        return false;
    for (size_t i = 1; i < size; i++)
        if (line[i] != line[0])
            return false;
    *kind = line[0] == '-' || line[0] == '.' ? BLOCK_CODE
            : line[0] == '_'                 ? BLOCK_QUOTE
                                             : BLOCK_OTHER;
    return true;
}

/* From the delimiter at `open` to its like; an unclosed one ends with its paragraph. `at` may
 * be before it, at the line "[source]" that belongs to it. */
static size_t push_delimited(struct blocks *b, size_t at, size_t open, enum block_kind kind)
{
    size_t size = stop_of(b, open) - open;
    bool fence = b->text[open] == '`';
    size_t end = blocks_next_line(b, open), header = at;
    bool closed = false;
    while (end < b->size && !closed) {
        size_t length = stop_of(b, end) - end;
        closed = fence ? length == 3 && memcmp(b->text + end, "```", 3) == 0
                       : length == size && memcmp(b->text + end, b->text + open, size) == 0;
        /* The first row, with an empty line behind it, is the header. */
        if (!closed && header == at && blocks_line_is_blank(b, end) &&
            end > blocks_next_line(b, open))
            header = end;
        end = blocks_next_line(b, end);
    }
    if (!closed)
        end = blocks_paragraph_end(b, open);
    if (kind == BLOCK_TABLE)
        blocks_push_table(b, at, header < end ? header : at, end);
    else
        blocks_push(b, kind, 0, at, end);
    return end;
}

/* ---- Text ------------------------------------------------------------------- */

/* "* ", "** ", ". ", ".. " and those of other markups, and "term::": the depth, 0: no item. */
static unsigned item_depth(const struct blocks *b, size_t at)
{
    size_t end = stop_of(b, at), begin = skip_blanks(b->text, at, end), n = 0;
    char mark = begin < end ? b->text[begin] : 0;
    while (begin + n < end && (mark == '*' || mark == '.') && b->text[begin + n] == mark)
        n++;
    if (n && n <= 6 && begin + n < end && b->text[begin + n] == ' ')
        return (unsigned)n;
    if (blocks_is_item(b, at))
        return 1;
    return end - begin > 2 && memcmp(b->text + end - 2, "::", 2) == 0 && b->text[end - 3] != ':'
               ? 1
               : 0;
}

static bool is_attribute_line(const struct blocks *b, size_t at)
{
    size_t end = stop_of(b, at);
    return end - at > 2 && b->text[at] == '[' && b->text[end - 1] == ']';
}

static size_t push_text(struct blocks *b, size_t at)
{
    unsigned depth = item_depth(b, at);
    size_t end = blocks_next_line(b, at);
    enum block_kind kind;
    while (end < b->size && !blocks_line_is_blank(b, end) && !is_delimiter(b, end, &kind) &&
           !(depth && item_depth(b, end)) && !is_attribute_line(b, end))
        end = blocks_next_line(b, end);
    bool comment = blocks_line_begins(b, at, "//");
    bool attribute = b->text[at] == ':' || is_attribute_line(b, at);
    bool literal = !depth && is_blank_byte(b->text[at]);
    kind = depth                  ? BLOCK_LIST_ITEM
           : comment || attribute ? BLOCK_OTHER
           : literal              ? BLOCK_CODE
                                  : BLOCK_PARAGRAPH;
    blocks_push(b, kind, depth, at, end);
    return end;
}

/* ":author: x" behind the title, and the title itself. */
static void read_attributes(const struct blocks *b, struct writer *w)
{
    static const struct {
        const char *attribute, *key;
    } known[] = {{"= ", "title"},
                 {":author:", "author"},
                 {":revdate:", "date"},
                 {":description:", "description"},
                 {":keywords:", "keywords"},
                 {":lang:", "language"}};
    for (size_t at = byte_order_mark(b->text, b->size);
         at < b->size && !blocks_line_is_blank(b, at); at = blocks_next_line(b, at))
        for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
            size_t n = strlen(known[i].attribute), end = stop_of(b, at);
            if (end > at + n && memcmp(b->text + at, known[i].attribute, n) == 0)
                writer_metadata(w, known[i].key, b->text + at + n, end - at - n);
        }
}

static size_t push_block(struct blocks *b, size_t at)
{
    enum block_kind kind;
    size_t next = push_section(b, at);
    if (next == at && !is_delimiter(b, at, &kind))
        next = push_underlined(b, at);
    if (next > at)
        return next;
    /* "[source,c]" and ".Title" belong to what they stand before. */
    size_t open = at;
    for (unsigned i = 0; i < MAX_ATTRIBUTES && open < b->size &&
                         (is_attribute_line(b, open) ||
                          (b->text[open] == '.' && open + 1 < b->size &&
                           b->text[open + 1] != '.' && !is_blank_byte(b->text[open + 1])));
         i++)
        open = blocks_next_line(b, open);
    if (open < b->size && is_delimiter(b, open, &kind))
        return push_delimited(b, at, open, kind);
    return push_text(b, at);
}

static rag_status read_asciidoc(const struct input *input, struct document *document,
                                rag_error *error)
{
    struct blocks b = blocks_of(input, document);
    for (size_t at = byte_order_mark(b.text, b.size); at < b.size && !b.failed;)
        at = blocks_line_is_blank(&b, at) ? blocks_next_line(&b, at) : push_block(&b, at);
    struct writer w;
    writer_init(&w, document, error);
    read_attributes(&b, &w);
    rag_status status = writer_finish(&w);
    return status ? status : blocks_finish(&b, error);
}

const struct reader asciidoc_reader = {"asciidoc", true, read_asciidoc};
