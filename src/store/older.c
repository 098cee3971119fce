/* Files of older versions: read as if they were new, and brought up to date. */
#include "store/schema.h"
#include "store/sqlite.h"

/* ---- Reading ---- */

/* Views of the connection, not of the file: nothing is written to it. A name without a
 * database before it means them rather than the file's table of that name. */
#define VIEW "CREATE TEMP VIEW "
static const char drop_views[] =
    "DROP VIEW IF EXISTS temp.collections; DROP VIEW IF EXISTS temp.documents; "
    "DROP VIEW IF EXISTS temp.texts; DROP VIEW IF EXISTS temp.unfinished; "
    "DROP VIEW IF EXISTS temp.state; DROP VIEW IF EXISTS temp.places; "
    "DROP VIEW IF EXISTS temp.token_weights; DROP VIEW IF EXISTS temp.postings; "
    "DROP VIEW IF EXISTS temp.removals; DROP VIEW IF EXISTS temp.generations";
static const char views_before_4[] =
    VIEW "unfinished AS SELECT 0 AS document, '' AS collection, '' AS path, 0 AS touched "
         "WHERE 0";
static const char texts_of_3[] =
    VIEW "texts AS SELECT document AS id, document, 0 AS begin_byte, text FROM main.texts";
static const char views_before_3[] =
    VIEW "collections AS SELECT 1 AS id, '" COLLECTION_DEFAULT "' AS name; " VIEW
         "texts AS SELECT id, id AS document, 0 AS begin_byte, text FROM main.documents; " VIEW
         "state AS SELECT id, generation, words_hash, generation AS removals_from "
         "FROM main.state; " VIEW "places AS SELECT 0 AS chunk, 0 AS header_begin, 0 AS "
         "header_end, '' AS place WHERE 0; " VIEW
         "token_weights AS SELECT 0 AS chunk, x'' AS weights WHERE 0; " VIEW
         "postings AS SELECT 0 AS token, 0 AS chunk, 0.0 AS weight WHERE 0; " VIEW
         "removals AS SELECT 0 AS generation, 0 AS first_chunk, 0 AS last_chunk WHERE 0; " VIEW
         "generations AS SELECT 0 AS generation, 0 AS mark WHERE 0";

/* A document's chunks went in within one transaction, one after the other. */
#define FIRST_CHUNK                                                                            \
    "coalesce((SELECT chunks.id FROM main.chunks WHERE document=old.id AND number=0), 0)"
#define DOCUMENTS(metadata, metadata_hash, table)                                              \
    "SELECT id, 1 AS collection, path, format, hash, size, modified, " FIRST_CHUNK             \
    " AS first_chunk, chunks, chunks_hash, text_hash, " metadata                               \
    " AS metadata, " metadata_hash " AS metadata_hash FROM main." table " AS old"

rag_status schema_read_older(struct store *store, rag_error *error)
{
    if (store->views == store->version)
        return RAG_OK;
    rag_status status = db_execute(store, drop_views, error);
    if (!status && store->version < 4)
        status = db_execute(store, views_before_4, error);
    if (!status && store->version == 3)
        status = db_execute(store, texts_of_3, error);
    if (!status && store->version < 3)
        status = db_execute(store, views_before_3, error);
    if (!status && store->version == 1)
        status = db_execute(store,
                            VIEW "documents AS " DOCUMENTS(
                                "'" METADATA_NONE "'", SCHEMA_NO_METADATA_HASH, "documents"),
                            error);
    else if (!status && store->version == 2)
        status = db_execute(
            store, VIEW "documents AS " DOCUMENTS("metadata", "metadata_hash", "documents"),
            error);
    if (!status)
        store->views = store->version;
    return status;
}

/* ---- Bringing up to date ---- */

static const char from_1_to_2[] = "ALTER TABLE documents ADD COLUMN " SCHEMA_METADATA "; "
                                  "ALTER TABLE documents ADD COLUMN " SCHEMA_METADATA_HASH;

/* The tables of the newest version are made between these two. */
static const char before_from_2[] =
    "DROP VIEW passages; ALTER TABLE documents RENAME TO documents_2; "
    "ALTER TABLE state RENAME TO state_2";
static const char fill_from_2[] =
    "INSERT INTO collections SELECT 1, '" COLLECTION_DEFAULT "' "
    "WHERE EXISTS(SELECT 1 FROM documents_2); "
    "INSERT INTO documents " DOCUMENTS(
        "metadata", "metadata_hash",
        "documents_2") "; "
                       "INSERT INTO texts SELECT id, id, 0, text FROM documents_2; "
                       /* Ids of documents that were taken out are not given again. */
                       "DELETE FROM sqlite_sequence WHERE name='documents'; "
                       "INSERT INTO sqlite_sequence SELECT 'documents', seq FROM "
                       "sqlite_sequence "
                       "WHERE name='documents_2'; "
                       "DROP TABLE documents_2; "
                       "INSERT INTO state SELECT id, generation, words_hash, generation FROM "
                       "state_2; "
                       "DROP TABLE state_2";

static const char before_from_3[] = "DROP VIEW passages; ALTER TABLE texts RENAME TO texts_3";
static const char fill_from_3[] =
    "INSERT INTO texts SELECT document, document, 0, text FROM texts_3; DROP TABLE texts_3";

static rag_status upgrade(struct store *store, rag_error *error)
{
    unsigned from = store->version < 3 ? 2 : store->version;
    char pragma[64];
    sqlite3_snprintf(sizeof pragma, pragma, "PRAGMA user_version=%d", SCHEMA_VERSION);
    rag_status status = RAG_OK;
    if (store->version == 1)
        status = db_execute(store, from_1_to_2, error);
    if (!status)
        status = db_execute(store, from == 2 ? before_from_2 : before_from_3, error);
    if (!status)
        status = schema_make_objects(store, from, error);
    if (!status)
        status = db_execute(store, from == 2 ? fill_from_2 : fill_from_3, error);
    return status ? status : db_execute(store, pragma, error);
}

/* With references checked, or without legacy_alter_table, renaming a table changes the
 * sentences of those that refer to it. */
static rag_status let_rename(struct store *store, int on, rag_error *error)
{
    bool set =
        sqlite3_db_config(store->db, SQLITE_DBCONFIG_ENABLE_FKEY, !on, NULL) == SQLITE_OK;
    set &=
        sqlite3_db_config(store->db, SQLITE_DBCONFIG_LEGACY_ALTER_TABLE, on, NULL) == SQLITE_OK;
    return set ? RAG_OK : db_fail(store, error);
}

static rag_status upgrade_alone(struct store *store, rag_error *error)
{
    rag_status status = db_execute(store, "BEGIN IMMEDIATE", error);
    if (status)
        return status;
    status = schema_version(store, &store->version, error);
    if (!status && store->version < SCHEMA_VERSION) /* nobody was faster */
        status = upgrade(store, error);
    return db_end(store, status, error);
}

/* All texts go into another table: pages leave memory in the middle of it, and readers are kept
 * out from then on. */
rag_status schema_upgrade(struct store *store, rag_error *error)
{
    store->views = 0;
    rag_status status = db_execute(store, drop_views, error);
    if (!status)
        status = let_rename(store, 1, error);
    if (!status)
        status = db_execute(store, "PRAGMA cache_spill=ON", error);
    if (!status)
        status = upgrade_alone(store, error);
    rag_status back = let_rename(store, 0, status ? NULL : error);
    rag_status kept =
        db_execute(store, "PRAGMA cache_spill=OFF", status || back ? NULL : error);
    return status ? status : back ? back : kept;
}
