/* code.h - where source code has functions, classes and their like, by light rules that no
 * parser is needed for. */
#ifndef RAG_READERS_CODE_H
#define RAG_READERS_CODE_H

#include <stdbool.h>
#include <stddef.h>

/* How a language is written. */
struct language {
    const char *formats;       /* of documents/formats.h, separated by blanks */
    const char *line_comments; /* what begins one, separated by blanks: "//" */
    const char *block_comment; /* "/ * * /" without the blanks between; NULL: none */
    const char *quotes;        /* characters around strings */
    const char *definitions;   /* words in front of a name: "class def" */
    const char *modifiers;     /* words that may stand before those: "public static" */
    bool braces;        /* blocks are in braces; else what is indented belongs together */
    bool calls;         /* a name before "(...) {" is a function too: C, Java */
    bool triple_quotes; /* three of them: a string over lines */
};

/* The language of a format; NULL: there is none. */
const struct language *language_of(const char *format);

/* Whether a word of `size` bytes is in a list of words separated by blanks. */
bool language_lists(const char *words, const char *word, size_t size);

#endif
