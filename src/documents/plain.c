/* Plain text: paragraphs between blank lines, and headings where they are beyond doubt.
 *
 * Taken as a heading is a short line
 *   with a blank line (or the start) before it and underlined with "===", "---" or "~~~"
 *   about as long as itself;
 *   or with blank lines before and after it, not ending like a sentence, that counts as
 *   manuals do: "Chapter 3. Title", "Appendix A. Title", "Part II. Title",
 *   "1.2. Title", "1.2.3 Title", "第 3 章 Title", "第三节 Title", "附录 A Title".
 * A lone "1. Title" is no heading: lists look like that. */
#include "documents/plain.h"
#include "documents/lines.h"
#include "text/utf8.h"

#include <string.h>
#include <utf8proc.h>

enum {
    HEADING_MAX_BYTES = 160,
    NUMBER_MAX_PARTS = 6,
    NUMBER_MAX_DIGITS = 3, /* 2021.12.24 counts nothing */
};

/* ---- Counted headings ------------------------------------------------------- */

static bool ends_like_a_sentence(const char *text, size_t size)
{
    static const char *const ends[] = {".",  ",",  ";",  ":",  "?",  "!", "。",
                                       "，", "；", "：", "？", "！", "…", "、"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        size_t n = strlen(ends[i]);
        if (size >= n && memcmp(text + size - n, ends[i], n) == 0)
            return true;
    }
    return false;
}

/* A title begins with a letter that is not a small one, or with a symbol such as "/". */
static bool begins_like_a_title(const char *text, size_t size)
{
    if (size == 0)
        return false;
    size_t n;
    int32_t code = utf8_decode(text, size, &n);
    utf8proc_category_t category = utf8proc_category(code);
    return category == UTF8PROC_CATEGORY_LU || category == UTF8PROC_CATEGORY_LT ||
           category == UTF8PROC_CATEGORY_LO || code == '"' || code == '/' || code == '.';
}

static size_t skip_spaces(const char *text, size_t size, size_t at)
{
    size_t n;
    while ((n = space_length(text, size, at)))
        at += n;
    return at;
}

/* "1.2." or "1.2.3": the number of parts, from 2, and where the title begins; else 0. */
static unsigned decimal_number(const char *text, size_t size, size_t *title)
{
    unsigned parts = 0;
    size_t at = 0;
    for (;;) {
        size_t digits = 0;
        while (at < size && text[at] >= '0' && text[at] <= '9' && digits <= NUMBER_MAX_DIGITS)
            at++, digits++;
        if (digits == 0 || digits > NUMBER_MAX_DIGITS)
            break;
        parts++;
        if (at >= size || text[at] != '.')
            break;
        at++;
    }
    if (parts < 2 || parts > NUMBER_MAX_PARTS)
        return 0;
    *title = skip_spaces(text, size, at);
    return *title > at ? parts : 0;
}

/* "Chapter 3." and its like in English and other European books. */
static bool named_number(const char *text, size_t size, size_t *title)
{
    static const char *const names[] = {"Chapter", "CHAPTER", "Appendix", "APPENDIX", "Part",
                                        "PART",    "Kapitel", "Chapitre", "Capítulo"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t n = strlen(names[i]);
        if (size <= n || memcmp(text, names[i], n) != 0)
            continue;
        size_t number = skip_spaces(text, size, n), at = number;
        while (at < size &&
               ((text[at] >= '0' && text[at] <= '9') || (text[at] >= 'A' && text[at] <= 'Z')))
            at++;
        if (number == n || at == number || at - number > 6)
            return false;
        if (at < size && text[at] != '.' && text[at] != ':')
            return false;
        *title = skip_spaces(text, size, at + (at < size));
        return true;
    }
    return false;
}

static bool is_chinese_digit(int32_t code)
{
    static const int32_t digits[] = {0x4E00, 0x4E8C, 0x4E09, 0x56DB, 0x4E94, 0x516D, 0x4E03,
                                     0x516B, 0x4E5D, 0x5341, 0x767E, 0x96F6, 0x3007};
    for (size_t i = 0; i < sizeof digits / sizeof *digits; i++)
        if (digits[i] == code)
            return true;
    return (code >= '0' && code <= '9') || (code >= 0xFF10 && code <= 0xFF19);
}

