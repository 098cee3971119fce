/* The check of a whole file: SQLite's own, then what each table promises (docs/format.md). */
#include "store/verify.h"
#include "base/memory.h"
#include "text/utf8.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
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
    sqlite3_finalize(statement);
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
    sqlite3_finalize(statement);
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

/* ---- Documents ---- */

/* A document in hand. */
struct subject {
    rag_text text;
    uint32_t lines;
    size_t chunks;
    bool whole; /* nothing wrong so far with its chunks */
    int64_t first_chunk;
    struct hasher *hasher;
};

static void check_vector(struct verification *v, struct subject *subject, int64_t id,
                         const sqlite3_value *type, rag_text bytes, float *vector)
{
    if (sqlite3_value_type((sqlite3_value *)(uintptr_t)type) == SQLITE_NULL)
        verification_report(v, STORE_PROBLEM_VECTOR, id, "chunk %lld has no vector",
                            (long long)id);
    else if (!v->has_recipe)
        return;
    else if (bytes.size != v->recipe.dimension * sizeof(float))
        verification_report(v, STORE_PROBLEM_VECTOR, id,
                            "the vector of chunk %lld has %zu bytes instead of %zu",
                            (long long)id, bytes.size, v->recipe.dimension * sizeof(float));
    else {
        vector_from_file(bytes.data, v->recipe.dimension, vector);
        if (vector_is_unit(vector, v->recipe.dimension))
            return;
        verification_report(v, STORE_PROBLEM_VECTOR, id,
                            "the vector of chunk %lld is not finite with norm 1",
                            (long long)id);
    }
    subject->whole = false;
}

enum {
    CHUNK_ID,
    NUMBER,
    BEGIN,
    END,
    LINE,
    LAST_LINE,
    TOKENS,
    HASH,
    HEADING,
    VECTOR,
    WEIGHTS,
    HEADER_BEGIN,
    HEADER_END,
    PLACE,
};

static bool in_range(sqlite3_stmt *row, int column, int64_t low, int64_t high)
{
    int64_t value = sqlite3_column_int64(row, column);
    return value >= low && value <= high;
}

/* Reads the numbers of a chunk; false: one of them cannot be right. */
static bool read_chunk(sqlite3_stmt *row, const struct subject *subject,
                       struct store_chunk *chunk)
{
    rag_text hash = db_column(row, HASH);
    if (!in_range(row, BEGIN, 0, (int64_t)subject->text.size) ||
        !in_range(row, END, 0, (int64_t)subject->text.size) ||
        !in_range(row, LINE, 1, subject->lines) ||
        !in_range(row, LAST_LINE, 1, subject->lines) ||
        !in_range(row, HEADER_BEGIN, 0, (int64_t)subject->text.size) ||
        !in_range(row, HEADER_END, 0, (int64_t)subject->text.size) ||
        !in_range(row, TOKENS, 0, STORE_MAX_TEXT) || hash.size != sizeof chunk->hash.bytes)
        return false;
    chunk->begin = (size_t)sqlite3_column_int64(row, BEGIN);
    chunk->end = (size_t)sqlite3_column_int64(row, END);
    chunk->line = (uint32_t)sqlite3_column_int64(row, LINE);
    chunk->last_line = (uint32_t)sqlite3_column_int64(row, LAST_LINE);
    chunk->tokens = (size_t)sqlite3_column_int64(row, TOKENS);
    chunk->header_begin = (size_t)sqlite3_column_int64(row, HEADER_BEGIN);
    chunk->header_end = (size_t)sqlite3_column_int64(row, HEADER_END);
    memcpy(chunk->hash.bytes, hash.data, sizeof chunk->hash.bytes);
    return chunk_fits(chunk, subject->text);
}

