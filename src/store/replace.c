/* One file in the place of another, by SQLite's backup (sqlite.org/c3ref/backup_finish.html):
 * it writes all pages of the one over those of the other, in a transaction of the other, so
 * that every connection to it, here and in other processes, sees either the old or the new
 * whole. */
#include "base/file.h"
#include "base/memory.h"
#include "store/hidden.h"

#include <stdio.h>
#include <string.h>

/* Ids of the old file, which callers may still hold, must mean nothing in the new one; and the
 * old one goes on giving ids while the new one is made. */
static const int64_t ID_DISTANCE = INT64_C(1) << 32;

enum { COPY_PAGES = 1 << 10 }; /* between two events */

char *store_next_path(const char *path)
{
    static const char ending[] = "-next";
    size_t size = strlen(path);
    char *next = malloc(size + sizeof ending);
    if (next)
        snprintf(next, size + sizeof ending, "%s%s", path, ending);
    return next;
}

/* ---- The state of a file ---- */

void store_state_release(struct store_state *state)
{
    for (size_t i = 0; i < state->count; i++) {
        free(state->contents[i].collection);
        free(state->contents[i].path);
    }
    free(state->contents);
    *state = (struct store_state){0};
}

enum { COLLECTION, PATH, SIZE, MODIFIED, TEXT_SIZE, HASH, FORMAT, TEXT_HASH, METADATA_HASH };

static rag_status hash_content(sqlite3_stmt *row, struct hash *out, rag_error *error)
{
    struct hasher *hasher;
    rag_status status = hasher_new(&hasher, error);
    if (status)
        return status;
    for (int column = HASH; column <= METADATA_HASH; column++) {
        rag_text value = db_column(row, column);
        hasher_update(hasher, value.size ? value.data : "", value.size);
        hasher_update(hasher, "", 1);
    }
    hasher_finish(hasher, out);
    return RAG_OK;
}

static rag_status add_content(struct store *store, struct store_state *state, sqlite3_stmt *row,
                              rag_error *error)
{
    rag_text hash = db_column(row, HASH);
    struct store_content content = {
        .size = (uint64_t)sqlite3_column_int64(row, SIZE),
        .modified = sqlite3_column_int64(row, MODIFIED),
        .text_size = (uint64_t)sqlite3_column_int64(row, TEXT_SIZE),
    };
    if (hash.size != sizeof content.hash.bytes)
        return fail_with(error, RAG_INDEX,
                         "%s: a document's hash has %zu bytes; `rag verify` lists what is "
                         "wrong",
                         store->path, hash.size);
    memcpy(content.hash.bytes, hash.data, hash.size);
    rag_status status = hash_content(row, &content.content, error);
    if (status)
        return status;
    content.collection = copy_column(row, COLLECTION);
    content.path = copy_column(row, PATH);
    if (!content.collection || !content.path ||
        !array_reserve(&state->contents, &state->capacity, state->count + 1,
                       sizeof *state->contents)) {
        free(content.collection);
        free(content.path);
        return fail_memory(error);
    }
    state->contents[state->count++] = content;
    return RAG_OK;
}

static rag_status read_contents(struct store *store, struct store_state *state,
                                rag_error *error)
{
    sqlite3_stmt *statement;
    rag_status status = db_prepare(
        store, &statement,
        "SELECT name, path, size, modified, (SELECT begin_byte+length(text) FROM texts "
        "WHERE document=documents.id ORDER BY begin_byte DESC LIMIT 1), hash, "
        "format, text_hash, metadata_hash FROM documents JOIN collections ON "
        "collections.id=documents.collection WHERE " DOCUMENT_IS_FOUND " ORDER BY name, path",
        error);
    while (!status) {
        bool row;
        status = db_step(store, statement, &row, error);
        if (status || !row)
            break;
        status = add_content(store, state, statement, error);
    }
    db_finish(store, statement);
    return status;
}

static rag_status read_state(struct store *store, struct store_state *state, rag_error *error)
{
    rag_status status = read_contents(store, state, error);
    if (!status)
        status = db_changes(store, &state->changes, error);
    if (!status)
        status =
            db_integer(store, "SELECT generation FROM state", 0, &state->generation, error);
    if (!status)
        status = db_integer(store, "SELECT seq FROM sqlite_sequence WHERE name='chunks'", 0,
                            &state->last_chunk, error);
    if (!status)
        status = db_integer(store, "SELECT seq FROM sqlite_sequence WHERE name='documents'", 0,
                            &state->last_document, error);
    return status;
}

rag_status store_get_state(struct store *store, struct store_state *out, rag_error *error)
{
    *out = (struct store_state){0};
    store_lock(store);
    rag_status status = db_begin(store, DB_READ, error);
    if (!status)
        status = db_end(store, read_state(store, out, error), error);
    store_unlock(store);
    if (status)
        store_state_release(out);
    return status;
}

/* ---- Making ready ---- */

