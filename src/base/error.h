/* error.h - the one way to fail: a status, and one sentence in the caller's rag_error. */
#ifndef RAG_BASE_ERROR_H
#define RAG_BASE_ERROR_H

#include "rag.h"

#define CHECKED __attribute__((warn_unused_result))

/* Fills *error (may be NULL) and returns the status, so that a function can end with
 * `return fail_with(error, RAG_INPUT, "%s: line %u: ...", path, line);`.
 * A message longer than rag_error holds is cut at a whole character. */
rag_status fail_with(rag_error *error, rag_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4), cold));

/* The same with ": " and errno's text behind. */
rag_status fail_errno(rag_error *error, rag_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4), cold));

/* Puts "PREFIX: " before the message that is there, as an error rises to where the
 * file is known. Returns error's status (RAG_INTERNAL if error is NULL). */
rag_status fail_within(rag_error *error, rag_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4), cold));

rag_status fail_memory(rag_error *error) __attribute__((cold));

/* RAG_USAGE if a caller's options lack members that this version knows: they were made for
 * another version, or without their _INIT macro. */
CHECKED rag_status check_options(size_t size, size_t needed, rag_error *error);
#define CHECK_OPTIONS(options, error)                                                          \
    check_options((options) ? (options)->size : sizeof *(options), sizeof *(options), error)

#endif
