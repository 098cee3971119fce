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
    FEW_ROWS = 1024,      /* of so few the residuals of all are looked at */
};

/* Blocks of one run of rows. */
struct chunk {
    uint32_t block, count;
};

/* A row that may be among the best: the bound of the last step, and what the next one needs. */
struct scan_candidate {
    uint32_t row;
    float bound, signs;
};

struct search {
    const struct scan_table *table;
    struct scan_room *room;
    struct code_query query;
    const struct row_range *ranges;
    size_t range_count;
    struct chunk *chunks;
    size_t chunk_count, chunk_capacity;
    size_t hits, near; /* in the room: rows that step 1 leaves, and the later steps */
};

void scan_room_release(struct scan_room *room)
{
    free(room->bounds);
    free(room->hits);
    free(room->near);
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
            s->room->bounds[first++] = CODE_BOUND_NONE;
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
    return s->table->kernels->sift(s->room->bounds + first, (size_t)chunk->count * CODE_ROWS,
                                   least, first, rows);
}

/* The best rows by step 1, as keys: a greater bound is a greater key, then a smaller row. */
struct best {
    uint64_t *keys; /* [2 * wanted + CHUNK_ROWS] */
    size_t count, wanted;
    int16_t least; /* bounds below cannot be among them */
};

static bool best_init(struct best *best, size_t wanted)
{
    *best = (struct best){.wanted = wanted, .least = CODE_BOUND_NONE + 1};
    best->keys = alloc_array(2 * wanted + CHUNK_ROWS, sizeof *best->keys);
    return best->keys;
}

static uint64_t key_of(int16_t bound, uint32_t row)
{
    return (uint64_t)(bound - INT16_MIN) << 32 | (uint32_t)~row;
}

static uint32_t row_of(uint64_t key)
{
    return ~(uint32_t)key;
}

static int16_t bound_of(uint64_t key)
{
    return (int16_t)((int64_t)(key >> 32) + INT16_MIN);
}

/* Puts the greatest `wanted` keys first (Hoare's "Find", 1961). 0 < wanted < count. */
static void select_greatest(uint64_t *keys, size_t count, size_t wanted)
{
    size_t low = 0, high = count; /* keys before `low` are greater, from `high` on smaller */
    while (high - low > 1) {
        uint64_t pivot = keys[low + (high - low) / 2];
        size_t i = low, j = high;
        while (i < j) {
            while (keys[i] > pivot)
                i++;
            while (keys[j - 1] < pivot)
                j--;
            if (i + 1 < j) {
                uint64_t key = keys[i];
                keys[i++] = keys[j - 1];
                keys[--j] = key;
            } else {
                break; /* they met at the pivot, or have passed each other */
            }
        }
        if (wanted <= i)
            high = i;
        else if (wanted > j)
            low = j;
        else
            return;
    }
}

static void best_cut(struct best *best)
{
    if (best->count <= best->wanted)
        return;
    select_greatest(best->keys, best->count, best->wanted);
    best->count = best->wanted;
    uint64_t least = UINT64_MAX;
    for (size_t i = 0; i < best->count; i++)
        least = best->keys[i] < least ? best->keys[i] : least;
    best->least = bound_of(least);
}

static void scan_chunk(const struct search *s, const struct chunk *chunk, struct best *best)
{
    uint32_t rows[CHUNK_ROWS];
    size_t first = (size_t)chunk->block * CODE_ROWS;
    const int16_t *bounds = s->room->bounds;
    s->table->kernels->scan(&s->query,
                            s->table->blocks + (size_t)chunk->block * s->table->coder->block,
                            chunk->count, s->room->bounds + first);
    strike_others(s, first, first + chunk->count * CODE_ROWS);
    size_t count = sift(s, chunk, best->least, rows);
    for (size_t i = 0; i < count; i++)
        best->keys[best->count++] = key_of(bounds[rows[i]], rows[i]);
    if (best->count >= 2 * best->wanted)
        best_cut(best);
}

/* Adds the best of a thread's chunks to those of all. */
static void best_add(struct best *all, const struct best *some)
{
    for (size_t i = 0; i < some->count; i++)
        all->keys[all->count++] = some->keys[i];
    best_cut(all);
}

/* What a search has read last is still in the processor's caches: the next one begins there. */
static size_t turn(const struct search *s, size_t i)
{
    return s->room->backwards ? s->chunk_count - 1 - i : i;
}

