#include "documents/sentences.h"
#include "documents/lines.h"
#include "text/utf8.h"

#include <utf8proc.h>

enum { ABBREVIATION_MAX = 8 }; /* bytes of a word that may be an abbreviation */

enum mark {
    MARK_NONE,
    MARK_FINAL, /* ends a sentence whatever follows */
    MARK_ASCII, /* "!" and "?": needs white space or a wide character behind */
    MARK_STOP,  /* ".": in doubt */
};

static enum mark mark_of(int32_t code)
{
    switch (code) {
    case '.':
        return MARK_STOP;
    case '!':
    case '?':
    case 0x2026: /* … */
        return MARK_ASCII;
    case 0x3002: /* 。 */
    case 0xFF61: /* ｡ */
    case 0xFF01: /* ！ */
    case 0xFF1F: /* ？ */
    case 0xFF0E: /* ． */
    case 0x0964: /* danda */
    case 0x0965:
    case 0x061F: /* Arabic question mark */
    case 0x06D4:
    case 0x1362: /* Ethiopic full stop */
    case 0x0F0D: /* Tibetan shad */
    case 0x104B: /* Myanmar section */
    case 0x17D4: /* Khmer khan */
    case 0x17D5:
    case 0x203C:
    case 0x2047:
    case 0x2048:
    case 0x2049:
        return MARK_FINAL;
    default:
        return MARK_NONE;
    }
}

static bool is_closing(int32_t code)
{
    utf8proc_category_t category = utf8proc_category(code);
    return category == UTF8PROC_CATEGORY_PE || category == UTF8PROC_CATEGORY_PF ||
           code == '"' || code == '\'' || code == '*' || code == '_' || code == 0x300D ||
           code == 0x300F;
}

static bool is_wide(int32_t code)
{
    return code >= 0x2E80 && utf8proc_charwidth(code) == 2;
}

/* Whether the full stop at `at` belongs to the word before it: "3.", "J.", "e.g.", "Fig." */
static bool is_abbreviation(const char *text, size_t begin, size_t at)
{
    static const char *const words[] = {
        "Mr",  "Mrs", "Ms",  "Dr",  "Prof", "St", "vs",  "etc", "cf",  "Fig",
        "fig", "Eq",  "eq",  "Sec", "sec",  "No", "no",  "Vol", "vol", "pp",
        "Jr",  "Sr",  "Inc", "Ltd", "al",   "ca", "Abb", "bzw", "Nr",  "usw",
        "Hr",  "Fr",  "Mme", "art", "Art",  "Ch", "ch",  "ed",  "eds", "approx"};
    size_t from = at;
    while (from > begin && at - from <= ABBREVIATION_MAX && !is_blank_byte(text[from - 1]) &&
           !strchr("([{\"'", text[from - 1]))
        from--;
    size_t size = at - from;
    if (size == 0 || size > ABBREVIATION_MAX)
        return false;
    bool digits = true;
    for (size_t i = from; i < at; i++)
        digits &= text[i] >= '0' && text[i] <= '9';
    /* A number and a stop in front of everything count an item; "in 1999." ends one. */
    if (digits)
        return skip_blanks(text, begin, from) == from;
    char last = text[at - 1];
    bool letter = (last >= 'a' && last <= 'z') || (last >= 'A' && last <= 'Z');
    if (letter && (size == 1 || text[at - 2] == '.')) /* "J.", "e.g.", "U.S." */
        return true;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strlen(words[i]) == size && memcmp(words[i], text + from, size) == 0)
            return true;
    return false;
}

/* Behind the further marks and closing quotes at `at`. */
static size_t skip_closing(const char *text, size_t at, size_t end)
{
    while (at < end) {
        size_t n;
        int32_t code = utf8_decode(text + at, end - at, &n);
        if (mark_of(code) == MARK_NONE && !is_closing(code))
            break;
        at += n;
    }
    return at;
}

/* Whether what stands at `next`, behind the mark and its closing quotes, lets a sentence
 * end before it. */
static bool may_end(const char *text, size_t begin, size_t at, size_t next, size_t end,
                    enum mark mark)
{
    if (mark == MARK_FINAL || next == end)
        return true;
    size_t n;
    if (!is_blank_byte(text[next]))
        return mark == MARK_ASCII && is_wide(utf8_decode(text + next, end - next, &n));
    if (mark == MARK_STOP && is_abbreviation(text, begin, at))
        return false;
    size_t word = skip_blanks(text, next, end);
    return word == end ||
           utf8proc_category(utf8_decode(text + word, end - word, &n)) != UTF8PROC_CATEGORY_LL;
}

/* Whether the character at text[at] is of Thai or Lao (U+0E00 to U+0EFF). */
static bool is_thai_or_lao(const char *text, size_t at, size_t end)
{
    return end - at >= 3 && (unsigned char)text[at] == 0xE0 &&
           ((unsigned char)text[at + 1] & 0xFC) == 0xB8;
}

/* These write words without spaces between them, and sentences without a mark at the end: a
 * space between two of their letters parts sentences, or clauses of one. */
static bool is_thai_space(const char *text, size_t begin, size_t at, size_t end)
{
    return at - begin >= 3 && is_thai_or_lao(text, at - 3, at) &&
           is_thai_or_lao(text, skip_blanks(text, at, end), end);
}

size_t sentence_end(const char *text, size_t begin, size_t end)
{
    for (size_t at = begin, n; at < end; at += n) {
        unsigned char byte = (unsigned char)text[at];
        n = 1;
        if (byte == ' ' && is_thai_space(text, begin, at, end))
            return skip_blanks(text, at, end);
        if (byte < 0x80 && byte != '.' && byte != '!' && byte != '?' && byte != '\n')
            continue;
        if (byte == '\n') { /* a blank line ends everything */
            size_t next = skip_blanks(text, at, end);
            if (memchr(text + at + 1, '\n', next - at - 1))
                return next;
            continue;
        }
        enum mark mark = mark_of(utf8_decode(text + at, end - at, &n));
        if (mark == MARK_NONE)
            continue;
        size_t next = skip_closing(text, at + n, end);
        if (may_end(text, begin, at, next, end, mark))
            return skip_blanks(text, next, end);
        n = next - at;
    }
    return end;
}
