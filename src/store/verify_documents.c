/* Each document against what its row says of it: text, metadata, chunks, vectors. */
#include "base/buf.h"
#include "base/memory.h"
#include "store/pieces.h"
#include "store/verify.h"
#include "text/utf8.h"

#include <string.h>

/* A document in hand. */
struct subject {
    struct pieces pieces, header; /* where a chunk is, and where its table's header is */
    int64_t size;                 /* of its text */
    uint64_t lines;
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
static bool read_numbers(sqlite3_stmt *row, const struct subject *subject,
                         struct store_chunk *chunk)
{
    rag_text hash = db_column(row, HASH);
    int64_t lines = subject->lines < UINT32_MAX ? (int64_t)subject->lines : UINT32_MAX;
    if (!in_range(row, BEGIN, 0, subject->size) || !in_range(row, END, 0, subject->size) ||
        !in_range(row, LINE, 1, lines) ||
        !in_range(row, LAST_LINE, sqlite3_column_int64(row, LINE), lines) ||
        !in_range(row, HEADER_BEGIN, 0, subject->size) ||
        !in_range(row, HEADER_END, 0, subject->size) ||
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
    return true;
}

/* Its place, and its text until the next chunk is read; *good false: it has none. */
static rag_status read_chunk(sqlite3_stmt *row, struct subject *subject,
                             struct store_chunk *chunk, rag_text *text, bool *good,
                             rag_error *error)
{
    rag_status status = RAG_OK;
    *good = read_numbers(row, subject, chunk);
    if (*good)
        status = pieces_part(&subject->pieces, (int64_t)chunk->begin, (int64_t)chunk->end, text,
                             good, error);
    if (!status && *good)
        status = pieces_on_characters(&subject->pieces, (int64_t)chunk->begin,
                                      (int64_t)chunk->begin, good, error);
    if (!status && *good)
        *good = utf8_valid_prefix(text->data, text->size) == text->size;
    if (!status && *good && chunk->header_end)
        status = pieces_on_characters(&subject->header, (int64_t)chunk->header_begin,
                                      (int64_t)chunk->header_end, good, error);
    return status;
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
    rag_text text = {0};
    bool good;
    rag_status status = read_chunk(row, subject, &chunk, &text, &good, error);
    if (status)
        return status;
    if (!good) {
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
    METADATA,
    METADATA_HASH,
    FIRST_CHUNK,
    COLLECTION,
    HIDDEN,
    GIVEN_UP,
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

/* What the pieces of a text add up to. */
struct joining {
    struct hasher *hasher;
    struct buf shared; /* what the piece before had beyond its end: the next one begins so */
    uint64_t lines;
    bool whole, utf8;
};

static rag_status join_piece(struct joining *joining, const struct pieces *piece,
                             rag_error *error)
{
    size_t own = (size_t)(piece->next - piece->begin), shared = joining->shared.size;
    if (piece->next < piece->begin || own > piece->text.size || shared > piece->text.size ||
        (shared && memcmp(joining->shared.data, piece->text.data, shared) != 0)) {
        joining->whole = false;
        return RAG_OK;
    }
    joining->utf8 &= utf8_valid_prefix(piece->text.data, piece->text.size) == piece->text.size;
    joining->lines += count_lines((rag_text){piece->text.data, own}) - 1;
    hasher_update(joining->hasher, piece->text.size ? piece->text.data : "", own);
    buf_clear(&joining->shared);
    return buf_append(&joining->shared, piece->text.data + own, piece->text.size - own)
               ? RAG_OK
               : fail_memory(error);
}

/* Each begins where the one before it ends. */
static rag_status join_pieces(struct joining *joining, struct subject *subject,
                              rag_error *error)
{
    struct pieces *pieces = &subject->pieces;
    rag_status status = RAG_OK;
    for (int64_t at = 0; !status && joining->whole && at < subject->size; at = pieces->next) {
        status = pieces_seek(pieces, at, error);
        joining->whole = pieces->any && pieces->begin == at && pieces->next > at;
        if (!status && joining->whole)
            status = join_piece(joining, pieces, error);
    }
    return status;
}

static rag_status check_text(struct verification *v, struct subject *subject, sqlite3_stmt *row,
                             rag_error *error)
{
    struct joining joining = {
        .shared = BUF_INIT(SIZE_MAX), .lines = 1, .whole = true, .utf8 = true};
    struct hash hash;
    rag_status status = hasher_new(&joining.hasher, error);
    if (status)
        return status;
    status = join_pieces(&joining, subject, error);
    hasher_finish(joining.hasher, &hash);
    buf_release(&joining.shared);
    if (status)
        return status;
    bool same = joining.whole && equal_hash(db_column(row, TEXT_HASH), &hash);
    if (!subject->size && !same)
        verification_report(v, STORE_PROBLEM_TEXT, 0, "its text is missing");
    else if (!same && !sqlite3_column_int(row, GIVEN_UP))
        verification_report(v, STORE_PROBLEM_TEXT, 0, "its stored text is not what was put in");
    if (!joining.utf8)
        verification_report(v, STORE_PROBLEM_TEXT, 0, "its stored text is not UTF-8");
    subject->lines = joining.lines;
    return RAG_OK;
}

static void check_row(struct verification *v, sqlite3_stmt *row)
{
    rag_text path = db_column(row, PATH);
    if (!path.size || memchr(path.data, 0, path.size))
        verification_report(v, STORE_PROBLEM_DOCUMENT, 0, "its path is no path");
    if (db_column(row, FILE_HASH).size != HASH_SIZE)
        verification_report(v, STORE_PROBLEM_DOCUMENT, 0, "the hash of its file has %zu bytes",
                            db_column(row, FILE_HASH).size);
}

/* Of a document that is going out, row by row, nothing is said any more as a whole. */
static void check_whole(struct verification *v, sqlite3_stmt *row,
                        const struct subject *subject, const struct hash *hash)
{
    int64_t expected = sqlite3_column_int64(row, CHUNKS);
    if (expected != (int64_t)subject->chunks)
        verification_report(v, STORE_PROBLEM_CHUNKS, 0, "has %zu chunks instead of %lld",
                            subject->chunks, (long long)expected);
    else if (!expected && subject->first_chunk)
        verification_report(v, STORE_PROBLEM_CHUNKS, 0, "has no chunks, but a first one (%lld)",
                            (long long)subject->first_chunk);
    else if (subject->whole && !sqlite3_column_int(row, GIVEN_UP) &&
             !equal_hash(db_column(row, CHUNKS_HASH), hash))
        verification_report(v, STORE_PROBLEM_CHUNKS, 0,
                            "its chunks or their vectors are not what was put in");
}

static rag_status check_parts(struct verification *v, struct subject *subject,
                              sqlite3_stmt *row, sqlite3_stmt *chunks, rag_error *error)
{
    struct hash hash;
    int64_t id = sqlite3_column_int64(row, DOCUMENT_ID);
    rag_status status = pieces_size(v->store, id, &subject->size, error);
    if (!status)
        status = pieces_open(v->store, id, &subject->pieces, error);
    if (!status)
        status = pieces_open(v->store, id, &subject->header, error);
    check_row(v, row);
    if (!status)
        status = check_text(v, subject, row, error);
    if (!status)
        status = check_metadata(v, row, error);
    if (!status)
        status = hasher_new(&subject->hasher, error);
    if (status)
        return status;
    status = check_chunks(v, subject, chunks, id, error);
    hasher_finish(subject->hasher, &hash);
    if (!status)
        check_whole(v, row, subject, &hash);
    return status;
}

static rag_status check_document(struct verification *v, sqlite3_stmt *row,
                                 sqlite3_stmt *chunks, rag_error *error)
{
    struct subject subject = {.whole = true,
                              .first_chunk = sqlite3_column_int64(row, FIRST_CHUNK)};
    bool hidden = sqlite3_column_int(row, HIDDEN);
    v->document = hidden ? 0 : sqlite3_column_int64(row, DOCUMENT_ID); /* not to be mended */
    v->path = (const char *)sqlite3_column_text(row, PATH);
    v->collection = (const char *)sqlite3_column_text(row, COLLECTION);
    if (!v->path)
        return fail_memory(error);
    rag_status status = check_parts(v, &subject, row, chunks, error);
    pieces_close(&subject.pieces);
    pieces_close(&subject.header);
    return status;
}

rag_status verify_documents(struct verification *v, rag_error *error)
{
    sqlite3_stmt *documents = NULL, *chunks = NULL;
    rag_status status = db_prepare(
        v->store, &documents,
        "SELECT documents.id, coalesce(unfinished.path, documents.path), hash, chunks, "
        "chunks_hash, text_hash, metadata, metadata_hash, first_chunk, name, "
        "document IS NOT NULL, document IS NOT NULL AND unfinished.path IS NULL FROM documents "
        "LEFT JOIN unfinished ON document=documents.id "
        "LEFT JOIN collections ON collections.id=documents.collection "
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
    db_finish(v->store, documents);
    db_finish(v->store, chunks);
    return status;
}
