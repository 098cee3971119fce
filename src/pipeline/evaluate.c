/* evaluate.c - measuring retrieval on a set with known answers. */
#define _XOPEN_SOURCE 700
#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "pipeline/bootstrap.h"
#include "pipeline/eval_index.h"
#include "pipeline/metrics.h"
#include "pipeline/search.h"

#include <string.h>

enum {
    DEPTH = 50,
    DEFAULT_SAMPLES = 10000,
    MAX_SAMPLES = 1000000,
};

static const char *const measure_names[RAG_MEASURES] = {"recall@1",  "recall@5", "recall@10",
                                                        "recall@50", "MRR@10",   "nDCG@10"};

const char *rag_measure_name(rag_measure measure)
{
    return (unsigned)measure < RAG_MEASURES ? measure_names[measure] : NULL;
}

struct rag_eval {
    struct eval_set set;
    rag_model *model;
    rag_model_options models;
    char *models_folder; /* what models.models points to */
    char *path, *temporary;
};

struct rag_eval_result {
    const struct rag_eval *eval;
    rag_eval_report report;
    rag_eval_query *queries; /* [report.queries] */
    size_t capacity;
};

/* ---- The set ---- */

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

static rag_status place_index(struct rag_eval *eval, const char *cache, rag_error *error)
{
    rag_status status = RAG_OK;
    if (!cache && (status = temporary_folder(&eval->temporary, error)))
        return status;
    eval->path = cache ? strdup(cache) : path_join(eval->temporary, "eval.rag");
    return eval->path ? RAG_OK : fail_memory(error);
}

static rag_status open_index(const struct rag_eval *eval, const char *reranker,
                             const struct events *events, rag_index **index, rag_error *error)
{
    rag_index_options options = RAG_INDEX_OPTIONS_INIT;
    options.open_model = eval->model;
    options.reranker = reranker;
    options.models = eval->models;
    options.models.on_event = events->on_event;
    options.models.user = events->user;
    return rag_index_open(eval->path, &options, index, error);
}

static rag_status fill_index(struct rag_eval *eval, const struct events *events,
                             rag_error *error)
{
    rag_index *index;
    rag_status status = open_index(eval, "none", events, &index, error);
    if (status)
        return status;
    status = eval_index_fill(index, &eval->set.passages, eval->temporary, events, error);
    rag_index_close(index);
    return status;
}

rag_status rag_eval_open(const char *folder, const rag_eval_options *options, rag_eval **out,
                         rag_error *error)
{
    static const rag_eval_options defaults = RAG_EVAL_OPTIONS_INIT;
    if (!options)
        options = &defaults;
    *out = NULL;
    rag_status status = CHECK_OPTIONS(options, error);
    if (status)
        return status;
    struct rag_eval *eval = alloc_zeroed(1, sizeof *eval);
    if (!eval)
        return fail_memory(error);
    eval->models = options->models;
    struct events events = {options->search.on_event, options->search.user};
    if (options->models.models && !(eval->models_folder = strdup(options->models.models))) {
        status = fail_memory(error);
        goto out;
    }
    eval->models.models = eval->models_folder;
    if ((status = eval_set_read(folder, &eval->set, error)) ||
        (status = place_index(eval, options->cache, error)) ||
        (status = rag_model_open(options->model, &eval->models, &eval->model, error)))
        goto out;
    status = fill_index(eval, &events, error);
out:
    if (status)
        rag_eval_close(eval);
    else
        *out = eval;
    return status;
}

void rag_eval_close(rag_eval *eval)
{
    if (!eval)
        return;
    rag_model_close(eval->model);
    if (eval->temporary && directory_remove(eval->temporary, NULL)) {
        /* It is in a folder for what is temporary, whose owner clears it in the end. */
    }
    free(eval->temporary);
    free(eval->path);
    free(eval->models_folder);
    eval_set_release(&eval->set);
    free(eval);
}

/* ---- A way of searching ---- */

static void measure(const struct ranking *ranking, double measures[RAG_MEASURES])
{
    measures[RAG_RECALL_1] = recall_at(ranking, 1);
    measures[RAG_RECALL_5] = recall_at(ranking, 5);
    measures[RAG_RECALL_10] = recall_at(ranking, 10);
    measures[RAG_RECALL_50] = recall_at(ranking, 50);
    measures[RAG_MRR_10] = reciprocal_rank_at(ranking, 10);
    measures[RAG_NDCG_10] = ndcg_at(ranking, 10);
}

