/* search.c - from a question to hits: the two legs, their fusion, reranking. */
#include "pipeline/search.h"
#include "base/buf.h"
#include "base/memory.h"
#include "model/folder.h"
#include "pipeline/evidence.h"
#include "pipeline/late.h"
#include "pipeline/rerank.h"
#include "store/fusion.h"

#include <math.h>
#include <string.h>

enum {
    DEFAULT_K = 10,
    DEFAULT_CANDIDATES = 20,
    MAX_K = 10000,
    LEG_DEPTH = 100, /* taken from each leg, at least */
};

/* A chunk on its way to becoming a hit. */
struct candidate {
    int64_t chunk_id;
    double score, dense, lexical, rerank;
    double evidence;           /* of the lexical leg; 0 where it did not see the chunk */
    struct stored_chunk chunk; /* fetched when it is needed */
    bool fetched;
};

struct search {
    rag_index *index;
    rag_text question;
    const struct events *events;
    size_t k, candidates;
    rag_mode mode;
    const float *vector;     /* the caller's; NULL: to be embedded */
    float *query;            /* the question's vector; NULL in lexical mode */
    struct candidate *found; /* best first */
    size_t count;
    double evidence; /* evidence.h */
};

static rag_status check_question(rag_text question, rag_error *error)
{
    for (size_t i = 0; i < question.size; i++)
        if ((unsigned char)question.data[i] > ' ')
            return RAG_OK;
    return fail_with(error, RAG_USAGE, "the question is empty");
}

static rag_status embed_question(struct search *search, rag_error *error)
{
    rag_embeddings *embeddings;
    rag_status status = embed_texts(search->index->model, &search->question, 1, RAG_QUERY,
                                    RAG_DENSE, search->events, &embeddings, error);
    if (status)
        return status;
    const rag_embedding *item = rag_embeddings_get(embeddings, 0);
    search->query = alloc_array(item->dimension, sizeof *search->query);
    if (search->query)
        memcpy(search->query, item->dense, item->dimension * sizeof *search->query);
    rag_embeddings_free(embeddings);
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
                  : store_search_dense(search->index->store, search->query, depth, out, error);
}

/* Fuses both legs; the question's vector is also held against what only the words found. */
static rag_status fuse_legs(struct store *store, const float *query,
                            const struct scored_list *dense, const struct scored_list *lexical,
                            double ceiling, size_t k, struct scored_list *fused,
                            double *lexical_dense, rag_error *error)
{
    int64_t *ids = alloc_array(lexical->count, sizeof *ids);
    if (!ids)
        return fail_memory(error);
    for (size_t i = 0; i < lexical->count; i++)
        ids[i] = lexical->items[i].chunk_id;
    rag_status status =
        store_score_dense(store, query, ids, lexical->count, lexical_dense, error);
    if (!status)
        status = fuse(dense, lexical, ceiling, lexical_dense, k, fused, error);
    free(ids);
    return status;
}

static int by_id(const void *a, const void *b)
{
    const struct scored *x = a, *y = b;
    return (x->chunk_id > y->chunk_id) - (x->chunk_id < y->chunk_id);
}

/* A leg's scores sorted by chunk, [list->count]; `scores` are those of the list's items (NULL:
 * their own). NULL: out of memory. */
static struct scored *sort_by_id(const struct scored_list *list, const double *scores)
{
    struct scored *sorted = alloc_array(list->count, sizeof *sorted);
    if (!sorted)
        return NULL;
    for (size_t i = 0; i < list->count; i++)
        sorted[i] = (struct scored){.chunk_id = list->items[i].chunk_id,
                                    .score = scores ? scores[i] : list->items[i].score};
    qsort(sorted, list->count, sizeof *sorted, by_id);
    return sorted;
}

/* The score of a chunk in a leg, NaN if it is not there. */
static double score_of(const struct scored *sorted, size_t count, int64_t chunk_id)
{
    const struct scored key = {.chunk_id = chunk_id};
    const struct scored *found = bsearch(&key, sorted, count, sizeof key, by_id);
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
                                    .lexical = score_of(words, lexical->count, id),
                                    .rerank = NAN};
        if (isnan(found->dense) && others)
            found->dense = score_of(others, lexical->count, id);
        if (!isnan(found->lexical))
            found->evidence = lexical_evidence(lexical, ceiling, found->lexical);
    }
