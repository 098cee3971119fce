/* Handing over what was put in: documents, and their chunks with their vectors. */
#include "base/memory.h"
#include "store/sqlite.h"

#include <string.h>

/* ---- Documents ---- */

enum { COLLECTION, PATH, FORMAT, METADATA, SIZE, MODIFIED, CHUNKS, TEXT };

static rag_status fill_document(sqlite3_stmt *row, bool with_text, struct stored_document *out,
                                rag_error *error)
{
    out->collection = copy_column(row, COLLECTION);
    out->path = copy_column(row, PATH);
    out->format = copy_column(row, FORMAT);
    out->metadata = copy_column(row, METADATA);
    out->size = (uint64_t)sqlite3_column_int64(row, SIZE);
    out->modified = sqlite3_column_int64(row, MODIFIED);
    out->chunks = (size_t)sqlite3_column_int64(row, CHUNKS);
    if (with_text) {
        out->text_size = db_column(row, TEXT).size;
        out->text = copy_column(row, TEXT);
    }
    return out->collection && out->path && out->format && out->metadata &&
                   (out->text || !with_text)
               ? RAG_OK
               : fail_memory(error);
}

static rag_status fail_unknown(struct store *store, const char *path, rag_error *error)
{
    return fail_with(error, RAG_NOT_FOUND, "%s: there is no document %s", store->path, path);
}

static rag_status get_document(struct store *store, const char *collection, const char *path,
                               bool with_text, struct stored_document *out, rag_error *error)
{
    sqlite3_stmt *statement;
    bool row;
    char sql[256];
    sqlite3_snprintf(
        sizeof sql, sql,
        "SELECT name, path, format, metadata, size, modified, chunks, %s FROM collections "
        "JOIN documents ON collection=collections.id WHERE name=? AND path=?",
        with_text ? "(SELECT text FROM texts WHERE document=documents.id)" : "NULL");
    rag_status status = db_prepare(store, &statement, sql, error);
    if (!status)
        status = db_bind(store, statement, error, "tt", collection_name(collection), path);
    if (!status)
        status = db_step(store, statement, &row, error);
    if (!status && !row)
        status = fail_unknown(store, path, error);
    if (!status)
        status = fill_document(statement, with_text, out, error);
    sqlite3_finalize(statement);
    return status;
}

rag_status store_get_document(struct store *store, const char *collection, const char *path,
                              bool with_text, struct stored_document *out, rag_error *error)
{
    *out = (struct stored_document){0};
    store_lock(store);
    rag_status status = db_begin(store, DB_READ, error);
    if (!status)
        status =
            db_end(store, get_document(store, collection, path, with_text, out, error), error);
    store_unlock(store);
    if (status)
        stored_document_release(out);
    return status;
}

void stored_document_release(struct stored_document *document)
{
    free(document->collection);
    free(document->path);
    free(document->format);
    free(document->metadata);
    free(document->text);
    *document = (struct stored_document){0};
}

/* ---- Chunks ---- */

/* A document's chunks in memory, so that no lock is held while the caller looks at them. Of a
 * stored_chunk, collection, path and text belong to the document. */
struct contents {
    char *collection, *path;
    char *text;
    size_t text_size;
    struct stored_chunk *chunks;
    float *vectors; /* [count x dimension] */
    size_t count, capacity, vector_capacity, dimension;
};

static void contents_release(struct contents *contents)
{
    for (size_t i = 0; i < contents->count; i++) {
        free(contents->chunks[i].heading);
        free(contents->chunks[i].place);
    }
    free(contents->collection);
    free(contents->path);
    free(contents->text);
    free(contents->chunks);
    free(contents->vectors);
    *contents = (struct contents){0};
}

enum {
    CHUNK_ID,
    NUMBER,
    BEGIN,
    END,
    LINE,
    LAST_LINE,
    TOKENS,
    HEADING,
    VECTOR,
    HEADER_BEGIN,
    HEADER_END,
    PLACE,
};

static bool lies_within(const struct contents *contents, int64_t begin, int64_t end)
{
    return begin >= 0 && begin <= end && (uint64_t)end <= contents->text_size;
}

