/* The lines of a Markdown text as the block parser is to see them.
 *
 * cmark reads blocks first and then, in each, emphasis, links, code spans and raw HTML.
 * Blocks are all that is needed here, and the second half is where hostile texts take
 * quadratic time (CVE-2022-39209, CVE-2023-22483 to 22486 and others). So it is given a
 * copy of the text, line for line, in which
 *   - bytes that can only open inline markup are "x";
 *   - lines nested in too many lists and quotes are text at that depth;
 *   - each line of a formula or of front matter is "***", which is a block by itself
 *     whatever stands around it. A formula may contain blank lines, "=" and "- x", from
 *     which a parser that does not know formulas would make headings and lists.
 *
 * A formula is taken as a block where a line begins with "$$", "\[" or "\begin{NAME}" and
 * it ends with its line within FORMULA_MAX_LINES, before any heading or code fence. */
#include "base/memory.h"
#include "documents/lines.h"
#include "documents/markdown.h"

enum {
    NESTING_MAX = 16, /* list and quote marks on one line */
    INDENT_MAX = 200, /* columns before a mark; more nesting is of no use */
    FORMULA_MAX_LINES = 200,
    FORMULA_MAX_BYTES = 1 << 14,
    LINE_KEPT = 1 << 12, /* bytes of a line; what decides its kind stands in front */
};

struct fence {
    char mark; /* 0: none is open */
    size_t length;
};

void outline_release(struct outline *outline)
{
    free(outline->lines);
    free(outline->regions);
    buf_release(&outline->outline);
    *outline = (struct outline){0};
}

/* ---- What a line begins with ------------------------------------------------ */

/* Skips spaces and tabs; *column counts what they take. */
static size_t skip_indent(const char *text, size_t at, size_t end, size_t *column)
{
    for (; at < end && (text[at] == ' ' || text[at] == '\t'); at++)
        *column += text[at] == '\t' ? 4 - *column % 4 : 1;
    return at;
}

static bool ends_mark(const char *text, size_t at, size_t end)
{
    return at == end || text[at] == ' ' || text[at] == '\t' || text[at] == '\r';
}

/* Behind the mark of a quote or list item at `at`; `at` itself if there is none. */
static size_t skip_mark(const char *text, size_t at, size_t end)
{
    if (at == end)
        return at;
    if (text[at] == '>')
        return at + 1;
    if (strchr("-+*", text[at]) && ends_mark(text, at + 1, end))
        return at + 1;
    size_t i = at;
    while (i < end && i - at < 9 && text[i] >= '0' && text[i] <= '9')
        i++;
    if (i > at && i < end && (text[i] == '.' || text[i] == ')') && ends_mark(text, i + 1, end))
        return i + 1;
    return at;
}

/* Only "-", "*" or "_" and white space: a rule (or the underline of a heading). */
static bool is_rule(const char *text, size_t at, size_t end)
{
    if (at == end || !strchr("-*_", text[at]))
        return false;
    for (size_t i = at; i < end; i++)
        if (text[i] != text[at] && !is_blank_byte(text[i]))
            return false;
    return true;
}

/* Where a line's own text begins, behind the marks of quotes and lists. *deep: there
 * are more of these than anyone needs. */
static size_t line_text(const char *text, size_t begin, size_t end, bool *deep)
{
    size_t at = begin, column = 0;
    for (unsigned marks = 0;; marks++) {
        size_t mark = skip_indent(text, at, end, &column);
        size_t next = is_rule(text, mark, end) ? mark : skip_mark(text, mark, end);
        *deep = next > mark && (marks >= NESTING_MAX || column > INDENT_MAX);
        if (next == mark || *deep)
            return mark;
        column += next - mark;
        at = next;
    }
}

/* The number of marks that a fence at `at` has, 0 if there is no fence. */
static size_t fence_length(const char *text, size_t at, size_t end)
{
    if (at == end || (text[at] != '`' && text[at] != '~'))
        return 0;
    size_t n = 0;
    while (at + n < end && text[at + n] == text[at])
        n++;
    if (n < 3 || (text[at] == '`' && memchr(text + at + n, '`', end - at - n)))
        return 0;
    return n;
}

static void follow_fence(struct fence *fence, const char *text, size_t at, size_t end)
{
    size_t n = fence_length(text, at, end);
    if (!n)
        return;
    if (!fence->mark)
        *fence = (struct fence){.mark = text[at], .length = n};
    else if (text[at] == fence->mark && n >= fence->length && is_blank(text, at + n, end))
        fence->mark = 0;
}

static bool is_heading(const char *text, size_t at, size_t end)
{
    size_t n = 0;
    while (at + n < end && text[at + n] == '#')
        n++;
    return n >= 1 && n <= 6 && ends_mark(text, at + n, end);
}

