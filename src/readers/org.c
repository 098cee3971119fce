/* Org mode: headings of stars, source and other blocks, drawers, tables, lists. */
#include "readers/blocks.h"
#include "readers/writer.h"

#include <string.h>

/* "** Title": the number of stars, 0: it is none. */
static unsigned stars(const struct blocks *b, size_t at)
{
    size_t n = 0;
    while (at + n < b->size && b->text[at + n] == '*')
        n++;
    return n && at + n < b->size && b->text[at + n] == ' ' ? (unsigned)(n < 7 ? n : 7) : 0;
}

/* The end of the title, without tags: "Title    :work:home:". */
static size_t title_end(const struct blocks *b, size_t begin, size_t end)
{
    end = trim_end(b->text, begin, end);
    if (end == begin || b->text[end - 1] != ':')
        return end;
    size_t tags = end;
    while (tags > begin && !is_blank_byte(b->text[tags - 1]))
        tags--;
    return b->text[tags] == ':' && end - tags > 2 ? trim_end(b->text, begin, tags) : end;
}

static size_t push_heading(struct blocks *b, size_t at)
{
    unsigned level = stars(b, at);
    size_t end = line_end(b->text, b->size, at), name = at;
    while (name < end && b->text[name] == '*')
        name++;
    blocks_push_heading(b, level, at, end, name, title_end(b, name, end), TITLE_ORG);
    return blocks_next_line(b, at);
}

/* Up to the line that begins with `mark`, which is taken; without one, to the next heading. */
static size_t closed_end(const struct blocks *b, size_t at, const char *mark)
{
    for (at = blocks_next_line(b, at); at < b->size && !stars(b, at);) {
        size_t next = blocks_next_line(b, at);
        if (blocks_line_begins_any_case(b, at, mark))
            return next;
        at = next;
    }
    return at;
}

static size_t push_environment(struct blocks *b, size_t at)
{
    static const struct {
        const char *begin, *end;
        enum block_kind kind;
    } known[] = {{"#+begin_src", "#+end_src", BLOCK_CODE},
                 {"#+begin_example", "#+end_example", BLOCK_CODE},
                 {"#+begin_export", "#+end_export", BLOCK_OTHER},
                 {"#+begin_comment", "#+end_comment", BLOCK_OTHER},
                 {"#+begin_quote", "#+end_quote", BLOCK_QUOTE},
                 {"#+begin_verse", "#+end_verse", BLOCK_QUOTE},
                 {":properties:", ":end:", BLOCK_OTHER},
                 {":logbook:", ":end:", BLOCK_OTHER},
                 {"\\[", "\\]", BLOCK_FORMULA},
                 {"\\begin{equation", "\\end{equation", BLOCK_FORMULA},
                 {"\\begin{align", "\\end{align", BLOCK_FORMULA}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (!blocks_line_begins_any_case(b, at, known[i].begin))
            continue;
        size_t end = closed_end(b, at, known[i].end);
        blocks_push(b, known[i].kind, 0, at, end);
        return end;
    }
    return at;
}

static size_t push_table(struct blocks *b, size_t at)
{
    size_t end = at, header = at;
    while (end < b->size && blocks_line_begins(b, end, "|")) {
        if (header == at && end > at && blocks_line_begins(b, end, "|-"))
            header = blocks_next_line(b, end);
        end = blocks_next_line(b, end);
    }
    blocks_push_table(b, at, header, end);
    return end;
}

/* "#+KEYWORD: x", "# comment": what Org, and no reader, wants to know. */
static bool is_keyword(const struct blocks *b, size_t at)
{
    size_t end = line_end(b->text, b->size, at);
    at = skip_blanks(b->text, at, end);
    return at < end && b->text[at] == '#' &&
           (at + 1 == end || b->text[at + 1] == '+' || is_blank_byte(b->text[at + 1]));
}

/* ": as it is": what a program put out, or an example. */
static bool is_fixed_width(const struct blocks *b, size_t at)
{
    size_t end = line_end(b->text, b->size, at);
    at = skip_blanks(b->text, at, end);
    return at < end && b->text[at] == ':' && (at + 1 == end || is_blank_byte(b->text[at + 1]));
}

static size_t push_fixed_width(struct blocks *b, size_t at)
{
    size_t end = at;
    while (end < b->size && is_fixed_width(b, end))
        end = blocks_next_line(b, end);
    blocks_push(b, BLOCK_CODE, 0, at, end);
    return end;
}

/* Alone: what follows may be a block, or a paragraph that it is about. */
static size_t push_keyword(struct blocks *b, size_t at)
{
    size_t end = blocks_next_line(b, at);
    blocks_push(b, BLOCK_OTHER, 0, at, end);
    return end;
}

static bool begins_something(const struct blocks *b, size_t at)
{
    return stars(b, at) || blocks_line_begins(b, at, "|") || is_keyword(b, at) ||
           is_fixed_width(b, at) || blocks_is_item(b, at) ||
           blocks_line_begins_any_case(b, at, ":properties:") ||
           blocks_line_begins(b, at, "\\[") || blocks_line_begins(b, at, "\\begin{");
}

/* A paragraph, or an item with the lines that are indented more. */
static size_t push_text(struct blocks *b, size_t at)
{
    bool item = blocks_is_item(b, at);
    size_t indent = blocks_indent(b, at), end = blocks_next_line(b, at);
    while (end < b->size && !blocks_line_is_blank(b, end) && !begins_something(b, end) &&
           (!item || blocks_indent(b, end) > indent))
        end = blocks_next_line(b, end);
    blocks_push(b, item ? BLOCK_LIST_ITEM : BLOCK_PARAGRAPH,
                item ? 1 + (unsigned)(indent < 60 ? indent / 2 : 30) : 0, at, end);
    return end;
}

/* "#+TITLE: x" and its like. */
static void read_keywords(const struct blocks *b, struct writer *w)
{
    static const struct {
        const char *keyword, *key;
    } known[] = {{"#+title:", "title"},       {"#+author:", "author"},
                 {"#+date:", "date"},         {"#+language:", "language"},
                 {"#+keywords:", "keywords"}, {"#+description:", "description"}};
    for (size_t at = 0; at < b->size && !stars(b, at); at = blocks_next_line(b, at))
        for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
            size_t n = strlen(known[i].keyword), end = line_end(b->text, b->size, at);
            if (blocks_line_begins_any_case(b, at, known[i].keyword))
                writer_metadata(w, known[i].key, b->text + at + n,
                                end > at + n ? end - at - n : 0);
        }
}

static rag_status read_org(const struct input *input, struct document *document,
                           rag_error *error)
{
    struct blocks b = blocks_of(input, document);
    for (size_t at = byte_order_mark(b.text, b.size); at < b.size && !b.failed;) {
        if (blocks_line_is_blank(&b, at)) {
            at = blocks_next_line(&b, at);
            continue;
        }
        size_t next = stars(&b, at)                     ? push_heading(&b, at)
                      : blocks_line_begins(&b, at, "|") ? push_table(&b, at)
                                                        : push_environment(&b, at);
        if (next == at && is_fixed_width(&b, at))
            next = push_fixed_width(&b, at);
        if (next == at && is_keyword(&b, at))
            next = push_keyword(&b, at);
        at = next > at ? next : push_text(&b, at);
    }
    struct writer w;
    writer_init(&w, document, error);
    read_keywords(&b, &w);
    rag_status status = writer_finish(&w);
    return status ? status : blocks_finish(&b, error);
}

const struct reader org_reader = {"org", true, read_org};
