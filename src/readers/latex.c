/* LaTeX: the source as it is; sections as headings, displayed formulas, verbatim text, tables
 * and items as blocks of their kind. Macros are not expanded. */
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

/* "\section*[short]{Title}" at the line's begin. */
static size_t push_section(struct blocks *b, size_t at)
{
    static const char *const commands[] = {"\\part",       "\\chapter",       "\\section",
                                           "\\subsection", "\\subsubsection", "\\paragraph"};
    size_t begin = skip_blanks(b->text, at, line_end(b->text, b->size, at));
    for (unsigned i = 0; i < sizeof commands / sizeof *commands; i++) {
        size_t n = strlen(commands[i]), name = begin + n;
        if (b->size - begin <= n || memcmp(b->text + begin, commands[i], n) != 0)
            continue;
        name += b->text[name] == '*';
        if (name < b->size && b->text[name] == '[') {
            const char *end =
                memchr(b->text + name, ']', line_end(b->text, b->size, name) - name);
            name = end ? (size_t)(end - b->text) + 1 : name;
        }
        size_t close =
            name < b->size && b->text[name] == '{' ? closing_brace(b, name, MAX_TITLE) : 0;
        if (!close)
            continue;
        size_t end = line_end(b->text, b->size, close);
        /* What follows in the line is a label, or text. */
        size_t rest = skip_blanks(b->text, close, end);
        bool text_follows =
            rest < end && b->text[rest] != '\\' && b->text[rest] != '}' && b->text[rest] != '%';
        blocks_push_heading(b, i + 1, at, end, text_follows ? name : name + 1,
                            text_follows ? close : close - 1, TITLE_LATEX);
        return blocks_next_line(b, close);
    }
    return at;
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
    } known[] = {{"verbatim", BLOCK_CODE},     {"Verbatim", BLOCK_CODE},
                 {"lstlisting", BLOCK_CODE},   {"minted", BLOCK_CODE},
                 {"alltt", BLOCK_CODE},        {"Shaded", BLOCK_CODE},
                 {"Highlighting", BLOCK_CODE}, {"semiverbatim", BLOCK_CODE},
                 {"equation", BLOCK_FORMULA},  {"align", BLOCK_FORMULA},
                 {"gather", BLOCK_FORMULA},    {"multline", BLOCK_FORMULA},
                 {"eqnarray", BLOCK_FORMULA},  {"displaymath", BLOCK_FORMULA},
                 {"math", BLOCK_FORMULA},      {"flalign", BLOCK_FORMULA},
                 {"alignat", BLOCK_FORMULA},   {"dmath", BLOCK_FORMULA},
                 {"table", BLOCK_TABLE},       {"tabular", BLOCK_TABLE},
                 {"tabularx", BLOCK_TABLE},    {"longtable", BLOCK_TABLE},
                 {"tabbing", BLOCK_TABLE},     {"comment", BLOCK_OTHER},
                 {"tikzpicture", BLOCK_OTHER}};
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

static bool begins_something(const struct blocks *b, size_t at)
{
    static const char *const words[] = {"\\begin{", "\\end{",     "\\item",    "\\[",
                                        "$$",       "\\part",     "\\chapter", "\\section",
                                        "\\sub",    "\\paragraph"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (blocks_line_begins(b, at, words[i]))
            return true;
    return false;
}

/* A paragraph, an item, or a line that only begins or ends an environment. */
static size_t push_text(struct blocks *b, size_t at, unsigned *depth)
{
    size_t end = blocks_next_line(b, at);
    bool item = blocks_line_begins(b, at, "\\item");
    bool opens = blocks_line_begins(b, at, "\\begin{"),
         closes = blocks_line_begins(b, at, "\\end{");
    rag_text name = environment(b, at, opens ? "\\begin{" : "\\end{");
    bool list = (name.size == 7 && memcmp(name.data, "itemize", 7) == 0) ||
                (name.size == 9 && memcmp(name.data, "enumerate", 9) == 0) ||
                (name.size == 11 && memcmp(name.data, "description", 11) == 0);
    if (list && opens)
        ++*depth;
    if (list && closes)
        *depth -= *depth > 0;
    if (!opens && !closes)
        while (end < b->size && !blocks_line_is_blank(b, end) && !begins_something(b, end))
            end = blocks_next_line(b, end);
    blocks_push(b,
                item              ? BLOCK_LIST_ITEM
                : opens || closes ? BLOCK_OTHER
                                  : BLOCK_PARAGRAPH,
                item ? (*depth && *depth < 60 ? *depth : 1) : 0, at, end);
    return end;
}

static void read_metadata(const struct blocks *b, size_t end, struct writer *w)
{
    static const struct {
        const char *command, *key;
    } known[] = {{"\\title{", "title"}, {"\\author{", "author"}, {"\\date{", "date"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const char *found = memmem(b->text, end, known[i].command, strlen(known[i].command));
        size_t at = found ? (size_t)(found - b->text) + strlen(known[i].command) - 1 : 0;
        size_t close = found ? closing_brace(b, at, MAX_TITLE) : 0;
        if (close)
            writer_metadata(w, known[i].key, b->text + at + 1, close - at - 2);
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
    read_metadata(&b, b.size, &w);
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
