/* words.h - the terms of a text for lexical search, in any language, with no dictionary.
 *
 * Text is compared after NFKC, case folding and removal of accents (and of what Unicode calls
 * letters of their own, but people type without: đ ł ø ı as d l o i, æ œ þ as ae oe th); digits
 * of all scripts are one. A run of Han, kana, Hangul or another script written without spaces
 * gives each character and each pair of neighbours. Other letters and digits give words; an
 * identifier (DotProductAttention, attention_mechanism) gives the whole and its parts, a number
 * its parts (2024-01-15) and one with thousands (1,000) also what it is without commas.
 *
 * What it does not know: traditional and simplified characters are different ones, and so are
 * the forms of a word (attention, attentions). */
#ifndef RAG_TEXT_WORDS_H
#define RAG_TEXT_WORDS_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

struct word {
    const char *term; /* folded, valid during the call */
    size_t size;
    size_t begin, end; /* bytes of the source */
    bool colocated;    /* at the same place as the word before it (a part, or a pair) */
};

/* Returns 0 to go on; any other value stops and is returned by words_each. */
typedef int (*word_fn)(const struct word *word, void *user);

/* Invalid UTF-8 separates words. Returns 0, or what `each` stopped with, or
 * WORDS_NO_MEMORY. */
enum { WORDS_NO_MEMORY = -1 };
CHECKED int words_each(rag_text text, word_fn each, void *user);

#endif
