#include "store/scan.h"
#include "base/memory.h"

#include <math.h>

enum {
    CHUNK_BLOCKS = 64, /* of rows that are scanned, then sifted while in the first cache */
    CHUNK_ROWS = CHUNK_BLOCKS * CODE_ROWS,
    FIRST_ROWS = 64,      /* looked at closer at once, but at least ... */
    FIRST_TIMES_K = 3,    /* ... this often k */
    AHEAD = 16,           /* rows that are fetched ahead */
    PARALLEL_CHUNKS = 64, /* fewer rows than 65,536 are not worth waiting for threads */
};

/* Blocks of one run of rows. */
struct chunk {
    uint32_t block, count;
};

struct search {
    const struct scan_table *table;
    struct code_query query;
    const struct row_range *ranges;
    size_t range_count;
    struct chunk *chunks;
    size_t chunk_count, chunk_capacity;
    int16_t *bounds; /* of the rows of chunks; of others nothing */
    uint32_t *hits;
    size_t hit_count, hit_capacity;
    struct scored_list first; /* the best by step 1 */
};

void scan_room_release(struct scan_room *room)
{
    free(room->bounds);
    *room = (struct scan_room){0};
}

static bool room_reserve(struct scan_room *room, size_t rows)
{
    size_t needed = (rows + CODE_ROWS - 1) / CODE_ROWS * CODE_ROWS;
    if (needed <= room->capacity)
        return true;
    size_t capacity = needed + needed / 8;
    scan_room_release(room);
    room->bounds = alloc_aligned(capacity, sizeof *room->bounds);
    room->capacity = room->bounds ? capacity : 0;
    return room->bounds;
}

/* ---- Which blocks ---- */

/* Cuts the blocks [first, end) into chunks. */
static bool add_blocks(struct search *s, size_t first, size_t end)
{
    while (first < end) {
        size_t count = end - first < CHUNK_BLOCKS ? end - first : CHUNK_BLOCKS;
        if (!array_reserve(&s->chunks, &s->chunk_capacity, s->chunk_count + 1,
                           sizeof *s->chunks))
            return false;
        s->chunks[s->chunk_count++] = (struct chunk){(uint32_t)first, (uint32_t)count};
        first += count;
    }
    return true;
}

/* Ranges that meet in a block make one run of blocks. */
static bool choose_blocks(struct search *s)
{
    size_t first = 0, end = 0;
    for (size_t i = 0; i < s->range_count; i++) {
        size_t begin = s->ranges[i].first / CODE_ROWS;
        size_t stop = (s->ranges[i].end + CODE_ROWS - 1) / CODE_ROWS;
        if (begin > end) {
            if (!add_blocks(s, first, end))
                return false;
            first = begin;
        } else if (!i) {
            first = begin;
        }
        end = stop;
    }
    return add_blocks(s, first, end);
}

/* Strikes out the rows [first, end) of a chunk that lie in no range. `range`: the first one
 * that ends behind `first`. */
static void strike_others(const struct search *s, size_t first, size_t end)
{
    size_t low = 0, high = s->range_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->ranges[middle].end > first)
            high = middle;
        else
            low = middle + 1;
    }
    for (; first < end; low++) {
        size_t begin =
            low < s->range_count && s->ranges[low].first < end ? s->ranges[low].first : end;
        while (first < begin)
            s->bounds[first++] = CODE_BOUND_NONE;
        if (begin < end)
            first = s->ranges[low].end;
    }
}

/* ---- Step 1: all rows ---- */

/* The rows of a chunk whose bound is `least` or more. rows: room for CHUNK_ROWS. */
static size_t sift(const struct search *s, const struct chunk *chunk, int16_t least,
                   uint32_t *rows)
{
    uint32_t first = chunk->block * CODE_ROWS;
    return s->table->kernels->sift(s->bounds + first, (size_t)chunk->count * CODE_ROWS, least,
                                   first, rows);
}

