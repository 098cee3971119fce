/* The check of a whole file: SQLite's own, then what each table promises (docs/format.md). */
#include "store/verify.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void verification_report(struct verification *v, enum store_problem_kind kind, int64_t chunk,
                         const char *format, ...)
{
    char sentence[1024];
    int prefix = 0;
    va_list arguments;
    v->problems++;
    if (!v->on_problem)
        return;
    if (v->path)
        prefix =
            snprintf(sentence, sizeof sentence, "%.*s: ", (int)sizeof sentence / 2, v->path);
    va_start(arguments, format);
    vsnprintf(sentence + prefix, sizeof sentence - (size_t)prefix, format, arguments);
    va_end(arguments);
    struct store_problem problem = {.kind = kind,
                                    .document = v->document,
                                    .chunk = chunk,
                                    .collection = v->collection,
                                    .path = v->path,
                                    .sentence = sentence};
    v->on_problem(&problem, v->user);
}

rag_status verification_absorb(struct verification *v, rag_status status,
                               enum store_problem_kind kind, const char *what, rag_error *error)
{
    int code = sqlite3_errcode(v->store->db) & 0xff;
    if (!status || v->stopped ||
        (code != SQLITE_CORRUPT && code != SQLITE_NOTADB && code != SQLITE_ERROR))
        return status;
    if (error)
        *error = (rag_error){0};
    verification_report(v, kind, 0, "%s cannot be read to the end: %s", what,
                        sqlite3_errmsg(v->store->db));
    return RAG_OK;
}

/* ---- SQLite's own checks ---- */

/* SQLite tells in words whether an index over a table is wrong or the table itself. */
static enum store_problem_kind page_problem(const char *text)
{
    if (strstr(text, "FTS5"))
        return STORE_PROBLEM_WORDS;
    bool index = strstr(text, "missing from index") || strstr(text, "entries in index") ||
                 strstr(text, "unique entry in index");
    return index ? STORE_PROBLEM_INDEXES : STORE_PROBLEM_PAGES;
}

static rag_status check_pages(struct verification *v, rag_error *error)
{
    sqlite3_stmt *statement;
    rag_status status = db_prepare(v->store, &statement, "PRAGMA integrity_check(100)", error);
    while (!status) {
        bool row;
        status = db_step(v->store, statement, &row, error);
        if (status || !row)
            break;
        const char *text = (const char *)sqlite3_column_text(statement, 0);
        if (!text || strcmp(text, "ok") != 0)
            verification_report(v, page_problem(text ? text : ""), 0, "SQLite: %s",
                                text ? text : "out of memory");
    }
    status = verification_absorb(v, status, STORE_PROBLEM_PAGES, "the file", error);
    db_finish(v->store, statement);
    return status;
}

static rag_status check_references(struct verification *v, rag_error *error)
{
    sqlite3_stmt *statement;
    rag_status status = db_prepare(v->store, &statement, "PRAGMA foreign_key_check", error);
    while (!status) {
        bool row;
        status = db_step(v->store, statement, &row, error);
        if (status || !row)
            break;
        verification_report(v, STORE_PROBLEM_REFERENCES, 0,
                            "row %lld of %s belongs to a row of %s that is not there",
                            (long long)sqlite3_column_int64(statement, 1),
                            sqlite3_column_text(statement, 0),
                            sqlite3_column_text(statement, 2));
    }
    status = verification_absorb(v, status, STORE_PROBLEM_PAGES,
                                 "the references between tables", error);
    db_finish(v->store, statement);
    return status;
}

/* ---- Recipe ---- */

