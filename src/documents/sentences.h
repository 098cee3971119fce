/* sentences.h - where sentences end, in the scripts of Europe and Asia. */
#ifndef RAG_DOCUMENTS_SENTENCES_H
#define RAG_DOCUMENTS_SENTENCES_H

#include <stddef.h>

/* The end of the sentence that begins at `begin`, with the closing quotes and the white
 * space behind it: > begin if begin < end. Valid UTF-8 is asked for; the end is never
 * inside a character. Thai and Lao, which have no mark for it, end one at a space. A full stop
 * ends a sentence if white space and no small letter follow, unless it belongs to a number, an
 * initial or a common abbreviation. */
size_t sentence_end(const char *text, size_t begin, size_t end);

#endif
