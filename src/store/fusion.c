#include "store/fusion.h"
#include "base/memory.h"
#include "store/scored.h"

#include <math.h>

static const double WEIGHT = 0.4; /* standard deviations for 1 of BM25 */
static const double FULL = 0.5;   /* evidence of the best passage that is trusted fully */

struct candidate {
    int64_t chunk_id;
    double cosine, support;
};

struct spread {
    double mean, deviation, lowest;
};

static struct spread measure(const struct scored_list *dense)
{
    struct spread spread = {0};
    for (size_t i = 0; i < dense->count; i++)
        spread.mean += dense->items[i].score / (double)dense->count;
    double variance = 0;
    for (size_t i = 0; i < dense->count; i++) {
        double difference = dense->items[i].score - spread.mean;
        variance += difference * difference / (double)dense->count;
    }
    spread.deviation = sqrt(variance);
    if (dense->count)
        spread.lowest = dense->items[dense->count - 1].score;
    return spread;
}

double lexical_evidence(const struct scored_list *lexical, double ceiling, double score)
{
    if (!lexical->count || ceiling <= 0)
        return 0;
    double strongest = lexical->items[0].score / ceiling;
    return score / ceiling * fmin(1, strongest / FULL);
}

double lexical_support(const struct scored *lexical)
{
    return lexical->score * lexical->share;
}

static int by_id(const void *a, const void *b)
{
    int64_t x = ((const struct candidate *)a)->chunk_id;
    int64_t y = ((const struct candidate *)b)->chunk_id;
    return (x > y) - (x < y);
}

/* Fills `candidates` with the union of both lists and returns how many there are. */
static size_t unite(const struct scored_list *dense, const struct scored_list *lexical,
                    const double *lexical_dense, double lowest, struct candidate *candidates)
{
    size_t known = dense->count, count = dense->count;
    for (size_t i = 0; i < known; i++)
        candidates[i] = (struct candidate){dense->items[i].chunk_id, dense->items[i].score, 0};
    qsort(candidates, known, sizeof *candidates, by_id);
    for (size_t i = 0; i < lexical->count; i++) {
        struct candidate one = {
            .chunk_id = lexical->items[i].chunk_id,
            .cosine = lexical_dense && !isnan(lexical_dense[i]) ? lexical_dense[i] : lowest,
            .support = lexical_support(&lexical->items[i]),
        };
        struct candidate *same = bsearch(&one, candidates, known, sizeof one, by_id);
        if (same)
            same->support = one.support;
        else
            candidates[count++] = one;
    }
    return count;
}

rag_status fuse(const struct scored_list *dense, const struct scored_list *lexical,
                const double *lexical_dense, size_t k, struct scored_list *out,
                rag_error *error)
{
    *out = (struct scored_list){0};
    struct spread spread = measure(dense);
    struct candidate *candidates =
        alloc_array(dense->count + lexical->count, sizeof *candidates);
    if (!candidates)
        return fail_memory(error);
    size_t count = unite(dense, lexical, lexical_dense, spread.lowest, candidates);
    bool room = scored_list_reserve(out, k, count);
    for (size_t i = 0; room && i < count; i++) {
        double z =
            spread.deviation > 0 ? (candidates[i].cosine - spread.mean) / spread.deviation : 0;
        scored_list_offer(out, candidates[i].chunk_id, z + WEIGHT * candidates[i].support);
    }
    free(candidates);
    if (!room)
        return fail_memory(error);
    scored_list_sort(out);
    return RAG_OK;
}