static rag_status check_recipe(struct verification *v, rag_error *error)
{
    int64_t documents = 0, states = 0;
    rag_status status = recipe_read(v->store, &v->recipe, &v->has_recipe, error);
    if (status == RAG_INDEX) {
        verification_report(v, STORE_PROBLEM_RECIPE, 0,
                            "the recipe (model, dimension, chunker) makes no sense");
        v->has_recipe = false;
        status = RAG_OK;
    } else if (!status) {
        status = db_integer(v->store, "SELECT count(*) FROM documents", 0, &documents, error);
        if (!status && documents && !v->has_recipe)
            verification_report(v, STORE_PROBLEM_RECIPE, 0,
                                "there are documents, but no recipe (model, dimension, "
                                "chunker) that they were made with");
    }
    if (!status)
        status = db_integer(v->store, "SELECT count(*) FROM state", 0, &states, error);
    if (!status && states != 1)
        verification_report(v, STORE_PROBLEM_STATE, 0,
                            "the table \"state\" has %lld rows instead of one",
                            (long long)states);
    return verification_absorb(v, status, STORE_PROBLEM_RECIPE, "the recipe", error);
}

/* ---- What nobody finds ---- */

static rag_status check_hidden(struct verification *v, rag_error *error)
{
    int64_t wrong = 0;
    rag_status status = db_integer(
        v->store,
        "SELECT count(*) FROM documents JOIN collections ON collections.id=collection "
        "WHERE (name='" COLLECTION_HIDDEN "')<>(documents.id IN (SELECT document FROM "
        "unfinished))",
        0, &wrong, error);
    if (!status && wrong)
        verification_report(v, STORE_PROBLEM_DOCUMENT, 0,
                            "%lld documents are hidden and not unfinished, or the other way "
                            "round",
                            (long long)wrong);
    return verification_absorb(v, status, STORE_PROBLEM_DOCUMENT, "what is unfinished", error);
}

/* ---- Ids ---- */

/* An id that was given is never given again, which hangs on these numbers. */
static rag_status check_ids(struct verification *v, rag_error *error)
{
    static const char *const tables[] = {"documents", "chunks"};
    rag_status status = RAG_OK;
    for (size_t i = 0; i < 2 && !status; i++) {
        char sql[160];
        int64_t behind = 0;
        sqlite3_snprintf(sizeof sql, sql,
                         "SELECT coalesce((SELECT max(id) FROM main.%s), 0) > coalesce((SELECT "
                         "max(seq) FROM sqlite_sequence WHERE name='%s'), 0)",
                         tables[i], tables[i]);
        status = db_integer(v->store, sql, 0, &behind, error);
        if (!status && behind)
            verification_report(v, STORE_PROBLEM_STATE, 0,
                                "the ids of %s would be given a second time", tables[i]);
    }
    return verification_absorb(v, status, STORE_PROBLEM_STATE, "the numbers of ids", error);
}

/* ---- The log of removals ---- */

static rag_status check_removals(struct verification *v, rag_error *error)
{
    int64_t wrong = 0;
    rag_status status = db_integer(
        v->store,
        "SELECT count(*) FROM removals, state WHERE removals.generation<=removals_from OR "
        "removals.generation>state.generation OR first_chunk<1 OR last_chunk<first_chunk",
        0, &wrong, error);
    if (!status && !wrong)
        status = db_integer(v->store,
                            "SELECT count(*) FROM state WHERE removals_from>generation OR "
                            "removals_from<0",
                            0, &wrong, error);
    if (!status && !wrong)
        status = db_integer(v->store,
                            "SELECT count(*) FROM generations, state WHERE "
                            "generations.generation>state.generation",
                            0, &wrong, error);
    if (!status && wrong)
        verification_report(v, STORE_PROBLEM_REMOVALS, 0,
                            "the log of removals does not fit the index's generation");
    return verification_absorb(v, status, STORE_PROBLEM_REMOVALS, "the log of removals", error);
}

/* ---- The cache of vectors ---- */