/* Notes which passages were found, and how good that is. */
static rag_status note_hits(const struct eval_set *set, const struct eval_qrel *qrels,
                            size_t qrel_count, const rag_hits *hits, rag_eval_query *query,
                            rag_error *error)
{
    double grades[DEPTH] = {0}, ideal[DEPTH];
    size_t count = rag_hits_count(hits);
    const char **found = alloc_array(count, sizeof *found);
    double *scores = alloc_array(count, sizeof *scores);
    query->found = found;
    query->scores = scores;
    if (!found || !scores)
        return fail_memory(error);
    query->found_count = count;
    for (size_t i = 0; i < qrel_count && qrels[i].grade > 0; i++) {
        if (i < DEPTH)
            ideal[i] = qrels[i].grade;
        query->relevant++;
    }
    for (size_t i = 0; i < count; i++) {
        size_t passage = eval_find(&set->passages, rag_hits_get(hits, i)->chunk.document);
        if (passage == SIZE_MAX)
            return fail_with(error, RAG_INDEX, "the index has changed meanwhile");
        found[i] = set->passages.items[passage].id;
        scores[i] = rag_hits_get(hits, i)->score;
        for (size_t j = 0; j < qrel_count; j++)
            if (qrels[j].passage == passage)
                grades[i] = qrels[j].grade;
        if (grades[i] > 0 && !query->rank)
            query->rank = i + 1;
    }
    struct ranking ranking = {grades, count, ideal, query->relevant};
    measure(&ranking, query->measures);
    return RAG_OK;
}

static rag_status ask(rag_index *index, const struct eval_qrel *qrels, size_t qrel_count,
                      const rag_search_options *options, rag_eval_result *result,
                      rag_error *error)
{
    const struct eval_set *set = &result->eval->set;
    const struct eval_text *text = &set->queries.items[qrels->query];
    rag_hits *hits;
    double start = clock_seconds();
    rag_status status =
        search_index(index, (rag_text){text->text, text->size}, options, &hits, error);
    if (status)
        return fail_within(error, status, "query %s", text->id);
    if (!array_reserve(&result->queries, &result->capacity, result->report.queries + 1,
                       sizeof *result->queries)) {
        rag_hits_free(hits);
        return fail_memory(error);
    }
    rag_eval_query *query = &result->queries[result->report.queries++];
    *query = (rag_eval_query){.id = text->id, .seconds = clock_seconds() - start};
    status = note_hits(set, qrels, qrel_count, hits, query, error);
    rag_hits_free(hits);
    return status;
}

static rag_status ask_all(rag_index *index, const rag_search_options *options,
                          const struct events *events, rag_eval_result *result,
                          rag_error *error)
{
    const struct eval_set *set = &result->eval->set;
    for (size_t i = 0; i < set->qrel_count;) {
        size_t first = i, query = set->qrels[first].query;
        while (i < set->qrel_count && set->qrels[i].query == query)
            i++;
        if (event_progress(events, "searching", "queries", result->report.queries,
                           set->queries.count, NULL))
            return fail_with(error, RAG_INTERRUPTED, "stopped after %zu of %zu queries",
                             result->report.queries, set->queries.count);
        if (set->qrels[first].grade <= 0)
            continue; /* nothing is relevant: no ranking is better than another */
        rag_status status = ask(index, set->qrels + first, i - first, options, result, error);
        if (status)
            return status;
    }
    return RAG_OK;
}

static void summarise(rag_eval_result *result)
{
    rag_eval_report *report = &result->report;
    double *means[RAG_MEASURES] = {&report->recall_1,  &report->recall_5, &report->recall_10,
                                   &report->recall_50, &report->mrr_10,   &report->ndcg_10};
    for (size_t i = 0; i < report->queries; i++) {
        for (size_t m = 0; m < RAG_MEASURES; m++)
            *means[m] += result->queries[i].measures[m];
        report->seconds_per_query += result->queries[i].seconds;
    }
    for (size_t m = 0; m < RAG_MEASURES && report->queries; m++)
        *means[m] /= (double)report->queries;
    if (report->queries)
        report->seconds_per_query /= (double)report->queries;
}

rag_status rag_eval_run(rag_eval *eval, const rag_search_options *search, const char *reranker,
                        rag_eval_result **out, rag_error *error)
{
    rag_search_options options = RAG_SEARCH_OPTIONS_INIT;
    rag_index *index = NULL;
    *out = NULL;
    rag_status status = CHECK_OPTIONS(search, error);
    if (status)
        return status;
    if (search)
        options = *search;
    struct events events = {options.on_event, options.user};
    options.k = DEPTH;
    options.vector = NULL;
    options.on_event = NULL;
    rag_eval_result *result = alloc_zeroed(1, sizeof *result);
    if (!result)
        return fail_memory(error);
    *result = (rag_eval_result){.eval = eval, .report.passages = eval->set.passages.count};
    if (!(status = open_index(eval, reranker, &events, &index, error)))
        status = ask_all(index, &options, &events, result, error);
    rag_index_close(index);
    if (status) {
        rag_eval_result_free(result);
        return status;
    }
    summarise(result);
    *out = result;
    return RAG_OK;
}