out:
    free(cosines);
    free(words);
    free(others);
    return status;
}

static rag_status first_stage(struct search *search, rag_error *error)
{
    rag_index *index = search->index;
    struct scored_list dense = {0}, lexical = {0}, fused = {0};
    double ceiling = 0;
    double *lexical_dense = NULL; /* [lexical.count] */
    size_t depth = search->k > search->candidates ? search->k : search->candidates;
    if (depth < LEG_DEPTH)
        depth = LEG_DEPTH;
    rag_status status = RAG_OK;
    if (search->mode != RAG_MODE_LEXICAL)
        status = dense_leg(search, depth, &dense, error);
    if (!status && search->mode != RAG_MODE_DENSE)
        status = store_search_lexical(index->store, search->question, depth, &lexical, &ceiling,
                                      error);
    if (!status && search->mode == RAG_HYBRID) {
        lexical_dense = alloc_array(lexical.count, sizeof *lexical_dense);
        status = lexical_dense ? fuse_legs(index->store, search->query, &dense, &lexical,
                                           ceiling, depth, &fused, lexical_dense, error)
                               : fail_memory(error);
    }
    if (status)
        goto out;
    const struct scored_list *best = search->mode == RAG_HYBRID       ? &fused
                                     : search->mode == RAG_MODE_DENSE ? &dense
                                                                      : &lexical;
    status = note_candidates(search, best, &dense, &lexical, lexical_dense, ceiling, error);
out:
    scored_list_release(&dense);
    scored_list_release(&lexical);
    scored_list_release(&fused);
    free(lexical_dense);
    return status;
}

/* Gets the first `count` candidates' chunks; those that another writer has taken out since
 * they were found are left out. */
static rag_status fetch(struct search *search, size_t count, rag_error *error)
{
    for (size_t i = 0; i < count && i < search->count;) {
        struct candidate *candidate = &search->found[i];
        rag_status status = RAG_OK;
        if (!candidate->fetched)
            status = store_get_chunk(search->index->store, candidate->chunk_id,
                                     &candidate->chunk, error);
        if (status == RAG_NOT_FOUND) {
            search->count--;
            memmove(candidate, candidate + 1, (search->count - i) * sizeof *candidate);
            continue;
        }
        if (status)
            return status;
        candidate->fetched = true;
        i++;
    }
    return RAG_OK;
}

static int by_score(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return x->chunk_id < y->chunk_id ? -1 : x->chunk_id > y->chunk_id;
}

/* Values in standard deviations from their mean; all alike become 0. */
static void standardise(double *values, size_t count)
{
    double sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++)
        sum += values[i];
    double mean = sum / (double)count;
    for (size_t i = 0; i < count; i++)
        squares += (values[i] - mean) * (values[i] - mean);
    double deviation = sqrt(squares / (double)count);
    for (size_t i = 0; i < count; i++)
        values[i] = deviation > 0 ? (values[i] - mean) / deviation : 0;
}

/* How near the question is to what each candidate's document is about as a whole: a passage of
 * the chapter on residual networks answers a question on them better than a chapter that
 * mentions them, even where the words are the latter's. A document of one chunk is that chunk.
 * All 0 where every document is, for then this says no more than the cosine did. */
static rag_status score_documents(const struct search *search, size_t count, double *scores,
                                  rag_error *error)
{
    memset(scores, 0, count * sizeof *scores);
    if (!search->query)
        return RAG_OK;
    int64_t *ids = alloc_array(count, sizeof *ids);
    if (!ids)
        return fail_memory(error);
    for (size_t i = 0; i < count; i++)
        ids[i] = search->found[i].chunk_id;
    rag_status status =
        store_score_documents(search->index->store, search->query, ids, count, scores, error);
    free(ids);
    size_t whole = 0;
    for (size_t i = 0; i < count; i++) {
        whole += !isnan(scores[i]);
        if (isnan(scores[i]))
            scores[i] = search->found[i].dense;
    }
    for (size_t i = 0; i < count; i++)
        if (!whole || isnan(scores[i]))
            scores[i] = 0;
    standardise(scores, count);
    return status;
}

