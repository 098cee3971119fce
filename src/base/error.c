#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *rag_version(void)
{
    return RAG_VERSION;
}

const char *rag_status_text(rag_status status)
{
    switch (status) {
#define CASE(name, exit_status, http_status, text)                                             \
    case RAG_##name:                                                                           \
        return text;
        RAG_STATUS_MAP(CASE)
#undef CASE
    }
    return "unknown status";
}

int rag_status_exit(rag_status status)
{
    switch (status) {
#define CASE(name, exit_status, http_status, text)                                             \
    case RAG_##name:                                                                           \
        return exit_status;
        RAG_STATUS_MAP(CASE)
#undef CASE
    }
    return 70;
}

int rag_status_http(rag_status status)
{
    switch (status) {
#define CASE(name, exit_status, http_status, text)                                             \
    case RAG_##name:                                                                           \
        return http_status;
        RAG_STATUS_MAP(CASE)
#undef CASE
    }
    return 500;
}

/* Drops a character that snprintf cut in two. */
static void trim_partial_character(char *message, size_t capacity)
{
    size_t size = strlen(message);
    if (size + 1 < capacity)
        return;
    size_t start = size;
    while (start > 0 && ((unsigned char)message[start - 1] & 0xc0) == 0x80)
        start--;
    if (start > 0 && (unsigned char)message[start - 1] >= 0xc0)
        message[start - 1] = '\0';
}

static void set_message(rag_error *error, rag_status status, const char *format,
                        va_list arguments)
{
    error->status = status;
    vsnprintf(error->message, sizeof error->message, format, arguments);
    trim_partial_character(error->message, sizeof error->message);
}

rag_status fail_with(rag_error *error, rag_status status, const char *format, ...)
{
    if (!error)
        return status;
    va_list arguments;
    va_start(arguments, format);
    set_message(error, status, format, arguments);
    va_end(arguments);
    return status;
}

static void append_message(rag_error *error, const char *text)
{
    size_t size = strlen(error->message);
    snprintf(error->message + size, sizeof error->message - size, ": %s", text);
    trim_partial_character(error->message, sizeof error->message);
}

rag_status fail_errno(rag_error *error, rag_status status, const char *format, ...)
{
    int number = errno;
    if (!error)
        return status;
    va_list arguments;
    va_start(arguments, format);
    set_message(error, status, format, arguments);
    va_end(arguments);
    append_message(error, strerror(number));
    return status;
}

rag_status fail_within(rag_error *error, rag_status status, const char *format, ...)
{
    if (!error)
        return status;
    char inner[sizeof error->message];
    memcpy(inner, error->message, sizeof inner);
    va_list arguments;
    va_start(arguments, format);
    set_message(error, status, format, arguments);
    va_end(arguments);
    append_message(error, inner);
    return status;
}

rag_status fail_memory(rag_error *error)
{
    return fail_with(error, RAG_MEMORY, "out of memory");
}

rag_status check_options(size_t size, size_t needed, rag_error *error)
{
    if (size >= needed)
        return RAG_OK;
    return fail_with(
        error, RAG_USAGE,
        "options of %zu bytes where rag %s has %zu: begin with their _INIT macro, and "
        "compile with this version's rag.h",
        size, RAG_VERSION, needed);
}
