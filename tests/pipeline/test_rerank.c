/* The promises of rag_rerank: a cross-encoder's logits, and late interaction. */
#include "pipeline/fixture.h"

#include "pipeline/pipeline.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>

static rag_error error;

static void rerank(rag_model *model, rag_text query, const rag_text *passages, size_t count,
                   float *scores)
{
    assert_ok(rag_rerank(model, query, passages, count, NULL, scores, &error), &error);
}

/* ---- Cross-encoder ---- */

enum { MAX_PAIRS = 64 };

struct pairs {
    json_t *lines[MAX_PAIRS];
    size_t count;
};

static int read_pairs(void **state)
{
    static struct pairs pairs;
    size_t size;
    char *text = read_file(TEST_DATA "/pipeline/pairs.jsonl", &size);
    const char *rest = text;
    pairs.count = 0;
    for (; *rest && pairs.count < MAX_PAIRS; rest = strchr(rest, '\n') + 1) {
        json_t *line = json_loadb(rest, (size_t)(strchr(rest, '\n') - rest), 0, NULL);
        assert_non_null(line);
        pairs.lines[pairs.count++] = line;
    }
    free(text);
    *state = &pairs;
    return pairs.count ? 0 : -1;
}

static int free_pairs(void **state)
{
    struct pairs *pairs = *state;
    for (size_t i = 0; i < pairs->count; i++)
        json_decref(pairs->lines[i]);
    return 0;
}

static rag_text member(const json_t *line, const char *name)
{
    const json_t *value = json_object_get(line, name);
    return (rag_text){json_string_value(value), json_string_length(value)};
}

static double logit_of(const json_t *line)
{
    return json_real_value(json_object_get(line, "logit"));
}

static void logits_of_pairs_of_texts_are_those_of_transformers(void **state)
{
    const struct pairs *pairs = *state;
    rag_model *model = open_model(small_model("xlmr-reranker"));
    size_t cut = 0;
    double least = INFINITY, most = -INFINITY;
    for (size_t i = 0; i < pairs->count; i++) {
        const json_t *line = pairs->lines[i];
        rag_text passage = member(line, "passage");
        float score;
        rerank(model, member(line, "query"), &passage, 1, &score);
        if (!(fabs((double)score - logit_of(line)) <= 1e-4))
            fail_msg("pair %zu: %g, expected %g", i + 1, (double)score, logit_of(line));
        cut += json_integer_value(json_object_get(line, "tokens")) == 64;
        least = fmin(least, logit_of(line));
        most = fmax(most, logit_of(line));
    }
    assert_true(cut >= 5 && most - least > 0.5); /* the pairs do tell something */
    rag_model_close(model);
}

static void a_logit_has_the_same_bits_alone_and_in_any_order(void **state)
{
    const struct pairs *pairs = *state;
    rag_text passages[MAX_PAIRS], backwards[MAX_PAIRS];
    float together[MAX_PAIRS], other_way[MAX_PAIRS], alone;
    size_t n = pairs->count;
    rag_model *model = open_model(small_model("xlmr-reranker"));
    rag_text query = member(pairs->lines[0], "query");
    for (size_t i = 0; i < n; i++)
        passages[i] = backwards[n - 1 - i] = member(pairs->lines[i], "passage");
    rerank(model, query, passages, n, together);
    rerank(model, query, backwards, n, other_way);
    for (size_t i = 0; i < n; i++) {
        rerank(model, query, &passages[i], 1, &alone);
        assert_memory_equal(&alone, &together[i], sizeof alone);
        assert_memory_equal(&alone, &other_way[n - 1 - i], sizeof alone);
    }
    rag_model_close(model);
}

/* ---- Late interaction ---- */

static const char *const texts[] = {
    "the small river reads the stone",
    "the river, the stone: and a question.",
    "河流 注意力 机制 检索 文档 向量",
    "naïve café, model of the morning",
    "stone the reads river small the",
    "a child writes a letter in the evening; the brown index file",
};
enum { TEXTS = sizeof texts / sizeof *texts };

static void all_texts(rag_text out[TEXTS])
{
    for (size_t i = 0; i < TEXTS; i++)
        out[i] = text_of(texts[i]);
}

static void a_text_is_nearest_to_itself_and_scores_are_bounded(void **state)
{
    (void)state;
    rag_model *model = open_model(small_model("bge-m3-like"));
    rag_text passages[TEXTS];
    float scores[TEXTS];
    all_texts(passages);
    for (size_t q = 0; q < TEXTS; q++) {
        rerank(model, passages[q], passages, TEXTS, scores);
        assert_true(fabsf(scores[q] - 1) < 1e-5f);
        for (size_t i = 0; i < TEXTS; i++)
            assert_true(i == q || (scores[i] >= -1 && scores[i] < scores[q]));
    }
    rag_model_close(model);
}

