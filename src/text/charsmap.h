/* charsmap.h - SentencePiece's precompiled normalisation rules. */
#ifndef RAG_TEXT_CHARSMAP_H
#define RAG_TEXT_CHARSMAP_H

#include "base/error.h"

#include <stdbool.h>

enum {
    CHARSMAP_MAX_SIZE = 1 << 26,
    CHARSMAP_MAX_REPLACEMENT = 1024, /* bytes; bounds how much a text can grow */
};

/* A copy of the rules; all zero has none. */
struct charsmap {
    uint32_t *units; /* [unit_count] */
    size_t unit_count;
    char *strings; /* the replacements, NUL-terminated */
    size_t strings_size;
};

/* RAG_MODEL: not a precompiled charsmap. */
CHECKED rag_status charsmap_parse(const void *data, size_t size, struct charsmap *map,
                                  rag_error *error);
/* The strings alone; the units need no check, for each step through them is bounded. */
CHECKED rag_status charsmap_check(const char *strings, size_t size, rag_error *error);
void charsmap_release(struct charsmap *map);

/* The replacement (UTF-8, *size bytes) of the shortest rule that text begins with, or NULL. */
const char *charsmap_find(const struct charsmap *map, const char *text, size_t text_size,
                          size_t *size);

/* True if some rule begins with these bytes (and may go on). */
bool charsmap_has_prefix(const struct charsmap *map, const char *text, size_t size);

#endif
