/* quote.c - which words of a passage bear a statement out. */
#include "base/memory.h"
#include "documents/sentences.h"
#include "pipeline/cite.h"
#include "text/utf8.h"
#include "text/words.h"

#include <string.h>

enum { STATEMENT_TERMS = 256, PASSAGE_SENTENCES = 512, LONGEST_QUOTE = 2 * QUOTE_BYTES };

struct term {
    char *text;
    size_t size;
    double weight;
};

struct statement {
    struct term terms[STATEMENT_TERMS]; /* distinct */
    size_t count;
    bool out_of_memory;
};

static size_t find_term(const struct statement *statement, const struct word *word)
{
    for (size_t i = 0; i < statement->count; i++)
        if (statement->terms[i].size == word->size &&
            memcmp(statement->terms[i].text, word->term, word->size) == 0)
            return i;
    return SIZE_MAX;
}

/* Longer terms are rarer: a single letter or Han character says little, a pair of them or a
 * word of eight letters much. */
static int add_term(const struct word *word, void *user)
{
    struct statement *statement = user;
    if (statement->count == STATEMENT_TERMS || find_term(statement, word) != SIZE_MAX)
        return 0;
    char *copy = malloc(word->size + 1);
    if (!copy) {
        statement->out_of_memory = true;
        return 1;
    }
    memcpy(copy, word->term, word->size);
    double letters = (double)(word->size < 8 ? word->size : 8);
    statement->terms[statement->count++] =
        (struct term){copy, word->size, letters * letters / 64};
    return 0;
}

static void statement_release(struct statement *statement)
{
    for (size_t i = 0; i < statement->count; i++)
        free(statement->terms[i].text);
}

/* The places of sentences in a passage. */
struct span {
    size_t begin, end;
};

static size_t split(rag_text passage, struct span *spans)
{
    size_t count = 0;
    for (size_t at = 0; at < passage.size && count < PASSAGE_SENTENCES;) {
        size_t end = sentence_end(passage.data, at, passage.size);
        spans[count++] = (struct span){at, end};
        at = end;
    }
    return count;
}

struct seen {
    const struct statement *statement;
    bool *terms; /* [STATEMENT_TERMS] */
    double weight;
};

static int note_term(const struct word *word, void *user)
{
    struct seen *seen = user;
    size_t i = find_term(seen->statement, word);
    if (i != SIZE_MAX && !seen->terms[i]) {
        seen->terms[i] = true;
        seen->weight += seen->statement->terms[i].weight;
    }
    return 0;
}

/* The run of sentences that holds the most; of equals the first and shortest. */
static rag_status best_run(rag_text passage, const struct statement *statement,
                           const struct span *spans, size_t count, size_t *from, size_t *to,
                           rag_error *error)
{
    double best_weight = 0;
    for (size_t first = 0; first < count; first++) {
        bool terms[STATEMENT_TERMS] = {false};
        struct seen seen = {statement, terms, 0};
        for (size_t last = first; last < count; last++) {
            size_t size = spans[last].end - spans[first].begin;
            if (last > first && size > QUOTE_BYTES)
                break;
            rag_text sentence = {passage.data + spans[last].begin,
                                 spans[last].end - spans[last].begin};
            if (words_each(sentence, note_term, &seen) == WORDS_NO_MEMORY)
                return fail_memory(error);
            if (seen.weight > best_weight) {
                best_weight = seen.weight;
                *from = first;
                *to = last;
            }
        }
    }
    return RAG_OK;
}

/* Takes in the sentences behind, then those before, as long as the quote stays short: what is
 * said of a thing mostly stands behind its name. */
static struct span widen(const struct span *spans, size_t count, size_t first, size_t last)
{
    while (last + 1 < count && spans[last + 1].end - spans[first].begin <= QUOTE_BYTES)
        last++;
    while (first > 0 && spans[last].end - spans[first - 1].begin <= QUOTE_BYTES)
        first--;
    return (struct span){spans[first].begin, spans[last].end};
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

rag_status find_quote(rag_text passage, rag_text about, size_t *begin, size_t *end,
                      rag_error *error)
{
    rag_status status = RAG_OK;
    struct statement *statement = alloc_zeroed(1, sizeof *statement);
    struct span *spans = alloc_zeroed(PASSAGE_SENTENCES, sizeof *spans);
    if (!statement || !spans) {
        status = fail_memory(error);
        goto out;
    }
    if (words_each(about, add_term, statement) == WORDS_NO_MEMORY || statement->out_of_memory) {
        status = fail_memory(error);
        goto out;
    }
    size_t count = split(passage, spans);
    size_t first = 0, last = 0;
    if ((status = best_run(passage, statement, spans, count, &first, &last, error)))
        goto out;
    struct span best = count ? widen(spans, count, first, last) : (struct span){0, 0};
    /* What closes the sentence before is not the beginning of a quote. */
    while (best.begin < best.end && (is_space(passage.data[best.begin]) ||
                                     strchr(".,;:!?)]}", passage.data[best.begin])))
        best.begin++;
    if (best.end - best.begin > LONGEST_QUOTE)
        best.end = utf8_floor(passage.data, passage.size, best.begin + LONGEST_QUOTE);
    while (best.end > best.begin && is_space(passage.data[best.end - 1]))
        best.end--;
    *begin = best.begin;
    *end = best.end;
out:
    if (statement)
        statement_release(statement);
    free(statement);
    free(spans);
    return status;
}

/* The markers, and blanks, that stand right before `end`. */
static size_t skip_markers_back(const char *text, size_t end)
{
    for (;;) {
        size_t at = end;
        while (at > 0 && is_space(text[at - 1]))
            at--;
        size_t digits = at;
        if (at == 0 || text[--digits] != ']')
            return end;
        while (digits > 0 && text[digits - 1] >= '0' && text[digits - 1] <= '9')
            digits--;
        if (digits == 0 || text[digits - 1] != '[')
            return end;
        end = digits - 1;
    }
}

rag_text statement_before(rag_text answer, size_t position)
{
    /* What stands between a marker and the end of its sentence are other markers and the
     * full stop; so the sentence is the last one that begins before these. */
    const char *text = answer.data;
    size_t begin = 0, end = skip_markers_back(text, position);
    for (size_t at = 0; at < end;) {
        begin = at;
        at = sentence_end(text, at, answer.size);
    }
    /* "Claim.[1] Claim.[2]": no blank ends the first sentence, but its marker does. */
    for (size_t at = end; at > begin + 1; at--) {
        size_t before = skip_markers_back(text, at);
        if (before < at && (before == begin || strchr(".!?", text[before - 1]))) {
            begin = at;
            break;
        }
    }
    return (rag_text){text + begin, end - begin};
}
