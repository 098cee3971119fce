/* The promises of rag_embed, against the encoder run by hand on the same tokens. */
#include "pipeline/fixture.h"

#include "pipeline/pipeline.h"

#include <math.h>
#include <stdlib.h>

static rag_error error;

static rag_embeddings *embed(rag_model *model, const rag_text *texts, size_t count,
                             rag_role role, unsigned heads)
{
    rag_embeddings *embeddings;
    rag_embed_options options = RAG_EMBED_OPTIONS_INIT;
    options.role = role;
    options.heads = heads;
    assert_ok(rag_embed(model, texts, count, &options, &embeddings, &error), &error);
    assert_int_equal(rag_embeddings_count(embeddings), count);
    return embeddings;
}

static rag_embeddings *embed_one(rag_model *model, const char *text, rag_role role,
                                 unsigned heads)
{
    rag_text one = text_of(text);
    return embed(model, &one, 1, role, heads);
}

static struct token_list tokens_of(const rag_model *model, const char *text)
{
    struct token_list tokens = {0};
    assert_ok(tokenizer_encode_single(model->tokenizer, text_of(text), &tokens, &error),
              &error);
    return tokens;
}

static void run_encoder(rag_model *model, const int32_t *ids, size_t count,
                        struct encoder_output out)
{
    struct sequence sequence = {.ids = ids, .count = count};
    assert_ok(encoder_run(model->encoder, &sequence, 1, &out, NULL, &error), &error);
}

static void normalise(float *vector, size_t n)
{
    double squares = 0;
    for (size_t i = 0; i < n; i++)
        squares += (double)vector[i] * (double)vector[i];
    for (size_t i = 0; i < n; i++)
        vector[i] = (float)((double)vector[i] / sqrt(squares));
}

static void assert_close(const float *a, const float *b, size_t n, double most)
{
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)a[i] - (double)b[i]) <= most))
            fail_msg("[%zu]: %g, expected %g", i, (double)a[i], (double)b[i]);
}

static void assert_unit(const float *vector, size_t n)
{
    double squares = 0;
    for (size_t i = 0; i < n; i++)
        squares += (double)vector[i] * (double)vector[i];
    assert_true(fabs(sqrt(squares) - 1) < 1e-5);
}

/* Words of the tokenizer's vocabulary, each one token. */
static void repeat_words(char *out, size_t words)
{
    static const char *const some[] = {" river", " stone", " small", " question",
                                       " the",   " model", " reads"};
    *out = '\0';
    for (size_t i = 0; i < words; i++)
        strcat(out, some[(i * i + i / 3) % 7] + (i == 0));
}

enum { MAX_TOKENS = 20, DIMENSION = 32 };

/* The window that begins with body token `from`, as it should be. */
static void add_window(rag_model *model, const struct token_list *whole, size_t prefix,
                       size_t from, size_t body, float *sum)
{
    int32_t ids[MAX_TOKENS];
    float pooled[DIMENSION];
    size_t count = 0;
    for (size_t i = 0; i < 1 + prefix; i++)
        ids[count++] = whole->ids[i];
    for (size_t i = 0; i < body; i++)
        ids[count++] = whole->ids[1 + prefix + from + i];
    ids[count++] = whole->ids[whole->count - 1];
    run_encoder(model, ids, count, (struct encoder_output){.pooled = pooled});
    normalise(pooled, DIMENSION);
    for (size_t i = 0; i < DIMENSION; i++)
        sum[i] += (float)count * pooled[i];
}

static void check_windows(rag_model *model, const char *prefix_text, size_t prefix,
                          size_t words, rag_role role)
{
    char text[4096], whole_text[4200];
    float expected[DIMENSION] = {0};
    repeat_words(text, words);
    snprintf(whole_text, sizeof whole_text, "%s%s", prefix_text, text);
    struct token_list whole = tokens_of(model, whole_text);
    assert_int_equal(whole.count, 2 + prefix + words);
    size_t room = MAX_TOKENS - 2 - prefix;
    size_t windows = words <= room ? 1 : (words + room - 1) / room;
    for (size_t w = 0; w < windows; w++) {
        size_t from = w + 1 < windows || windows == 1 ? w * room : words - room;
        add_window(model, &whole, prefix, from, windows == 1 ? words : room, expected);
    }
    normalise(expected, DIMENSION);
    rag_embeddings *embeddings = embed_one(model, text, role, RAG_DENSE);
    const rag_embedding *item = rag_embeddings_get(embeddings, 0);
    assert_int_equal(item->windows, windows);
    assert_int_equal(item->tokens, windows == 1 ? whole.count : windows * MAX_TOKENS);
    assert_int_equal(item->dimension, DIMENSION);
    assert_unit(item->dense, DIMENSION);
    assert_close(item->dense, expected, DIMENSION, 1e-6);
    rag_embeddings_free(embeddings);
    token_list_release(&whole);
}

