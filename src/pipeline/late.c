/* late.c - MaxSim, and the cache of passages' token vectors. */
#include "pipeline/late.h"
#include "base/memory.h"
#include "store/dot.h"

#include <string.h>

/* What a token of the question tells: -log of its probability in the tokenizer's unigram
 * model, which is measured on text of a hundred languages; so "the" and 的 weigh little and
 * names weigh much, with no statistics of the index. Tokenizers that have no probabilities
 * (WordPiece) weigh all tokens alike, as ColBERT does. docs/quality.md compares. */
static float token_weight(const struct tokenizer *tokenizer, int32_t id)
{
    if (tokenizer_is_special(tokenizer, id))
        return 0;
    float information = tokenizer_information(tokenizer, id);
    return information > 0 ? information : 1;
}

rag_status late_query_make(rag_model *model, rag_text question, const struct events *events,
                           struct late_query *out, rag_error *error)
{
    *out = (struct late_query){0};
    rag_embeddings *embeddings;
    rag_status status =
        embed_texts(model, &question, 1, RAG_QUERY, RAG_MULTI, events, &embeddings, error);
    if (status)
        return status;
    const rag_embedding *item = rag_embeddings_get(embeddings, 0);
    size_t values = item->multi_count * item->multi_dimension;
    out->tokens = (struct token_matrix){alloc_array(values, sizeof(float)), item->multi_count,
                                        item->multi_dimension};
    out->weights = alloc_array(item->multi_count, sizeof *out->weights);
    out->matches = alloc_array(3 * item->multi_count, sizeof *out->matches);
    if (!out->tokens.rows || !out->weights || !out->matches) {
        late_query_release(out);
        status = fail_memory(error);
        goto out;
    }
    memcpy(out->tokens.rows, item->multi, values * sizeof(float));
    double sum = 0;
    for (size_t i = 0; i < item->multi_count; i++) {
        out->weights[i] = token_weight(model->tokenizer, item->multi_ids[i]);
        sum += (double)out->weights[i];
    }
    for (size_t i = 0; i < item->multi_count; i++)
        out->weights[i] = sum > 0 ? (float)(out->weights[i] / sum) : 0;
out:
    rag_embeddings_free(embeddings);
    return status;
}

void late_query_release(struct late_query *query)
{
    free(query->tokens.rows);
    free(query->weights);
    free(query->matches);
    *query = (struct late_query){0};
}

/* The store's inner product takes whole blocks; what is left over is added here. */
static float inner_product(dot_fn *dot, const float *a, const float *b, size_t count)
{
    size_t whole = count - count % DOT_BLOCK;
    float total = dot(a, b, whole);
    for (size_t i = whole; i < count; i++)
        total += a[i] * b[i];
    return total;
}

/* Each token's best cosine among these rows, at most as good as perfect. */
static void match_rows(const struct late_query *query, const float *rows, size_t count,
                       float *matches)
{
    size_t dimension = query->tokens.dimension;
    dot_fn *dot = dot_best();
    for (size_t q = 0; q < query->tokens.count; q++) {
        matches[q] = -1;
        for (size_t p = 0; query->weights[q] != 0 && p < count; p++) {
            float cosine = inner_product(dot, query->tokens.rows + q * dimension,
                                         rows + p * dimension, dimension);
            if (cosine > matches[q])
                matches[q] = cosine;
        }
    }
}

/* The weighted mean of the better of two matches for each token. */
static double join_matches(const struct late_query *query, const float *a, const float *b)
{
    double sum = 0;
    for (size_t q = 0; q < query->tokens.count; q++)
        sum += (double)query->weights[q] * (double)(a[q] > b[q] ? a[q] : b[q]);
    return sum;
}

struct late_match late_match(const struct late_query *query, const float *rows, size_t count)
{
    enum { STEP = LATE_WINDOW / 2 };
    size_t tokens = query->tokens.count;
    struct late_match match = {0, -1};
    float *whole = query->matches, *now = whole + tokens, *before = now + tokens;
    if (!count)
        return (struct late_match){0};
    for (size_t q = 0; q < tokens; q++)
        whole[q] = before[q] = -1;
    for (size_t begin = 0; begin < count; begin += STEP) {
        size_t rest = count - begin;
        match_rows(query, rows + begin * query->tokens.dimension, rest < STEP ? rest : STEP,
                   now);
        double window = join_matches(query, before, now);
        if (window > match.window)
            match.window = window;
        for (size_t q = 0; q < tokens; q++)
            if (now[q] > whole[q])
                whole[q] = now[q];
        float *other = before;
        before = now;
        now = other;
    }
    match.whole = join_matches(query, whole, whole);
    return match;
}

