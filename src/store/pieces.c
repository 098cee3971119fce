#include "store/pieces.h"
#include "text/utf8.h"

#include <string.h>

enum {
    PIECE_BYTES = 1 << 16,  /* from where on a piece is cut: FTS5 reads one for each chunk */
    PIECE_BEYOND = 1 << 14, /* most bytes that a piece shares with those behind it */
};

/* ---- One after the other ---- */

rag_status pieces_open(struct store *store, int64_t document, struct pieces *out,
                       rag_error *error)
{
    *out = (struct pieces){.store = store, .document = document};
    return db_prepare(
        store, &out->statement,
        "SELECT begin_byte, text, (SELECT min(begin_byte) FROM texts WHERE "
        "document=?1 AND begin_byte>pieces.begin_byte) FROM texts AS pieces WHERE "
        "document=?1 AND begin_byte<=?2 ORDER BY begin_byte DESC LIMIT 1",
        error);
}

void pieces_close(struct pieces *pieces)
{
    db_finish(pieces->store, pieces->statement);
    *pieces = (struct pieces){0};
}

rag_status pieces_seek(struct pieces *pieces, int64_t byte, rag_error *error)
{
    enum { BEGIN, TEXT, NEXT };
    sqlite3_stmt *row = pieces->statement;
    if (pieces->any && pieces->begin <= byte && (byte < pieces->next || pieces->last))
        return RAG_OK;
    sqlite3_reset(row);
    pieces->any = false;
    rag_status status = db_bind(pieces->store, row, error, "ii", pieces->document, byte);
    if (!status)
        status = db_step(pieces->store, row, &pieces->any, error);
    if (status || !pieces->any)
        return status;
    pieces->begin = sqlite3_column_int64(row, BEGIN);
    pieces->text = db_column(row, TEXT);
    pieces->last = sqlite3_column_type(row, NEXT) == SQLITE_NULL;
    pieces->next = sqlite3_column_int64(row, NEXT);
    if (pieces->last &&
        __builtin_add_overflow(pieces->begin, (int64_t)pieces->text.size, &pieces->next))
        pieces->any = false;
    return RAG_OK;
}

/* Whether a range of the whole lies within the piece in hand. */
static bool holds(const struct pieces *pieces, int64_t begin, int64_t end)
{
    return pieces->any && pieces->begin <= begin && begin <= end &&
           (uint64_t)(end - pieces->begin) <= pieces->text.size;
}

rag_status pieces_part(struct pieces *pieces, int64_t begin, int64_t end, rag_text *part,
                       bool *good, rag_error *error)
{
    rag_status status = pieces_seek(pieces, begin, error);
    *good = !status && begin >= 0 && holds(pieces, begin, end);
    if (*good)
        *part = (rag_text){pieces->text.size ? pieces->text.data + (begin - pieces->begin) : "",
                           (size_t)(end - begin)};
    return status;
}

/* Whether a character begins at a byte, or the text ends there. */
static rag_status on_character(struct pieces *pieces, int64_t byte, bool *good,
                               rag_error *error)
{
    rag_status status = pieces_seek(pieces, byte, error);
    *good = !status && byte >= 0 && holds(pieces, byte, byte);
    if (*good) {
        size_t at = (size_t)(byte - pieces->begin);
        *good = utf8_floor(pieces->text.data, pieces->text.size, at) == at;
    }
    return status;
}

rag_status pieces_on_characters(struct pieces *pieces, int64_t begin, int64_t end, bool *good,
                                rag_error *error)
{
    rag_status status = on_character(pieces, begin, good, error);
    if (!status && *good && end != begin)
        status = on_character(pieces, end, good, error);
    *good &= begin <= end;
    return status;
}

/* ---- All of it ---- */

rag_status pieces_size(struct store *store, int64_t document, int64_t *size, rag_error *error)
{
    sqlite3_stmt *statement;
    bool row = false;
    rag_status status = db_prepare(store, &statement,
                                   "SELECT begin_byte+length(text) FROM texts WHERE document=? "
                                   "ORDER BY begin_byte DESC LIMIT 1",
                                   error);
    if (!status)
        status = db_bind(store, statement, error, "i", document);
    if (!status)
        status = db_step(store, statement, &row, error);
    *size = row ? sqlite3_column_int64(statement, 0) : 0;
    db_finish(store, statement);
    return status;
}

static rag_status fail_damaged(struct store *store, int64_t document, rag_error *error)
{
    return fail_with(error, RAG_INDEX,
                     "%s: the text of document %lld is damaged; `rag verify` lists what is "
                     "wrong",
                     store->path, (long long)document);
}

static rag_status append_all(struct store *store, struct pieces *pieces, int64_t size,
                             struct buf *text, rag_error *error)
{
    for (int64_t at = 0; at < size; at = pieces->next) {
        rag_text part;
        bool good = false;
        rag_status status = pieces_seek(pieces, at, error);
        if (!status && pieces->any && pieces->begin == at && pieces->next > at)
            status = pieces_part(pieces, at, pieces->next, &part, &good, error);
        if (!status && !good)
            status = fail_damaged(store, pieces->document, error);
        if (!status && !buf_append(text, part.data, part.size))
            status = fail_memory(error);
        if (status)
            return status;
    }
    return RAG_OK;
}