/* MaxSim as its definition says, in double precision. */
static double max_sim(const rag_model *model, const rag_embedding *query,
                      const rag_embedding *passage)
{
    double sum = 0, weights = 0;
    for (size_t q = 0; q < query->multi_count; q++) {
        double best = -1;
        int32_t id = query->multi_ids[q];
        double weight = tokenizer_is_special(model->tokenizer, id)
                            ? 0
                            : (double)tokenizer_information(model->tokenizer, id);
        for (size_t p = 0; p < passage->multi_count; p++) {
            double dot = 0;
            for (size_t i = 0; i < query->multi_dimension; i++)
                dot += (double)query->multi[q * query->multi_dimension + i] *
                       (double)passage->multi[p * query->multi_dimension + i];
            best = fmax(best, dot);
        }
        sum += weight * best;
        weights += weight;
    }
    return sum / weights;
}

static rag_embeddings *token_vectors(rag_model *model, const rag_text *list, size_t count,
                                     rag_role role)
{
    rag_embeddings *embeddings;
    rag_embed_options options = RAG_EMBED_OPTIONS_INIT;
    options.role = role;
    options.heads = RAG_MULTI;
    assert_ok(rag_embed(model, list, count, &options, &embeddings, &error), &error);
    return embeddings;
}

static void late_interaction_is_maxsim_weighted_by_what_tokens_tell(void **state)
{
    (void)state;
    rag_model *model = open_model(make_model("m", "bge-m3-like", 0, E5_PROMPTS));
    rag_text passages[TEXTS];
    float scores[TEXTS];
    all_texts(passages);
    rag_embeddings *queries = token_vectors(model, passages, TEXTS, RAG_QUERY);
    rag_embeddings *vectors = token_vectors(model, passages, TEXTS, RAG_PASSAGE);
    for (size_t q = 0; q < TEXTS; q++) {
        rerank(model, passages[q], passages, TEXTS, scores);
        for (size_t i = 0; i < TEXTS; i++) {
            double expected =
                max_sim(model, rag_embeddings_get(queries, q), rag_embeddings_get(vectors, i));
            assert_true(fabs((double)scores[i] - expected) < 1e-5);
        }
    }
    rag_embeddings_free(queries);
    rag_embeddings_free(vectors);
    rag_model_close(model);
}

static void a_score_has_the_same_bits_in_any_order(void **state)
{
    (void)state;
    rag_model *model = open_model(small_model("bge-m3-like"));
    rag_text passages[TEXTS], backwards[TEXTS];
    float scores[TEXTS], other_way[TEXTS];
    all_texts(passages);
    for (size_t i = 0; i < TEXTS; i++)
        backwards[i] = passages[TEXTS - 1 - i];
    rerank(model, passages[3], passages, TEXTS, scores);
    rerank(model, passages[3], backwards, TEXTS, other_way);
    for (size_t i = 0; i < TEXTS; i++)
        assert_memory_equal(&scores[i], &other_way[TEXTS - 1 - i], sizeof *scores);
    rag_model_close(model);
}

static void empty_texts_have_a_score_and_no_passages_are_no_work(void **state)
{
    (void)state;
    static const char *const models[] = {"bge-m3-like", "xlmr-reranker"};
    for (size_t m = 0; m < 2; m++) {
        rag_model *model = open_model(small_model(models[m]));
        rag_text passages[] = {text_of(""), text_of("river")};
        float scores[2] = {NAN, NAN};
        rerank(model, passages[0], passages, 2, scores);
        assert_true(isfinite(scores[0]) && isfinite(scores[1]));
        rerank(model, passages[1], passages, 2, scores);
        assert_true(isfinite(scores[0]) && isfinite(scores[1]));
        rerank(model, passages[1], NULL, 0, NULL);
        rag_model_close(model);
    }
}

static void invalid_utf8_is_refused_naming_the_passage(void **state)
{
    (void)state;
    static const char *const models[] = {"bge-m3-like", "xlmr-reranker"};
    for (size_t m = 0; m < 2; m++) {
        rag_model *model = open_model(small_model(models[m]));
        rag_text passages[] = {text_of("stone"), text_of("river"), text_of("\xc3(")};
        float scores[3];
        assert_status(RAG_INPUT,
                      rag_rerank(model, passages[0], passages, 3, NULL, scores, &error),
                      &error);
        assert_says(&error, "text 3");
        assert_status(RAG_INPUT,
                      rag_rerank(model, passages[2], passages, 2, NULL, scores, &error),
                      &error);
        assert_says(&error, "not UTF-8");
        rag_model_close(model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(logits_of_pairs_of_texts_are_those_of_transformers,
                                        read_pairs, free_pairs),
        cmocka_unit_test_setup_teardown(a_logit_has_the_same_bits_alone_and_in_any_order,
                                        read_pairs, free_pairs),
        cmocka_unit_test(a_text_is_nearest_to_itself_and_scores_are_bounded),
        IN_SANDBOX(late_interaction_is_maxsim_weighted_by_what_tokens_tell),
        cmocka_unit_test(a_score_has_the_same_bits_in_any_order),
        cmocka_unit_test(empty_texts_have_a_score_and_no_passages_are_no_work),
        cmocka_unit_test(invalid_utf8_is_refused_naming_the_passage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
