/* Documents that are put in stretch by stretch.
 *
 * Between two stretches it is a document like any other, whole up to there, but hidden
 * (hidden.h). Its chunks get the ids that were reserved for them when it began, although others
 * may have put in documents with higher ones since: so whoever keeps vectors in memory leaves
 * it out until it is finished, and reads all of them anew if there are such documents then. */
#include "base/memory.h"
#include "store/hidden.h"
#include "store/write.h"

#include <string.h>

struct store_growing {
    struct store *store;
    char *collection, *path;
    int64_t document, first_chunk;
    uint64_t promised, added; /* chunks */
    size_t begin;             /* of the next stretch */
    struct buf shared;        /* which begins so */
    struct hasher *text, *chunks;
    size_t dimension;
};

void store_grow_free(struct store_growing *growing)
{
    if (!growing)
        return;
    if (growing->text)
        hasher_finish(growing->text, NULL);
    if (growing->chunks)
        hasher_finish(growing->chunks, NULL);
    buf_release(&growing->shared);
    free(growing->collection);
    free(growing->path);
    free(growing);
}

static rag_status fail_gone(const struct store_growing *growing, rag_error *error)
{
    return fail_with(error, RAG_INDEX_BUSY,
                     "%s: another process has put it in or taken it out meanwhile; do this "
                     "again",
                     growing->path);
}

/* ---- Beginning ---- */

/* The ids behind those that were given so far. */
static rag_status reserve_chunks(struct store *store, uint64_t chunks, int64_t *first,
                                 rag_error *error)
{
    static const int64_t most = INT64_C(1) << 62;
    sqlite3_stmt *statement;
    int64_t last;
    rag_status status = db_integer(store, "SELECT seq FROM sqlite_sequence WHERE name='chunks'",
                                   0, &last, error);
    if (status)
        return status;
    if (last < 0 || last > most || chunks > (uint64_t)most)
        return fail_with(error, RAG_INDEX,
                         "%s: the numbers of ids are damaged; `rag repair` mends them",
                         store->path);
    *first = last + 1;
    status = db_execute(store, "DELETE FROM sqlite_sequence WHERE name='chunks'", error);
    if (!status)
        status = db_prepare(store, &statement,
                            "INSERT INTO sqlite_sequence VALUES('chunks', ?)", error);
    if (status)
        return status;
    status = db_run(store, statement, error, "i", last + (int64_t)chunks);
    db_finish(store, statement);
    return status;
}

/* The earlier attempt that has most chunks; 0: there is none. */
static rag_status find_earlier(struct store_growing *growing, int64_t *document,
                               rag_error *error)
{
    struct store *store = growing->store;
    sqlite3_stmt *statement;
    bool row = false;
    rag_status status = db_prepare(store, &statement,
                                   "SELECT document FROM unfinished CROSS JOIN documents ON "
                                   "documents.id=document "
                                   "WHERE unfinished.collection=? AND unfinished.path=? "
                                   "ORDER BY chunks DESC LIMIT 1",
                                   error);
    if (!status)
        status = db_bind(store, statement, error, "tt", growing->collection, growing->path);
    if (!status)
        status = db_step(store, statement, &row, error);
    *document = row ? sqlite3_column_int64(statement, 0) : 0;
    db_finish(store, statement);
    return status;
}

static rag_status note_unfinished(struct store_growing *growing, rag_error *error)
{
    struct store *store = growing->store;
    sqlite3_stmt *statement;
    rag_status status =
        run_with_id(store, "UPDATE documents SET path=id WHERE id=?", growing->document, error);
    if (!status)
        status = db_prepare(store, &statement,
                            "INSERT INTO unfinished VALUES(?, ?, ?, unixepoch())", error);
    if (status)
        return status;
    status = db_run(store, statement, error, "itt", growing->document, growing->collection,
                    growing->path);
    db_finish(store, statement);
    return status;
}

static rag_status begin(struct store_growing *growing, const struct store_document *document,
                        rag_error *error)
{
    struct store *store = growing->store;
    struct store_recipe recipe;
    struct document_hashes hashes;
    int64_t earlier = 0, hidden = 0;
    struct store_document row = *document;
    row.path = "beginning";
    rag_status status = need_recipe(store, &recipe, error);
    growing->dimension = recipe.dimension;
    if (!status)
        status = find_earlier(growing, &earlier, error);
    if (!status)
        status = hidden_give_up(store, growing->collection, growing->path, earlier, error);
    if (!status)
        status = hash_bytes("", 0, &hashes.text, error);
    hashes.chunks = hashes.text;
    if (!status)
        status = hidden_collection(store, &hidden, error);
    if (!status)
        status = insert_document(store, hidden, &row, &hashes, 0, &growing->document, error);
    if (!status)
        status = note_unfinished(growing, error);
    if (!status)
        status = reserve_chunks(store, growing->promised, &growing->first_chunk, error);
    return status ? status : log_generation(store, error);
}

