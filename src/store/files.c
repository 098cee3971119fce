/* What is known of the files that documents were read from: finding, listing, touching, moving.
 */
#include "base/buf.h"
#include "base/memory.h"
#include "store/hidden.h"

#include <string.h>

/* ---- Finding and listing ---- */

static rag_status fill_file(struct store *store, sqlite3_stmt *statement,
                            struct store_file *out, rag_error *error)
{
    rag_text hash = db_column(statement, 0);
    if (hash.size != sizeof out->hash.bytes)
        return fail_with(error, RAG_INDEX,
                         "%s: a document's hash has %zu bytes; `rag verify` lists what is "
                         "wrong",
                         store->path, hash.size);
    memcpy(out->hash.bytes, hash.data, sizeof out->hash.bytes);
    rag_text metadata_hash = db_column(statement, 3);
    out->metadata_hash = (struct hash){0}; /* of a damaged row: that of no text */
    if (metadata_hash.size == sizeof out->metadata_hash.bytes)
        memcpy(out->metadata_hash.bytes, metadata_hash.data, metadata_hash.size);
    out->size = (uint64_t)sqlite3_column_int64(statement, 1);
    out->modified = sqlite3_column_int64(statement, 2);
    out->present = true;
    return RAG_OK;
}

static rag_status find_document(struct store *store, const char *collection, const char *path,
                                struct store_file *out, rag_error *error)
{
    *out = (struct store_file){0};
    sqlite3_stmt *statement;
    bool row;
    rag_status status = db_prepare(store, &statement,
                                   "SELECT hash, size, modified, metadata_hash FROM documents "
                                   "WHERE collection=" COLLECTION_ID " AND path=?",
                                   error);
    if (!status)
        status = db_bind(store, statement, error, "tt", collection_name(collection), path);
    if (!status)
        status = db_step(store, statement, &row, error);
    if (!status && row)
        status = fill_file(store, statement, out, error);
    db_finish(store, statement);
    return status;
}

rag_status store_find_document(struct store *store, const char *collection, const char *path,
                               struct store_file *out, rag_error *error)
{
    store_lock(store);
    rag_status status = db_begin(store, DB_READ, error);
    if (!status)
        status = db_end(store, find_document(store, collection, path, out, error), error);
    store_unlock(store);
    return status;
}

void store_list_release(struct store_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i].path);
    free(list->items);
    *list = (struct store_list){0};
}

static rag_status list_rows(struct store *store, sqlite3_stmt *statement,
                            struct store_list *out, rag_error *error)
{
    for (;;) {
        bool row;
        struct store_listed item;
        rag_status status = db_step(store, statement, &row, error);
        if (!status && row)
            status = fill_file(store, statement, &item.file, error);
        if (status || !row)
            return status;
        if (!array_reserve(&out->items, &out->capacity, out->count + 1, sizeof *out->items) ||
            !(item.path = copy_column(statement, 4)))
            return fail_memory(error);
        out->items[out->count++] = item;
    }
}

/* Below means from "path/" up to, not including, "path0": '0' is the byte after '/'. */
static rag_status list_documents(struct store *store, const char *collection, const char *path,
                                 struct store_list *out, rag_error *error)
{
    size_t size = path ? strlen(path) : 0;
    while (size && path[size - 1] == '/')
        size--;
    struct buf low = BUF_INIT(SIZE_MAX), high = BUF_INIT(SIZE_MAX);
    sqlite3_stmt *statement = NULL;
    rag_status status = RAG_OK;
    if (!buf_append(&low, path ? path : "", size) || !buf_append(&high, low.data, size) ||
        !buf_append_char(&low, '/') || !buf_append_char(&high, '0')) {
        status = fail_memory(error);
        goto out;
    }
    const char *name = collection_name(collection);
    status =
        db_prepare(store, &statement,
                   path ? "SELECT hash, size, modified, metadata_hash, path FROM documents "
                          "WHERE collection=" COLLECTION_ID
                          " AND (path=? OR (path>=? AND path<?)) ORDER BY path"
                        : "SELECT hash, size, modified, metadata_hash, path FROM documents "
                          "WHERE collection=" COLLECTION_ID " ORDER BY path",
                   error);
    if (!status && path)
        status = db_bind(store, statement, error, "tsss", name, (const void *)path, size,
                         (const void *)low.data, low.size, (const void *)high.data, high.size);
    else if (!status)
        status = db_bind(store, statement, error, "t", name);
    if (!status)
        status = list_rows(store, statement, out, error);
out:
    db_finish(store, statement);
    buf_release(&low);
    buf_release(&high);
    return status;
}

rag_status store_list_documents(struct store *store, const char *collection, const char *path,
                                struct store_list *out, rag_error *error)
{
    *out = (struct store_list){0};
    store_lock(store);
    rag_status status = db_begin(store, DB_READ, error);
    if (!status)
        status = db_end(store, list_documents(store, collection, path, out, error), error);
    store_unlock(store);
    if (status)
        store_list_release(out);
    return status;
}

