/* What the encoder refuses, and that it says which text, tensor or setting it is. */
#define _POSIX_C_SOURCE 200809L
#include "encoder/reference.h"
#include "support/test.h"

#include <math.h>
#include <stdlib.h>

static struct reference r;
static struct encoder *encoder;
static float *pooled;
static rag_error error;

static int open_model(void **state)
{
    (void)state;
    reference_open(&r, "xlmr-mean");
    pooled = calloc(r.count * r.config.hidden, sizeof *pooled);
    return !pooled ||
           encoder_new(&r.config, r.checkpoint, RAG_PRECISION_DEFAULT, 2, &encoder, &error);
}

static int close_model(void **state)
{
    (void)state;
    encoder_free(encoder);
    reference_close(&r);
    free(pooled);
    return 0;
}

static rag_status embed(const struct sequence *sequences, size_t n)
{
    return encoder_run(encoder, sequences, n, &(struct encoder_output){.pooled = pooled}, NULL,
                       &error);
}

static void an_id_outside_the_vocabulary_is_named_with_its_text(void **state)
{
    (void)state;
    int32_t good[] = {0, 2}, high[] = {0, 5, 600, 2}, low[] = {-1};
    assert_status(RAG_INPUT, embed((struct sequence[]){{good, NULL, 2}, {high, NULL, 4}}, 2),
                  &error);
    assert_says(&error, "text 2, token 3: id 600");
    assert_status(RAG_INPUT, embed(&(struct sequence){low, NULL, 1}, 1), &error);
    assert_says(&error, "id -1");
}

static void a_text_that_is_empty_or_too_long_is_refused(void **state)
{
    (void)state;
    int32_t ids[201] = {0};
    assert_ok(embed(&(struct sequence){ids, NULL, 200}, 1), &error);
    assert_status(RAG_INPUT, embed(&(struct sequence){ids, NULL, 201}, 1), &error);
    assert_says(&error, "201 tokens; the model takes 1 to 200");
    assert_status(RAG_INPUT, embed(&(struct sequence){ids, NULL, 0}, 1), &error);
}

static void a_token_type_that_the_model_lacks_is_refused(void **state)
{
    (void)state;
    int32_t ids[] = {0, 2};
    uint8_t types[] = {0, 1};
    assert_status(RAG_INPUT, embed(&(struct sequence){ids, types, 2}, 1), &error);
    assert_says(&error, "type 1");
}

static void no_texts_are_no_work(void **state)
{
    (void)state;
    assert_ok(embed(NULL, 0), &error);
}

static void a_head_that_is_not_there_is_refused(void **state)
{
    (void)state;
    float out[400];
    assert_status(RAG_USAGE,
                  encoder_run(encoder, r.sequences, 1, &(struct encoder_output){.sparse = out},
                              NULL, &error),
                  &error);
    assert_status(RAG_USAGE,
                  encoder_run(encoder, r.sequences, 1, &(struct encoder_output){.logits = out},
                              NULL, &error),
                  &error);
}

/* The call at which to stop, and what was seen. */
struct watch {
    int calls, stop_at;
    uint64_t done, total;
};

static int watch_progress(const rag_event *event, void *user)
{
    struct watch *w = user;
    assert_string_equal(event->stage, "embedding");
    assert_string_equal(event->unit, "tokens");
    assert_true(event->done >= w->done && event->done <= event->total);
    w->done = event->done;
    w->total = event->total;
    return ++w->calls == w->stop_at;
}

static void progress_grows_to_all_tokens_and_can_be_stopped(void **state)
{
    (void)state;
    struct watch all = {.stop_at = -1}, some = {.stop_at = 1};
    struct events events = {watch_progress, &all};
    struct encoder_output out = {.pooled = pooled};
    assert_ok(encoder_run(encoder, r.sequences, r.count, &out, &events, &error), &error);
    assert_true(all.calls >= 1);
    assert_int_equal(all.done, r.tokens);
    assert_int_equal(all.total, r.tokens);
    events.user = &some;
    assert_status(RAG_INTERRUPTED,
                  encoder_run(encoder, r.sequences, r.count, &out, &events, &error), &error);
    assert_int_equal(some.calls, 1);
    assert_ok(embed(r.sequences, r.count), &error);
}