/* A cross-encoder has read both texts and decides alone. Late interaction knows all that the
 * cosine knows and more, so it takes its place; the words, and what the document is about, stay
 * further kinds of evidence. docs/quality.md compares. */
static rag_status merge_scores(struct search *search, size_t count, rag_error *error)
{
    const double evidence_weight = 2, document_weight = 1;
    rag_status status = RAG_OK;
    double *late = alloc_array(count, sizeof *late);
    double *documents = alloc_array(count, sizeof *documents);
    if (!late || !documents) {
        status = fail_memory(error);
        goto out;
    }
    for (size_t i = 0; i < count; i++)
        late[i] = search->found[i].score = search->found[i].rerank;
    if (search->index->rerank == RERANK_LATE_INTERACTION) {
        standardise(late, count);
        if ((status = score_documents(search, count, documents, error)))
            goto out;
        for (size_t i = 0; i < count; i++)
            search->found[i].score = late[i] + evidence_weight * search->found[i].evidence +
                                     document_weight * documents[i];
    }
    /* The others stay behind, in their order: of the sums that say so, the one that cannot
     * be rounded past the last of the reranked. */
    double first_behind = count < search->count ? search->found[count].score : 0;
    qsort(search->found, count, sizeof *search->found, by_score);
    for (size_t i = count; i < search->count; i++)
        search->found[i].score =
            search->found[count - 1].score - (first_behind - search->found[i].score);
out:
    free(late);
    free(documents);
    return status;
}

/* What evidence.h was fitted for: the default model, comparing by late interaction. */
static bool is_calibrated(const rag_index *index)
{
    return index->rerank == RERANK_LATE_INTERACTION && index->reranker == index->model &&
           strcmp(index->model->name, MODEL_DEFAULT) == 0;
}

static rag_status estimate_evidence(struct search *search, const double *late, size_t count,
                                    rag_error *error)
{
    double *words = alloc_array(count, sizeof *words);
    if (!words)
        return fail_memory(error);
    for (size_t i = 0; i < count; i++)
        words[i] = search->found[i].evidence;
    search->evidence = evidence_estimate(late, words, count);
    free(words);
    return RAG_OK;
}

static rag_status second_stage(struct search *search, rag_error *error)
{
    rag_index *index = search->index;
    rag_status status = index_need_reranker(index, error);
    if (status || index->rerank == RERANK_NONE)
        return status;
    if ((status = fetch(search, search->candidates, error)) || search->count == 0)
        return status;
    size_t count = search->candidates < search->count ? search->candidates : search->count;

    struct late_query question = {0};
    struct buf *contexts = alloc_zeroed(count, sizeof *contexts);
    rag_text *texts = alloc_array(count, sizeof *texts);
    int64_t *ids = alloc_array(count, sizeof *ids);
    double *scores = alloc_array(count, sizeof *scores);
    float *logits = alloc_array(count, sizeof *logits);
    if (!contexts || !texts || !ids || !scores || !logits) {
        status = fail_memory(error);
        goto out;
    }
    for (size_t i = 0; i < count; i++) {
        const struct stored_chunk *chunk = &search->found[i].chunk;
        contexts[i] = BUF_INIT((size_t)TOKENIZER_MAX_TEXT);
        if (!chunk_context(chunk->heading, (rag_text){chunk->text, chunk->text_size},
                           &contexts[i])) {
            status = fail_memory(error);
            goto out;
        }
        texts[i] = (rag_text){contexts[i].data, contexts[i].size};
        ids[i] = chunk->chunk_id;
    }
    if (index->rerank == RERANK_LATE_INTERACTION) {
        status = late_query_make(index->reranker, search->question, search->events, &question,
                                 error);
        if (!status)
            status = late_score_chunks(index->token_vectors, index->reranker, &question, ids,
                                       texts, count, search->events, scores, error);
    } else {
        status = rerank_passages(index->reranker, search->question, texts, count,
                                 search->events, logits, error);
        for (size_t i = 0; !status && i < count; i++)
            scores[i] = (double)logits[i];
    }
    if (status)
        goto out;
    for (size_t i = 0; i < count; i++)
        search->found[i].rerank = scores[i];
    if (is_calibrated(index))
        status = estimate_evidence(search, scores, count, error);
    if (!status)
        status = merge_scores(search, count, error);
out:
    for (size_t i = 0; contexts && i < count; i++)
        buf_release(&contexts[i]);
    late_query_release(&question);
    free(contexts);
    free(texts);
    free(ids);
    free(scores);
    free(logits);
    return status;
}