struct token_vectors_entry {
    int64_t chunk_id;
    uint64_t used; /* when, by the cache's count of uses */
    struct token_matrix tokens;
};

struct token_vectors {
    struct token_vectors_entry *entries; /* in no order */
    size_t count, capacity, bytes;
    uint64_t uses;
};

rag_status token_vectors_new(struct token_vectors **out, rag_error *error)
{
    *out = alloc_zeroed(1, sizeof **out);
    return *out ? RAG_OK : fail_memory(error);
}

void token_vectors_free(struct token_vectors *cache)
{
    if (!cache)
        return;
    for (size_t i = 0; i < cache->count; i++)
        free(cache->entries[i].tokens.rows);
    free(cache->entries);
    free(cache);
}

/* A few thousand entries at most, looked up a few dozen times a question. */
static struct token_vectors_entry *find(struct token_vectors *cache, int64_t chunk_id)
{
    for (size_t i = 0; i < cache->count; i++)
        if (cache->entries[i].chunk_id == chunk_id)
            return &cache->entries[i];
    return NULL;
}

static size_t matrix_bytes(const struct token_matrix *matrix)
{
    return matrix->count * matrix->dimension * sizeof *matrix->rows;
}

static void evict_oldest(struct token_vectors *cache)
{
    size_t oldest = 0;
    for (size_t i = 1; i < cache->count; i++)
        if (cache->entries[i].used < cache->entries[oldest].used)
            oldest = i;
    cache->bytes -= matrix_bytes(&cache->entries[oldest].tokens);
    free(cache->entries[oldest].tokens.rows);
    cache->entries[oldest] = cache->entries[--cache->count];
}

/* Keeps a copy; without memory for it nothing is kept. */
static void keep(struct token_vectors *cache, int64_t chunk_id, const rag_embedding *item)
{
    struct token_matrix tokens = {NULL, item->multi_count, item->multi_dimension};
    size_t bytes = matrix_bytes(&tokens);
    if (bytes > TOKEN_VECTORS_MAX_BYTES)
        return;
    while (cache->count && bytes > TOKEN_VECTORS_MAX_BYTES - cache->bytes)
        evict_oldest(cache);
    tokens.rows = alloc_array(bytes, 1);
    if (!tokens.rows || !array_reserve(&cache->entries, &cache->capacity, cache->count + 1,
                                       sizeof *cache->entries)) {
        free(tokens.rows);
        return;
    }
    memcpy(tokens.rows, item->multi, bytes);
    cache->entries[cache->count++] =
        (struct token_vectors_entry){chunk_id, cache->uses, tokens};
    cache->bytes += bytes;
}

rag_status late_match_chunks(struct token_vectors *cache, rag_model *model,
                             const struct late_query *query, const int64_t *ids,
                             const rag_text *texts, size_t count, const struct events *events,
                             struct late_match *matches, rag_error *error)
{
    rag_status status = RAG_OK;
    rag_embeddings *embeddings = NULL;
    size_t *missing = alloc_array(count, sizeof *missing), missing_count = 0;
    rag_text *missing_texts = alloc_array(count, sizeof *missing_texts);
    if (!missing || !missing_texts) {
        status = fail_memory(error);
        goto out;
    }
    cache->uses++;
    for (size_t i = 0; i < count; i++) {
        struct token_vectors_entry *entry = find(cache, ids[i]);
        if (entry) {
            entry->used = cache->uses;
            matches[i] = late_match(query, entry->tokens.rows, entry->tokens.count);
        } else {
            missing_texts[missing_count] = texts[i];
            missing[missing_count++] = i;
        }
    }
    if (!missing_count)
        goto out;
    status = embed_texts(model, missing_texts, missing_count, RAG_PASSAGE, RAG_MULTI, events,
                         &embeddings, error);
    if (status)
        goto out;
    for (size_t i = 0; i < missing_count; i++) {
        const rag_embedding *item = rag_embeddings_get(embeddings, i);
        matches[missing[i]] = late_match(query, item->multi, item->multi_count);
        keep(cache, ids[missing[i]], item);
    }
out:
    free(missing);
    free(missing_texts);
    rag_embeddings_free(embeddings);
    return status;
}
