#include "store/dense.h"
#include "base/memory.h"
#include "store/dot.h"
#include "store/sqlite.h"

#include <math.h>
#include <string.h>

enum {
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
    dense->query = NULL;
    dense->current = false;
}

void dense_release(struct dense *dense)
{
    forget(dense);
    vector_cache_release(&dense->cache);
}

static rag_status load(struct store *store, struct dense *dense, rag_error *error)
{
    struct vector_state *state = &dense->state;
    size_t dimension = state->dimension;
    dense->stride = (dimension + DOT_BLOCK - 1) / DOT_BLOCK * DOT_BLOCK;
    dense->query = alloc_aligned(dense->stride, sizeof(float));
    if (!dense->query)
        return fail_memory(error);
    memset(dense->query, 0, dense->stride * sizeof(float));
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

/* ---- Search ---- */

/* Rows of the cache that chunks of `within` have: [within->count] at most. */
static size_t find_ranges(const struct vector_cache *cache, const struct id_ranges *within,
                          struct row_range *ranges)
{
    size_t count = 0;
    for (size_t i = 0; i < within->count; i++) {
        vector_cache_rows(cache, within->items[i].first, within->items[i].last, &ranges[count]);
        count += ranges[count].first != ranges[count].end;
    }
    return count;
}

static rag_status search_cache(struct store *store, size_t k, const struct id_ranges *within,
                               struct scored_list *out, rag_error *error)
{
    struct vector_cache *cache = &store->dense.cache;
    const int64_t *ids = cache_file_ids(&cache->file);
    struct row_range all = {0, (size_t)cache->file.state.rows}, *ranges = &all;
    struct scan_table table;
    size_t count = 1;
    if (within) {
        ranges = alloc_array(within->count, sizeof *ranges);
        if (!ranges)
            return fail_memory(error);
        count = find_ranges(cache, within, ranges);
    }
    vector_cache_table(cache, &table);
    rag_status status =
        scan_nearest(&table, ranges, count, store->dense.query, k, &cache->room, out, error);
    for (size_t i = 0; i < out->count; i++)
        out->items[i].chunk_id = ids[out->items[i].chunk_id];
    if (within)
        free(ranges);
    return status;
}

static rag_status search_matrix(struct dense *dense, size_t k, const struct id_ranges *within,
                                struct scored_list *out, rag_error *error)
{
    if (!scored_list_reserve(out, k, dense->state.chunks))
        return fail_memory(error);
    matrix_search(&dense->matrix, dense->query, within, out);
    return RAG_OK;
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
    if (any && dense->matrix.rows)
        status = search_matrix(dense, k, within, out, error);
    else if (any)
        status = search_cache(store, k, within, out, error);
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

/* What chunks that are named are compared with: vectors in memory, or rows of the cache. */
struct comparison {
    const struct dense *dense;
    struct scan_table table;
    struct code_query query; /* table's */
};

/* Begins a reading transaction, as begin does. *any false: there is nothing to compare with. */
static rag_status comparison_begin(struct store *store, const float *query,
                                   struct comparison *c, bool *any, rag_error *error)
{
    const struct dense *dense = &store->dense;
    *c = (struct comparison){.dense = dense};
    rag_status status = begin(store, query, any, error);
    if (status || !*any || dense->matrix.rows)
        return status;
    vector_cache_table(&dense->cache, &c->table);
    if (code_query_init(&c->query, &dense->cache.coder, dense->query))
        return RAG_OK;
    return db_end(store, fail_memory(error), error);
}

static rag_status comparison_end(struct store *store, struct comparison *c, rag_status status,
                                 rag_error *error)
{
    code_query_release(&c->query);
    return db_end(store, status, error);
}

static double score_of(const struct comparison *c, int64_t chunk)
{
    size_t row;
    const struct dense *dense = c->dense;
    if (dense->matrix.rows) {
        const float *vector = matrix_find(&dense->matrix, chunk);
        return vector ? (double)dot_best()(dense->query, vector, dense->stride) : NAN;
    }
    if (!vector_cache_find(&dense->cache, chunk, &row))
        return NAN;
    float score = code_score_fine(c->table.kernels, &c->query, scan_rest(&c->table, row),
                                  scan_residual(&c->table, row));
    return isfinite(score) ? (double)score + (double)c->query.centre : NAN;
}

static rag_status score_all(struct store *store, const float *query, const int64_t *ids,
                            size_t count, double *scores, rag_error *error)
{
    bool any;
    struct comparison c;
    rag_status status = comparison_begin(store, query, &c, &any, error);
    if (status)
        return status;
    for (size_t i = 0; any && i < count; i++)
        scores[i] = score_of(&c, ids[i]);
    return comparison_end(store, &c, RAG_OK, error);
}

rag_status store_score_dense(struct store *store, const float *query, const int64_t *ids,
                             size_t count, double *scores, rag_error *error)
{
    for (size_t i = 0; i < count; i++)
        scores[i] = NAN;
    store_lock(store);
    rag_status status = score_all(store, query, ids, count, scores, error);
    store_unlock(store);
    return status;
}

/* ---- What a document is about ---- */

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

static void add_vector(const struct comparison *c, int64_t chunk, struct code_sum *sum)
{
    size_t row;
    const struct dense *dense = c->dense;
    if (dense->matrix.rows) {
        const float *vector = matrix_find(&dense->matrix, chunk);
        for (size_t i = 0; vector && i < dense->stride; i++)
            sum->rotated[i] += vector[i];
        sum->rows += vector != NULL;
    } else if (vector_cache_find(&dense->cache, chunk, &row)) {
        code_sum_add(c->table.coder, scan_rest(&c->table, row), scan_residual(&c->table, row),
                     sum);
    }
}

static double cosine_of(const struct comparison *c, const struct code_sum *sum)
{
    const struct dense *dense = c->dense;
    if (!dense->matrix.rows)
        return code_sum_cosine(c->table.coder, &c->query, sum);
    double norm = sqrt((double)dot_best()(sum->rotated, sum->rotated, dense->stride));
    double product = (double)dot_best()(dense->query, sum->rotated, dense->stride);
    return norm > 0 ? product / norm : NAN;
}

/* The components of a sum. */
static size_t sum_width(const struct comparison *c)
{
    return c->dense->matrix.rows ? c->dense->stride : c->table.coder->width;
}

/* The cosine of the query with the sum of a part's vectors; NaN if it has but one. room:
 * [sum_width]. */
static rag_status part_cosine(struct store *store, const struct comparison *c,
                              sqlite3_stmt *chunks, const struct part *part, float *room,
                              double *cosine, rag_error *error)
{
    struct code_sum sum = {.rotated = room};
    bool row = true;
    memset(room, 0, sum_width(c) * sizeof *room);
    rag_status status =
        db_bind(store, chunks, error, "iii", part->document, part->first, part->end);
    while (!status && !(status = db_step(store, chunks, &row, error)) && row)
        add_vector(c, sqlite3_column_int64(chunks, 0), &sum);
    sqlite3_reset(chunks);
    *cosine = sum.rows > 1 ? cosine_of(c, &sum) : NAN;
    return status;
}

static rag_status score_documents(struct store *store, const struct comparison *c,
                                  const int64_t *ids, size_t count, struct part *parts,
                                  float *room, double *scores, rag_error *error)
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
            status = part_cosine(store, c, chunks, &parts[i], room, &scores[i], error);
    }
    db_finish(store, document);
    db_finish(store, chunks);
    return status;
}

static rag_status try_documents(struct store *store, const float *query, const int64_t *ids,
                                size_t count, double *scores, rag_error *error)
{
    bool any;
    struct comparison c;
    rag_status status = comparison_begin(store, query, &c, &any, error);
    if (status || !any)
        return status ? status : comparison_end(store, &c, RAG_OK, error);
    struct part *parts = alloc_array(count, sizeof *parts);
    float *room = alloc_aligned(sum_width(&c), sizeof *room);
    status = parts && room ? score_documents(store, &c, ids, count, parts, room, scores, error)
                           : fail_memory(error);
    free(parts);
    free(room);
    return comparison_end(store, &c, status, error);
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
