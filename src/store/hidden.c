#include "store/hidden.h"
#include "base/memory.h"
#include "store/pieces.h"
#include "store/write.h"

/* ---- Leaving out ---- */

static bool push(struct id_ranges *ranges, size_t *capacity, int64_t first, int64_t last)
{
    if (first > last)
        return true;
    if (!array_reserve(&ranges->items, capacity, ranges->count + 1, sizeof *ranges->items))
        return false;
    ranges->items[ranges->count++] = (struct id_range){first, last};
    return true;
}

/* CROSS: from the few rows that are unfinished to their documents, and not the other way round.
 * Ranges of a damaged file that are not in order are left out. */
rag_status hidden_chunks(struct store *store, struct id_ranges *out, rag_error *error)
{
    sqlite3_stmt *statement;
    size_t capacity = 0;
    int64_t behind = 0;
    *out = (struct id_ranges){0};
    rag_status status =
        db_prepare(store, &statement,
                   "SELECT first_chunk, chunks FROM unfinished CROSS JOIN documents ON "
                   "documents.id=document WHERE chunks>0 ORDER BY first_chunk",
                   error);
    while (!status) {
        bool row;
        status = db_step(store, statement, &row, error);
        if (status || !row)
            break;
        int64_t last, first = sqlite3_column_int64(statement, 0);
        if (first <= behind ||
            __builtin_add_overflow(first - 1, sqlite3_column_int64(statement, 1), &last))
            continue;
        if (!push(out, &capacity, first, last))
            status = fail_memory(error);
        behind = last;
    }
    db_finish(store, statement);
    if (status)
        id_ranges_release(out);
    return status;
}

rag_status visible_chunks(struct store *store, struct id_ranges *room,
                          const struct id_ranges **within, rag_error *error)
{
    struct id_ranges hidden;
    size_t capacity = 0;
    int64_t first = 0;
    *room = (struct id_ranges){0};
    *within = NULL;
    rag_status status = hidden_chunks(store, &hidden, error);
    if (status || !hidden.count)
        return status;
    for (size_t i = 0; i < hidden.count && !status; i++) {
        if (!push(room, &capacity, first, hidden.items[i].first - 1))
            status = fail_memory(error);
        first = hidden.items[i].last < INT64_MAX ? hidden.items[i].last + 1 : INT64_MAX;
    }
    if (!status && !push(room, &capacity, first, INT64_MAX))
        status = fail_memory(error);
    id_ranges_release(&hidden);
    *within = room;
    return status;
}

rag_status vector_walk_begin(struct store *store, int64_t behind, struct vector_walk *walk,
                             rag_error *error)
{
    *walk = (struct vector_walk){.store = store};
    rag_status status = hidden_chunks(store, &walk->hidden, error);
    if (!status)
        status =
            db_prepare(store, &walk->statement,
                       "SELECT chunk, vector FROM vectors WHERE chunk>? ORDER BY chunk", error);
    return status ? status : db_bind(store, walk->statement, error, "i", behind);
}

/* The last chunk of the hidden range that has a chunk; 0: none has. */
static int64_t end_of_hidden(const struct id_ranges *hidden, int64_t chunk)
{
    for (size_t i = 0; i < hidden->count && hidden->items[i].first <= chunk; i++)
        if (chunk <= hidden->items[i].last)
            return hidden->items[i].last;
    return 0;
}

rag_status vector_walk_step(struct vector_walk *walk, bool *row, rag_error *error)
{
    for (;;) {
        rag_status status = db_step(walk->store, walk->statement, row, error);
        if (status || !*row)
            return status;
        int64_t behind = end_of_hidden(&walk->hidden, sqlite3_column_int64(walk->statement, 0));
        if (!behind)
            return RAG_OK;
        sqlite3_reset(walk->statement);
        status = db_bind(walk->store, walk->statement, error, "i", behind);
        if (status)
            return status;
    }
}

void vector_walk_end(struct vector_walk *walk)
{
    db_finish(walk->store, walk->statement);
    id_ranges_release(&walk->hidden);
    *walk = (struct vector_walk){0};
}

/* ---- Giving up ---- */

rag_status hidden_collection(struct store *store, int64_t *id, rag_error *error)
{
    rag_status status = db_execute(
        store, "INSERT OR IGNORE INTO collections(name) VALUES('" COLLECTION_HIDDEN "')",
        error);
    return status ? status
                  : db_integer(store,
                               "SELECT id FROM collections WHERE name='" COLLECTION_HIDDEN "'",
                               0, id, error);
}