/* ---- Formulas --------------------------------------------------------------- */

static const char *find(const char *text, size_t begin, size_t end, const char *word)
{
    size_t n = strlen(word);
    for (size_t at = begin; at + n <= end; at++) {
        const char *found = memchr(text + at, word[0], end - at - n + 1);
        if (!found)
            return NULL;
        if (memcmp(found, word, n) == 0)
            return found;
        at = (size_t)(found - text);
    }
    return NULL;
}

struct formula {
    const char *open, *close;
    int depth;
};

static bool opens_formula(const char *text, size_t at, size_t end, struct formula *f)
{
    static const struct formula kinds[] = {
        {"$$", "$$", 1}, {"\\[", "\\]", 1}, {"\\begin{", "\\end{", 1}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t n = strlen(kinds[i].open);
        if (end - at >= n && memcmp(text + at, kinds[i].open, n) == 0) {
            *f = kinds[i];
            return true;
        }
    }
    return false;
}

/* Goes on through the line part [at, end). True: the formula ends in it. *trailing: with
 * more behind it than punctuation or a label. */
static bool closes_formula(const char *text, size_t at, size_t end, struct formula *f,
                           bool *trailing)
{
    size_t n = strlen(f->close);
    for (;;) {
        const char *close = find(text, at, end, f->close);
        size_t stop = close ? (size_t)(close - text) : end;
        if (*f->open == '\\' && f->open[1] == 'b') {
            const char *inner;
            while ((inner = find(text, at, stop, f->open))) {
                f->depth++;
                at = (size_t)(inner - text) + 1;
            }
        }
        if (!close)
            return false;
        at = stop + n;
        if (--f->depth == 0)
            break;
    }
    if (f->open[1] == 'b') {
        const char *brace = memchr(text + at, '}', end - at);
        at = brace ? (size_t)(brace - text) + 1 : end;
    }
    at = skip_blanks(text, at, end);
    end = trim_end(text, at, end);
    *trailing = end - at > 4 && text[at] != '{' && text[at] != '%' && text[at] != '\\';
    return true;
}

/* The line after a formula that only names it belongs to it (d2l's ":eqlabel:`x`"). */
static size_t with_label(const char *text, size_t size, size_t end)
{
    static const char *const labels[] = {":label:", ":eqlabel:"};
    size_t next = end < size ? end + 1 : size, stop = line_end(text, size, next);
    for (size_t i = 0; i < sizeof labels / sizeof *labels; i++) {
        size_t n = strlen(labels[i]);
        if (stop - next > n && memcmp(text + next, labels[i], n) == 0)
            return stop;
    }
    return end;
}

/* The end of the line that ends the formula whose first line is [begin, end), 0 if there
 * is no formula. `at` is where the line's text begins. */
static size_t formula_end(const char *text, size_t size, size_t begin, size_t at, size_t end)
{
    struct formula f;
    for (size_t i = begin; i < at; i++)
        if (text[i] != ' ')
            return 0;
    if (at - begin > 3 || !opens_formula(text, at, end, &f))
        return 0;
    at += strlen(f.open);
    for (unsigned lines = 1; lines <= FORMULA_MAX_LINES; lines++) {
        bool trailing;
        if (closes_formula(text, at, end, &f, &trailing))
            return lines == 1 && trailing ? 0 : with_label(text, size, end);
        if (end >= size || end - begin > FORMULA_MAX_BYTES)
            return 0;
        at = end + 1;
        end = line_end(text, size, at);
        size_t first = skip_blanks(text, at, end);
        if (fence_length(text, first, end) || is_heading(text, first, end))
            return 0;
    }
    return 0;
}

/* ---- Front matter ----------------------------------------------------------- */

static bool line_is(const char *text, size_t begin, size_t end, const char *word)
{
    end = trim_end(text, begin, end);
    return end - begin == strlen(word) && memcmp(text + begin, word, end - begin) == 0;
}

/* "key: value" or a comment: what front matter begins with, and prose after a rule does
 * not. */
static bool is_entry(const char *text, size_t begin, size_t end, char separator)
{
    if (begin < end && text[begin] == '#')
        return true;
    size_t at = begin;
    while (at < end && text[at] != separator && !is_blank_byte(text[at]))
        at++;
    if (separator == '=')
        at = skip_blanks(text, at, end);
    return at > begin && at < end && text[at] == separator &&
           (separator == '=' || ends_mark(text, at + 1, end));
}

