#include "pipeline/page.h"
#include "base/base64.h"
#include "base/hash.h"
#include "documents/cmark_memory.h"
#include "pipeline/katex.h"
#include "text/utf8.h"

#include <string.h>

/* In the Markdown that cmark sees, a formula or a note is OPEN, a letter, a number, CLOSE: two
 * characters for private use, which no text brings in (copy_plain). */
#define OPEN  "\xEE\x80\x80" /* U+E000 */
#define CLOSE "\xEE\x80\x81" /* U+E001 */

enum { HELD_SIZE = 3, FORMULA_MAX = 4096 };

static const char style[] =
    ":root{color-scheme:light dark}body{font:1rem/1.6 system-ui,sans-serif;max-width:46rem;"
    "margin:2rem auto;padding:0 1rem}h1{font-size:1.3rem}h2{font-size:1rem;margin:1.5rem 0 "
    ".3rem}"
    "pre{overflow-x:auto}.passage{white-space:pre-wrap;border-left:3px solid #8888;"
    "padding-left:.8rem;overflow-wrap:anywhere}.passage:target,section:target .passage{"
    "border-left-color:#c60}a.cite{text-decoration:none;font-size:.85em}.doubt{color:#b00;"
    "font-weight:bold;cursor:help}.note{color:#888;font-size:.9em}mark{background:#fd08;"
    "color:inherit}";

static const char render[] =
    "for(const e of document.querySelectorAll('.math'))katex.render(e.textContent,e,"
    "{output:'mathml',displayMode:'display' in e.dataset,throwOnError:false})";

/* ---- Text ---- */

static bool put_character(struct buf *out, char c)
{
    switch (c) {
    case '&':
        return buf_append_text(out, "&amp;");
    case '<':
        return buf_append_text(out, "&lt;");
    case '>':
        return buf_append_text(out, "&gt;");
    case '"':
        return buf_append_text(out, "&quot;");
    default:
        if ((unsigned char)c < ' ' && c != '\n' && c != '\t')
            return true;
        return c == 0x7f || buf_append_char(out, c);
    }
}

bool page_text(struct buf *out, rag_text text)
{
    for (size_t i = 0; i < text.size; i++)
        if (!put_character(out, text.data[i]))
            return false;
    return true;
}

/* ---- Formulas ---- */

struct formula {
    size_t begin, end;             /* with its marks */
    size_t inner_begin, inner_end; /* without */
    bool display;
};

static bool stands_at(rag_text text, size_t at, const char *mark)
{
    size_t size = strlen(mark);
    return at <= text.size && text.size - at >= size && memcmp(text.data + at, mark, size) == 0;
}

/* A dollar opens a formula if no blank follows, and closes it if none is before it and no digit
 * behind: "$5 and $6" is no formula. */
static bool dollar_closes(rag_text text, size_t at, size_t begin)
{
    char before = text.data[at - 1], behind = at + 1 < text.size ? text.data[at + 1] : ' ';
    return at > begin && before != ' ' && before != '\n' && before != '\\' &&
           !(behind >= '0' && behind <= '9');
}

static bool formula_at(rag_text text, size_t at, struct formula *out)
{
    static const struct {
        const char *open, *close;
        bool display;
    } marks[] = {
        {"$$", "$$", true}, {"\\[", "\\]", true}, {"\\(", "\\)", false}, {"$", "$", false}};
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        if (!stands_at(text, at, marks[i].open))
            continue;
        size_t begin = at + strlen(marks[i].open);
        bool dollar = marks[i].open[0] == '$' && !marks[i].display;
        if (dollar && (begin == text.size || strchr(" \n\t", text.data[begin])))
            return false;
        for (size_t end = begin; end < text.size && end - begin < FORMULA_MAX; end++) {
            /* Code, and characters that are ours, are in no formula. */
            if (text.data[end] == '`' || stands_at(text, end, OPEN) ||
                (dollar && stands_at(text, end, "\n\n")))
                return false;
            if (!stands_at(text, end, marks[i].close) ||
                (dollar && !dollar_closes(text, end, begin)) || end == begin)
                continue;
            *out = (struct formula){at, end + strlen(marks[i].close), begin, end,
                                    marks[i].display};
            return true;
        }
        return false;
    }
    return false;
}