static rag_status prepare(struct store_growing *growing, const struct store_document *document,
                          rag_error *error)
{
    rag_status status = collection_check(collection_name(document->collection), error);
    if (!status && document->metadata)
        status = metadata_check(document->metadata, error);
    if (status)
        return fail_within(error, status, "%s", document->path);
    growing->shared = BUF_INIT((size_t)STORE_MAX_STRETCH);
    growing->collection = strdup(collection_name(document->collection));
    growing->path = strdup(document->path);
    if (!growing->collection || !growing->path)
        return fail_memory(error);
    status = hasher_new(&growing->text, error);
    return status ? status : hasher_new(&growing->chunks, error);
}

rag_status store_grow_begin(struct store *store, const struct store_document *document,
                            uint64_t chunks, struct store_growing **out, rag_error *error)
{
    *out = NULL;
    struct store_growing *growing = calloc(1, sizeof *growing);
    if (!growing)
        return fail_memory(error);
    growing->store = store;
    growing->promised = chunks;
    rag_status status = prepare(growing, document, error);
    if (!status) {
        store_lock(store);
        status = db_begin(store, DB_WRITE, error);
        if (!status)
            status = db_end(store, begin(growing, document, error), error);
        store_unlock(store);
    }
    if (status) {
        store_grow_free(growing);
        return status;
    }
    hidden_sweep(store);
    *out = growing;
    return RAG_OK;
}

/* ---- Growing ---- */

/* Whether it is still there, as this process has left it. */
static rag_status check_there(struct store_growing *growing, rag_error *error)
{
    struct store *store = growing->store;
    sqlite3_stmt *statement;
    bool row = false;
    rag_status status =
        db_prepare(store, &statement,
                   "SELECT 1 FROM unfinished CROSS JOIN documents ON documents.id=document "
                   "WHERE "
                   "document=? AND unfinished.path IS NOT NULL AND chunks=?",
                   error);
    if (!status)
        status =
            db_bind(store, statement, error, "ii", growing->document, (int64_t)growing->added);
    if (!status)
        status = db_step(store, statement, &row, error);
    db_finish(store, statement);
    return status || row ? status : fail_gone(growing, error);
}

/* What a stretch makes of the hashes; taken over when it is in the file. */
struct grown {
    struct hasher *text, *chunks;
    struct document_hashes hashes; /* of all that is there then */
};

static void grown_release(struct grown *grown)
{
    if (grown->text)
        hasher_finish(grown->text, NULL);
    if (grown->chunks)
        hasher_finish(grown->chunks, NULL);
    *grown = (struct grown){0};
}

static rag_status hash_so_far(const struct hasher *hasher, rag_text more, struct hash *out,
                              rag_error *error)
{
    struct hasher *copy;
    rag_status status = hasher_copy(hasher, &copy, error);
    if (status)
        return status;
    hasher_update(copy, more.size ? more.data : "", more.size);
    hasher_finish(copy, out);
    return RAG_OK;
}

static rag_status hash_stretch(const struct store_growing *growing,
                               const struct text_stretch *stretch,
                               const struct store_chunk *chunks, size_t count,
                               struct grown *out, rag_error *error)
{
    size_t own = stretch->text.size - stretch->beyond;
    const char *text = stretch->text.size ? stretch->text.data : "";
    rag_text beyond = {text + own, stretch->beyond}, none = {0};
    rag_status status = hasher_copy(growing->text, &out->text, error);
    if (!status)
        status = hasher_copy(growing->chunks, &out->chunks, error);
    if (!status)
        status = hash_chunks(out->chunks, chunks, count, growing->dimension, error);
    if (status)
        return status;
    hasher_update(out->text, text, own);
    status = hash_so_far(out->text, beyond, &out->hashes.text, error);
    return status ? status : hash_so_far(out->chunks, none, &out->hashes.chunks, error);
}

/* Headers may lie in what is in the file already. */
static rag_status check_headers(struct store_growing *growing, const struct store_chunk *chunks,
                                size_t count, rag_error *error)
{
    struct pieces pieces;
    rag_status status = pieces_open(growing->store, growing->document, &pieces, error);
    for (size_t i = 0; i < count && !status; i++) {
        bool good = true;
        if (chunks[i].header_end || chunks[i].header_begin)
            status = pieces_on_characters(&pieces, (int64_t)chunks[i].header_begin,
                                          (int64_t)chunks[i].header_end, &good, error);
        if (!status && !good)
            status = fail_place(growing->path, &chunks[i], growing->added + i, error);
    }
    pieces_close(&pieces);
    return status;
}

