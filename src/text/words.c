#include "text/words.h"

#include "text/utf8.h"
#include "text/word_table.h"

#include <string.h>

/* Characters of one word, and bytes of one source character's folding, are limited so
 * that nothing is allocated: what is longer (base64, say) is parted. */
enum { WORD_MAX = 128, TERM_MAX = 4 * WORD_MAX };

enum { BREAK = 0x200B };

struct unit {
    uint32_t code; /* folded */
    uint32_t kind; /* WORD_LETTER ..., WORD_UPPER of the source's case */
    size_t begin, end;
};

struct words {
    rag_text text;
    word_fn each;
    void *user;
    int result;
    struct unit units[WORD_MAX]; /* the word in hand */
    size_t count;
    /* The characters of an unspaced script in hand: the one before, already given by
     * itself, and the present one. A character may have marks: codes are folded. */
    struct cluster {
        uint32_t codes[8];
        size_t count, begin, end;
        bool verbatim; /* its codes are the source's bytes */
    } before, present;
};

static void give(struct words *words, const char *term, size_t size, size_t begin, size_t end,
                 bool colocated)
{
    if (words->result || !size)
        return;
    struct word word = {term, size, begin, end, colocated};
    words->result = words->each(&word, words->user);
}

/* ---- Scripts without spaces ---- */

static size_t put_codes(const uint32_t *codes, size_t count, char *bytes)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += utf8_encode((int32_t)codes[i], bytes + size);
    return size;
}

static void give_pair(struct words *words, const struct cluster *a, const struct cluster *b,
                      bool colocated)
{
    if (a->verbatim && (!b || (b->verbatim && a->end == b->begin))) {
        size_t end = b ? b->end : a->end;
        give(words, words->text.data + a->begin, end - a->begin, a->begin, end, colocated);
        return;
    }
    char bytes[2 * 4 * 8];
    size_t size = put_codes(a->codes, a->count, bytes);
    if (b)
        size += put_codes(b->codes, b->count, bytes + size);
    give(words, bytes, size, a->begin, b ? b->end : a->end, colocated);
}

/* The present character is whole: gives the pair with the one before, which belongs to
 * that one's place, and then the character itself. */
static void finish_cluster(struct words *words)
{
    if (!words->present.count)
        return;
    if (words->before.count)
        give_pair(words, &words->before, &words->present, true);
    give_pair(words, &words->present, NULL, false);
    words->before = words->present;
    words->present.count = 0;
}

static void finish_run(struct words *words)
{
    finish_cluster(words);
    words->before.count = 0;
}

static void add_cluster(struct words *words, uint32_t code, bool verbatim, size_t begin,
                        size_t end)
{
    struct cluster *present = &words->present;
    uint32_t composed =
        present->count ? word_compose(present->codes[present->count - 1], code) : 0;
    if (composed) {
        present->codes[present->count - 1] = composed;
        present->end = end;
        present->verbatim = false;
        return;
    }
    finish_cluster(words);
    present->codes[0] = code;
    present->count = 1;
    present->begin = begin;
    present->end = end;
    present->verbatim = verbatim;
}

/* A vowel sign or the like. */
static void add_mark(struct words *words, uint32_t code, size_t begin, size_t end)
{
    struct cluster *present = &words->present;
    if (!present->count) {
        add_cluster(words, code, false, begin, end);
        return;
    }
    uint32_t composed = word_compose(present->codes[present->count - 1], code);
    if (composed)
        present->codes[present->count - 1] = composed;
    else if (present->count < sizeof present->codes / sizeof *present->codes)
        present->codes[present->count++] = code;
    present->end = end;
    present->verbatim = false;
}

/* ---- Words ---- */

static bool is_joint(const struct unit *unit)
{
    return unit->kind & WORD_JOINT;
}

