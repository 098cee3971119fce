/* Ways of searching on a set, query by query, and their comparison. */
#include "pipeline/fixture.h"

#include <math.h>

static rag_error error;

/* By words alone: q1 finds p1 before p2, of which p2 is right; q2 its passage; q3 nothing. */
static void write_set(const char *folder)
{
    char name[64];
    snprintf(name, sizeof name, "%s/passages.jsonl", folder);
    write_text(name, "{\"id\": \"p1\", \"text\": \"apple apple apple\"}\n"
                     "{\"id\": \"p2\", \"text\": \"apple banana and much more about fruit\"}\n"
                     "{\"id\": \"p3\", \"text\": \"cherry\"}\n"
                     "{\"id\": \"p4\", \"text\": \"grape\"}\n");
    snprintf(name, sizeof name, "%s/queries.jsonl", folder);
    write_text(name, "{\"id\": \"q3\", \"text\": \"melon\"}\n"
                     "{\"id\": \"q1\", \"text\": \"apple\"}\n"
                     "{\"id\": \"q2\", \"text\": \"cherry\"}\n"
                     "{\"id\": \"q4\", \"text\": \"nothing is relevant\"}\n");
    snprintf(name, sizeof name, "%s/qrels.tsv", folder);
    write_text(name, "q1\tp2\t1\nq2\tp3\t1\nq3\tp4\t1\nq4\tp1\t0\n");
}

static rag_eval *open_set(const char *folder)
{
    rag_eval_options options = RAG_EVAL_OPTIONS_INIT;
    rag_eval *eval;
    options.model = small_model("bge-m3-like");
    assert_ok(rag_eval_open(in_sandbox(folder), &options, &eval, &error), &error);
    return eval;
}

static rag_eval_result *run(rag_eval *eval, rag_mode mode)
{
    rag_search_options options = RAG_SEARCH_OPTIONS_INIT;
    rag_eval_result *result;
    options.mode = mode;
    assert_ok(rag_eval_run(eval, &options, "none", &result, &error), &error);
    return result;
}

static void every_query_is_reported_with_what_it_found(void **state)
{
    (void)state;
    write_set("set");
    rag_eval *eval = open_set("set");
    rag_eval_result *result = run(eval, RAG_MODE_LEXICAL);
    assert_int_equal(rag_eval_result_report(result)->queries, 3);
    const rag_eval_query *query = rag_eval_result_query(result, 0);
    assert_string_equal(query->id, "q1");
    assert_int_equal(query->relevant, 1);
    assert_int_equal(query->rank, 2);
    assert_int_equal(query->found_count, 2);
    assert_string_equal(query->found[0], "p1");
    assert_string_equal(query->found[1], "p2");
    assert_true(query->scores[0] > query->scores[1]);
    assert_true(query->measures[RAG_RECALL_1] == 0 && query->measures[RAG_RECALL_5] == 1);
    assert_true(query->measures[RAG_MRR_10] == 0.5);
    assert_true(fabs(query->measures[RAG_NDCG_10] - 1 / log2(3)) < 1e-12);
    assert_int_equal(rag_eval_result_query(result, 1)->rank, 1);
    query = rag_eval_result_query(result, 2);
    assert_int_equal(query->rank, 0);
    assert_int_equal(query->found_count, 0);
    assert_null(rag_eval_result_query(result, 3));
    rag_eval_result_free(result);
    rag_eval_close(eval);
}

static void intervals_hold_the_means(void **state)
{
    (void)state;
    write_set("set");
    rag_eval *eval = open_set("set");
    rag_eval_result *result = run(eval, RAG_MODE_LEXICAL);
    rag_interval intervals[RAG_MEASURES];
    assert_ok(rag_eval_intervals(result, NULL, intervals, &error), &error);
    assert_true(intervals[RAG_RECALL_1].low == 0 && intervals[RAG_RECALL_1].high == 1);
    const rag_eval_report *report = rag_eval_result_report(result);
    assert_true(intervals[RAG_NDCG_10].low < report->ndcg_10 &&
                intervals[RAG_NDCG_10].high > report->ndcg_10);
    rag_bootstrap_options options = RAG_BOOTSTRAP_OPTIONS_INIT;
    options.confidence = 1;
    assert_status(RAG_USAGE, rag_eval_intervals(result, &options, intervals, &error), &error);
    options.confidence = 0.9;
    options.samples = 1000001;
    assert_status(RAG_USAGE, rag_eval_intervals(result, &options, intervals, &error), &error);
    rag_eval_result_free(result);
    rag_eval_close(eval);
}

