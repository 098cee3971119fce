/* Handing over what was put in: documents, and their chunks with their vectors. */
#include "base/memory.h"
#include "store/hidden.h"
#include "store/pieces.h"

#include <string.h>

/* ---- Documents ---- */

enum { COLLECTION, PATH, FORMAT, METADATA, SIZE, MODIFIED, CHUNKS, ID };

static rag_status fill_document(sqlite3_stmt *row, struct stored_document *out,
                                rag_error *error)
{
    out->collection = copy_column(row, COLLECTION);
    out->path = copy_column(row, PATH);
    out->format = copy_column(row, FORMAT);
    out->metadata = copy_column(row, METADATA);
    out->size = (uint64_t)sqlite3_column_int64(row, SIZE);
    out->modified = sqlite3_column_int64(row, MODIFIED);
    out->chunks = (size_t)sqlite3_column_int64(row, CHUNKS);
    return out->collection && out->path && out->format && out->metadata ? RAG_OK
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
    rag_status status = db_prepare(
        store, &statement,
        "SELECT name, path, format, metadata, size, modified, chunks, documents.id FROM "
        "collections JOIN documents ON collection=collections.id WHERE name=? AND path=? "
        "AND " DOCUMENT_IS_FOUND,
        error);
    if (!status)
        status = db_bind(store, statement, error, "tt", collection_name(collection), path);
    if (!status)
        status = db_step(store, statement, &row, error);
    if (!status && !row)
        status = fail_unknown(store, path, error);
    if (!status)
        status = fill_document(statement, out, error);
    if (!status && with_text) {
        status = pieces_copy_all(store, sqlite3_column_int64(statement, ID), &out->text,
                                 &out->text_size, error);
        if (status == RAG_INPUT)
            status = fail_within(error, status, "%s", path);
    }
    db_finish(store, statement);
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

enum { BATCH = 1 << 12 /* chunks that are in memory at once */ };

/* Chunks of a document in memory, so that no lock is held while the caller looks at them. Of a
 * stored_chunk, collection and path belong to all of them. */
struct contents {
    char *collection, *path;
    struct stored_chunk *chunks;
    float *vectors; /* [count x dimension] */
    size_t count, capacity, vector_capacity, dimension;
};

static void contents_release(struct contents *contents)
{
    for (size_t i = 0; i < contents->count; i++) {
        contents->chunks[i].collection = contents->chunks[i].path = NULL;
        stored_chunk_release(&contents->chunks[i]);
    }
    free(contents->collection);
    free(contents->path);
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

static rag_status fail_chunk(struct store *store, const struct contents *contents, int64_t id,
                             rag_error *error)
{
    return fail_with(error, RAG_INDEX,
                     "%s: chunk %lld of %s is damaged; `rag verify` lists what is wrong",
                     store->path, (long long)id, contents->path);
}

/* A row's texts, from the piece in which it begins and that with its header. */
static rag_status copy_texts(struct store *store, struct pieces *pieces, sqlite3_stmt *row,
                             struct stored_chunk *chunk, bool *good, rag_error *error)
{
    rag_text part;
    rag_status status =
        pieces_part(pieces, (int64_t)chunk->begin, (int64_t)chunk->end, &part, good, error);
    if (!status && *good) {
        chunk->text_size = part.size;
        chunk->text = text_copy(part);
    }
    if (!status && *good)
        status = pieces_copy(store, pieces->document, sqlite3_column_int64(row, HEADER_BEGIN),
                             sqlite3_column_int64(row, HEADER_END), &chunk->header,
                             &chunk->header_size, error);
    *good &= chunk->header != NULL;
    return status;
}

static rag_status fill_chunk(struct store *store, const struct contents *contents,
                             struct pieces *pieces, sqlite3_stmt *row,
                             struct stored_chunk *chunk, rag_error *error)
{
    bool good = false;
    *chunk = (struct stored_chunk){
        .chunk_id = sqlite3_column_int64(row, CHUNK_ID),
        .collection = contents->collection,
        .path = contents->path,
        .heading = copy_column(row, HEADING),
        .place = copy_column(row, PLACE),
        .number = (size_t)sqlite3_column_int64(row, NUMBER),
        .begin = (uint64_t)sqlite3_column_int64(row, BEGIN),
        .end = (uint64_t)sqlite3_column_int64(row, END),
        .line = (uint32_t)sqlite3_column_int64(row, LINE),
        .last_line = (uint32_t)sqlite3_column_int64(row, LAST_LINE),
        .tokens = (size_t)sqlite3_column_int64(row, TOKENS),
    };
    rag_status status = copy_texts(store, pieces, row, chunk, &good, error);
    if (!status && !good)
        status = fail_chunk(store, contents, chunk->chunk_id, error);
    if (!status && (!chunk->heading || !chunk->place || !chunk->text))
        status = fail_memory(error);
    return status;
}

static rag_status add_chunk(struct store *store, struct contents *contents,
                            struct pieces *pieces, sqlite3_stmt *row, rag_error *error)
{
    rag_text vector = db_column(row, VECTOR);
    size_t dimension = contents->dimension, needed = contents->count + 1;
    if (vector.size != dimension * sizeof(float))
        return fail_chunk(store, contents, sqlite3_column_int64(row, CHUNK_ID), error);
    if (!array_reserve(&contents->chunks, &contents->capacity, needed,
                       sizeof *contents->chunks) ||
        !array_reserve(&contents->vectors, &contents->vector_capacity, needed,
                       dimension * sizeof(float)))
        return fail_memory(error);
    vector_from_file(vector.data, dimension, contents->vectors + contents->count * dimension);
    return fill_chunk(store, contents, pieces, row, &contents->chunks[contents->count++],
                      error);
}

static rag_status read_chunks(struct store *store, int64_t document, size_t first,
                              struct contents *contents, rag_error *error)
{
    sqlite3_stmt *statement = NULL;
    struct pieces pieces;
    rag_status status = pieces_open(store, document, &pieces, error);
    if (!status)
        status = db_prepare(store, &statement,
                            "SELECT id, number, begin_byte, end_byte, line, last_line, "
                            "tokens, heading, vector, " PLACE_COLUMNS
                            " FROM chunks LEFT JOIN vectors ON vectors.chunk=id " PLACE_JOIN
                            "WHERE document=? AND number>=? ORDER BY number LIMIT ?",
                            error);
    if (!status)
        status =
            db_bind(store, statement, error, "iii", document, (int64_t)first, (int64_t)BATCH);
    while (!status) {
        bool row;
        status = db_step(store, statement, &row, error);
        if (status || !row)
            break;
        status = add_chunk(store, contents, &pieces, statement, error);
    }
    db_finish(store, statement);
    pieces_close(&pieces);
    return status;
}

/* A document that is gone has no contents. */
static rag_status read_contents(struct store *store, int64_t document, size_t first,
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
                        "SELECT path, name FROM documents JOIN collections ON "
                        "collections.id=collection WHERE documents.id=? AND " DOCUMENT_IS_FOUND,
                        error);
    if (!status)
        status = db_bind(store, statement, error, "i", document);
    if (!status)
        status = db_step(store, statement, &row, error);
    if (!status && row) {
        contents->path = copy_column(statement, 0);
        contents->collection = copy_column(statement, 1);
        if (!contents->collection || !contents->path)
            status = fail_memory(error);
    }
    db_finish(store, statement);
    return status || !row ? status : read_chunks(store, document, first, contents, error);
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
    db_finish(store, statement);
    if (!status && path && !ids->count)
        status = fail_unknown(store, path, error);
    return status;
}

/* A document's rows never change, so that its batches are of one moment all the same. */
static rag_status each_chunk(struct store *store, int64_t document, store_chunk_fn each,
                             void *user, bool *stop, rag_error *error)
{
    rag_status status = RAG_OK;
    bool more = true;
    for (size_t first = 0; more && !status && !*stop; first += BATCH) {
        struct contents contents = {0};
        store_lock(store);
        status = db_begin(store, DB_READ, error);
        if (!status)
            status =
                db_end(store, read_contents(store, document, first, &contents, error), error);
        store_unlock(store);
        for (size_t i = 0; !status && !*stop && i < contents.count; i++)
            *stop = each(&contents.chunks[i], contents.vectors + i * contents.dimension, user);
        more = contents.count == BATCH;
        contents_release(&contents);
    }
    return status;
}

static rag_status get_text(struct store *store, const char *collection, const char *path,
                           int64_t begin, int64_t end, char **text, rag_error *error)
{
    struct ids ids = {0};
    size_t size;
    rag_status status = list_documents(store, collection, path, &ids, error);
    if (!status)
        status = pieces_copy(store, ids.items[0], begin, end, text, &size, error);
    free(ids.items);
    if (!status && !*text)
        status =
            fail_with(error, RAG_NOT_FOUND, "%s: the text of %s does not reach to byte %lld",
                      store->path, path, (long long)end);
    return status;
}

rag_status store_get_text(struct store *store, const char *collection, const char *path,
                          uint64_t begin, uint64_t end, char **text, rag_error *error)
{
    *text = NULL;
    store_lock(store);
    rag_status status = db_begin(store, DB_READ, error);
    if (!status)
        status = db_end(
            store, get_text(store, collection, path, (int64_t)begin, (int64_t)end, text, error),
            error);
    store_unlock(store);
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
    for (size_t i = 0; !status && !stop && i < ids.count; i++)
        status = each_chunk(store, ids.items[i], each, user, &stop, error);
    free(ids.items);
    return status;
}