static void give_units(struct words *words, size_t from, size_t to, bool colocated)
{
    char bytes[TERM_MAX];
    size_t size = 0;
    for (size_t i = from; i < to; i++) {
        if (words->units[i].code == ',')
            continue; /* of 1,000 */
        if (words->units[i].code < 0x80)
            bytes[size++] = (char)words->units[i].code;
        else
            size += utf8_encode((int32_t)words->units[i].code, bytes + size);
    }
    give(words, bytes, size, words->units[from].begin, words->units[to - 1].end, colocated);
}

static size_t letters_from(const struct words *words, size_t from, size_t to)
{
    size_t at = from;
    while (at < to && words->units[at].kind & WORD_LETTER)
        at++;
    return at - from;
}

static size_t letters_before(const struct words *words, size_t from, size_t to)
{
    size_t at = to;
    while (at > from && words->units[at - 1].kind & WORD_LETTER)
        at--;
    return to - at;
}

enum { SPLIT_LETTERS = 3 }; /* "resnet50" is parted, "x86", "m3" and "fp16" are not */

/* Whether a new part begins at `at` within [from, to), which has no joints:
 * dotProduct, HTTPServer, resnet50. */
static bool part_begins(const struct words *words, size_t from, size_t at, size_t to)
{
    uint32_t before = words->units[at - 1].kind, here = words->units[at].kind;
    if (before & WORD_LETTER && here & WORD_DIGIT)
        return letters_before(words, from, at) >= SPLIT_LETTERS;
    if (before & WORD_DIGIT && here & WORD_LETTER)
        return letters_from(words, at, to) >= SPLIT_LETTERS;
    if (!(here & WORD_UPPER))
        return false;
    if (!(before & WORD_UPPER))
        return true;
    return at + 1 < to && words->units[at + 1].kind & WORD_LETTER &&
           !(words->units[at + 1].kind & WORD_UPPER);
}

/* The parts of a stretch without joints; `whole`: it has been given itself. */
static void give_parts(struct words *words, size_t from, size_t to, bool whole)
{
    if (!whole)
        give_units(words, from, to, true);
    size_t start = from;
    for (size_t at = from + 1; at <= to; at++) {
        if (at < to && !part_begins(words, from, at, to))
            continue;
        bool all = start == from && at == to;
        /* A single letter cut off from a word says nothing ("i" of "iPhone"). */
        if (!all && (at - start > 1 || words->units[start].kind & WORD_DIGIT))
            give_units(words, start, at, true);
        start = at;
    }
}

static void finish_word(struct words *words)
{
    while (words->count && is_joint(&words->units[words->count - 1]))
        words->count--;
    size_t count = words->count;
    if (!count)
        return;
    give_units(words, 0, count, false);
    size_t start = 0;
    for (size_t at = 0; at <= count && !words->result; at++) {
        if (at < count && !is_joint(&words->units[at]))
            continue;
        /* The "t" of "don't" and the "s" of "model's" are no parts. */
        bool ending = at - start == 1 && start && words->units[start - 1].code == '\'';
        if (at > start && !ending)
            give_parts(words, start, at, start == 0 && at == count);
        start = at + 1;
    }
    words->count = 0;
}

static void add_unit(struct words *words, uint32_t code, uint32_t kind, size_t begin,
                     size_t end)
{
    if (words->count == WORD_MAX)
        finish_word(words);
    words->units[words->count++] = (struct unit){code, kind, begin, end};
}

/* "C++", "C#": signs that belong to a name of one letter. */
static bool add_language_sign(struct words *words, size_t at, size_t *next)
{
    const char *text = words->text.data;
    size_t size = words->text.size;
    if (words->count != 1 || !(words->units[0].kind & WORD_LETTER))
        return false;
    size_t signs = text[at] == '#' ? 1 : size - at > 1 && text[at + 1] == '+' ? 2 : 0;
    if (!signs)
        return false;
    /* "C++." and "C++17" are of that name, "a++b" is not. */
    char ahead = at + signs < size ? text[at + signs] : ' ';
    if (ahead == '_' || word_table_ascii(ahead) & (WORD_LETTER | WORD_SIGN))
        return false;
    struct unit letter = words->units[0];
    for (size_t i = 0; i < signs; i++)
        add_unit(words, (unsigned char)text[at + i], WORD_SIGN, at + i, at + i + 1);
    give_units(words, 0, words->count, false);
    words->units[0] = letter;
    words->count = 1;
    give_units(words, 0, 1, true);
    words->count = 0;
    *next = at + signs;
    return true;
}

