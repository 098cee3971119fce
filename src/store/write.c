/* Documents and chunks: putting in, taking out. One transaction each. */
#include "base/memory.h"
#include "store/sparse.h"
#include "text/utf8.h"

#include <math.h>
#include <string.h>

/* How far from 1 the square of a vector's norm may be. */
static const double NORM_TOLERANCE = 1e-3;

/* ---- Checks on what comes in: what the file promises is checked before it is written ---- */

bool vector_is_unit(const float *vector, size_t dimension)
{
    double square = 0;
    for (size_t i = 0; i < dimension; i++)
        square += (double)vector[i] * (double)vector[i];
    return fabs(square - 1) <= NORM_TOLERANCE; /* false for NaN */
}

uint32_t count_lines(rag_text text)
{
    uint32_t lines = 1;
    for (size_t i = 0; i < text.size; i++)
        lines += text.data[i] == '\n' || text.data[i] == '\r';
    return lines;
}

static bool on_characters(rag_text text, size_t begin, size_t end)
{
    return begin <= end && end <= text.size &&
           utf8_floor(text.data, text.size, begin) == begin &&
           utf8_floor(text.data, text.size, end) == end;
}

bool chunk_fits(const struct store_chunk *chunk, rag_text text)
{
    return on_characters(text, chunk->begin, chunk->end) &&
           on_characters(text, chunk->header_begin, chunk->header_end) && chunk->line >= 1 &&
           chunk->line <= chunk->last_line;
}

static const char *document_metadata(const struct store_document *document)
{
    return document->metadata ? document->metadata : METADATA_NONE;
}

static rag_status check_input(const struct store_document *document,
                              const struct store_chunk *chunks, size_t count, size_t dimension,
                              rag_error *error)
{
    if (document->text.size > STORE_MAX_TEXT)
        return fail_with(error, RAG_INPUT,
                         "%s: %zu bytes of text; a document holds at most %d, split the file",
                         document->path, document->text.size, STORE_MAX_TEXT);
    size_t valid = utf8_valid_prefix(document->text.data, document->text.size);
    if (valid != document->text.size)
        return fail_with(error, RAG_INPUT, "%s: byte %zu of its text is not UTF-8",
                         document->path, valid);
    rag_status status = metadata_check(document_metadata(document), error);
    if (status)
        return fail_within(error, status, "%s", document->path);
    for (size_t i = 0; i < count; i++) {
        size_t heading = strlen(chunks[i].heading);
        if (utf8_valid_prefix(chunks[i].heading, heading) != heading)
            return fail_with(error, RAG_INPUT, "%s: the heading of chunk %zu is not UTF-8",
                             document->path, i);
        const char *place = chunks[i].place ? chunks[i].place : "";
        if (utf8_valid_prefix(place, strlen(place)) != strlen(place))
            return fail_with(error, RAG_INTERNAL, "%s: the place of chunk %zu is not UTF-8",
                             document->path, i);
        if (!chunk_fits(&chunks[i], document->text))
            return fail_with(error, RAG_INTERNAL,
                             "%s: chunk %zu (bytes %zu to %zu, lines %u to %u) does not lie on "
                             "the characters of the text",
                             document->path, i, chunks[i].begin, chunks[i].end, chunks[i].line,
                             chunks[i].last_line);
        if (!vector_is_unit(chunks[i].vector, dimension))
            return fail_with(error, RAG_INTERNAL,
                             "%s: the vector of chunk %zu is not finite with norm 1",
                             document->path, i);
        if (!token_weights_fit(chunks[i].weights))
            return fail_with(error, RAG_INTERNAL,
                             "%s: the token weights of chunk %zu are not above 0, in the order "
                             "of their tokens",
                             document->path, i);
    }
    return RAG_OK;
}

bool chunk_has_place(const struct store_chunk *chunk)
{
    return chunk->header_end > chunk->header_begin || (chunk->place && *chunk->place);
}

static void hash_numbers(struct hasher *hasher, const uint64_t *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        unsigned char bytes[8];
        for (size_t j = 0; j < sizeof bytes; j++)
            bytes[j] = (unsigned char)(numbers[i] >> j * 8);
        hasher_update(hasher, bytes, sizeof bytes);
    }
}

