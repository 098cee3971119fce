/* Documents and chunks: putting in. */
#include "store/write.h"
#include "base/memory.h"
#include "store/hidden.h"
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

bool lies_on_characters(rag_text text, size_t begin, size_t end)
{
    return begin <= end && end <= text.size &&
           utf8_floor(text.data, text.size, begin) == begin &&
           utf8_floor(text.data, text.size, end) == end;
}

bool chunk_fits(const struct store_chunk *chunk, rag_text text)
{
    return lies_on_characters(text, chunk->begin, chunk->end) &&
           lies_on_characters(text, chunk->header_begin, chunk->header_end) &&
           chunk->line >= 1 && chunk->line <= chunk->last_line;
}

static const char *document_metadata(const struct store_document *document)
{
    return document->metadata ? document->metadata : METADATA_NONE;
}

rag_status check_text(const char *path, rag_text text, size_t begin, rag_error *error)
{
    if (text.size > STORE_MAX_TEXT)
        return fail_with(error, RAG_INPUT,
                         "%s: %zu bytes of text; a document holds at most %d, split the file",
                         path, text.size, STORE_MAX_TEXT);
    size_t valid = utf8_valid_prefix(text.data, text.size);
    if (valid != text.size)
        return fail_with(error, RAG_INPUT, "%s: byte %zu of its text is not UTF-8", path,
                         begin + valid);
    return RAG_OK;
}

rag_status fail_place(const char *path, const struct store_chunk *chunk, size_t number,
                      rag_error *error)
{
    return fail_with(error, RAG_INTERNAL,
                     "%s: chunk %zu (bytes %zu to %zu, lines %u to %u) does not lie on "
                     "the characters of the text",
                     path, number, chunk->begin, chunk->end, chunk->line, chunk->last_line);
}

rag_status check_chunk(const char *path, const struct store_chunk *chunk, size_t number,
                       size_t dimension, rag_error *error)
{
    size_t heading = strlen(chunk->heading);
    if (utf8_valid_prefix(chunk->heading, heading) != heading)
        return fail_with(error, RAG_INPUT, "%s: the heading of chunk %zu is not UTF-8", path,
                         number);
    const char *place = chunk->place ? chunk->place : "";
    if (utf8_valid_prefix(place, strlen(place)) != strlen(place))
        return fail_with(error, RAG_INTERNAL, "%s: the place of chunk %zu is not UTF-8", path,
                         number);
    if (!vector_is_unit(chunk->vector, dimension))
        return fail_with(error, RAG_INTERNAL,
                         "%s: the vector of chunk %zu is not finite with norm 1", path, number);
    if (!token_weights_fit(chunk->weights))
        return fail_with(error, RAG_INTERNAL,
                         "%s: the token weights of chunk %zu are not above 0, in the order "
                         "of their tokens",
                         path, number);
    return RAG_OK;
}

