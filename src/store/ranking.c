#include "store/ranking.h"
#include "base/memory.h"
#include "store/scored.h"

#include <math.h>
#include <string.h>

/* BM25's parameters. K1 0.9 instead of the usual 1.2: nDCG@10 on xquad-zh, xquad-en,
 * cmrc2018-trial and drcd-dev rises by 0.0006 to 0.0009, 1.5 is lower on each, and B 0.4 with
 * it better on none. A smaller weight for single Han characters gains up to 0.0006 on two
 * sets and loses as much or more on drcd-dev, the largest. A term that a chunk of average
 * length holds once counts idf, so that the sum of all idf is the ceiling. */
static const double K1 = 0.9, B = 0.75;

/* What sums of bounds may be off by rounding, and more. */
static const double SLACK = 1 + 1e-9;

/* A window of ids, and what is known of its chunks. */
struct window {
    int64_t from;
    const uint32_t *lengths;
    double scores[POSTINGS_WINDOW];
    double held[POSTINGS_WINDOW];    /* the idf of the units that a candidate has */
    bool alive[POSTINGS_WINDOW];     /* a candidate */
    uint16_t slots[POSTINGS_WINDOW]; /* of the candidates, in no order */
    size_t count;
    uint64_t allowed[POSTINGS_WINDOW / 64]; /* by the gates */
    struct posting list[POSTINGS_WINDOW];
};

struct ranking {
    struct word_index *index;
    struct chunk_lengths *lengths;
    struct unit *units; /* those that score come first, the rarest of them first */
    size_t scored, count;
    double *bounds; /* [scored + 1]: the most that the units from here on can add */
    bool gated;     /* not all chunks may be found */
    const struct id_ranges *within;
    size_t range; /* of them, the one in hand */
    double average;
    struct scored_list *out;
    struct window *window;
};

void unit_release(struct unit *unit)
{
    postings_close(&unit->postings);
    free(unit->list);
    *unit = (struct unit){0};
}

double unit_idf(uint64_t chunks, uint64_t rows)
{
    double n = (double)rows, df = (double)(chunks < rows ? chunks : rows);
    return log1p((n - df + 0.5) / (df + 0.5));
}

/* The score that a candidate has to surpass: ids ascend, so an equal one comes too late. */
static double threshold(const struct ranking *ranking)
{
    const struct scored_list *out = ranking->out;
    return out->count < out->capacity ? -1 : out->items[0].score;
}

static bool hopeless(double score, double bound, double bar)
{
    return (score + bound) * SLACK <= bar;
}

static rag_status unit_peek(struct unit *unit, int64_t *chunk, rag_error *error)
{
    if (!unit->list)
        return postings_peek(&unit->postings, chunk, error);
    *chunk = unit->list_at < unit->list_count ? unit->list[unit->list_at].chunk : INT64_MAX;
    return RAG_OK;
}

static rag_status unit_window(struct unit *unit, int64_t from, int64_t to, struct posting *out,
                              size_t *count, rag_error *error)
{
    if (!unit->list)
        return postings_window(&unit->postings, from, to, out, count, error);
    size_t at = unit->list_at, end = unit->list_count, begin;
    while (at < end) {
        size_t middle = at + (end - at) / 2;
        if (unit->list[middle].chunk < from)
            at = middle + 1;
        else
            end = middle;
    }
    for (begin = at; at < unit->list_count && unit->list[at].chunk < to; at++)
        out[at - begin] = unit->list[at];
    unit->list_at = at;
    *count = at - begin;
    return RAG_OK;
}

/* ---- One window ---- */

static double weight(const struct ranking *ranking, const struct unit *unit, uint32_t count,
                     uint32_t length)
{
    double norm = K1 * (1 - B + B * length / ranking->average);
    return unit->idf * count * (K1 + 1) / (count + norm);
}

static bool is_gate(const struct unit *unit)
{
    return unit->role != UNIT_SCORED;
}

static void set_bits(uint64_t *bits, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        bits[i / 64] |= UINT64_C(1) << i % 64;
}

/* The chunks of a window that are in the ranges. */
static void allow_ranges(struct ranking *ranking)
{
    struct window *window = ranking->window;
    const struct id_ranges *within = ranking->within;
    int64_t end = window_end(window->from);
    memset(window->allowed, within ? 0 : 0xff, sizeof window->allowed);
    for (size_t i = ranking->range; within && i < within->count; i++) {
        struct id_range range = within->items[i];
        if (range.first >= end)
            break;
        int64_t from = range.first > window->from ? range.first : window->from;
        int64_t to = range.last < end ? range.last + 1 : end;
        set_bits(window->allowed, (size_t)(from - window->from), (size_t)(to - window->from));
    }
}

