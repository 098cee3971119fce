/* The encoder against Hugging Face transformers on small random checkpoints of each family,
 * head and file format (tests/data/encoder/make_models.py). */
#include "encoder/reference.h"
#include "support/test.h"

#include <math.h>

/* What f32 leaves of a difference after three layers of weights of this size. */
#define TOLERANCE 2e-5F

static void assert_near(const char *what, const float *got, const float *expected, size_t n)
{
    float difference = greatest_difference(got, expected, n);
    if (!(difference < TOLERANCE)) {
        print_error("%s differs by %g\n", what, (double)difference);
        fail_msg("wrong result");
    }
}

static void compare(const char *name, unsigned threads)
{
    struct reference r;
    struct encoder *encoder;
    struct results got;
    rag_error error;
    reference_open(&r, name);
    assert_ok(
        encoder_new(&r.config, r.checkpoint, RAG_PRECISION_DEFAULT, threads, &encoder, &error),
        &error);
    results_init(&got, encoder, r.config.hidden, r.count, r.tokens);
    assert_ok(encoder_run(encoder, r.sequences, r.count, &got.out, NULL, &error), &error);

    size_t d = r.config.hidden;
    assert_near("hidden", got.out.hidden, r.hidden, r.tokens * d);
    if (!r.logits) {
        assert_near("pooled", got.out.pooled, r.pooled, r.count * d);
        for (size_t i = 0; i < r.count; i++)
            assert_true(cosine(got.out.pooled + i * d, r.pooled + i * d, d) >= 0.99999);
    }
    assert_int_equal(!got.out.sparse, !r.sparse);
    assert_int_equal(!got.out.logits, !r.logits);
    if (r.sparse)
        assert_near("sparse", got.out.sparse, r.sparse, r.tokens);
    if (r.multi)
        assert_near("multi", got.out.multi, r.multi,
                    r.tokens * encoder_multi_dimension(encoder));
    if (r.logits)
        assert_near("logits", got.out.logits, r.logits, r.count);

    results_release(&got);
    encoder_free(encoder);
    reference_close(&r);
}

static void xlm_roberta_with_mean_pooling_agrees_with_transformers(void **state)
{
    (void)state;
    compare("xlmr-mean", 2);
}

static void the_three_heads_of_bge_m3_agree_with_transformers(void **state)
{
    (void)state;
    compare("bge-m3-like", 2);
}

static void an_xlm_roberta_cross_encoder_agrees_with_transformers(void **state)
{
    (void)state;
    compare("xlmr-reranker", 2);
}

static void bert_with_cls_pooling_in_f16_agrees_with_transformers(void **state)
{
    (void)state;
    compare("bert-cls", 1);
}

static void bert_in_bf16_shards_agrees_with_transformers(void **state)
{
    (void)state;
    compare("bert-mean-sharded", 3);
}

static void a_bert_cross_encoder_with_token_types_agrees_with_transformers(void **state)
{
    (void)state;
    compare("bert-reranker", 2);
}

static void a_model_without_colbert_linear_gives_its_normalised_hidden_state(void **state)
{
    (void)state;
    struct reference r;
    struct encoder *encoder;
    struct results got;
    rag_error error;
    reference_open(&r, "xlmr-mean");
    assert_ok(encoder_new(&r.config, r.checkpoint, RAG_PRECISION_F32, 1, &encoder, &error),
              &error);
    assert_int_equal(encoder_heads(encoder), RAG_DENSE | RAG_MULTI);
    results_init(&got, encoder, r.config.hidden, r.count, r.tokens);
    assert_ok(encoder_run(encoder, r.sequences, r.count, &got.out, NULL, &error), &error);
    size_t d = r.config.hidden;
    for (size_t t = 0; t < r.tokens; t++) {
        double norm = 0;
        for (size_t i = 0; i < d; i++)
            norm += pow(r.hidden[t * d + i], 2);
        for (size_t i = 0; i < d; i++)
            assert_true(fabs(got.out.multi[t * d + i] - r.hidden[t * d + i] / sqrt(norm)) <
                        1e-5);
    }
    results_release(&got);
    encoder_free(encoder);
    reference_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(xlm_roberta_with_mean_pooling_agrees_with_transformers),
        cmocka_unit_test(the_three_heads_of_bge_m3_agree_with_transformers),
        cmocka_unit_test(an_xlm_roberta_cross_encoder_agrees_with_transformers),
        cmocka_unit_test(bert_with_cls_pooling_in_f16_agrees_with_transformers),
        cmocka_unit_test(bert_in_bf16_shards_agrees_with_transformers),
        cmocka_unit_test(a_bert_cross_encoder_with_token_types_agrees_with_transformers),
        cmocka_unit_test(a_model_without_colbert_linear_gives_its_normalised_hidden_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