static void a_shape_that_has_no_whole_tiles_is_for_f32_alone(void **state)
{
    (void)state;
    struct encoder *other;
    struct model_config config = r.config;
    config.feed_forward = 72;
    assert_status(RAG_MODEL,
                  encoder_new(&config, r.checkpoint, RAG_PRECISION_INT8, 1, &other, &error),
                  &error);
    assert_says(&error, "int8");
    assert_says(&error, "f32");
    bool faster = true;
    config.layers = 400; /* else it were too small to be worth it */
    assert_ok(encoder_is_faster(&config, RAG_PRECISION_INT8, &faster, &error), &error);
    assert_false(faster);
}

static void weights_of_another_shape_are_named(void **state)
{
    (void)state;
    struct encoder *other;
    struct model_config config = r.config;
    config.feed_forward = 65;
    assert_status(RAG_MODEL,
                  encoder_new(&config, r.checkpoint, RAG_PRECISION_F32, 2, &other, &error),
                  &error);
    assert_says(&error, "encoder.layer.0.intermediate.dense.weight");
    config = r.config;
    config.layers = 4;
    assert_status(RAG_MODEL,
                  encoder_new(&config, r.checkpoint, RAG_PRECISION_F32, 2, &other, &error),
                  &error);
    assert_says(&error, "encoder.layer.3.");
    config = r.config;
    config.classifier = true;
    assert_status(RAG_MODEL,
                  encoder_new(&config, r.checkpoint, RAG_PRECISION_F32, 2, &other, &error),
                  &error);
    assert_says(&error, "classifier.dense.weight");
    config = r.config;
    config.vocabulary = 601;
    assert_status(RAG_MODEL,
                  encoder_new(&config, r.checkpoint, RAG_PRECISION_F32, 2, &other, &error),
                  &error);
    assert_says(&error, "word_embeddings");
}

static void an_unknown_instruction_set_is_refused(void **state)
{
    (void)state;
    struct encoder *other;
    const char *before = getenv("RAG_CPU");
    char *kept = before ? strdup(before) : NULL;
    setenv("RAG_CPU", "mmx", 1);
    rag_status status =
        encoder_new(&r.config, r.checkpoint, RAG_PRECISION_F32, 1, &other, &error);
    if (kept)
        setenv("RAG_CPU", kept, 1);
    else
        unsetenv("RAG_CPU");
    free(kept);
    assert_int_equal(status, RAG_USAGE);
    assert_says(&error, "mmx");
}

/* A row of the embedding table with an infinity: only texts with that token are hit, and the
 * first of them is named. */
static void a_result_that_is_not_finite_names_the_text(void **state)
{
    (void)state;
    const struct tensor *words =
        checkpoint_find(r.checkpoint, "embeddings.word_embeddings.weight");
    struct tensor *poisoned = (struct tensor *)(uintptr_t)words;
    const void *data = words->data;
    float *copy = malloc(words->bytes);
    assert_non_null(copy);
    tensor_read_f32(words, 0, words->elements, copy);
    copy[77 * r.config.hidden + 5] = INFINITY;
    poisoned->data = copy;
    int32_t good[] = {0, 5, 2}, bad[] = {0, 77, 2};
    rag_status status = embed(
        (struct sequence[]){{good, NULL, 3}, {good, NULL, 2}, {bad, NULL, 3}, {bad, NULL, 2}},
        4);
    rag_status clean = embed(&(struct sequence){good, NULL, 3}, 1);
    poisoned->data = data;
    free(copy);
    assert_int_equal(status, RAG_MODEL);
    assert_says(&error, "text 3:");
    assert_int_equal(clean, RAG_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_outside_the_vocabulary_is_named_with_its_text),
        cmocka_unit_test(a_text_that_is_empty_or_too_long_is_refused),
        cmocka_unit_test(a_token_type_that_the_model_lacks_is_refused),
        cmocka_unit_test(no_texts_are_no_work),
        cmocka_unit_test(a_head_that_is_not_there_is_refused),
        cmocka_unit_test(progress_grows_to_all_tokens_and_can_be_stopped),
        cmocka_unit_test(a_shape_that_has_no_whole_tiles_is_for_f32_alone),
        cmocka_unit_test(weights_of_another_shape_are_named),
        cmocka_unit_test(an_unknown_instruction_set_is_refused),
        cmocka_unit_test(a_result_that_is_not_finite_names_the_text),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
