#include "pipeline/support_terms.h"
#include "base/checksum.h"
#include "base/memory.h"
#include "text/utf8.h"
#include "text/words.h"

#include <math.h>
#include <string.h>

enum { DIFFERENCES = 10 /* one in so many terms of a quote */ };

/* ---- Words ---- */

struct reading {
    struct support_terms *out;
    bool no_memory;
};

static int add_term(const struct word *word, void *user)
{
    struct reading *reading = user;
    struct support_terms *out = reading->out;
    if (!array_reserve(&out->terms, &out->capacity, out->count + 1, sizeof *out->terms)) {
        reading->no_memory = true;
        return 1;
    }
    double letters = (double)(word->size < 8 ? word->size : 8);
    out->terms[out->count++] = (struct support_term){
        .hash = checksum_bytes(word->term, word->size),
        .begin = word->begin,
        .end = word->end,
        .weight = letters * letters / 64,
        .colocated = word->colocated,
    };
    return 0;
}

static int by_hash(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static rag_status read_words(rag_text text, struct support_terms *out, rag_error *error)
{
    struct reading reading = {out, false};
    if (words_each(text, add_term, &reading) == WORDS_NO_MEMORY || reading.no_memory)
        return fail_memory(error);
    out->known = alloc_array(out->count, sizeof *out->known);
    if (!out->known)
        return fail_memory(error);
    for (size_t i = 0; i < out->count; i++)
        out->known[i] = out->terms[i].hash;
    if (out->count)
        qsort(out->known, out->count, sizeof *out->known, by_hash);
    return RAG_OK;
}

/* ---- Numbers ---- */

/* The digit at text[at], ASCII or full width; -1: none. */
static int digit_at(rag_text text, size_t at, size_t *size)
{
    *size = 1;
    if (at >= text.size)
        return -1;
    if (text.data[at] >= '0' && text.data[at] <= '9')
        return text.data[at] - '0';
    int32_t code = utf8_decode(text.data + at, text.size - at, size);
    return code >= 0xFF10 && code <= 0xFF19 ? code - 0xFF10 : -1;
}

/* Whether three digits, and no fourth, stand behind the comma at `at`: a group of thousands. */
static bool is_group(rag_text text, size_t at)
{
    size_t size, digits = 0;
    for (at++; digit_at(text, at, &size) >= 0; at += size)
        digits++;
    return digits == 3;
}

/* Reads the number that begins at a digit: 1,234.5 is one, 3.10.2 is two. */
static struct support_number read_number(rag_text text, size_t begin)
{
    double value = 0, unit = 0; /* unit: of the next decimal; 0 before the point */
    size_t at = begin, size;
    for (;;) {
        int digit = digit_at(text, at, &size);
        if (digit >= 0) {
            value = unit > 0 ? value + digit * unit : value * 10 + digit;
            unit /= 10;
            at += size;
            continue;
        }
        size_t next;
        bool more = at < text.size && digit_at(text, at + 1, &next) >= 0;
        if (more && text.data[at] == ',' && unit == 0 && is_group(text, at)) {
            at++;
        } else if (more && text.data[at] == '.' && unit == 0) {
            unit = 0.1;
            at++;
        } else {
            return (struct support_number){value, begin, at};
        }
    }
}

static bool is_letter(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* Digits within a word ("x86", "resnet50") are part of a name. */
static rag_status read_numbers(rag_text text, struct support_terms *out, rag_error *error)
{
    for (size_t at = 0; at < text.size;) {
        size_t size;
        if (digit_at(text, at, &size) < 0) {
            at += size;
            continue;
        }
        struct support_number number = read_number(text, at);
        bool in_word =
            (at && is_letter((unsigned char)text.data[at - 1])) ||
            (number.end < text.size && is_letter((unsigned char)text.data[number.end]));
        at = number.end;
        if (in_word)
            continue;
        if (!array_reserve(&out->numbers, &out->number_capacity, out->number_count + 1,
                           sizeof *out->numbers))
            return fail_memory(error);
        out->numbers[out->number_count++] = number;
    }
    return RAG_OK;
}

/* ---- Script ---- */

static enum support_script script_of(rag_text text)
{
    size_t counts[SCRIPT_OTHER + 1] = {0}, size;
    for (size_t at = 0; at < text.size; at += size) {
        int32_t code = utf8_decode(text.data + at, text.size - at, &size);
        if (code < 0x80)
            counts[is_letter((unsigned char)code) ? SCRIPT_LATIN : SCRIPT_NONE]++;
        else if (code < 0x250)
            counts[SCRIPT_LATIN]++;
        else if (code >= 0x2E80 && code <= 0x9FFF)
            counts[SCRIPT_HAN] += 3; /* a character says as much as a syllable or two */
        else if (code >= 0x370 && code < 0x2000)
            counts[SCRIPT_OTHER]++;
        else if (code >= 0xAC00 && code <= 0xD7A3)
            counts[SCRIPT_OTHER] += 3;
    }
    enum support_script script = SCRIPT_NONE;
    for (enum support_script i = SCRIPT_LATIN; i <= SCRIPT_OTHER; i++)
        if (counts[i] > (script == SCRIPT_NONE ? 0 : counts[script]))
            script = i;
    return script;
}

/* ---- The whole ---- */

rag_status support_terms_read(rag_text text, struct support_terms *out, rag_error *error)
{
    *out = (struct support_terms){.script = script_of(text)};
    rag_status status = read_words(text, out, error);
    if (!status)
        status = read_numbers(text, out, error);
    if (status)
        support_terms_release(out);
    return status;
}

void support_terms_release(struct support_terms *terms)
{
    free(terms->terms);
    free(terms->known);
    free(terms->numbers);
    *terms = (struct support_terms){0};
}

bool support_terms_have(const struct support_terms *terms, uint64_t hash)
{
    return terms->count &&
           bsearch(&hash, terms->known, terms->count, sizeof hash, by_hash) != NULL;
}

bool support_terms_have_number(const struct support_terms *terms, double value)
{
    for (size_t i = 0; i < terms->number_count; i++)
        if (fabs(terms->numbers[i].value - value) <= 1e-9 * fabs(value))
            return true;
    return false;
}

/* The terms of a range that stand each at a place of its own. */
static size_t take_places(const struct support_terms *terms, size_t first, size_t last,
                          uint64_t *hashes)
{
    size_t count = 0;
    for (size_t i = first; i < last; i++)
        if (!terms->terms[i].colocated)
            hashes[count++] = terms->terms[i].hash;
    return count;
}

/* The fewest edits that turn the quote into some run of the text (P. Sellers, 1980). costs:
 * [size + 1]. */
static size_t fewest_edits(const uint64_t *quote, size_t size, const uint64_t *text,
                           size_t text_size, size_t *costs)
{
    size_t best = size;
    for (size_t i = 0; i <= size; i++)
        costs[i] = i;
    for (size_t t = 0; t < text_size; t++) {
        size_t diagonal = 0; /* a run may begin anywhere */
        for (size_t i = 1; i <= size; i++) {
            size_t cost = diagonal + (quote[i - 1] != text[t]);
            diagonal = costs[i];
            if (costs[i] + 1 < cost)
                cost = costs[i] + 1;
            if (costs[i - 1] + 1 < cost)
                cost = costs[i - 1] + 1;
            costs[i] = cost;
        }
        best = costs[size] < best ? costs[size] : best;
    }
    return best;
}

rag_status support_terms_contain(const struct support_terms *terms,
                                 const struct support_terms *quote, size_t first, size_t last,
                                 bool *found, rag_error *error)
{
    uint64_t *text = alloc_array(terms->count, sizeof *text);
    uint64_t *wanted = alloc_array(last - first, sizeof *wanted);
    size_t *costs = alloc_array(last - first + 1, sizeof *costs);
    rag_status status = RAG_OK;
    if (text && wanted && costs) {
        size_t size = take_places(quote, first, last, wanted);
        size_t text_size = take_places(terms, 0, terms->count, text);
        *found = fewest_edits(wanted, size, text, text_size, costs) <= size / DIFFERENCES;
    } else {
        status = fail_memory(error);
    }
    free(text);
    free(wanted);
    free(costs);
    return status;
}
