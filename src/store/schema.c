#include "store/schema.h"
#include "store/sqlite.h"

#include <string.h>

#define DOCUMENTS_1                                                                            \
    "CREATE TABLE documents(id INTEGER PRIMARY KEY AUTOINCREMENT, path TEXT NOT NULL UNIQUE, " \
    "format TEXT NOT NULL, hash BLOB NOT NULL, size INTEGER NOT NULL, "                        \
    "modified INTEGER NOT NULL, chunks INTEGER NOT NULL, chunks_hash BLOB NOT NULL, "          \
    "text_hash BLOB NOT NULL, text BLOB NOT NULL"
#define STATE_1                                                                                \
    "CREATE TABLE state(id INTEGER PRIMARY KEY CHECK(id=1), generation INTEGER NOT NULL, "     \
    "words_hash BLOB NOT NULL"

/* The layout, object by object, each with the versions that have it. A file is accepted only
 * if it holds the very sentences of its version: a foreign view or trigger would run with our
 * permissions. Of the last version's, those that refer to others stand behind them. */
static const struct {
    unsigned first, last;
    const char *name, *sql;
} objects[] = {
    {1, 4, "recipe",
     "CREATE TABLE recipe(id INTEGER PRIMARY KEY CHECK(id=1), model TEXT NOT NULL, "
     "model_identity TEXT NOT NULL, dimension INTEGER NOT NULL, chunker TEXT NOT NULL, "
     "max_tokens INTEGER NOT NULL, overlap INTEGER NOT NULL) STRICT"},
    {1, 2, "state", STATE_1 ") STRICT"},
    {3, 4, "state", STATE_1 ", removals_from INTEGER NOT NULL) STRICT"},
    {1, 1, "documents", DOCUMENTS_1 ") STRICT"},
    {2, 2, "documents", DOCUMENTS_1 ", " SCHEMA_METADATA ", " SCHEMA_METADATA_HASH ") STRICT"},
    {3, 4, "collections",
     "CREATE TABLE collections(id INTEGER PRIMARY KEY AUTOINCREMENT, "
     "name TEXT NOT NULL UNIQUE) STRICT"},
    {3, 4, "documents",
     "CREATE TABLE documents(id INTEGER PRIMARY KEY AUTOINCREMENT, "
     "collection INTEGER NOT NULL REFERENCES collections(id), path TEXT NOT NULL, "
     "format TEXT NOT NULL, hash BLOB NOT NULL, size INTEGER NOT NULL, "
     "modified INTEGER NOT NULL, first_chunk INTEGER NOT NULL, chunks INTEGER NOT NULL, "
     "chunks_hash BLOB NOT NULL, text_hash BLOB NOT NULL, metadata TEXT NOT NULL, "
     "metadata_hash BLOB NOT NULL, UNIQUE(collection, path)) STRICT"},
    {3, 3, "texts",
     "CREATE TABLE texts(document INTEGER PRIMARY KEY REFERENCES documents(id), "
     "text BLOB NOT NULL) STRICT"},
    {4, 4, "texts",
     "CREATE TABLE texts(id INTEGER PRIMARY KEY, document INTEGER NOT NULL "
     "REFERENCES documents(id), begin_byte INTEGER NOT NULL, text BLOB NOT NULL, "
     "UNIQUE(document, begin_byte)) STRICT"},
    {4, 4, "unfinished",
     "CREATE TABLE unfinished(document INTEGER PRIMARY KEY REFERENCES documents(id), "
     "collection TEXT, path TEXT, touched INTEGER NOT NULL) STRICT"},
    {1, 4, "chunks",
     "CREATE TABLE chunks(id INTEGER PRIMARY KEY AUTOINCREMENT, document INTEGER NOT NULL "
     "REFERENCES documents(id), number INTEGER NOT NULL, begin_byte INTEGER NOT NULL, "
     "end_byte INTEGER NOT NULL, line INTEGER NOT NULL, last_line INTEGER NOT NULL, "
     "tokens INTEGER NOT NULL, hash BLOB NOT NULL, heading TEXT NOT NULL, "
     "UNIQUE(document, number)) STRICT"},
    {1, 4, "chunks_by_hash", "CREATE INDEX chunks_by_hash ON chunks(hash)"},
    {1, 4, "vectors",
     "CREATE TABLE vectors(chunk INTEGER PRIMARY KEY REFERENCES chunks(id), "
     "vector BLOB NOT NULL) STRICT"},
    {3, 4, "places",
     "CREATE TABLE places(chunk INTEGER PRIMARY KEY REFERENCES chunks(id), "
     "header_begin INTEGER NOT NULL, header_end INTEGER NOT NULL, place TEXT NOT NULL) STRICT"},
    {3, 4, "token_weights",
     "CREATE TABLE token_weights(chunk INTEGER PRIMARY KEY REFERENCES chunks(id), "
     "weights BLOB NOT NULL) STRICT"},
    {3, 4, "postings",
     "CREATE TABLE postings(token INTEGER NOT NULL, chunk INTEGER NOT NULL, "
     "weight REAL NOT NULL, PRIMARY KEY(token, chunk)) STRICT, WITHOUT ROWID"},
    {3, 4, "removals",
     "CREATE TABLE removals(generation INTEGER NOT NULL, first_chunk INTEGER NOT NULL, "
     "last_chunk INTEGER NOT NULL) STRICT"},
    {3, 4, "generations",
     "CREATE TABLE generations(generation INTEGER PRIMARY KEY, mark INTEGER NOT NULL) STRICT"},
    {1, 2, "passages",
     "CREATE VIEW passages AS SELECT chunks.id AS id, heading, CAST(substr(text, begin_byte+1, "
     "end_byte-begin_byte) AS TEXT) AS text FROM chunks JOIN documents ON "
     "documents.id=chunks.document"},
    {3, 3, "passages",
     "CREATE VIEW passages AS SELECT chunks.id AS id, heading, CAST(substr(text, begin_byte+1, "
     "end_byte-begin_byte) AS TEXT) AS text FROM chunks JOIN texts ON "
     "texts.document=chunks.document"},
    {4, 4, "passages",
     "CREATE VIEW passages AS SELECT chunks.id AS id, heading, CAST(substr(text, "
     "chunks.begin_byte-texts.begin_byte+1, end_byte-chunks.begin_byte) AS TEXT) AS text "
     "FROM chunks JOIN texts ON texts.id=(SELECT pieces.id FROM texts AS pieces WHERE "
     "pieces.document=chunks.document AND pieces.begin_byte<=chunks.begin_byte "
     "ORDER BY pieces.begin_byte DESC LIMIT 1)"},
    {1, 4, "words",
     "CREATE VIRTUAL TABLE words USING fts5(heading, text, content='passages', "
     "content_rowid='id', tokenize='rag_words')"},
};
enum { OBJECTS = sizeof objects / sizeof *objects };

