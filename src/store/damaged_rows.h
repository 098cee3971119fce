/* damaged_rows.h - what the files that read a damaged index share. */
#ifndef RAG_STORE_DAMAGED_ROWS_H
#define RAG_STORE_DAMAGED_ROWS_H

#include "store/damaged.h"
#include "store/sqlite.h"

/* Whether a failure, the last one on this connection, is one that damage explains: what it was
 * about is lost, and the next thing may be there. */
bool is_damage(struct store *store, rag_status status);

/* Runs a statement with an id to its first row. *row false: there is none, or it cannot be
 * read. To be finalized. */
CHECKED rag_status find_damaged(struct store *store, const char *sql, int64_t id,
                                sqlite3_stmt **out, bool *row, rag_error *error);

/* Ends a reading transaction. Nothing was written, and what was read is known: whether it can
 * be committed says nothing any more. */
CHECKED rag_status end_reading(struct store *store, rag_status status);

#endif
