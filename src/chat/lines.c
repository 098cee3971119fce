#include "chat/lines.h"

#include <string.h>

void lines_release(struct lines *lines)
{
    buf_release(&lines->line);
}

rag_status lines_finish(struct lines *lines, rag_error *error)
{
    struct buf *line = &lines->line;
    size_t size = line->size;
    while (size && (line->data[size - 1] == '\r' || line->data[size - 1] == ' '))
        size--;
    rag_status status = size ? lines->on_line(line->data, size, lines->user, error) : RAG_OK;
    buf_clear(line);
    return status;
}

rag_status lines_feed(struct lines *lines, const char *bytes, size_t size, rag_error *error)
{
    while (size) {
        const char *end = memchr(bytes, '\n', size);
        size_t piece = end ? (size_t)(end - bytes) : size;
        if (!buf_append(&lines->line, bytes, piece)) {
            if (piece <= lines->line.max - lines->line.size)
                return fail_memory(error);
            return fail_with(error, RAG_NETWORK,
                             "a line of the stream is longer than %d bytes, which no piece of "
                             "an answer is",
                             SSE_MAX_EVENT);
        }
        if (!end)
            return RAG_OK;
        rag_status status = lines_finish(lines, error);
        if (status)
            return status;
        bytes += piece + 1;
        size -= piece + 1;
    }
    return RAG_OK;
}