void chunk_hash_update(struct hasher *hasher, const struct store_chunk *chunk,
                       const void *vector, size_t vector_size)
{
    uint64_t numbers[] = {chunk->begin,     chunk->end,    chunk->line,
                          chunk->last_line, chunk->tokens, strlen(chunk->heading)};
    hash_numbers(hasher, numbers, sizeof numbers / sizeof *numbers);
    hasher_update(hasher, chunk->heading, strlen(chunk->heading));
    hasher_update(hasher, chunk->hash.bytes, sizeof chunk->hash.bytes);
    hasher_update(hasher, vector, vector_size);
    if (chunk->weights.size) {
        uint64_t size = chunk->weights.size;
        hash_numbers(hasher, &size, 1);
        hasher_update(hasher, chunk->weights.data, chunk->weights.size);
    }
    if (chunk_has_place(chunk)) {
        const char *place = chunk->place ? chunk->place : "";
        uint64_t header[] = {chunk->header_begin, chunk->header_end, strlen(place)};
        hash_numbers(hasher, header, sizeof header / sizeof *header);
        hasher_update(hasher, place, strlen(place));
    }
}

/* ---- The lexical index ---- */

/* FTS5 takes a row back by tokenizing its old text again; so what was filled with other terms
 * than words_each gives now is filled anew first. */
rag_status words_up_to_date(struct store *store, rag_error *error)
{
    struct hash now;
    bool same;
    sqlite3_stmt *statement;
    rag_status status = lexical_is_current(store, &now, &same, error);
    if (status || same)
        return status;
    status = db_execute(store, "INSERT INTO words(words) VALUES('rebuild')", error);
    if (status)
        return status;
    status = db_prepare(store, &statement, "UPDATE state SET words_hash=?", error);
    if (!status)
        status =
            db_run(store, statement, error, "b", (const void *)now.bytes, sizeof now.bytes);
    sqlite3_finalize(statement);
    return status;
}

/* ---- Writing ---- */

static rag_status find_id(struct store *store, int64_t collection, const char *path,
                          int64_t *id, bool *found, rag_error *error)
{
    sqlite3_stmt *statement;
    *found = false;
    rag_status status = db_prepare(
        store, &statement, "SELECT id FROM documents WHERE collection=? AND path=?", error);
    if (!status)
        status = db_bind(store, statement, error, "it", collection, path);
    if (!status)
        status = db_step(store, statement, found, error);
    if (!status && *found)
        *id = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return status;
}

static rag_status run_with_id(struct store *store, const char *sql, int64_t id,
                              rag_error *error)
{
    sqlite3_stmt *statement;
    rag_status status = db_prepare(store, &statement, sql, error);
    if (!status)
        status = db_run(store, statement, error, "i", id);
    sqlite3_finalize(statement);
    return status;
}

/* Takes a document's terms out of the lexical index, from the text that is stored. */
static rag_status remove_words(struct store *store, int64_t document, rag_error *error)
{
    struct document_text text;
    sqlite3_stmt *change = NULL, *chunks = NULL;
    rag_status status = document_text_open(store, document, &text, error);
    if (!status)
        status = db_prepare(store, &change,
                            "INSERT INTO words(words, rowid, heading, text) "
                            "VALUES('delete', ?, ?, ?)",
                            error);
    if (!status)
        status = db_prepare(store, &chunks,
                            "SELECT id, heading, begin_byte, end_byte FROM chunks "
                            "WHERE document=?",
                            error);
    if (!status)
        status = db_bind(store, chunks, error, "i", document);
    while (!status) {
        bool row;
        status = db_step(store, chunks, &row, error);
        if (status || !row)
            break;
        int64_t id = sqlite3_column_int64(chunks, 0);
        rag_text heading = db_column(chunks, 1), part;
        if (document_text_part(&text, sqlite3_column_int64(chunks, 2),
                               sqlite3_column_int64(chunks, 3), &part))
            status = db_run(store, change, error, "iss", id, (const void *)heading.data,
                            heading.size, (const void *)part.data, part.size);
        else
            status = fail_with(error, RAG_INDEX,
                               "%s: chunk %lld does not lie within its document; `rag verify` "
                               "lists what is wrong",
                               store->path, (long long)id);
    }
    sqlite3_finalize(chunks);
    sqlite3_finalize(change);
    document_text_close(&text);
    return status;
}

static rag_status remove_document(struct store *store, int64_t id, rag_error *error)
{
    static const char *const steps[] = {
        "DELETE FROM vectors WHERE chunk IN (SELECT id FROM chunks WHERE document=?)",
        "DELETE FROM places WHERE chunk IN (SELECT id FROM chunks WHERE document=?)",
        "DELETE FROM chunks WHERE document=?",
        "DELETE FROM texts WHERE document=?",
        "DELETE FROM documents WHERE id=?",
    };
    rag_status status = remove_words(store, id, error);
    if (!status)
        status = weights_remove(store, id, error);
    if (!status)
        status = log_removal(store, id, error);
    for (size_t i = 0; i < sizeof steps / sizeof *steps && !status; i++)
        status = run_with_id(store, steps[i], id, error);
    return status;
}

