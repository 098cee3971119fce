/* event.h - sending events to the caller of a long call. */
#ifndef RAG_BASE_EVENT_H
#define RAG_BASE_EVENT_H

#include "base/error.h"

#include <stdbool.h>

struct events {
    rag_event_fn on_event; /* may be NULL */
    void *user;
};

/* True: the caller asks to stop. */
CHECKED bool event_progress(const struct events *events, const char *stage, const char *unit,
                            uint64_t done, uint64_t total, const char *message);
void event_warning(const struct events *events, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void event_note(const struct events *events, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
