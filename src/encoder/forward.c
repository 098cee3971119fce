/* A batch through the layers. Every function here is called by all threads of a team, which
 * share out its loops and meet at each loop's end. */
#include "encoder/attention.h"
#include "encoder/parts.h"

#include <omp.h>
#include <string.h>

static struct worker *self(const struct pass *pass)
{
    return &pass->workers[omp_get_thread_num()];
}

static void pass_fail(struct pass *pass, rag_status status, const rag_error *error)
{
    struct run *run = pass->run;
#pragma omp critical(rag_encoder_run)
    if (!run->status) {
        run->status = status;
        if (run->error)
            *run->error = *error;
        atomic_store(&run->failed, true);
    }
}

void pass_linear(struct pass *pass, const struct matmul *matmul, const float *x, float *y,
                 void (*after)(float *x, size_t n))
{
    size_t inputs = matmul_inputs(matmul), outputs = matmul_outputs(matmul);
    size_t panels = matmul_panels(matmul);
    size_t blocks = (pass->rows + MATMUL_ROWS - 1) / MATMUL_ROWS;
#pragma omp for schedule(dynamic)
    for (size_t task = 0; task < blocks * panels; task++) {
        size_t first = task / panels * MATMUL_ROWS, panel = task % panels;
        size_t rows = pass->rows - first < MATMUL_ROWS ? pass->rows - first : MATMUL_ROWS;
        rag_error error;
        rag_status status = matmul_run(matmul, self(pass)->matmul, panel, x + first * inputs,
                                       rows, y + first * outputs, &error);
        if (status)
            pass_fail(pass, status, &error);
        size_t begin = matmul_panel_begin(matmul, panel), end = matmul_panel_end(matmul, panel);
        for (size_t i = first; after && i < first + rows; i++)
            after(y + i * outputs + begin, end - begin);
    }
}

/* hidden = LayerNorm(hidden + sum) */
static void add_norm(struct pass *pass, const struct norm *norm)
{
    const struct encoder *e = pass->run->encoder;
    struct activations *a = &pass->workers->activations;
    size_t d = e->config.hidden;
#pragma omp for schedule(static)
    for (size_t i = 0; i < pass->rows; i++)
        e->kernels->layer_norm(a->sum + i * d, a->hidden + i * d, norm->scale, norm->shift,
                               e->config.layer_norm_epsilon, d, a->hidden + i * d);
}

/* hidden [T x D] = LayerNorm(word + type + position). XLM-RoBERTa does not count padding
 * among a text, and gives it the padding's own position, also where a text spells it out. */
static void embed(struct pass *pass)
{
    const struct encoder *e = pass->run->encoder;
    const struct model_config *c = &e->config;
    struct activations *a = &pass->workers->activations;
    size_t d = c->hidden;
#pragma omp for schedule(dynamic)
    for (size_t s = 0; s < pass->count; s++) {
        const struct sequence *sequence = &pass->run->sequences[pass->items[s].index];
        uint32_t next = model_config_first_position(c);
        for (size_t t = 0; t < sequence->count; t++) {
            size_t row = pass->items[s].row + t;
            float *x = a->hidden + row * d, *part = a->sum + row * d;
            uint32_t id = (uint32_t)sequence->ids[t];
            bool padding = c->family == FAMILY_XLM_ROBERTA && id == c->padding_id;
            uint32_t position = padding ? c->padding_id : next++;
            tensor_read_f32(e->words, (uint64_t)id * d, d, x);
            tensor_read_f32(e->types, (sequence->types ? sequence->types[t] : 0) * (uint64_t)d,
                            d, part);
            e->kernels->add(x, part, d);
            tensor_read_f32(e->positions, (uint64_t)position * d, d, part);
            e->kernels->layer_norm(x, part, e->embedding_norm.scale, e->embedding_norm.shift,
                                   c->layer_norm_epsilon, d, x);
        }
    }
}

/* context [T x D] from wide [T x 3D]. With `first_only`, context [n x D] of the sequences'
 * first tokens alone, and hidden [n x D] is brought into the same order. */
static void attention(struct pass *pass, bool first_only)
{
    const struct encoder *e = pass->run->encoder;
    struct activations *a = &pass->workers->activations;
    size_t d = e->config.hidden, heads = e->config.heads, size = d / heads;
#pragma omp for schedule(dynamic)
    for (size_t task = 0; task < pass->count * heads; task++) {
        const struct item *item = &pass->items[task / heads];
        size_t tokens = pass->run->sequences[item->index].count;
        size_t column = task % heads * size;
        const float *q = a->wide + item->row * 3 * d + column;
        size_t row = first_only ? task / heads : item->row;
        attend(e->kernels, tokens, first_only ? 1 : tokens, size, q, q + d, q + 2 * d, 3 * d,
               a->context + row * d + column, d, self(pass)->attention);
    }
    if (first_only) {
#pragma omp single
        {
            for (size_t s = 0; s < pass->count; s++)
                memmove(a->hidden + s * d, a->hidden + pass->items[s].row * d,
                        d * sizeof *a->hidden);
            pass->rows = pass->count;
        }
    }
}

/* Counts a layer as done, tells the caller about it if this is his thread, and has the whole
 * team learn whether to stop. */
static void report(struct pass *pass)
{
    struct run *run = pass->run;
    const struct encoder *e = run->encoder;
#pragma omp master
    {
        size_t done = atomic_fetch_add(&run->done, pass->tokens) + pass->tokens;
        if (pass->workers == e->workers && run_report(run, done / e->config.layers))
            atomic_store(&run->interrupted, true);
        pass->stop = atomic_load(&run->interrupted) || atomic_load(&run->failed);
    }
#pragma omp barrier
}

static void (*activation(const struct encoder *e))(float *, size_t)
{
    switch (e->config.activation) {
    case ACTIVATION_GELU_TANH:
        return e->kernels->gelu_tanh;
    case ACTIVATION_RELU:
        return e->kernels->relu;
    default:
        return e->kernels->gelu;
    }
}

/* Whether the last layer must be computed for more than each sequence's first token. */
static bool wants_all_tokens(const struct run *run)
{
    const struct encoder_output *out = run->out;
    bool mean = run->encoder->config.pooling == POOLING_MEAN;
    return out->hidden || out->multi || out->sparse || (out->pooled && mean);
}

void pass_forward(struct pass *pass)
{
    const struct encoder *e = pass->run->encoder;
    struct activations *a = &pass->workers->activations;
    bool all = wants_all_tokens(pass->run);

    embed(pass); /* hidden [T x D] */
    for (size_t i = 0; i < e->config.layers && !pass->stop; i++) {
        const struct layer *layer = &e->layers[i];
        bool last = i + 1 == e->config.layers;

        pass_linear(pass, layer->qkv, a->hidden, a->wide, NULL);         /* wide [T x 3D] */
        attention(pass, last && !all);                                   /* context [T x D] */
        pass_linear(pass, layer->out, a->context, a->sum, NULL);         /* sum [T x D] */
        add_norm(pass, &layer->attention_norm);                          /* hidden */
        pass_linear(pass, layer->up, a->hidden, a->wide, activation(e)); /* wide [T x F] */
        pass_linear(pass, layer->down, a->wide, a->sum, NULL);           /* sum [T x D] */
        add_norm(pass, &layer->output_norm);                             /* hidden */
        report(pass);
    }
}