/* Removes the document of this path, if there is one. */
rag_status remove_path(struct store *store, int64_t collection, const char *path, bool *found,
                       rag_error *error)
{
    int64_t id = 0;
    rag_status status = find_id(store, collection, path, &id, found, error);
    if (!status && *found)
        status = remove_document(store, id, error);
    return status;
}

static rag_status hash_chunks(const struct store_chunk *chunks, size_t count,
                              unsigned char *bytes, size_t dimension, struct hash *out,
                              rag_error *error)
{
    struct hasher *hasher;
    rag_status status = hasher_new(&hasher, error);
    if (status)
        return status;
    for (size_t i = 0; i < count; i++) {
        vector_to_file(chunks[i].vector, dimension, bytes);
        chunk_hash_update(hasher, &chunks[i], bytes, dimension * sizeof(float));
    }
    hasher_finish(hasher, out);
    return RAG_OK;
}

static rag_status insert_text(struct store *store, int64_t document, rag_text text,
                              rag_error *error)
{
    sqlite3_stmt *statement;
    rag_status status = db_prepare(store, &statement, "INSERT INTO texts VALUES(?, ?)", error);
    if (!status)
        status =
            db_run(store, statement, error, "ib", document, (const void *)text.data, text.size);
    sqlite3_finalize(statement);
    return status;
}

static rag_status insert_document(struct store *store, int64_t collection,
                                  const struct store_document *document,
                                  const struct hash *chunks_hash, size_t count, int64_t *id,
                                  rag_error *error)
{
    struct hash text_hash, metadata_hash;
    const char *metadata = document_metadata(document);
    rag_status status = hash_bytes(document->text.data, document->text.size, &text_hash, error);
    if (!status)
        status = hash_bytes(metadata, strlen(metadata), &metadata_hash, error);
    if (status)
        return status;
    sqlite3_stmt *statement;
    status = db_prepare(store, &statement,
                        "INSERT INTO documents(collection, path, format, hash, size, modified, "
                        "first_chunk, chunks, chunks_hash, text_hash, metadata, "
                        "metadata_hash) VALUES(?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?)",
                        error);
    if (!status)
        status =
            db_run(store, statement, error, "ittbiiibbtb", collection, document->path,
                   document->format, (const void *)document->hash.bytes,
                   sizeof document->hash.bytes, (int64_t)document->size, document->modified,
                   (int64_t)count, (const void *)chunks_hash->bytes, sizeof chunks_hash->bytes,
                   (const void *)text_hash.bytes, sizeof text_hash.bytes, metadata,
                   (const void *)metadata_hash.bytes, sizeof metadata_hash.bytes);
    sqlite3_finalize(statement);
    *id = sqlite3_last_insert_rowid(store->db);
    return status ? status : insert_text(store, *id, document->text, error);
}

/* A document's chunks have ids without gaps, for they are given within one transaction. */
static rag_status note_first_chunk(struct store *store, int64_t document, rag_error *error)
{
    return run_with_id(store,
                       "UPDATE documents SET first_chunk=(SELECT id FROM chunks WHERE "
                       "document=documents.id AND number=0) WHERE id=?",
                       document, error);
}

/* The statements that each chunk of a document goes through. */
struct inserts {
    sqlite3_stmt *chunk, *vector, *place, *words;
    struct weight_inserts weights;
};

static rag_status inserts_prepare(struct store *store, struct inserts *inserts,
                                  rag_error *error)
{
    rag_status status =
        db_prepare(store, &inserts->chunk,
                   "INSERT INTO chunks(document, number, begin_byte, end_byte, line, "
                   "last_line, tokens, hash, heading) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)",
                   error);
    if (!status)
        status = db_prepare(store, &inserts->vector, "INSERT INTO vectors VALUES(?, ?)", error);
    if (!status)
        status =
            db_prepare(store, &inserts->place, "INSERT INTO places VALUES(?, ?, ?, ?)", error);
    if (!status)
        status = weight_inserts_prepare(store, &inserts->weights, error);
    if (!status)
        status = db_prepare(store, &inserts->words,
                            "INSERT INTO words(rowid, heading, text) VALUES(?, ?, ?)", error);
    return status;
}

static rag_status insert_chunk(struct store *store, struct inserts *inserts, int64_t document,
                               size_t number, const struct store_chunk *chunk, rag_text text,
                               const unsigned char *vector, size_t vector_size,
                               rag_error *error)
{
    rag_status status =
        db_run(store, inserts->chunk, error, "iiiiiiibt", document, (int64_t)number,
               (int64_t)chunk->begin, (int64_t)chunk->end, (int64_t)chunk->line,
               (int64_t)chunk->last_line, (int64_t)chunk->tokens,
               (const void *)chunk->hash.bytes, sizeof chunk->hash.bytes, chunk->heading);
    int64_t id = sqlite3_last_insert_rowid(store->db);
    if (!status)
        status =
            db_run(store, inserts->vector, error, "ib", id, (const void *)vector, vector_size);
    if (!status)
        status = weights_insert(store, &inserts->weights, id, chunk->weights, error);
    if (!status && chunk_has_place(chunk))
        status = db_run(store, inserts->place, error, "iiit", id, (int64_t)chunk->header_begin,
                        (int64_t)chunk->header_end, chunk->place ? chunk->place : "");
    const char *begin = text.size ? text.data + chunk->begin : "";
    if (!status)
        status = db_run(store, inserts->words, error, "its", id, chunk->heading,
                        (const void *)begin, chunk->end - chunk->begin);
    return status;
}

