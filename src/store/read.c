/* Documents and chunks: finding and reading. */
#include "base/memory.h"
#include "store/hidden.h"
#include "store/pieces.h"

#include <string.h>

static rag_status read_vector(struct store *store, sqlite3_stmt *statement, float *vector,
                              bool *found, rag_error *error)
{
    struct store_recipe recipe;
    bool present;
    rag_status status = recipe_read(store, &recipe, &present, error);
    if (status)
        return status;
    rag_text bytes = db_column(statement, 0);
    if (!present || bytes.size != recipe.dimension * sizeof(float))
        return fail_with(error, RAG_INDEX,
                         "%s: a vector has %zu bytes; `rag verify` lists what is wrong",
                         store->path, bytes.size);
    vector_from_file(bytes.data, recipe.dimension, vector);
    *found = true;
    return RAG_OK;
}

rag_status store_find_vector(struct store *store, const struct hash *hash, float *vector,
                             bool *found, rag_error *error)
{
    *found = false;
    store_lock(store);
    sqlite3_stmt *statement;
    bool row;
    rag_status status = db_prepare(store, &statement,
                                   "SELECT vector FROM chunks JOIN vectors ON chunk=id "
                                   "WHERE hash=? LIMIT 1",
                                   error);
    if (!status)
        status = db_bind(store, statement, error, "b", (const void *)hash->bytes,
                         sizeof hash->bytes);
    if (!status)
        status = db_step(store, statement, &row, error);
    if (!status && row)
        status = read_vector(store, statement, vector, found, error);
    db_finish(store, statement);
    store_unlock(store);
    return status;
}

char *copy_column(sqlite3_stmt *statement, int column)
{
    return text_copy(db_column(statement, column));
}

char *text_copy(rag_text text)
{
    char *copy = malloc(text.size + 1);
    if (copy) {
        if (text.size)
            memcpy(copy, text.data, text.size);
        copy[text.size] = 0;
    }
    return copy;
}

/* The chunk's own text, and that of the header before it. */
static rag_status read_texts(struct store *store, int64_t document, int64_t header_begin,
                             int64_t header_end, struct stored_chunk *chunk, rag_error *error)
{
    rag_status status = pieces_copy(store, document, (int64_t)chunk->begin, (int64_t)chunk->end,
                                    &chunk->text, &chunk->text_size, error);
    if (!status)
        status = pieces_copy(store, document, header_begin, header_end, &chunk->header,
                             &chunk->header_size, error);
    if (!status && (!chunk->text || !chunk->header))
        status = fail_with(error, RAG_INDEX,
                           "%s: chunk %lld does not lie within its document; `rag verify` "
                           "lists what is wrong",
                           store->path, (long long)chunk->chunk_id);
    return status;
}

static rag_status fill_chunk(struct store *store, sqlite3_stmt *statement,
                             struct stored_chunk *out, rag_error *error)
{
    out->path = copy_column(statement, 1);
    out->heading = copy_column(statement, 2);
    out->number = (size_t)sqlite3_column_int64(statement, 3);
    out->begin = (uint64_t)sqlite3_column_int64(statement, 4);
    out->end = (uint64_t)sqlite3_column_int64(statement, 5);
    out->line = (uint32_t)sqlite3_column_int64(statement, 6);
    out->last_line = (uint32_t)sqlite3_column_int64(statement, 7);
    out->tokens = (size_t)sqlite3_column_int64(statement, 8);
    out->metadata = copy_column(statement, 9);
    out->collection = copy_column(statement, 10);
    out->place = copy_column(statement, 13);
    if (!out->collection || !out->path || !out->heading || !out->metadata || !out->place)
        return fail_memory(error);
    return read_texts(store, sqlite3_column_int64(statement, 0),
                      sqlite3_column_int64(statement, 11), sqlite3_column_int64(statement, 12),
                      out, error);
}

rag_status chunk_read(struct store *store, struct stored_chunk *out, rag_error *error)
{
    sqlite3_stmt *statement;
    bool row;
    rag_status status =
        db_prepare(store, &statement,
                   "SELECT documents.id, path, heading, number, begin_byte, end_byte, line, "
                   "last_line, tokens, metadata, name, " PLACE_COLUMNS
                   " FROM chunks " PLACE_JOIN "JOIN documents ON documents.id=document "
                   "JOIN collections ON collections.id=collection WHERE chunks.id=? "
                   "AND " DOCUMENT_IS_FOUND,
                   error);
    if (!status)
        status = db_bind(store, statement, error, "i", out->chunk_id);
    if (!status)
        status = db_step(store, statement, &row, error);
    if (!status && !row)
        status = fail_with(error, RAG_NOT_FOUND, "%s: there is no chunk %lld", store->path,
                           (long long)out->chunk_id);
    if (!status)
        status = fill_chunk(store, statement, out, error);
    db_finish(store, statement);
    return status;
}

