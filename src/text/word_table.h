/* word_table.h - what a character is to words.c, and how it is folded. */
#ifndef RAG_TEXT_WORD_TABLE_H
#define RAG_TEXT_WORD_TABLE_H

#include "text/code_table.h"

/* An entry: the folded character and what it is. Nothing but WORD_CODE: it parts words. */
#define WORD_CODE          UINT32_C(0x1FFFFF)
#define WORD_LETTER        (UINT32_C(1) << 21)
#define WORD_DIGIT         (UINT32_C(1) << 22)
#define WORD_UPPER         (UINT32_C(1) << 23) /* an upper-case letter before folding */
#define WORD_UNSPACED      (UINT32_C(1) << 24) /* of a script written without spaces */
#define WORD_UNSPACED_MARK (UINT32_C(1) << 25) /* and belonging to the one before */
#define WORD_JOINT         (UINT32_C(1) << 26) /* _ - . ' */
#define WORD_SIGN          (UINT32_C(1) << 27) /* + # */
#define WORD_IGNORED       (UINT32_C(1) << 28) /* accents, invisible characters */
#define WORD_EXPANDED      (UINT32_C(1) << 31) /* WORD_CODE indexes a list of entries */

extern struct code_table word_table;

/* Makes the table at the first call of any thread. False: out of memory. */
CHECKED bool word_table_ready(void);

static inline uint32_t word_table_get(uint32_t code)
{
    return code_table_get(&word_table, code);
}

static inline uint32_t word_table_ascii(char c)
{
    return (unsigned char)c < 0x80 ? word_table_get((unsigned char)c) : 0;
}

/* The entries that one folded character became; each of them is not WORD_EXPANDED. */
const uint32_t *word_table_expansion(uint32_t entry, size_t *count);

/* Hangul of its letters, kana with a voicing mark; 0 if they don't compose. */
uint32_t word_compose(uint32_t a, uint32_t b);

#endif
