/* The names under which documents are kept apart. */
#include "base/memory.h"
#include "store/hidden.h"
#include "text/utf8.h"

#include <string.h>

const char *collection_name(const char *collection)
{
    return collection ? collection : COLLECTION_DEFAULT;
}

rag_status collection_check(const char *name, rag_error *error)
{
    size_t size = strnlen(name, COLLECTION_MAX_NAME + 1);
    bool fits = size && size <= COLLECTION_MAX_NAME && utf8_valid_prefix(name, size) == size;
    for (size_t i = 0; fits && i < size; i++)
        fits = (unsigned char)name[i] >= ' ' && name[i] != 0x7f;
    return fits ? RAG_OK
                : fail_with(error, RAG_INPUT,
                            "a collection's name has 1 to %d bytes of UTF-8 without control "
                            "characters",
                            COLLECTION_MAX_NAME);
}

static rag_status make_collection(struct store *store, const char *name, int64_t *id,
                                  rag_error *error)
{
    sqlite3_stmt *statement;
    rag_status status =
        db_prepare(store, &statement, "INSERT INTO collections(name) VALUES(?)", error);
    if (!status)
        status = db_run(store, statement, error, "t", name);
    db_finish(store, statement);
    *id = sqlite3_last_insert_rowid(store->db);
    return status;
}

rag_status collection_find(struct store *store, const char *name, bool make, int64_t *id,
                           rag_error *error)
{
    sqlite3_stmt *statement;
    bool row = false;
    *id = 0;
    rag_status status = make ? collection_check(collection_name(name), error) : RAG_OK;
    if (status)
        return status;
    status = db_prepare(store, &statement, "SELECT " COLLECTION_ID, error);
    if (!status)
        status = db_bind(store, statement, error, "t", collection_name(name));
    if (!status)
        status = db_step(store, statement, &row, error);
    if (!status && row)
        *id = sqlite3_column_int64(statement, 0); /* 0 of NULL */
    db_finish(store, statement);
    if (status || *id || !make)
        return status;
    return make_collection(store, collection_name(name), id, error);
}

rag_status collection_tidy(struct store *store, int64_t id, rag_error *error)
{
    sqlite3_stmt *statement;
    rag_status status =
        db_prepare(store, &statement,
                   "DELETE FROM collections WHERE id=? AND "
                   "NOT EXISTS(SELECT 1 FROM documents WHERE collection=collections.id)",
                   error);
    if (!status)
        status = db_run(store, statement, error, "i", id);
    db_finish(store, statement);
    return status;
}

/* ---- Listing ---- */

void store_collections_release(struct store_collections *collections)
{
    for (size_t i = 0; i < collections->count; i++)
        free(collections->items[i].name);
    free(collections->items);
    *collections = (struct store_collections){0};
}

static rag_status list(struct store *store, struct store_collections *out, rag_error *error)
{
    sqlite3_stmt *statement;
    rag_status status =
        db_prepare(store, &statement,
                   "SELECT name, count(*), sum(chunks) FROM documents JOIN "
                   "collections ON collections.id=collection WHERE " DOCUMENT_IS_FOUND
                   " GROUP BY name ORDER BY name",
                   error);
    while (!status) {
        bool row;
        status = db_step(store, statement, &row, error);
        if (status || !row)
            break;
        char *name = copy_column(statement, 0);
        if (name &&
            array_reserve(&out->items, &out->capacity, out->count + 1, sizeof *out->items)) {
            out->items[out->count++] =
                (struct store_collection){name, (size_t)sqlite3_column_int64(statement, 1),
                                          (size_t)sqlite3_column_int64(statement, 2)};
            continue;
        }
        free(name);
        status = fail_memory(error);
    }
    db_finish(store, statement);
    return status;
}

rag_status store_list_collections(struct store *store, struct store_collections *out,
                                  rag_error *error)
{
    *out = (struct store_collections){0};
    store_lock(store);
    rag_status status = db_begin(store, DB_READ, error);
    if (!status)
        status = db_end(store, list(store, out, error), error);
    store_unlock(store);
    if (status)
        store_collections_release(out);
    return status;
}
