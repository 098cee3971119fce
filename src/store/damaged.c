/* Reading what can be read of a damaged document. */
#include "base/buf.h"
#include "base/memory.h"
#include "store/damaged_rows.h"
#include "text/utf8.h"

#include <string.h>

bool is_damage(struct store *store, rag_status status)
{
    int code = sqlite3_errcode(store->db) & 0xff;
    return status == RAG_INDEX && (code == SQLITE_CORRUPT || code == SQLITE_NOTADB ||
                                   code == SQLITE_IOERR || code == SQLITE_ERROR);
}

rag_status find_damaged(struct store *store, const char *sql, int64_t id, sqlite3_stmt **out,
                        bool *row, rag_error *error)
{
    *row = false;
    rag_status status = db_prepare(store, out, sql, error);
    if (!status)
        status = db_bind(store, *out, error, "i", id);
    if (!status)
        status = db_step(store, *out, row, error);
    return is_damage(store, status) ? RAG_OK : status;
}

rag_status end_reading(struct store *store, rag_status status)
{
    rag_status rolled_back = db_end(store, RAG_INDEX, NULL);
    (void)rolled_back;
    return status;
}

/* What its row says of its other rows. */
struct claims {
    int64_t collection, first_chunk, chunks;
    struct hash chunks_hash, text_hash;
};

static bool copy_hash(rag_text from, struct hash *to)
{
    *to = (struct hash){0};
    if (from.size != sizeof to->bytes)
        return false;
    memcpy(to->bytes, from.data, sizeof to->bytes);
    return true;
}

