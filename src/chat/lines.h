/* lines.h - JSON documents, one a line (application/x-ndjson), cut anywhere. */
#ifndef RAG_CHAT_LINES_H
#define RAG_CHAT_LINES_H

#include "chat/sse.h"

struct lines {
    sse_event_fn on_line; /* gets each line that is not empty, without its end */
    void *user;
    struct buf line;
};

#define LINES_INIT(fn, data)                                                                   \
    ((struct lines){.on_line = (fn), .user = (data), .line = {.max = SSE_MAX_EVENT}})

void lines_release(struct lines *lines);

/* As sse_feed and sse_finish; a last line without its end is handed over too. */
CHECKED rag_status lines_feed(struct lines *lines, const char *bytes, size_t size,
                              rag_error *error);
CHECKED rag_status lines_finish(struct lines *lines, rag_error *error);

#endif