static size_t digits_at(rag_text text, size_t at)
{
    size_t count = 0;
    while (at + count < text.size && text.data[at + count] >= '0' &&
           text.data[at + count] <= '9')
        count++;
    return count;
}

/* Whether a comma is that of 1,000: then 1000 is a word too. */
static bool parts_thousands(const struct words *words, size_t next)
{
    size_t at = words->count;
    while (at && words->units[at - 1].kind & WORD_DIGIT)
        at--;
    size_t digits = words->count - at;
    return digits >= 1 && digits <= 3 && (!at || is_joint(&words->units[at - 1])) &&
           digits_at(words->text, next) == 3;
}

/* A joint stays in the word if it stands between what it may join: "_" and "-" join
 * letters and digits, "." digits, "'" letters. */
static bool may_join(const struct words *words, uint32_t code, size_t next)
{
    if (!words->count || is_joint(&words->units[words->count - 1]) || next >= words->text.size)
        return code == '_' && words->count && next < words->text.size;
    size_t length;
    int32_t ahead = utf8_decode(words->text.data + next, words->text.size - next, &length);
    if (ahead < 0)
        return false;
    uint32_t behind = words->units[words->count - 1].kind;
    uint32_t before = word_table_get((uint32_t)ahead);
    uint32_t sides = code == '.'    ? WORD_DIGIT
                     : code == '\'' ? WORD_LETTER
                                    : WORD_LETTER | WORD_DIGIT;
    if (code == '_' && ahead == '_')
        return true;
    return behind & sides && before & sides;
}

/* One folded character. */
static void add_code(struct words *words, uint32_t code, uint32_t kind, bool verbatim,
                     size_t begin, size_t end)
{
    if (kind & (WORD_LETTER | WORD_DIGIT)) {
        finish_run(words);
        add_unit(words, code, kind, begin, end);
    } else if (kind & WORD_UNSPACED) {
        finish_word(words);
        add_cluster(words, code, verbatim, begin, end);
    } else if (kind & WORD_UNSPACED_MARK) {
        finish_word(words);
        add_mark(words, code, begin, end);
    } else if ((kind & WORD_JOINT && may_join(words, code, end)) ||
               (code == ',' && verbatim && parts_thousands(words, end))) {
        add_unit(words, code, WORD_JOINT, begin, end);
    } else if (code == BREAK && words->present.count) {
        return; /* a place for a line break parts nothing where each character is found */
    } else if (!(kind & WORD_IGNORED)) {
        finish_word(words);
        finish_run(words);
    }
}

int words_each(rag_text text, word_fn each, void *user)
{
    struct words words = {.text = text, .each = each, .user = user};
    if (!word_table_ready())
        return WORDS_NO_MEMORY;
    for (size_t at = 0; at < text.size && !words.result;) {
        size_t length, next;
        int32_t code = utf8_decode(text.data + at, text.size - at, &length);
        if (code < 0) {
            finish_word(&words);
            finish_run(&words);
            at += length;
            continue;
        }
        next = at + length;
        uint32_t entry = word_table_get((uint32_t)code);
        if (entry & WORD_SIGN && add_language_sign(&words, at, &next)) {
            at = next;
            continue;
        }
        if (!(entry & WORD_EXPANDED)) {
            uint32_t folded = entry & WORD_CODE;
            add_code(&words, folded, entry, folded == (uint32_t)code, at, next);
        } else {
            size_t count;
            const uint32_t *folded = word_table_expansion(entry, &count);
            for (size_t i = 0; i < count; i++)
                add_code(&words, folded[i] & WORD_CODE, folded[i], false, at, next);
        }
        at = next;
    }
    finish_word(&words);
    finish_run(&words);
    return words.result;
}
