#include "pipeline/sparse_leg.h"
#include "base/memory.h"

#include <math.h>

static const double SPARSE_WEIGHT = 0.3;

static bool is_asked(const struct search *search)
{
    return search->weights.count && search->mode == RAG_HYBRID;
}

/* The sum of a cosine and a sparse score, of which either may be unknown. */
static double joined(double cosine, double sparse)
{
    return cosine + (isnan(sparse) ? 0 : SPARSE_WEIGHT * sparse);
}

rag_status sparse_add(const struct search *search, const struct scored_list *list,
                      double *cosines, rag_error *error)
{
    if (!is_asked(search))
        return RAG_OK;
    int64_t *ids = alloc_array(list->count, sizeof *ids);
    double *sums = alloc_array(list->count, sizeof *sums);
    rag_status status = ids && sums ? RAG_OK : fail_memory(error);
    for (size_t i = 0; !status && i < list->count; i++)
        ids[i] = list->items[i].chunk_id;
    if (!status)
        status = store_score_sparse(search->index->store, &search->weights, ids, list->count,
                                    sums, error);
    for (size_t i = 0; !status && i < list->count; i++)
        cosines[i] = joined(cosines[i], sums[i]);
    free(ids);
    free(sums);
    return status;
}

static int by_id(const void *a, const void *b)
{
    const struct scored *x = a, *y = b;
    return (x->chunk_id > y->chunk_id) - (x->chunk_id < y->chunk_id);
}

static int by_score(const void *a, const void *b)
{
    const struct scored *x = a, *y = b;
    if (x->score != y->score)
        return x->score < y->score ? 1 : -1;
    return by_id(a, b);
}

/* The chunks of both lists, each once, without scores. */
static bool unite(const struct scored_list *dense, const struct scored_list *sparse,
                  struct scored_list *out)
{
    size_t count = dense->count + sparse->count, kept = 0;
    *out = (struct scored_list){.items = alloc_array(count, sizeof *out->items),
                                .capacity = count};
    if (!out->items)
        return false;
    for (size_t i = 0; i < count; i++)
        out->items[i] = i < dense->count ? dense->items[i] : sparse->items[i - dense->count];
    qsort(out->items, count, sizeof *out->items, by_id);
    for (size_t i = 0; i < count; i++)
        if (!i || out->items[i].chunk_id != out->items[i - 1].chunk_id)
            out->items[kept++] = out->items[i];
    out->count = kept;
    return true;
}

static rag_status score_both(const struct search *search, struct scored_list *list,
                             rag_error *error)
{
    int64_t *ids = alloc_array(list->count, sizeof *ids);
    double *scores = alloc_array(list->count, sizeof *scores);
    rag_status status = ids && scores ? RAG_OK : fail_memory(error);
    for (size_t i = 0; !status && i < list->count; i++)
        ids[i] = list->items[i].chunk_id;
    if (!status)
        status = store_score_dense(search->index->store, search->query, ids, list->count,
                                   scores, error);
    if (!status)
        status = sparse_add(search, list, scores, error);
    size_t kept = 0;
    for (size_t i = 0; !status && i < list->count; i++)
        if (!isnan(scores[i])) /* it is there still */
            list->items[kept++] = (struct scored){.chunk_id = ids[i], .score = scores[i]};
    list->count = kept;
    free(ids);
    free(scores);
    return status;
}

rag_status sparse_join(struct search *search, size_t depth, struct scored_list *dense,
                       rag_error *error)
{
    struct scored_list sparse, both = {0};
    if (!is_asked(search))
        return RAG_OK;
    rag_status status = store_search_sparse(search->index->store, &search->weights, depth,
                                            search->within, &sparse, error);
    if (status)
        return status;
    status =
        unite(dense, &sparse, &both) ? score_both(search, &both, error) : fail_memory(error);
    scored_list_release(&sparse);
    if (status) {
        scored_list_release(&both);
        return status;
    }
    qsort(both.items, both.count, sizeof *both.items, by_score);
    if (both.count > depth)
        both.count = depth;
    scored_list_release(dense);
    *dense = both;
    return RAG_OK;
}

rag_status sparse_note(struct search *search, rag_error *error)
{
    if (!is_asked(search))
        return RAG_OK;
    size_t count = search->count;
    int64_t *ids = alloc_array(count, sizeof *ids);
    double *cosines = alloc_array(count, sizeof *cosines);
    double *sums = alloc_array(count, sizeof *sums);
    struct store *store = search->index->store;
    rag_status status = ids && cosines && sums ? RAG_OK : fail_memory(error);
    for (size_t i = 0; !status && i < count; i++)
        ids[i] = search->found[i].chunk_id;
    if (!status)
        status = store_score_dense(store, search->query, ids, count, cosines, error);
    if (!status)
        status = store_score_sparse(store, &search->weights, ids, count, sums, error);
    for (size_t i = 0; !status && i < count; i++) {
        search->found[i].dense = cosines[i];
        search->found[i].sparse = sums[i];
    }
    free(ids);
    free(cosines);
    free(sums);
    return status;
}
