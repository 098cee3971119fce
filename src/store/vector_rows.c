#include "store/vector_rows.h"
#include "base/memory.h"
#include "store/hidden.h"

#include <string.h>

enum {
    BATCH = 1024,  /* rows that are read, then coded by all threads */
    SAMPLE = 1024, /* vectors whose mean is the centre */
};

/* What is not finite has all bits of the exponent set. */
static bool all_are_finite(const float *vector, size_t n)
{
    uint32_t infinite = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &vector[i], sizeof bits);
        infinite |= (bits & 0x7f800000u) == 0x7f800000u;
    }
    return !infinite;
}

rag_status vector_read(struct store *store, sqlite3_stmt *statement, int column, int64_t chunk,
                       size_t dimension, float *vector, rag_error *error)
{
    rag_text bytes = db_column(statement, column);
    if (bytes.size == dimension * sizeof(float)) {
        vector_from_file(bytes.data, dimension, vector);
        if (all_are_finite(vector, dimension))
            return RAG_OK;
    }
    return fail_with(error, RAG_INDEX,
                     "%s: the vector of chunk %lld is damaged; `rag verify` lists what is "
                     "wrong: restore the file from a copy, or remove it and index again",
                     store->path, (long long)chunk);
}

/* ---- Rows behind those that are there ---- */

struct appending {
    struct store *store;
    struct vector_cache *cache;
    struct cache_state state;
    float *vectors; /* [BATCH x dimension] */
    uint32_t *blocks, *rest, *lower;
    int8_t *residuals;
    int64_t *ids;
};

static void appending_release(struct appending *a)
{
    free(a->vectors);
    free(a->blocks);
    free(a->rest);
    free(a->lower);
    free(a->residuals);
    free(a->ids);
}

static bool appending_init(struct appending *a, struct store *store, struct vector_cache *cache)
{
    const struct coder *coder = &cache->coder;
    *a = (struct appending){
        .store = store,
        .cache = cache,
        .state = cache->file.state,
        .vectors = alloc_array(BATCH * coder->dimension, sizeof(float)),
        .blocks = alloc_aligned(BATCH / CODE_ROWS * coder->block, sizeof(uint32_t)),
        .rest = alloc_aligned(BATCH * coder->rest, sizeof(uint32_t)),
        .lower = alloc_aligned(BATCH * coder->planes, sizeof(uint32_t)),
        .residuals = alloc_aligned(BATCH, 2 * coder->width),
        .ids = alloc_array(BATCH, sizeof(int64_t)),
    };
    return a->vectors && a->blocks && a->rest && a->lower && a->residuals && a->ids;
}

/* Codes the rows that were read; the first block may hold `held` older ones. */
static bool code_batch(struct appending *a, size_t held, size_t count)
{
    const struct coder *coder = &a->cache->coder;
    size_t blocks = (held + count + CODE_ROWS - 1) / CODE_ROWS;
    bool complete = true;
#pragma omp parallel if (blocks > 4)
    {
        float *room = alloc_aligned(coder->width, sizeof *room);
#pragma omp for schedule(static)
        for (size_t block = 0; block < blocks; block++) {
            size_t first = block ? block * CODE_ROWS - held : 0;
            size_t end = (block + 1) * CODE_ROWS - held;
            for (size_t i = first; room && i < end && i < count; i++) {
                struct code_place place = {.block = a->blocks + block * coder->block,
                                           .row = (held + i) % CODE_ROWS,
                                           .rest = a->rest + i * coder->rest,
                                           .lower = a->lower + i * coder->planes,
                                           .residual = a->residuals + i * 2 * coder->width};
                code_row(coder, a->vectors + i * coder->dimension, room, &place);
            }
        }
#pragma omp critical
        complete &= room != NULL;
        free(room);
    }
    return complete;
}

