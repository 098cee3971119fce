/* What comes out for a text depends on its tokens and the model alone: byte for byte the same
 * whatever the threads, the batch, the order and what else is asked for.
 *
 *   test_encoder_same_bits f32|bf16|int8 */
#include "base/cpu.h"
#include "encoder/reference.h"
#include "support/test.h"

#include <stdlib.h>

static rag_precision precision;

static struct encoder *open_encoder(const struct reference *r, unsigned threads)
{
    struct encoder *encoder;
    rag_error error;
    assert_ok(encoder_new(&r->config, r->checkpoint, precision, threads, &encoder, &error),
              &error);
    return encoder;
}

static void assert_same_results(const struct results *a, const struct results *b)
{
    assert_memory_equal(a->out.hidden, b->out.hidden, a->hidden * sizeof(float));
    assert_memory_equal(a->out.pooled, b->out.pooled, a->pooled * sizeof(float));
    if (a->out.sparse)
        assert_memory_equal(a->out.sparse, b->out.sparse, a->sparse * sizeof(float));
    if (a->out.multi)
        assert_memory_equal(a->out.multi, b->out.multi, a->multi * sizeof(float));
    if (a->out.logits)
        assert_memory_equal(a->out.logits, b->out.logits, a->logits * sizeof(float));
}

static void run(struct encoder *encoder, const struct sequence *sequences, size_t n,
                const struct encoder_output *out)
{
    rag_error error;
    assert_ok(encoder_run(encoder, sequences, n, out, NULL, &error), &error);
}

static const char *const models[] = {"xlmr-mean", "bge-m3-like", "xlmr-reranker", "bert-cls",
                                     "bert-reranker"};
enum { ALL = sizeof models / sizeof *models };
#define MODELS (precision == RAG_PRECISION_F32 ? ALL : 3) /* the others have no whole tiles */

static void one_to_eight_threads_give_the_same_bits(void **state)
{
    (void)state;
    for (size_t m = 0; m < MODELS; m++) {
        struct reference r;
        struct results alone, got;
        reference_open(&r, models[m]);
        for (unsigned threads = 1; threads <= 8; threads++) {
            struct encoder *encoder = open_encoder(&r, threads);
            results_init(&got, encoder, r.config.hidden, r.count, r.tokens);
            run(encoder, r.sequences, r.count, &got.out);
            if (threads == 1) {
                alone = got;
            } else {
                assert_same_results(&alone, &got);
                results_release(&got);
            }
            encoder_free(encoder);
        }
        results_release(&alone);
        reference_close(&r);
    }
}

static void a_text_alone_has_the_bits_it_has_in_a_batch(void **state)
{
    (void)state;
    for (size_t m = 0; m < MODELS; m++) {
        struct reference r;
        struct results batch, one;
        reference_open(&r, models[m]);
        struct encoder *encoder = open_encoder(&r, 3);
        results_init(&batch, encoder, r.config.hidden, r.count, r.tokens);
        run(encoder, r.sequences, r.count, &batch.out);
        for (size_t i = 0; i < r.count; i++) {
            size_t tokens = r.sequences[i].count, d = r.config.hidden;
            results_init(&one, encoder, d, 1, tokens);
            run(encoder, &r.sequences[i], 1, &one.out);
            assert_memory_equal(one.out.hidden, batch.out.hidden + r.offsets[i] * d,
                                one.hidden * sizeof(float));
            assert_memory_equal(one.out.pooled, batch.out.pooled + i * d, d * sizeof(float));
            if (one.out.logits)
                assert_memory_equal(one.out.logits, batch.out.logits + i, sizeof(float));
            results_release(&one);
        }
        results_release(&batch);
        encoder_free(encoder);
        reference_close(&r);
    }
}

/* Enough texts for many batches, some for single threads and some for all together. */
static void order_and_company_do_not_matter(void **state)
{
    (void)state;
    enum { COPIES = 23 };
    struct reference r;
    struct results once;
    reference_open(&r, "xlmr-mean");
    struct encoder *encoder = open_encoder(&r, 2);
    size_t n = COPIES * r.count, d = r.config.hidden;
    results_init(&once, encoder, d, r.count, r.tokens);
    run(encoder, r.sequences, r.count, &once.out);
    struct sequence *many = calloc(n, sizeof *many);
    float *pooled = calloc(n * d, sizeof *pooled);
    assert_true(many && pooled);
    for (size_t i = 0; i < n; i++)
        many[i] = r.sequences[i * 7 % r.count];
    run(encoder, many, n, &(struct encoder_output){.pooled = pooled});
    for (size_t i = 0; i < n; i++)
        assert_memory_equal(pooled + i * d, once.out.pooled + i * 7 % r.count * d,
                            d * sizeof *pooled);
    free(many);
    free(pooled);
    results_release(&once);
    encoder_free(encoder);
    reference_close(&r);
}

/* With CLS pooling or logits alone the last layer is computed for first tokens only. */
static void asking_for_less_changes_nothing(void **state)
{
    (void)state;
    for (size_t m = 1; m < MODELS; m++) {
        struct reference r;
        struct results all, less;
        reference_open(&r, models[m]);
        struct encoder *encoder = open_encoder(&r, 2);
        size_t d = r.config.hidden;
        results_init(&all, encoder, d, r.count, r.tokens);
        results_init(&less, encoder, d, r.count, r.tokens);
        run(encoder, r.sequences, r.count, &all.out);
        bool cross = all.out.logits != NULL;
        run(encoder, r.sequences, r.count,
            &(struct encoder_output){.pooled = cross ? NULL : less.out.pooled,
                                     .logits = less.out.logits});
        if (cross)
            assert_memory_equal(less.out.logits, all.out.logits, all.logits * sizeof(float));
        else
            assert_memory_equal(less.out.pooled, all.out.pooled, all.pooled * sizeof(float));
        results_release(&all);
        results_release(&less);
        encoder_free(encoder);
        reference_close(&r);
    }
}

int main(int argc, char **argv)
{
    const char *wanted = argc > 1 ? argv[1] : "f32";
    precision = strcmp(wanted, "int8") == 0   ? RAG_PRECISION_INT8
                : strcmp(wanted, "bf16") == 0 ? RAG_PRECISION_BF16
                                              : RAG_PRECISION_F32;
    const char *cpu = getenv("RAG_CPU");
    for (int level = 0; cpu && level < CPU_LEVELS; level++)
        if (strcmp(cpu, cpu_level_name((enum cpu_level)level)) == 0 &&
            !cpu_has((enum cpu_level)level))
            return 77; /* this machine lacks it: left out. An unknown name fails */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_to_eight_threads_give_the_same_bits),
        cmocka_unit_test(a_text_alone_has_the_bits_it_has_in_a_batch),
        cmocka_unit_test(order_and_company_do_not_matter),
        cmocka_unit_test(asking_for_less_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
