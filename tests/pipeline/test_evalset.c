/* Reading a retrieval set, what is refused of one, and measuring on one. */
#include "pipeline/fixture.h"

#include "pipeline/evalset.h"

#include <math.h>

static const char passages[] = "{\"id\": \"p2\", \"text\": \"the stone\", \"title\": \"x\"}\n"
                               "\n"
                               "{\"id\": \"p1\", \"text\": \"a \\u6cb3\\u0000b\"}\r\n"
                               "{\"id\": \"p3\", \"text\": \"\"}";
static const char queries[] = "{\"id\": \"q1\", \"text\": \"river\"}\n"
                              "{\"id\": \"q0\", \"text\": \"stone\"}\n";
static const char qrels[] = "query-id\tcorpus-id\tscore\n"
                            "q1\tp1\t1\n"
                            "q0\tp2\t1\r\n"
                            "q0\tp1\t2\n"
                            "q0\tp3\t0\n";

static void write_set(const char *with_passages, const char *with_queries,
                      const char *with_qrels)
{
    write_text("set/passages.jsonl", with_passages);
    write_text("set/queries.jsonl", with_queries);
    write_text("set/qrels.tsv", with_qrels);
}

static void texts_are_sorted_by_id_and_judgements_by_grade(void **state)
{
    (void)state;
    rag_error error;
    struct eval_set set;
    write_set(passages, queries, qrels);
    assert_ok(eval_set_read(in_sandbox("set"), &set, &error), &error);
    assert_int_equal(set.passages.count, 3);
    assert_string_equal(set.passages.items[0].id, "p1");
    assert_int_equal(set.passages.items[0].size, 7);
    assert_memory_equal(set.passages.items[0].text, "a \xe6\xb2\xb3\0b", 7);
    assert_int_equal(set.passages.items[2].size, 0);
    assert_int_equal(set.queries.count, 2);
    assert_int_equal(eval_find(&set.queries, "q1"), 1);
    assert_true(eval_find(&set.queries, "q") == SIZE_MAX);
    static const struct eval_qrel expected[] = {{0, 0, 2}, {0, 1, 1}, {0, 2, 0}, {1, 0, 1}};
    assert_int_equal(set.qrel_count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(set.qrels[i].query, expected[i].query);
        assert_int_equal(set.qrels[i].passage, expected[i].passage);
        assert_true(set.qrels[i].grade == expected[i].grade);
    }
    eval_set_release(&set);
}

static void refuse(const char *with_passages, const char *with_queries, const char *with_qrels,
                   const char *place, const char *why)
{
    rag_error error;
    struct eval_set set;
    write_set(with_passages, with_queries, with_qrels);
    assert_status(RAG_INPUT, eval_set_read(in_sandbox("set"), &set, &error), &error);
    assert_says(&error, place);
    assert_says(&error, why);
    assert_null(set.passages.items);
}

static void what_is_wrong_is_named_with_its_file_and_line(void **state)
{
    (void)state;
    refuse("{\"id\": \"a\", \"text\": \"b\"}\n{", queries, qrels, "set/passages.jsonl:2",
           "not JSON");
    refuse("\n[]\n", queries, qrels, "set/passages.jsonl:2", "\"id\" and \"text\"");
    refuse("{\"id\": 7, \"text\": \"b\"}\n", queries, qrels, "set/passages.jsonl:1", "strings");
    refuse("{\"id\": \"a\", \"text\": \"\xff\"}\n", queries, qrels, "set/passages.jsonl:1",
           "not JSON");
    refuse("{\"id\": \"a\", \"text\": \"b\"}\n{\"id\": \"a\", \"text\": \"c\"}", queries, qrels,
           "set/passages.jsonl", "\"a\" occurs twice");
    refuse("\n \n", queries, qrels, "set/passages.jsonl", "no lines");
    refuse(passages, "{\"id\": \"q\"}", qrels, "set/queries.jsonl:1", "\"text\"");
    refuse(passages, queries, "", "set/qrels.tsv", "no lines");
    refuse(passages, queries, "query-id\tcorpus-id\tscore\n", "set/qrels.tsv", "no lines");
    refuse(passages, queries, "q0\tp1\n", "set/qrels.tsv:1", "grade");
    refuse(passages, queries, "q0\tp1\t1\n\nq9\tp1\t1\n", "set/qrels.tsv:3", "no query \"q9\"");
    refuse(passages, queries, "q0\tp9\t1", "set/qrels.tsv:1", "no passage \"p9\"");
    static const char *const grades[] = {"", "x", "-1", "nan", "inf", "1x", "1\t2", "1e999"};
    for (size_t i = 0; i < sizeof grades / sizeof *grades; i++) {
        char line[64];
        snprintf(line, sizeof line, "q0\tp1\t%s\n", grades[i]);
        refuse(passages, queries, line, "set/qrels.tsv:1", "is no grade");
    }
}

