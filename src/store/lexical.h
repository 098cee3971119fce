/* lexical.h - the lexical leg: the terms of text/words.h in an FTS5 table, scored by BM25
 * (Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009).
 *
 * FTS5's own bm25() gives words in more than half of the rows no weight at all, which on a
 * small collection is most of a question; so the scores are computed here. */
#ifndef RAG_STORE_LEXICAL_H
#define RAG_STORE_LEXICAL_H

#include "base/hash.h"

#include <sqlite3.h>

struct lexical;

/* Registers the tokenizer `rag_words` and the function rag_bm25 with a connection. To be
 * freed after the connection is closed. */
CHECKED rag_status lexical_attach(sqlite3 *db, struct lexical **out, rag_error *error);
void lexical_free(struct lexical *lexical);

/* A hash that changes whenever words_each gives other terms: an index filled with other terms
 * cannot be taken back row by row and is rebuilt. */
CHECKED rag_status lexical_fingerprint(struct hash *out, rag_error *error);

#endif
