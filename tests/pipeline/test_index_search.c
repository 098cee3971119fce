/* Searching an index: both legs, reranking, and what the scores of a hit mean. */
#include "pipeline/fixture.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

static rag_error error;

/* Each a document of one chunk without a heading; only three hold the word. */
static const char *const texts[] = {
    "the small river reads the stone", "a river and a question", "河流 注意力 机制 检索 文档",
    "naïve café of the morning",       "river river river",      "a child writes a letter",
};
enum { TEXTS = sizeof texts / sizeof *texts, WITH_RIVER = 3 };

static rag_index *open_texts(const char *reranker)
{
    char name[32];
    rag_index_options options = index_options(small_model("bge-m3-like"));
    options.reranker = reranker;
    for (unsigned i = 0; i < TEXTS; i++) {
        snprintf(name, sizeof name, "docs/%u.txt", i);
        write_text(name, texts[i]);
    }
    rag_index *index = open_index("x.rag", &options);
    rag_add_report report = add_path(index, "docs");
    assert_int_equal(report.added + report.unchanged, TEXTS);
    return index;
}

static rag_hits *search(rag_index *index, const char *question, rag_mode mode, size_t k,
                        size_t candidates)
{
    rag_hits *hits;
    rag_search_options options = RAG_SEARCH_OPTIONS_INIT;
    options.mode = mode;
    options.k = k;
    options.candidates = candidates;
    assert_ok(rag_search(index, text_of(question), &options, &hits, &error), &error);
    for (size_t i = 0; i < rag_hits_count(hits); i++) {
        const rag_hit *hit = rag_hits_get(hits, i);
        assert_int_equal(hit->rank, i + 1);
        assert_true(isfinite(hit->score));
        assert_true(i == 0 || hit->score <= rag_hits_get(hits, i - 1)->score);
        for (size_t j = 0; j < i; j++)
            assert_true(hit->chunk_id != rag_hits_get(hits, j)->chunk_id);
    }
    assert_null(rag_hits_get(hits, rag_hits_count(hits)));
    return hits;
}

static bool has_word(const rag_hit *hit)
{
    char text[256];
    snprintf(text, sizeof text, "%.*s", (int)hit->chunk.text.size, hit->chunk.text.data);
    return strstr(text, "river") != NULL;
}

static void a_hit_is_a_chunk_with_its_place(void **state)
{
    (void)state;
    write_text("a.md", "intro\n\n# River\n\n## Stone\n\n水。the stone\nand the river\n");
    rag_index *index = open_index("x.rag", NULL);
    add_path(index, "a.md");
    rag_hits *hits = search(index, "stone", RAG_MODE_LEXICAL, 1, 0);
    const rag_chunk *chunk = &rag_hits_get(hits, 0)->chunk;
    size_t size;
    char *file = read_file(in_sandbox("a.md"), &size);
    assert_string_equal(chunk->document, in_sandbox("a.md"));
    assert_int_equal(chunk->end - chunk->begin, chunk->text.size);
    assert_memory_equal(chunk->text.data, file + chunk->begin, chunk->text.size);
    uint32_t line = 1;
    for (size_t i = 0; i < chunk->begin; i++)
        line += file[i] == '\n';
    assert_int_equal(chunk->line, line);
    assert_true(chunk->last_line >= 8);
    free(file);
    rag_hits_free(hits);
    rag_index_close(index);
}

static void a_text_that_is_the_question_is_found_first_by_vectors(void **state)
{
    (void)state;
    rag_index *index = open_texts("none");
    for (size_t i = 0; i < TEXTS; i++) {
        rag_hits *hits = search(index, texts[i], RAG_MODE_DENSE, 0, 0);
        assert_int_equal(rag_hits_count(hits), TEXTS);
        const rag_hit *best = rag_hits_get(hits, 0);
        assert_memory_equal(best->chunk.text.data, texts[i], strlen(texts[i]));
        assert_true(fabs(best->dense - 1) < 1e-5);
        rag_hits_free(hits);
    }
    rag_index_close(index);
}

