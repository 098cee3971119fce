/* rag eval: how well retrieval does on a set with known answers. */
#include "cli.h"

#include <stdio.h>

static const char *mode_name(rag_mode mode)
{
    return mode == RAG_MODE_DENSE ? "dense" : mode == RAG_MODE_LEXICAL ? "lexical" : "hybrid";
}

static rag_status print_report(const struct settings *settings, const rag_eval_report *report,
                               rag_error *error)
{
    const char *rerank = settings->rerank ? settings->rerank : "auto";
    if (settings->json)
        return print_json(
            json_pack("{s:o, s:s, s:o, s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "set",
                      json_string_of(settings->arguments[0]), "mode", mode_name(settings->mode),
                      "rerank", json_string_of(rerank), "passages",
                      (json_int_t)report->passages, "queries", (json_int_t)report->queries,
                      "recall@1", report->recall_1, "recall@5", report->recall_5, "recall@10",
                      report->recall_10, "recall@50", report->recall_50, "MRR@10",
                      report->mrr_10, "nDCG@10", report->ndcg_10, "seconds_per_query",
                      report->seconds_per_query),
            error);
    printf("%s: %zu queries, %zu passages, mode %s, rerank %s\n", settings->arguments[0],
           report->queries, report->passages, mode_name(settings->mode), rerank);
    printf("  recall@1   %.4f\n  recall@5   %.4f\n  recall@10  %.4f\n  recall@50  %.4f\n",
           report->recall_1, report->recall_5, report->recall_10, report->recall_50);
    printf("  MRR@10     %.4f\n  nDCG@10    %.4f\n  %.1f ms a query\n", report->mrr_10,
           report->ndcg_10, 1000 * report->seconds_per_query);
    return RAG_OK;
}

static rag_status run(const struct settings *settings, rag_error *error)
{
    struct progress progress;
    rag_eval_report report;
    progress_start(&progress, settings);
    interrupt_catch();
    rag_eval_options options = RAG_EVAL_OPTIONS_INIT;
    options.model = settings->model;
    options.reranker = settings->rerank;
    options.models = model_options(settings);
    options.search = search_options(settings, &progress);
    options.cache = settings->index;
    rag_status status = rag_evaluate(settings->arguments[0], &options, &report, error);
    progress_finish(&progress);
    return status ? status : print_report(settings, &report, error);
}

const struct command eval_command = {
    .name = "eval",
    .arguments = "DIR",
    .summary = "Measure retrieval on a set with known answers",
    .options = "index model models mode candidates rerank precision threads json quiet",
    .help =
        "DIR holds passages.jsonl and queries.jsonl ({\"id\", \"text\"} a line) and qrels.tsv\n"
        "(query id, passage id, grade, with tabs). Out come recall@1/5/10/50, MRR@10 and\n"
        "nDCG@10. With --index the embedded passages are kept in that file for the next "
        "time.\n\n"
        "examples:\n"
        "  rag eval sets/xquad-zh\n"
        "  rag eval sets/xquad-zh --mode dense --rerank none --json\n",
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};