static rag_status check_input(const struct store_document *document,
                              const struct store_chunk *chunks, size_t count, size_t dimension,
                              rag_error *error)
{
    rag_status status = check_text(document->path, document->text, 0, error);
    if (status)
        return status;
    status = metadata_check(document_metadata(document), error);
    if (status)
        return fail_within(error, status, "%s", document->path);
    for (size_t i = 0; i < count && !status; i++)
        status = chunk_fits(&chunks[i], document->text)
                     ? check_chunk(document->path, &chunks[i], i, dimension, error)
                     : fail_place(document->path, &chunks[i], i, error);
    return status;
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

/* ---- Writing ---- */

rag_status hash_chunks(struct hasher *hasher, const struct store_chunk *chunks, size_t count,
                       size_t dimension, rag_error *error)
{
    unsigned char *bytes = alloc_array(dimension, sizeof(float));
    if (!bytes)
        return fail_memory(error);
    for (size_t i = 0; i < count; i++) {
        vector_to_file(chunks[i].vector, dimension, bytes);
        chunk_hash_update(hasher, &chunks[i], bytes, dimension * sizeof(float));
    }
    free(bytes);
    return RAG_OK;
}

rag_status insert_document(struct store *store, int64_t collection,
                           const struct store_document *document,
                           const struct document_hashes *hashes, size_t count, int64_t *id,
                           rag_error *error)
{
    struct hash metadata_hash;
    const char *metadata = document_metadata(document);
    rag_status status = hash_bytes(metadata, strlen(metadata), &metadata_hash, error);
    if (status)
        return status;
    sqlite3_stmt *statement;
    status = db_prepare(store, &statement,
                        "INSERT INTO documents(collection, path, format, hash, size, modified, "
                        "first_chunk, chunks, chunks_hash, text_hash, metadata, "
                        "metadata_hash) VALUES(?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?)",
                        error);
    if (!status)
        status = db_run(store, statement, error, "ittbiiibbtb", collection, document->path,
                        document->format, (const void *)document->hash.bytes,
                        sizeof document->hash.bytes, (int64_t)document->size,
                        document->modified, (int64_t)count, (const void *)hashes->chunks.bytes,
                        sizeof hashes->chunks.bytes, (const void *)hashes->text.bytes,
                        sizeof hashes->text.bytes, metadata, (const void *)metadata_hash.bytes,
                        sizeof metadata_hash.bytes);
    db_finish(store, statement);
    *id = sqlite3_last_insert_rowid(store->db);
    return status;
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
                   "INSERT INTO chunks VALUES(nullif(?, 0), ?, ?, ?, ?, ?, ?, ?, ?, ?)", error);
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

static void inserts_finish(struct store *store, struct inserts *inserts)
{
    db_finish(store, inserts->chunk);
    db_finish(store, inserts->vector);
    db_finish(store, inserts->place);
    weight_inserts_finish(store, &inserts->weights);
    db_finish(store, inserts->words);
}

static rag_status insert_chunk(struct store *store, struct inserts *inserts,
                               const struct chunk_numbers *numbers,
                               const struct store_chunk *chunk, rag_text text,
                               const unsigned char *vector, size_t vector_size,
                               rag_error *error)
{
    rag_status status =
        db_run(store, inserts->chunk, error, "iiiiiiiibt", numbers->id, numbers->document,
               (int64_t)numbers->number, (int64_t)chunk->begin, (int64_t)chunk->end,
               (int64_t)chunk->line, (int64_t)chunk->last_line, (int64_t)chunk->tokens,
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
    if (!status)
        status = db_run(store, inserts->words, error, "its", id, chunk->heading,
                        (const void *)text.data, text.size);
    return status;
}

rag_status insert_chunks(struct store *store, const struct chunk_numbers *first,
                         const struct text_stretch *stretch, const struct store_chunk *chunks,
                         size_t count, size_t dimension, rag_error *error)
{
    struct inserts inserts = {0};
    struct chunk_numbers numbers = *first;
    unsigned char *vector = alloc_array(dimension, sizeof(float));
    if (!vector)
        return fail_memory(error);
    rag_status status = inserts_prepare(store, &inserts, error);
    for (size_t i = 0; i < count && !status; i++) {
        const char *text =
            stretch->text.size ? stretch->text.data + (chunks[i].begin - stretch->begin) : "";
        vector_to_file(chunks[i].vector, dimension, vector);
        status = insert_chunk(store, &inserts, &numbers, &chunks[i],
                              (rag_text){text, chunks[i].end - chunks[i].begin}, vector,
                              dimension * sizeof(float), error);
        numbers.number++;
        numbers.id += numbers.id != 0;
    }
    inserts_finish(store, &inserts);
    free(vector);
    return status;
}

static rag_status hash_document(const struct store_entry *entry, size_t dimension,
                                struct document_hashes *out, rag_error *error)
{
    rag_text text = entry->document.text;
    struct hasher *hasher;
    rag_status status = hash_bytes(text.data, text.size, &out->text, error);
    if (!status)
        status = hasher_new(&hasher, error);
    if (status)
        return status;
    status = hash_chunks(hasher, entry->chunks, entry->count, dimension, error);
    hasher_finish(hasher, &out->chunks);
    return status;
}

static rag_status insert(struct store *store, int64_t collection,
                         const struct store_entry *entry, size_t dimension, rag_error *error)
{
    struct document_hashes hashes;
    struct chunk_numbers numbers = {0};
    struct text_stretch stretch = {.text = entry->document.text};
    size_t count = entry->count;
    rag_status status = hash_document(entry, dimension, &hashes, error);
    if (!status)
        status = insert_document(store, collection, &entry->document, &hashes, count,
                                 &numbers.document, error);
    if (!status)
        status = pieces_insert(store, numbers.document, &stretch, entry->chunks, count, error);
    if (!status)
        status =
            insert_chunks(store, &numbers, &stretch, entry->chunks, count, dimension, error);
    return status || !count ? status : note_first_chunk(store, numbers.document, error);
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
        status = hidden_give_up(store, document->collection, document->path, 0, error);
    return status ? status : insert(store, collection, entry, dimension, error);
}

rag_status need_recipe(struct store *store, struct store_recipe *out, rag_error *error)
{
    bool present;
    rag_status status = recipe_read(store, out, &present, error);
    return status || present ? status
                             : fail_with(error, RAG_INTERNAL,
                                         "%s: a document before the recipe", store->path);
}

static rag_status put_all(struct store *store, const struct store_entry *entries, size_t count,
                          rag_error *error)
{
    struct store_recipe recipe;
    rag_status status = need_recipe(store, &recipe, error);
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
    if (!status)
        hidden_sweep(store);
    return status;
}

rag_status store_put(struct store *store, const struct store_document *document,
                     const struct store_chunk *chunks, size_t count, rag_error *error)
{
    struct store_entry entry = {*document, chunks, count};
    return store_put_all(store, &entry, 1, error);
}
