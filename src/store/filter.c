#include "store/filter.h"
#include "base/buf.h"
#include "base/memory.h"
#include "store/hidden.h"

#include <string.h>

/* ---- The last filter is kept ---- */

static bool append_number(struct buf *key, int64_t number)
{
    return buf_append(key, &number, sizeof number);
}

/* Each text with its NUL, behind their number. */
static bool append_texts(struct buf *key, const char *const *texts, size_t count)
{
    bool fits = append_number(key, (int64_t)count);
    for (size_t i = 0; i < count && fits; i++)
        fits = buf_append(key, texts[i], strlen(texts[i]) + 1);
    return fits;
}

/* What the outcome depends on: the filter, and the state of the file as this connection sees
 * it. */
static rag_status make_key(struct store *store, const struct store_filter *filter,
                           struct buf *key, rag_error *error)
{
    int64_t version;
    rag_status status = db_integer(store, "PRAGMA data_version", 0, &version, error);
    if (status)
        return status;
    bool fits = append_number(key, version) &&
                append_number(key, sqlite3_total_changes64(store->db)) &&
                append_number(key, filter->since) && append_number(key, filter->until) &&
                append_texts(key, filter->collections, filter->collection_count) &&
                append_texts(key, filter->formats, filter->format_count);
    for (size_t i = 0; i < filter->glob_count && fits; i++)
        fits = append_texts(key, &(const char *){filter->globs[i].pattern}, 1);
    for (size_t i = 0; i < filter->condition_count && fits; i++) {
        const struct condition *condition = &filter->conditions[i];
        fits = append_number(key, condition->comparison) &&
               append_texts(key, (const char *const[]){condition->key, condition->value}, 2);
    }
    return fits ? RAG_OK : fail_memory(error);
}

static rag_status copy_ranges(const struct id_ranges *from, struct id_ranges *to,
                              rag_error *error)
{
    *to = (struct id_ranges){.items = alloc_array(from->count, sizeof *to->items),
                             .count = from->count};
    if (!to->items)
        return fail_memory(error);
    if (from->count)
        memcpy(to->items, from->items, from->count * sizeof *to->items);
    return RAG_OK;
}

void filter_cache_release(struct filter_cache *cache)
{
    buf_release(&cache->key);
    id_ranges_release(&cache->ranges);
}

/* ---- Deciding ---- */

static bool is_one_of(rag_text text, const char *const *texts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(texts[i]) == text.size && memcmp(texts[i], text.data, text.size) == 0)
            return true;
    return count == 0;
}

static bool path_fits(const struct store_filter *filter, rag_text path)
{
    for (size_t i = 0; i < filter->glob_count; i++)
        if (glob_matches(&filter->globs[i], path.size ? path.data : "", path.size))
            return true;
    return filter->glob_count == 0;
}

enum { COLLECTION, FORMAT, PATH, METADATA, FIRST_CHUNK, CHUNKS };

static rag_status passes(const struct store_filter *filter, sqlite3_stmt *row, bool *out,
                         rag_error *error)
{
    *out =
        is_one_of(db_column(row, COLLECTION), filter->collections, filter->collection_count) &&
        is_one_of(db_column(row, FORMAT), filter->formats, filter->format_count) &&
        path_fits(filter, db_column(row, PATH));
    if (!*out || !filter->condition_count)
        return RAG_OK;
    return filter_metadata(filter, db_column(row, METADATA), out, error);
}

static bool push(struct id_ranges *ranges, size_t *capacity, struct id_range range)
{
    struct id_range *last = ranges->count ? &ranges->items[ranges->count - 1] : NULL;
    if (last && last->last < INT64_MAX && last->last + 1 == range.first) {
        last->last = range.last;
        return true;
    }
    if (!array_reserve(&ranges->items, capacity, ranges->count + 1, sizeof *ranges->items))
        return false;
    ranges->items[ranges->count++] = range;
    return true;
}

/* The ranges of a damaged file may not be in order: they are left out, and verify names them.
 */
static bool follows(const struct id_ranges *ranges, struct id_range range)
{
    return range.first > 0 && range.last >= range.first &&
           (!ranges->count || range.first > ranges->items[ranges->count - 1].last);
}

static rag_status evaluate(struct store *store, const struct store_filter *filter,
                           struct id_ranges *out, rag_error *error)
{
    sqlite3_stmt *statement;
    size_t capacity = 0;
    rag_status status =
        db_prepare(store, &statement,
                   "SELECT name, format, path, metadata, first_chunk, chunks FROM documents "
                   "JOIN collections ON collections.id=collection "
                   "WHERE chunks>0 AND modified BETWEEN ? AND ? AND " DOCUMENT_IS_FOUND
                   " ORDER BY first_chunk",
                   error);
    if (!status)
        status = db_bind(store, statement, error, "ii", filter->since, filter->until);
    while (!status) {
        bool row, good;
        status = db_step(store, statement, &row, error);
        if (status || !row)
            break;
        status = passes(filter, statement, &good, error);
        struct id_range range = {.first = sqlite3_column_int64(statement, FIRST_CHUNK)};
        if (!status && good &&
            !__builtin_add_overflow(range.first - 1, sqlite3_column_int64(statement, CHUNKS),
                                    &range.last) &&
            follows(out, range) && !push(out, &capacity, range))
            status = fail_memory(error);
    }
    db_finish(store, statement);
    return status;
}

static rag_status filter_within(struct store *store, const struct store_filter *filter,
                                struct id_ranges *out, rag_error *error)
{
    struct filter_cache *cache = &store->filter;
    struct buf key = BUF_INIT(SIZE_MAX);
    rag_status status = make_key(store, filter, &key, error);
    if (!status && (!cache->key.size || key.size != cache->key.size ||
                    memcmp(key.data, cache->key.data, key.size) != 0)) {
        filter_cache_release(cache);
        status = evaluate(store, filter, &cache->ranges, error);
        if (status)
            filter_cache_release(cache);
        else
            cache->key = key;
        key = status ? key : BUF_INIT(0);
    }
    buf_release(&key);
    return status ? status : copy_ranges(&cache->ranges, out, error);
}

rag_status store_filter(struct store *store, const struct store_filter *filter,
                        struct id_ranges *out, rag_error *error)
{
    *out = (struct id_ranges){0};
    store_lock(store);
    rag_status status = db_begin(store, DB_READ, error);
    if (!status)
        status = db_end(store, filter_within(store, filter, out, error), error);
    store_unlock(store);
    return status;
}
