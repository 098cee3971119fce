/* The connection: opening, locking, transactions, errors. docs/format.md says what each
 * setting here is for.
 *
 * Rollback journal, not WAL: SQLite 3.7.0 to 3.51.2 (Debian 12 has 3.40.1) can lose pages in
 * WAL mode when one connection commits while another checkpoints (sqlite.org/wal.html,
 * "WAL-reset bug"), which is what several processes on one index do. It also leaves one file
 * at rest and works on read-only media. Readers and the writer work side by side; only the
 * moment of a commit waits for readers, and they for it. */
#include "store/sqlite.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "store/damaged.h"
#include "store/header.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EMPTY_INDEX "%s: %s; make an index with `rag index PATH...`"

enum { PAGE_SIZE = 16384 }; /* ten vectors of 384 to a page, 6 % of it empty; 4096: 25 % */

void store_lock(struct store *store)
{
    pthread_mutex_lock(&store->lock);
}

void store_unlock(struct store *store)
{
    pthread_mutex_unlock(&store->lock);
}

static rag_status fail_corrupt(struct store *store, rag_error *error)
{
    return fail_with(error, RAG_INDEX,
                     "%s: the file is damaged (SQLite: %s); `rag verify` lists what is wrong: "
                     "restore it from a copy, or remove it and index again",
                     store->path, sqlite3_errmsg(store->db));
}

static rag_status fail_readonly(struct store *store, int extended, rag_error *error)
{
    if (extended == SQLITE_READONLY_ROLLBACK || extended == SQLITE_READONLY_RECOVERY)
        return fail_with(error, RAG_INDEX,
                         "%s: a write to it was interrupted and must be undone first; open it "
                         "once with permission to write",
                         store->path);
    return fail_with(error, RAG_INDEX,
                     "%s: no permission to write to it or to its folder; nothing was changed",
                     store->path);
}

rag_status db_fail(struct store *store, rag_error *error)
{
    int extended = sqlite3_extended_errcode(store->db);
    switch (extended & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return fail_with(error, RAG_INDEX_BUSY,
                         "%s: another process is using this index and did not finish in time; "
                         "try again when it is done",
                         store->path);
    case SQLITE_NOMEM:
        return fail_memory(error);
    case SQLITE_FULL:
        return fail_with(error, RAG_INDEX,
                         "%s: the disk is full; what was being written was undone: make room "
                         "and go on",
                         store->path);
    case SQLITE_READONLY:
        return fail_readonly(store, extended, error);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return fail_corrupt(store, error);
    case SQLITE_CANTOPEN:
        return fail_with(error, RAG_INDEX,
                         "%s: it, or its journal beside it, cannot be opened (%s); is its "
                         "folder there, and may you read and write it?",
                         store->path, strerror(sqlite3_system_errno(store->db)));
    case SQLITE_IOERR:
        return fail_with(error, RAG_INDEX, "%s: reading or writing failed (%s, code %d)",
                         store->path, strerror(sqlite3_system_errno(store->db)), extended);
    default:
        return fail_with(error, RAG_INDEX, "%s: SQLite: %s (code %d)", store->path,
                         sqlite3_errmsg(store->db), extended);
    }
}

