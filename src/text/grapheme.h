/* grapheme.h - extended grapheme clusters (UAX #29, rules GB3 to GB11), with the classes
 * of the reference. Regional indicators are not paired (GB12, GB13): the one user asks
 * for clusters of less than six bytes, and two indicators have eight. */
#ifndef RAG_TEXT_GRAPHEME_H
#define RAG_TEXT_GRAPHEME_H

#include "text/code_table.h"

enum grapheme_class {
    GRAPHEME_EXTEND = 1 << 0, /* and ZWJ */
    GRAPHEME_SPACING = 1 << 1,
    GRAPHEME_PREPEND = 1 << 2,
    GRAPHEME_CONTROL = 1 << 3, /* CR and LF too */
    GRAPHEME_PICTOGRAPH = 1 << 4,
    GRAPHEME_CONSONANT = 1 << 5, /* Indic_Conjunct_Break */
    GRAPHEME_LINKER = 1 << 6,
    GRAPHEME_CONJUNCT_EXTEND = 1 << 7, /* Extend or Linker */
    GRAPHEME_HANGUL_L = 1 << 8,
    GRAPHEME_HANGUL_V = 1 << 9,
    GRAPHEME_HANGUL_T = 1 << 10,
    GRAPHEME_HANGUL_LV = 1 << 11,
    GRAPHEME_HANGUL_LVT = 1 << 12,

    /* May belong to the cluster of the character before. */
    GRAPHEME_JOINS = GRAPHEME_EXTEND | GRAPHEME_SPACING | GRAPHEME_HANGUL_V | GRAPHEME_HANGUL_T,
    /* May draw a character into its cluster that is none of GRAPHEME_JOINS. */
    GRAPHEME_HOLDS = GRAPHEME_PREPEND | GRAPHEME_HANGUL_L,
};

CHECKED bool grapheme_classes(struct code_table *classes);

/* The bytes of the cluster that valid UTF-8 text[0..size) begins with; size > 0. */
size_t grapheme_next(const struct code_table *classes, const char *text, size_t size);

#endif