static void a_leg_that_did_not_see_the_chunk_has_no_score(void **state)
{
    (void)state;
    rag_index *index = open_texts("none");
    rag_hits *dense = search(index, "river", RAG_MODE_DENSE, 0, 0);
    assert_int_equal(rag_hits_count(dense), TEXTS);
    rag_hits *words = search(index, "river", RAG_MODE_LEXICAL, 0, 0);
    assert_int_equal(rag_hits_count(words), WITH_RIVER);
    rag_hits *both = search(index, "river", RAG_HYBRID, 0, 0);
    assert_int_equal(rag_hits_count(both), TEXTS);
    for (size_t i = 0; i < TEXTS; i++) {
        const rag_hit *hit = rag_hits_get(dense, i);
        assert_true(isfinite(hit->dense) && hit->dense == hit->score);
        assert_true(isnan(hit->lexical) && isnan(hit->rerank));
        hit = rag_hits_get(both, i);
        assert_true(isfinite(hit->dense) && isnan(hit->rerank));
        assert_int_equal(isfinite(hit->lexical) != 0, has_word(hit));
    }
    for (size_t i = 0; i < WITH_RIVER; i++) {
        const rag_hit *hit = rag_hits_get(words, i);
        assert_true(has_word(hit) && hit->lexical == hit->score);
        assert_true(isnan(hit->dense) && isnan(hit->rerank));
    }
    rag_hits_free(dense);
    rag_hits_free(words);
    rag_hits_free(both);
    rag_index_close(index);
}

static void k_is_the_most_that_comes(void **state)
{
    (void)state;
    rag_index *index = open_texts(NULL);
    static const size_t ks[] = {1, 2, TEXTS, TEXTS + 1, 10000};
    for (size_t i = 0; i < sizeof ks / sizeof *ks; i++) {
        rag_hits *hits = search(index, "river", RAG_HYBRID, ks[i], 0);
        assert_int_equal(rag_hits_count(hits), ks[i] < TEXTS ? ks[i] : TEXTS);
        rag_hits_free(hits);
    }
    rag_hits *hits;
    rag_search_options options = RAG_SEARCH_OPTIONS_INIT;
    options.k = 10001;
    assert_status(RAG_USAGE, rag_search(index, text_of("river"), &options, &hits, &error),
                  &error);
    assert_says(&error, "10000");
    rag_index_close(index);
}

/* The reranker's score for a hit's text. */
static float score_alone(const char *model_folder, const char *question, const rag_hit *hit)
{
    float score;
    rag_model *model = open_model(model_folder);
    assert_ok(rag_rerank(model, text_of(question), &hit->chunk.text, 1, NULL, &score, &error),
              &error);
    rag_model_close(model);
    return score;
}

static void check_candidates(rag_index *index, const char *reranker, size_t candidates)
{
    rag_hits *hits = search(index, "small river", RAG_HYBRID, 0, candidates);
    assert_int_equal(rag_hits_count(hits), TEXTS);
    for (size_t i = 0; i < TEXTS; i++) {
        const rag_hit *hit = rag_hits_get(hits, i);
        assert_int_equal(isfinite(hit->rerank) != 0, i < candidates);
        if (i < candidates)
            assert_true(fabs(hit->rerank - (double)score_alone(small_model(reranker),
                                                               "small river", hit)) < 1e-6);
    }
    rag_hits_free(hits);
}

static void just_the_candidates_are_reranked_and_stand_first(void **state)
{
    (void)state;
    rag_index *late = open_texts(NULL);
    check_candidates(late, "bge-m3-like", 1);
    check_candidates(late, "bge-m3-like", 3);
    check_candidates(late, "bge-m3-like", 3); /* from the cache */
    check_candidates(late, "bge-m3-like", TEXTS);
    rag_index_close(late);
    rag_index *cross = open_texts(small_model("xlmr-reranker"));
    check_candidates(cross, "xlmr-reranker", 2);
    rag_index_close(cross);
}