static void a_missing_file_is_named(void **state)
{
    (void)state;
    rag_error error;
    struct eval_set set;
    assert_status(RAG_INPUT, eval_set_read(in_sandbox("none"), &set, &error), &error);
    assert_says(&error, "none/passages.jsonl");
}

/* With one passage in every place there are no two rankings, whatever the model. */
static void a_set_of_one_passage_is_found_by_every_mode(void **state)
{
    (void)state;
    rag_error error;
    write_set("{\"id\": \"p1\", \"text\": \"the river and the stone\"}", queries,
              "q0\tp1\t1\nq1\tp1\t2\n");
    static const rag_mode modes[] = {RAG_HYBRID, RAG_MODE_DENSE, RAG_MODE_LEXICAL};
    for (size_t i = 0; i < 3; i++) {
        rag_eval_options options = RAG_EVAL_OPTIONS_INIT;
        rag_eval_report report;
        options.model = small_model("bge-m3-like");
        options.search.mode = modes[i];
        assert_ok(rag_evaluate(in_sandbox("set"), &options, &report, &error), &error);
        assert_int_equal(report.passages, 1);
        assert_int_equal(report.queries, 2);
        const double measures[] = {report.recall_1,  report.recall_5, report.recall_10,
                                   report.recall_50, report.mrr_10,   report.ndcg_10};
        for (size_t j = 0; j < 6; j++)
            assert_true(measures[j] == 1);
    }
}

/* By words alone the ranking is known: q0 "stone" finds p2 (1) and not p1 (2); q1 "river"
 * finds nothing. */
static void the_report_is_the_mean_over_the_queries(void **state)
{
    (void)state;
    rag_error error;
    rag_eval_options options = RAG_EVAL_OPTIONS_INIT;
    rag_eval_report report;
    options.model = small_model("bge-m3-like");
    options.search.mode = RAG_MODE_LEXICAL;
    options.cache = in_sandbox("cache.rag");
    write_set(passages, queries, qrels);
    for (size_t i = 0; i < 2; i++) { /* the second time from the cache */
        assert_ok(rag_evaluate(in_sandbox("set"), &options, &report, &error), &error);
        assert_int_equal(report.passages, 3);
        assert_int_equal(report.queries, 2);
        assert_true(report.recall_1 == 0.25 && report.recall_50 == 0.25);
        assert_true(report.mrr_10 == 0.5);
        assert_true(fabs(report.ndcg_10 - 0.5 / (2 + 1 / log2(3))) < 1e-12);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SANDBOX(texts_are_sorted_by_id_and_judgements_by_grade),
        IN_SANDBOX(what_is_wrong_is_named_with_its_file_and_line),
        IN_SANDBOX(a_missing_file_is_named),
        IN_SANDBOX(a_set_of_one_passage_is_found_by_every_mode),
        IN_SANDBOX(the_report_is_the_mean_over_the_queries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
