/* An Org heading's words: without its keyword and priority, links as what is shown of them, and
 * emphasis without its marks. */
#include "documents/lines.h"
#include "documents/titles.h"
#include "text/utf8.h"

enum { MAX_BYTES = 4000 };

/* "TODO [#A] " in front of the title. */
static size_t skip_state(const char *name, size_t size)
{
    size_t at = 0;
    if (size > 5 && (memcmp(name, "TODO ", 5) == 0 || memcmp(name, "DONE ", 5) == 0))
        at = skip_blanks(name, 5, size);
    if (size - at >= 4 && memcmp(name + at, "[#", 2) == 0 && name[at + 3] == ']')
        at = skip_blanks(name, at + 4, size);
    return at;
}

/* "[[address][text]]" or "[[address]]": where what is shown of it begins and ends, and the end
 * of all; false: none is here. */
static bool find_link(const char *name, size_t size, size_t at, size_t shown[2], size_t *end)
{
    if (size - at < 5 || memcmp(name + at, "[[", 2) != 0)
        return false;
    shown[0] = at + 2;
    for (size_t i = at + 2; i + 1 < size; i++) {
        if (name[i] != ']')
            continue;
        if (name[i + 1] == ']') {
            shown[1] = i;
            *end = i + 2;
            return true;
        }
        if (name[i + 1] == '[')
            shown[0] = i + 2;
    }
    return false;
}

static bool is_around_emphasis(char c)
{
    return is_blank_byte(c) || strchr("-(){}[]'\".,:;!?", c);
}

/* The mark that closes the emphasis that opens at `at`; 0: none opens. */
static size_t emphasis_end(const char *name, size_t size, size_t at)
{
    if (!strchr("=~*/_+", name[at]) || (at && !is_around_emphasis(name[at - 1])) ||
        at + 2 >= size || is_blank_byte(name[at + 1]))
        return 0;
    for (size_t i = at + 2; i < size; i++)
        if (name[i] == name[at] && !is_blank_byte(name[i - 1]) &&
            (i + 1 == size || is_around_emphasis(name[i + 1])))
            return i;
    return 0;
}

bool org_title(const char *name, size_t size, struct buf *out)
{
    size_t shown[2], end;
    /* Each mark looks for its end: a title is no longer than that is cheap. */
    size = size > MAX_BYTES ? utf8_floor(name, size, MAX_BYTES) : size;
    for (size_t at = skip_state(name, size); at < size; at = end) {
        size_t close = emphasis_end(name, size, at);
        if (close) {
            shown[0] = at + 1;
            shown[1] = close;
            end = close + 1;
        } else if (!find_link(name, size, at, shown, &end)) {
            shown[0] = at;
            shown[1] = end = at + 1;
        }
        if (!buf_append(out, name + shown[0], shown[1] - shown[0]))
            return false;
    }
    return true;
}
