/* What is wanted of the last hidden state: hidden [T x D], or [n x D] of the first tokens. */
#include "encoder/parts.h"

#include <math.h>
#include <string.h>

/* y = x / max(|x|, 1e-12), as torch's normalize. */
static void normalise(const struct kernels *kernels, const float *x, size_t n, float *y)
{
    float norm = sqrtf(kernels->dot(x, x, n));
    kernels->scale(y, x, 1 / (norm > 1e-12F ? norm : norm <= 1e-12F ? 1e-12F : norm), n);
}

/* A result that is not a number would poison an index for good: the text is named instead. */
static void expect_finite(struct pass *pass, size_t index, const float *x, size_t n)
{
    struct run *run = pass->run;
    if (run->encoder->kernels->finite(x, n))
        return;
#pragma omp critical(rag_encoder_run)
    {
        if (index < run->not_finite)
            run->not_finite = index;
        atomic_store(&run->failed, true);
    }
}

static void pool(struct pass *pass, size_t s, const float *hidden, size_t tokens)
{
    const struct encoder *e = pass->run->encoder;
    size_t d = e->config.hidden, index = pass->items[s].index;
    float *pooled = pass->run->out->pooled + index * d;
    memcpy(pooled, hidden, d * sizeof *pooled);
    if (e->config.pooling == POOLING_MEAN) {
        for (size_t t = 1; t < tokens; t++)
            e->kernels->add(pooled, hidden + t * d, d);
        e->kernels->scale(pooled, pooled, 1 / (float)tokens, d);
    }
    expect_finite(pass, index, pooled, d);
}

/* relu(w . h + bias) of each token */
static void weigh_tokens(struct pass *pass, size_t s, const float *hidden, size_t tokens)
{
    const struct encoder *e = pass->run->encoder;
    size_t d = e->config.hidden, index = pass->items[s].index;
    float *weights = pass->run->out->sparse + pass->run->offsets[index];
    for (size_t t = 0; t < tokens; t++)
        weights[t] = e->kernels->dot(hidden + t * d, e->sparse, d) + e->sparse_bias;
    e->kernels->relu(weights, tokens);
    expect_finite(pass, index, weights, tokens);
}

static void copy_hidden(struct pass *pass, size_t s, const float *hidden, size_t tokens)
{
    size_t d = pass->run->encoder->config.hidden, index = pass->items[s].index;
    float *out = pass->run->out->hidden + pass->run->offsets[index] * d;
    memcpy(out, hidden, tokens * d * sizeof *out);
    expect_finite(pass, index, out, tokens * d);
}

/* vectors: [T x dimension] */
static void write_multi(struct pass *pass, const float *vectors, size_t dimension)
{
    const struct run *run = pass->run;
#pragma omp for schedule(static)
    for (size_t s = 0; s < pass->count; s++) {
        size_t index = pass->items[s].index, tokens = run->sequences[index].count;
        const float *from = vectors + pass->items[s].row * dimension;
        float *out = run->out->multi + run->offsets[index] * dimension;
        for (size_t t = 0; t < tokens; t++)
            normalise(run->encoder->kernels, from + t * dimension, dimension,
                      out + t * dimension);
        expect_finite(pass, index, out, tokens * dimension);
    }
}

/* Each sequence's first token through the classifier. */
static void classify(struct pass *pass)
{
    const struct encoder *e = pass->run->encoder;
    struct activations *a = &pass->workers->activations;
    size_t d = e->config.hidden;
    bool gathered = pass->rows != pass->tokens;
#pragma omp for schedule(static)
    for (size_t s = 0; s < pass->count; s++)
        pass_give(pass, e->classifier.dense,
                  a->hidden + (gathered ? s : pass->items[s].row) * d, s);
#pragma omp single
    pass->rows = pass->count;
    pass_linear(pass, e->classifier.dense, a->sum, TILE_F32);
#pragma omp for schedule(static)
    for (size_t s = 0; s < pass->count; s++) {
        float *x = a->sum + s * d, *logit = pass->run->out->logits + pass->items[s].index;
        for (size_t i = 0; i < d; i++)
            x[i] = tanhf(x[i]);
        *logit = e->kernels->dot(x, e->classifier.weights, d) + e->classifier.bias;
        expect_finite(pass, pass->items[s].index, logit, 1);
    }
}

void pass_heads(struct pass *pass)
{
    const struct encoder *e = pass->run->encoder;
    const struct encoder_output *out = pass->run->out;
    struct activations *a = &pass->workers->activations;
    size_t d = e->config.hidden;
    bool all = pass->rows == pass->tokens; /* also where each sequence is a single token */

#pragma omp for schedule(static)
    for (size_t s = 0; s < pass->count; s++) {
        const float *hidden = a->hidden + (all ? pass->items[s].row : s) * d;
        size_t tokens = pass->run->sequences[pass->items[s].index].count;
        if (out->pooled)
            pool(pass, s, hidden, tokens);
        if (out->sparse)
            weigh_tokens(pass, s, hidden, tokens);
        if (out->hidden)
            copy_hidden(pass, s, hidden, tokens);
    }
    if (out->multi && e->multi) {
#pragma omp for schedule(static)
        for (size_t i = 0; i < pass->rows; i++)
            pass_give(pass, e->multi, a->hidden + i * d, i);
        pass_linear(pass, e->multi, a->wide, TILE_F32);
        write_multi(pass, a->wide, matmul_outputs(e->multi));
    } else if (out->multi) {
        write_multi(pass, a->hidden, d);
    }
    if (out->logits)
        classify(pass);
}