static void a_cross_encoder_decides_alone(void **state)
{
    (void)state;
    rag_index *index = open_texts(small_model("xlmr-reranker"));
    static const rag_mode modes[] = {RAG_HYBRID, RAG_MODE_DENSE, RAG_MODE_LEXICAL};
    for (size_t m = 0; m < 3; m++) {
        rag_hits *hits = search(index, "river", modes[m], 0, 0);
        for (size_t i = 1; i < rag_hits_count(hits); i++)
            assert_true(rag_hits_get(hits, i)->rerank <= rag_hits_get(hits, i - 1)->rerank);
        rag_hits_free(hits);
    }
    rag_index_close(index);
}

static void an_index_without_documents_has_no_hits(void **state)
{
    (void)state;
    rag_index *index = open_index("x.rag", NULL);
    static const rag_mode modes[] = {RAG_HYBRID, RAG_MODE_DENSE, RAG_MODE_LEXICAL};
    for (size_t i = 0; i < 6; i++) {
        if (i == 3) { /* and one that is empty again */
            size_t removed;
            const char *path = in_sandbox("a.txt");
            write_text("a.txt", "river");
            add_path(index, "a.txt");
            assert_ok(rag_index_remove(index, &path, 1, &removed, &error), &error);
        }
        rag_hits *hits = search(index, "river", modes[i % 3], 0, 0);
        assert_int_equal(rag_hits_count(hits), 0);
        rag_hits_free(hits);
    }
    rag_index_close(index);
}

static void a_question_without_words_is_refused(void **state)
{
    (void)state;
    rag_index *index = open_texts(NULL);
    static const char *const questions[] = {"", " \n\t"};
    rag_hits *hits;
    for (size_t i = 0; i < 2; i++) {
        assert_status(RAG_USAGE, rag_search(index, text_of(questions[i]), NULL, &hits, &error),
                      &error);
        assert_null(hits);
    }
    assert_status(RAG_INPUT, rag_search(index, text_of("river \xff"), NULL, &hits, &error),
                  &error);
    rag_hits_free(search(index, "?!", RAG_HYBRID, 0, 0));
    rag_index_close(index);
}

static void a_search_needs_no_model_for_words_alone(void **state)
{
    (void)state;
    make_model("models/gone", "bge-m3-like", 0, NULL);
    write_text("a.txt", "river");
    rag_index_options options = index_options("gone");
    rag_index *index = open_index("x.rag", &options);
    add_path(index, "a.txt");
    rag_index_close(index);
    assert_int_equal(rename(in_sandbox("models"), in_sandbox("elsewhere")), 0);
    options.model = NULL;
    index = open_index("x.rag", &options);
    rag_hits *hits = search(index, "river", RAG_MODE_LEXICAL, 0, 0);
    assert_int_equal(rag_hits_count(hits), 1);
    rag_hits_free(hits);
    assert_status(RAG_MODEL_MISSING, rag_search(index, text_of("river"), NULL, &hits, &error),
                  &error);
    assert_says(&error, "gone");
    rag_index_close(index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SANDBOX(a_hit_is_a_chunk_with_its_place),
        IN_SANDBOX(a_text_that_is_the_question_is_found_first_by_vectors),
        IN_SANDBOX(a_leg_that_did_not_see_the_chunk_has_no_score),
        IN_SANDBOX(k_is_the_most_that_comes),
        IN_SANDBOX(just_the_candidates_are_reranked_and_stand_first),
        IN_SANDBOX(a_cross_encoder_decides_alone),
        IN_SANDBOX(an_index_without_documents_has_no_hits),
        IN_SANDBOX(a_question_without_words_is_refused),
        IN_SANDBOX(a_search_needs_no_model_for_words_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
