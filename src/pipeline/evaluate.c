/* evaluate.c - measuring retrieval on a set with known answers.
 *
 * Each passage is one document of one chunk in an index of its own, so that everything from
 * the embedding to the reranking is what a user's search does. */
#define _XOPEN_SOURCE 700
#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "pipeline/evalset.h"
#include "pipeline/metrics.h"
#include "pipeline/search.h"

#include <string.h>

enum { PASSAGES_A_BATCH = 64, DEPTH = 50 };

static rag_status put_passage(rag_index *index, const struct eval_text *passage,
                              const rag_embedding *item, rag_error *error)
{
    struct store_document document = {.path = passage->id,
                                      .format = "text",
                                      .size = passage->size,
                                      .text = {passage->text, passage->size}};
    rag_status status = hash_bytes(passage->text, passage->size, &document.hash, error);
    if (status)
        return status;
    struct store_chunk chunk = {.end = passage->size,
                                .line = 1,
                                .last_line = 1,
                                .tokens = item->tokens,
                                .heading = "",
                                .hash = document.hash,
                                .vector = item->dense};
    for (size_t i = 0; i < passage->size; i++)
        chunk.last_line += passage->text[i] == '\n';
    return store_put(index->store, &document, &chunk, passage->size != 0, error);
}

/* Passages that are in a kept index already are not embedded again. */
static rag_status fill_index(rag_index *index, const struct eval_texts *passages,
                             const struct events *events, rag_error *error)
{
    const struct eval_text *batch[PASSAGES_A_BATCH];
    rag_text texts[PASSAGES_A_BATCH];
    size_t count = 0;
    struct chunker_options whole = {RAG_CHUNKER_STRUCTURE, STORE_MAX_TEXT, 0};
    rag_status status = index_need_recipe(index, &whole, error);
    for (size_t i = 0; !status && i < passages->count; i++) {
        struct store_file known;
        struct hash hash;
        const struct eval_text *passage = &passages->items[i];
        if ((status = store_find_document(index->store, passage->id, &known, error)) ||
            (status = hash_bytes(passage->text, passage->size, &hash, error)))
            break;
        if (!known.present || memcmp(&known.hash, &hash, sizeof hash) != 0) {
            batch[count] = passage;
            texts[count++] = (rag_text){passage->text, passage->size};
        }
        if (count < PASSAGES_A_BATCH && i + 1 < passages->count)
            continue;
        if (event_progress(events, "embedding", "passages", i + 1, passages->count, NULL))
            return fail_with(error, RAG_INTERRUPTED, "stopped while embedding the passages");
        rag_embeddings *embeddings = NULL;
        status = embed_texts(index->model, texts, count, RAG_PASSAGE, RAG_DENSE, NULL,
                             &embeddings, error);
        for (size_t j = 0; !status && j < count; j++)
            status = put_passage(index, batch[j], rag_embeddings_get(embeddings, j), error);
        rag_embeddings_free(embeddings);
        count = 0;
    }
    return status;
}

static void add_query(rag_eval_report *report, const struct eval_set *set,
                      const struct eval_qrel *qrels, size_t relevant, const rag_hits *hits)
{
    double grades[DEPTH] = {0}, ideal[DEPTH];
    size_t count = rag_hits_count(hits), graded = 0;
    for (size_t i = 0; i < relevant; i++)
        if (qrels[i].grade > 0) {
            if (graded < DEPTH)
                ideal[graded] = qrels[i].grade;
            graded++;
        }
    for (size_t i = 0; i < count; i++) {
        size_t passage = eval_find(&set->passages, rag_hits_get(hits, i)->chunk.document);
        for (size_t j = 0; j < relevant; j++)
            if (qrels[j].passage == passage)
                grades[i] = qrels[j].grade;
    }
    struct ranking ranking = {grades, count, ideal, graded};
    report->recall_1 += recall_at(&ranking, 1);
    report->recall_5 += recall_at(&ranking, 5);
    report->recall_10 += recall_at(&ranking, 10);
    report->recall_50 += recall_at(&ranking, DEPTH);
    report->mrr_10 += reciprocal_rank_at(&ranking, 10);
    report->ndcg_10 += ndcg_at(&ranking, 10);
    report->queries++;
}