size_t front_matter_end(const char *text, size_t size, size_t begin)
{
    size_t end = line_end(text, size, begin);
    bool yaml = line_is(text, begin, end, "---"), toml = line_is(text, begin, end, "+++");
    if ((!yaml && !toml) || end >= size)
        return 0;
    size_t at = end + 1;
    end = line_end(text, size, at);
    if (!is_entry(text, at, end, yaml ? ':' : '='))
        return 0;
    while (end < size && end - begin < FRONT_MATTER_MAX_BYTES) {
        at = end + 1;
        end = line_end(text, size, at);
        if (line_is(text, at, end, yaml ? "---" : "+++") ||
            (yaml && line_is(text, at, end, "...")))
            return end;
    }
    return 0;
}

/* ---- The copy --------------------------------------------------------------- */

/* Whether a byte inside a line's text could only open inline markup. "</" stays: it may
 * end an HTML block. */
static bool is_inline(const char *text, size_t at, size_t end)
{
    switch (text[at]) {
    case '[':
    case '`':
    case '*':
    case '_':
    case '&':
    case '\\':
    case '\0':
    case '\r':
        return true;
    case '<':
        return at + 1 == end || text[at + 1] != '/';
    default:
        return false;
    }
}

/* Appends the line [begin, end) whose text begins at `at`. */
static bool append_line(struct buf *out, const char *text, size_t begin, size_t at, size_t end,
                        bool deep)
{
    end = trim_end(text, begin, end);
    if (end - begin > LINE_KEPT)
        end = begin + LINE_KEPT;
    if (at > end)
        at = end;
    if (!buf_reserve(out, end - begin + 1))
        return false;
    /* The marks, and what of the text decides by itself what the line is. */
    size_t kept = at;
    if (is_rule(text, at, end))
        kept = end;
    else if (fence_length(text, at, end))
        kept = at + fence_length(text, at, end);
    else if (at < end && text[at] == '<')
        kept = end - at < 9 ? end : at + 9; /* "<![CDATA[" is the longest opening */
    char *to = out->data + out->size;
    memcpy(to, text + begin, end - begin);
    for (size_t i = begin; i < kept; i++)
        if (text[i] == '\0' || text[i] == '\r')
            to[i - begin] = ' ';
    for (size_t i = kept; i < end; i++)
        if (is_inline(text, i, end))
            to[i - begin] = 'x';
    if (deep)
        memset(to + (at - begin), 'x', end - at);
    out->size += end - begin;
    return buf_append_char(out, '\n');
}

static bool add_region(struct outline *o, enum block_kind kind, size_t first, size_t last)
{
    if (!array_reserve(&o->regions, &o->region_capacity, o->region_count + 1,
                       sizeof *o->regions))
        return false;
    o->regions[o->region_count++] = (struct region){kind, first, last};
    return true;
}

static bool add_line(struct outline *o, size_t begin)
{
    if (!array_reserve(&o->lines, &o->line_capacity, o->line_count + 2, sizeof *o->lines))
        return false;
    o->lines[o->line_count++] = begin;
    return true;
}

/* Adds the lines from `begin` to the end of the line that ends at `end`, as one region. */
static bool append_region(struct outline *o, const char *text, size_t size,
                          enum block_kind kind, size_t begin, size_t end)
{
    size_t first = o->line_count;
    while (begin <= end && begin < size) {
        if (!add_line(o, begin) || !buf_append_text(&o->outline, "***\n"))
            return false;
        begin = line_end(text, size, begin) + 1;
    }
    return add_region(o, kind, first, o->line_count - 1);
}

rag_status outline_read(struct outline *o, const char *text, size_t size, size_t begin,
                        size_t end, rag_error *error)
{
    o->line_count = o->region_count = 0;
    buf_clear(&o->outline);
    o->outline.max = 4 * (size_t)DOCUMENT_MAX_BYTES; /* "***" may stand for "" */
    struct fence fence = {0};
    size_t at = begin;
    if (at == byte_order_mark(text, size)) {
        size_t stop = front_matter_end(text, size, at);
        if (stop && !append_region(o, text, size, BLOCK_OTHER, at, stop))
            return fail_memory(error);
        at = stop ? stop + 1 : at;
    }
    while (at < end && at < size) {
        size_t stop = line_end(text, size, at);
        bool deep;
        size_t words = line_text(text, at, stop, &deep);
        size_t formula = fence.mark ? 0 : formula_end(text, size, at, words, stop);
        if (formula) {
            if (!append_region(o, text, size, BLOCK_FORMULA, at, formula))
                return fail_memory(error);
            at = formula + 1;
            continue;
        }
        if (!add_line(o, at) || !append_line(&o->outline, text, at, words, stop, deep))
            return fail_memory(error);
        if (!deep)
            follow_fence(&fence, text, words, stop);
        at = stop + 1;
    }
    if (!array_reserve(&o->lines, &o->line_capacity, o->line_count + 1, sizeof *o->lines))
        return fail_memory(error);
    o->lines[o->line_count] = at < size ? at : size;
    return RAG_OK;
}