static rag_status update_row(const struct store_growing *growing, const struct grown *grown,
                             size_t count, rag_error *error)
{
    struct store *store = growing->store;
    sqlite3_stmt *statement;
    int64_t chunks = (int64_t)(growing->added + count);
    rag_status status = db_prepare(store, &statement,
                                   "UPDATE documents SET first_chunk=?, chunks=?, "
                                   "chunks_hash=?, text_hash=? WHERE id=?",
                                   error);
    if (!status)
        status =
            db_run(store, statement, error, "iibbi", chunks ? growing->first_chunk : 0, chunks,
                   (const void *)grown->hashes.chunks.bytes, sizeof grown->hashes.chunks.bytes,
                   (const void *)grown->hashes.text.bytes, sizeof grown->hashes.text.bytes,
                   growing->document);
    db_finish(store, statement);
    return status ? status
                  : run_with_id(store,
                                "UPDATE unfinished SET touched=unixepoch() WHERE document=?",
                                growing->document, error);
}

static rag_status add(struct store_growing *growing, const struct text_stretch *stretch,
                      const struct store_chunk *chunks, size_t count, const struct grown *grown,
                      rag_error *error)
{
    struct store *store = growing->store;
    struct chunk_numbers numbers = {
        .document = growing->document,
        .id = growing->first_chunk + (int64_t)growing->added,
        .number = growing->added,
    };
    rag_status status = check_there(growing, error);
    if (!status)
        status = words_up_to_date(store, error);
    if (!status && stretch->text.size > stretch->beyond)
        status = pieces_insert(store, growing->document, stretch, chunks, count, error);
    if (!status)
        status = check_headers(growing, chunks, count, error);
    if (!status)
        status =
            insert_chunks(store, &numbers, stretch, chunks, count, growing->dimension, error);
    if (!status)
        status = update_row(growing, grown, count, error);
    return status ? status : log_generation(store, error);
}

static bool follows(const struct store_growing *growing, const struct text_stretch *stretch)
{
    const struct buf *shared = &growing->shared;
    return stretch->beyond <= stretch->text.size &&
           stretch->text.size <= SIZE_MAX / 4 - stretch->begin &&
           stretch->text.size >= shared->size &&
           (!shared->size || memcmp(stretch->text.data, shared->data, shared->size) == 0);
}

/* Chunks that begin where the next stretch does are the next stretch's. */
static bool chunk_lies_in(const struct store_chunk *chunk, const struct text_stretch *stretch)
{
    size_t own = stretch->text.size - stretch->beyond, begin = chunk->begin - stretch->begin;
    return chunk->begin >= stretch->begin && begin < own && chunk->end >= chunk->begin &&
           lies_on_characters(stretch->text, begin, chunk->end - stretch->begin) &&
           chunk->header_begin <= chunk->header_end && chunk->header_end <= SIZE_MAX / 2 &&
           chunk->line >= 1 && chunk->line <= chunk->last_line;
}

static rag_status check_stretch(const struct store_growing *growing,
                                const struct text_stretch *stretch,
                                const struct store_chunk *chunks, size_t count,
                                rag_error *error)
{
    const char *path = growing->path;
    size_t size = stretch->text.size, own = size - stretch->beyond;
    if (!follows(growing, stretch) || size > STORE_MAX_STRETCH)
        return fail_with(error, RAG_INTERNAL,
                         "%s: %zu bytes are no stretch that goes on from byte %zu", path, size,
                         growing->begin);
    if (count > growing->promised - growing->added)
        return fail_with(error, RAG_INTERNAL,
                         "%s: more chunks than the %llu that were promised", path,
                         (unsigned long long)growing->promised);
    rag_status status = check_text(path, stretch->text, stretch->begin, error);
    if (!status && !lies_on_characters(stretch->text, own, own))
        status = fail_with(error, RAG_INTERNAL, "%s: a stretch ends within a character", path);
    for (size_t i = 0; i < count && !status; i++)
        status =
            chunk_lies_in(&chunks[i], stretch)
                ? check_chunk(path, &chunks[i], growing->added + i, growing->dimension, error)
                : fail_place(path, &chunks[i], growing->added + i, error);
    return status;
}