static rag_status run_queries(rag_index *index, const struct eval_set *set,
                              const rag_search_options *search, rag_eval_report *report,
                              rag_error *error)
{
    rag_search_options options = *search;
    options.k = DEPTH;
    struct events events = {search->on_event, search->user};
    options.on_event = NULL;
    double start = clock_seconds();
    for (size_t i = 0; i < set->qrel_count;) {
        size_t first = i, query = set->qrels[first].query;
        while (i < set->qrel_count && set->qrels[i].query == query)
            i++;
        if (event_progress(&events, "searching", "queries", report->queries, set->queries.count,
                           NULL))
            return fail_with(error, RAG_INTERRUPTED, "stopped after %zu of %zu queries",
                             report->queries, set->queries.count);
        if (set->qrels[first].grade <= 0)
            continue; /* nothing is relevant: no ranking is better than another */
        const struct eval_text *text = &set->queries.items[query];
        rag_hits *hits;
        rag_status status =
            search_index(index, (rag_text){text->text, text->size}, &options, &hits, error);
        if (status)
            return fail_within(error, status, "query %s", text->id);
        add_query(report, set, set->qrels + first, i - first, hits);
        rag_hits_free(hits);
    }
    if (report->queries)
        report->seconds_per_query = (clock_seconds() - start) / (double)report->queries;
    return RAG_OK;
}

static void divide(rag_eval_report *report)
{
    if (!report->queries)
        return;
    double *sums[] = {&report->recall_1,  &report->recall_5, &report->recall_10,
                      &report->recall_50, &report->mrr_10,   &report->ndcg_10};
    for (size_t i = 0; i < sizeof sums / sizeof *sums; i++)
        *sums[i] /= (double)report->queries;
}

static rag_status temporary_folder(char **folder, rag_error *error)
{
    const char *parent = getenv("TMPDIR");
    *folder = path_join(parent && *parent ? parent : "/tmp", "rag-eval-XXXXXX");
    if (!*folder)
        return fail_memory(error);
    if (!mkdtemp(*folder)) {
        rag_status status = fail_errno(error, RAG_INPUT, "%s: cannot be created", *folder);
        free(*folder);
        *folder = NULL;
        return status;
    }
    return RAG_OK;
}

rag_status rag_evaluate(const char *folder, const rag_eval_options *options,
                        rag_eval_report *report, rag_error *error)
{
    static const rag_eval_options defaults = RAG_EVAL_OPTIONS_INIT;
    if (!options)
        options = &defaults;
    *report = (rag_eval_report){0};
    struct eval_set set;
    char *temporary = NULL, *path = NULL;
    rag_index *index = NULL;
    rag_status status = CHECK_OPTIONS(options, error);
    if (status || (status = eval_set_read(folder, &set, error)))
        return status;
    if (!options->cache && (status = temporary_folder(&temporary, error)))
        goto out;
    path = options->cache ? strdup(options->cache) : path_join(temporary, "eval.rag");
    if (!path) {
        status = fail_memory(error);
        goto out;
    }
    rag_index_options open = RAG_INDEX_OPTIONS_INIT;
    open.model = options->model;
    open.reranker = options->reranker;
    open.models = options->models;
    struct events events = {options->search.on_event, options->search.user};
    if ((status = rag_index_open(path, &open, &index, error)) ||
        (status = index_need_store(index, error)) ||
        (temporary && (status = store_set_volatile(index->store, error))) ||
        (status = fill_index(index, &set.passages, &events, error)) ||
        (status = run_queries(index, &set, &options->search, report, error)))
        goto out;
    report->passages = set.passages.count;
    divide(report);
out:
    rag_index_close(index);
    if (temporary) {
        rag_status removed = directory_remove(temporary, status ? NULL : error);
        if (!status)
            status = removed;
    }
    free(temporary);
    free(path);
    eval_set_release(&set);
    return status;
}