/* Moves the first k candidates into hits. */
static rag_status make_hits(struct search *search, rag_hits **out, rag_error *error)
{
    rag_status status = fetch(search, search->k, error);
    if (status)
        return status;
    size_t count = search->k < search->count ? search->k : search->count;
    rag_hits *hits = alloc_zeroed(1, sizeof *hits);
    if (hits) {
        hits->items = alloc_zeroed(count, sizeof *hits->items);
        hits->chunks = alloc_zeroed(count, sizeof *hits->chunks);
    }
    if (!hits || !hits->items || !hits->chunks) {
        rag_hits_free(hits);
        return fail_memory(error);
    }
    for (size_t i = 0; i < count; i++) {
        struct candidate *from = &search->found[i];
        struct stored_chunk *chunk = &hits->chunks[i];
        *chunk = from->chunk;
        from->fetched = false;
        hits->items[i] = (rag_hit){
            .rank = i + 1,
            .score = from->score,
            .dense = from->dense,
            .lexical = from->lexical,
            .rerank = from->rerank,
            .chunk_id = from->chunk_id,
            .chunk = chunk_of_stored(chunk),
            .metadata = chunk->metadata,
        };
    }
    hits->count = count;
    hits->evidence = search->evidence;
    *out = hits;
    return RAG_OK;
}

/* Lexical search is for those who want just the words, and needs no model: it is reranked only
 * by a reranker that was named. */
static bool wants_reranking(const struct search *search)
{
    const char *named = search->index->options.reranker;
    return search->mode != RAG_MODE_LEXICAL || (named && strcmp(named, "auto") != 0);
}

rag_status search_index(rag_index *index, rag_text question, const rag_search_options *options,
                        rag_hits **out, rag_error *error)
{
    static const rag_search_options defaults = RAG_SEARCH_OPTIONS_INIT;
    if (!options)
        options = &defaults;
    *out = NULL;
    struct events events = {options->on_event, options->user};
    struct search search = {
        .index = index,
        .question = question,
        .events = &events,
        .k = options->k ? options->k : DEFAULT_K,
        .candidates = options->candidates ? options->candidates : DEFAULT_CANDIDATES,
        .mode = options->mode,
        .vector = options->vector,
        .evidence = NAN,
    };
    if (search.k > MAX_K || search.candidates > MAX_K)
        return fail_with(error, RAG_USAGE, "at most %d hits can be asked for", MAX_K);
    rag_status status = CHECK_OPTIONS(options, error);
    if (!status)
        status = check_question(question, error);
    if (!status)
        status = index_look(index, error);
    if (!status && index->has_recipe)
        status = first_stage(&search, error);
    if (!status && wants_reranking(&search))
        status = second_stage(&search, error);
    if (!status)
        status = make_hits(&search, out, error);
    for (size_t i = 0; i < search.count; i++)
        if (search.found[i].fetched)
            stored_chunk_release(&search.found[i].chunk);
    free(search.found);
    free(search.query);
    return status;
}

rag_status rag_search(rag_index *index, rag_text question, const rag_search_options *options,
                      rag_hits **hits, rag_error *error)
{
    pthread_mutex_lock(&index->lock);
    rag_status status = search_index(index, question, options, hits, error);
    pthread_mutex_unlock(&index->lock);
    return status;
}

size_t rag_hits_count(const rag_hits *hits)
{
    return hits->count;
}

const rag_hit *rag_hits_get(const rag_hits *hits, size_t i)
{
    return i < hits->count ? &hits->items[i] : NULL;
}

void hits_truncate(rag_hits *hits, size_t count)
{
    while (hits->count > count)
        stored_chunk_release(&hits->chunks[--hits->count]);
}

void rag_hits_free(rag_hits *hits)
{
    if (!hits)
        return;
    hits_truncate(hits, 0);
    free(hits->items);
    free(hits->chunks);
    free(hits);
}