static void a_text_longer_than_the_model_takes_is_read_in_full_windows(void **state)
{
    (void)state;
    rag_model *model = open_model(make_model("short", "bge-m3-like", MAX_TOKENS, E5_PROMPTS));
    assert_int_equal(rag_model_get_info(model)->max_tokens, MAX_TOKENS);
    static const size_t words[] = {1, 15, 16, 17, 18, 19, 31, 32, 33, 36, 37, 100, 333};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        check_windows(model, "", 0, words[i], RAG_RAW);
        check_windows(model, "passage: ", 2, words[i], RAG_PASSAGE);
        check_windows(model, "question: ", 2, words[i], RAG_QUERY);
    }
    rag_model_close(model);
}

static void token_vectors_of_windows_stand_one_after_the_other(void **state)
{
    (void)state;
    rag_model *model = open_model(make_model("short", "bge-m3-like", MAX_TOKENS, E5_PROMPTS));
    char text[512];
    repeat_words(text, 40); /* three windows of 16 */
    rag_embeddings *embeddings = embed_one(model, text, RAG_PASSAGE, RAG_MULTI | RAG_SPARSE);
    const rag_embedding *item = rag_embeddings_get(embeddings, 0);
    struct token_list whole = tokens_of(model, text);
    assert_int_equal(item->windows, 3);
    assert_int_equal(item->multi_count, 3 * 17);
    static const size_t begins[] = {0, 16, 24};
    for (size_t w = 0; w < 3; w++) {
        assert_memory_equal(item->multi_ids + w * 17, whole.ids + 1 + begins[w],
                            16 * sizeof *whole.ids);
        assert_int_equal(item->multi_ids[w * 17 + 16], whole.ids[whole.count - 1]);
    }
    for (size_t i = 0; i < item->multi_count; i++)
        assert_unit(item->multi + i * item->multi_dimension, item->multi_dimension);
    token_list_release(&whole);
    rag_embeddings_free(embeddings);
    rag_model_close(model);
}

static void a_prefix_is_put_before_the_text_by_its_role(void **state)
{
    (void)state;
    rag_model *model = open_model(make_model("e5-like", "bge-m3-like", 0, E5_PROMPTS));
    rag_text with[] = {text_of("question: the river"), text_of("passage: the river"),
                       text_of("the river")};
    static const rag_role roles[] = {RAG_QUERY, RAG_PASSAGE, RAG_RAW};
    rag_embeddings *expected = embed(model, with, 3, RAG_RAW, RAG_DENSE);
    for (size_t i = 0; i < 3; i++) {
        rag_embeddings *got = embed_one(model, "the river", roles[i], RAG_DENSE);
        assert_memory_equal(rag_embeddings_get(got, 0)->dense,
                            rag_embeddings_get(expected, i)->dense, DIMENSION * sizeof(float));
        assert_int_equal(rag_embeddings_get(got, 0)->tokens, i < 2 ? 6 : 4);
        rag_embeddings_free(got);
    }
    rag_embeddings_free(expected);
    rag_model_close(model);
}

/* ---- Heads ---- */

static const char repeated[] = "the river the stone, the river 河流 检索 the";

static void multi_leaves_out_the_first_special_token_and_the_prefix(void **state)
{
    (void)state;
    rag_model *model = open_model(make_model("e5-like", "bge-m3-like", 0, E5_PROMPTS));
    struct token_list bare = tokens_of(model, repeated);
    rag_embeddings *got = embed_one(model, repeated, RAG_QUERY, RAG_MULTI);
    const rag_embedding *item = rag_embeddings_get(got, 0);
    assert_null(item->dense);
    assert_int_equal(item->tokens, bare.count + 2);
    assert_int_equal(item->multi_count, bare.count - 1);
    assert_memory_equal(item->multi_ids, bare.ids + 1, (bare.count - 1) * sizeof *bare.ids);

    char whole[256];
    snprintf(whole, sizeof whole, "question: %s", repeated);
    struct token_list tokens = tokens_of(model, whole);
    float *rows = malloc(tokens.count * DIMENSION * sizeof *rows);
    assert_non_null(rows);
    run_encoder(model, tokens.ids, tokens.count, (struct encoder_output){.multi = rows});
    assert_memory_equal(item->multi, rows + (size_t)3 * DIMENSION,
                        item->multi_count * DIMENSION * sizeof *rows);
    free(rows);
    token_list_release(&tokens);
    token_list_release(&bare);
    rag_embeddings_free(got);
    rag_model_close(model);
}

