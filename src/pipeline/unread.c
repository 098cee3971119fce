#include "pipeline/unread.h"
#include "text/utf8.h"

#include <stdio.h>

/* Whom to tell. */
struct told {
    const struct document *document;
    const struct events *events;
    rag_change_fn on_change;
    void *user;
};

static void tell(const struct told *told, const char *reason)
{
    const char *path = told->document->path;
    event_warning(told->events, "%s: %s", path, reason);
    rag_change change = {.kind = RAG_PARTIAL, .path = path, .reason = reason};
    if (told->on_change)
        told->on_change(&change, told->user);
}

void unread_tell(const struct document *document, const struct events *events,
                 rag_change_fn on_change, void *user)
{
    struct told told = {document, events, on_change, user};
    char reason[sizeof((rag_error *)0)->message];
    size_t at = 0, count = 0;
    rag_text line;
    for (; count < UNREAD_MAX_TOLD && document_next_warning(document, &at, &line); count++) {
        int size = (int)utf8_floor(line.data, line.size, sizeof reason - 1);
        snprintf(reason, sizeof reason, "%.*s", size, line.data);
        tell(&told, reason);
    }
    if (count < document->warning_count) {
        snprintf(reason, sizeof reason, "%zu more parts of it could not be read",
                 document->warning_count - count);
        tell(&told, reason);
    }
}
