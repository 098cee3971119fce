#include "pipeline/support.h"
#include "base/buf.h"
#include "base/memory.h"
#include "documents/sentences.h"
#include "pipeline/support_terms.h"
#include "text/utf8.h"

#include <string.h>

enum {
    QUOTE_LEAST_TERMS = 3, /* shorter ones are names, or irony */
    NAME_LEAST_BYTES = 3,
    CHECKED_LEAST_TERMS = 2, /* a sentence of fewer says nothing to be checked */
};

/* What a marker in the answer stands for, read when it is first cited. */
struct passage {
    struct support_terms terms;
    bool read;
};

struct checking {
    rag_text answer;
    const struct marker *markers; /* [marker_count], in the order of the text */
    size_t marker_count;
    const rag_text *texts;
    struct passage *passages; /* [count] */
    size_t count;
    bool *cited; /* [count] by the statement in hand, or by its paragraph */
    struct statements *out;
};

/* ---- Sentences and their markers ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The bytes of the marker at `at`, 0 if there is none. */
static size_t marker_at(const struct checking *c, size_t at)
{
    const struct marker *marker = marker_find(c->markers, c->marker_count, at);
    return marker ? marker_size(marker->number) : 0;
}

/* Behind the blanks and markers at `at`: a marker behind a full stop belongs to what it ends.
 */
static size_t skip_markers(const struct checking *c, size_t at)
{
    for (;;) {
        size_t next = at;
        while (next < c->answer.size && strchr(" \t", c->answer.data[next]))
            next++;
        size_t size = marker_at(c, next);
        if (!size)
            return at;
        at = next + size;
    }
}