static void a_comparison_counts_the_queries_that_do_better_and_worse(void **state)
{
    (void)state;
    write_set("set");
    rag_eval *eval = open_set("set");
    /* With random weights the dense ranking means nothing, but all four passages are in it. */
    rag_eval_result *words = run(eval, RAG_MODE_LEXICAL), *dense = run(eval, RAG_MODE_DENSE);
    rag_eval_difference differences[RAG_MEASURES];
    assert_ok(rag_eval_compare(words, dense, NULL, differences, &error), &error);
    const rag_eval_difference *recall = &differences[RAG_RECALL_50];
    assert_true(fabs(recall->difference - 1.0 / 3) < 1e-12);
    assert_int_equal(recall->better, 1); /* q3 */
    assert_int_equal(recall->worse, 0);
    assert_int_equal(recall->same, 2);
    assert_true(recall->low == 0 && recall->high == 1);
    assert_ok(rag_eval_compare(words, words, NULL, differences, &error), &error);
    for (size_t m = 0; m < RAG_MEASURES; m++) {
        assert_true(differences[m].difference == 0 && differences[m].p_value == 1);
        assert_true(differences[m].low == 0 && differences[m].high == 0);
        assert_int_equal(differences[m].same, 3);
    }
    rag_eval_result_free(words);
    rag_eval_result_free(dense);
    rag_eval_close(eval);
}

static void different_queries_are_not_compared(void **state)
{
    (void)state;
    write_set("set");
    write_set("other");
    write_text("other/qrels.tsv", "q1\tp2\t1\nq2\tp3\t1\nq4\tp4\t1\n");
    rag_eval *evals[] = {open_set("set"), open_set("other")};
    rag_eval_result *a = run(evals[0], RAG_MODE_LEXICAL), *b = run(evals[1], RAG_MODE_LEXICAL);
    rag_eval_difference differences[RAG_MEASURES];
    assert_status(RAG_INPUT, rag_eval_compare(a, b, NULL, differences, &error), &error);
    assert_says(&error, "different queries");
    rag_eval_result_free(a);
    rag_eval_result_free(b);
    rag_eval_close(evals[0]);
    rag_eval_close(evals[1]);
}

static void an_index_of_something_else_is_refused(void **state)
{
    (void)state;
    write_set("set");
    write_text("docs/note.txt", "This is no passage of the set.\n");
    rag_index_options with_model = index_options(small_model("bge-m3-like"));
    rag_index *index = open_index("mine.rag", &with_model);
    assert_int_equal(add_path(index, "docs").added, 1);
    rag_index_close(index);
    rag_eval_options options = RAG_EVAL_OPTIONS_INIT;
    rag_eval *eval;
    options.model = small_model("bge-m3-like");
    options.cache = in_sandbox("mine.rag");
    assert_status(RAG_INDEX_MISMATCH, rag_eval_open(in_sandbox("set"), &options, &eval, &error),
                  &error);
    assert_says(&error, "note.txt");
    assert_null(eval);
}

static void measures_have_names(void **state)
{
    (void)state;
    assert_string_equal(rag_measure_name(RAG_RECALL_1), "recall@1");
    assert_string_equal(rag_measure_name(RAG_NDCG_10), "nDCG@10");
    assert_null(rag_measure_name((rag_measure)RAG_MEASURES));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SANDBOX(every_query_is_reported_with_what_it_found),
        IN_SANDBOX(intervals_hold_the_means),
        IN_SANDBOX(a_comparison_counts_the_queries_that_do_better_and_worse),
        IN_SANDBOX(different_queries_are_not_compared),
        IN_SANDBOX(an_index_of_something_else_is_refused),
        cmocka_unit_test(measures_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