/* Each thread keeps the best of its chunks; the best of all are those of one thread. */
static rag_status scan_all(struct search *s, size_t wanted, rag_error *error)
{
    struct best all;
    if (!best_init(&all, wanted))
        return fail_memory(error);
    bool complete = true;
#pragma omp parallel if (s->chunk_count >= PARALLEL_CHUNKS)
    {
        struct best best;
        bool ready = best_init(&best, wanted);
#pragma omp for schedule(static)
        for (size_t i = 0; i < s->chunk_count; i++)
            if (ready)
                scan_chunk(s, &s->chunks[turn(s, i)], &best);
        best_cut(&best);
#pragma omp critical
        {
            complete &= ready;
            if (ready)
                best_add(&all, &best);
        }
        free(best.keys);
    }
    s->room->backwards = !s->room->backwards;
    struct scan_room *room = s->room;
    if (complete)
        complete =
            array_reserve(&room->hits, &room->hit_capacity, all.count, sizeof *room->hits);
    for (s->hits = 0; complete && s->hits < all.count; s->hits++)
        room->hits[s->hits] = row_of(all.keys[s->hits]);
    free(all.keys);
    return complete ? RAG_OK : fail_memory(error);
}

/* All rows whose bound reaches `least`. */
static rag_status find_hits(struct search *s, double least, rag_error *error)
{
    struct scan_room *room = s->room;
    double whole = ceil(least * CODE_BOUND_SCALE);
    int16_t reach = CODE_BOUND_NONE + 1;
    if (whole > reach)
        reach = whole < INT16_MAX ? (int16_t)whole : INT16_MAX;
    s->hits = 0;
    for (size_t i = 0; i < s->chunk_count; i++) {
        if (!array_reserve(&room->hits, &room->hit_capacity, s->hits + CHUNK_ROWS,
                           sizeof *room->hits))
            return fail_memory(error);
        s->hits += sift(s, &s->chunks[i], reach, room->hits + s->hits);
    }
    return RAG_OK;
}

/* ---- Steps 2 to 5: the rows that can be among the best ---- */

static void fetch(const void *data, size_t size)
{
    for (size_t i = 0; i < size; i += 64)
        __builtin_prefetch((const char *)data + i);
}

/* b where a is NaN, as damaged codes make it. */
static float lesser(float a, float b)
{
    return a < b ? a : b;
}

/* Step 2 leaves of the hits those whose bound reaches `least`. */
static void look_at_signs(struct search *s, double least)
{
    float bounds[CODE_BATCH], signs[CODE_BATCH];
    const struct scan_table *table = s->table;
    const uint32_t *hits = s->room->hits;
    size_t rest = table->coder->rest * sizeof(uint32_t), fetched = 0, count;
    size_t lower = table->coder->planes * sizeof(uint32_t);
    s->near = 0;
    for (size_t first = 0; first < s->hits; first += count, hits += count) {
        size_t left = s->hits - first;
        count = left < CODE_BATCH ? left : CODE_BATCH;
        for (; fetched < s->hits && fetched < first + 2 * CODE_BATCH; fetched++)
            fetch(scan_rest(table, s->room->hits[fetched]), rest);
        code_bound_signs(table->kernels, &s->query, table->rest, s->room->bounds, hits, count,
                         bounds, signs);
        for (size_t i = 0; i < count; i++) {
            float whole = (float)s->room->bounds[hits[i]] / CODE_BOUND_SCALE;
            float bound = lesser(bounds[i], whole);
            if ((double)bound < least)
                continue;
            fetch(scan_lower(table, hits[i]), lower);
            s->room->near[s->near++] = (struct scan_candidate){hits[i], bound, signs[i]};
        }
    }
}

static int by_bound(const void *a, const void *b)
{
    const struct scan_candidate *x = a, *y = b;
    return (x->bound < y->bound) - (x->bound > y->bound);
}

/* Step 3 leaves of these those whose bound still does, the greatest first. */
static void look_at_levels(struct search *s, double least)
{
    uint32_t rows[CODE_BATCH];
    float bounds[CODE_BATCH], signs[CODE_BATCH];
    struct scan_candidate *near = s->room->near;
    size_t kept = 0, count;
    for (size_t first = 0; first < s->near; first += count) {
        size_t left = s->near - first;
        count = left < CODE_BATCH ? left : CODE_BATCH;
        for (size_t i = 0; i < count; i++) {
            rows[i] = near[first + i].row;
            signs[i] = near[first + i].signs;
        }
        code_bound_levels(s->table->kernels, &s->query, s->table->rest, s->table->lower, rows,
                          count, signs, bounds);
        for (size_t i = 0; i < count; i++) {
            struct scan_candidate next = near[first + i];
            next.bound = lesser(bounds[i], next.bound);
            if ((double)next.bound >= least)
                near[kept++] = next;
        }
    }
    s->near = kept;
    qsort(near, kept, sizeof *near, by_bound);
}

static bool is_full(const struct scored_list *list)
{
    return list->count == list->capacity;
}

/* Step 4. least: what the truth about a row is at least, of the k best. Those looked at are
 * near still, each with what it is at most. */
