/* doclist.h - a word's chunks in one segment of the inverted index (word_index.h); between
 * word_index.c, which finds them, and postings.c, which reads them. */
#ifndef RAG_STORE_DOCLIST_H
#define RAG_STORE_DOCLIST_H

#include "store/word_index.h"

rag_status word_index_damaged(const struct word_index *index, const char *what,
                              rag_error *error) __attribute__((cold));

/* A block of words_data, valid until the next one is asked for. */
CHECKED rag_status word_index_block(const struct word_index *index, int64_t id,
                                    const unsigned char **bytes, size_t *size,
                                    rag_error *error);

/* Copies a page of the doclist's segment. What continues the word on it begins at list->at:
 * nothing, if that is list->end. */
CHECKED rag_status doclist_load(struct word_index *index, struct doclist *list, int64_t page,
                                rag_error *error);

#endif
