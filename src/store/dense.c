#include "store/dense.h"
#include "base/memory.h"
#include "store/dot.h"
#include "store/sqlite.h"

#include <math.h>
#include <string.h>

enum {
    /* Of so few chunks that a filter lets through the vectors are read and compared. */
    FEW_ROWS = 1024,
    /* What codes give is more than asked for, because residuals may put neighbours whose scores
     * differ by less than 0.001 in the wrong order: so many, and one in so many. */
    MORE = 8,
    MORE_PART = 8,
    /* What a document is about is asked for each search, and takes as many vectors. */
    PART_CHUNKS = 1024,
};

void vector_from_file(const void *bytes, size_t dimension, float *vector)
{
    const unsigned char *p = bytes;
    for (size_t i = 0; i < dimension; i++, p += 4) {
        uint32_t bits =
            p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
        memcpy(&vector[i], &bits, sizeof bits);
    }
}

void vector_to_file(const float *vector, size_t dimension, unsigned char *bytes)
{
    for (size_t i = 0; i < dimension; i++) {
        uint32_t bits;
        memcpy(&bits, &vector[i], sizeof bits);
        for (size_t j = 0; j < 4; j++)
            *bytes++ = (unsigned char)(bits >> 8 * j);
    }
}

/* ---- Up to date ---- */

void dense_init(struct dense *dense)
{
    *dense = (struct dense){0};
    vector_cache_init(&dense->cache);
}

static void forget(struct dense *dense)
{
    matrix_release(&dense->matrix);
    free(dense->query);
    free(dense->vector);
    dense->query = dense->vector = NULL;
    dense->current = false;
}

void dense_release(struct dense *dense)
{
    forget(dense);
    sqlite3_finalize(dense->by_chunk);
    vector_cache_release(&dense->cache);
}

static rag_status load(struct store *store, struct dense *dense, rag_error *error)
{
    struct vector_state *state = &dense->state;
    size_t dimension = state->dimension;
    dense->stride = (dimension + DOT_BLOCK - 1) / DOT_BLOCK * DOT_BLOCK;
    dense->query = alloc_aligned(dense->stride, sizeof(float));
    dense->vector = alloc_aligned(dense->stride, sizeof(float));
    if (!dense->query || !dense->vector)
        return fail_memory(error);
    memset(dense->query, 0, dense->stride * sizeof(float));
    memset(dense->vector, 0, dense->stride * sizeof(float));
    if (state->chunks > DENSE_EXACT)
        return vector_cache_refresh(store, &dense->cache, state, error);
    vector_cache_release(&dense->cache);
    vector_cache_init(&dense->cache);
    return matrix_load(store, &dense->matrix, state->chunks, dimension, error);
}

/* Within a reading transaction. */
static rag_status refresh(struct store *store, rag_error *error)
{
    struct dense *dense = &store->dense;
    struct vector_state now;
    rag_status status = vector_state_read(store, &now, error);
    if (status || (dense->current && dense->state.generation == now.generation &&
                   dense->state.mark == now.mark))
        return status;
    forget(dense);
    status = vector_state_measure(store, &now, error);
    dense->state = now;
    if (!status && now.dimension)
        status = load(store, dense, error);
    dense->current = !status;
    return status;
}

static rag_status set_query(struct dense *dense, const float *query, rag_error *error)
{
    memcpy(dense->query, query, dense->state.dimension * sizeof(float));
    if (!isfinite(dot_plain(dense->query, dense->query, dense->stride)))
        return fail_with(error, RAG_INTERNAL, "the query's vector is not finite");
    return RAG_OK;
}

/* Begins a reading transaction in which everything is of one state. *any false: there is
 * nothing to be found. */
static rag_status begin(struct store *store, const float *query, bool *any, rag_error *error)
{
    rag_status status = db_begin(store, DB_READ, error);
    if (status)
        return status;
    status = refresh(store, error);
    *any = !status && store->dense.state.chunks && store->dense.query;
    if (*any)
        status = set_query(&store->dense, query, error);
    return status ? db_end(store, status, error) : RAG_OK;
}

/* ---- One vector ---- */

/* The vector of a chunk, [stride], until the next call; NULL if it has none. */
static rag_status find_vector(struct store *store, int64_t chunk, const float **vector,
                              rag_error *error)
{
    struct dense *dense = &store->dense;
    bool row = false;
    rag_status status = RAG_OK;
    *vector = NULL;
    if (dense->matrix.rows) {
        *vector = matrix_find(&dense->matrix, chunk);
        return RAG_OK;
    }
    if (!dense->by_chunk)
        status = db_prepare(store, &dense->by_chunk, "SELECT vector FROM vectors WHERE chunk=?",
                            error);
    if (!status)
        status = db_bind(store, dense->by_chunk, error, "i", chunk);
    if (!status)
        status = db_step(store, dense->by_chunk, &row, error);
    if (!status && row) {
        status = vector_read(store, dense->by_chunk, 0, chunk, dense->state.dimension,
                             dense->vector, error);
        *vector = status ? NULL : dense->vector;
    }
    sqlite3_reset(dense->by_chunk);
    return status;
}

