/* LaTeX: the source as it is; sections as headings, displayed formulas, verbatim text, tables
 * and items as blocks of their kind. Macros are not expanded. */
#include "documents/titles.h"
#include "readers/blocks.h"
#include "readers/writer.h"

#include <string.h>

enum {
    MAX_TITLE = 1000, /* bytes */
};

/* The position behind the brace that closes the one at `at`; 0: within `limit` there is none.
 */
static size_t closing_brace(const struct blocks *b, size_t at, size_t limit)
{
    unsigned depth = 0;
    limit = b->size - at > limit ? at + limit : b->size;
    for (size_t i = at; i < limit; i++) {
        if (b->text[i] == '\\')
            i++;
        else if (b->text[i] == '{')
            depth++;
        else if (b->text[i] == '}' && --depth == 0)
            return i + 1;
    }
    return 0;
}

/* Commands without arguments that stand before a section in its line. */
static size_t skip_breaks(const struct blocks *b, size_t at, size_t end)
{
    static const char *const commands[] = {"\\clearpage", "\\cleardoublepage", "\\newpage",
                                           "\\pagebreak", "\\FloatBarrier",    "\\par"};
    at = skip_blanks(b->text, at, end);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        size_t n = strlen(commands[i]);
        if (end - at > n && memcmp(b->text + at, commands[i], n) == 0 &&
            (b->text[at + n] == '\\' || is_blank_byte(b->text[at + n])))
            return skip_blanks(b->text, at + n, end);
    }
    return at;
}

/* Behind "[short]", if it stands here. */
static size_t skip_option(const struct blocks *b, size_t at)
{
    if (at == b->size || b->text[at] != '[')
        return at;
    const char *end = memchr(b->text + at, ']', line_end(b->text, b->size, at) - at);
    return end ? (size_t)(end - b->text) + 1 : at;
}

/* The level of the heading whose command begins at `at`, and where what follows the command is;
 * 0: it is none. Slides are below all sections. */
static unsigned heading_command(const struct blocks *b, size_t at, size_t *behind)
{
    static const struct {
        const char *command;
        unsigned level;
    } known[] = {{"\\part", 1},          {"\\chapter", 2},
                 {"\\addchap", 2},       {"\\section", 3},
                 {"\\addsec", 3},        {"\\doxysection", 3},
                 {"\\subsection", 4},    {"\\doxysubsection", 4},
                 {"\\subsubsection", 5}, {"\\doxysubsubsection", 5},
                 {"\\paragraph", 6},     {"\\subparagraph", 6},
                 {"\\doxyparagraph", 6}, {"\\frametitle", 6},
                 {"\\begin{frame}", 6}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        size_t n = strlen(known[i].command);
        if (b->size - at <= n || memcmp(b->text + at, known[i].command, n) != 0)
            continue;
        size_t name = at + n + (b->text[at + n] == '*');
        /* Slides have "<overlays>" too, but hardly with a title behind them. */
        name = skip_option(b, skip_option(b, name));
        if (name < b->size && b->text[name] == '{') {
            *behind = name;
            return known[i].level;
        }
    }
    return 0;
}

/* "\section*[short]{Title}" at the line's begin. */
static size_t push_section(struct blocks *b, size_t at)
{
    size_t name = 0;
    size_t begin = skip_breaks(b, at, line_end(b->text, b->size, at));
    unsigned level = heading_command(b, begin, &name);
    size_t close = level ? closing_brace(b, name, MAX_TITLE) : 0;
    if (!close)
        return at;
    size_t end = line_end(b->text, b->size, close);
    /* What follows in the line is a label, or text. */
    size_t rest = skip_blanks(b->text, close, end);
    bool text_follows =
        rest < end && b->text[rest] != '\\' && b->text[rest] != '}' && b->text[rest] != '%';
    blocks_push_heading(b, level, at, end, text_follows ? name : name + 1,
                        text_follows ? close : close - 1, TITLE_LATEX);
    return blocks_next_line(b, close);
}

/* The name in "\begin{name}" at the line's begin; size 0: it does not begin so. */
static rag_text environment(const struct blocks *b, size_t at, const char *command)
{
    size_t end = line_end(b->text, b->size, at), n = strlen(command);
    at = skip_blanks(b->text, at, end);
    if (end - at <= n || memcmp(b->text + at, command, n) != 0)
        return (rag_text){"", 0};
    const char *close = memchr(b->text + at + n, '}', end - at - n);
    return (rag_text){b->text + at + n, close ? (size_t)(close - b->text) - at - n : 0};
}

