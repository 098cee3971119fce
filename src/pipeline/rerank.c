/* rerank.c - scoring passages against a question a second time, more closely. */
#include "pipeline/rerank.h"
#include "base/memory.h"
#include "pipeline/late.h"

/* Logits of (query, passage) pairs, each cut to what the model takes. */
static rag_status cross_encode(rag_model *model, rag_text query, const rag_text *passages,
                               size_t count, const struct events *events, float *scores,
                               rag_error *error)
{
    rag_status status = tokenizer_check(query, error);
    if (status)
        return fail_within(error, status, "the question");
    struct sequence *sequences = alloc_array(count, sizeof *sequences);
    struct token_list *pairs = alloc_zeroed(count, sizeof *pairs);
    uint8_t **types = alloc_zeroed(count, sizeof *types);
    if (!sequences || !pairs || !types) {
        status = fail_memory(error);
        goto out;
    }
    for (size_t i = 0; i < count; i++) {
        status = tokenizer_encode_pair(model->tokenizer, query, passages[i],
                                       model->config.max_tokens, &pairs[i], &types[i], error);
        if (status) {
            status = fail_within(error, status, "text %zu", i + 1);
            goto out;
        }
        sequences[i] =
            (struct sequence){.ids = pairs[i].ids, .types = types[i], .count = pairs[i].count};
    }
    struct encoder_output wanted = {.logits = scores};
    pthread_mutex_lock(&model->lock);
    status = encoder_run(model->encoder, sequences, count, &wanted, events, error);
    pthread_mutex_unlock(&model->lock);
out:
    for (size_t i = 0; pairs && types && i < count; i++) {
        token_list_release(&pairs[i]);
        free(types[i]);
    }
    free(types);
    free(pairs);
    free(sequences);
    return status;
}

static rag_status late_rerank(rag_model *model, rag_text query, const rag_text *passages,
                              size_t count, const struct events *events, float *scores,
                              rag_error *error)
{
    struct late_query question;
    rag_status status = late_query_make(model, query, events, &question, error);
    if (status)
        return status;
    rag_embeddings *embeddings = NULL;
    status =
        embed_texts(model, passages, count, RAG_PASSAGE, RAG_MULTI, events, &embeddings, error);
    for (size_t i = 0; !status && i < count; i++) {
        const rag_embedding *item = rag_embeddings_get(embeddings, i);
        scores[i] = (float)late_match(&question, item->multi, item->multi_count).whole;
    }
    rag_embeddings_free(embeddings);
    late_query_release(&question);
    return status;
}

rag_status rerank_passages(rag_model *model, rag_text query, const rag_text *passages,
                           size_t count, const struct events *events, float *scores,
                           rag_error *error)
{
    if (!count)
        return RAG_OK;
    if (model->info.heads & RAG_LOGIT)
        return cross_encode(model, query, passages, count, events, scores, error);
    return late_rerank(model, query, passages, count, events, scores, error);
}

rag_status rag_rerank(rag_model *model, rag_text query, const rag_text *passages, size_t count,
                      const rag_rerank_options *options, float *scores, rag_error *error)
{
    struct events events = {0};
    rag_status status = CHECK_OPTIONS(options, error);
    if (status)
        return status;
    if (options)
        events = (struct events){options->on_event, options->user};
    return rerank_passages(model, query, passages, count, &events, scores, error);
}