static bool same_hash(const struct hash *a, const struct hash *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

/* A text of the row that can be what was put in: UTF-8 without a zero byte. NULL: it is not, or
 * (*memory false) out of memory. */
static char *copy_text(sqlite3_stmt *row, int column, bool *memory)
{
    rag_text text = db_column(row, column);
    if (!text.size || memchr(text.data, 0, text.size) ||
        utf8_valid_prefix(text.data, text.size) != text.size)
        return NULL;
    char *copy = copy_column(row, column);
    *memory &= copy != NULL;
    return copy;
}

enum {
    PATH,
    FORMAT,
    HASH,
    SIZE,
    MODIFIED,
    COLLECTION,
    FIRST_CHUNK,
    CHUNKS,
    CHUNKS_HASH,
    TEXT_HASH,
    METADATA,
    METADATA_HASH,
};

/* Of a row that is lost its index may still know the path. */
static rag_status read_index(struct store *store, int64_t id, struct damaged_document *out,
                             struct claims *claims, rag_error *error)
{
    sqlite3_stmt *row = NULL;
    bool found, memory = true;
    rag_status status = find_damaged(store,
                                     "SELECT path, collection FROM documents INDEXED BY "
                                     "sqlite_autoindex_documents_1 WHERE +id=?",
                                     id, &row, &found, error);
    if (!status && found) {
        out->path = copy_text(row, 0, &memory);
        claims->collection = sqlite3_column_int64(row, 1);
    }
    db_finish(store, row);
    return status || memory ? status : fail_memory(error);
}

static rag_status read_row(struct store *store, int64_t id, struct damaged_document *out,
                           struct claims *claims, rag_error *error)
{
    sqlite3_stmt *row = NULL;
    bool found, memory = true;
    struct hash noted, hash;
    rag_status status = find_damaged(
        store,
        "SELECT path, format, hash, size, modified, collection, first_chunk, chunks, "
        "chunks_hash, text_hash, metadata, metadata_hash FROM documents WHERE id=?",
        id, &row, &found, error);
    if (!status && found) {
        out->path = copy_text(row, PATH, &memory);
        out->format = copy_text(row, FORMAT, &memory);
        copy_hash(db_column(row, HASH), &out->hash);
        out->size = (uint64_t)sqlite3_column_int64(row, SIZE);
        out->modified = sqlite3_column_int64(row, MODIFIED);
        claims->collection = sqlite3_column_int64(row, COLLECTION);
        claims->first_chunk = sqlite3_column_int64(row, FIRST_CHUNK);
        claims->chunks = sqlite3_column_int64(row, CHUNKS);
        copy_hash(db_column(row, CHUNKS_HASH), &claims->chunks_hash);
        copy_hash(db_column(row, TEXT_HASH), &claims->text_hash);
        rag_text metadata = db_column(row, METADATA);
        status = hash_bytes(metadata.size ? metadata.data : "", metadata.size, &hash, error);
        if (!status && copy_hash(db_column(row, METADATA_HASH), &noted) &&
            same_hash(&noted, &hash))
            out->metadata = copy_text(row, METADATA, &memory);
    }
    db_finish(store, row);
    if (!status && !memory)
        status = fail_memory(error);
    if (!status && !out->path)
        status = read_index(store, id, out, claims, error);
    if (!status && !out->path)
        status = fail_with(error, RAG_NOT_FOUND, "%s: document %lld cannot be read",
                           store->path, (long long)id);
    return status;
}

static rag_status read_collection(struct store *store, int64_t id, struct damaged_document *out,
                                  rag_error *error)
{
    sqlite3_stmt *row = NULL;
    bool found, memory = true;
    rag_status status =
        find_damaged(store, "SELECT name FROM collections WHERE id=?", id, &row, &found, error);
    if (!status && found)
        out->collection = copy_text(row, 0, &memory);
    db_finish(store, row);
    if (!status && out->collection && collection_check(out->collection, NULL)) {
        free(out->collection);
        out->collection = NULL;
    }
    if (!status && !out->collection) {
        char name[COLLECTION_MAX_NAME + 1];
        sqlite3_snprintf(sizeof name, name,
                         id == COLLECTION_FIRST ? COLLECTION_DEFAULT
                                                : COLLECTION_RECOVERED " %lld",
                         (long long)id);
        memory &= (out->collection = strdup(name)) != NULL;
    }
    return status || memory ? status : fail_memory(error);
}

/* Puts the pieces together whose rows a query lists; *size 0: they are not all there, or are
 * too much. */
static rag_status join_pieces(struct store *store, const char *sql, int64_t id,
                              struct buf *text, rag_error *error)
{
    sqlite3_stmt *ids = NULL;
    bool found, good = true;
    rag_status status = find_damaged(store, sql, id, &ids, &found, error);
    buf_clear(text);
    while (!status && found && good) {
        sqlite3_stmt *row = NULL;
        bool there;
        status = find_damaged(store, "SELECT begin_byte, text FROM texts WHERE id=?",
                              sqlite3_column_int64(ids, 0), &row, &there, error);
        int64_t begin = there ? sqlite3_column_int64(row, 0) : -1;
        good = !status && begin >= 0 && (uint64_t)begin <= text->size;
        if (good) {
            rag_text piece = db_column(row, 1);
            text->size = (size_t)begin;
            good = buf_append(text, piece.size ? piece.data : "", piece.size);
        }
        db_finish(store, row);
        if (good)
            status = db_step(store, ids, &found, error);
        good &= !status;
        if (is_damage(store, status))
            status = RAG_OK;
    }
    db_finish(store, ids);
    if (!good)
        buf_clear(text);
    return status;
}

/* The text is whole if it has the hash that was noted; or, of a file whose text is its bytes,
 * the file's hash: then the note is what was damaged. */
static rag_status judge_text(const struct claims *claims, struct buf *text,
                             struct damaged_document *out, rag_error *error)
{
    struct hash hash;
    rag_status status = hash_bytes(text->size ? text->data : "", text->size, &hash, error);
    if (status)
        return status;
    out->noted = same_hash(&hash, &claims->text_hash);
    bool whole = out->noted || same_hash(&hash, &out->hash);
    if (!whole || utf8_valid_prefix(text->data, text->size) != text->size)
        return RAG_OK;
    out->text_size = text->size;
    out->text = buf_detach(text);
    return out->text ? RAG_OK : fail_memory(error);
}

/* The rows of a text are found by an index, which may be what is broken. */
static rag_status read_text(struct store *store, int64_t id, const struct claims *claims,
                            struct damaged_document *out, rag_error *error)
{
    static const char *const queries[] = {
        "SELECT id FROM texts WHERE document=? ORDER BY begin_byte",
        "SELECT id FROM texts NOT INDEXED WHERE document=? ORDER BY begin_byte",
    };
    struct buf text = BUF_INIT((size_t)STORE_MAX_TEXT + 1);
    rag_status status = RAG_OK;
    for (size_t i = 0; i < 2 && !status && !out->text; i++) {
        status = join_pieces(store, queries[i], id, &text, error);
        if (!status)
            status = judge_text(claims, &text, out, error);
    }
    buf_release(&text);
    return status;
}

/* ---- Its chunks ---- */

/* What it has in the table "places". */
static rag_status read_place(struct store *store, int64_t id, struct store_chunk *chunk,
                             bool *good, rag_error *error)
{
    sqlite3_stmt *row = NULL;
    bool found, memory = true;
    rag_status status =
        find_damaged(store, "SELECT header_begin, header_end, place FROM places WHERE chunk=?",
                     id, &row, &found, error);
    if (!status && found) {
        int64_t begin = sqlite3_column_int64(row, 0), end = sqlite3_column_int64(row, 1);
        *good = begin >= 0 && end >= begin;
        chunk->header_begin = (size_t)begin;
        chunk->header_end = (size_t)end;
        if (db_column(row, 2).size)
            chunk->place = copy_text(row, 2, &memory);
    }
    db_finish(store, row);
    return status || memory ? status : fail_memory(error);
}

/* The chunk's number, place, hash and heading; *good false: they cannot be what was put in. */
static rag_status read_chunk(struct store *store, int64_t id, int64_t document, size_t number,
                             const struct damaged_document *out, struct store_chunk *chunk,
                             bool *good, rag_error *error)
{
    sqlite3_stmt *row = NULL;
    bool found, memory = true;
    *good = false;
    rag_status status = find_damaged(
        store,
        "SELECT document, number, begin_byte, end_byte, line, last_line, tokens, hash, "
        "heading FROM chunks WHERE id=?",
        id, &row, &found, error);
    if (!status && found && sqlite3_column_int64(row, 0) == document &&
        sqlite3_column_int64(row, 1) == (int64_t)number) {
        int64_t begin = sqlite3_column_int64(row, 2), end = sqlite3_column_int64(row, 3);
        int64_t line = sqlite3_column_int64(row, 4), last = sqlite3_column_int64(row, 5);
        int64_t tokens = sqlite3_column_int64(row, 6);
        rag_text heading = db_column(row, 8);
        chunk->heading = heading.size ? copy_text(row, 8, &memory) : strdup("");
        *good = chunk->heading && copy_hash(db_column(row, 7), &chunk->hash) && begin >= 0 &&
                end >= begin && (uint64_t)end <= out->text_size && line >= 1 && last >= line &&
                last <= UINT32_MAX && tokens >= 0 && tokens <= STORE_MAX_TEXT;
        if (*good) {
            chunk->begin = (size_t)begin;
            chunk->end = (size_t)end;
            chunk->line = (uint32_t)line;
            chunk->last_line = (uint32_t)last;
            chunk->tokens = (size_t)tokens;
            status = read_place(store, id, chunk, good, error);
            *good &= chunk_fits(chunk, (rag_text){out->text, out->text_size});
        }
    }
    db_finish(store, row);
    return status || memory ? status : fail_memory(error);
}

/* The bytes of a chunk's vector or weights, to be freed; NULL: it has none that can be read. */
static rag_status read_bytes(struct store *store, const char *sql, int64_t chunk, char **bytes,
                             size_t *size, rag_error *error)
{
    sqlite3_stmt *row = NULL;
    bool found;
    *bytes = NULL;
    *size = 0;
    rag_status status = find_damaged(store, sql, chunk, &row, &found, error);
    if (!status && found) {
        *size = db_column(row, 0).size;
        *bytes = copy_column(row, 0);
        status = *bytes ? RAG_OK : fail_memory(error);
    }
    db_finish(store, row);
    return status;
}

static rag_status read_vector(struct store *store, int64_t id, size_t dimension, float *vector,
                              struct hasher *hasher, struct store_chunk *chunk, bool *good,
                              rag_error *error)
{
    char *bytes = NULL, *weights = NULL;
    size_t size, weights_size;
    rag_status status =
        read_bytes(store, "SELECT vector FROM vectors WHERE chunk=?", id, &bytes, &size, error);
    if (!status)
        status = read_bytes(store, "SELECT weights FROM token_weights WHERE chunk=?", id,
                            &weights, &weights_size, error);
    *good = !status && bytes && dimension && size == dimension * sizeof(float);
    if (*good) {
        vector_from_file(bytes, dimension, vector);
        *good = vector_is_unit(vector, dimension);
        chunk->vector = vector;
        chunk->weights = (rag_text){weights, weights_size};
        weights = NULL;
        chunk_hash_update(hasher, chunk, bytes, size);
    }
    free(bytes);
    free(weights);
    return status;
}

static rag_status read_vectors(struct store *store, size_t dimension,
                               const struct claims *claims, struct damaged_document *out,
                               rag_error *error)
{
    struct hasher *hasher;
    struct hash hash;
    bool good = true;
    out->vectors = alloc_array(out->count, (dimension ? dimension : 1) * sizeof(float));
    if (!out->vectors)
        return fail_memory(error);
    rag_status status = hasher_new(&hasher, error);
    if (status)
        return status;
    for (size_t i = 0; !status && good && i < out->count; i++)
        status =
            read_vector(store, claims->first_chunk + (int64_t)i, dimension,
                        out->vectors + i * dimension, hasher, &out->chunks[i], &good, error);
    hasher_finish(hasher, &hash);
    out->whole = !status && good && same_hash(&hash, &claims->chunks_hash);
    out->noted &= out->whole && (int64_t)out->count == claims->chunks;
    return status;
}

static void forget_chunks(struct damaged_document *document)
{
    for (size_t i = 0; document->chunks && i < document->count; i++) {
        free((char *)(uintptr_t)document->chunks[i].heading);
        free((char *)(uintptr_t)document->chunks[i].place);
        free((char *)(uintptr_t)document->chunks[i].weights.data);
    }
    free(document->chunks);
    document->chunks = NULL;
    document->count = 0;
}

/* The number of a value that a query gives for the document; what was claimed, if it cannot be
 * run: an index that it needs may be broken. */
static rag_status ask(struct store *store, const char *sql, int64_t id, int64_t *value,
                      rag_error *error)
{
    sqlite3_stmt *row = NULL;
    bool found;
    rag_status status = find_damaged(store, sql, id, &row, &found, error);
    if (!status && found && sqlite3_column_type(row, 0) != SQLITE_NULL)
        *value = sqlite3_column_int64(row, 0);
    db_finish(store, row);
    return status;
}

/* As many rows as there are; if that is not the number that was noted, only the hash over all
 * can say that they are all. */
static rag_status read_chunks(struct store *store, int64_t id, size_t dimension,
                              struct claims *claims, struct damaged_document *out,
                              rag_error *error)
{
    bool good = true;
    int64_t count = claims->chunks;
    rag_status status =
        ask(store, "SELECT count(*) FROM chunks WHERE document=?", id, &count, error);
    if (!status && count)
        status = ask(store, "SELECT min(id) FROM chunks WHERE document=?", id,
                     &claims->first_chunk, error);
    if (status || count < 0 || (uint64_t)count > SIZE_MAX / sizeof *out->chunks / 2)
        return status;
    out->chunks = alloc_zeroed((size_t)count, sizeof *out->chunks);
    if (!out->chunks)
        return fail_memory(error);
    while (!status && good && out->count < (size_t)count) {
        size_t i = out->count++;
        status = read_chunk(store, claims->first_chunk + (int64_t)i, id, i, out,
                            &out->chunks[i], &good, error);
    }
    if (!status && good)
        status = read_vectors(store, dimension, claims, out, error);
    if (status || !good || (!out->whole && count != claims->chunks))
        forget_chunks(out);
    return status;
}

static rag_status read_document(struct store *store, int64_t id, size_t dimension,
                                struct damaged_document *out, rag_error *error)
{
    struct claims claims = {0};
    rag_status status = read_row(store, id, out, &claims, error);
    if (!status)
        status = read_collection(store, claims.collection, out, error);
    if (!status)
        status = read_text(store, id, &claims, out, error);
    if (!status && out->text)
        status = read_chunks(store, id, dimension, &claims, out, error);
    out->noted &= out->whole;
    return status;
}

rag_status store_read_damaged(struct store *store, int64_t id, size_t dimension,
                              struct damaged_document *out, rag_error *error)
{
    *out = (struct damaged_document){0};
    store_lock(store);
    rag_status status = db_begin(store, DB_READ, error);
    if (!status)
        status = end_reading(store, read_document(store, id, dimension, out, error));
    store_unlock(store);
    if (status)
        damaged_document_release(out);
    return status;
}

void damaged_document_release(struct damaged_document *document)
{
    forget_chunks(document);
    free(document->collection);
    free(document->path);
    free(document->format);
    free(document->metadata);
    free(document->text);
    free(document->vectors);
    *document = (struct damaged_document){0};
}