static bool is_kind(rag_text name, enum block_kind *kind)
{
    static const struct {
        const char *name;
        enum block_kind kind;
    } known[] = {{"verbatim", BLOCK_CODE},        {"Verbatim", BLOCK_CODE},
                 {"sphinxVerbatim", BLOCK_CODE},  {"DoxyCode", BLOCK_CODE},
                 {"DoxyCodeInclude", BLOCK_CODE}, {"DoxyVerb", BLOCK_CODE},
                 {"Sinput", BLOCK_CODE},          {"Soutput", BLOCK_CODE},
                 {"Schunk", BLOCK_CODE},          {"lstlisting", BLOCK_CODE},
                 {"minted", BLOCK_CODE},          {"alltt", BLOCK_CODE},
                 {"Shaded", BLOCK_CODE},          {"Highlighting", BLOCK_CODE},
                 {"semiverbatim", BLOCK_CODE},    {"equation", BLOCK_FORMULA},
                 {"align", BLOCK_FORMULA},        {"gather", BLOCK_FORMULA},
                 {"multline", BLOCK_FORMULA},     {"eqnarray", BLOCK_FORMULA},
                 {"displaymath", BLOCK_FORMULA},  {"math", BLOCK_FORMULA},
                 {"flalign", BLOCK_FORMULA},      {"alignat", BLOCK_FORMULA},
                 {"dmath", BLOCK_FORMULA},        {"table", BLOCK_TABLE},
                 {"tabular", BLOCK_TABLE},        {"tabularx", BLOCK_TABLE},
                 {"longtable", BLOCK_TABLE},      {"tabulary", BLOCK_TABLE},
                 {"longtabu", BLOCK_TABLE},       {"tabu", BLOCK_TABLE},
                 {"supertabular", BLOCK_TABLE},   {"longtblr", BLOCK_TABLE},
                 {"tblr", BLOCK_TABLE},           {"tabbing", BLOCK_TABLE},
                 {"comment", BLOCK_OTHER},        {"tikzpicture", BLOCK_OTHER}};
    size_t size = name.size;
    if (size && name.data[size - 1] == '*')
        size--;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strlen(known[i].name) == size && memcmp(known[i].name, name.data, size) == 0) {
            *kind = known[i].kind;
            return true;
        }
    return false;
}

/* From \begin{name} to its \end{name}, lines whole; without an end to the end of the paragraph.
 */
static size_t push_environment(struct blocks *b, size_t at)
{
    enum block_kind kind;
    rag_text name = environment(b, at, "\\begin{");
    if (!name.size || !is_kind(name, &kind))
        return at;
    char mark[64];
    if (name.size + 7 > sizeof mark)
        return at;
    snprintf(mark, sizeof mark, "\\end{%.*s}", (int)name.size, name.data);
    const char *found = memmem(b->text + at, b->size - at, mark, strlen(mark));
    size_t end =
        found ? blocks_next_line(b, (size_t)(found - b->text)) : blocks_paragraph_end(b, at);
    blocks_push(b, kind, 0, at, end);
    return end;
}

/* "\[ ... \]" or "$$ ... $$" that begins a line. */
static size_t push_formula(struct blocks *b, size_t at)
{
    const char *close = blocks_line_begins(b, at, "\\[")  ? "\\]"
                        : blocks_line_begins(b, at, "$$") ? "$$"
                                                          : NULL;
    if (!close)
        return at;
    size_t begin = skip_blanks(b->text, at, b->size) + 2, limit = blocks_paragraph_end(b, at);
    const char *found = begin < limit ? memmem(b->text + begin, limit - begin, close, 2) : NULL;
    if (!found)
        return at;
    size_t end = blocks_next_line(b, (size_t)(found - b->text));
    blocks_push(b, BLOCK_FORMULA, 0, at, end);
    return end;
}

static bool is_item(const struct blocks *b, size_t at)
{
    static const char *const words[] = {"\\item", "\\bibitem", "\\sphinxlineitem"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (blocks_line_begins(b, at, words[i]))
            return true;
    return false;
}

static bool begins_something(const struct blocks *b, size_t at)
{
    size_t behind;
    size_t begin = skip_breaks(b, at, line_end(b->text, b->size, at));
    return is_item(b, at) || blocks_line_begins(b, at, "\\begin{") ||
           blocks_line_begins(b, at, "\\end{") || blocks_line_begins(b, at, "\\[") ||
           blocks_line_begins(b, at, "$$") || heading_command(b, begin, &behind);
}

/* The end of what begins at `at`: a paragraph, or an item. */
static size_t text_end(const struct blocks *b, size_t at)
{
    do
        at = blocks_next_line(b, at);
    while (at < b->size && !blocks_line_is_blank(b, at) && !begins_something(b, at));
    return at;
}

static bool is_list(rag_text name)
{
    static const char *const names[] = {
        "itemize",        "enumerate",       "description",
        "compactitem",    "compactenum",     "DoxyItemize",
        "DoxyEnumerate",  "DoxyDescription", "DoxyCompactItemize",
        "DoxyCompactList"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i]) == name.size && memcmp(names[i], name.data, name.size) == 0)
            return true;
    return false;
}

