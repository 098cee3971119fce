/* hidden.h - documents that nobody finds: those that still grow, or were left unfinished, and
 * large ones that were taken out and go in steps (table "unfinished", docs/format.md).
 *
 * They stand in a collection of their own, whose name no caller can give; so what looks for
 * documents by collection does not meet them. What goes through chunks leaves theirs out; but
 * how rare a word is, is counted over them, too. */
#ifndef RAG_STORE_HIDDEN_H
#define RAG_STORE_HIDDEN_H

#include "store/sqlite.h"

/* For the WHERE of a statement over "documents". */
#define DOCUMENT_IS_FOUND "documents.id NOT IN (SELECT document FROM unfinished)"

/* Their chunks, within a transaction. */
CHECKED rag_status hidden_chunks(struct store *store, struct id_ranges *out, rag_error *error);

/* Where a search of all chunks may look: all that is not hidden, in `*within`, with room for it
 * in `room`, which is to be released; NULL: nothing is hidden. */
CHECKED rag_status visible_chunks(struct store *store, struct id_ranges *room,
                                  const struct id_ranges **within, rag_error *error);

/* Vectors of chunks that can be found, by id. */
struct vector_walk {
    struct store *store;
    sqlite3_stmt *statement; /* stands on the chunk's id and its vector */
    struct id_ranges hidden;
};
CHECKED rag_status vector_walk_begin(struct store *store, int64_t behind,
                                     struct vector_walk *walk, rag_error *error);
CHECKED rag_status vector_walk_step(struct vector_walk *walk, bool *row, rag_error *error);
void vector_walk_end(struct vector_walk *walk);

/* The collection that they stand in, made if need be; and taken out if none is left in it. */
CHECKED rag_status hidden_collection(struct store *store, int64_t *id, rag_error *error);
CHECKED rag_status hidden_tidy(struct store *store, rag_error *error);

/* Hides a document that is there, which so is taken out for everyone; hidden_sweep takes out
 * what belongs to it. Within a writing transaction. */
CHECKED rag_status hide_document(struct store *store, int64_t document, rag_error *error);

/* Gives up what is unfinished of a document; but `kept` (0: none). */
CHECKED rag_status hidden_give_up(struct store *store, const char *collection, const char *path,
                                  int64_t kept, rag_error *error);

/* Takes out what is given up, in transactions of some megabytes. Without the lock. What cannot
 * be taken out now is so after the next change: nobody finds it, and what the caller did is
 * done. */
void hidden_sweep(struct store *store);

#endif