/* Damaged vectors were named already. */
static rag_status check_cache(struct verification *v, rag_error *error)
{
    bool known = false;
    uint64_t wrong = 0;
    if (!v->has_recipe || v->problems)
        return RAG_OK;
    rag_status status = vector_cache_verify(v->store, &known, &wrong, error);
    if (!status && known && wrong)
        verification_report(
            v, STORE_PROBLEM_CACHE, 0,
            "%llu rows of the cache of vectors beside the file are not those of "
            "their vectors; remove %s-cache, and it is made anew",
            (unsigned long long)wrong, v->store->path);
    return verification_absorb(v, status, STORE_PROBLEM_CACHE, "the cache of vectors", error);
}

/* ---- The whole ---- */

static rag_status check_words(struct verification *v, rag_error *error)
{
    struct hash now;
    rag_status status = lexical_is_current(v->store, &now, &v->current_words, error);
    if (status)
        return verification_absorb(v, status, STORE_PROBLEM_WORDS, "the lexical index", error);
    if (v->current_words)
        return verify_words_compare(v, error);
    verification_report(v, STORE_PROBLEM_WORDS, 0,
                        "the lexical index was filled by another version of rag, and words "
                        "may be missed; the next change to the index fills it anew");
    return RAG_OK;
}

static rag_status check_all(struct verification *v, rag_error *error)
{
    rag_status status = check_pages(v, error);
    if (!status)
        status = check_references(v, error);
    if (!status)
        status = check_recipe(v, error);
    if (!status)
        status = verify_documents(v, error);
    if (!status)
        status = check_hidden(v, error);
    if (!status)
        status = check_ids(v, error);
    if (!status)
        status = check_removals(v, error);
    if (!status)
        status = check_cache(v, error);
    if (!status)
        status = verify_postings_compare(v, error);
    if (!status)
        status = check_words(v, error);
    return status;
}

/* FTS5 compares its pages with each other and with the text. It can only be asked by a
 * statement that writes, although nothing is written. */
static rag_status check_fts(struct verification *v, rag_error *error)
{
    struct store *store = v->store;
    if (!store->writable || !v->current_words)
        return RAG_OK;
    rag_status status =
        db_execute(store, "INSERT INTO words(words, rank) VALUES('integrity-check', 1)", error);
    if (status && (sqlite3_errcode(store->db) & 0xff) == SQLITE_CORRUPT) {
        verification_report(v, STORE_PROBLEM_WORDS, 0,
                            "the lexical index fails FTS5's own check");
        return RAG_OK;
    }
    return verification_absorb(v, status, STORE_PROBLEM_WORDS, "the lexical index", error);
}

/* Called by SQLite every so many steps of its machine; nonzero ends the statement. */
static int report_progress(void *user)
{
    struct verification *v = user;
    v->stopped = event_progress(v->events, "verifying", "documents", v->documents_done,
                                v->documents, NULL);
    return v->stopped;
}

rag_status store_verify(struct store *store, store_problem_fn on_problem, void *user,
                        const struct events *events, rag_error *error)
{
    enum { STEPS = 1 << 16 }; /* some milliseconds */
    struct verification v = {
        .store = store, .on_problem = on_problem, .user = user, .events = events};
    struct store_counts counts;
    rag_status status = store_count(store, &counts, error);
    v.documents = status ? 0 : counts.documents; /* a damaged file is for the check to tell */
    store_lock(store);
    sqlite3_progress_handler(store->db, STEPS, report_progress, &v);
    status = db_begin(store, DB_READ, error);
    if (!status)
        status = db_end(store, check_all(&v, error), error);
    if (!status)
        status = check_fts(&v, error);
    sqlite3_progress_handler(store->db, 0, NULL, NULL);
    store_unlock(store);
    if (v.stopped)
        status = fail_with(error, RAG_INTERRUPTED, "interrupted");
    free(v.sums);
    if (!status && v.problems)
        status = fail_with(error, RAG_INDEX,
                           "%s: %zu problem%s; `rag repair` mends what can be mended",
                           store->path, v.problems, v.problems == 1 ? "" : "s");
    return status;
}
