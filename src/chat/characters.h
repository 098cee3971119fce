/* characters.h - whole characters out of a stream that may cut them.
 *
 * Some servers send each token as it is, and a token may be half of a character: the two
 * halves of 你 arrive in two JSON strings, neither of them UTF-8, and a strict JSON parser
 * refuses both. So an invalid byte b passes the parser as the private character
 * U+10FF00 + b (the last 128 of Unicode, which no text uses), is turned back behind it, and
 * joined there with the halves that follow. What stays invalid, those private characters
 * themselves, and NUL come out as U+FFFD: a reply is a C string of valid UTF-8. */
#ifndef RAG_CHAT_CHARACTERS_H
#define RAG_CHAT_CHARACTERS_H

#include "base/buf.h"

#include <stdbool.h>

/* Appends text with each invalid byte as a private character: at most 4 times the size. */
CHECKED bool characters_escape(const char *text, size_t size, struct buf *out);

/* Appends text with each invalid byte as U+FFFD: at most 3 times the size. */
CHECKED bool characters_repair(const char *text, size_t size, struct buf *out);

/* All zero to begin with. */
struct characters {
    char held[4]; /* the beginning of a character whose rest has not come */
    size_t size;
};

/* Appends the whole characters of what has come so far; text is valid UTF-8. */
CHECKED bool characters_feed(struct characters *characters, const char *text, size_t size,
                             struct buf *out);
/* No more comes: a character that lacks its rest becomes U+FFFD. */
CHECKED bool characters_finish(struct characters *characters, struct buf *out);

#endif