static bool put_formula(struct buf *out, rag_text text, const struct formula *formula)
{
    return buf_append_text(out, formula->display ? "<span class=\"math\" data-display>"
                                                 : "<span class=\"math\">") &&
           page_text(out, (rag_text){text.data + formula->inner_begin,
                                     formula->inner_end - formula->inner_begin}) &&
           buf_append_text(out, "</span>");
}

bool page_text_with_formulas(struct buf *out, rag_text text, bool *formulas)
{
    for (size_t at = 0; at < text.size;) {
        struct formula formula;
        if (formula_at(text, at, &formula)) {
            *formulas = true;
            if (!put_formula(out, text, &formula))
                return false;
            at = formula.end;
        } else if (!put_character(out, text.data[at++])) {
            return false;
        }
    }
    return true;
}

/* ---- Markdown ---- */

struct markdown {
    rag_text text;
    const struct page_note *notes;
    size_t count;
    struct buf held; /* the text with formulas and notes held out */
};

static bool hold(struct markdown *m, char kind, size_t number)
{
    return buf_printf(&m->held, OPEN "%c%zu" CLOSE, kind, number);
}

/* One character, unless it is one of ours; then nothing. */
static bool copy_plain(struct markdown *m, size_t *at)
{
    if (stands_at(m->text, *at, OPEN) || stands_at(m->text, *at, CLOSE)) {
        *at += HELD_SIZE;
        return true;
    }
    return buf_append_char(&m->held, m->text.data[(*at)++]);
}

/* Behind the code that begins with the backquotes at `at`; at their end if nothing closes it.
 */
static size_t code_end(rag_text text, size_t at)
{
    size_t run = at;
    while (run < text.size && text.data[run] == '`')
        run++;
    size_t size = run - at;
    for (size_t i = run; i < text.size; i++) {
        size_t end = i;
        while (end < text.size && text.data[end] == '`')
            end++;
        if (end - i == size)
            return end;
        i = end > i ? end - 1 : i;
    }
    return run;
}

static bool hold_out(struct markdown *m)
{
    size_t note = 0, code = 0; /* behind the code in hand */
    for (size_t at = 0; at <= m->text.size;) {
        while (note < m->count && m->notes[note].position < at)
            note++;
        if (note < m->count && m->notes[note].position == at) {
            at += m->notes[note].size;
            if (!hold(m, 'n', note++))
                return false;
            continue;
        }
        if (at == m->text.size)
            break;
        if (at >= code && m->text.data[at] == '`')
            code = code_end(m->text, at);
        struct formula formula;
        bool good = true;
        if (at >= code && formula_at(m->text, at, &formula)) {
            good = hold(m, 'f', at);
            at = formula.end;
        } else {
            good = copy_plain(m, &at);
        }
        if (!good)
            return false;
    }
    return true;
}

static bool put_note(struct buf *out, const struct page_note *note)
{
    if (note->number)
        return buf_printf(out, "<a class=\"cite\" href=\"#p%zu\">[%zu]</a>", note->number,
                          note->number);
    return buf_append_text(out, " <span class=\"doubt\" title=\"") &&
           page_text(out, (rag_text){note->why, strlen(note->why)}) &&
           buf_append_text(out, "\">?</span>");
}