static rag_status add_chunk(struct store *store, struct contents *contents, sqlite3_stmt *row,
                            rag_error *error)
{
    int64_t id = sqlite3_column_int64(row, CHUNK_ID);
    int64_t begin = sqlite3_column_int64(row, BEGIN), end = sqlite3_column_int64(row, END);
    int64_t header = sqlite3_column_int64(row, HEADER_BEGIN);
    int64_t header_end = sqlite3_column_int64(row, HEADER_END);
    rag_text vector = db_column(row, VECTOR);
    size_t dimension = contents->dimension, needed = contents->count + 1;
    if (!lies_within(contents, begin, end) || !lies_within(contents, header, header_end) ||
        vector.size != dimension * sizeof(float))
        return fail_with(error, RAG_INDEX,
                         "%s: chunk %lld of %s is damaged; `rag verify` lists what is wrong",
                         store->path, (long long)id, contents->path);
    if (!array_reserve(&contents->chunks, &contents->capacity, needed,
                       sizeof *contents->chunks) ||
        !array_reserve(&contents->vectors, &contents->vector_capacity, needed,
                       dimension * sizeof(float)))
        return fail_memory(error);
    char *heading = copy_column(row, HEADING), *place = copy_column(row, PLACE);
    if (!heading || !place) {
        free(heading);
        free(place);
        return fail_memory(error);
    }
    vector_from_file(vector.data, dimension, contents->vectors + contents->count * dimension);
    contents->chunks[contents->count++] = (struct stored_chunk){
        .chunk_id = id,
        .collection = contents->collection,
        .path = contents->path,
        .heading = heading,
        .text = contents->text + begin,
        .text_size = (size_t)(end - begin),
        .number = (size_t)sqlite3_column_int64(row, NUMBER),
        .begin = (uint64_t)begin,
        .end = (uint64_t)end,
        .line = (uint32_t)sqlite3_column_int64(row, LINE),
        .last_line = (uint32_t)sqlite3_column_int64(row, LAST_LINE),
        .tokens = (size_t)sqlite3_column_int64(row, TOKENS),
        .header = contents->text + header,
        .header_size = (size_t)(header_end - header),
        .place = place,
    };
    return RAG_OK;
}

static rag_status read_chunks(struct store *store, int64_t document, struct contents *contents,
                              rag_error *error)
{
    sqlite3_stmt *statement;
    rag_status status =
        db_prepare(store, &statement,
                   "SELECT id, number, begin_byte, end_byte, line, last_line, "
                   "tokens, heading, vector, " PLACE_COLUMNS
                   " FROM chunks LEFT JOIN vectors ON vectors.chunk=id " PLACE_JOIN
                   "WHERE document=? ORDER BY number",
                   error);
    if (!status)
        status = db_bind(store, statement, error, "i", document);
    while (!status) {
        bool row;
        status = db_step(store, statement, &row, error);
        if (status || !row)
            break;
        status = add_chunk(store, contents, statement, error);
    }
    sqlite3_finalize(statement);
    return status;
}

/* A document that is gone has no contents. */
static rag_status read_contents(struct store *store, int64_t document,
                                struct contents *contents, rag_error *error)
{
    struct store_recipe recipe;
    bool present, row = false;
    sqlite3_stmt *statement;
    rag_status status = recipe_read(store, &recipe, &present, error);
    if (status)
        return status;
    contents->dimension = recipe.dimension;
    status = db_prepare(store, &statement,
                        "SELECT path, text, name FROM documents "
                        "JOIN texts ON texts.document=documents.id "
                        "JOIN collections ON collections.id=collection WHERE documents.id=?",
                        error);
    if (!status)
        status = db_bind(store, statement, error, "i", document);
    if (!status)
        status = db_step(store, statement, &row, error);
    if (!status && row) {
        contents->path = copy_column(statement, 0);
        contents->text_size = db_column(statement, 1).size;
        contents->text = copy_column(statement, 1);
        contents->collection = copy_column(statement, 2);
        if (!contents->collection || !contents->path || !contents->text)
            status = fail_memory(error);
    }
    sqlite3_finalize(statement);
    return status || !row ? status : read_chunks(store, document, contents, error);
}

struct ids {
    int64_t *items;
    size_t count, capacity;
};

static rag_status list_documents(struct store *store, const char *collection, const char *path,
                                 struct ids *ids, rag_error *error)
{
    sqlite3_stmt *statement;
    rag_status status = db_prepare(
        store, &statement,
        path ? "SELECT id FROM documents WHERE collection=" COLLECTION_ID " AND path=?"
             : "SELECT id FROM documents WHERE collection=" COLLECTION_ID " ORDER BY id",
        error);
    if (!status)
        status = db_bind(store, statement, error, path ? "tt" : "t",
                         collection_name(collection), path);
    while (!status) {
        bool row;
        status = db_step(store, statement, &row, error);
        if (status || !row)
            break;
        if (array_reserve(&ids->items, &ids->capacity, ids->count + 1, sizeof *ids->items))
            ids->items[ids->count++] = sqlite3_column_int64(statement, 0);
        else
            status = fail_memory(error);
    }
    sqlite3_finalize(statement);
    if (!status && path && !ids->count)
        status = fail_unknown(store, path, error);
    return status;
}

rag_status store_each_chunk(struct store *store, const char *collection, const char *path,
                            store_chunk_fn each, void *user, rag_error *error)
{
    struct ids ids = {0};
    bool stop = false;
    store_lock(store);
    rag_status status = db_begin(store, DB_READ, error);
    if (!status)
        status = db_end(store, list_documents(store, collection, path, &ids, error), error);
    store_unlock(store);
    for (size_t i = 0; !status && !stop && i < ids.count; i++) {
        struct contents contents = {0};
        store_lock(store);
        status = db_begin(store, DB_READ, error);
        if (!status)
            status = db_end(store, read_contents(store, ids.items[i], &contents, error), error);
        store_unlock(store);
        for (size_t j = 0; !status && !stop && j < contents.count; j++)
            stop = each(&contents.chunks[j], contents.vectors + j * contents.dimension, user);
        contents_release(&contents);
    }
    free(ids.items);
    return status;
}
