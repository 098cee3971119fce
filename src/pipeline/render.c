/* render.c - a whole answer as Markdown or as a page. */
#include "base/memory.h"
#include "pipeline/answer.h"
#include "pipeline/page.h"

#include <string.h>

enum { RENDERED_MAX = 1 << 30 };

static bool is_doubtful(const rag_statement *statement)
{
    return statement->support == RAG_WEAK || statement->support == RAG_UNSUPPORTED;
}

/* "Borne out in part: the passages do not have "x"". */
static bool put_reason(struct buf *out, const rag_statement *statement)
{
    bool weak = statement->support == RAG_WEAK;
    return buf_append_text(out, weak ? "borne out only in part by the passages cited"
                                     : "not borne out by the passages cited") &&
           (!statement->missing.size ||
            (buf_append_text(out, "; not there: ") &&
             buf_append(out, statement->missing.data, statement->missing.size)));
}

/* ---- Markdown ---- */

/* Lines of a quote, without what would be markup there. */
static bool put_quote(struct buf *out, rag_text quote)
{
    bool good = buf_append_text(out, "> ");
    for (size_t i = 0; good && i < quote.size; i++) {
        char c = quote.data[i];
        if (strchr("\\`*_{}[]<>#|~", c))
            good = buf_append_char(out, '\\');
        good = good && buf_append_char(out, c) && (c != '\n' || buf_append_text(out, "> "));
    }
    return good && buf_append_char(out, '\n');
}

static bool put_sources(struct buf *out, const rag_answer *answer)
{
    bool good = true;
    for (size_t i = 0; good && i < answer->citation_count; i++) {
        const rag_citation *citation = &answer->citations[i];
        const rag_chunk *chunk = &answer->hits->items[citation->hit].chunk;
        good = buf_printf(out, "\n[%zu] `%s`, lines %u to %u%s%s\n\n", citation->number,
                          chunk->document, citation->line, citation->last_line,
                          *chunk->place ? ", " : "", chunk->place) &&
               put_quote(out, citation->quote);
    }
    return good;
}

static bool put_doubts(struct buf *out, const rag_answer *answer)
{
    bool good = true;
    for (size_t i = 0; good && i < answer->statements.count; i++) {
        const rag_statement *statement = &answer->statements.items[i];
        if (is_doubtful(statement))
            good = buf_append_text(out, "\n**?** ") &&
                   buf_append(out, statement->text.data, statement->text.size) &&
                   buf_append_text(out, " (") && put_reason(out, statement) &&
                   buf_append_text(out, ")\n");
    }
    return good;
}

static bool put_markdown(struct buf *out, const rag_answer *answer)
{
    return buf_append(out, answer->text, answer->text_size) && buf_append_char(out, '\n') &&
           put_sources(out, answer) && put_doubts(out, answer) &&
           (!answer->dropped ||
            buf_printf(out, "\n(%zu citations of passages that do not exist were dropped.)\n",
                       answer->dropped));
}

/* ---- The page ---- */

/* The markers and doubts of an answer, by position. */
struct notes {
    struct page_note *items;
    struct buf *reasons; /* [count], empty for markers */
    size_t count, capacity, reason_capacity;
};

static void notes_release(struct notes *notes)
{
    for (size_t i = 0; i < notes->count; i++)
        buf_release(&notes->reasons[i]);
    free(notes->items);
    free(notes->reasons);
}

static struct page_note *add_note(struct notes *notes)
{
    size_t needed = notes->count + 1;
    if (!array_reserve(&notes->items, &notes->capacity, needed, sizeof *notes->items) ||
        !array_reserve(&notes->reasons, &notes->reason_capacity, needed,
                       sizeof *notes->reasons))
        return NULL;
    notes->reasons[notes->count] = BUF_INIT((size_t)1 << 16);
    notes->items[notes->count] = (struct page_note){0};
    return &notes->items[notes->count++];
}

static bool add_doubt(struct notes *notes, const rag_statement *statement, size_t position)
{
    struct page_note *note = add_note(notes);
    struct buf *why = note ? &notes->reasons[notes->count - 1] : NULL;
    if (!note || !put_reason(why, statement))
        return false;
    *note = (struct page_note){.position = position, .why = why->data};
    return true;
}

static bool add_marker(struct notes *notes, const struct marker *marker)
{
    struct page_note *note = add_note(notes);
    if (note)
        *note = (struct page_note){.position = marker->position,
                                   .size = marker_size(marker->number),
                                   .number = marker->number};
    return note;
}

