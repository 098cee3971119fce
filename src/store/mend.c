/* Mending a damaged file: what follows from other rows, and a whole file in its place. */
#include "store/damaged.h"
#include "store/header.h"
#include "store/hidden.h"
#include "store/sparse.h"

#include <stdio.h>
#include <string.h>

/* ---- Tables ---- */

#define HIDDEN                                                                                 \
    "(SELECT id FROM documents WHERE collection=(SELECT id FROM collections WHERE "            \
    "name='" COLLECTION_HIDDEN "'))"
#define HIDDEN_CHUNKS "(SELECT id FROM chunks WHERE document IN " HIDDEN ")"

/* In the order in which they can be done with references checked. What is unfinished goes
 * first. Of a chunk that does not lie
 * within its text the place is made empty: it is on a document that must be put in anew, and
 * the lexical index must give back what it was filled with. */
static const char *const steps[] = {
    "REINDEX",
    "INSERT OR IGNORE INTO collections SELECT collection, '" COLLECTION_HIDDEN "' FROM "
    "documents WHERE id IN (SELECT document FROM unfinished) AND collection NOT IN "
    "(SELECT id FROM collections)",
    "DELETE FROM vectors WHERE chunk IN " HIDDEN_CHUNKS,
    "DELETE FROM places WHERE chunk IN " HIDDEN_CHUNKS,
    "DELETE FROM token_weights WHERE chunk IN " HIDDEN_CHUNKS,
    "DELETE FROM chunks WHERE document IN " HIDDEN,
    "DELETE FROM texts WHERE document IN " HIDDEN,
    "DELETE FROM unfinished",
    "DELETE FROM documents WHERE id IN " HIDDEN,
    "DELETE FROM vectors WHERE chunk NOT IN (SELECT id FROM chunks WHERE document IN "
    "(SELECT id FROM documents))",
    "DELETE FROM places WHERE chunk NOT IN (SELECT id FROM chunks WHERE document IN "
    "(SELECT id FROM documents))",
    "DELETE FROM token_weights WHERE chunk NOT IN (SELECT id FROM chunks WHERE document IN "
    "(SELECT id FROM documents))",
    "DELETE FROM chunks WHERE document NOT IN (SELECT id FROM documents)",
    "DELETE FROM texts WHERE document NOT IN (SELECT id FROM documents)",
    "INSERT INTO texts(document, begin_byte, text) SELECT id, 0, x'' FROM documents WHERE id "
    "NOT IN (SELECT document FROM texts)",
    "UPDATE OR IGNORE texts SET begin_byte=0 WHERE begin_byte<>0 AND NOT EXISTS(SELECT 1 FROM "
    "texts AS pieces WHERE pieces.document=texts.document AND "
    "pieces.begin_byte<texts.begin_byte)",
    "INSERT OR IGNORE INTO collections SELECT DISTINCT collection, iif(collection=1 AND "
    "'" COLLECTION_DEFAULT "' NOT IN (SELECT name FROM collections), '" COLLECTION_DEFAULT
    "', '" COLLECTION_RECOVERED " ' || collection) FROM documents WHERE collection NOT IN "
    "(SELECT id FROM collections)",
    "DELETE FROM collections WHERE id NOT IN (SELECT collection FROM documents)",
    "UPDATE chunks SET begin_byte=0, end_byte=0 WHERE begin_byte<0 OR end_byte<begin_byte OR "
    "end_byte>(SELECT texts.begin_byte+length(text) FROM texts WHERE "
    "texts.document=chunks.document AND texts.begin_byte<=chunks.begin_byte ORDER BY "
    "texts.begin_byte DESC LIMIT 1)",
    "UPDATE documents SET first_chunk=coalesce((SELECT min(chunks.id) FROM chunks WHERE "
    "document=documents.id), 0)",
    "DELETE FROM state WHERE id<>1",
    "INSERT OR IGNORE INTO state VALUES(1, 0, x'', 0)",
    "DELETE FROM sqlite_sequence WHERE name IN ('documents', 'chunks') AND "
    "typeof(seq)<>'integer'",
    "INSERT INTO sqlite_sequence SELECT name, 0 FROM (SELECT 'documents' AS name UNION SELECT "
    "'chunks') WHERE name NOT IN (SELECT name FROM sqlite_sequence)",
    "UPDATE sqlite_sequence SET seq=max(seq, coalesce((SELECT max(id) FROM documents), 0)) "
    "WHERE name='documents'",
    "UPDATE sqlite_sequence SET seq=max(seq, coalesce((SELECT max(id) FROM chunks), 0)) "
    "WHERE name='chunks'",
    "DELETE FROM removals",
    "DELETE FROM generations",
    /* Whoever keeps vectors in memory has an older generation, whatever it was. */
    "UPDATE state SET generation=max(generation, unixepoch()), words_hash=x''",
    "UPDATE state SET removals_from=generation+1",
};

