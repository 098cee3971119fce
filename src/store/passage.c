/* A chunk in its surroundings, and finding one by a line of its document. */
#include "store/hidden.h"
#include "store/pieces.h"

#include <stdlib.h>
#include <string.h>

/* ---- Reading one ---- */

/* The parts of the document's text next to the chunk. */
static rag_status read_surroundings(struct store *store, int64_t document, uint64_t before,
                                    uint64_t after, struct stored_passage *out,
                                    rag_error *error)
{
    const struct stored_chunk *chunk = &out->chunk;
    int64_t size = 0, begin = (int64_t)chunk->begin, end = (int64_t)chunk->end;
    rag_status status = pieces_size(store, document, &size, error);
    int64_t first = chunk->begin < before ? 0 : begin - (int64_t)before;
    int64_t last = size - end < (int64_t)after ? size : end + (int64_t)after;
    if (!status)
        status =
            pieces_copy(store, document, first, begin, &out->before, &out->before_size, error);
    if (!status)
        status = pieces_copy(store, document, end, last, &out->after, &out->after_size, error);
    if (!status && (!out->before || !out->after))
        status = fail_with(error, RAG_INDEX,
                           "%s: the text around chunk %lld is damaged; `rag verify` lists what "
                           "is wrong",
                           store->path, (long long)chunk->chunk_id);
    return status;
}

static rag_status fill_file(struct store *store, sqlite3_stmt *row, struct stored_passage *out,
                            rag_error *error)
{
    rag_text hash = db_column(row, 2);
    if (hash.size != sizeof out->file.hash.bytes)
        return fail_with(error, RAG_INDEX,
                         "%s: the hash of %s is damaged; `rag verify` lists what is wrong",
                         store->path, out->chunk.path);
    out->file = (struct store_file){.present = true,
                                    .size = (uint64_t)sqlite3_column_int64(row, 3),
                                    .modified = sqlite3_column_int64(row, 4)};
    memcpy(out->file.hash.bytes, hash.data, hash.size);
    out->format = copy_column(row, 1);
    return out->format ? RAG_OK : fail_memory(error);
}

static rag_status get_passage(struct store *store, size_t before, size_t after,
                              struct stored_passage *out, rag_error *error)
{
    sqlite3_stmt *statement = NULL;
    bool row;
    rag_status status = chunk_read(store, &out->chunk, error);
    if (!status)
        status = db_prepare(store, &statement,
                            "SELECT documents.id, format, documents.hash, size, modified "
                            "FROM chunks JOIN documents ON documents.id=document "
                            "WHERE chunks.id=?",
                            error);
    if (!status)
        status = db_bind(store, statement, error, "i", out->chunk.chunk_id);
    if (!status)
        status = db_step(store, statement, &row, error); /* there, as its chunk is */
    if (!status)
        status = fill_file(store, statement, out, error);
    if (!status)
        status = read_surroundings(store, sqlite3_column_int64(statement, 0), before, after,
                                   out, error);
    db_finish(store, statement);
    return status;
}

rag_status store_get_passage(struct store *store, int64_t chunk_id, size_t before, size_t after,
                             struct stored_passage *out, rag_error *error)
{
    *out = (struct stored_passage){.chunk = {.chunk_id = chunk_id}};
    store_lock(store);
    rag_status status = db_begin(store, DB_READ, error);
    if (!status)
        status = db_end(store, get_passage(store, before, after, out, error), error);
    store_unlock(store);
    if (status)
        stored_passage_release(out);
    return status;
}

void stored_passage_release(struct stored_passage *passage)
{
    stored_chunk_release(&passage->chunk);
    free(passage->format);
    free(passage->before);
    free(passage->after);
    *passage = (struct stored_passage){0};
}

/* ---- Finding one ---- */

