/* search.c - from a question to hits. */
#include "pipeline/search.h"
#include "base/memory.h"
#include "pipeline/candidates.h"
#include "store/filter.h"

#include <math.h>
#include <string.h>

enum {
    DEFAULT_K = 10,
    DEFAULT_CANDIDATES = 20,
    MAX_K = 10000,
};

static rag_status check_question(rag_text question, rag_error *error)
{
    for (size_t i = 0; i < question.size; i++)
        if ((unsigned char)question.data[i] > ' ')
            return RAG_OK;
    return fail_with(error, RAG_USAGE, "the question is empty");
}

rag_status fetch_candidates(struct search *search, size_t count, rag_error *error)
{
    for (size_t i = 0; i < count && i < search->count;) {
        struct candidate *candidate = &search->found[i];
        rag_status status = RAG_OK;
        if (!candidate->fetched)
            status = store_get_chunk(search->index->store, candidate->chunk_id,
                                     &candidate->chunk, error);
        if (status == RAG_NOT_FOUND) {
            search->count--;
            search->lost = true;
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

/* Moves the first k candidates into hits. */
static rag_status make_hits(struct search *search, rag_hits **out, rag_error *error)
{
    rag_status status = fetch_candidates(search, search->k, error);
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
            .collection = chunk->collection,
            .sparse = from->sparse,
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

/* The chunks that the filter lets through. *within stays NULL where these are all. */
static rag_status apply_filter(rag_index *index, const rag_filter *given,
                               struct id_ranges *ranges, const struct id_ranges **within,
                               rag_error *error)
{
    rag_filter filter = *given;
    if (!filter.collection_count && index->options.collection) {
        filter.collections = &index->options.collection;
        filter.collection_count = 1;
    }
    if (filter_is_empty(&filter))
        return RAG_OK;
    struct store_filter parsed;
    rag_status status = filter_parse(&filter, &parsed, error);
    if (!status && index->store)
        status = store_filter(index->store, &parsed, ranges, error);
    filter_release(&parsed);
    *within = ranges;
    return status;
}

/* *whole false: there are fewer hits than asked for, as another writer has taken out some that
 * were found. */
static rag_status search_once(rag_index *index, rag_text question,
                              const rag_search_options *options, rag_hits **out, bool *whole,
                              rag_error *error)
{
    static const rag_search_options defaults = RAG_SEARCH_OPTIONS_INIT;
    if (!options)
        options = &defaults;
    *out = NULL;
    struct events events = {options->on_event, options->user};
    struct id_ranges ranges = {0};
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
    if (!status)
        status = apply_filter(index, &options->filter, &ranges, &search.within, error);
    if (!status && index->has_recipe)
        status = first_stage(&search, error);
    if (!status && wants_reranking(&search))
        status = second_stage(&search, error);
    if (!status)
        status = make_hits(&search, out, error);
    *whole = !search.lost || (!status && (*out)->count >= search.k);
    for (size_t i = 0; i < search.count; i++)
        if (search.found[i].fetched)
            stored_chunk_release(&search.found[i].chunk);
    rag_embeddings_free(search.embedded);
    free(search.found);
    free(search.query);
    id_ranges_release(&ranges);
    return status;
}

/* One whose documents another writer puts in anew meanwhile, with other chunks, is searched
 * again; if that goes on and on, what is left of them is found. */
static rag_status search_whole(rag_index *index, rag_text question,
                               const rag_search_options *options, rag_hits **out,
                               rag_error *error)
{
    enum { ATTEMPTS = 10 };
    bool whole = false;
    rag_status status = search_once(index, question, options, out, &whole, error);
    for (int i = 1; i < ATTEMPTS && !status && !whole; i++) {
        rag_hits_free(*out);
        status = search_once(index, question, options, out, &whole, error);
    }
    return status;
}

/* One that is re-indexed in the middle of a search is searched again, as it is now. */
rag_status search_index(rag_index *index, rag_text question, const rag_search_options *options,
                        rag_hits **out, rag_error *error)
{
    rag_status status = search_whole(index, question, options, out, error);
    return status == RAG_INDEX_MISMATCH ? search_whole(index, question, options, out, error)
                                        : status;
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
