/* eval_table.c - what rag eval prints, as tables or JSON. */
#include "cli.h"

#include <errno.h>
#include <string.h>

static rag_bootstrap_options bootstrap_of(const struct settings *settings)
{
    rag_bootstrap_options options = RAG_BOOTSTRAP_OPTIONS_INIT;
    options.seed = settings->seed;
    return options;
}

static const char *mode_name(rag_mode mode)
{
    return mode == RAG_MODE_DENSE ? "dense" : mode == RAG_MODE_LEXICAL ? "lexical" : "hybrid";
}

/* ---- One way of searching ---- */

void eval_print_heading(const char *set, const rag_eval_report *report, bool first)
{
    if (!first)
        putchar('\n');
    print_safely(stdout, (rag_text){set, strlen(set)}, " ");
    printf(": %zu queries, %zu passages\n%*s", report->queries, report->passages, EVAL_LABEL,
           "");
    for (int m = 0; m < RAG_MEASURES; m++)
        printf("%10s", rag_measure_name((rag_measure)m));
    putchar('\n');
}

static void print_label(const char *label)
{
    print_safely(stdout, (rag_text){label, strlen(label)}, " ");
    if (strlen(label) > EVAL_LABEL)
        printf("\n%*s", EVAL_LABEL, "");
    else
        printf("%*s", EVAL_LABEL - (int)strlen(label), "");
}

/* Of 0..1 in few columns: ".977", "1." */
static const char *short_share(double value, char out[16])
{
    snprintf(out, 16, "%.3f", value);
    if (strcmp(out, "1.000") == 0)
        out[2] = '\0';
    return *out == '0' ? out + 1 : out;
}

static void print_row(const char *label, const rag_eval_report *report,
                      const rag_interval *intervals)
{
    const double means[RAG_MEASURES] = {report->recall_1,  report->recall_5, report->recall_10,
                                        report->recall_50, report->mrr_10,   report->ndcg_10};
    char text[32], low[16], high[16];
    print_label(label);
    for (int m = 0; m < RAG_MEASURES; m++)
        printf("%10.4f", means[m]);
    snprintf(text, sizeof text, "%.1f ms a query", 1000 * report->seconds_per_query);
    printf("\n%*s", EVAL_LABEL, text);
    for (int m = 0; m < RAG_MEASURES; m++) {
        snprintf(text, sizeof text, "%s-%s", short_share(intervals[m].low, low),
                 short_share(intervals[m].high, high));
        printf("%10s", text);
    }
    putchar('\n');
}

static json_t *json_of_intervals(const rag_interval *intervals)
{
    json_t *object = json_object();
    for (int m = 0; m < RAG_MEASURES; m++)
        json_object_set_new(object, rag_measure_name((rag_measure)m),
                            json_pack("[f, f]", intervals[m].low, intervals[m].high));
    return object;
}

rag_status eval_print_result(const struct settings *settings, const char *set,
                             const char *label, const rag_eval_result *result, rag_error *error)
{
    const rag_eval_report *report = rag_eval_result_report(result);
    const rag_bootstrap_options options = bootstrap_of(settings);
    rag_interval intervals[RAG_MEASURES];
    rag_status status = rag_eval_intervals(result, &options, intervals, error);
    if (status)
        return status;
    if (!settings->json) {
        print_row(label, report, intervals);
        return RAG_OK;
    }
    return print_json(
        json_pack("{s:o, s:o, s:s, s:o, s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:o}",
                  "set", json_string_of(set), "label", json_string_of(label), "mode",
                  mode_name(settings->mode), "rerank",
                  json_string_of(settings->rerank ? settings->rerank : "auto"), "passages",
                  (json_int_t)report->passages, "queries", (json_int_t)report->queries,
                  "recall@1", report->recall_1, "recall@5", report->recall_5, "recall@10",
                  report->recall_10, "recall@50", report->recall_50, "MRR@10", report->mrr_10,
                  "nDCG@10", report->ndcg_10, "seconds_per_query", report->seconds_per_query,
                  "intervals", json_of_intervals(intervals)),
        error);
}