void rag_eval_result_free(rag_eval_result *result)
{
    if (!result)
        return;
    for (size_t i = 0; i < result->report.queries; i++) {
        free((void *)(uintptr_t)result->queries[i].found);
        free((void *)(uintptr_t)result->queries[i].scores);
    }
    free(result->queries);
    free(result);
}

const rag_eval_report *rag_eval_result_report(const rag_eval_result *result)
{
    return &result->report;
}

const rag_eval_query *rag_eval_result_query(const rag_eval_result *result, size_t i)
{
    return i < result->report.queries ? &result->queries[i] : NULL;
}

/* ---- How far the figures can be trusted ---- */

static rag_status check_bootstrap(const rag_bootstrap_options *given,
                                  rag_bootstrap_options *out, size_t queries, rag_error *error)
{
    rag_status status = CHECK_OPTIONS(given, error);
    if (status)
        return status;
    *out = given ? *given : (rag_bootstrap_options)RAG_BOOTSTRAP_OPTIONS_INIT;
    if (!out->samples)
        out->samples = DEFAULT_SAMPLES;
    if (out->confidence == 0)
        out->confidence = 0.95;
    if (out->samples > MAX_SAMPLES || !(out->confidence > 0 && out->confidence < 1))
        return fail_with(error, RAG_USAGE,
                         "at most %d samples, and a confidence between 0 and 1, can be had",
                         MAX_SAMPLES);
    return queries ? RAG_OK : fail_with(error, RAG_INPUT, "no query has a relevant passage");
}

rag_status rag_eval_intervals(const rag_eval_result *result,
                              const rag_bootstrap_options *options,
                              rag_interval intervals[RAG_MEASURES], rag_error *error)
{
    rag_bootstrap_options checked;
    size_t count = result->report.queries;
    rag_status status = check_bootstrap(options, &checked, count, error);
    if (status)
        return status;
    double(*values)[RAG_MEASURES] = alloc_array(count, sizeof *values);
    if (!values)
        return fail_memory(error);
    for (size_t i = 0; i < count; i++)
        memcpy(values[i], result->queries[i].measures, sizeof *values);
    status = bootstrap(values[0], count, RAG_MEASURES, &checked, intervals, NULL, error);
    free(values);
    return status;
}

static bool same_queries(const rag_eval_result *a, const rag_eval_result *b)
{
    if (a->report.queries != b->report.queries)
        return false;
    for (size_t i = 0; i < a->report.queries; i++)
        if (strcmp(a->queries[i].id, b->queries[i].id) != 0)
            return false;
    return true;
}

rag_status rag_eval_compare(const rag_eval_result *a, const rag_eval_result *b,
                            const rag_bootstrap_options *options,
                            rag_eval_difference differences[RAG_MEASURES], rag_error *error)
{
    rag_bootstrap_options checked;
    rag_interval intervals[RAG_MEASURES];
    double chances[RAG_MEASURES];
    size_t count = a->report.queries;
    rag_status status = check_bootstrap(options, &checked, count, error);
    if (status)
        return status;
    if (!same_queries(a, b))
        return fail_with(error, RAG_INPUT, "these are results of different queries");
    double(*values)[RAG_MEASURES] = alloc_array(count, sizeof *values);
    if (!values)
        return fail_memory(error);
    memset(differences, 0, RAG_MEASURES * sizeof *differences);
    for (size_t i = 0; i < count; i++)
        for (size_t m = 0; m < RAG_MEASURES; m++) {
            double difference = b->queries[i].measures[m] - a->queries[i].measures[m];
            values[i][m] = difference;
            differences[m].difference += difference / (double)count;
            differences[m].better += difference > 0;
            differences[m].worse += difference < 0;
            differences[m].same += difference == 0;
        }
    status = bootstrap(values[0], count, RAG_MEASURES, &checked, intervals, chances, error);
    for (size_t m = 0; m < RAG_MEASURES && !status; m++) {
        differences[m].low = intervals[m].low;
        differences[m].high = intervals[m].high;
        differences[m].p_value = chances[m];
    }
    free(values);
    return status;
}

rag_status rag_evaluate(const char *folder, const rag_eval_options *options,
                        rag_eval_report *report, rag_error *error)
{
    static const rag_eval_options defaults = RAG_EVAL_OPTIONS_INIT;
    if (!options)
        options = &defaults;
    *report = (rag_eval_report){0};
    rag_eval *eval;
    rag_eval_result *result = NULL;
    rag_status status = rag_eval_open(folder, options, &eval, error);
    if (!status)
        status = rag_eval_run(eval, &options->search, options->reranker, &result, error);
    if (!status)
        *report = result->report;
    rag_eval_result_free(result);
    rag_eval_close(eval);
    return status;
}