/* What was held out comes back into the HTML that cmark made. */
static bool bring_back(const struct markdown *m, const char *html, struct buf *out,
                       bool *formulas)
{
    for (const char *open; (open = strstr(html, OPEN));
         html = strstr(open, CLOSE) + HELD_SIZE) {
        size_t number = 0;
        struct formula formula;
        const char *digits = open + HELD_SIZE + 1;
        for (; *digits >= '0' && *digits <= '9'; digits++)
            number = number * 10 + (size_t)(*digits - '0');
        if (!buf_append(out, html, (size_t)(open - html)))
            return false;
        bool good = true;
        if (open[HELD_SIZE] == 'n' && number < m->count)
            good = put_note(out, &m->notes[number]);
        else if (formula_at(m->text, number, &formula))
            good = (*formulas = true) && put_formula(out, m->text, &formula);
        if (!good)
            return false;
    }
    return buf_append_text(out, html);
}

/* cmark gives up by a longjmp where there is no memory: it has a function of its own. */
static bool to_html(const struct markdown *m, struct buf *out, bool *formulas)
{
    struct cmark_memory memory;
    volatile bool good = false;
    if (setjmp(*cmark_memory_begin(&memory)) == 0) {
        cmark_mem *functions = cmark_memory_functions();
        cmark_parser *parser = cmark_parser_new_with_mem(CMARK_OPT_DEFAULT, functions);
        cmark_parser_feed(parser, m->held.data, m->held.size);
        cmark_node *root = cmark_parser_finish(parser);
        const char *html = cmark_render_html_with_mem(root, CMARK_OPT_DEFAULT, NULL, functions);
        good = bring_back(m, html, out, formulas);
    }
    cmark_memory_end(&memory);
    return good;
}

rag_status page_markdown(struct buf *out, rag_text text, const struct page_note *notes,
                         size_t count, bool *formulas, rag_error *error)
{
    struct markdown m = {text, notes, count, BUF_INIT((size_t)1 << 28)};
    bool good = buf_reserve(&m.held, 0) && hold_out(&m) && to_html(&m, out, formulas);
    buf_release(&m.held);
    return good ? RAG_OK : fail_memory(error);
}

/* ---- The page ---- */

/* 'sha256-...' of an inline style or script. */
static rag_status put_source(struct buf *out, const char *text, size_t size, rag_error *error)
{
    struct hash hash;
    rag_status status = hash_bytes(text, size, &hash, error);
    if (status)
        return status;
    bool good = buf_append_text(out, " 'sha256-") &&
                base64_encode(hash.bytes, sizeof hash.bytes, out) && buf_append_char(out, '\'');
    return good ? RAG_OK : fail_memory(error);
}

rag_status page_begin(struct buf *out, rag_text title, bool formulas, rag_error *error)
{
    rag_text script = katex();
    formulas = formulas && script.size;
    bool good = buf_append_text(out, "<!doctype html>\n<html><head><meta charset=\"utf-8\">\n"
                                     "<meta name=\"viewport\" content=\"width=device-width\">\n"
                                     "<meta http-equiv=\"Content-Security-Policy\" content=\""
                                     "default-src 'none'; base-uri 'none'; form-action 'none'; "
                                     "style-src");
    rag_status status =
        good ? put_source(out, style, sizeof style - 1, error) : fail_memory(error);
    if (!status && !buf_append_text(out, formulas ? "; script-src" : ""))
        status = fail_memory(error);
    if (!status && formulas)
        status = put_source(out, script.data, script.size, error);
    if (!status && formulas)
        status = put_source(out, render, sizeof render - 1, error);
    good = !status && buf_append_text(out, "\">\n<title>") && page_text(out, title) &&
           buf_append_text(out, "</title>\n<style>") && buf_append_text(out, style) &&
           buf_append_text(out, "</style></head>\n<body>\n");
    return status ? status : good ? RAG_OK : fail_memory(error);
}

bool page_end(struct buf *out, bool formulas)
{
    rag_text script = katex();
    return (!formulas || !script.size ||
            (buf_append_text(out, "<script>") && buf_append(out, script.data, script.size) &&
             buf_append_text(out, "</script>\n<script>") && buf_append_text(out, render) &&
             buf_append_text(out, "</script>\n"))) &&
           buf_append_text(out, "</body></html>\n");
}
