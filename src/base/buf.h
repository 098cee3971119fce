/* buf.h - a growing byte string with a named maximum.
 *
 * Invariants: data is NULL only while capacity is 0; after a successful append
 * data[size] is NUL; size <= max always. An append that would pass max, or finds no
 * memory, changes nothing and returns false. */
#ifndef RAG_BASE_BUF_H
#define RAG_BASE_BUF_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

struct buf {
    char *data;
    size_t size, capacity, max;
};

#define BUF_INIT(maximum) ((struct buf){.max = (maximum)})

void buf_release(struct buf *b);
void buf_clear(struct buf *b); /* size 0, memory kept */
CHECKED bool buf_reserve(struct buf *b, size_t more);
CHECKED bool buf_append(struct buf *b, const void *data, size_t size);
CHECKED bool buf_append_text(struct buf *b, const char *text);
CHECKED bool buf_append_char(struct buf *b, char c);
CHECKED bool buf_printf(struct buf *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The string (never NULL on success), now the caller's to free; b is empty again. */
CHECKED char *buf_detach(struct buf *b);

#endif