/* The first id from this one on that is in the ranges; INT64_MAX: none. */
static int64_t next_allowed(struct ranking *ranking, int64_t chunk)
{
    const struct id_ranges *within = ranking->within;
    if (!within || chunk == INT64_MAX)
        return chunk;
    while (ranking->range < within->count && within->items[ranking->range].last < chunk)
        ranking->range++;
    if (ranking->range == within->count)
        return INT64_MAX;
    int64_t first = within->items[ranking->range].first;
    return first > chunk ? first : chunk;
}

/* What the gates leave of a window. They are lists (lexical.c), so that those that score too
 * can be read again: their place is kept. */
static rag_status pass_gates(struct ranking *ranking, rag_error *error)
{
    struct window *window = ranking->window;
    allow_ranges(ranking);
    for (size_t i = 0; i < ranking->count; i++) {
        struct unit *unit = &ranking->units[i];
        if (!is_gate(unit))
            continue;
        uint64_t has[POSTINGS_WINDOW / 64] = {0};
        size_t count, place = unit->list_at;
        rag_status status = unit_window(unit, window->from, window_end(window->from),
                                        window->list, &count, error);
        if (status)
            return status;
        unit->list_at = place;
        for (size_t j = 0; j < count; j++) {
            size_t slot = (size_t)(window->list[j].chunk - window->from);
            has[slot / 64] |= UINT64_C(1) << slot % 64;
        }
        for (size_t j = 0; j < POSTINGS_WINDOW / 64; j++)
            window->allowed[j] &= unit->role == UNIT_REQUIRED ? has[j] : ~has[j];
    }
    return RAG_OK;
}

static bool is_allowed(const struct window *window, size_t slot)
{
    return window->allowed[slot / 64] >> slot % 64 & 1;
}

/* Every chunk of the window with this unit becomes a candidate. */
static rag_status add_candidates(struct ranking *ranking, struct unit *unit, rag_error *error)
{
    struct window *window = ranking->window;
    size_t count;
    rag_status status =
        unit_window(unit, window->from, window_end(window->from), window->list, &count, error);
    if (!status && count)
        status = chunk_lengths_get(ranking->index, ranking->lengths, window->from, window->list,
                                   count, &window->lengths, error);
    for (size_t i = 0; i < count && !status; i++) {
        size_t slot = (size_t)(window->list[i].chunk - window->from);
        if (!window->alive[slot]) {
            if (!is_allowed(window, slot))
                continue;
            window->alive[slot] = true;
            window->scores[slot] = window->held[slot] = 0;
            window->slots[window->count++] = (uint16_t)slot;
        }
        window->scores[slot] +=
            weight(ranking, unit, window->list[i].count, window->lengths[slot]);
        window->held[slot] += unit->idf;
    }
    return status;
}

/* Drops the candidates that a bound leaves no hope, and tells where the others begin and end.
 */
static void drop_hopeless(struct window *window, double bound, double bar, size_t *first,
                          size_t *last)
{
    size_t kept = 0;
    *first = POSTINGS_WINDOW;
    *last = 0;
    for (size_t i = 0; i < window->count; i++) {
        size_t slot = window->slots[i];
        if (hopeless(window->scores[slot], bound, bar)) {
            window->alive[slot] = false;
            continue;
        }
        window->slots[kept++] = (uint16_t)slot;
        *first = slot < *first ? slot : *first;
        *last = slot > *last ? slot : *last;
    }
    window->count = kept;
}

static rag_status add_to_candidates(struct ranking *ranking, struct unit *unit, size_t first,
                                    size_t last, rag_error *error)
{
    struct window *window = ranking->window;
    size_t count;
    rag_status status =
        unit_window(unit, window->from + (int64_t)first, window->from + (int64_t)last + 1,
                    window->list, &count, error);
    for (size_t i = 0; i < count && !status; i++) {
        size_t slot = (size_t)(window->list[i].chunk - window->from);
        if (!window->alive[slot])
            continue;
        window->scores[slot] +=
            weight(ranking, unit, window->list[i].count, window->lengths[slot]);
        window->held[slot] += unit->idf;
    }
    return status;
}