static rag_status check_chunk(struct verification *v, struct subject *subject,
                              sqlite3_stmt *row, float *vector, rag_error *error)
{
    struct store_chunk chunk = {0};
    int64_t id = sqlite3_column_int64(row, CHUNK_ID);
    rag_text bytes = db_column(row, VECTOR), heading = db_column(row, HEADING);
    if (sqlite3_column_int64(row, NUMBER) != (int64_t)subject->chunks) {
        verification_report(v, STORE_PROBLEM_CHUNKS, 0, "its chunk %zu is missing",
                            subject->chunks);
        subject->whole = false;
    }
    if (id != subject->first_chunk + (int64_t)subject->chunks) {
        verification_report(v, STORE_PROBLEM_CHUNKS, id,
                            "its chunk %zu has the id %lld instead of %lld", subject->chunks,
                            (long long)id,
                            (long long)subject->first_chunk + (long long)subject->chunks);
        subject->whole = false;
    }
    subject->chunks++;
    check_vector(v, subject, id, sqlite3_column_value(row, VECTOR), bytes, vector);
    if (!read_chunk(row, subject, &chunk)) {
        verification_report(v, STORE_PROBLEM_CHUNKS, id,
                            "the place of chunk %lld (bytes %lld to %lld, lines %lld to "
                            "%lld) does not lie on the characters of the text",
                            (long long)id, (long long)sqlite3_column_int64(row, BEGIN),
                            (long long)sqlite3_column_int64(row, END),
                            (long long)sqlite3_column_int64(row, LINE),
                            (long long)sqlite3_column_int64(row, LAST_LINE));
        subject->whole = false;
        return RAG_OK;
    }
    chunk.weights = db_column(row, WEIGHTS);
    if (!verify_weights_expect(v, id, chunk.weights))
        verification_report(v, STORE_PROBLEM_VECTOR, id,
                            "the token weights of chunk %lld are damaged", (long long)id);
    chunk.heading = (const char *)sqlite3_column_text(row, HEADING);
    chunk.place = (const char *)sqlite3_column_text(row, PLACE);
    if (!chunk.heading || !chunk.place)
        return fail_memory(error);
    chunk_hash_update(subject->hasher, &chunk, bytes.data, bytes.size);
    rag_text text = {subject->text.size ? subject->text.data + chunk.begin : "",
                     chunk.end - chunk.begin};
    return verify_words_expect(v, id, heading, text, error);
}

static rag_status check_chunks(struct verification *v, struct subject *subject,
                               sqlite3_stmt *chunks, int64_t document, rag_error *error)
{
    float *vector = alloc_array(v->has_recipe ? v->recipe.dimension : 1, sizeof *vector);
    if (!vector)
        return fail_memory(error);
    sqlite3_reset(chunks);
    rag_status status = db_bind(v->store, chunks, error, "i", document);
    while (!status) {
        bool row;
        status = db_step(v->store, chunks, &row, error);
        if (status || !row)
            break;
        status = check_chunk(v, subject, chunks, vector, error);
    }
    free(vector);
    return status;
}

static bool equal_hash(rag_text stored, const struct hash *hash)
{
    return stored.size == sizeof hash->bytes &&
           memcmp(stored.data, hash->bytes, sizeof hash->bytes) == 0;
}

enum {
    DOCUMENT_ID,
    PATH,
    FILE_HASH,
    CHUNKS,
    CHUNKS_HASH,
    TEXT_HASH,
    TEXT,
    METADATA,
    METADATA_HASH,
    FIRST_CHUNK,
    COLLECTION,
};

static rag_status check_metadata(struct verification *v, sqlite3_stmt *row, rag_error *error)
{
    struct hash hash;
    rag_error why;
    rag_text bytes = db_column(row, METADATA);
    rag_status status = hash_bytes(bytes.data ? bytes.data : "", bytes.size, &hash, error);
    if (status)
        return status;
    /* The hash first: db_column's bytes have no NUL behind them, sqlite3_column_text's do. */
    bool same = equal_hash(db_column(row, METADATA_HASH), &hash);
    const char *text = (const char *)sqlite3_column_text(row, METADATA);
    if (!text)
        return fail_memory(error);
    if (!same)
        verification_report(v, STORE_PROBLEM_METADATA, 0,
                            "its metadata are not what was put in");
    if (strlen(text) != bytes.size)
        verification_report(v, STORE_PROBLEM_METADATA, 0, "its metadata hold a zero byte");
    else if (metadata_check(text, &why) == RAG_INPUT)
        verification_report(v, STORE_PROBLEM_METADATA, 0, "%s", why.message);
    return RAG_OK;
}

