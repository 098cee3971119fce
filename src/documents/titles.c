#include "documents/titles.h"
#include "documents/lines.h"

/* The length of a command's name behind the "\\" at `at`. */
static size_t command_length(const char *name, size_t at, size_t size)
{
    size_t n = 0;
    while (at + n < size && ((name[at + n] >= 'a' && name[at + n] <= 'z') ||
                             (name[at + n] >= 'A' && name[at + n] <= 'Z')))
        n++;
    return n;
}

/* Commands go and what they stand around stays: \emph{x} is x; formulas stay as they are. */
bool latex_title(const char *name, size_t size, struct buf *out)
{
    for (size_t at = 0; at < size;) {
        char c = name[at++];
        if (c == '$') {
            const char *end = at < size ? memchr(name + at, '$', size - at) : NULL;
            size_t stop = end ? (size_t)(end - name) + 1 : size;
            if (!buf_append(out, name + at - 1, stop - at + 1))
                return false;
            at = stop;
        } else if (c == '\\') {
            size_t n = command_length(name, at, size);
            if (n)
                at = skip_blanks(name, at + n, size);
            else if (at < size && !buf_append_char(out, name[at] == '\\' ? ' ' : name[at]))
                return false;
            at += n == 0 && at < size;
        } else if (c != '{' && c != '}' && !buf_append_char(out, c == '~' ? ' ' : c)) {
            return false;
        }
    }
    return true;
}

bool plain_title(const char *name, size_t size, struct buf *out)
{
    for (size_t at = 0; at < size;) {
        size_t n = space_length(name, size, at);
        if (!buf_append_char(out, n ? ' ' : name[at]))
            return false;
        at += n ? n : 1;
    }
    return true;
}