static bool is_full(const struct scored_list *list)
{
    return list->count == list->capacity;
}

static void scan_chunk(const struct search *s, const struct chunk *chunk,
                       struct scored_list *best)
{
    uint32_t rows[CHUNK_ROWS];
    size_t first = (size_t)chunk->block * CODE_ROWS;
    s->table->kernels->scan(&s->query,
                            s->table->blocks + (size_t)chunk->block * s->table->coder->block,
                            chunk->count, s->bounds + first);
    strike_others(s, first, first + chunk->count * CODE_ROWS);
    int16_t least = CODE_BOUND_NONE + 1;
    if (is_full(best))
        least = (int16_t)best->items[0].score;
    size_t count = sift(s, chunk, least, rows);
    for (size_t i = 0; i < count; i++)
        scored_list_offer(best, rows[i], (double)s->bounds[rows[i]]);
}

/* Each thread keeps the best of its chunks; the best of all are those of one thread. */
static rag_status scan_all(struct search *s, size_t count, rag_error *error)
{
    if (!scored_list_reserve(&s->first, count, SIZE_MAX))
        return fail_memory(error);
    bool complete = true;
#pragma omp parallel if (s->chunk_count >= PARALLEL_CHUNKS)
    {
        struct scored_list best;
        bool ready = scored_list_reserve(&best, count, SIZE_MAX);
#pragma omp for schedule(static)
        for (size_t i = 0; i < s->chunk_count; i++)
            if (ready)
                scan_chunk(s, &s->chunks[i], &best);
#pragma omp critical
        {
            complete &= ready;
            for (size_t i = 0; ready && i < best.count; i++)
                scored_list_offer(&s->first, best.items[i].chunk_id, best.items[i].score);
        }
        scored_list_release(&best);
    }
    return complete ? RAG_OK : fail_memory(error);
}

/* ---- Steps 2 and 3: the rows that can be among the best ---- */

static const uint32_t *fine_code(const struct search *s, size_t row)
{
    return s->table->fine + row * s->table->coder->fine;
}

static const int8_t *residual_of(const struct search *s, size_t row)
{
    return s->table->residuals + row * s->table->coder->width;
}

static void fetch(const void *data, size_t size)
{
    for (size_t i = 0; i < size; i += 64)
        __builtin_prefetch((const char *)data + i);
}

static double key_of(const struct search *s, size_t row, double bound)
{
    double score = (double)code_score(s->table->kernels, &s->query, fine_code(s, row),
                                      residual_of(s, row));
    return score < bound ? score : bound;
}

/* The least key that the k best can have; -infinity if not even k rows are there. */
static rag_status first_keys(struct search *s, size_t k, double *least, rag_error *error)
{
    struct scored_list keys;
    const struct coder *coder = s->table->coder;
    if (!scored_list_reserve(&keys, k, SIZE_MAX))
        return fail_memory(error);
    scored_list_sort(&s->first);
    for (size_t i = 0; i < s->first.count; i++) {
        fetch(fine_code(s, (size_t)s->first.items[i].chunk_id), coder->fine * sizeof(uint32_t));
        fetch(residual_of(s, (size_t)s->first.items[i].chunk_id), coder->width);
    }
    for (size_t i = 0; i < s->first.count; i++) {
        size_t row = (size_t)s->first.items[i].chunk_id;
        double bound = s->first.items[i].score / CODE_BOUND_SCALE;
        double fine = (double)s->table->kernels->fine(&s->query, fine_code(s, row));
        scored_list_offer(&keys, (int64_t)row, key_of(s, row, fine < bound ? fine : bound));
    }
    *least = is_full(&keys) ? keys.items[0].score : -INFINITY;
    scored_list_release(&keys);
    return RAG_OK;
}

