/* schema.h - the tables of an index and the versions of their layout (docs/format.md). */
#ifndef RAG_STORE_SCHEMA_H
#define RAG_STORE_SCHEMA_H

#include "store/store.h"

enum {
    SCHEMA_APPLICATION_ID = 0x52414769, /* "RAGi", in the file's header at byte 68 */
    SCHEMA_VERSION = 4,                 /* user_version, in the file's header at byte 60 */
    SCHEMA_HEADER_SIZE = 100,           /* of an SQLite file */
};

enum schema_kind { SCHEMA_EMPTY, SCHEMA_OURS };

/* Judges the first bytes of a file before SQLite touches it. `size`: of the file. */
CHECKED rag_status schema_judge_header(const char *path,
                                       const unsigned char header[SCHEMA_HEADER_SIZE],
                                       uint64_t size, enum schema_kind *kind, rag_error *error);

/* Makes the tables in an empty file, in one transaction; somebody else having just done so
 * is no error. */
CHECKED rag_status schema_create(struct store *store, rag_error *error);

/* The version of the open file, within a transaction. RAG_INDEX: none that can be read. */
CHECKED rag_status schema_version(struct store *store, unsigned *version, rag_error *error);

/* Every table, index and view is one that the file's version has, and nothing more. */
CHECKED rag_status schema_check(struct store *store, rag_error *error);

/* Makes the tables of SCHEMA_VERSION that a file of an older version (0: a new one) has not,
 * within a writing transaction. Tables of the same name must be out of the way. */
CHECKED rag_status schema_make_objects(struct store *store, unsigned older, rag_error *error);

/* ---- Older files (older.c) ---- */

/* The columns that version 2 added by ALTER TABLE, which touches no row and leaves the very
 * sentence that a new file of version 2 had: so each has a default. The hash is of "{}". */
#define SCHEMA_METADATA "metadata TEXT NOT NULL DEFAULT '{}'"
#define SCHEMA_NO_METADATA_HASH                                                                \
    "x'44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a'"
#define SCHEMA_METADATA_HASH "metadata_hash BLOB NOT NULL DEFAULT " SCHEMA_NO_METADATA_HASH

/* Within a transaction: lets what reads a file of SCHEMA_VERSION read this one, by views that
 * stand before the tables on this connection alone. */
CHECKED rag_status schema_read_older(struct store *store, rag_error *error);

/* Brings an older file up to SCHEMA_VERSION, in a transaction of its own. */
CHECKED rag_status schema_upgrade(struct store *store, rag_error *error);

#endif
