/* The words of a Markdown heading, without its markup: emphasis, code spans, links and
 * images (their text stays), HTML tags, attribute lists ({#id .class}), labels
 * (:label:`x`) and backslashes in front of punctuation. An approximation is enough: a
 * title is shown and embedded, and the text itself is kept as it is. */
#include "documents/titles.h"

#include <string.h>

enum { NESTED_BRACKETS = 32 };

static bool is_punctuation(char c)
{
    return c && strchr("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", c);
}

static bool is_word(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (unsigned char)c >= 0x80;
}

/* The place behind the `close` that ends what begins at `at`, 0 if it stays open. */
static size_t behind(const char *name, size_t size, size_t at, char close)
{
    const char *found = memchr(name + at, close, size - at);
    return found ? (size_t)(found - name) + 1 : 0;
}

/* :label:`sec_x`, {#id}, <a name="x">, </a>: the place behind, 0 if there is none. */
static size_t behind_markup(const char *name, size_t size, size_t at)
{
    if (name[at] == '{' && at + 1 < size && strchr("#.:", name[at + 1]))
        return behind(name, size, at, '}');
    if (name[at] == '<' && at + 1 < size &&
        (name[at + 1] == '/' || (is_word(name[at + 1]) && (unsigned char)name[at + 1] < 0x80)))
        return behind(name, size, at, '>');
    if (name[at] == ':') {
        size_t i = at + 1;
        while (i < size && name[i] >= 'a' && name[i] <= 'z')
            i++;
        if (i > at + 1 && i + 1 < size && name[i] == ':' && name[i + 1] == '`')
            return behind(name, size, i + 2, '`');
    }
    return 0;
}

/* Behind the "(target)" or "[label]" that may follow a link's text. */
static size_t behind_target(const char *name, size_t size, size_t at)
{
    size_t end = 0;
    if (at < size && name[at] == '(')
        end = behind(name, size, at, ')');
    else if (at < size && name[at] == '[')
        end = behind(name, size, at, ']');
    return end ? end : at;
}

/* An underscore inside a word is a part of it. */
static bool is_emphasis(const char *name, size_t size, size_t at)
{
    if (name[at] == '*')
        return true;
    return name[at] == '_' &&
           !(at > 0 && at + 1 < size && is_word(name[at - 1]) && is_word(name[at + 1]));
}

bool markdown_title(const char *name, size_t size, struct buf *out)
{
    unsigned open = 0; /* brackets whose end is still to come */
    bool in_code = false;
    for (size_t i = 0; i < size;) {
        if (name[i] == '`') {
            in_code = !in_code;
            i++;
            continue;
        }
        size_t end = in_code ? 0 : behind_markup(name, size, i);
        if (end) {
            i = end;
        } else if (!in_code && name[i] == '\\' && i + 1 < size && is_punctuation(name[i + 1])) {
            if (!buf_append_char(out, name[i + 1]))
                return false;
            i += 2;
        } else if (!in_code && is_emphasis(name, size, i)) {
            i++;
        } else if (!in_code && name[i] == '!' && i + 1 < size && name[i + 1] == '[') {
            i++;
        } else if (!in_code && name[i] == '[' && open < NESTED_BRACKETS) {
            open++;
            i++;
        } else if (!in_code && name[i] == ']' && open) {
            open--;
            i = behind_target(name, size, i + 1);
        } else if (!buf_append_char(out, name[i++])) {
            return false;
        }
    }
    return true;
}
