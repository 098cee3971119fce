/* Documents: taking out. */
#include "store/hidden.h"
#include "store/pieces.h"
#include "store/sparse.h"
#include "store/write.h"

/* ---- The lexical index ---- */

/* FTS5 takes a row back by tokenizing its old text again; so what was filled with other terms
 * than words_each gives now is filled anew first. */
rag_status words_up_to_date(struct store *store, rag_error *error)
{
    struct hash now;
    bool same;
    sqlite3_stmt *statement;
    rag_status status = lexical_is_current(store, &now, &same, error);
    if (status || same)
        return status;
    status = db_execute(store, "INSERT INTO words(words) VALUES('rebuild')", error);
    if (status)
        return status;
    status = db_prepare(store, &statement, "UPDATE state SET words_hash=?", error);
    if (!status)
        status =
            db_run(store, statement, error, "b", (const void *)now.bytes, sizeof now.bytes);
    db_finish(store, statement);
    return status;
}

/* ---- Documents ---- */

static rag_status find_id(struct store *store, int64_t collection, const char *path,
                          int64_t *id, bool *found, rag_error *error)
{
    sqlite3_stmt *statement;
    *found = false;
    rag_status status = db_prepare(
        store, &statement, "SELECT id FROM documents WHERE collection=? AND path=?", error);
    if (!status)
        status = db_bind(store, statement, error, "it", collection, path);
    if (!status)
        status = db_step(store, statement, found, error);
    if (!status && *found)
        *id = sqlite3_column_int64(statement, 0);
    db_finish(store, statement);
    return status;
}

rag_status run_with_id(struct store *store, const char *sql, int64_t id, rag_error *error)
{
    sqlite3_stmt *statement;
    rag_status status = db_prepare(store, &statement, sql, error);
    if (!status)
        status = db_run(store, statement, error, "i", id);
    db_finish(store, statement);
    return status;
}

static rag_status remove_chunk_words(struct store *store, struct pieces *pieces,
                                     sqlite3_stmt *change, sqlite3_stmt *chunk,
                                     rag_error *error)
{
    int64_t id = sqlite3_column_int64(chunk, 0);
    rag_text heading = db_column(chunk, 1), part;
    bool good;
    rag_status status = pieces_part(pieces, sqlite3_column_int64(chunk, 2),
                                    sqlite3_column_int64(chunk, 3), &part, &good, error);
    if (!status && !good)
        status = fail_with(error, RAG_INDEX,
                           "%s: chunk %lld does not lie within its document; `rag verify` "
                           "lists what is wrong",
                           store->path, (long long)id);
    return status ? status
                  : db_run(store, change, error, "iss", id, (const void *)heading.data,
                           heading.size, (const void *)part.data, part.size);
}

/* Takes the terms of chunks out of the lexical index, from the text that is stored. */
static rag_status remove_words(struct store *store, int64_t document, int64_t first,
                               rag_error *error)
{
    struct pieces pieces;
    sqlite3_stmt *change = NULL, *chunks = NULL;
    rag_status status = pieces_open(store, document, &pieces, error);
    if (!status)
        status = db_prepare(store, &change,
                            "INSERT INTO words(words, rowid, heading, text) "
                            "VALUES('delete', ?, ?, ?)",
                            error);
    if (!status)
        status = db_prepare(store, &chunks,
                            "SELECT id, heading, begin_byte, end_byte FROM chunks "
                            "WHERE document=? AND number>=?",
                            error);
    if (!status)
        status = db_bind(store, chunks, error, "ii", document, first);
    while (!status) {
        bool row;
        status = db_step(store, chunks, &row, error);
        if (status || !row)
            break;
        status = remove_chunk_words(store, &pieces, change, chunks, error);
    }
    db_finish(store, chunks);
    db_finish(store, change);
    pieces_close(&pieces);
    return status;
}

rag_status remove_chunks(struct store *store, int64_t document, int64_t first, rag_error *error)
{
    static const char *const steps[] = {
        "DELETE FROM vectors WHERE chunk IN (SELECT id FROM chunks WHERE document=? AND "
        "number>=?)",
        "DELETE FROM places WHERE chunk IN (SELECT id FROM chunks WHERE document=? AND "
        "number>=?)",
        "DELETE FROM chunks WHERE document=? AND number>=?",
    };
    rag_status status = remove_words(store, document, first, error);
    if (!status)
        status = weights_remove(store, document, first, error);
    for (size_t i = 0; i < sizeof steps / sizeof *steps && !status; i++) {
        sqlite3_stmt *statement;
        status = db_prepare(store, &statement, steps[i], error);
        if (!status)
            status = db_run(store, statement, error, "ii", document, first);
        db_finish(store, statement);
    }
    return status;
}

static rag_status remove_small(struct store *store, int64_t id, rag_error *error)
{
    rag_status status = log_removal(store, id, error);
    if (!status)
        status = remove_chunks(store, id, 0, error);
    if (!status)
        status = run_with_id(store, "DELETE FROM texts WHERE document=?", id, error);
    return status ? status : run_with_id(store, "DELETE FROM documents WHERE id=?", id, error);
}

/* What changes stays in memory until the transaction ends: a large document is hidden, and goes
 * afterwards, in steps. */
static rag_status remove_document(struct store *store, int64_t id, rag_error *error)
{
    enum { LARGE = 1 << 12 /* chunks */ };
    int64_t chunks = 0;
    sqlite3_stmt *statement;
    bool row;
    rag_status status =
        db_prepare(store, &statement, "SELECT chunks FROM documents WHERE id=?", error);
    if (!status)
        status = db_bind(store, statement, error, "i", id);
    if (!status)
        status = db_step(store, statement, &row, error);
    if (!status && row)
        chunks = sqlite3_column_int64(statement, 0);
    db_finish(store, statement);
    if (status)
        return status;
    return chunks > LARGE ? hide_document(store, id, error) : remove_small(store, id, error);
}

/* Removes the document of this path, if there is one. */
rag_status remove_path(struct store *store, int64_t collection, const char *path, bool *found,
                       rag_error *error)
{
    int64_t id = 0;
    rag_status status = find_id(store, collection, path, &id, found, error);
    if (!status && *found)
        status = remove_document(store, id, error);
    return status;
}

static rag_status remove_paths(struct store *store, const char *collection,
                               const char *const *paths, size_t count, size_t *removed,
                               rag_error *error)
{
    int64_t id = 0;
    rag_status status = collection_find(store, collection, false, &id, error);
    if (!status)
        status = words_up_to_date(store, error);
    for (size_t i = 0; i < count && !status; i++) {
        bool found;
        status = remove_path(store, id, paths[i], &found, error);
        if (!status && found)
            ++*removed;
        if (!status)
            status = hidden_give_up(store, collection, paths[i], 0, error);
    }
    if (!status && *removed)
        status = collection_tidy(store, id, error);
    if (!status && *removed)
        status = log_generation(store, error);
    return status;
}

rag_status store_remove(struct store *store, const char *collection, const char *const *paths,
                        size_t count, size_t *removed, rag_error *error)
{
    size_t done = 0;
    store_lock(store);
    rag_status status = db_begin(store, DB_WRITE, error);
    if (!status)
        status =
            db_end(store, remove_paths(store, collection, paths, count, &done, error), error);
    store_unlock(store);
    if (!status)
        hidden_sweep(store);
    if (removed)
        *removed = status ? 0 : done;
    return status;
}