/* ---- Two ways ---- */

static void print_differences(const char *const labels[2],
                              const rag_eval_difference *differences)
{
    printf("\n%s, less %s:\n%*s%11s%18s%8s%8s%7s%7s\n", labels[1], labels[0], EVAL_LABEL, "",
           "difference", "95 %", "p", "better", "worse", "same");
    for (int m = 0; m < RAG_MEASURES; m++) {
        const rag_eval_difference *one = &differences[m];
        printf("%-*s%+11.4f  %+.4f %+.4f%8.4f%8zu%7zu%7zu\n", EVAL_LABEL,
               rag_measure_name((rag_measure)m), one->difference, one->low, one->high,
               one->p_value, one->better, one->worse, one->same);
    }
}

static json_t *json_of_differences(const rag_eval_difference *differences)
{
    json_t *object = json_object();
    for (int m = 0; m < RAG_MEASURES; m++) {
        const rag_eval_difference *one = &differences[m];
        json_object_set_new(object, rag_measure_name((rag_measure)m),
                            json_pack("{s:f, s:[f, f], s:f, s:I, s:I, s:I}", "difference",
                                      one->difference, "interval", one->low, one->high, "p",
                                      one->p_value, "better", (json_int_t)one->better, "worse",
                                      (json_int_t)one->worse, "same", (json_int_t)one->same));
    }
    return object;
}

rag_status eval_print_comparison(const struct settings *settings, const char *set,
                                 const char *const labels[2], const rag_eval_result *a,
                                 const rag_eval_result *b, rag_error *error)
{
    const rag_bootstrap_options options = bootstrap_of(settings);
    rag_eval_difference differences[RAG_MEASURES];
    rag_status status = rag_eval_compare(a, b, &options, differences, error);
    if (status)
        return status;
    if (settings->json)
        return print_json(json_pack("{s:o, s:o, s:o, s:o}", "set", json_string_of(set), "label",
                                    json_string_of(labels[1]), "less",
                                    json_string_of(labels[0]), "differences",
                                    json_of_differences(differences)),
                          error);
    print_differences(labels, differences);
    return RAG_OK;
}

/* ---- Every query ---- */

static json_t *json_of_query(const char *set, const char *label, const rag_eval_query *query)
{
    json_t *object =
        json_pack("{s:o, s:o, s:o, s:I, s:I}", "set", json_string_of(set), "label",
                  json_string_of(label), "query", json_string_of(query->id), "relevant",
                  (json_int_t)query->relevant, "rank", (json_int_t)query->rank);
    json_t *found = json_array();
    for (int m = 0; m < RAG_MEASURES; m++)
        json_object_set_new(object, rag_measure_name((rag_measure)m),
                            json_real(query->measures[m]));
    json_object_set_new(object, "seconds", json_real(query->seconds));
    for (size_t i = 0; i < query->found_count; i++)
        json_array_append_new(found, json_pack("{s:o, s:f}", "passage",
                                               json_string_of(query->found[i]), "score",
                                               query->scores[i]));
    json_object_set_new(object, "found", found);
    return object;
}

rag_status eval_write_queries(FILE *file, const char *set, const char *label,
                              const rag_eval_result *result, rag_error *error)
{
    const rag_eval_query *query;
    for (size_t i = 0; (query = rag_eval_result_query(result, i)); i++) {
        json_t *object = json_of_query(set, label, query);
        if (!object)
            return out_of_memory(error);
        errno = 0;
        int failed = json_dumpf(object, file, JSON_COMPACT | JSON_REAL_PRECISION(9)) != 0;
        failed |= putc('\n', file) == EOF;
        json_decref(object);
        if (failed) {
            error->status = RAG_INPUT;
            snprintf(error->message, sizeof error->message, "the figures of the queries: %s",
                     errno ? strerror(errno) : "not everything could be written");
            return RAG_INPUT;
        }
    }
    return RAG_OK;
}
