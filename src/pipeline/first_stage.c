/* first_stage.c - the two legs of a search, and their fusion. */
#include "base/memory.h"
#include "pipeline/sparse_leg.h"
#include "store/fusion.h"

#include <math.h>
#include <string.h>

enum { LEG_DEPTH = 100 /* taken from each of two legs, at least */ };

static rag_status embed_question(struct search *search, rag_error *error)
{
    bool sparse = search->mode == RAG_HYBRID && index_gives_weights(search->index);
    rag_status status = embed_texts(search->index->model, &search->question, 1, RAG_QUERY,
                                    sparse ? RAG_DENSE | RAG_SPARSE : RAG_DENSE, search->events,
                                    &search->embedded, error);
    if (status)
        return status;
    const rag_embedding *item = rag_embeddings_get(search->embedded, 0);
    if (sparse)
        search->weights =
            (struct token_weights){item->sparse_ids, item->sparse_weights, item->sparse_count};
    search->query = alloc_array(item->dimension, sizeof *search->query);
    if (search->query)
        memcpy(search->query, item->dense, item->dimension * sizeof *search->query);
    return search->query ? RAG_OK : fail_memory(error);
}

/* The caller's vector of the question. */
static rag_status take_vector(struct search *search, const float *vector, rag_error *error)
{
    size_t dimension = search->index->recipe.dimension;
    if (!vector_is_unit(vector, dimension))
        return fail_with(error, RAG_INPUT,
                         "the question's vector must be finite and of norm 1");
    search->query = alloc_array(dimension, sizeof *search->query);
    if (!search->query)
        return fail_memory(error);
    memcpy(search->query, vector, dimension * sizeof *search->query);
    return RAG_OK;
}

static rag_status dense_leg(struct search *search, size_t depth, struct scored_list *out,
                            rag_error *error)
{
    rag_status status = RAG_OK;
    if (search->vector)
        status = take_vector(search, search->vector, error);
    else if (!(status = index_need_model(search->index, error)))
        status = embed_question(search, error);
    return status ? status
                  : store_search_dense(search->index->store, search->query, depth,
                                       search->within, out, error);
}

/* Fuses both legs; the question's vector is also held against what only the words found. */
static rag_status fuse_legs(const struct search *search, const struct scored_list *dense,
                            const struct scored_list *lexical, size_t k,
                            struct scored_list *fused, double *lexical_dense, rag_error *error)
{
    int64_t *ids = alloc_array(lexical->count, sizeof *ids);
    if (!ids)
        return fail_memory(error);
    for (size_t i = 0; i < lexical->count; i++)
        ids[i] = lexical->items[i].chunk_id;
    rag_status status = store_score_dense(search->index->store, search->query, ids,
                                          lexical->count, lexical_dense, error);
    if (!status)
        status = sparse_add(search, lexical, lexical_dense, error);
    if (!status)
        status = fuse(dense, lexical, lexical_dense, k, fused, error);
    free(ids);
    return status;
}

static int by_id(const void *a, const void *b)
{
    const struct scored *x = a, *y = b;
    return (x->chunk_id > y->chunk_id) - (x->chunk_id < y->chunk_id);
}

/* A leg's items sorted by chunk, [list->count], with other scores than their own where these
 * are given. NULL: out of memory. */
static struct scored *sort_by_id(const struct scored_list *list, const double *scores)
{
    struct scored *sorted = alloc_array(list->count, sizeof *sorted);
    if (!sorted)
        return NULL;
    for (size_t i = 0; i < list->count; i++) {
        sorted[i] = list->items[i];
        if (scores)
            sorted[i].score = scores[i];
    }
    qsort(sorted, list->count, sizeof *sorted, by_id);
    return sorted;
}

/* What a leg says of a chunk; NULL: it did not see it. */
static const struct scored *find_scored(const struct scored *sorted, size_t count,
                                        int64_t chunk_id)
{
    const struct scored key = {.chunk_id = chunk_id};
    return bsearch(&key, sorted, count, sizeof key, by_id);
}

