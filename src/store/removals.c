/* The log of what went out, for those who keep vectors in memory: with the chunks behind the
 * last that they know and with this they need not read the others again. */
#include "store/sqlite.h"

/* Rows of the log, of some 20 bytes each; past it the older half goes. Who has slept longer
 * reads all vectors anew. */
enum { REMOVALS_MAX = 1 << 14 };

/* Generations whose marks are kept, of some 15 bytes each. */
enum { MARKS_MAX = 1 << 14 };

rag_status log_removal(struct store *store, int64_t document, rag_error *error)
{
    sqlite3_stmt *statement;
    rag_status status = db_prepare(store, &statement,
                                   "INSERT INTO removals SELECT (SELECT generation+1 FROM "
                                   "state), min(id), max(id) FROM chunks WHERE document=? "
                                   "GROUP BY document",
                                   error);
    if (!status)
        status = db_run(store, statement, error, "i", document);
    db_finish(store, statement);
    return status;
}

/* What is left is complete from a generation on: one that is cut goes as a whole. */
static rag_status prune(struct store *store, rag_error *error)
{
    int64_t rows = 0;
    char middle[128];
    rag_status status = db_integer(store,
                                   "SELECT (SELECT max(rowid) FROM removals) - "
                                   "(SELECT min(rowid) FROM removals) + 1",
                                   0, &rows, error);
    if (status || rows <= REMOVALS_MAX)
        return status;
    sqlite3_snprintf(sizeof middle, middle,
                     "UPDATE state SET removals_from=(SELECT generation "
                     "FROM removals ORDER BY rowid LIMIT 1 OFFSET %d)",
                     (int)(rows / 2));
    status = db_execute(store, middle, error);
    if (!status)
        status = db_execute(store,
                            "DELETE FROM removals WHERE generation<="
                            "(SELECT removals_from FROM state)",
                            error);
    return status;
}

/* Two files that were one may each go on to the same generation; their marks differ. */
static rag_status mark_generation(struct store *store, rag_error *error)
{
    char prune_marks[128];
    sqlite3_snprintf(
        sizeof prune_marks, prune_marks,
        "DELETE FROM generations WHERE generation<=(SELECT generation FROM state)-%d",
        MARKS_MAX);
    rag_status status = db_execute(
        store, "INSERT OR REPLACE INTO generations SELECT generation, random() FROM state",
        error);
    return status ? status : db_execute(store, prune_marks, error);
}

rag_status log_generation(struct store *store, rag_error *error)
{
    rag_status status = db_execute(store, "UPDATE state SET generation=generation+1", error);
    if (!status)
        status = mark_generation(store, error);
    return status ? status : prune(store, error);
}
