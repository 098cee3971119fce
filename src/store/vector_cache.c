#include "store/vector_cache.h"
#include "base/memory.h"
#include "store/hidden.h"
#include "store/vector_rows.h"

#include <stdio.h>
#include <string.h>

enum {
    GROWTH = 2, /* room, in times of what is there */
    LEAST_ROOM = 1 << 15,
};

void vector_cache_init(struct vector_cache *cache)
{
    *cache = (struct vector_cache){.file = {.fd = -1}};
}

static void forget(struct vector_cache *cache)
{
    cache_file_close(&cache->file);
    coder_release(&cache->coder);
}

void vector_cache_release(struct vector_cache *cache)
{
    forget(cache);
    scan_room_release(&cache->room);
}

void vector_cache_table(const struct vector_cache *cache, struct scan_table *table)
{
    const struct cache_file *file = &cache->file;
    *table = (struct scan_table){
        .coder = &cache->coder,
        .kernels = cache->kernels,
        .blocks = (const uint32_t *)(const void *)(file->map + file->layout.blocks),
        .rest = (const uint32_t *)(const void *)(file->map + file->layout.rest),
        .lower = (const uint32_t *)(const void *)(file->map + file->layout.lower),
        .residuals = (const int8_t *)(file->map + file->layout.residuals),
        .rows = (size_t)file->state.rows,
    };
}

rag_status vector_state_read(struct store *store, struct vector_state *state, rag_error *error)
{
    sqlite3_stmt *statement;
    bool row = false;
    *state = (struct vector_state){0};
    rag_status status = db_prepare(store, &statement,
                                   "SELECT generation, removals_from, (SELECT mark FROM "
                                   "generations WHERE generations.generation=state.generation) "
                                   "FROM state",
                                   error);
    if (!status)
        status = db_step(store, statement, &row, error);
    if (!status && row) {
        state->generation = sqlite3_column_int64(statement, 0);
        state->removals_from = sqlite3_column_int64(statement, 1);
        state->marked = sqlite3_column_type(statement, 2) == SQLITE_INTEGER;
        state->mark = sqlite3_column_int64(statement, 2);
    }
    db_finish(store, statement);
    return status;
}

/* The number of chunks is what the small rows of documents say: counting vectors would read all
 * of them. */
rag_status vector_state_measure(struct store *store, struct vector_state *state,
                                rag_error *error)
{
    struct store_recipe recipe;
    bool present = false;
    int64_t chunks = 0;
    rag_status status = recipe_read(store, &recipe, &present, error);
    if (!status)
        status = db_integer(store, "SELECT sum(chunks) FROM documents WHERE " DOCUMENT_IS_FOUND,
                            0, &chunks, error);
    state->dimension = present ? recipe.dimension : 0;
    state->chunks = chunks > 0 ? (size_t)chunks : 0;
    return status;
}

/* ---- The whole anew ---- */

static rag_status fill(struct store *store, struct vector_cache *cache,
                       const struct vector_state *now, rag_error *error)
{
    struct cache_state state = {.generation = now->generation, .mark = now->mark};
    rag_status status = vector_rows_choose_centre(store, cache, now->dimension, error);
    if (!status)
        status = vector_rows_append(store, cache, &state, error);
    if (!status)
        status = cache_file_commit(&cache->file, &state, error);
    if (!status)
        status = cache_file_publish(&cache->file, error);
    return status;
}

/* path NULL: in private memory. *made false: another process has just done so. */
static rag_status build(struct store *store, struct vector_cache *cache, const char *path,
                        const struct vector_state *now, bool *made, rag_error *error)
{
    size_t room = now->chunks * GROWTH;
    forget(cache);
    rag_status status = cache_file_create(&cache->file, path, now->dimension,
                                          room < LEAST_ROOM ? LEAST_ROOM : room, made, error);
    if (!status && *made)
        status = fill(store, cache, now, error);
    if (status)
        forget(cache);
    return status;
}

/* ---- Keeping it up to date ---- */

static bool is_current(const struct vector_cache *cache, const struct vector_state *now)
{
    const struct cache_state *state = &cache->file.state;
    return cache->file.map && cache->coder.dimension == now->dimension &&
           state->generation == now->generation && state->mark == now->mark;
}