static rag_status set_sequence(struct store *store, const char *table, int64_t last,
                               rag_error *error)
{
    sqlite3_stmt *statement;
    rag_status status =
        db_prepare(store, &statement, "DELETE FROM sqlite_sequence WHERE name=?", error);
    if (!status)
        status = db_run(store, statement, error, "t", table);
    db_finish(store, statement);
    if (status)
        return status;
    status = db_prepare(store, &statement, "INSERT INTO sqlite_sequence VALUES(?, ?)", error);
    if (!status)
        status = db_run(store, statement, error, "ti", table, last + ID_DISTANCE);
    db_finish(store, statement);
    return status;
}

rag_status store_begin_behind(struct store *store, const struct store_state *state,
                              rag_error *error)
{
    store_lock(store);
    rag_status status = db_begin(store, DB_WRITE, error);
    if (!status) {
        status = set_sequence(store, "chunks", state->last_chunk, error);
        if (!status)
            status = set_sequence(store, "documents", state->last_document, error);
        status = db_end(store, status, error);
    }
    store_unlock(store);
    return status;
}

/* Whoever keeps something of an older generation finds no log that leads to this one, and no
 * mark of his. */
static rag_status set_generation(struct store *store, int64_t before, rag_error *error)
{
    sqlite3_stmt *statement;
    rag_status status =
        db_execute(store, "DELETE FROM removals; DELETE FROM generations", error);
    if (!status)
        status = db_prepare(store, &statement, "UPDATE state SET generation=?", error);
    if (!status) {
        status = db_run(store, statement, error, "i", before);
        db_finish(store, statement);
    }
    if (!status)
        status = log_generation(store, error);
    return status ? status
                  : db_execute(store, "UPDATE state SET removals_from=generation", error);
}

static rag_status begin_generation(struct store *store, int64_t before, rag_error *error)
{
    rag_status status = db_begin(store, DB_WRITE, error);
    return status ? status : db_end(store, set_generation(store, before, error), error);
}

/* ---- Copying ---- */

static rag_status copy_all(struct store *store, sqlite3_backup *backup,
                           const struct events *events, rag_error *error)
{
    int code;
    do {
        code = sqlite3_backup_step(backup, COPY_PAGES);
        uint64_t total = (uint64_t)sqlite3_backup_pagecount(backup);
        uint64_t left = (uint64_t)sqlite3_backup_remaining(backup);
        if (event_progress(events, "switching over", "pages", total - left, total, NULL))
            continue; /* what is almost done is done */
    } while (code == SQLITE_OK);
    return code == SQLITE_DONE
               ? RAG_OK
               : fail_with(error, RAG_INDEX, "%s: switching over failed (SQLite: %s)",
                           store->path, sqlite3_errstr(code));
}

/* The first step takes the exclusive lock; it copies nothing. */
static rag_status lock_and_copy(struct store *store, sqlite3_backup *backup,
                                const struct store_state *state, const struct events *events,
                                bool *stale, rag_error *error)
{
    int code = sqlite3_backup_step(backup, 0);
    if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
        return fail_with(error, RAG_INDEX_BUSY,
                         "%s: other processes use it all the time; do this again when they are "
                         "done, and it goes on from here",
                         store->path);
    if (code != SQLITE_OK)
        return fail_with(error, RAG_INDEX, "%s: it cannot be locked (SQLite: %s)", store->path,
                         sqlite3_errstr(code));
    uint32_t changes;
    rag_status status = db_changes(store, &changes, error);
    *stale = !status && changes != state->changes;
    return status || *stale ? status : copy_all(store, backup, events, error);
}

static rag_status replace(struct store *store, struct store *source,
                          const struct store_state *state, const struct events *events,
                          bool *stale, rag_error *error)
{
    sqlite3_backup *backup = sqlite3_backup_init(store->db, "main", source->db, "main");
    if (!backup)
        return db_fail(store, error);
    rag_status status = lock_and_copy(store, backup, state, events, stale, error);
    int code = sqlite3_backup_finish(backup); /* commits, or rolls back what was begun */
    if (!status && !*stale && code != SQLITE_OK)
        status = db_fail(store, error);
    store->views = 0;
    store->checked = false;
    return status;
}

rag_status store_write_over(struct store *store, struct store *source,
                            const struct store_state *state, const struct events *events,
                            bool *stale, rag_error *error)
{
    rag_error trouble;
    *stale = false;
    store_lock(source);
    store_lock(store);
    rag_status status = begin_generation(source, state->generation, error);
    /* Pages leave memory in the middle of it, whatever the size of the index. */
    if (!status)
        status = db_execute(store, "PRAGMA cache_spill=ON", error);
    if (!status)
        status = replace(store, source, state, events, stale, error);
    rag_status restored = db_execute(store, "PRAGMA cache_spill=OFF", &trouble);
    if (!status && restored)
        status = fail_with(error, restored, "%s", trouble.message);
    store_unlock(store);
    store_unlock(source);
    return status;
}