static rag_status write_batch(struct appending *a, size_t held, size_t count, rag_error *error)
{
    struct cache_file *file = &a->cache->file;
    const struct coder *coder = &a->cache->coder;
    size_t row = (size_t)a->state.rows, block = coder->block * sizeof(uint32_t);
    size_t rest = coder->rest * sizeof(uint32_t), lower = coder->planes * sizeof(uint32_t);
    size_t blocks = (held + count + CODE_ROWS - 1) / CODE_ROWS;
    rag_status status = cache_file_write(file, file->layout.blocks + row / CODE_ROWS * block,
                                         a->blocks, blocks * block, error);
    if (!status)
        status = cache_file_write(file, file->layout.rest + row * rest, a->rest, count * rest,
                                  error);
    if (!status)
        status = cache_file_write(file, file->layout.lower + row * lower, a->lower,
                                  count * lower, error);
    if (!status)
        status = cache_file_write(file, file->layout.residuals + row * 2 * coder->width,
                                  a->residuals, count * 2 * coder->width, error);
    if (!status)
        status = cache_file_write(file, file->layout.ids + row * sizeof(int64_t), a->ids,
                                  count * sizeof(int64_t), error);
    a->state.rows += count;
    a->state.live += count;
    if (count)
        a->state.last_chunk = a->ids[count - 1];
    return status;
}

/* Reads up to `most` rows. */
static rag_status read_batch(struct appending *a, struct vector_walk *walk, size_t most,
                             size_t *count, bool *more, rag_error *error)
{
    size_t dimension = a->cache->coder.dimension;
    rag_status status = RAG_OK;
    for (*count = 0; *count < most && !status; ++*count) {
        status = vector_walk_step(walk, more, error);
        if (status || !*more)
            return status;
        a->ids[*count] = sqlite3_column_int64(walk->statement, 0);
        status = vector_read(a->store, walk->statement, 1, a->ids[*count], dimension,
                             a->vectors + *count * dimension, error);
    }
    return status;
}

static rag_status append_batch(struct appending *a, struct vector_walk *walk, bool *more,
                               rag_error *error)
{
    struct scan_table table;
    const struct coder *coder = &a->cache->coder;
    size_t count, row = (size_t)a->state.rows, held = row % CODE_ROWS;
    rag_status status = read_batch(a, walk, BATCH - row % BATCH, &count, more, error);
    if (status || !count)
        return status;
    if (count > a->cache->file.capacity - row)
        return fail_with(error, RAG_NOT_FOUND, "the cache of vectors is full");
    for (size_t i = 0; i < BATCH / CODE_ROWS; i++)
        code_block_clear(coder, a->blocks + i * coder->block);
    vector_cache_table(a->cache, &table);
    if (held)
        memcpy(a->blocks, table.blocks + row / CODE_ROWS * coder->block,
               coder->block * sizeof *a->blocks);
    if (!code_batch(a, held, count))
        return fail_memory(error);
    return write_batch(a, held, count, error);
}

/* Adds all chunks with greater ids than the cache has seen. RAG_NOT_FOUND: there is no room. */
rag_status vector_rows_append(struct store *store, struct vector_cache *cache,
                              struct cache_state *state, rag_error *error)
{
    struct appending a;
    struct vector_walk walk = {0};
    bool more = true;
    rag_status status = RAG_OK;
    if (!appending_init(&a, store, cache))
        status = fail_memory(error);
    a.state = *state;
    if (!status)
        status = vector_walk_begin(store, state->last_chunk, &walk, error);
    while (!status && more)
        status = append_batch(&a, &walk, &more, error);
    vector_walk_end(&walk);
    appending_release(&a);
    *state = a.state;
    return status;
}

/* ---- Rows that go ---- */

