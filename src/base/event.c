#include "base/event.h"

#include <stdarg.h>
#include <stdio.h>

bool event_progress(const struct events *events, const char *stage, const char *unit,
                    uint64_t done, uint64_t total, const char *message)
{
    if (!events || !events->on_event)
        return false;
    rag_event event = {.kind = RAG_EVENT_PROGRESS,
                       .stage = stage,
                       .unit = unit,
                       .message = message,
                       .done = done,
                       .total = total};
    return events->on_event(&event, events->user) != 0;
}

static void send(const struct events *events, rag_event_kind kind, const char *format,
                 va_list arguments)
{
    if (!events || !events->on_event)
        return;
    char message[sizeof((rag_error *)0)->message];
    vsnprintf(message, sizeof message, format, arguments);
    rag_event event = {.kind = kind, .message = message};
    /* A wish to stop is asked for again at the next progress event. */
    (void)events->on_event(&event, events->user);
}

void event_warning(const struct events *events, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    send(events, RAG_EVENT_WARNING, format, arguments);
    va_end(arguments);
}

void event_note(const struct events *events, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    send(events, RAG_EVENT_NOTE, format, arguments);
    va_end(arguments);
}