/* The first marker at or behind a position, as an index. */
static size_t first_marker(const struct checking *c, size_t position)
{
    size_t low = 0, high = c->marker_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (c->markers[middle].position < position)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* A full stop right before a marker ends a sentence too: "Claim.[1] Claim.[2]". */
static size_t marked_end(const struct checking *c, size_t begin, size_t end)
{
    for (size_t i = first_marker(c, begin + 1);
         i < c->marker_count && c->markers[i].position < end; i++) {
        size_t at = c->markers[i].position;
        if (!strchr(".!?", c->answer.data[at - 1]))
            continue;
        size_t behind = skip_markers(c, at);
        if (behind < end)
            return behind;
    }
    return end;
}

/* A line is a sentence's limit as well: answers are lists and headings. */
static size_t statement_end(const struct checking *c, size_t begin)
{
    rag_text text = c->answer;
    const char *newline = memchr(text.data + begin, '\n', text.size - begin);
    size_t line = newline ? (size_t)(newline - text.data) + 1 : text.size;
    size_t end = marked_end(c, begin, sentence_end(text.data, begin, line));
    size_t behind = skip_markers(c, end);
    return behind < line ? behind : line;
}

static bool push(struct checking *c, size_t begin, size_t end)
{
    struct statements *out = c->out;
    const char *text = c->answer.data;
    while (begin < end && strchr(" \t\r\n", text[begin]))
        begin++;
    while (end > begin && strchr(" \t\r\n", text[end - 1]))
        end--;
    if (begin == end)
        return true;
    if (!array_reserve(&out->items, &out->capacity, out->count + 1, sizeof *out->items))
        return false;
    out->items[out->count++] = (rag_statement){.text = {text + begin, end - begin}};
    return true;
}

/* Notes what the markers of a part of the answer cite; returns how many there are. */
static size_t note_markers(struct checking *c, rag_text part)
{
    size_t begin = (size_t)(part.data - c->answer.data), end = begin + part.size;
    size_t first = first_marker(c, begin), i = first;
    for (; i < c->marker_count && c->markers[i].position < end; i++)
        c->cited[c->markers[i].number - 1] = true;
    return i - first;
}

/* The paragraph around a statement: lines without an empty one between them. */
static rag_text paragraph_of(const struct checking *c, rag_text statement)
{
    size_t begin = (size_t)(statement.data - c->answer.data), end = begin + statement.size;
    const char *text = c->answer.data;
    while (begin > 0 && !(begin > 1 && text[begin - 1] == '\n' && text[begin - 2] == '\n'))
        begin--;
    while (end < c->answer.size &&
           !(end + 1 < c->answer.size && text[end] == '\n' && text[end + 1] == '\n'))
        end++;
    return (rag_text){text + begin, end - begin};
}

/* ---- One statement ---- */

struct judgement {
    const struct checking *checking;
    struct support_terms terms; /* of the statement with its markers blanked */
    struct buf text;
    size_t first_term; /* behind an item's number */
};

/* Calls `have` for the cited passages until one says yes. */
typedef bool have_fn(const struct support_terms *passage, const void *what);

static bool any_has(const struct checking *c, have_fn *have, const void *what)
{
    for (size_t i = 0; i < c->count; i++)
        if (c->cited[i] && have(&c->passages[i].terms, what))
            return true;
    return false;
}

static bool has_term(const struct support_terms *passage, const void *what)
{
    return support_terms_have(passage, ((const struct support_term *)what)->hash);
}

static bool has_number(const struct support_terms *passage, const void *what)
{
    return support_terms_have_number(passage, ((const struct support_number *)what)->value);
}

/* "12." or "3)" in front of an item counts, and says nothing. */
static size_t item_size(rag_text text)
{
    size_t at = 0;
    while (at < text.size && strchr(" -*+>#", text.data[at]))
        at++;
    size_t digits = at;
    while (digits < text.size && is_digit(text.data[digits]))
        digits++;
    bool counted = digits > at && digits < text.size && strchr(".)", text.data[digits]);
    return counted ? digits + 1 : at;
}

static rag_text missing_number(const struct judgement *j, size_t item)
{
    for (size_t i = 0; i < j->terms.number_count; i++) {
        const struct support_number *number = &j->terms.numbers[i];
        if (number->begin >= item && number->value >= SUPPORT_LEAST_NUMBER &&
            !any_has(j->checking, has_number, number))
            return (rag_text){j->text.data + number->begin, number->end - number->begin};
    }
    return (rag_text){0};
}

/* A capital inside a sentence, or a digit, an underscore or a capital inside a word. */
static bool is_name(const struct judgement *j, size_t i)
{
    const struct support_term *term = &j->terms.terms[i];
    const char *word = j->text.data + term->begin;
    size_t size = term->end - term->begin;
    bool inner = false, letter = false;
    if (term->colocated || size < NAME_LEAST_BYTES)
        return false;
    for (size_t k = 0; k < size; k++) {
        bool capital = word[k] >= 'A' && word[k] <= 'Z';
        letter |= capital || (word[k] >= 'a' && word[k] <= 'z');
        inner |= k > 0 && (capital || word[k] == '_' || is_digit(word[k]));
    }
    return letter && (inner || (i > j->first_term && word[0] >= 'A' && word[0] <= 'Z'));
}

/* The beginning of a word is enough: plurals and cases end otherwise. */
static bool has_name(const struct judgement *j, const struct support_term *name)
{
    if (any_has(j->checking, has_term, name))
        return true;
    for (const struct support_term *part = name + 1;
         part < j->terms.terms + j->terms.count && part->colocated; part++)
        if (!any_has(j->checking, has_term, part))
            return false;
    return name + 1 < j->terms.terms + j->terms.count && name[1].colocated;
}

static rag_text missing_name(const struct judgement *j)
{
    for (size_t i = 0; i < j->terms.count; i++) {
        const struct support_term *term = &j->terms.terms[i];
        if (is_name(j, i) && !has_name(j, term))
            return (rag_text){j->text.data + term->begin, term->end - term->begin};
    }
    return (rag_text){0};
}

/* Pairs of quotation marks. */
static const char *const quotes[][2] = {
    {"\"", "\""}, {"“", "”"}, {"„", "“"}, {"«", "»"}, {"「", "」"}, {"『", "』"},
};

static bool stands_at(rag_text text, size_t at, const char *mark)
{
    size_t size = strlen(mark);
    return text.size - at >= size && memcmp(text.data + at, mark, size) == 0;
}

/* The next quote from `at` on, its marks left out; false: there is none. */
static bool next_quote(rag_text text, size_t at, size_t *begin, size_t *end)
{
    for (; at < text.size; at++)
        for (size_t i = 0; i < sizeof quotes / sizeof *quotes; i++) {
            if (!stands_at(text, at, quotes[i][0]))
                continue;
            *begin = at + strlen(quotes[i][0]);
            for (*end = *begin; *end < text.size; ++*end)
                if (stands_at(text, *end, quotes[i][1]))
                    return true;
        }
    return false;
}

static rag_status quote_is_there(const struct judgement *j, size_t begin, size_t end,
                                 bool *found, rag_error *error)
{
    size_t first = 0, places = 0;
    while (first < j->terms.count && j->terms.terms[first].begin < begin)
        first++;
    size_t last = first;
    for (; last < j->terms.count && j->terms.terms[last].end <= end; last++)
        places += !j->terms.terms[last].colocated;
    *found = places < QUOTE_LEAST_TERMS;
    const struct checking *c = j->checking;
    rag_status status = RAG_OK;
    for (size_t i = 0; !status && !*found && i < c->count; i++)
        if (c->cited[i])
            status = support_terms_contain(&c->passages[i].terms, &j->terms, first, last, found,
                                           error);
    return status;
}

static rag_status missing_quote(const struct judgement *j, rag_text *missing, rag_error *error)
{
    rag_text text = {j->text.data, j->text.size};
    size_t begin, end;
    *missing = (rag_text){0};
    for (size_t at = 0; next_quote(text, at, &begin, &end); at = end + 1) {
        bool found;
        rag_status status = quote_is_there(j, begin, end, &found, error);
        if (status)
            return status;
        if (!found) {
            *missing = (rag_text){text.data + begin, end - begin};
            return RAG_OK;
        }
    }
    return RAG_OK;
}

static double coverage(const struct judgement *j)
{
    double all = 0, found = 0;
    for (size_t i = 0; i < j->terms.count; i++) {
        const struct support_term *term = &j->terms.terms[i];
        bool before = false;
        for (size_t k = 0; k < i && !before; k++)
            before = j->terms.terms[k].hash == term->hash;
        if (before)
            continue;
        all += term->weight;
        found += any_has(j->checking, has_term, term) ? term->weight : 0;
    }
    return all > 0 ? found / all : 1;
}

/* Whether some cited passage is written as the statement is. */
static bool same_script(const struct judgement *j)
{
    const struct checking *c = j->checking;
    for (size_t i = 0; i < c->count; i++)
        if (c->cited[i] &&
            (c->passages[i].terms.script == j->terms.script || j->terms.script == SCRIPT_NONE))
            return true;
    return false;
}

/* The missing part as bytes of the answer: the copy has the same offsets. */
static rag_text in_answer(const struct judgement *j, const rag_statement *statement,
                          rag_text part)
{
    return part.size ? (rag_text){statement->text.data + (part.data - j->text.data), part.size}
                     : (rag_text){0};
}

static rag_status judge_words(const struct judgement *j, size_t item, rag_statement *statement,
                              rag_error *error)
{
    rag_text missing = missing_number(j, item);
    bool same = same_script(j);
    rag_status status = RAG_OK;
    statement->support = RAG_SUPPORTED;
    statement->coverage = same ? coverage(j) : 0;
    if (same && !missing.size)
        status = missing_quote(j, &missing, error);
    if (missing.size)
        statement->support = RAG_UNSUPPORTED;
    else if (!same)
        statement->support = RAG_UNCHECKED;
    else if (statement->coverage < SUPPORT_LITTLE)
        statement->support = RAG_UNSUPPORTED;
    else if ((missing = missing_name(j)).size || statement->coverage < SUPPORT_FULL)
        statement->support = RAG_WEAK;
    statement->missing = in_answer(j, statement, missing);
    return status;
}

/* A copy of the statement with blanks for its markers. */
static bool copy_without_markers(const struct checking *c, rag_text part, struct buf *out)
{
    size_t begin = (size_t)(part.data - c->answer.data), end = begin + part.size;
    if (!buf_append(out, part.data, part.size))
        return false;
    for (size_t i = first_marker(c, begin); i < c->marker_count && c->markers[i].position < end;
         i++)
        memset(out->data + c->markers[i].position - begin, ' ',
               marker_size(c->markers[i].number));
    return true;
}

static rag_status read_cited(struct checking *c, rag_error *error)
{
    rag_status status = RAG_OK;
    for (size_t i = 0; !status && i < c->count; i++)
        if (c->cited[i] && !c->passages[i].read) {
            status = support_terms_read(c->texts[i], &c->passages[i].terms, error);
            c->passages[i].read = !status;
        }
    return status;
}

static rag_status judge(struct checking *c, rag_statement *statement, rag_error *error)
{
    struct judgement j = {.checking = c, .text = BUF_INIT(statement->text.size)};
    if (statement->text.size > SUPPORT_MAX_STATEMENT) {
        statement->support = RAG_UNCHECKED;
        return RAG_OK;
    }
    memset(c->cited, 0, c->count * sizeof *c->cited);
    if (!note_markers(c, statement->text) &&
        !note_markers(c, paragraph_of(c, statement->text))) {
        statement->support = RAG_UNCITED;
        return RAG_OK;
    }
    rag_status status = read_cited(c, error);
    if (!status && !copy_without_markers(c, statement->text, &j.text))
        status = fail_memory(error);
    if (!status)
        status = support_terms_read((rag_text){j.text.data, j.text.size}, &j.terms, error);
    if (!status) {
        size_t item = item_size((rag_text){j.text.data, j.text.size});
        while (j.first_term < j.terms.count && j.terms.terms[j.first_term].begin < item)
            j.first_term++;
        if (j.terms.count < j.first_term + CHECKED_LEAST_TERMS)
            statement->coverage = 1; /* RAG_SUPPORTED is 0 */
        else
            status = judge_words(&j, item, statement, error);
    }
    support_terms_release(&j.terms);
    buf_release(&j.text);
    return status;
}

/* ---- The whole ---- */

rag_status support_check(rag_text answer, const struct marker *markers, size_t marker_count,
                         const rag_text *passages, size_t count, struct statements *out,
                         rag_error *error)
{
    struct checking c = {.answer = answer,
                         .markers = markers,
                         .marker_count = marker_count,
                         .texts = passages,
                         .count = count,
                         .out = out};
    c.passages = alloc_zeroed(count, sizeof *c.passages);
    c.cited = alloc_zeroed(count, sizeof *c.cited);
    rag_status status = c.passages && c.cited ? RAG_OK : fail_memory(error);
    bool in_code = false;
    for (size_t at = 0; !status && at < answer.size && at < SUPPORT_MAX_ANSWER;) {
        size_t end = statement_end(&c, at);
        rag_text line = {answer.data + at, end - at};
        bool fence = line.size >= 3 && memcmp(line.data, "```", 3) == 0;
        if (!fence && !in_code && !push(&c, at, end)) /* code is shown, not claimed */
            status = fail_memory(error);
        in_code ^= fence;
        at = end;
    }
    for (size_t i = 0; !status && i < out->count; i++)
        status = judge(&c, &out->items[i], error);
    for (size_t i = 0; c.passages && i < count; i++)
        support_terms_release(&c.passages[i].terms);
    free(c.passages);
    free(c.cited);
    if (status)
        statements_release(out);
    return status;
}

void statements_release(struct statements *statements)
{
    free(statements->items);
    *statements = (struct statements){0};
}
