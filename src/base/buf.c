#include "base/buf.h"
#include "base/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void buf_release(struct buf *b)
{
    free(b->data);
    *b = BUF_INIT(b->max);
}

void buf_clear(struct buf *b)
{
    b->size = 0;
    if (b->data)
        b->data[0] = '\0';
}

bool buf_reserve(struct buf *b, size_t more)
{
    size_t needed;
    if (more > b->max - b->size || !size_add(b->size, more, &needed) ||
        !size_add(needed, 1, &needed))
        return false;
    if (needed <= b->capacity)
        return true;
    size_t grown = b->capacity < 64 ? 64 : b->capacity;
    while (grown < needed)
        if (!size_mul(grown, 2, &grown))
            return false;
    char *moved = realloc(b->data, grown);
    if (!moved)
        return false;
    b->data = moved;
    b->capacity = grown;
    b->data[b->size] = '\0';
    return true;
}

bool buf_append(struct buf *b, const void *data, size_t size)
{
    if (!buf_reserve(b, size))
        return false;
    if (size)
        memcpy(b->data + b->size, data, size);
    b->size += size;
    b->data[b->size] = '\0';
    return true;
}

bool buf_append_text(struct buf *b, const char *text)
{
    return buf_append(b, text, strlen(text));
}

bool buf_append_char(struct buf *b, char c)
{
    return buf_append(b, &c, 1);
}

bool buf_printf(struct buf *b, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (size < 0 || !buf_reserve(b, (size_t)size))
        return false;
    va_start(arguments, format);
    vsnprintf(b->data + b->size, (size_t)size + 1, format, arguments);
    va_end(arguments);
    b->size += (size_t)size;
    return true;
}

char *buf_detach(struct buf *b)
{
    if (!buf_reserve(b, 0))
        return NULL;
    char *data = b->data;
    *b = BUF_INIT(b->max);
    return data;
}