/* The first row whose chunk is `id` or a later one. */
size_t vector_rows_find(const struct vector_cache *cache, int64_t id)
{
    const int64_t *ids = cache_file_ids(&cache->file);
    size_t low = 0, high = (size_t)cache->file.state.rows;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ids[middle] < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void vector_cache_rows(const struct vector_cache *cache, int64_t first, int64_t last,
                       struct row_range *rows)
{
    rows->first = vector_rows_find(cache, first);
    rows->end =
        last < INT64_MAX ? vector_rows_find(cache, last + 1) : (size_t)cache->file.state.rows;
    if (rows->end < rows->first)
        rows->end = rows->first;
}

bool vector_cache_find(const struct vector_cache *cache, int64_t chunk, size_t *row)
{
    struct scan_table table;
    *row = vector_rows_find(cache, chunk);
    if (*row >= cache->file.state.rows || cache_file_ids(&cache->file)[*row] != chunk)
        return false;
    vector_cache_table(cache, &table);
    return scan_has_row(&table, *row);
}

static rag_status take_out(struct vector_cache *cache, size_t row, struct cache_state *state,
                           rag_error *error)
{
    static const uint32_t none = CODE_NO_ROW;
    struct scan_table table;
    const struct coder *coder = &cache->coder;
    vector_cache_table(cache, &table);
    if (!scan_has_row(&table, row))
        return RAG_OK;
    size_t word = row / CODE_ROWS * coder->block + code_row_mark(coder, row % CODE_ROWS);
    state->live -= state->live > 0;
    return cache_file_write(&cache->file, cache->file.layout.blocks + word * sizeof none, &none,
                            sizeof none, error);
}

rag_status vector_rows_take_out(struct store *store, struct vector_cache *cache,
                                struct cache_state *state, rag_error *error)
{
    sqlite3_stmt *statement;
    const int64_t *ids = cache_file_ids(&cache->file);
    bool more = true;
    rag_status status =
        db_prepare(store, &statement,
                   "SELECT first_chunk, last_chunk FROM removals WHERE generation>?", error);
    if (!status)
        status = db_bind(store, statement, error, "i", state->generation);
    while (!status && !(status = db_step(store, statement, &more, error)) && more) {
        int64_t last = sqlite3_column_int64(statement, 1);
        size_t row = vector_rows_find(cache, sqlite3_column_int64(statement, 0));
        for (; !status && row < cache->file.state.rows && ids[row] <= last; row++)
            status = take_out(cache, row, state, error);
    }
    db_finish(store, statement);
    return status;
}

/* ---- The centre ---- */

static rag_status integer_pair(struct store *store, const char *sql, int64_t pair[2],
                               rag_error *error)
{
    sqlite3_stmt *statement;
    bool row = false;
    rag_status status = db_prepare(store, &statement, sql, error);
    if (!status)
        status = db_step(store, statement, &row, error);
    for (int i = 0; i < 2; i++)
        pair[i] = row ? sqlite3_column_int64(statement, i) : 0;
    db_finish(store, statement);
    return status;
}

/* The mean of vectors that lie evenly among the ids. */
static rag_status find_centre(struct store *store, size_t dimension, double *sum, float *vector,
                              rag_error *error)
{
    int64_t ends[2];
    sqlite3_stmt *statement = NULL;
    double count = 0;
    rag_status status = integer_pair(
        store, "SELECT (SELECT min(chunk) FROM vectors), (SELECT max(chunk) FROM vectors)",
        ends, error);
    if (!status)
        status = db_prepare(
            store, &statement,
            "SELECT chunk, vector FROM vectors WHERE chunk>=? ORDER BY chunk LIMIT 1", error);
    for (int i = 0; i < SAMPLE && !status; i++) {
        bool row = false;
        int64_t id = ends[0] + (int64_t)((double)(ends[1] - ends[0]) * i / SAMPLE);
        status = db_bind(store, statement, error, "i", id);
        if (!status)
            status = db_step(store, statement, &row, error);
        if (!status && row)
            status = vector_read(store, statement, 1, sqlite3_column_int64(statement, 0),
                                 dimension, vector, error);
        for (size_t j = 0; !status && row && j < dimension; j++)
            sum[j] += (double)vector[j];
        count += row;
        sqlite3_reset(statement);
    }
    db_finish(store, statement);
    for (size_t j = 0; j < dimension; j++)
        vector[j] = count > 0 ? (float)(sum[j] / count) : 0;
    return status;
}

rag_status vector_rows_choose_centre(struct store *store, struct vector_cache *cache,
                                     size_t dimension, rag_error *error)
{
    double *sum = alloc_zeroed(dimension, sizeof *sum);
    float *centre = alloc_array(dimension, sizeof *centre);
    rag_status status =
        sum && centre ? find_centre(store, dimension, sum, centre, error) : fail_memory(error);
    if (!status && !coder_init(&cache->coder, dimension, centre))
        status = fail_memory(error);
    free(sum);
    free(centre);
    if (!status)
        status = cache_file_write(&cache->file, cache->file.layout.centre, cache->coder.centre,
                                  cache->coder.width * sizeof(float), error);
    return status;
}