/* Whether the index went on from the state that the cache knows, and not too far. */
static rag_status can_follow(struct store *store, const struct vector_cache *cache,
                             const struct vector_state *now, bool *follows, rag_error *error)
{
    const struct cache_state *state = &cache->file.state;
    bool row = false;
    *follows = false;
    if (!cache->file.map || cache->coder.dimension != now->dimension || !now->marked ||
        !cache->file.writable || state->generation > now->generation ||
        state->generation < now->removals_from ||
        (state->rows > LEAST_ROOM && state->live < state->rows / 2))
        return RAG_OK;
    sqlite3_stmt *statement;
    rag_status status = db_prepare(
        store, &statement, "SELECT 1 FROM generations WHERE generation=? AND mark=?", error);
    if (!status)
        status = db_bind(store, statement, error, "ii", state->generation, state->mark);
    if (!status)
        status = db_step(store, statement, &row, error);
    db_finish(store, statement);
    *follows = row;
    return status;
}

/* RAG_NOT_FOUND: there is no room for what is new. */
static rag_status follow(struct store *store, struct vector_cache *cache,
                         const struct vector_state *now, rag_error *error)
{
    struct cache_state state = cache->file.state;
    rag_status status = vector_rows_take_out(store, cache, &state, error);
    if (!status)
        status = vector_rows_append(store, cache, &state, error);
    state.generation = now->generation;
    state.mark = now->mark;
    return status ? status : cache_file_commit(&cache->file, &state, error);
}

/* NAME.rag-cache of NAME.rag. NULL: out of memory. */
static char *cache_path(const char *index)
{
    size_t size = strlen(index) + sizeof "-cache";
    char *path = malloc(size);
    if (path)
        snprintf(path, size, "%s-cache", index);
    return path;
}

/* Opens the file beside the index if there is one. */
static rag_status open_cache(struct vector_cache *cache, const char *path,
                             const struct vector_state *now, rag_error *error)
{
    forget(cache);
    rag_status status = cache_file_open(&cache->file, path, now->dimension, error);
    if (status)
        return status;
    const float *centre =
        (const float *)(const void *)(cache->file.map + cache->file.layout.centre);
    if (coder_init(&cache->coder, now->dimension, centre))
        return RAG_OK;
    forget(cache);
    return fail_memory(error);
}

/* One attempt with the file: *done, or somebody else was faster and it is to be looked at
 * again. The file is locked while it is changed. */
static rag_status try_file(struct store *store, struct vector_cache *cache, const char *path,
                           const struct vector_state *now, bool *done, rag_error *error)
{
    bool same = true, follows = false;
    rag_status status = RAG_OK;
    *done = true;
    if (!cache->file.path || !cache_file_read_state(&cache->file) || !is_current(cache, now))
        status = open_cache(cache, path, now, error);
    if (status == RAG_NOT_FOUND)
        return build(store, cache, path, now, done, error);
    if (status || is_current(cache, now))
        return status;
    status = can_follow(store, cache, now, &follows, error);
    if (!status && !follows)
        return build(store, cache, path, now, done, error);
    if (!status)
        status = cache_file_lock(&cache->file, &same, error);
    if (status)
        return status;
    *done = same && cache_file_read_state(&cache->file);
    if (*done && !is_current(cache, now)) {
        status = can_follow(store, cache, now, &follows, error);
        if (!status)
            status = follows ? follow(store, cache, now, error) : RAG_NOT_FOUND;
    }
    cache_file_unlock(&cache->file);
    return status == RAG_NOT_FOUND ? build(store, cache, path, now, done, error) : status;
}

static rag_status refresh_file(struct store *store, struct vector_cache *cache,
                               const char *path, const struct vector_state *now,
                               rag_error *error)
{
    enum { ATTEMPTS = 10 };
    bool done = false;
    rag_status status = RAG_OK;
    for (int i = 0; i < ATTEMPTS && !status && !done; i++)
        status = try_file(store, cache, path, now, &done, error);
    if (!status && !done)
        return fail_with(error, RAG_INPUT, "%s: others change it again and again", path);
    return status;
}

static rag_status refresh_private(struct store *store, struct vector_cache *cache,
                                  const struct vector_state *now, rag_error *error)
{
    bool made, follows = false;
    rag_status status = RAG_OK;
    if (is_current(cache, now))
        return RAG_OK;
    if (!cache->file.path)
        status = can_follow(store, cache, now, &follows, error);
    if (!status && follows)
        status = follow(store, cache, now, error);
    if (status == RAG_NOT_FOUND || (!status && !follows))
        status = build(store, cache, NULL, now, &made, error);
    return status;
}

rag_status vector_cache_refresh(struct store *store, struct vector_cache *cache,
                                const struct vector_state *now, rag_error *error)
{
    if (is_current(cache, now))
        return RAG_OK;
    rag_status status = code_kernels_choose(&cache->kernels, error);
    if (status)
        return status;
    /* What cannot be kept in a file once, is kept in memory as long as the store is open. */
    bool private = !now->marked || (cache->file.map && !cache->file.path);
    if (!private) {
        char *path = cache_path(store->path);
        status = path ? refresh_file(store, cache, path, now, error) : fail_memory(error);
        free(path);
        if (status != RAG_INPUT)
            return status;
    }
    return refresh_private(store, cache, now, error);
}