rag_status pieces_copy_all(struct store *store, int64_t document, char **text, size_t *size,
                           rag_error *error)
{
    struct pieces pieces = {0};
    struct buf all = BUF_INIT((size_t)STORE_MAX_TEXT + 1);
    int64_t bytes;
    *text = NULL;
    rag_status status = pieces_size(store, document, &bytes, error);
    if (!status && bytes > STORE_MAX_TEXT)
        status = fail_with(error, RAG_INPUT,
                           "its text has %lld bytes, and at most %d are handed over at once: "
                           "ask for its chunks",
                           (long long)bytes, STORE_MAX_TEXT);
    if (!status)
        status = pieces_open(store, document, &pieces, error);
    if (!status && bytes > 0 && !buf_reserve(&all, (size_t)bytes))
        status = fail_memory(error);
    if (!status)
        status = append_all(store, &pieces, bytes, &all, error);
    *size = all.size;
    if (!status && !(*text = buf_detach(&all)))
        status = fail_memory(error);
    pieces_close(&pieces);
    buf_release(&all);
    return status;
}

/* ---- A part of it ---- */

/* The row of the piece in which a byte lies. *id 0: there is none. */
static rag_status find_row(struct store *store, int64_t document, int64_t byte, int64_t *id,
                           int64_t *begin, rag_error *error)
{
    sqlite3_stmt *statement;
    bool row = false;
    rag_status status = db_prepare(store, &statement,
                                   "SELECT id, begin_byte FROM texts WHERE document=? AND "
                                   "begin_byte<=? ORDER BY begin_byte DESC LIMIT 1",
                                   error);
    if (!status)
        status = db_bind(store, statement, error, "ii", document, byte);
    if (!status)
        status = db_step(store, statement, &row, error);
    *id = row ? sqlite3_column_int64(statement, 0) : 0;
    *begin = row ? sqlite3_column_int64(statement, 1) : 0;
    db_finish(store, statement);
    return status;
}

/* Appends what a row has from one byte of it on, at most `most`; substr() in SQL would read all
 * of it. */
static rag_status append_row(struct store *store, int64_t id, int64_t from, int64_t most,
                             struct buf *out, rag_error *error)
{
    sqlite3_blob *blob;
    const char *table = store->version < 3 ? "documents" : "texts";
    if (sqlite3_blob_open(store->db, "main", table, "text", id, 0, &blob) != SQLITE_OK)
        return db_fail(store, error);
    rag_status status = RAG_OK;
    int64_t size = sqlite3_blob_bytes(blob) - from;
    size = size < most ? size : most;
    if (size > 0 && !buf_reserve(out, (size_t)size))
        status = fail_memory(error);
    else if (size > 0 &&
             sqlite3_blob_read(blob, out->data + out->size, (int)size, (int)from) != SQLITE_OK)
        status = db_fail(store, error);
    else if (size > 0)
        out->data[out->size += (size_t)size] = 0;
    sqlite3_blob_close(blob);
    return status;
}

rag_status pieces_copy(struct store *store, int64_t document, int64_t begin, int64_t end,
                       char **text, size_t *size, rag_error *error)
{
    struct buf out = BUF_INIT((size_t)STORE_MAX_TEXT + 1);
    rag_status status = RAG_OK;
    bool within = begin >= 0 && begin <= end && end - begin <= STORE_MAX_TEXT;
    *text = NULL;
    *size = 0;
    while (!status && within && (int64_t)out.size < end - begin) {
        int64_t id, from = 0, at = begin + (int64_t)out.size;
        size_t before = out.size;
        status = find_row(store, document, at, &id, &from, error);
        if (!status && id)
            status = append_row(store, id, at - from, end - at, &out, error);
        within = out.size > before;
    }
    *size = out.size;
    if (!status && within && !(*text = buf_detach(&out)))
        status = fail_memory(error);
    buf_release(&out);
    return status;
}

/* ---- On its way in ---- */

static rag_status insert_piece(struct store *store, sqlite3_stmt *statement, int64_t document,
                               const struct text_stretch *stretch, size_t begin, size_t end,
                               rag_error *error)
{
    const char *text = stretch->text.size ? stretch->text.data + begin : "";
    return db_run(store, statement, error, "iib", document, (int64_t)(stretch->begin + begin),
                  (const void *)text, end - begin);
}

/* Of chunks that do not begin one after the other nobody knows which begin before a cut. */
static bool in_order(const struct store_chunk *chunks, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (chunks[i].begin < chunks[i - 1].begin)
            return false;
    return true;
}

static rag_status insert_pieces(struct store *store, sqlite3_stmt *statement, int64_t document,
                                const struct text_stretch *stretch,
                                const struct store_chunk *chunks, size_t count,
                                rag_error *error)
{
    size_t at = 0,
           reach = stretch->before; /* where what begins before here ends at the latest */
    size_t own = stretch->text.size - stretch->beyond;
    rag_status status = RAG_OK;
    if (!in_order(chunks, count))
        count = 0;
    for (size_t i = 0; i < count && !status; i++) {
        size_t begin = chunks[i].begin - stretch->begin, end = chunks[i].end - stretch->begin;
        if (begin - at >= PIECE_BYTES && begin < own &&
            (reach <= begin || reach - begin <= PIECE_BEYOND)) {
            status = insert_piece(store, statement, document, stretch, at,
                                  reach > begin ? reach : begin, error);
            at = begin;
        }
        reach = end > reach ? end : reach;
    }
    return status ? status
                  : insert_piece(store, statement, document, stretch, at, stretch->text.size,
                                 error);
}

rag_status pieces_insert(struct store *store, int64_t document,
                         const struct text_stretch *stretch, const struct store_chunk *chunks,
                         size_t count, rag_error *error)
{
    sqlite3_stmt *statement;
    rag_status status =
        db_prepare(store, &statement,
                   "INSERT INTO texts(document, begin_byte, text) VALUES(?, ?, ?)", error);
    if (!status)
        status = insert_pieces(store, statement, document, stretch, chunks, count, error);
    db_finish(store, statement);
    return status;
}
