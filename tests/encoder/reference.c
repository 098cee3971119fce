#include "encoder/reference.h"

#include "support/test.h"

#include <math.h>
#include <stdlib.h>

static float *read_expected(const struct checkpoint *expected, const char *name, size_t *size)
{
    const struct tensor *t = checkpoint_find(expected, name);
    if (!t)
        return NULL;
    float *values = malloc((t->elements + 1) * sizeof *values);
    assert_non_null(values);
    tensor_read_f32(t, 0, t->elements, values);
    if (size)
        *size = t->elements;
    return values;
}

static void cut_sequences(struct reference *r, const struct checkpoint *expected)
{
    float *lengths = read_expected(expected, "lengths", &r->count);
    float *ids = read_expected(expected, "ids", &r->tokens);
    float *types = read_expected(expected, "types", NULL);
    assert_true(lengths && ids && types);
    r->sequences = calloc(r->count, sizeof *r->sequences);
    r->offsets = calloc(r->count, sizeof *r->offsets);
    r->ids = calloc(r->tokens, sizeof *r->ids);
    r->types = calloc(r->tokens, sizeof *r->types);
    assert_true(r->sequences && r->offsets && r->ids && r->types);
    for (size_t t = 0; t < r->tokens; t++) {
        r->ids[t] = (int32_t)ids[t];
        r->types[t] = (uint8_t)types[t];
    }
    size_t at = 0;
    for (size_t i = 0; i < r->count; i++) {
        r->offsets[i] = at;
        r->sequences[i] = (struct sequence){r->ids + at, r->types + at, (size_t)lengths[i]};
        at += r->sequences[i].count;
    }
    assert_int_equal(at, r->tokens);
    free(lengths);
    free(ids);
    free(types);
}

void reference_open(struct reference *r, const char *name)
{
    char path[4096];
    rag_error error;
    struct checkpoint *expected;
    *r = (struct reference){0};
    snprintf(path, sizeof path, "%s/encoder/%s", TEST_DATA, name);
    assert_ok(model_config_read(path, &r->config, &error), &error);
    assert_ok(checkpoint_open(path, &r->checkpoint, &error), &error);
    snprintf(path, sizeof path, "%s/encoder/%s-expected", TEST_DATA, name);
    assert_ok(checkpoint_open(path, &expected, &error), &error);
    cut_sequences(r, expected);
    r->hidden = read_expected(expected, "hidden", NULL);
    r->pooled = read_expected(expected, "pooled", NULL);
    r->sparse = read_expected(expected, "sparse", NULL);
    r->multi = read_expected(expected, "multi", NULL);
    r->logits = read_expected(expected, "logits", NULL);
    checkpoint_close(expected);
}

void reference_close(struct reference *r)
{
    checkpoint_close(r->checkpoint);
    free(r->sequences);
    free(r->offsets);
    free(r->ids);
    free(r->types);
    free(r->hidden);
    free(r->pooled);
    free(r->sparse);
    free(r->multi);
    free(r->logits);
}

static float *zeros(size_t n)
{
    float *x = calloc(n + 1, sizeof *x);
    assert_non_null(x);
    return x;
}

void results_init(struct results *results, const struct encoder *encoder, size_t hidden,
                  size_t count, size_t tokens)
{
    unsigned heads = encoder_heads(encoder);
    size_t multi = encoder_multi_dimension(encoder);

    *results = (struct results){.hidden = tokens * hidden,
                                .pooled = count * hidden,
                                .sparse = tokens,
                                .multi = tokens * multi,
                                .logits = count};
    results->out.hidden = zeros(results->hidden);
    results->out.pooled = zeros(results->pooled);
    if (heads & RAG_SPARSE)
        results->out.sparse = zeros(results->sparse);
    if (heads & RAG_MULTI)
        results->out.multi = zeros(results->multi);
    if (heads & RAG_LOGIT)
        results->out.logits = zeros(results->logits);
}

void results_release(struct results *results)
{
    free(results->out.hidden);
    free(results->out.pooled);
    free(results->out.sparse);
    free(results->out.multi);
    free(results->out.logits);
}

float greatest_difference(const float *a, const float *b, size_t n)
{
    float greatest = 0;
    for (size_t i = 0; i < n; i++) {
        float difference = fabsf(a[i] - b[i]);
        if (!(difference <= greatest))
            greatest = difference;
    }
    return greatest;
}

double cosine(const float *a, const float *b, size_t n)
{
    double ab = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < n; i++) {
        ab += (double)a[i] * b[i];
        aa += (double)a[i] * a[i];
        bb += (double)b[i] * b[i];
    }
    return ab / sqrt(aa * bb);
}