/* NaN: there is no such chunk. */
static rag_status score_of(struct store *store, int64_t chunk, double *score, rag_error *error)
{
    const float *vector;
    const struct dense *dense = &store->dense;
    rag_status status = find_vector(store, chunk, &vector, error);
    *score = vector ? (double)dot_best()(dense->query, vector, dense->stride) : NAN;
    return status;
}

/* ---- Search ---- */

/* Rows of the cache that chunks of `within` have: [within->count] at most. */
static size_t find_ranges(const struct vector_cache *cache, const struct id_ranges *within,
                          struct row_range *ranges, size_t *rows)
{
    size_t count = 0;
    *rows = 0;
    for (size_t i = 0; i < within->count; i++) {
        struct row_range range;
        vector_cache_rows(cache, within->items[i].first, within->items[i].last, &range);
        if (range.first == range.end)
            continue;
        ranges[count++] = range;
        *rows += range.end - range.first;
    }
    return count;
}

static rag_status offer(struct store *store, int64_t chunk, struct scored_list *out,
                        rag_error *error)
{
    double score;
    rag_status status = score_of(store, chunk, &score, error);
    if (!status && !isnan(score))
        scored_list_offer(out, chunk, score);
    return status;
}

static rag_status offer_rows(struct store *store, const struct row_range *ranges, size_t count,
                             struct scored_list *out, rag_error *error)
{
    const int64_t *ids = cache_file_ids(&store->dense.cache.file);
    rag_status status = RAG_OK;
    for (size_t i = 0; i < count; i++)
        for (size_t row = ranges[i].first; row < ranges[i].end && !status; row++)
            status = offer(store, ids[row], out, error);
    return status;
}

/* The best rows by their codes, compared by their vectors. */
static rag_status offer_nearest(struct store *store, const struct row_range *ranges,
                                size_t count, struct scored_list *out, rag_error *error)
{
    struct vector_cache *cache = &store->dense.cache;
    const int64_t *ids = cache_file_ids(&cache->file);
    struct scan_table table;
    struct scored_list rows;
    size_t k = out->capacity + MORE + out->capacity / MORE_PART;
    vector_cache_table(cache, &table);
    rag_status status =
        scan_nearest(&table, ranges, count, store->dense.query, k, &cache->room, &rows, error);
    for (size_t i = 0; i < rows.count && !status; i++)
        status = offer(store, ids[rows.items[i].chunk_id], out, error);
    scored_list_release(&rows);
    return status;
}

static rag_status search_cache(struct store *store, const struct id_ranges *within,
                               struct scored_list *out, rag_error *error)
{
    const struct vector_cache *cache = &store->dense.cache;
    struct row_range all = {0, (size_t)cache->file.state.rows}, *ranges = &all;
    size_t count = 1, rows = all.end;
    if (within) {
        ranges = alloc_array(within->count, sizeof *ranges);
        if (!ranges)
            return fail_memory(error);
        count = find_ranges(cache, within, ranges, &rows);
    }
    rag_status status = rows <= FEW_ROWS ? offer_rows(store, ranges, count, out, error)
                                         : offer_nearest(store, ranges, count, out, error);
    if (within)
        free(ranges);
    return status;
}

static rag_status search(struct store *store, const float *query, size_t k,
                         const struct id_ranges *within, struct scored_list *out,
                         rag_error *error)
{
    struct dense *dense = &store->dense;
    bool any;
    rag_status status = begin(store, query, &any, error);
    if (status)
        return status;
    if (any && !scored_list_reserve(out, k, dense->state.chunks))
        status = fail_memory(error);
    else if (any && dense->matrix.rows)
        matrix_search(&dense->matrix, dense->query, within, out);
    else if (any && out->capacity)
        status = search_cache(store, within, out, error);
    scored_list_sort(out);
    return db_end(store, status, error);
}

rag_status store_search_dense(struct store *store, const float *query, size_t k,
                              const struct id_ranges *within, struct scored_list *out,
                              rag_error *error)
{
    *out = (struct scored_list){0};
    store_lock(store);
    rag_status status = search(store, query, k, within, out, error);
    store_unlock(store);
    return status;
}

/* ---- Scores of given chunks ---- */