/* What was made ready takes the place of what was; nothing can fail any more. */
static void take_over(struct store_growing *growing, const struct text_stretch *stretch,
                      struct grown *grown, struct buf *shared, size_t count)
{
    struct grown old = {.text = growing->text, .chunks = growing->chunks};
    growing->text = grown->text;
    growing->chunks = grown->chunks;
    grown_release(&old);
    *grown = (struct grown){0};
    buf_release(&growing->shared);
    growing->shared = *shared;
    *shared = BUF_INIT(0);
    growing->begin += stretch->text.size - stretch->beyond;
    growing->added += count;
}

rag_status store_grow_add(struct store_growing *growing, rag_text text, size_t beyond,
                          const struct store_chunk *chunks, size_t count, rag_error *error)
{
    struct store *store = growing->store;
    struct text_stretch stretch = {text, growing->begin, growing->shared.size, beyond};
    struct grown grown = {0};
    struct buf shared = BUF_INIT((size_t)STORE_MAX_STRETCH);
    rag_status status = check_stretch(growing, &stretch, chunks, count, error);
    if (!status && beyond && !buf_append(&shared, text.data + text.size - beyond, beyond))
        status = fail_memory(error);
    if (!status)
        status = hash_stretch(growing, &stretch, chunks, count, &grown, error);
    if (!status) {
        store_lock(store);
        status = db_begin(store, DB_WRITE, error);
        if (!status)
            status = db_end(store, add(growing, &stretch, chunks, count, &grown, error), error);
        store_unlock(store);
    }
    if (!status)
        take_over(growing, &stretch, &grown, &shared, count);
    grown_release(&grown);
    buf_release(&shared);
    return status;
}

/* ---- Finishing ---- */

/* Of a text of no bytes, as any document has one. */
static rag_status insert_empty(const struct store_growing *growing, rag_error *error)
{
    struct text_stretch empty = {0};
    return growing->begin
               ? RAG_OK
               : pieces_insert(growing->store, growing->document, &empty, NULL, 0, error);
}

static rag_status show(const struct store_growing *growing, int64_t collection,
                       rag_error *error)
{
    struct store *store = growing->store;
    sqlite3_stmt *statement;
    rag_status status = db_prepare(
        store, &statement, "UPDATE documents SET collection=?, path=? WHERE id=?", error);
    if (status)
        return status;
    status =
        db_run(store, statement, error, "iti", collection, growing->path, growing->document);
    db_finish(store, statement);
    if (!status)
        status = run_with_id(store, "DELETE FROM unfinished WHERE document=?",
                             growing->document, error);
    return status ? status : hidden_tidy(store, error);
}

/* If others have given higher ids meanwhile, those who keep vectors have seen these: they
 * cannot add what now appears before them, and begin anew. */
static rag_status log_appearance(const struct store_growing *growing, rag_error *error)
{
    struct store *store = growing->store;
    int64_t last = 0, own = growing->first_chunk + (int64_t)growing->added - 1;
    rag_status status = db_integer(store, "SELECT max(id) FROM chunks", 0, &last, error);
    if (!status)
        status = log_generation(store, error);
    if (status || last <= own || !growing->added)
        return status;
    return db_execute(store,
                      "UPDATE state SET removals_from=generation; DELETE FROM removals "
                      "WHERE generation<=(SELECT removals_from FROM state)",
                      error);
}

static rag_status finish(struct store_growing *growing, rag_error *error)
{
    struct store *store = growing->store;
    int64_t collection = 0;
    bool replaced;
    rag_status status = check_there(growing, error);
    if (!status)
        status = words_up_to_date(store, error);
    if (!status)
        status = insert_empty(growing, error);
    if (!status)
        status = collection_find(store, growing->collection, true, &collection, error);
    if (!status)
        status = remove_path(store, collection, growing->path, &replaced, error);
    if (!status)
        status =
            hidden_give_up(store, growing->collection, growing->path, growing->document, error);
    if (!status)
        status = show(growing, collection, error);
    return status ? status : log_appearance(growing, error);
}

rag_status store_grow_finish(struct store_growing *growing, rag_error *error)
{
    struct store *store = growing->store;
    if (growing->added != growing->promised || growing->shared.size)
        return fail_with(
            error, RAG_INTERNAL,
            "%s: finished with %llu chunks of %llu, %zu bytes of a stretch missing",
            growing->path, (unsigned long long)growing->added,
            (unsigned long long)growing->promised, growing->shared.size);
    store_lock(store);
    rag_status status = db_begin(store, DB_WRITE, error);
    if (!status)
        status = db_end(store, finish(growing, error), error);
    store_unlock(store);
    if (!status)
        hidden_sweep(store);
    return status;
}