/* ---- Verifying ---- */

struct comparison {
    struct scan_table table;
    struct code_place place; /* of the code as it must be */
    float *vector, *room;
};

static void comparison_release(struct comparison *c)
{
    free(c->place.block);
    free(c->place.rest);
    free(c->place.lower);
    free(c->place.residual);
    free(c->vector);
    free(c->room);
}

static bool comparison_init(struct comparison *c, const struct vector_cache *cache)
{
    const struct coder *coder = &cache->coder;
    *c = (struct comparison){
        .place = {.block = alloc_aligned(coder->block, sizeof(uint32_t)),
                  .rest = alloc_aligned(coder->rest, sizeof(uint32_t)),
                  .lower = alloc_aligned(coder->planes, sizeof(uint32_t)),
                  .residual = alloc_aligned(coder->width, 2)},
        .vector = alloc_array(coder->dimension, sizeof(float)),
        .room = alloc_aligned(coder->width, sizeof(float)),
    };
    vector_cache_table(cache, &c->table);
    return c->place.block && c->place.rest && c->place.lower && c->place.residual &&
           c->vector && c->room;
}

static bool is_equal(const struct comparison *c, size_t row)
{
    const struct coder *coder = c->table.coder;
    size_t lane = row % CODE_ROWS;
    const uint32_t *block = c->table.blocks + row / CODE_ROWS * coder->block;
    const uint8_t *bytes = (const uint8_t *)block, *right = (const uint8_t *)c->place.block;
    for (size_t b = 0; b < 4 * coder->prefix; b++)
        if (bytes[b * CODE_ROWS + lane] != right[b * CODE_ROWS])
            return false;
    if (block[code_row_mark(coder, lane)] != c->place.block[code_row_mark(coder, 0)])
        return false;
    return memcmp(c->place.rest, scan_rest(&c->table, row), coder->rest * 4) == 0 &&
           memcmp(c->place.lower, scan_lower(&c->table, row), coder->planes * 4) == 0 &&
           memcmp(c->place.residual, scan_residual(&c->table, row), 2 * coder->width) == 0;
}

static rag_status compare_all(struct store *store, const struct vector_cache *cache,
                              struct comparison *c, uint64_t *wrong, rag_error *error)
{
    const int64_t *ids = cache_file_ids(&cache->file);
    const struct coder *coder = &cache->coder;
    struct vector_walk walk;
    bool more = true;
    uint64_t chunks = 0;
    rag_status status = vector_walk_begin(store, 0, &walk, error);
    while (!status && !(status = vector_walk_step(&walk, &more, error)) && more) {
        int64_t id = sqlite3_column_int64(walk.statement, 0);
        size_t row = vector_rows_find(cache, id);
        status = vector_read(store, walk.statement, 1, id, coder->dimension, c->vector, error);
        if (status)
            break;
        code_row(coder, c->vector, c->room, &c->place);
        *wrong += row >= c->table.rows || ids[row] != id || !is_equal(c, row);
        chunks++;
    }
    vector_walk_end(&walk);
    uint64_t live = cache->file.state.live;
    *wrong += live > chunks ? live - chunks : 0; /* rows of chunks that are not there */
    return status;
}

static rag_status compare(struct store *store, struct vector_cache *cache,
                          const struct vector_state *now, bool *known, uint64_t *wrong,
                          rag_error *error)
{
    struct comparison c = {0};
    char *path = cache_path(store->path);
    rag_status status = path ? open_cache(cache, path, now, error) : fail_memory(error);
    free(path);
    *known = !status && is_current(cache, now);
    if (status == RAG_NOT_FOUND || (!status && !*known))
        return RAG_OK;
    if (!status && !comparison_init(&c, cache))
        status = fail_memory(error);
    if (!status)
        status = compare_all(store, cache, &c, wrong, error);
    comparison_release(&c);
    return status;
}

rag_status vector_cache_verify(struct store *store, bool *known, uint64_t *wrong,
                               rag_error *error)
{
    struct vector_cache cache;
    struct vector_state now;
    *known = false;
    *wrong = 0;
    rag_status status = vector_state_read(store, &now, error);
    if (!status)
        status = vector_state_measure(store, &now, error);
    if (status || !now.marked || !now.dimension)
        return status;
    vector_cache_init(&cache);
    status = compare(store, &cache, &now, known, wrong, error);
    vector_cache_release(&cache);
    return status;
}