rag_status hide_document(struct store *store, int64_t document, rag_error *error)
{
    sqlite3_stmt *statement;
    int64_t hidden;
    rag_status status = log_removal(store, document, error);
    if (!status)
        status = hidden_collection(store, &hidden, error);
    if (status)
        return status;
    status = db_prepare(store, &statement,
                        "UPDATE documents SET collection=?, path=id WHERE id=?", error);
    if (!status)
        status = db_run(store, statement, error, "ii", hidden, document);
    db_finish(store, statement);
    if (status)
        return status;
    status = db_prepare(store, &statement,
                        "INSERT INTO unfinished VALUES(?, NULL, NULL, unixepoch())", error);
    if (!status)
        status = db_run(store, statement, error, "i", document);
    db_finish(store, statement);
    return status;
}

rag_status hidden_give_up(struct store *store, const char *collection, const char *path,
                          int64_t kept, rag_error *error)
{
    sqlite3_stmt *statement;
    rag_status status = db_prepare(store, &statement,
                                   "UPDATE unfinished SET collection=NULL, path=NULL WHERE "
                                   "collection=? AND path=? AND document<>?",
                                   error);
    if (!status)
        status =
            db_run(store, statement, error, "tti", collection_name(collection), path, kept);
    db_finish(store, statement);
    return status;
}

rag_status hidden_tidy(struct store *store, rag_error *error)
{
    return db_execute(store,
                      "DELETE FROM collections WHERE name='" COLLECTION_HIDDEN
                      "' AND id NOT IN (SELECT collection FROM documents)",
                      error);
}

/* ---- Sweeping ---- */

enum { STEP_CHUNKS = 1 << 11, STEP_PIECES = 1 << 6 };

#define GIVEN_UP "(SELECT min(document) FROM unfinished WHERE path IS NULL)"

/* The last pieces; of a file of an older format a text is one piece. */
static rag_status sweep_pieces(struct store *store, int64_t document, bool *none,
                               rag_error *error)
{
    sqlite3_stmt *statement;
    rag_status status = db_prepare(store, &statement,
                                   "DELETE FROM texts WHERE id IN (SELECT id FROM texts WHERE "
                                   "document=? ORDER BY begin_byte DESC LIMIT ?)",
                                   error);
    if (!status)
        status = db_run(store, statement, error, "ii", document, (int64_t)STEP_PIECES);
    *none = !status && sqlite3_changes(store->db) < STEP_PIECES;
    db_finish(store, statement);
    return status;
}

static rag_status sweep_row(struct store *store, int64_t document, rag_error *error)
{
    rag_status status =
        run_with_id(store, "DELETE FROM unfinished WHERE document=?", document, error);
    if (!status)
        status = run_with_id(store, "DELETE FROM documents WHERE id=?", document, error);
    return status ? status : hidden_tidy(store, error);
}

static rag_status sweep_chunks(struct store *store, int64_t document, int64_t first,
                               rag_error *error)
{
    rag_status status = words_up_to_date(store, error);
    if (!status)
        status = remove_chunks(store, document, first, error);
    if (status)
        return status;
    sqlite3_stmt *statement;
    status = db_prepare(store, &statement,
                        "UPDATE documents SET chunks=?2, first_chunk=iif(?2, first_chunk, 0) "
                        "WHERE id=?1",
                        error);
    if (!status)
        status = db_run(store, statement, error, "ii", document, first);
    db_finish(store, statement);
    return status;
}

/* Takes the end off the first document that is given up. */
static rag_status sweep_step(struct store *store, bool *more, rag_error *error)
{
    int64_t document, chunks = 0;
    bool none = false;
    rag_status status = db_integer(store, "SELECT " GIVEN_UP, 0, &document, error);
    *more = document != 0;
    if (status || !document)
        return status;
    status = db_integer(store, "SELECT max(number)+1 FROM chunks WHERE document=" GIVEN_UP, 0,
                        &chunks, error);
    if (!status && chunks > 0)
        status = sweep_chunks(store, document, chunks > STEP_CHUNKS ? chunks - STEP_CHUNKS : 0,
                              error);
    else if (!status)
        status = sweep_pieces(store, document, &none, error);
    if (!status && none)
        status = sweep_row(store, document, error);
    return status ? status : log_generation(store, error);
}

/* Nothing is written where there is nothing to be done. */
static rag_status sweep(struct store *store, bool *more)
{
    int64_t document = 0;
    rag_status status = db_begin(store, DB_READ, NULL);
    if (!status)
        status = db_end(store, db_integer(store, "SELECT " GIVEN_UP, 0, &document, NULL), NULL);
    *more = !status && document;
    if (!*more)
        return status;
    status = db_begin(store, DB_WRITE, NULL);
    return status ? status : db_end(store, sweep_step(store, more, NULL), NULL);
}

void hidden_sweep(struct store *store)
{
    bool more = true;
    rag_status status = RAG_OK;
    while (more && !status) {
        store_lock(store);
        status = sweep(store, &more);
        store_unlock(store);
    }
}