rag_status store_score_dense(struct store *store, const float *query, const int64_t *ids,
                             size_t count, double *scores, rag_error *error)
{
    bool any;
    for (size_t i = 0; i < count; i++)
        scores[i] = NAN;
    store_lock(store);
    rag_status status = begin(store, query, &any, error);
    if (!status) {
        for (size_t i = 0; any && i < count && !status; i++)
            status = score_of(store, ids[i], &scores[i], error);
        status = db_end(store, status, error);
    }
    store_unlock(store);
    return status;
}

/* A part of a document: chunks with numbers from `first` to `end`, exclusive. */
struct part {
    int64_t document, first, end;
};

/* The part that a chunk belongs to: one of as many equal ones as a document has PART_CHUNKS. */
static rag_status find_part(struct store *store, sqlite3_stmt *statement, int64_t chunk,
                            struct part *out, rag_error *error)
{
    bool row = false;
    *out = (struct part){0};
    rag_status status = db_bind(store, statement, error, "i", chunk);
    if (!status)
        status = db_step(store, statement, &row, error);
    if (!status && row) {
        int64_t number = sqlite3_column_int64(statement, 1);
        int64_t chunks = sqlite3_column_int64(statement, 2);
        int64_t parts = chunks > 0 ? (chunks - 1) / PART_CHUNKS + 1 : 1;
        int64_t size = chunks > 0 ? (chunks - 1) / parts + 1 : 1;
        out->document = sqlite3_column_int64(statement, 0);
        if (number >= 0 && number < chunks) { /* as long as the file is not damaged */
            out->first = number / size * size;
            out->end = out->first + size;
        }
    }
    sqlite3_reset(statement);
    return status;
}

/* The cosine of the query with the sum of a part's vectors; NaN if it has but one. sum:
 * [stride]. */
static rag_status part_cosine(struct store *store, sqlite3_stmt *chunks,
                              const struct part *part, float *sum, double *cosine,
                              rag_error *error)
{
    const struct dense *dense = &store->dense;
    size_t rows = 0;
    bool row = true;
    memset(sum, 0, dense->stride * sizeof *sum);
    rag_status status =
        db_bind(store, chunks, error, "iii", part->document, part->first, part->end);
    while (!status && !(status = db_step(store, chunks, &row, error)) && row) {
        const float *vector;
        status = find_vector(store, sqlite3_column_int64(chunks, 0), &vector, error);
        for (size_t i = 0; vector && i < dense->stride; i++)
            sum[i] += vector[i];
        rows += vector != NULL;
    }
    sqlite3_reset(chunks);
    double norm = sqrt((double)dot_best()(sum, sum, dense->stride));
    double product = (double)dot_best()(dense->query, sum, dense->stride);
    *cosine = rows > 1 && norm > 0 ? product / norm : NAN;
    return status;
}

static rag_status score_documents(struct store *store, const int64_t *ids, size_t count,
                                  struct part *parts, float *sum, double *scores,
                                  rag_error *error)
{
    sqlite3_stmt *document = NULL, *chunks = NULL;
    rag_status status = db_prepare(store, &document,
                                   "SELECT document, number, documents.chunks FROM chunks JOIN "
                                   "documents ON documents.id=document WHERE chunks.id=?",
                                   error);
    if (!status)
        status = db_prepare(store, &chunks,
                            "SELECT id FROM chunks WHERE document=? AND number>=? AND number<?",
                            error);
    for (size_t i = 0; !status && i < count; i++) {
        size_t same = 0;
        status = find_part(store, document, ids[i], &parts[i], error);
        while (same < i && memcmp(&parts[same], &parts[i], sizeof *parts) != 0)
            same++;
        if (!status && same < i)
            scores[i] = scores[same];
        else if (!status && parts[i].document)
            status = part_cosine(store, chunks, &parts[i], sum, &scores[i], error);
    }
    sqlite3_finalize(document);
    sqlite3_finalize(chunks);
    return status;
}

static rag_status try_documents(struct store *store, const float *query, const int64_t *ids,
                                size_t count, double *scores, rag_error *error)
{
    bool any;
    rag_status status = begin(store, query, &any, error);
    if (status)
        return status;
    if (any) {
        struct part *parts = alloc_array(count, sizeof *parts);
        float *sum = alloc_aligned(store->dense.stride, sizeof *sum);
        status = parts && sum ? score_documents(store, ids, count, parts, sum, scores, error)
                              : fail_memory(error);
        free(parts);
        free(sum);
    }
    return db_end(store, status, error);
}

rag_status store_score_documents(struct store *store, const float *query, const int64_t *ids,
                                 size_t count, double *scores, rag_error *error)
{
    for (size_t i = 0; i < count; i++)
        scores[i] = NAN;
    store_lock(store);
    rag_status status = try_documents(store, query, ids, count, scores, error);
    store_unlock(store);
    return status;
}