/* The score of a chunk in a leg, NaN if it is not there. */
static double score_of(const struct scored *sorted, size_t count, int64_t chunk_id)
{
    const struct scored *found = find_scored(sorted, count, chunk_id);
    return found ? found->score : NAN;
}

/* What was found, with the scores of both legs. lexical_dense may be NULL. */
static rag_status note_candidates(struct search *search, const struct scored_list *best,
                                  const struct scored_list *dense,
                                  const struct scored_list *lexical,
                                  const double *lexical_dense, double ceiling, rag_error *error)
{
    rag_status status = RAG_OK;
    struct scored *cosines = sort_by_id(dense, NULL), *words = sort_by_id(lexical, NULL);
    struct scored *others = lexical_dense ? sort_by_id(lexical, lexical_dense) : NULL;
    search->found = alloc_zeroed(best->count, sizeof *search->found);
    if (!search->found || !cosines || !words || (lexical_dense && !others)) {
        status = fail_memory(error);
        goto out;
    }
    search->count = best->count;
    for (size_t i = 0; i < best->count; i++) {
        int64_t id = best->items[i].chunk_id;
        struct candidate *found = &search->found[i];
        *found = (struct candidate){.chunk_id = id,
                                    .score = best->items[i].score,
                                    .dense = score_of(cosines, dense->count, id),
                                    .sparse = NAN,
                                    .lexical = NAN,
                                    .rerank = NAN,
                                    .window = NAN};
        if (isnan(found->dense) && others)
            found->dense = score_of(others, lexical->count, id);
        const struct scored *by_words = find_scored(words, lexical->count, id);
        if (!by_words)
            continue;
        found->lexical = by_words->score;
        found->support = lexical_support(by_words);
        found->evidence = lexical_evidence(lexical, ceiling, by_words->score);
    }
out:
    free(cosines);
    free(words);
    free(others);
    return status;
}

/* Fusion sees how far the best stand out from the others; one leg alone needs no others. */
static size_t leg_depth(const struct search *search)
{
    size_t depth = search->k > search->candidates ? search->k : search->candidates;
    return depth < LEG_DEPTH && search->mode == RAG_HYBRID ? LEG_DEPTH : depth;
}

rag_status first_stage(struct search *search, rag_error *error)
{
    rag_index *index = search->index;
    struct scored_list dense = {0}, lexical = {0}, fused = {0};
    double ceiling = 0;
    double *lexical_dense = NULL; /* [lexical.count] */
    size_t depth = leg_depth(search);
    rag_status status = RAG_OK;
    if (search->mode != RAG_MODE_LEXICAL)
        status = dense_leg(search, depth, &dense, error);
    if (!status)
        status = sparse_join(search, depth, &dense, error);
    if (!status && search->mode != RAG_MODE_DENSE)
        status = (search->mode == RAG_MODE_LEXICAL ? store_search_query : store_search_lexical)(
            index->store, search->question, depth, search->within, &lexical, &ceiling, error);
    if (!status && search->mode == RAG_HYBRID) {
        lexical_dense = alloc_array(lexical.count, sizeof *lexical_dense);
        status = lexical_dense
                     ? fuse_legs(search, &dense, &lexical, depth, &fused, lexical_dense, error)
                     : fail_memory(error);
    }
    if (status)
        goto out;
    const struct scored_list *best = search->mode == RAG_HYBRID       ? &fused
                                     : search->mode == RAG_MODE_DENSE ? &dense
                                                                      : &lexical;
    status = note_candidates(search, best, &dense, &lexical, lexical_dense, ceiling, error);
    if (!status)
        status = sparse_note(search, error);
out:
    scored_list_release(&dense);
    scored_list_release(&lexical);
    scored_list_release(&fused);
    free(lexical_dense);
    return status;
}
