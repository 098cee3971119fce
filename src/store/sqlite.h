/* sqlite.h - the SQLite driver: what its files share. Nothing outside src/store sees it.
 *
 * A public store_* function takes the lock, and everything below it runs with the lock held.
 * Whatever reads documents or texts, or more than one row set, does so between
 * db_begin(store, DB_READ) and db_end, so that it sees one state of the file and an older one
 * as if it were new; one that writes begins with DB_WRITE, so that waiting for another writer
 * happens before anything is read, and that an older file is brought up to date first. */
#ifndef RAG_STORE_SQLITE_H
#define RAG_STORE_SQLITE_H

#include "base/buf.h"
#include "store/dense.h"
#include "store/lexical.h"
#include "store/prepared.h"
#include "store/store.h"

#include <pthread.h>
#include <sqlite3.h>

/* The outcome of the last filter (filter.c), and what it was made of. */
struct filter_cache {
    struct buf key;
    struct id_ranges ranges;
};
void filter_cache_release(struct filter_cache *cache);

struct store {
    pthread_mutex_t lock;
    sqlite3 *db;
    struct prepared prepared;
    char *path; /* absolute */
    bool writable;
    unsigned patience; /* milliseconds */
    double busy_since;
    struct store_recipe expected; /* with expects: that the file must have */
    bool expects, checked;        /* checked: it had, at checked_changes */
    uint32_t checked_changes;
    unsigned version; /* of the file's layout, as the transaction in hand sees it */
    unsigned views;   /* which version's views the connection has (older.c); 0: not known */
    struct lexical *lexical;
    struct dense dense;
    struct filter_cache filter;
};

/* The status and the sentence of SQLite's last error on this connection. */
rag_status db_fail(struct store *store, rag_error *error) __attribute__((cold));

CHECKED rag_status db_execute(struct store *store, const char *sql, rag_error *error);

/* To be finished. sql: a literal, that it may be found again (prepared.h). */
CHECKED rag_status db_prepare(struct store *store, sqlite3_stmt **statement, const char *sql,
                              rag_error *error);
void db_finish(struct store *store, sqlite3_stmt *statement);

/* Binds the parameters in order: 'i' int64_t, 't' const char * (NUL-terminated), 'b' and 's'
 * const void * and size_t (a blob; a text of that many bytes). The memory must stay until the
 * statement is reset. */
CHECKED rag_status db_bind(struct store *store, sqlite3_stmt *statement, rag_error *error,
                           const char *types, ...);

/* *row true: the statement stands on a row. */
CHECKED rag_status db_step(struct store *store, sqlite3_stmt *statement, bool *row,
                           rag_error *error);

/* Binds as db_bind does, runs a statement that gives no rows, and resets it. */
CHECKED rag_status db_run(struct store *store, sqlite3_stmt *statement, rag_error *error,
                          const char *types, ...);

/* The first column of the first row; `fallback` if there is no row. */
CHECKED rag_status db_integer(struct store *store, const char *sql, int64_t fallback,
                              int64_t *value, rag_error *error);

/* Sets store->version. Nothing is left open on failure. RAG_INDEX_MISMATCH: see
 * store_expect_recipe. */
enum db_access { DB_READ, DB_WRITE };
CHECKED rag_status db_begin(struct store *store, enum db_access access, rag_error *error);

/* SQLite's count of changes to the file, in its header at byte 24, within a transaction that
 * has read (sqlite.org/fileformat2.html, "File change counter"). */
CHECKED rag_status db_changes(struct store *store, uint32_t *changes, rag_error *error);

/* Commits if `status` is RAG_OK, otherwise (or where committing fails) rolls back. */
CHECKED rag_status db_end(struct store *store, rag_status status, rag_error *error);

/* A column's bytes; NULL only where size is 0. Valid until the next step. */
rag_text db_column(sqlite3_stmt *statement, int column);

/* A copy of a column's bytes with a NUL behind them; NULL: out of memory. */
char *copy_column(sqlite3_stmt *statement, int column);
char *text_copy(rag_text text);

void store_lock(struct store *store);
void store_unlock(struct store *store);

/* The recipe, with the lock held (recipe.c). */
CHECKED rag_status recipe_read(struct store *store, struct store_recipe *out, bool *present,
                               rag_error *error);

/* What store_expect_recipe asks for, within a transaction (recipe.c). */
CHECKED rag_status recipe_check(struct store *store, rag_error *error);

/* Whether the lexical index holds the terms that words_each gives now, whose fingerprint goes
 * to *now (lexical.c). */
CHECKED rag_status lexical_is_current(struct store *store, struct hash *now, bool *current,
                                      rag_error *error);

/* Vectors in the file are IEEE 754 singles, little-endian, on every machine. */
void vector_from_file(const void *bytes, size_t dimension, float *vector);
void vector_to_file(const float *vector, size_t dimension, unsigned char *bytes);

/* store_get_chunk within a transaction: of a chunk whose id is set. What it has is to be
 * released also after a failure (read.c). */
CHECKED rag_status chunk_read(struct store *store, struct stored_chunk *out, rag_error *error);

/* NULL means the default one. */
const char *collection_name(const char *collection);

/* The id of the collection whose name is bound to this parameter, the statement's first. */
#define COLLECTION_ID                                                                          \
    "(SELECT id FROM collections WHERE name=?1 AND name<>'" COLLECTION_HIDDEN "')"

/* That of the documents that nobody finds (hidden.h): no name that a caller can give. */
#define COLLECTION_HIDDEN "\x01hidden"

/* The id of a collection (NULL: the default one); *id 0: there is none of this name, and
 * `make` is false (collections.c). */
CHECKED rag_status collection_find(struct store *store, const char *name, bool make,
                                   int64_t *id, rag_error *error);

/* Takes the collection's row out if no document is left in it. */
CHECKED rag_status collection_tidy(struct store *store, int64_t id, rag_error *error);

/* Notes that these chunks go out in the transaction in hand, and (log_generation, its last
 * step) makes it a generation of its own (removals.c). */
CHECKED rag_status log_removal(struct store *store, int64_t document, rag_error *error);
CHECKED rag_status log_generation(struct store *store, rag_error *error);

/* FTS5 takes a row back by tokenizing its old text again: before any is, the lexical index is
 * filled anew if it holds other terms than words_each gives now (remove.c). */
CHECKED rag_status words_up_to_date(struct store *store, rag_error *error);

/* Removes the document of this path, if there is one (remove.c). A large one is only hidden:
 * hidden_sweep, after the transaction, takes it out. */
CHECKED rag_status remove_path(struct store *store, int64_t collection, const char *path,
                               bool *found, rag_error *error);

/* What the file promises of every chunk: checked when they are written, and by
 * verify (write.c). */
bool chunk_fits(const struct store_chunk *chunk, rag_text text);

/* Whether it has a row in the table "places". */
bool chunk_has_place(const struct store_chunk *chunk);

/* The columns of "places", joined to "chunks" by PLACE_JOIN; zeros and an empty text where a
 * chunk has no row there. */
#define PLACE_COLUMNS "coalesce(header_begin, 0), coalesce(header_end, 0), coalesce(place, '')"
#define PLACE_JOIN    "LEFT JOIN places ON places.chunk=chunks.id "

uint32_t count_lines(rag_text text);

/* Feeds what a document's `chunks_hash` covers of one chunk to a hasher (docs/format.md). */
void chunk_hash_update(struct hasher *hasher, const struct store_chunk *chunk,
                       const void *vector, size_t vector_size);

#endif
