/* A batch through the layers. Every function here is called by all threads of a team, which
 * share out its loops and meet at each loop's end. */
#include "encoder/attention.h"
#include "encoder/magnitudes.h"
#include "encoder/parts.h"

#include <omp.h>
#include <string.h>

static struct worker *self(const struct pass *pass)
{
    return &pass->workers[omp_get_thread_num()];
}

void pass_give(struct pass *pass, const struct matmul *matmul, const float *x, size_t i)
{
    matmul_operand(matmul, x,
                   pass->workers->activations.operand + i * matmul_operand_bytes(matmul));
}

/* Tasks of one panel follow each other: its weights stay in the cache for all rows. */
void pass_linear(struct pass *pass, const struct matmul *matmul, void *y, enum tile_form form)
{
    const char *operand = pass->workers->activations.operand;
    size_t outputs = matmul_outputs(matmul), row_bytes = matmul_operand_bytes(matmul);
    size_t panels = matmul_panels(matmul);
    size_t blocks = (pass->rows + MATMUL_ROWS - 1) / MATMUL_ROWS;
    size_t element = form == TILE_F32 ? sizeof(float) : sizeof(uint16_t);
#pragma omp for schedule(dynamic)
    for (size_t task = 0; task < blocks * panels; task++) {
        size_t first = task % blocks * MATMUL_ROWS, panel = task / blocks;
        size_t rows = pass->rows - first < MATMUL_ROWS ? pass->rows - first : MATMUL_ROWS;
        struct tile_result result = {(char *)y + first * outputs * element, outputs, form};
        matmul_run(matmul, panel, operand + first * row_bytes, rows, &result);
    }
}

/* Row i of x for a layer's product, by the loop that makes it: it is in the first cache. */
static void give(struct pass *pass, size_t layer, size_t product, const float *x, size_t i)
{
    const struct encoder *e = pass->run->encoder;
    const struct matmul *matmul = e->layers[layer].products[product];
    pass_give(pass, matmul, x, i);
    if (e->magnitudes)
        magnitudes_note(e, layer, product, x);
    if (e->errors)
        errors_note(e, layer, product, x,
                    pass->workers->activations.operand + i * matmul_operand_bytes(matmul));
}

/* hidden = LayerNorm(hidden + sum), for the product of layer `next` (none behind the last). */
static void add_norm(struct pass *pass, const struct norm *norm, size_t next, size_t product)
{
    const struct encoder *e = pass->run->encoder;
    struct activations *a = &pass->workers->activations;
    size_t d = e->config.hidden;
#pragma omp for schedule(static)
    for (size_t i = 0; i < pass->rows; i++) {
        float *row = a->hidden + i * d;
        e->kernels->layer_norm(a->sum + i * d, row, norm->scale, norm->shift,
                               e->config.layer_norm_epsilon, d, row);
        if (next < e->config.layers)
            give(pass, next, product, row, i);
    }
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
            give(pass, 0, QKV, x, row);
        }
    }
}

/* context [T x D] from wide [T x 3D]. With `first_only`, context [n x D] of the sequences'
 * first tokens alone, and hidden [n x D] is brought into the same order. */
static void attention(struct pass *pass, size_t layer, bool first_only)
{
    const struct encoder *e = pass->run->encoder;
    struct activations *a = &pass->workers->activations;
    size_t d = e->config.hidden, heads = e->config.heads, size = d / heads;
#pragma omp for schedule(dynamic)
    for (size_t task = 0; task < pass->count * heads; task++) {
        const struct item *item = &pass->items[task / heads];
        size_t tokens = pass->run->sequences[item->index].count;
        size_t column = task % heads * size;
        size_t at = item->row * 3 * d + column, queries = first_only ? 1 : tokens;
        const float *q = a->wide + at;
        const uint16_t *half = (const uint16_t *)a->wide + at;
        float *out = a->context + (first_only ? task / heads : item->row) * d + column;
        struct attention head = {.kernels = e->kernels,
                                 .tiles = e->tiles,
                                 .tokens = tokens,
                                 .head_size = size,
                                 .q = q,
                                 .k = q + d,
                                 .v = q + 2 * d,
                                 .stride = 3 * d,
                                 .out_stride = d,
                                 .int8_scores = e->int8_scores};
        if (e->half) {
            head.q = half;
            head.k = half + d;
            head.v = half + 2 * d;
            attend_bf16(&head, queries, out, self(pass)->attention);
        } else {
            attend(&head, queries, out, self(pass)->attention);
        }
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
#pragma omp for schedule(static)
    for (size_t i = 0; i < pass->rows; i++)
        give(pass, layer, OUT, a->context + i * d, i);
}

static void (*activation_of(const struct encoder *e))(float *, size_t)
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

/* The product that gives wide [T x F] may have taken GELU with it. */
static enum tile_form up_form(const struct encoder *e)
{
    bool gelu = e->config.activation == ACTIVATION_GELU;
    return e->half && gelu ? TILE_GELU_BF16 : TILE_F32;
}

/* wide = activation(wide), where that is still to be done, for the next product. */
static void activate(struct pass *pass, size_t layer)
{
    const struct encoder *e = pass->run->encoder;
    struct activations *a = &pass->workers->activations;
    size_t f = e->config.feed_forward;
    const struct matmul *down = e->layers[layer].products[DOWN];
    bool done = up_form(e) == TILE_GELU_BF16;
    void (*activation)(float *, size_t) = activation_of(e);
#pragma omp for schedule(static)
    for (size_t i = 0; i < pass->rows; i++) {
        if (done) {
            const uint16_t *row = (const uint16_t *)a->wide + i * f;
            char *operand = a->operand + i * matmul_operand_bytes(down);
            matmul_operand_bf16(down, row, operand);
            if (e->errors)
                errors_note_bf16(e, layer, DOWN, row, operand);
        } else {
            activation(a->wide + i * f, f);
            give(pass, layer, DOWN, a->wide + i * f, i);
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

        /* wide [T x 3D], then context, sum [T x D] */
        pass_linear(pass, layer->products[QKV], a->wide, e->half ? TILE_BF16 : TILE_F32);
        attention(pass, i, last && !all);
        pass_linear(pass, layer->products[OUT], a->sum, TILE_F32);
        add_norm(pass, &layer->attention_norm, i, UP);

        /* wide [T x F], then sum [T x D] */
        pass_linear(pass, layer->products[UP], a->wide, up_form(e));
        activate(pass, i);
        pass_linear(pass, layer->products[DOWN], a->sum, TILE_F32);
        add_norm(pass, &layer->output_norm, i + 1, QKV);
        report(pass);
    }
}
