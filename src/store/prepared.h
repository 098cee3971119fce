/* prepared.h - prepared statements that are used again.
 *
 * To prepare a statement takes longer than to find a row with it, and a search or a document
 * that is put in runs dozens of the same ones. So db_prepare takes one that lies here where it
 * can, and db_finish puts it back. SQLite prepares it anew by itself where the schema has
 * changed since. */
#ifndef RAG_STORE_PREPARED_H
#define RAG_STORE_PREPARED_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

enum { PREPARED_SLOTS = 64 };

/* sql: as it was given, for the same words at another place are another statement. */
struct prepared_slot {
    const char *sql;
    sqlite3_stmt *statement; /* NULL: an empty slot */
    bool taken;
    uint64_t used; /* when it was put back, in uses */
};

struct prepared {
    struct prepared_slot slots[PREPARED_SLOTS];
    uint64_t uses;
};

/* One that lies here, taken out for the caller; NULL: there is none. */
sqlite3_stmt *prepared_take(struct prepared *prepared, const char *sql);

/* Notes one that was prepared and is in use, if there is room. */
void prepared_note(struct prepared *prepared, const char *sql, sqlite3_stmt *statement);

/* Puts one back, without its row and what was bound; finalizes one that was not noted. */
void prepared_give(struct prepared *prepared, sqlite3_stmt *statement);

/* Finalizes all, before the connection is closed. */
void prepared_release(struct prepared *prepared);

#endif