rag_status store_get_chunk(struct store *store, int64_t chunk_id, struct stored_chunk *out,
                           rag_error *error)
{
    *out = (struct stored_chunk){.chunk_id = chunk_id};
    store_lock(store);
    rag_status status = db_begin(store, DB_READ, error);
    if (!status)
        status = db_end(store, chunk_read(store, out, error), error);
    store_unlock(store);
    if (status)
        stored_chunk_release(out);
    return status;
}

void stored_chunk_release(struct stored_chunk *chunk)
{
    free(chunk->collection);
    free(chunk->path);
    free(chunk->heading);
    free(chunk->metadata);
    free(chunk->text);
    free(chunk->header);
    free(chunk->place);
    *chunk = (struct stored_chunk){0};
}

/* The chunk with this id, or the next one behind it. */
static rag_status next_chunk(struct store *store, int64_t id, int64_t *found, rag_error *error)
{
    sqlite3_stmt *statement;
    bool row = false;
    rag_status status = db_prepare(
        store, &statement, "SELECT id FROM chunks WHERE id>=? ORDER BY id LIMIT 1", error);
    if (!status)
        status = db_bind(store, statement, error, "i", id);
    if (!status)
        status = db_step(store, statement, &row, error);
    *found = row ? sqlite3_column_int64(statement, 0) : 0;
    db_finish(store, statement);
    return status;
}

static rag_status sample_chunks(struct store *store, size_t most, int64_t *ids, size_t *count,
                                rag_error *error)
{
    int64_t first, last = 0;
    struct id_ranges hidden;
    rag_status status = hidden_chunks(store, &hidden, error);
    if (!status)
        status = db_integer(store, "SELECT min(id) FROM chunks", 0, &first, error);
    if (!status)
        status = db_integer(store, "SELECT max(id) FROM chunks", 0, &last, error);
    for (size_t i = 0; !status && last && i < most; i++) {
        int64_t id, at = first + (int64_t)((double)(last - first) * (double)i / (double)most);
        status = next_chunk(store, at, &id, error);
        if (!status && id && !id_ranges_have(&hidden, id) && (!*count || ids[*count - 1] < id))
            ids[(*count)++] = id;
    }
    id_ranges_release(&hidden);
    return status;
}

rag_status store_sample_chunks(struct store *store, size_t most, int64_t *ids, size_t *count,
                               rag_error *error)
{
    *count = 0;
    store_lock(store);
    rag_status status = db_begin(store, DB_READ, error);
    if (!status)
        status = db_end(store, sample_chunks(store, most, ids, count, error), error);
    store_unlock(store);
    return status;
}

/* ---- Counts ---- */

static rag_status count(struct store *store, struct store_counts *out, rag_error *error)
{
    int64_t value[6] = {0};
    static const char *const queries[6] = {
        "SELECT count(*) FROM documents WHERE " DOCUMENT_IS_FOUND,
        "SELECT (SELECT count(*) FROM chunks) - (SELECT count(*) FROM unfinished "
        "CROSS JOIN chunks USING(document))",
        "SELECT (SELECT sum(tokens) FROM chunks) - (SELECT coalesce(sum(tokens), 0) FROM "
        "unfinished CROSS JOIN chunks USING(document))",
        "PRAGMA page_count",
        "PRAGMA page_size",
        "PRAGMA user_version",
    };
    rag_status status = RAG_OK;
    for (size_t i = 0; i < 6 && !status; i++)
        status = db_integer(store, queries[i], 0, &value[i], error);
    *out = (struct store_counts){
        .documents = (size_t)value[0],
        .chunks = (size_t)value[1],
        .tokens = (uint64_t)value[2],
        .bytes = (uint64_t)value[3] * (uint64_t)value[4],
        .format = (unsigned)value[5],
    };
    return status;
}

rag_status store_count(struct store *store, struct store_counts *out, rag_error *error)
{
    store_lock(store);
    rag_status status = db_begin(store, DB_READ, error);
    if (!status)
        status = db_end(store, count(store, out, error), error);
    store_unlock(store);
    return status;
}
