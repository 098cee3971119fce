/* sse.h - server-sent events, cut anywhere, into the data of each event.
 *
 * The format (https://html.spec.whatwg.org/multipage/server-sent-events.html, section
 * 9.2.6): UTF-8 lines ended by LF, CR or CRLF, perhaps after a byte order mark. "FIELD:
 * VALUE" with one space after the colon left out; a line that begins with a colon is a
 * comment, which servers send to keep a connection alive; an empty line ends an event. Of
 * the fields only "data" counts here: several in one event are joined by LF. "event",
 * "id" and "retry" are passed over, for each protocol repeats the kind inside its data.
 *
 * One departure: an event whose lines are whole but whose empty line is missing when the
 * stream ends is still delivered (sse_finish), for servers forget it after the last one. */
#ifndef RAG_CHAT_SSE_H
#define RAG_CHAT_SSE_H

#include "base/buf.h"

#include <stdbool.h>

/* Of a line and of an event's data. A token wrapped in JSON takes some 300 bytes. */
enum { SSE_MAX_EVENT = 1 << 20 };

typedef rag_status (*sse_event_fn)(const char *data, size_t size, void *user, rag_error *error);

struct sse {
    struct buf line, data;
    sse_event_fn on_event; /* data is NUL-terminated, valid during the call */
    void *user;
    bool has_data;  /* an event without a data field is none */
    bool after_cr;  /* a LF that comes next belongs to the CR before it */
    bool after_bom; /* the first line is over or its mark looked for */
};

#define SSE_INIT(function, pointer)                                                            \
    ((struct sse){.line = {.max = SSE_MAX_EVENT},                                              \
                  .data = {.max = SSE_MAX_EVENT},                                              \
                  .on_event = (function),                                                      \
                  .user = (pointer)})

void sse_release(struct sse *sse);

/* Takes the next bytes. RAG_NETWORK: a line or event is longer than SSE_MAX_EVENT; what
 * on_event returns stops it too. */
CHECKED rag_status sse_feed(struct sse *sse, const char *bytes, size_t size, rag_error *error);
CHECKED rag_status sse_finish(struct sse *sse, rag_error *error);

#endif