static rag_status find_hits(struct search *s, double least, rag_error *error)
{
    double whole = ceil(least * CODE_BOUND_SCALE);
    int16_t reach = CODE_BOUND_NONE + 1;
    if (whole > reach)
        reach = whole < INT16_MAX ? (int16_t)whole : INT16_MAX;
    for (size_t i = 0; i < s->chunk_count; i++) {
        if (!array_reserve(&s->hits, &s->hit_capacity, s->hit_count + CHUNK_ROWS,
                           sizeof *s->hits))
            return fail_memory(error);
        s->hit_count += sift(s, &s->chunks[i], reach, s->hits + s->hit_count);
    }
    return RAG_OK;
}

static int by_bound(const void *a, const void *b)
{
    const struct scored *x = a, *y = b;
    return (x->score < y->score) - (x->score > y->score);
}

/* The hits whose fine bound reaches `least`, the greatest first. close: [hit_count]. */
static size_t look_closer(const struct search *s, double least, struct scored *close)
{
    size_t count = 0, size = s->table->coder->fine * sizeof(uint32_t);
    for (size_t i = 0; i < s->hit_count; i++) {
        if (i + AHEAD < s->hit_count)
            fetch(fine_code(s, s->hits[i + AHEAD]), size);
        size_t row = s->hits[i];
        double bound = (double)s->bounds[row] / CODE_BOUND_SCALE;
        double fine = (double)s->table->kernels->fine(&s->query, fine_code(s, row));
        bound = fine < bound ? fine : bound;
        if (bound >= least)
            close[count++] = (struct scored){.chunk_id = (int64_t)row, .score = bound};
    }
    qsort(close, count, sizeof *close, by_bound);
    return count;
}

static void score(const struct search *s, const struct scored *close, size_t count,
                  struct scored_list *out)
{
    size_t width = s->table->coder->width, fetched = 0;
    for (size_t i = 0; i < count; i++) {
        if (is_full(out) && close[i].score < out->items[0].score)
            break;
        for (; fetched < count && fetched < i + AHEAD; fetched++)
            fetch(residual_of(s, (size_t)close[fetched].chunk_id), width);
        scored_list_offer(out, close[i].chunk_id,
                          key_of(s, (size_t)close[i].chunk_id, close[i].score));
    }
    for (size_t i = 0; i < out->count; i++)
        out->items[i].score += (double)s->query.centre;
}

static rag_status search(struct search *s, size_t k, struct scored_list *out, rag_error *error)
{
    double least = 0;
    size_t first = k > FIRST_ROWS / FIRST_TIMES_K ? k * FIRST_TIMES_K : FIRST_ROWS;
    rag_status status = scan_all(s, first, error);
    if (!status)
        status = first_keys(s, k, &least, error);
    if (!status)
        status = find_hits(s, least, error);
    if (status)
        return status;
    struct scored *close = alloc_array(s->hit_count, sizeof *close);
    if (close)
        score(s, close, look_closer(s, least, close), out);
    else
        status = fail_memory(error);
    free(close);
    return status;
}

rag_status scan_nearest(const struct scan_table *table, const struct row_range *ranges,
                        size_t count, const float *query, size_t k, struct scan_room *room,
                        struct scored_list *out, rag_error *error)
{
    struct search s = {.table = table, .ranges = ranges, .range_count = count};
    *out = (struct scored_list){0};
    k = k < table->rows ? k : table->rows;
    rag_status status = RAG_OK;
    if (!k || !count)
        return RAG_OK;
    if (room_reserve(room, table->rows) && choose_blocks(&s) &&
        code_query_init(&s.query, table->coder, query) &&
        scored_list_reserve(out, k, SIZE_MAX)) {
        s.bounds = room->bounds;
        status = search(&s, k, out, error);
    } else {
        status = fail_memory(error);
    }
    code_query_release(&s.query);
    free(s.chunks);
    free(s.hits);
    scored_list_release(&s.first);
    if (status)
        scored_list_release(out);
    return status;
}