static bool is_of(size_t object, unsigned version)
{
    return objects[object].first <= version && version <= objects[object].last;
}

static uint32_t big_endian(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
           bytes[3];
}

static rag_status judge_version(const char *path, uint32_t version, rag_error *error)
{
    if (version > SCHEMA_VERSION)
        return fail_with(error, RAG_INDEX,
                         "%s: written by a newer rag (format %u, this one reads up to %u); "
                         "update rag, or make a new index with --index",
                         path, version, SCHEMA_VERSION);
    if (version == 0)
        return fail_with(error, RAG_INDEX,
                         "%s: the header names no format; the file is damaged: restore it from "
                         "a copy, or remove it and index again",
                         path);
    return RAG_OK;
}

rag_status schema_judge_header(const char *path, const unsigned char header[SCHEMA_HEADER_SIZE],
                               uint64_t size, enum schema_kind *kind, rag_error *error)
{
    static const unsigned char zeros[SCHEMA_HEADER_SIZE];
    *kind = SCHEMA_EMPTY;
    if (size == 0)
        return RAG_OK;
    if (size < SCHEMA_HEADER_SIZE || memcmp(header, "SQLite format 3", 16) != 0) {
        /* Made longer, but not written, as a power loss can leave it: SQLite judges. */
        if (size >= SCHEMA_HEADER_SIZE && memcmp(header, zeros, sizeof zeros) == 0)
            return RAG_OK;
        return fail_with(error, RAG_INDEX,
                         "%s: not an index of rag (it is no SQLite file); name another file "
                         "with --index",
                         path);
    }
    uint32_t id = big_endian(header + 68), version = big_endian(header + 60);
    if (id != SCHEMA_APPLICATION_ID)
        return fail_with(error, RAG_INDEX,
                         "%s: an SQLite file of another program (application id 0x%08x), not "
                         "an index of rag; name another file with --index",
                         path, id);
    *kind = SCHEMA_OURS;
    return judge_version(path, version, error);
}