/* *id 0: no row. */
static rag_status find_id(struct store *store, const char *sql, int64_t document, uint32_t from,
                          int64_t *id, rag_error *error)
{
    sqlite3_stmt *statement;
    bool row = false;
    *id = 0;
    rag_status status = db_prepare(store, &statement, sql, error);
    if (!status)
        status = db_bind(store, statement, error, "ii", document, (int64_t)from);
    if (!status)
        status = db_step(store, statement, &row, error);
    if (!status && row)
        *id = sqlite3_column_int64(statement, 0);
    db_finish(store, statement);
    return status;
}

/* How many lines a text has; one that is not ended counts too. */
static rag_status count_text_lines(struct store *store, int64_t document, uint64_t *lines,
                                   rag_error *error)
{
    struct pieces pieces;
    rag_text part;
    bool good = true, ended = true;
    rag_status status = pieces_open(store, document, &pieces, error);
    *lines = 0;
    for (int64_t at = 0; !status && good; at = pieces.next) {
        status = pieces_seek(&pieces, at, error);
        good = !status && pieces.any && pieces.next > at;
        if (good)
            status = pieces_part(&pieces, at, pieces.next, &part, &good, error);
        for (size_t i = 0; !status && good && i < part.size; i++) {
            *lines += ended;
            ended = part.data[i] == '\n';
        }
    }
    pieces_close(&pieces);
    return status;
}

/* What is behind the last chunk is blank lines; behind those there is nothing. */
static rag_status check_line(struct store *store, const char *path, int64_t document,
                             uint32_t line, rag_error *error)
{
    uint64_t lines;
    rag_status status = count_text_lines(store, document, &lines, error);
    if (!status && line > lines)
        status = fail_with(error, RAG_NOT_FOUND, "%s has %llu lines, and no line %u", path,
                           (unsigned long long)lines, line);
    return status;
}

/* *id 0: there is none. */
static rag_status find_document(struct store *store, const char *collection, const char *path,
                                int64_t *id, rag_error *error)
{
    sqlite3_stmt *statement;
    bool row = false;
    *id = 0;
    rag_status status =
        db_prepare(store, &statement,
                   "SELECT documents.id FROM collections CROSS JOIN documents "
                   "ON collection=collections.id AND path=?1 WHERE (?2='' OR name=?2) "
                   "AND " DOCUMENT_IS_FOUND " ORDER BY name LIMIT 1",
                   error);
    if (!status)
        status = db_bind(store, statement, error, "tt", path, collection ? collection : "");
    if (!status)
        status = db_step(store, statement, &row, error);
    if (!status && row)
        *id = sqlite3_column_int64(statement, 0);
    db_finish(store, statement);
    return status;
}

static rag_status find_in_document(struct store *store, const char *path, int64_t document,
                                   uint32_t line, int64_t *id, rag_error *error)
{
    rag_status status = find_id(store,
                                "SELECT id FROM chunks WHERE document=?1 AND last_line>=?2 "
                                "ORDER BY number LIMIT 1",
                                document, line, id, error);
    if (!status && !*id)
        status = check_line(store, path, document, line, error);
    if (!status && !*id)
        status = find_id(store,
                         "SELECT id FROM chunks WHERE document=?1 AND number>=?2 "
                         "ORDER BY number DESC LIMIT 1",
                         document, 0, id, error);
    if (!status && !*id)
        status = fail_with(error, RAG_NOT_FOUND, "%s has no passages: it has no text", path);
    return status;
}

static rag_status find_chunk(struct store *store, const char *collection, const char *path,
                             uint32_t line, bool *known, int64_t *id, rag_error *error)
{
    int64_t document;
    rag_status status = find_document(store, collection, path, &document, error);
    *known = document != 0;
    if (!status && *known)
        status = find_in_document(store, path, document, line, id, error);
    return status;
}

rag_status store_find_chunk(struct store *store, const char *collection, const char *path,
                            uint32_t line, bool *known, int64_t *chunk_id, rag_error *error)
{
    *known = false;
    store_lock(store);
    rag_status status = db_begin(store, DB_READ, error);
    if (!status)
        status = db_end(
            store, find_chunk(store, collection, path, line, known, chunk_id, error), error);
    store_unlock(store);
    return status;
}
