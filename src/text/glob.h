/* glob.h - patterns for paths.
 *
 *   ?       a character, but not "/"
 *   *       any characters, but not "/"
 *   **      any characters; as "**" and "/" at the front or behind a "/": any number of
 *           folders, none included
 *   [a-z]   one of these characters, [!a-z] or [^a-z] another one, never "/"
 *   \x      x itself
 *
 * A pattern that begins with "/" is for the whole path, any other for a trailing part of it
 * that begins at the path's start or behind a "/": "notes/?.md" takes "/home/ann/notes/a.md".
 * One that ends with "/" takes all below that folder.
 * Characters are those of UTF-8; a byte that is none counts as one. */
#ifndef RAG_TEXT_GLOB_H
#define RAG_TEXT_GLOB_H

#include "base/error.h"

#include <stdbool.h>

enum { GLOB_MAX = 1024 /* bytes of a pattern */ };

struct glob_step; /* glob.c */
struct glob_range;

struct glob {
    const char *pattern; /* borrowed */
    struct glob_step *steps;
    struct glob_range *ranges; /* of the sets */
    unsigned char *states;     /* of the match in hand */
    size_t count, range_count;
    bool anywhere; /* at the start or behind any "/" */
};

/* RAG_USAGE: an empty pattern, one that is too long, or a "[" or "\" that nothing ends. */
CHECKED rag_status glob_parse(const char *pattern, struct glob *out, rag_error *error);
void glob_release(struct glob *glob);

/* In time in proportion to the product of the sizes. Not by two threads at once. */
bool glob_matches(const struct glob *glob, const char *path, size_t size);

#endif