/* "第 3 章" and its like: the level, or 0. */
static unsigned chinese_number(const char *text, size_t size, size_t *title)
{
    static const struct {
        const char *unit;
        unsigned level;
    } units[] = {{"部分", 1}, {"部", 1}, {"篇", 1}, {"卷", 1},
                 {"编", 1},   {"章", 1}, {"节", 2}, {"節", 2}};
    static const char first[] = "第";
    size_t at = sizeof first - 1;
    if (size <= at || memcmp(text, first, at) != 0)
        return 0;
    at = skip_spaces(text, size, at);
    size_t digits = at, n;
    while (at < size && is_chinese_digit(utf8_decode(text + at, size - at, &n)))
        at += n;
    if (at == digits)
        return 0;
    at = skip_spaces(text, size, at);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        n = strlen(units[i].unit);
        if (size - at < n || memcmp(text + at, units[i].unit, n) != 0)
            continue;
        *title = skip_spaces(text, size, at + n);
        return *title == size || *title > at + n ? units[i].level : 0;
    }
    return 0;
}

static bool chinese_appendix(const char *text, size_t size, size_t *title)
{
    static const char name[] = "附录";
    size_t n = sizeof name - 1;
    if (size <= n || memcmp(text, name, n) != 0)
        return false;
    size_t at = skip_spaces(text, size, n);
    if (at >= size ||
        !(is_chinese_digit((unsigned char)text[at]) || (text[at] >= 'A' && text[at] <= 'Z')))
        return false;
    at++;
    at += at < size && text[at] == '.';
    *title = skip_spaces(text, size, at);
    return *title == size || *title > at;
}

unsigned plain_counted_level(const char *text, size_t size)
{
    size_t title = 0;
    unsigned level = decimal_number(text, size, &title);
    if (!level)
        level = chinese_number(text, size, &title);
    if (!level && (named_number(text, size, &title) || chinese_appendix(text, size, &title)))
        level = 1;
    if (!level || ends_like_a_sentence(text, size))
        return 0;
    return title == size || begins_like_a_title(text + title, size - title) ? level : 0;
}

/* ---- Lines ------------------------------------------------------------------ */

static size_t characters(const char *text, size_t begin, size_t end)
{
    size_t n = 0;
    for (size_t i = begin; i < end; i++)
        n += ((unsigned char)text[i] & 0xC0) != 0x80;
    return n;
}

/* The level that an underline gives the line [begin, end), 0 if it is none. Wide
 * characters take two columns, hence up to twice the length. */
static unsigned underline_level(const char *text, size_t begin, size_t end, size_t under,
                                size_t under_end)
{
    static const char marks[] = "=-~";
    under_end = trim_end(text, under, under_end);
    size_t length = under_end - under, title = characters(text, begin, end);
    const char *mark = length ? strchr(marks, text[under]) : NULL;
    if (!mark || !*mark || length < 3 || length + 2 < title || length > 2 * title + 2)
        return 0;
    for (size_t i = under; i < under_end; i++)
        if (text[i] != *mark)
            return 0;
    return 1 + (unsigned)(mark - marks);
}

/* The block that begins with the line at `line` (not blank): a heading, or all lines up
 * to the next blank one. */
static struct block read_block(const char *text, size_t size, size_t line)
{
    size_t end = line_end(text, size, line);
    size_t at = skip_blanks(text, line, end), name_end = trim_end(text, at, end);
    struct block block = {.kind = BLOCK_HEADING,
                          .begin = line,
                          .end = end,
                          .name_begin = at,
                          .name_end = name_end};
    size_t next = end < size ? end + 1 : size, next_end = line_end(text, size, next);
    if (name_end - at <= HEADING_MAX_BYTES) {
        block.level = underline_level(text, at, name_end, next, next_end);
        if (block.level) {
            block.end = next_end;
            return block;
        }
        if (at == line && is_white(text, next, next_end))
            block.level = plain_counted_level(text + at, name_end - at);
        if (block.level)
            return block;
    }
    while (next < size && !is_white(text, next, next_end)) {
        block.end = next_end;
        next = next_end < size ? next_end + 1 : size;
        next_end = line_end(text, size, next);
    }
    block.kind = BLOCK_PARAGRAPH;
    block.name_begin = block.name_end = 0;
    return block;
}

rag_status plain_read_lines(struct document *document, size_t begin, size_t size,
                            rag_error *error)
{
    const char *text = document->text.data;
    for (size_t line = begin; line < size;) {
        size_t end = line_end(text, size, line);
        if (is_white(text, line, end)) {
            line = end + 1;
            continue;
        }
        struct block block = read_block(text, size, line);
        if (!document_push(document, block))
            return fail_memory(error);
        line = block.end + 1;
    }
    return RAG_OK;
}

rag_status plain_read(struct document *document, rag_error *error)
{
    size_t begin = byte_order_mark(document->text.data, document->text.size);
    return plain_read_lines(document, begin, document->text.size, error);
}