static void sparse_is_the_greatest_weight_of_each_token_without_specials(void **state)
{
    (void)state;
    rag_model *model = open_model(small_model("bge-m3-like"));
    struct token_list tokens = tokens_of(model, repeated);
    float weights[64], greatest[602] = {0};
    assert_true(tokens.count <= 64);
    run_encoder(model, tokens.ids, tokens.count, (struct encoder_output){.sparse = weights});
    size_t kept = 0;
    for (size_t i = 1; i + 1 < tokens.count; i++)
        if (weights[i] > greatest[tokens.ids[i]]) {
            kept += greatest[tokens.ids[i]] == 0;
            greatest[tokens.ids[i]] = weights[i];
        }
    assert_true(kept > 0 && kept < tokens.count - 2);

    rag_embeddings *got = embed_one(model, repeated, RAG_PASSAGE, RAG_SPARSE);
    const rag_embedding *item = rag_embeddings_get(got, 0);
    assert_int_equal(item->sparse_count, kept);
    for (size_t i = 0; i < kept; i++) {
        assert_true(i == 0 || item->sparse_ids[i] > item->sparse_ids[i - 1]);
        assert_true(item->sparse_weights[i] > 0);
        assert_memory_equal(&item->sparse_weights[i], &greatest[item->sparse_ids[i]],
                            sizeof(float));
    }
    rag_embeddings_free(got);
    token_list_release(&tokens);
    rag_model_close(model);
}

static void a_head_that_the_model_lacks_is_refused(void **state)
{
    (void)state;
    rag_text text = text_of("river");
    rag_embed_options options = RAG_EMBED_OPTIONS_INIT;
    rag_embeddings *got;
    rag_model *reranker = open_model(small_model("xlmr-reranker"));
    static const unsigned heads[] = {RAG_DENSE, RAG_SPARSE, RAG_MULTI, RAG_LOGIT};
    for (size_t i = 0; i < 4; i++) {
        options.heads = heads[i];
        assert_status(RAG_USAGE, rag_embed(reranker, &text, 1, &options, &got, &error), &error);
        assert_null(got);
        assert_says(&error, "xlmr-reranker");
        assert_says(&error, "reranker");
    }
    rag_model_close(reranker);
    rag_model *model = open_model(small_model("bge-m3-like"));
    options.heads = RAG_DENSE | RAG_LOGIT;
    assert_status(RAG_USAGE, rag_embed(model, &text, 1, &options, &got, &error), &error);
    assert_says(&error, "rag_rerank");
    rag_model_close(model);
}

/* ---- The same bits ---- */

static void assert_same(const rag_embedding *a, const rag_embedding *b)
{
    assert_int_equal(a->tokens, b->tokens);
    assert_int_equal(a->windows, b->windows);
    assert_memory_equal(a->dense, b->dense, DIMENSION * sizeof(float));
    assert_int_equal(a->sparse_count, b->sparse_count);
    assert_memory_equal(a->sparse_ids, b->sparse_ids, a->sparse_count * sizeof(uint32_t));
    assert_memory_equal(a->sparse_weights, b->sparse_weights, a->sparse_count * sizeof(float));
    assert_int_equal(a->multi_count, b->multi_count);
    assert_memory_equal(a->multi_ids, b->multi_ids, a->multi_count * sizeof(int32_t));
    assert_memory_equal(a->multi, b->multi,
                        a->multi_count * a->multi_dimension * sizeof(float));
}

static void a_text_has_the_same_bits_alone_and_in_any_batch(void **state)
{
    (void)state;
    enum { COUNT = 24, HEADS = RAG_DENSE | RAG_SPARSE | RAG_MULTI };
    static char texts[COUNT][4096];
    rag_text list[COUNT], backwards[COUNT];
    rag_model *model = open_model(make_model("m", "bge-m3-like", 50, E5_PROMPTS));
    for (size_t i = 0; i < COUNT; i++) {
        repeat_words(texts[i], (i * 37) % 150);
        list[i] = backwards[COUNT - 1 - i] = text_of(texts[i]);
    }
    rag_embeddings *together = embed(model, list, COUNT, RAG_PASSAGE, HEADS);
    rag_embeddings *other_way = embed(model, backwards, COUNT, RAG_PASSAGE, HEADS);
    for (size_t i = 0; i < COUNT; i++) {
        rag_embeddings *alone = embed(model, &list[i], 1, RAG_PASSAGE, HEADS);
        assert_same(rag_embeddings_get(alone, 0), rag_embeddings_get(together, i));
        assert_same(rag_embeddings_get(alone, 0), rag_embeddings_get(other_way, COUNT - 1 - i));
        rag_embeddings_free(alone);
    }
    rag_embeddings_free(together);
    rag_embeddings_free(other_way);
    rag_model_close(model);
}