rag_status schema_make_objects(struct store *store, unsigned older, rag_error *error)
{
    rag_status status = RAG_OK;
    for (size_t i = 0; i < OBJECTS && !status; i++)
        if (is_of(i, SCHEMA_VERSION) && !is_of(i, older))
            status = db_execute(store, objects[i].sql, error);
    return status;
}

static rag_status create_objects(struct store *store, rag_error *error)
{
    rag_status status = schema_make_objects(store, 0, error);
    if (status)
        return status;
    char pragmas[96];
    sqlite3_snprintf(sizeof pragmas, pragmas,
                     "PRAGMA application_id=%d; PRAGMA user_version=%d", SCHEMA_APPLICATION_ID,
                     SCHEMA_VERSION);
    status = db_execute(store, pragmas, error);
    if (status)
        return status;
    struct hash words;
    status = lexical_fingerprint(&words, error);
    if (status)
        return status;
    sqlite3_stmt *statement;
    status = db_prepare(store, &statement, "INSERT INTO state VALUES(1, 0, ?, 0)", error);
    if (!status)
        status = db_run(store, statement, error, "b", words.bytes, sizeof words.bytes);
    db_finish(store, statement);
    return status;
}

rag_status schema_create(struct store *store, rag_error *error)
{
    rag_status status = db_execute(store, "BEGIN IMMEDIATE", error); /* no version yet */
    if (status)
        return status;
    int64_t existing = 0;
    status = db_integer(store, "SELECT count(*) FROM sqlite_schema", 0, &existing, error);
    if (!status && !existing)
        status = create_objects(store, error);
    return db_end(store, status, error);
}

static bool known(const char *name, const char *sql, unsigned version, bool present[OBJECTS])
{
    static const char *const of_fts5[] = {"words_data", "words_idx", "words_docsize",
                                          "words_config"};
    if (strncmp(name, "sqlite_", 7) == 0)
        return true; /* SQL can make no object of such a name */
    for (size_t i = 0; i < sizeof of_fts5 / sizeof *of_fts5; i++)
        if (strcmp(name, of_fts5[i]) == 0)
            return true;
    for (size_t i = 0; i < OBJECTS; i++)
        if (is_of(i, version) && strcmp(name, objects[i].name) == 0 &&
            strcmp(sql, objects[i].sql) == 0)
            return present[i] = true;
    return false;
}

static rag_status check_objects(struct store *store, sqlite3_stmt *statement, unsigned version,
                                rag_error *error)
{
    bool present[OBJECTS] = {0};
    for (;;) {
        bool row;
        rag_status status = db_step(store, statement, &row, error);
        if (status)
            return status;
        if (!row)
            break;
        const char *name = (const char *)sqlite3_column_text(statement, 0);
        const char *sql = (const char *)sqlite3_column_text(statement, 1);
        if (!known(name ? name : "", sql ? sql : "", version, present))
            return fail_with(
                error, RAG_INDEX,
                "%s: \"%s\" in it is not part of an index of rag; the file was "
                "changed by another program: restore it from a copy, or index again",
                store->path, name ? name : "");
    }
    for (size_t i = 0; i < OBJECTS; i++)
        if (is_of(i, version) && !present[i])
            return fail_with(error, RAG_INDEX,
                             "%s: its table \"%s\" is missing; the file is damaged: restore it "
                             "from a copy, or remove it and index again",
                             store->path, objects[i].name);
    return RAG_OK;
}

rag_status schema_version(struct store *store, unsigned *version, rag_error *error)
{
    int64_t value = 0;
    rag_status status = db_integer(store, "PRAGMA user_version", 0, &value, error);
    *version = (unsigned)value;
    return status ? status : judge_version(store->path, (uint32_t)value, error);
}

static rag_status check(struct store *store, rag_error *error)
{
    int64_t id = 0;
    rag_status status = db_integer(store, "PRAGMA application_id", 0, &id, error);
    if (status)
        return status;
    if (id != SCHEMA_APPLICATION_ID)
        return fail_with(error, RAG_INDEX,
                         "%s: not an index of rag; name another file with --index",
                         store->path);
    sqlite3_stmt *statement;
    status = db_prepare(store, &statement, "SELECT name, sql FROM sqlite_schema", error);
    if (!status)
        status = check_objects(store, statement, store->version, error);
    db_finish(store, statement);
    return status;
}

/* In one transaction, for another process may be bringing the file up to date. */
rag_status schema_check(struct store *store, rag_error *error)
{
    rag_status status = db_begin(store, DB_READ, error);
    return status ? status : db_end(store, check(store, error), error);
}