static rag_status mend(struct store *store, rag_error *error)
{
    rag_status status = RAG_OK;
    for (size_t i = 0; i < sizeof steps / sizeof *steps && !status; i++)
        status = db_execute(store, steps[i], error);
    if (!status)
        status = postings_rebuild(store, error);
    if (!status)
        status = log_generation(store, error);
    return status ? status : words_up_to_date(store, error);
}

rag_status store_mend_tables(struct store *store, rag_error *error)
{
    rag_error trouble;
    store_lock(store);
    /* All of the lexical index may change in one transaction: more than memory may hold. */
    rag_status status = db_execute(store, "PRAGMA cache_spill=ON", error);
    if (!status)
        status = db_begin(store, DB_WRITE, error);
    if (!status)
        status = db_end(store, mend(store, error), error);
    if (db_execute(store, "PRAGMA cache_spill=OFF", &trouble) && !status)
        status = fail_with(error, trouble.status, "%s", trouble.message);
    store_unlock(store);
    return status;
}

/* ---- Ids ---- */

/* The greatest value of any of the queries that can be run. */
static int64_t greatest(struct store *store, const char *const *queries, size_t count)
{
    int64_t most = 0;
    for (size_t i = 0; i < count; i++) {
        int64_t value;
        if (db_integer(store, queries[i], 0, &value, NULL) == RAG_OK && value > most)
            most = value;
    }
    return most;
}

rag_status store_continue(struct store *store, struct store *damaged, rag_error *error)
{
    static const char *const documents[] = {
        "SELECT seq FROM sqlite_sequence WHERE name='documents'",
        "SELECT max(id) FROM documents",
        "SELECT max(document) FROM chunks",
    };
    static const char *const chunks[] = {
        "SELECT seq FROM sqlite_sequence WHERE name='chunks'",
        "SELECT max(id) FROM chunks",
        "SELECT max(chunk) FROM vectors",
    };
    static const char *const generations[] = {"SELECT generation FROM state",
                                              "SELECT unixepoch()"};
    /* A damaged number must not use all ids up. */
    const int64_t most = INT64_C(1) << 52;
    store_lock(damaged);
    int64_t last_document = greatest(damaged, documents, 3) % most;
    int64_t last_chunk = greatest(damaged, chunks, 3) % most;
    int64_t generation = greatest(damaged, generations, 2) % most;
    store_unlock(damaged);
    char sql[512];
    sqlite3_snprintf(sizeof sql, sql,
                     "DELETE FROM sqlite_sequence WHERE name IN ('documents', 'chunks'); "
                     "INSERT INTO sqlite_sequence VALUES('documents', %lld), "
                     "('chunks', %lld); UPDATE state SET generation=%lld, removals_from=%lld",
                     (long long)last_document, (long long)last_chunk, (long long)generation,
                     (long long)generation + 1);
    store_lock(store);
    rag_status status = db_begin(store, DB_WRITE, error);
    if (!status) {
        status = db_execute(store, sql, error);
        if (!status)
            status = log_generation(store, error);
        status = db_end(store, status, error);
    }
    store_unlock(store);
    return status;
}

/* ---- Another file's contents ---- */

/* Whether both files begin with the same bytes, among them the number of the last change, and
 * have the same size. */
static rag_status compare(const char *a, const char *b, bool *same, rag_error *error)
{
    unsigned char first[SCHEMA_HEADER_SIZE], second[SCHEMA_HEADER_SIZE];
    uint64_t size, other;
    bool missing, lost;
    rag_status status = header_read(a, first, &size, &missing, error);
    if (!status)
        status = header_read(b, second, &other, &lost, error);
    *same = !status && !missing && !lost && size == other &&
            memcmp(first, second, sizeof first) == 0;
    return status;
}

/* The first step takes the lock and copies nothing. */
static rag_status replace(struct store *store, struct store *from, const char *copy,
                          rag_error *error)
{
    bool same = false;
    rag_status status = RAG_OK;
    sqlite3_backup *backup = sqlite3_backup_init(store->db, "main", from->db, "main");
    if (!backup)
        return db_fail(store, error);
    int code = sqlite3_backup_step(backup, 0);
    if (code == SQLITE_OK)
        status = compare(store->path, copy, &same, error);
    if (code == SQLITE_OK && !status && !same)
        status = fail_with(error, RAG_INDEX_BUSY,
                           "%s: another process has changed it meanwhile; repair it again",
                           store->path);
    if (code == SQLITE_OK && !status)
        code = sqlite3_backup_step(backup, -1);
    int finished = sqlite3_backup_finish(backup);
    if (!status && code != SQLITE_DONE)
        status = db_fail(store, error);
    return status || finished == SQLITE_OK ? status : db_fail(store, error);
}

rag_status store_replace(const char *path, const char *copy, const char *from, rag_error *error)
{
    struct store *store = NULL, *whole = NULL;
    rag_status status = store_open_damaged(path, &store, error);
    if (!status)
        status = store_open(from, false, &whole, error);
    if (!status)
        status = db_execute(store, "PRAGMA cache_spill=ON", error);
    if (!status)
        status = replace(store, whole, copy, error);
    store_close(store);
    store_close(whole);
    return status;
}
