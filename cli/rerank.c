/* rag rerank: passages scored against a question, best first. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

struct scored_line {
    size_t index;
    double score;
};

static int best_first(const void *a, const void *b)
{
    const struct scored_line *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

static rag_status rerank_lines(rag_model *model, rag_text query, const struct text_lines *lines,
                               struct progress *progress, rag_error *error)
{
    size_t count = lines->count;
    rag_status status = RAG_OK;
    rag_text *passages = calloc(count + 1, sizeof *passages);
    float *scores = calloc(count + 1, sizeof *scores);
    struct scored_line *order = calloc(count + 1, sizeof *order);
    if (!passages || !scores || !order) {
        status = out_of_memory(error);
        goto out;
    }
    for (size_t i = 0; i < count; i++)
        passages[i] = (rag_text){lines->texts[i], lines->sizes[i]};
    rag_rerank_options options = RAG_RERANK_OPTIONS_INIT;
    options.on_event = progress_event;
    options.user = progress;
    status = rag_rerank(model, query, passages, count, &options, scores, error);
    progress_finish(progress);
    for (size_t i = 0; i < count; i++)
        order[i] = (struct scored_line){i, (double)scores[i]};
    qsort(order, count, sizeof *order, best_first);
    for (size_t i = 0; !status && i < count; i++)
        status = print_json(json_pack("{s:I, s:f}", "index", (json_int_t)order[i].index,
                                      "score", order[i].score),
                            error);
out:
    free(passages);
    free(scores);
    free(order);
    return status;
}

static rag_status run(const struct settings *settings, rag_error *error)
{
    struct progress progress;
    rag_model *model;
    struct text_lines lines = {0};
    size_t number = 0;
    rag_model_options options = model_options(settings);
    rag_text query;
    progress_start(&progress, settings);
    rag_status status = question_of(settings, &query, error);
    if (!status)
        status = rag_model_open(settings->model, &options, &model, error);
    if (status)
        return status;
    status = text_lines_read(&lines, (size_t)-1, (size_t)-1, settings->jsonl, &number, error);
    if (!status)
        status = rerank_lines(model, query, &lines, &progress, error);
    text_lines_release(&lines);
    rag_model_close(model);
    return status;
}

const struct command rerank_command = {
    .name = "rerank",
    .arguments = "QUERY",
    .summary = "Score standard input, a passage a line, against a question",
    .options = "model models precision threads jsonl quiet",
    .help =
        "A line {\"index\": i, \"score\": s} comes out for each passage, best first. A "
        "cross-encoder\n"
        "gives its raw logit, an embedding model late interaction (MaxSim, within -1..1).\n\n"
        "examples:\n"
        "  rag rerank \"What is a panda?\" < passages.txt\n"
        "  rag rerank -m BAAI/bge-reranker-base --jsonl \"熊猫吃什么？\" < "
        "passages.jsonl\n",
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};
