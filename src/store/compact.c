/* Giving back what removals and updates left. */
#include "store/hidden.h"

struct compaction {
    const struct events *events;
    bool stopped;
};

static int report_progress(void *user)
{
    struct compaction *compaction = user;
    compaction->stopped = event_progress(compaction->events, "compacting", NULL, 0, 0, NULL);
    return compaction->stopped;
}

static rag_status file_bytes(struct store *store, uint64_t *bytes, rag_error *error)
{
    int64_t pages = 0, size = 0;
    rag_status status = db_integer(store, "PRAGMA page_count", 0, &pages, error);
    if (!status)
        status = db_integer(store, "PRAGMA page_size", 0, &size, error);
    *bytes = (uint64_t)pages * (uint64_t)size;
    return status;
}

/* Joins the segments of the lexical index, which drops the terms of removed chunks, in
 * transactions of some megabytes: changed pages stay in memory until a transaction ends. A
 * negative number of pages begins such a merge, and one that had nothing to do changes less
 * than two rows (sqlite.org/fts5.html, "The 'merge' Command"). */
static rag_status merge_words(struct store *store, rag_error *error)
{
    enum { LEAST_CHANGES = 2 };
    const char *sql = "INSERT INTO words(words, rank) VALUES('merge', -4096)";
    int64_t changes;
    do {
        int64_t before = sqlite3_total_changes64(store->db);
        rag_status status = db_begin(store, DB_WRITE, error);
        if (!status)
            status = db_end(store, db_execute(store, sql, error), error);
        if (status)
            return status;
        changes = sqlite3_total_changes64(store->db) - before;
        sql = "INSERT INTO words(words, rank) VALUES('merge', 4096)";
    } while (changes >= LEAST_CHANGES);
    return RAG_OK;
}

/* What was left unfinished, and nobody has gone on with for a day. */
static rag_status give_up_old(struct store *store, rag_error *error)
{
    static const char sql[] = "UPDATE unfinished SET collection=NULL, path=NULL WHERE "
                              "touched<unixepoch()-86400";
    store_lock(store);
    rag_status status = db_begin(store, DB_WRITE, error);
    if (!status)
        status = db_end(store, db_execute(store, sql, error), error);
    store_unlock(store);
    if (!status)
        hidden_sweep(store);
    return status;
}

/* Writes the file anew, in one transaction: SQLite makes a copy among the temporary files and
 * copies it back. That needs one attached file; and pages must leave memory in the middle of it
 * here, whatever the size of the index, so that readers are kept out meanwhile. */
static rag_status vacuum(struct store *store, rag_error *error)
{
    rag_error trouble;
    rag_status status =
        db_execute(store, "PRAGMA temp_store=FILE; PRAGMA cache_spill=ON", error);
    sqlite3_limit(store->db, SQLITE_LIMIT_ATTACHED, 1);
    if (!status)
        status = db_execute(store, "VACUUM", error);
    sqlite3_limit(store->db, SQLITE_LIMIT_ATTACHED, 0);
    rag_status restored =
        db_execute(store, "PRAGMA temp_store=MEMORY; PRAGMA cache_spill=OFF", &trouble);
    if (!status && restored)
        status = fail_with(error, restored, "%s", trouble.message);
    return status;
}

rag_status store_compact(struct store *store, const struct events *events,
                         struct store_compaction *out, rag_error *error)
{
    enum { STEPS = 1 << 10 }; /* less than a millisecond */
    struct compaction compaction = {.events = events};
    *out = (struct store_compaction){0};
    rag_status status = give_up_old(store, error);
    if (status)
        return status;
    store_lock(store);
    sqlite3_progress_handler(store->db, STEPS, report_progress, &compaction);
    status = file_bytes(store, &out->bytes_before, error);
    if (!status)
        status = merge_words(store, error);
    if (!status)
        status = vacuum(store, error);
    sqlite3_progress_handler(store->db, 0, NULL, NULL);
    if (!status)
        status = file_bytes(store, &out->bytes_after, error);
    store_unlock(store);
    if (status && compaction.stopped)
        status = fail_with(error, RAG_INTERRUPTED, "interrupted; the index is as it was");
    return status;
}