static rag_status rank_window(struct ranking *ranking, size_t essential, rag_error *error)
{
    struct window *window = ranking->window;
    double bar = threshold(ranking);
    rag_status status = RAG_OK;
    window->count = 0;
    if (ranking->gated)
        status = pass_gates(ranking, error);
    for (size_t i = 0; i < essential && !status; i++)
        status = add_candidates(ranking, &ranking->units[i], error);
    for (size_t i = essential; i < ranking->scored && !status && window->count; i++) {
        size_t first, last;
        drop_hopeless(window, ranking->bounds[i], bar, &first, &last);
        if (window->count)
            status = add_to_candidates(ranking, &ranking->units[i], first, last, error);
    }
    for (size_t i = 0; i < window->count; i++) {
        size_t slot = window->slots[i];
        window->alive[slot] = false;
        scored_list_offer_item(ranking->out,
                               (struct scored){.chunk_id = window->from + (int64_t)slot,
                                               .score = window->scores[slot],
                                               .share = window->held[slot]});
    }
    return status;
}

/* ---- All windows ---- */

/* How many units, from the rarest, a chunk must have one of to be looked at. */
static size_t essential_units(const struct ranking *ranking)
{
    double bar = threshold(ranking);
    size_t essential = 0;
    while (essential < ranking->scored && !hopeless(0, ranking->bounds[essential], bar))
        essential++;
    return essential;
}

static rag_status rank_windows(struct ranking *ranking, rag_error *error)
{
    for (;;) {
        size_t essential = essential_units(ranking);
        int64_t next = INT64_MAX, chunk;
        for (size_t i = 0; i < essential; i++) {
            rag_status status = unit_peek(&ranking->units[i], &chunk, error);
            if (status)
                return status;
            next = chunk < next ? chunk : next;
        }
        next = next_allowed(ranking, next);
        if (next == INT64_MAX)
            return RAG_OK;
        ranking->window->from = next - next % POSTINGS_WINDOW;
        rag_status status = rank_window(ranking, essential, error);
        if (status)
            return status;
    }
}

/* Those that score first; of these the rarest first, in the question's order if they are
 * equally rare (the addresses tell it, since sorting is done on pointers). */
static int by_rarity(const void *a, const void *b)
{
    const struct unit *x = *(struct unit *const *)a, *y = *(struct unit *const *)b;
    bool gate_x = x->role == UNIT_EXCLUDED, gate_y = y->role == UNIT_EXCLUDED;
    if (gate_x != gate_y)
        return gate_x ? 1 : -1;
    if (x->idf != y->idf)
        return x->idf > y->idf ? -1 : 1;
    return (x > y) - (x < y);
}

static bool sort_units(struct unit *units, size_t count)
{
    struct unit **order = alloc_array(count, sizeof *order);
    struct unit *sorted = alloc_array(count, sizeof *sorted);
    if (order && sorted) {
        for (size_t i = 0; i < count; i++)
            order[i] = &units[i];
        qsort(order, count, sizeof *order, by_rarity);
        for (size_t i = 0; i < count; i++)
            sorted[i] = *order[i];
        memcpy(units, sorted, count * sizeof *units);
    }
    bool done = order && sorted;
    free(order);
    free(sorted);
    return done;
}

rag_status rank_units(struct word_index *index, struct chunk_lengths *lengths,
                      struct unit *units, size_t count, const struct id_ranges *within,
                      struct scored_list *out, rag_error *error)
{
    struct ranking ranking = {.index = index,
                              .lengths = lengths,
                              .units = units,
                              .count = count,
                              .average = 1,
                              .gated = within != NULL,
                              .within = within,
                              .out = out};
    if (!count || !out->capacity)
        return RAG_OK;
    if (index->rows && index->words)
        ranking.average = (double)index->words / (double)index->rows;
    ranking.bounds = alloc_zeroed(count + 1, sizeof *ranking.bounds);
    ranking.window = alloc_zeroed(1, sizeof *ranking.window);
    rag_status status = ranking.bounds && ranking.window && sort_units(units, count)
                            ? RAG_OK
                            : fail_memory(error);
    while (!status && ranking.scored < count && units[ranking.scored].role != UNIT_EXCLUDED)
        ranking.scored++;
    for (size_t i = ranking.scored; i-- > 0 && !status;)
        ranking.bounds[i] = ranking.bounds[i + 1] + units[i].idf * (K1 + 1);
    for (size_t i = 0; i < count && !status; i++)
        ranking.gated |= is_gate(&units[i]);
    if (!status)
        memset(ranking.window->allowed, 0xff, sizeof ranking.window->allowed);
    if (!status)
        status = rank_windows(&ranking, error);
    free(ranking.bounds);
    free(ranking.window);
    return status;
}
