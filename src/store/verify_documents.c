/* Each document against what its row says of it: text, metadata, chunks, vectors. */
#include "base/memory.h"
#include "store/verify.h"
#include "text/utf8.h"

#include <string.h>

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

rag_status verify_documents(struct verification *v, rag_error *error)
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