static rag_status check_text(struct verification *v, struct subject *subject, sqlite3_stmt *row,
                             rag_error *error)
{
    struct hash hash;
    rag_text path = db_column(row, PATH);
    subject->text = db_column(row, TEXT);
    if (!path.size || memchr(path.data, 0, path.size))
        verification_report(v, STORE_PROBLEM_DOCUMENT, 0, "its path is no path");
    if (sqlite3_column_type(row, TEXT) == SQLITE_NULL)
        verification_report(v, STORE_PROBLEM_TEXT, 0, "its text is missing");
    rag_status status = hash_bytes(subject->text.data ? subject->text.data : "",
                                   subject->text.size, &hash, error);
    if (status)
        return status;
    if (!equal_hash(db_column(row, TEXT_HASH), &hash))
        verification_report(v, STORE_PROBLEM_TEXT, 0, "its stored text is not what was put in");
    if (utf8_valid_prefix(subject->text.data, subject->text.size) != subject->text.size)
        verification_report(v, STORE_PROBLEM_TEXT, 0, "its stored text is not UTF-8");
    if (db_column(row, FILE_HASH).size != HASH_SIZE)
        verification_report(v, STORE_PROBLEM_DOCUMENT, 0, "the hash of its file has %zu bytes",
                            db_column(row, FILE_HASH).size);
    subject->lines = count_lines(subject->text);
    return RAG_OK;
}

static rag_status check_document(struct verification *v, sqlite3_stmt *row,
                                 sqlite3_stmt *chunks, rag_error *error)
{
    struct subject subject = {.whole = true,
                              .first_chunk = sqlite3_column_int64(row, FIRST_CHUNK)};
    struct hash hash;
    v->document = sqlite3_column_int64(row, DOCUMENT_ID);
    v->path = (const char *)sqlite3_column_text(row, PATH);
    v->collection = (const char *)sqlite3_column_text(row, COLLECTION);
    if (!v->path)
        return fail_memory(error);
    rag_status status = check_text(v, &subject, row, error);
    if (!status)
        status = check_metadata(v, row, error);
    if (!status)
        status = hasher_new(&subject.hasher, error);
    if (status)
        return status;
    status = check_chunks(v, &subject, chunks, sqlite3_column_int64(row, DOCUMENT_ID), error);
    hasher_finish(subject.hasher, &hash);
    if (status)
        return status;
    int64_t expected = sqlite3_column_int64(row, CHUNKS);
    if (expected != (int64_t)subject.chunks)
        verification_report(v, STORE_PROBLEM_CHUNKS, 0, "has %zu chunks instead of %lld",
                            subject.chunks, (long long)expected);
    else if (!expected && subject.first_chunk)
        verification_report(v, STORE_PROBLEM_CHUNKS, 0, "has no chunks, but a first one (%lld)",
                            (long long)subject.first_chunk);
    else if (subject.whole && !equal_hash(db_column(row, CHUNKS_HASH), &hash))
        verification_report(v, STORE_PROBLEM_CHUNKS, 0,
                            "its chunks or their vectors are not what was put in");
    return RAG_OK;
}

static rag_status check_documents(struct verification *v, rag_error *error)
{
    sqlite3_stmt *documents = NULL, *chunks = NULL;
    rag_status status = db_prepare(
        v->store, &documents,
        "SELECT documents.id, path, hash, chunks, chunks_hash, text_hash, text, metadata, "
        "metadata_hash, first_chunk, name FROM documents "
        "LEFT JOIN texts ON texts.document=documents.id "
        "LEFT JOIN collections ON collections.id=collection "
        "ORDER BY documents.id",
        error);
    if (!status)
        status = db_prepare(v->store, &chunks,
                            "SELECT id, number, begin_byte, end_byte, line, last_line, tokens, "
                            "hash, heading, vector, weights, " PLACE_COLUMNS
                            " FROM chunks " PLACE_JOIN "LEFT JOIN vectors ON vectors.chunk=id "
                            "LEFT JOIN token_weights ON token_weights.chunk=id "
                            "WHERE document=? ORDER BY number",
                            error);
    while (!status) {
        bool row;
        status = db_step(v->store, documents, &row, error);
        if (status || !row)
            break;
        status = check_document(v, documents, chunks, error);
        v->document = 0;
        v->path = v->collection = NULL;
        v->documents_done++;
    }
    status = verification_absorb(v, status, STORE_PROBLEM_PAGES, "the documents", error);
    sqlite3_finalize(documents);
    sqlite3_finalize(chunks);
    return status;
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
        status = check_documents(v, error);
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