/* ---- Odd texts ---- */

static void an_empty_text_has_a_vector_and_no_texts_have_none(void **state)
{
    (void)state;
    rag_model *model = open_model(make_model("m", "bge-m3-like", 0, E5_PROMPTS));
    rag_text empty = {NULL, 0};
    rag_embeddings *got = embed(model, &empty, 1, RAG_RAW, RAG_DENSE | RAG_SPARSE | RAG_MULTI);
    const rag_embedding *item = rag_embeddings_get(got, 0);
    assert_int_equal(item->tokens, 2);
    assert_int_equal(item->windows, 1);
    assert_unit(item->dense, DIMENSION);
    assert_int_equal(item->sparse_count, 0);
    assert_int_equal(item->multi_count, 1);
    assert_null(rag_embeddings_get(got, 1));
    rag_embeddings_free(got);
    got = embed(model, &empty, 1, RAG_PASSAGE, RAG_DENSE);
    assert_unit(rag_embeddings_get(got, 0)->dense, DIMENSION);
    rag_embeddings_free(got);
    rag_embeddings_free(embed(model, NULL, 0, RAG_PASSAGE, RAG_DENSE));
    rag_model_close(model);
}

static void a_text_goes_on_behind_a_nul(void **state)
{
    (void)state;
    rag_model *model = open_model(small_model("bge-m3-like"));
    rag_text texts[] = {{"river \0 stone", 13}, text_of("river "), text_of("river  stone")};
    rag_embeddings *got = embed(model, texts, 3, RAG_RAW, RAG_DENSE);
    assert_true(rag_embeddings_get(got, 0)->tokens >= rag_embeddings_get(got, 2)->tokens);
    assert_memory_not_equal(rag_embeddings_get(got, 0)->dense,
                            rag_embeddings_get(got, 1)->dense, DIMENSION * sizeof(float));
    rag_embeddings_free(got);
    rag_model_close(model);
}

static void invalid_utf8_is_refused_naming_the_text_and_its_byte(void **state)
{
    (void)state;
    rag_model *model = open_model(make_model("m", "bge-m3-like", 0, E5_PROMPTS));
    rag_text texts[] = {text_of("river"), text_of("stone \xff")};
    rag_embeddings *got;
    static const rag_role roles[] = {RAG_RAW, RAG_PASSAGE};
    for (size_t i = 0; i < 2; i++) {
        rag_embed_options options = RAG_EMBED_OPTIONS_INIT;
        options.role = roles[i];
        assert_status(RAG_INPUT, rag_embed(model, texts, 2, &options, &got, &error), &error);
        assert_null(got);
        assert_says(&error, "text 2");
        assert_says(&error, "byte 6 of the text");
    }
    rag_model_close(model);
}

static int stop(const rag_event *event, void *user)
{
    (void)event;
    return ++*(int *)user;
}

static void an_event_callback_can_stop_it(void **state)
{
    (void)state;
    rag_model *model = open_model(small_model("bge-m3-like"));
    int calls = 0;
    rag_text text = text_of("river");
    rag_embeddings *got;
    rag_embed_options options = RAG_EMBED_OPTIONS_INIT;
    options.on_event = stop;
    options.user = &calls;
    assert_status(RAG_INTERRUPTED, rag_embed(model, &text, 1, &options, &got, &error), &error);
    assert_int_equal(calls, 1);
    rag_model_close(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SANDBOX(a_text_longer_than_the_model_takes_is_read_in_full_windows),
        IN_SANDBOX(token_vectors_of_windows_stand_one_after_the_other),
        IN_SANDBOX(a_prefix_is_put_before_the_text_by_its_role),
        IN_SANDBOX(multi_leaves_out_the_first_special_token_and_the_prefix),
        cmocka_unit_test(sparse_is_the_greatest_weight_of_each_token_without_specials),
        cmocka_unit_test(a_head_that_the_model_lacks_is_refused),
        IN_SANDBOX(a_text_has_the_same_bits_alone_and_in_any_batch),
        IN_SANDBOX(an_empty_text_has_a_vector_and_no_texts_have_none),
        cmocka_unit_test(a_text_goes_on_behind_a_nul),
        IN_SANDBOX(invalid_utf8_is_refused_naming_the_text_and_its_byte),
        cmocka_unit_test(an_event_callback_can_stop_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
