/* second_stage.c - the best candidates scored again, by a cross-encoder or late interaction. */
#include "base/buf.h"
#include "base/file.h"
#include "base/memory.h"
#include "model/folder.h"
#include "pipeline/candidates.h"
#include "pipeline/evidence.h"
#include "pipeline/late.h"
#include "pipeline/rerank.h"

#include <math.h>
#include <string.h>

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
 * further kinds of evidence:
 *
 *   score = z(MaxSim + MaxSim of the best window) + WORDS support + DOCUMENT z(document)
 *
 * z: in standard deviations among the candidates. docs/quality.md compares. */
static rag_status merge_scores(struct search *search, size_t count, rag_error *error)
{
    static const double WORDS = 0.15, DOCUMENT = 1;
    rag_status status = RAG_OK;
    double *late = alloc_array(count, sizeof *late);
    double *documents = alloc_array(count, sizeof *documents);
    if (!late || !documents) {
        status = fail_memory(error);
        goto out;
    }
    for (size_t i = 0; i < count; i++) {
        search->found[i].score = search->found[i].rerank;
        late[i] = search->found[i].rerank + search->found[i].window;
    }
    if (search->index->rerank == RERANK_LATE_INTERACTION) {
        standardise(late, count);
        if ((status = score_documents(search, count, documents, error)))
            goto out;
        for (size_t i = 0; i < count; i++)
            search->found[i].score =
                late[i] + WORDS * search->found[i].support + DOCUMENT * documents[i];
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

static rag_status estimate_evidence(struct search *search, size_t count, rag_error *error)
{
    double *late = alloc_array(count, sizeof *late), *words = alloc_array(count, sizeof *words);
    rag_status status = late && words ? RAG_OK : fail_memory(error);
    for (size_t i = 0; i < count && !status; i++) {
        late[i] = search->found[i].rerank;
        words[i] = search->found[i].evidence;
    }
    if (!status)
        search->evidence = evidence_estimate(late, words, count);
    free(late);
    free(words);
    return status;
}

rag_status second_stage(struct search *search, rag_error *error)
{
    rag_index *index = search->index;
    rag_status status = index_need_reranker(index, error);
    if (status || index->rerank == RERANK_NONE)
        return status;
    if ((status = fetch_candidates(search, search->candidates, error)) || search->count == 0)
        return status;
    size_t count = search->candidates < search->count ? search->candidates : search->count;

    struct late_query question = {0};
    struct buf *contexts = alloc_zeroed(count, sizeof *contexts);
    rag_text *texts = alloc_array(count, sizeof *texts);
    int64_t *ids = alloc_array(count, sizeof *ids);
    struct late_match *matches = alloc_array(count, sizeof *matches);
    float *logits = alloc_array(count, sizeof *logits);
    if (!contexts || !texts || !ids || !matches || !logits) {
        status = fail_memory(error);
        goto out;
    }
    struct chunker_options chunker = index_chunker(index);
    for (size_t i = 0; i < count; i++) {
        const struct stored_chunk *chunk = &search->found[i].chunk;
        contexts[i] = BUF_INIT((size_t)TOKENIZER_MAX_TEXT);
        if (!chunk_context(&chunker, path_name(chunk->path), chunk->heading,
                           (rag_text){chunk->header, chunk->header_size},
                           (rag_text){chunk->text, chunk->text_size}, &contexts[i])) {
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
            status = late_match_chunks(index->token_vectors, index->reranker, &question, ids,
                                       texts, count, search->events, matches, error);
    } else {
        status = rerank_passages(index->reranker, search->question, texts, count,
                                 search->events, logits, error);
        for (size_t i = 0; !status && i < count; i++)
            matches[i] = (struct late_match){(double)logits[i], NAN};
    }
    if (status)
        goto out;
    for (size_t i = 0; i < count; i++) {
        search->found[i].rerank = matches[i].whole;
        search->found[i].window = matches[i].window;
    }
    if (is_calibrated(index))
        status = estimate_evidence(search, count, error);
    if (!status)
        status = merge_scores(search, count, error);
out:
    for (size_t i = 0; contexts && i < count; i++)
        buf_release(&contexts[i]);
    late_query_release(&question);
    free(contexts);
    free(texts);
    free(ids);
    free(matches);
    free(logits);
    return status;
}
