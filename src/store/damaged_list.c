/* Which documents there are in a damaged file. */
#include "base/memory.h"
#include "store/damaged_rows.h"

struct ids {
    int64_t *items;
    size_t count, capacity;
};

static bool ids_push(struct ids *ids, int64_t id)
{
    if (!array_reserve(&ids->items, &ids->capacity, ids->count + 1, sizeof *ids->items))
        return false;
    ids->items[ids->count++] = id;
    return true;
}

/* Appends ids until the rows end, or cannot be read (*all false). */
static rag_status collect(struct store *store, const char *sql, struct ids *ids, bool *all,
                          rag_error *error)
{
    sqlite3_stmt *statement;
    rag_status status = db_prepare(store, &statement, sql, error);
    bool row = false;
    while (!status && !(status = db_step(store, statement, &row, error)) && row)
        if (!ids_push(ids, sqlite3_column_int64(statement, 0)))
            status = fail_memory(error);
    db_finish(store, statement);
    *all = !status;
    return is_damage(store, status) ? RAG_OK : status;
}

/* Looks for the documents between two ids one by one: some of the leaves there can be read. */
static rag_status probe(struct store *store, int64_t first, int64_t last, struct ids *ids,
                        rag_error *error)
{
    enum { MOST = 1 << 24 }; /* tens of seconds: more ids than documents were ever put in */
    rag_status status = RAG_OK;
    for (int64_t id = first; !status && id < last && id - first < MOST; id++) {
        sqlite3_stmt *statement = NULL;
        bool row;
        status = find_damaged(store, "SELECT path FROM documents WHERE id=?", id, &statement,
                              &row, error);
        db_finish(store, statement);
        if (!status && row && !ids_push(ids, id))
            status = fail_memory(error);
    }
    return status;
}

static rag_status list(struct store *store, struct ids *ids, rag_error *error)
{
    struct ids behind = {0};
    bool all;
    rag_status status =
        collect(store, "SELECT id FROM documents NOT INDEXED ORDER BY id", ids, &all, error);
    if (status || all)
        return status;
    status = collect(store, "SELECT id FROM documents NOT INDEXED ORDER BY id DESC", &behind,
                     &all, error);
    int64_t known = ids->count ? ids->items[ids->count - 1] : 0, last = known + (1 << 16),
            given;
    if (!db_integer(store, "SELECT seq FROM sqlite_sequence WHERE name='documents'", last,
                    &given, NULL) &&
        given < last)
        last = given;
    int64_t next = behind.count ? behind.items[behind.count - 1] : last + 1;
    if (!status && known < next)
        status = probe(store, known + 1, next, ids, error);
    for (size_t i = behind.count; !status && i-- > 0;)
        if (behind.items[i] > known && !ids_push(ids, behind.items[i]))
            status = fail_memory(error);
    free(behind.items);
    return status;
}

/* Documents whose rows are gone, but not what belongs to them. */
static rag_status list_traces(struct store *store, struct ids *ids, rag_error *error)
{
    static const char *const traces[] = {
        "SELECT id FROM documents INDEXED BY sqlite_autoindex_documents_1",
        "SELECT DISTINCT document FROM texts",
        "SELECT DISTINCT document FROM chunks",
    };
    rag_status status = RAG_OK;
    for (size_t i = 0; !status && i < sizeof traces / sizeof *traces; i++) {
        bool all;
        status = collect(store, traces[i], ids, &all, error);
    }
    return status;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void sort_unique(struct ids *ids)
{
    size_t kept = 0;
    if (ids->count)
        qsort(ids->items, ids->count, sizeof *ids->items, by_value);
    for (size_t i = 0; i < ids->count; i++)
        if (!kept || ids->items[kept - 1] != ids->items[i])
            ids->items[kept++] = ids->items[i];
    ids->count = kept;
}

/* What is unfinished, or on its way out, is no document that anybody misses. */
static rag_status leave_hidden_out(struct store *store, struct ids *ids, rag_error *error)
{
    struct ids hidden = {0};
    bool all;
    rag_status status = collect(store, "SELECT document FROM unfinished", &hidden, &all, error);
    size_t kept = 0;
    sort_unique(&hidden);
    for (size_t i = 0, j = 0; i < ids->count; i++) {
        while (j < hidden.count && hidden.items[j] < ids->items[i])
            j++;
        if (j == hidden.count || hidden.items[j] != ids->items[i])
            ids->items[kept++] = ids->items[i];
    }
    ids->count = kept;
    free(hidden.items);
    return status;
}

rag_status store_list_damaged(struct store *store, int64_t **ids, size_t *count,
                              rag_error *error)
{
    struct ids found = {0};
    store_lock(store);
    rag_status status = db_begin(store, DB_READ, error);
    if (!status)
        status = list(store, &found, error);
    if (!status)
        status = list_traces(store, &found, error);
    sort_unique(&found);
    if (!status)
        status = leave_hidden_out(store, &found, error);
    status = end_reading(store, status);
    store_unlock(store);
    if (status) {
        free(found.items);
        found = (struct ids){0};
    }
    *ids = found.items;
    *count = found.count;
    return status;
}
