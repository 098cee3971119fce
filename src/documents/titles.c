#include "documents/titles.h"
#include "documents/lines.h"

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
