/* json.h - jansson and our strings. */
#ifndef RAG_CHAT_JSON_H
#define RAG_CHAT_JSON_H

#include "base/buf.h"

#include <jansson.h>

/* A JSON document of any type; invalid bytes in it come out as characters.h says. NULL:
 * not JSON, or out of memory. */
CHECKED json_t *json_document(const char *text, size_t size);

/* A JSON string of a text; what is not UTF-8 in it becomes U+FFFD. NULL: out of memory. */
CHECKED json_t *json_text(rag_text text);

/* Appends `value` written out; takes the reference. NULL is the failure of what made it.
 * False: out of memory, or of out's maximum. */
CHECKED bool json_write(json_t *value, struct buf *out);

/* Appends a string's bytes; nothing if it is not a string. False: as buf_append. */
CHECKED bool json_append(const json_t *value, struct buf *out);

#endif