/* Markers stand where they stand, doubts behind their sentences. */
static rag_status collect_notes(const rag_answer *answer, struct notes *notes, rag_error *error)
{
    const struct marker *marker = answer->markers;
    const struct marker *last = marker + answer->marker_count;
    bool good = true;
    for (size_t i = 0; good && i < answer->statements.count; i++) {
        const rag_statement *statement = &answer->statements.items[i];
        size_t end = (size_t)(statement->text.data - answer->text) + statement->text.size;
        if (!is_doubtful(statement))
            continue;
        while (good && marker < last && marker->position < end)
            good = add_marker(notes, marker++);
        good = good && add_doubt(notes, statement, end);
    }
    while (good && marker < last)
        good = add_marker(notes, marker++);
    return good ? RAG_OK : fail_memory(error);
}

/* The first quote from a hit, NULL if it is not cited. */
static const rag_citation *citation_of(const rag_answer *answer, size_t hit)
{
    for (size_t i = 0; i < answer->citation_count; i++)
        if (answer->citations[i].hit == hit)
            return &answer->citations[i];
    return NULL;
}

static bool put_passage(struct buf *out, const rag_answer *answer, size_t hit, bool *formulas)
{
    const rag_chunk *chunk = &answer->hits->items[hit].chunk;
    const rag_citation *citation = citation_of(answer, hit);
    size_t begin = citation ? (size_t)(citation->begin - chunk->begin) : 0;
    size_t end = citation ? (size_t)(citation->end - chunk->begin) : 0;
    const char *text = chunk->text.data;
    return buf_printf(out, "<section id=\"p%zu\"><h2>[%zu] ", hit + 1, hit + 1) &&
           page_text(out, (rag_text){chunk->document, strlen(chunk->document)}) &&
           buf_printf(out, ", lines %u to %u", chunk->line, chunk->last_line) &&
           (!*chunk->place ||
            (buf_append_text(out, ", ") &&
             page_text(out, (rag_text){chunk->place, strlen(chunk->place)}))) &&
           buf_append_text(out, "</h2>\n") &&
           (!*chunk->heading ||
            (buf_append_text(out, "<div class=\"note\">") &&
             page_text(out, (rag_text){chunk->heading, strlen(chunk->heading)}) &&
             buf_append_text(out, "</div>\n"))) &&
           buf_append_text(out, "<div class=\"passage\">") &&
           page_text_with_formulas(out, (rag_text){text, begin}, formulas) &&
           (!citation ||
            (buf_append_text(out, "<mark>") &&
             page_text_with_formulas(out, (rag_text){text + begin, end - begin}, formulas) &&
             buf_append_text(out, "</mark>"))) &&
           page_text_with_formulas(out, (rag_text){text + end, chunk->text.size - end},
                                   formulas) &&
           buf_append_text(out, "</div></section>\n");
}

static rag_status put_body(struct buf *out, const rag_answer *answer, bool *formulas,
                           rag_error *error)
{
    struct notes notes = {0};
    rag_text question = {answer->question, answer->question_size};
    rag_status status = collect_notes(answer, &notes, error);
    if (!status && !(buf_append_text(out, "<h1>") && page_text(out, question) &&
                     buf_append_text(out, "</h1>\n")))
        status = fail_memory(error);
    if (!status)
        status = page_markdown(out, rag_answer_text(answer), notes.items, notes.count, formulas,
                               error);
    bool good = !status;
    if (good && answer->dropped)
        good = buf_printf(out,
                          "<p class=\"note\">%zu citations of passages that do not exist were "
                          "dropped.</p>\n",
                          answer->dropped);
    for (size_t i = 0; good && i < answer->hits->count; i++)
        good = put_passage(out, answer, i, formulas);
    notes_release(&notes);
    return status ? status : good ? RAG_OK : fail_memory(error);
}

/* The body first: whether there are formulas decides what the page's head allows. */
static rag_status put_page(struct buf *out, const rag_answer *answer, rag_error *error)
{
    struct buf body = BUF_INIT((size_t)RENDERED_MAX);
    bool formulas = false;
    rag_text title = {answer->question, answer->question_size};
    rag_status status = put_body(&body, answer, &formulas, error);
    if (!status)
        status = page_begin(out, title, formulas, error);
    if (!status && !(buf_append(out, body.data, body.size) && page_end(out, formulas)))
        status = fail_memory(error);
    buf_release(&body);
    return status;
}

rag_status rag_answer_render(const rag_answer *answer, rag_format format, char **out,
                             rag_error *error)
{
    struct buf text = BUF_INIT((size_t)RENDERED_MAX);
    rag_status status = RAG_OK;
    *out = NULL;
    switch (format) {
    case RAG_FORMAT_MARKDOWN:
        if (!put_markdown(&text, answer))
            status = fail_memory(error);
        break;
    case RAG_FORMAT_HTML:
        status = put_page(&text, answer, error);
        break;
    default:
        status = fail_with(error, RAG_USAGE, "there is no format %d", (int)format);
    }
    if (!status && !(*out = buf_detach(&text)))
        status = fail_memory(error);
    buf_release(&text);
    return status;
}