rag_status store_each_document(struct store *store, const char *collection, const char *path,
                               store_path_fn each, void *user, rag_error *error)
{
    struct store_list list;
    rag_status status = store_list_documents(store, collection, path, &list, error);
    for (size_t i = 0; !status && i < list.count; i++)
        if (each(list.items[i].path, user))
            break;
    if (!status)
        store_list_release(&list);
    return status;
}

/* ---- Touching ---- */

static rag_status touch(struct store *store, const char *collection,
                        const struct store_stamp *stamps, size_t count, rag_error *error)
{
    sqlite3_stmt *statement;
    int64_t id = 0;
    rag_status status = collection_find(store, collection, false, &id, error);
    if (status)
        return status;
    status = db_prepare(store, &statement,
                        "UPDATE documents SET size=?, modified=? WHERE collection=? AND path=?",
                        error);
    for (size_t i = 0; i < count && !status; i++)
        status = db_run(store, statement, error, "iiit", (int64_t)stamps[i].size,
                        stamps[i].modified, id, stamps[i].path);
    db_finish(store, statement);
    return status;
}

rag_status store_touch(struct store *store, const char *collection,
                       const struct store_stamp *stamps, size_t count, rag_error *error)
{
    if (!count)
        return RAG_OK;
    store_lock(store);
    rag_status status = db_begin(store, DB_WRITE, error);
    if (!status)
        status = db_end(store, touch(store, collection, stamps, count, error), error);
    store_unlock(store);
    return status;
}

/* ---- Metadata ---- */

static rag_status set_one(struct store *store, sqlite3_stmt *statement, int64_t collection,
                          const struct store_label *label, rag_error *error)
{
    struct hash hash;
    rag_status status = metadata_check(label->metadata, error);
    if (status)
        return fail_within(error, status, "%s", label->path);
    status = hash_bytes(label->metadata, strlen(label->metadata), &hash, error);
    return status
               ? status
               : db_run(store, statement, error, "tbit", label->metadata,
                        (const void *)hash.bytes, sizeof hash.bytes, collection, label->path);
}

/* It is a change of documents like any other, so it makes a generation. */
static rag_status set_metadata(struct store *store, const char *collection,
                               const struct store_label *labels, size_t count, rag_error *error)
{
    sqlite3_stmt *statement;
    int64_t id = 0;
    rag_status status = collection_find(store, collection, false, &id, error);
    if (status)
        return status;
    status = db_prepare(store, &statement,
                        "UPDATE documents SET metadata=?, metadata_hash=? "
                        "WHERE collection=? AND path=?",
                        error);
    for (size_t i = 0; i < count && !status; i++)
        status = set_one(store, statement, id, &labels[i], error);
    db_finish(store, statement);
    return status ? status : log_generation(store, error);
}

rag_status store_set_metadata(struct store *store, const char *collection,
                              const struct store_label *labels, size_t count, rag_error *error)
{
    if (!count)
        return RAG_OK;
    store_lock(store);
    rag_status status = db_begin(store, DB_WRITE, error);
    if (!status)
        status = db_end(store, set_metadata(store, collection, labels, count, error), error);
    store_unlock(store);
    return status;
}

/* ---- Moving ---- */

static rag_status move_one(struct store *store, sqlite3_stmt *statement, const char *collection,
                           int64_t id, struct store_move *move, rag_error *error)
{
    struct store_file known;
    bool replaced;
    rag_status status = find_document(store, collection, move->from, &known, error);
    if (status || !known.present || memcmp(&known.hash, &move->hash, sizeof move->hash) != 0)
        return status;
    status = remove_path(store, id, move->to, &replaced, error);
    if (!status)
        status = hidden_give_up(store, collection, move->to, 0, error);
    if (!status)
        status =
            db_run(store, statement, error, "tiit", move->to, move->modified, id, move->from);
    move->done = !status;
    return status;
}

static rag_status move_all(struct store *store, const char *collection,
                           struct store_move *moves, size_t count, rag_error *error)
{
    sqlite3_stmt *statement;
    int64_t id = 0;
    rag_status status = collection_find(store, collection, false, &id, error);
    if (!status)
        status = words_up_to_date(store, error); /* should any be removed */
    if (status)
        return status;
    status = db_prepare(store, &statement,
                        "UPDATE documents SET path=?, modified=? WHERE collection=? AND path=?",
                        error);
    for (size_t i = 0; i < count && !status; i++) {
        moves[i].done = false;
        status = move_one(store, statement, collection, id, &moves[i], error);
    }
    db_finish(store, statement);
    return status ? status : log_generation(store, error);
}

rag_status store_move(struct store *store, const char *collection, struct store_move *moves,
                      size_t count, rag_error *error)
{
    if (!count)
        return RAG_OK;
    store_lock(store);
    rag_status status = db_begin(store, DB_WRITE, error);
    if (!status)
        status = db_end(store, move_all(store, collection, moves, count, error), error);
    store_unlock(store);
    if (!status)
        hidden_sweep(store);
    return status;
}
