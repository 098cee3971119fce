#include "chat/sse.h"

#include <string.h>

void sse_release(struct sse *sse)
{
    buf_release(&sse->line);
    buf_release(&sse->data);
}

static rag_status append(struct buf *b, const char *bytes, size_t size, rag_error *error)
{
    if (buf_append(b, bytes, size))
        return RAG_OK;
    if (size <= b->max - b->size)
        return fail_memory(error);
    return fail_with(error, RAG_NETWORK,
                     "an event of the stream is longer than %d bytes, which no piece of an "
                     "answer is",
                     SSE_MAX_EVENT);
}

static rag_status end_event(struct sse *sse, rag_error *error)
{
    if (!sse->has_data)
        return RAG_OK;
    sse->has_data = false;
    rag_status status = sse->on_event(sse->data.data, sse->data.size, sse->user, error);
    buf_clear(&sse->data);
    return status;
}

static rag_status add_data(struct sse *sse, const char *value, size_t size, rag_error *error)
{
    rag_status status = RAG_OK;
    if (sse->has_data)
        status = append(&sse->data, "\n", 1, error);
    sse->has_data = true;
    return status ? status : append(&sse->data, value, size, error);
}

static rag_status end_line(struct sse *sse, rag_error *error)
{
    const char *line = sse->line.data;
    size_t size = sse->line.size;
    if (!sse->after_bom && size >= 3 && memcmp(line, "\xef\xbb\xbf", 3) == 0) {
        line += 3;
        size -= 3;
    }
    sse->after_bom = true;
    rag_status status = RAG_OK;
    if (size == 0) {
        status = end_event(sse, error);
    } else if (size == 4 && memcmp(line, "data", 4) == 0) {
        status = add_data(sse, "", 0, error);
    } else if (size >= 5 && memcmp(line, "data:", 5) == 0) {
        size_t skip = size > 5 && line[5] == ' ' ? 6 : 5;
        status = add_data(sse, line + skip, size - skip, error);
    }
    buf_clear(&sse->line);
    return status;
}

rag_status sse_feed(struct sse *sse, const char *bytes, size_t size, rag_error *error)
{
    size_t at = 0;
    while (at < size) {
        if (sse->after_cr) {
            sse->after_cr = false;
            if (bytes[at] == '\n') {
                at++;
                continue;
            }
        }
        size_t end = at;
        while (end < size && bytes[end] != '\n' && bytes[end] != '\r')
            end++;
        rag_status status = append(&sse->line, bytes + at, end - at, error);
        if (status)
            return status;
        at = end;
        if (at == size)
            break;
        sse->after_cr = bytes[at++] == '\r';
        status = end_line(sse, error);
        if (status)
            return status;
    }
    return RAG_OK;
}

rag_status sse_finish(struct sse *sse, rag_error *error)
{
    buf_clear(&sse->line);
    return end_event(sse, error);
}