static rag_status insert(struct store *store, int64_t collection,
                         const struct store_document *document,
                         const struct store_chunk *chunks, size_t count, size_t dimension,
                         rag_error *error)
{
    struct inserts inserts = {0};
    struct hash chunks_hash;
    int64_t id = 0;
    unsigned char *vector = alloc_array(dimension, sizeof(float));
    if (!vector)
        return fail_memory(error);
    rag_status status = hash_chunks(chunks, count, vector, dimension, &chunks_hash, error);
    if (!status)
        status = insert_document(store, collection, document, &chunks_hash, count, &id, error);
    if (!status)
        status = inserts_prepare(store, &inserts, error);
    for (size_t i = 0; i < count && !status; i++) {
        vector_to_file(chunks[i].vector, dimension, vector);
        status = insert_chunk(store, &inserts, id, i, &chunks[i], document->text, vector,
                              dimension * sizeof(float), error);
    }
    if (!status && count)
        status = note_first_chunk(store, id, error);
    sqlite3_finalize(inserts.chunk);
    sqlite3_finalize(inserts.vector);
    sqlite3_finalize(inserts.place);
    weight_inserts_finalize(&inserts.weights);
    sqlite3_finalize(inserts.words);
    free(vector);
    return status;
}

static rag_status put(struct store *store, const struct store_entry *entry, size_t dimension,
                      rag_error *error)
{
    const struct store_document *document = &entry->document;
    int64_t collection = 0;
    bool replaced;
    rag_status status = check_input(document, entry->chunks, entry->count, dimension, error);
    if (!status)
        status = collection_find(store, document->collection, true, &collection, error);
    if (!status)
        status = remove_path(store, collection, document->path, &replaced, error);
    if (!status)
        status =
            insert(store, collection, document, entry->chunks, entry->count, dimension, error);
    return status;
}

static rag_status put_all(struct store *store, const struct store_entry *entries, size_t count,
                          rag_error *error)
{
    struct store_recipe recipe;
    bool present;
    rag_status status = recipe_read(store, &recipe, &present, error);
    if (!status && !present)
        status =
            fail_with(error, RAG_INTERNAL, "%s: a document before the recipe", store->path);
    if (!status)
        status = words_up_to_date(store, error);
    for (size_t i = 0; i < count && !status; i++)
        status = put(store, &entries[i], recipe.dimension, error);
    if (!status)
        status = log_generation(store, error);
    return status;
}

rag_status store_put_all(struct store *store, const struct store_entry *entries, size_t count,
                         rag_error *error)
{
    if (!count)
        return RAG_OK;
    store_lock(store);
    rag_status status = db_begin(store, DB_WRITE, error);
    if (!status)
        status = db_end(store, put_all(store, entries, count, error), error);
    store_unlock(store);
    return status;
}

rag_status store_put(struct store *store, const struct store_document *document,
                     const struct store_chunk *chunks, size_t count, rag_error *error)
{
    struct store_entry entry = {*document, chunks, count};
    return store_put_all(store, &entry, 1, error);
}

static rag_status remove_paths(struct store *store, const char *collection,
                               const char *const *paths, size_t count, size_t *removed,
                               rag_error *error)
{
    int64_t id = 0;
    rag_status status = collection_find(store, collection, false, &id, error);
    if (!status)
        status = words_up_to_date(store, error);
    for (size_t i = 0; i < count && !status; i++) {
        bool found;
        status = remove_path(store, id, paths[i], &found, error);
        if (!status && found)
            ++*removed;
    }
    if (!status && *removed)
        status = collection_tidy(store, id, error);
    if (!status && *removed)
        status = log_generation(store, error);
    return status;
}

rag_status store_remove(struct store *store, const char *collection, const char *const *paths,
                        size_t count, size_t *removed, rag_error *error)
{
    size_t done = 0;
    store_lock(store);
    rag_status status = db_begin(store, DB_WRITE, error);
    if (!status)
        status =
            db_end(store, remove_paths(store, collection, paths, count, &done, error), error);
    store_unlock(store);
    if (removed)
        *removed = status ? 0 : done;
    return status;
}