/* Whether words follow "\begin{name}[...]{...}" in its line. */
static bool has_words(const struct blocks *b, rag_text name)
{
    size_t at = (size_t)(name.data - b->text) + name.size + 1;
    size_t end = line_end(b->text, b->size, at), next = at;
    do {
        at = skip_blanks(b->text, next, end);
        next = at < end && b->text[at] == '{' ? closing_brace(b, at, end - at)
                                              : skip_option(b, at);
    } while (next > at);
    return at < end && !strchr("\\%&{[", b->text[at]);
}

/* A line that begins or ends an environment; words that stand in it are a paragraph. */
static size_t push_bounds(struct blocks *b, size_t at, unsigned *depth)
{
    bool opens = blocks_line_begins(b, at, "\\begin{");
    rag_text name = environment(b, at, opens ? "\\begin{" : "\\end{");
    if (is_list(name))
        *depth = opens ? *depth + 1 : *depth - (*depth > 0);
    bool words = opens && name.size && has_words(b, name);
    size_t end = words ? text_end(b, at) : blocks_next_line(b, at);
    blocks_push(b, words ? BLOCK_PARAGRAPH : BLOCK_OTHER, 0, at, end);
    return end;
}

/* Lines that begin with "%". */
static size_t push_comment(struct blocks *b, size_t at)
{
    size_t end = at;
    while (end < b->size && blocks_line_begins(b, end, "%"))
        end = blocks_next_line(b, end);
    blocks_push(b, BLOCK_OTHER, 0, at, end);
    return end;
}

static size_t push_text(struct blocks *b, size_t at, unsigned *depth)
{
    if (blocks_line_begins(b, at, "%"))
        return push_comment(b, at);
    if (blocks_line_begins(b, at, "\\begin{") || blocks_line_begins(b, at, "\\end{"))
        return push_bounds(b, at, depth);
    size_t end = text_end(b, at);
    if (is_item(b, at))
        blocks_push(b, BLOCK_LIST_ITEM, *depth && *depth < 60 ? *depth : 1, at, end);
    else
        blocks_push(b, BLOCK_PARAGRAPH, 0, at, end);
    return end;
}

/* What "\title{...}" and its like say, where they are not commented out. */
static const char *find_command(const struct blocks *b, const char *command)
{
    for (size_t at = 0; at < b->size; at = blocks_next_line(b, at)) {
        const char *line = b->text + at;
        size_t size = line_end(b->text, b->size, at) - at, n = strlen(command);
        const char *found = memmem(line, size, command, n);
        if (found && !memchr(line, '%', (size_t)(found - line)))
            return found;
    }
    return NULL;
}

/* A command that could not be expanded leaves a comma, or nothing. */
static bool says_something(const struct buf *value)
{
    for (size_t i = 0; i < value->size; i++)
        if ((unsigned char)value->data[i] >= 'A' ||
            (value->data[i] >= '0' && value->data[i] <= '9'))
            return true;
    return false;
}

static void read_metadata(const struct blocks *b, struct writer *w)
{
    static const struct {
        const char *command, *key;
    } known[] = {{"\\title{", "title"}, {"\\author{", "author"}, {"\\date{", "date"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const char *found = find_command(b, known[i].command);
        size_t at = found ? (size_t)(found - b->text) + strlen(known[i].command) - 1 : 0;
        size_t close = found ? closing_brace(b, at, MAX_TITLE) : 0;
        struct buf value = BUF_INIT(4 * MAX_TITLE);
        if (close && latex_title(b->text + at + 1, close - at - 2, &value) &&
            says_something(&value))
            writer_metadata(w, known[i].key, value.data, value.size);
        buf_release(&value);
    }
}

static rag_status read_latex(const struct input *input, struct document *document,
                             rag_error *error)
{
    static const char mark[] = "\\begin{document}";
    struct blocks b = blocks_of(input, document);
    size_t at = byte_order_mark(b.text, b.size);
    const char *body = memmem(b.text, b.size, mark, sizeof mark - 1);
    struct writer w;
    writer_init(&w, document, error);
    read_metadata(&b, &w);
    if (body) {
        size_t end = blocks_next_line(&b, (size_t)(body - b.text));
        blocks_push(&b, BLOCK_OTHER, 0, at, end);
        at = end;
    }
    for (unsigned depth = 0; at < b.size && !b.failed;) {
        if (blocks_line_is_blank(&b, at)) {
            at = blocks_next_line(&b, at);
            continue;
        }
        size_t next = push_section(&b, at);
        if (next == at)
            next = push_environment(&b, at);
        if (next == at)
            next = push_formula(&b, at);
        at = next > at ? next : push_text(&b, at, &depth);
    }
    rag_status status = writer_finish(&w);
    return status ? status : blocks_finish(&b, error);
}

const struct reader latex_reader = {"latex", true, read_latex};