rag_status db_execute(struct store *store, const char *sql, rag_error *error)
{
    if (sqlite3_exec(store->db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return db_fail(store, error);
    return RAG_OK;
}

rag_status db_prepare(struct store *store, sqlite3_stmt **statement, const char *sql,
                      rag_error *error)
{
    *statement = prepared_take(&store->prepared, sql);
    if (*statement)
        return RAG_OK;
    if (sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_PERSISTENT, statement, NULL) !=
        SQLITE_OK)
        return db_fail(store, error);
    prepared_note(&store->prepared, sql, *statement);
    return RAG_OK;
}

void db_finish(struct store *store, sqlite3_stmt *statement)
{
    if (statement)
        prepared_give(&store->prepared, statement);
}

static int bind_bytes(sqlite3_stmt *statement, int i, char type, va_list *arguments)
{
    const void *data = va_arg(*arguments, const void *);
    size_t size = va_arg(*arguments, size_t);
    if (!data)
        data = ""; /* a NULL pointer would bind NULL, not the empty value */
    if (type == 's')
        return sqlite3_bind_text64(statement, i, data, size, SQLITE_STATIC, SQLITE_UTF8);
    return sqlite3_bind_blob64(statement, i, data, size, SQLITE_STATIC);
}

static rag_status bind_list(struct store *store, sqlite3_stmt *statement, rag_error *error,
                            const char *types, va_list *arguments)
{
    int code = SQLITE_OK;
    for (int i = 1; types[i - 1] && code == SQLITE_OK; i++) {
        switch (types[i - 1]) {
        case 'i':
            code = sqlite3_bind_int64(statement, i, va_arg(*arguments, int64_t));
            break;
        case 't':
            code = sqlite3_bind_text(statement, i, va_arg(*arguments, const char *), -1,
                                     SQLITE_STATIC);
            break;
        default:
            code = bind_bytes(statement, i, types[i - 1], arguments);
        }
    }
    return code == SQLITE_OK ? RAG_OK : db_fail(store, error);
}

rag_status db_bind(struct store *store, sqlite3_stmt *statement, rag_error *error,
                   const char *types, ...)
{
    va_list arguments;
    va_start(arguments, types);
    rag_status status = bind_list(store, statement, error, types, &arguments);
    va_end(arguments);
    return status;
}

rag_status db_step(struct store *store, sqlite3_stmt *statement, bool *row, rag_error *error)
{
    int code = sqlite3_step(statement);
    *row = code == SQLITE_ROW;
    return code == SQLITE_ROW || code == SQLITE_DONE ? RAG_OK : db_fail(store, error);
}

rag_status db_run(struct store *store, sqlite3_stmt *statement, rag_error *error,
                  const char *types, ...)
{
    va_list arguments;
    va_start(arguments, types);
    rag_status status = bind_list(store, statement, error, types, &arguments);
    va_end(arguments);
    bool row;
    if (!status)
        status = db_step(store, statement, &row, error);
    sqlite3_reset(statement); /* repeats the error that is already reported */
    return status;
}

rag_status db_integer(struct store *store, const char *sql, int64_t fallback, int64_t *value,
                      rag_error *error)
{
    *value = fallback;
    sqlite3_stmt *statement;
    bool row = false;
    rag_status status = db_prepare(store, &statement, sql, error);
    if (!status)
        status = db_step(store, statement, &row, error);
    if (!status && row)
        *value = sqlite3_column_int64(statement, 0);
    db_finish(store, statement);
    return status;
}

rag_status db_begin(struct store *store, enum db_access access, rag_error *error)
{
    for (;;) {
        rag_status status =
            db_execute(store, access == DB_WRITE ? "BEGIN IMMEDIATE" : "BEGIN", error);
        if (status)
            return status;
        status = schema_version(store, &store->version, error);
        bool upgrade = access == DB_WRITE && store->version < SCHEMA_VERSION;
        if (!status && !upgrade)
            status = schema_read_older(store, error);
        if (status)
            return db_end(store, status, error);
        if (!upgrade) {
            status = recipe_check(store, error);
            return status ? db_end(store, status, error) : RAG_OK;
        }
        /* References are to be checked again in the transaction that is asked for, and
         * SQLite heeds that switch outside of transactions only. */
        status = db_execute(store, "ROLLBACK", error);
        if (!status)
            status = schema_upgrade(store, error);
        if (status)
            return status;
    }
}

rag_status db_changes(struct store *store, uint32_t *changes, rag_error *error)
{
    enum { COUNTER_AT = 24 };
    sqlite3_file *file = NULL;
    unsigned char bytes[4];
    if (sqlite3_file_control(store->db, "main", SQLITE_FCNTL_FILE_POINTER, &file) !=
            SQLITE_OK ||
        !file || !file->pMethods ||
        file->pMethods->xRead(file, bytes, sizeof bytes, COUNTER_AT) != SQLITE_OK)
        return fail_with(error, RAG_INDEX, "%s: its header cannot be read", store->path);
    *changes = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
               bytes[3];
    return RAG_OK;
}

rag_status db_end(struct store *store, rag_status status, rag_error *error)
{
    if (!status)
        status = db_execute(store, "COMMIT", error);
    /* A failed statement may have rolled back already: then this one fails, rightly. */
    if (status && !sqlite3_get_autocommit(store->db))
        (void)sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    if (status)
        store->views = 0; /* made or dropped in it, they are not or are again */
    return status;
}

rag_text db_column(sqlite3_stmt *statement, int column)
{
    const char *data = sqlite3_column_blob(statement, column);
    return (rag_text){data, (size_t)sqlite3_column_bytes(statement, column)};
}

/* ---- Opening ---- */

/* Whether there is an index, or room for one; nothing is written. */
static rag_status judge_file(const char *path, bool create, bool *empty, rag_error *error)
{
    if (path_is_directory(path))
        return fail_with(error, RAG_INDEX, "%s: a folder, not an index; name a file in it",
                         path);
    unsigned char header[SCHEMA_HEADER_SIZE];
    uint64_t size;
    bool missing;
    rag_status status = header_read(path, header, &size, &missing, error);
    if (status)
        return status;
    enum schema_kind kind = SCHEMA_EMPTY;
    if (!missing && !header_is_of_a_creation(path))
        status = schema_judge_header(path, header, size, &kind, error);
    *empty = kind == SCHEMA_EMPTY;
    if (!status && *empty && !create)
        return fail_with(error, RAG_INDEX, EMPTY_INDEX, path,
                         missing ? "there is no index" : "the file is empty");
    return status;
}

/* Makes the tables where there are none: in a new file, and in one whose creation was
 * interrupted and has just been undone by SQLite. */
static rag_status create_or_check(struct store *store, bool create, rag_error *error)
{
    int64_t objects = 0;
    rag_status status =
        db_integer(store, "SELECT count(*) FROM sqlite_schema", 0, &objects, error);
    if (!status && !objects && !create)
        return fail_with(error, RAG_INDEX, EMPTY_INDEX, store->path, "the file is empty");
    if (!status && !objects)
        status = schema_create(store, error);
    if (!status)
        status = schema_check(store, error);
    return status;
}

/* While the index is switched over to NAME.rag-next, its lock is held as long as copying takes.
 */
static bool is_switched_over(const struct store *store)
{
    char *next = store_next_path(store->path);
    bool there = next && path_is_file(next);
    free(next);
    return there;
}

/* SQLite's busy handler: nonzero, try again. */
static int wait_for_others(void *user, int attempts)
{
    static const unsigned char waits[] = {1, 2, 5, 10, 15, 20, 25, 25, 25, 50, 50, 100};
    enum { WAITS = sizeof waits, SWITCH_SECONDS = 600 };
    struct store *store = user;
    double now = clock_seconds(), patience = store->patience / 1e3;
    if (attempts == 0)
        store->busy_since = now;
    double waited = now - store->busy_since;
    if (waited >= patience &&
        (!store->patience || waited >= SWITCH_SECONDS || !is_switched_over(store)))
        return 0;
    struct timespec pause = {.tv_nsec =
                                 waits[attempts < WAITS ? attempts : WAITS - 1] * 1000000L};
    nanosleep(&pause, NULL);
    return 1;
}

static rag_status configure(struct store *store, rag_error *error)
{
    sqlite3 *db = store->db;
    store->patience = STORE_BUSY_MILLISECONDS;
    sqlite3_busy_handler(db, wait_for_others, store);
    bool set = true;
    static const int switches[][2] = {
        {SQLITE_DBCONFIG_DEFENSIVE, 1},      {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
        {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0}, {SQLITE_DBCONFIG_DQS_DML, 0},
        {SQLITE_DBCONFIG_DQS_DDL, 0},        {SQLITE_DBCONFIG_ENABLE_FKEY, 1},
    };
    for (size_t i = 0; i < sizeof switches / sizeof *switches; i++)
        set &= sqlite3_db_config(db, switches[i][0], switches[i][1], NULL) == SQLITE_OK;
    if (!set)
        return fail_with(error, RAG_INTERNAL, "this SQLite (%s) is too old",
                         sqlite3_libversion());
    sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_limit(db, SQLITE_LIMIT_WORKER_THREADS, 0);
    char pragmas[256];
    sqlite3_snprintf(sizeof pragmas, pragmas,
                     "PRAGMA page_size=%d; PRAGMA synchronous=EXTRA; PRAGMA cache_spill=OFF; "
                     "PRAGMA cell_size_check=ON; PRAGMA mmap_size=0; PRAGMA cache_size=-65536; "
                     "PRAGMA temp_store=MEMORY",
                     PAGE_SIZE);
    return db_execute(store, pragmas, error);
}

/* How much of a file must be sound to be opened. */
enum soundness { ANY_STATE, SOUND };

static rag_status open_file(struct store *store, bool create, enum soundness soundness,
                            rag_error *error)
{
    bool empty = true;
    rag_status status = judge_file(store->path, create, &empty, error);
    if (status)
        return status;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    if (empty)
        flags |= SQLITE_OPEN_CREATE;
    if (sqlite3_open_v2(store->path, &store->db, flags, NULL) != SQLITE_OK)
        return store->db ? db_fail(store, error) : fail_memory(error);
    status = configure(store, error);
    if (!status)
        status = lexical_attach(store->db, &store->lexical, error);
    if (!status)
        status = soundness == SOUND ? create_or_check(store, create, error) : RAG_OK;
    store->writable = sqlite3_db_readonly(store->db, "main") == 0;
    return status;
}

static rag_status open_store(const char *path, bool create, enum soundness soundness,
                             struct store **out, rag_error *error)
{
    *out = NULL;
    struct store *store = calloc(1, sizeof *store);
    if (!store)
        return fail_memory(error);
    store->views = SCHEMA_VERSION; /* a new connection has none */
    dense_init(&store->dense);
    if (pthread_mutex_init(&store->lock, NULL) != 0) {
        free(store);
        return fail_memory(error);
    }
    rag_status status = path_absolute(path, &store->path, error);
    if (!status)
        status = open_file(store, create, soundness, error);
    if (status)
        store_close(store);
    else
        *out = store;
    return status;
}

rag_status store_open(const char *path, bool create, struct store **out, rag_error *error)
{
    return open_store(path, create, SOUND, out, error);
}

rag_status store_open_damaged(const char *path, struct store **out, rag_error *error)
{
    return open_store(path, false, ANY_STATE, out, error);
}

void store_close(struct store *store)
{
    if (!store)
        return;
    dense_release(&store->dense);
    prepared_release(&store->prepared);
    sqlite3_close(store->db);
    lexical_free(store->lexical);
    filter_cache_release(&store->filter);
    pthread_mutex_destroy(&store->lock);
    free(store->path);
    free(store);
}

void store_set_patience(struct store *store, unsigned milliseconds)
{
    store_lock(store);
    store->patience = milliseconds;
    store_unlock(store);
}

rag_status store_set_volatile(struct store *store, rag_error *error)
{
    store_lock(store);
    rag_status status = db_execute(store, "PRAGMA synchronous=OFF", error);
    store_unlock(store);
    return status;
}
