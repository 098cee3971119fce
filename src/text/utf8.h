/* utf8.h - UTF-8 (RFC 3629): surrogates, overlong forms and values above U+10FFFF are
 * invalid. */
#ifndef RAG_TEXT_UTF8_H
#define RAG_TEXT_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The code point at text[0..size) and its bytes in *length; -1 and *length 1 where it
 * is invalid or cut off. size must not be 0. */
int32_t utf8_decode(const char *text, size_t size, size_t *length);

/* Writes 1 to 4 bytes and returns how many. code must be a valid scalar value. */
size_t utf8_encode(int32_t code, char bytes[4]);

/* The offset of the first invalid byte, or size if all is valid. */
size_t utf8_valid_prefix(const char *text, size_t size);

/* The largest offset <= `offset` at which a character starts (or the end of text). */
size_t utf8_floor(const char *text, size_t size, size_t offset);

#endif