static void look_at_residuals(struct search *s, struct scored_list *least)
{
    struct scan_candidate *near = s->room->near;
    size_t width = s->table->coder->width, fetched = 0, count = 0;
    for (; count < s->near; count++) {
        float error;
        uint32_t row = near[count].row;
        if (is_full(least) && (double)near[count].bound < least->items[0].score)
            break;
        for (; fetched < s->near && fetched < count + AHEAD; fetched++)
            fetch(scan_residual(s->table, near[fetched].row), width);
        float score = code_score(s->table->kernels, &s->query, scan_rest(s->table, row),
                                 scan_residual(s->table, row), &error);
        if (!isfinite(score) || !isfinite(error)) { /* a damaged row */
            near[count].bound = -INFINITY;
            continue;
        }
        scored_list_offer(least, row, (double)(lesser(score, near[count].bound) - error));
        near[count].bound = lesser(score + error, near[count].bound);
    }
    s->near = count;
}

/* What the k-th best is at least. */
static double reach_of(const struct scored_list *least)
{
    return is_full(least) ? least->items[0].score : -INFINITY;
}

/* Step 5. */
static void look_at_all_bits(const struct search *s, double reach, struct scored_list *out)
{
    size_t width = s->table->coder->width;
    const struct scan_candidate *near = s->room->near;
    for (size_t i = 0; i < s->near; i++)
        if ((double)near[i].bound >= reach)
            fetch(scan_residual(s->table, near[i].row) + width, width);
    for (size_t i = 0; i < s->near; i++) {
        if ((double)near[i].bound < reach)
            continue;
        float score =
            code_score_fine(s->table->kernels, &s->query, scan_rest(s->table, near[i].row),
                            scan_residual(s->table, near[i].row));
        if (isfinite(score))
            scored_list_offer(out, near[i].row, (double)score + (double)s->query.centre);
    }
}

/* Looks at the hits closer, as far as they can be among the k best. */
static rag_status look_closer(struct search *s, double reach, struct scored_list *least,
                              rag_error *error)
{
    struct scan_room *room = s->room;
    if (!array_reserve(&room->near, &room->near_capacity, s->hits, sizeof *room->near))
        return fail_memory(error);
    look_at_signs(s, reach);
    look_at_levels(s, reach);
    look_at_residuals(s, least);
    return RAG_OK;
}

/* Steps 1 to 4. least, first: lists of k. */
static rag_status find_near(struct search *s, size_t k, struct scored_list *first,
                            struct scored_list *least, rag_error *error)
{
    size_t wanted = k > FIRST_ROWS / FIRST_TIMES_K ? k * FIRST_TIMES_K : FIRST_ROWS;
    rag_status status = scan_all(s, wanted, error);
    if (!status)
        status = look_closer(s, -INFINITY, first, error);
    if (!status)
        status = find_hits(s, reach_of(first), error);
    return status ? status : look_closer(s, reach_of(first), least, error);
}

static size_t count_rows(const struct search *s)
{
    size_t rows = 0;
    for (size_t i = 0; i < s->range_count; i++)
        rows += s->ranges[i].end - s->ranges[i].first;
    return rows;
}

/* Step 4 for all rows of the ranges. */
static rag_status take_all(struct search *s, size_t rows, struct scored_list *least,
                           rag_error *error)
{
    struct scan_room *room = s->room;
    if (!array_reserve(&room->near, &room->near_capacity, rows, sizeof *room->near))
        return fail_memory(error);
    s->near = 0;
    for (size_t i = 0; i < s->range_count; i++)
        for (size_t row = s->ranges[i].first; row < s->ranges[i].end; row++)
            if (scan_has_row(s->table, row))
                room->near[s->near++] =
                    (struct scan_candidate){.row = (uint32_t)row, .bound = INFINITY};
    look_at_residuals(s, least);
    return RAG_OK;
}

static rag_status search(struct search *s, size_t k, struct scored_list *out, rag_error *error)
{
    struct scored_list first, least;
    size_t rows = count_rows(s);
    bool ready = scored_list_reserve(&first, k, SIZE_MAX);
    ready &= scored_list_reserve(&least, k, SIZE_MAX);
    rag_status status = !ready            ? fail_memory(error)
                        : rows > FEW_ROWS ? find_near(s, k, &first, &least, error)
                                          : take_all(s, rows, &least, error);
    if (!status)
        look_at_all_bits(s, reach_of(&least), out);
    scored_list_release(&first);
    scored_list_release(&least);
    return status;
}

rag_status scan_nearest(const struct scan_table *table, const struct row_range *ranges,
                        size_t count, const float *query, size_t k, struct scan_room *room,
                        struct scored_list *out, rag_error *error)
{
    struct search s = {.table = table, .ranges = ranges, .range_count = count, .room = room};
    *out = (struct scored_list){0};
    k = k < table->rows ? k : table->rows;
    rag_status status = RAG_OK;
    if (!k || !count)
        return RAG_OK;
    if (room_reserve(room, table->rows) && choose_blocks(&s) &&
        code_query_init(&s.query, table->coder, query) && scored_list_reserve(out, k, SIZE_MAX))
        status = search(&s, k, out, error);
    else
        status = fail_memory(error);
    code_query_release(&s.query);
    free(s.chunks);
    if (status)
        scored_list_release(out);
    return status;
}
