/* lines.h - a text as lines. A line ends with "\n"; a "\r" before it is white space. */
#ifndef RAG_DOCUMENTS_LINES_H
#define RAG_DOCUMENTS_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static inline bool is_blank_byte(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The offset of the "\n" that ends the line at `at`, or size. */
static inline size_t line_end(const char *text, size_t size, size_t at)
{
    const char *newline = at < size ? memchr(text + at, '\n', size - at) : NULL;
    return newline ? (size_t)(newline - text) : size;
}

static inline size_t skip_blanks(const char *text, size_t at, size_t end)
{
    while (at < end && is_blank_byte(text[at]))
        at++;
    return at;
}

/* The end of what is not white space in [begin, end). */
static inline size_t trim_end(const char *text, size_t begin, size_t end)
{
    while (end > begin && is_blank_byte(text[end - 1]))
        end--;
    return end;
}

static inline bool is_blank(const char *text, size_t begin, size_t end)
{
    return skip_blanks(text, begin, end) == end;
}

/* The bytes of the space at `at`, no-break and ideographic ones too; 0: none is there. */
static inline size_t space_length(const char *text, size_t size, size_t at)
{
    if (at >= size)
        return 0;
    if (is_blank_byte(text[at]))
        return 1;
    if (size - at >= 2 && memcmp(text + at, "\xC2\xA0", 2) == 0)
        return 2;
    return size - at >= 3 && memcmp(text + at, "\xE3\x80\x80", 3) == 0 ? 3 : 0;
}

/* The same as is_blank with these spaces. */
static inline bool is_white(const char *text, size_t begin, size_t end)
{
    for (size_t n; (n = space_length(text, end, begin));)
        begin += n;
    return begin == end;
}

/* The bytes of a byte order mark at the front: 3 or 0. */
static inline size_t byte_order_mark(const char *text, size_t size)
{
    return size >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
}

#endif
