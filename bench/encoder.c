/* The encoder's speed on a model's shape with random weights:
 *
 *   bench_encoder [-m SHAPE] [-t TOKENS] [-n SEQUENCES] [-j THREADS] [-r REPEATS]
 *                 [-p f32|bf16|int8] [-a] [-1]
 *
 * SHAPE: bge-m3 (the default), bge-reranker-base, e5-small, minilm; TOKENS of each sequence
 * (512). -a wants each token's vector too, as late interaction does; -1 prints one line of
 * JSON. Shows tokens a second, GFLOP/s, and their share of what the machine can do. */
#include "encoder/encoder.h"
#include "base/clock.h"
#include "peak.h"
#include "synthetic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct options {
    const char *shape;
    size_t tokens, sequences;
    unsigned threads;
    int repeats;
    bool all_tokens, json;
    rag_precision precision;
};

static const struct {
    const char *name;
    struct model_config config;
} shapes[] = {
#define SHAPE(d, l, h, f, p, c, pool)                                                          \
    {                                                                                          \
        .family = FAMILY_XLM_ROBERTA, .hidden = d, .layers = l, .heads = h, .feed_forward = f, \
        .positions = p, .vocabulary = 250002, .token_types = 1, .padding_id = 1,               \
        .max_tokens = p - 2, .layer_norm_epsilon = 1e-5F, .classifier = c, .pooling = pool     \
    }
    {"bge-m3", SHAPE(1024, 24, 16, 4096, 8194, false, POOLING_CLS)},
    {"bge-reranker-base", SHAPE(768, 12, 12, 3072, 514, true, POOLING_CLS)},
    {"e5-small", SHAPE(384, 12, 12, 1536, 514, false, POOLING_MEAN)},
    {"minilm", SHAPE(384, 6, 12, 1536, 514, false, POOLING_MEAN)},
};

static const struct model_config *find_shape(const char *name)
{
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        if (strcmp(shapes[i].name, name) == 0)
            return &shapes[i].config;
    return NULL;
}

static rag_precision find_precision(const char *name)
{
    return strcmp(name, "f32") == 0    ? RAG_PRECISION_F32
           : strcmp(name, "bf16") == 0 ? RAG_PRECISION_BF16
           : strcmp(name, "int8") == 0 ? RAG_PRECISION_INT8
                                       : RAG_PRECISION_DEFAULT;
}

/* Floating-point operations of the matrix products and of attention, all rows counted. */
static double flops(const struct model_config *c, const struct options *o)
{
    double d = c->hidden, f = c->feed_forward, s = (double)o->tokens;
    return (double)o->sequences * s * c->layers * (2 * (4 * d * d + 2 * d * f) + 4 * s * d);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print(const struct options *o, const struct model_config *c, double load,
                  double best, double median, double peak)
{
    double tokens = (double)(o->tokens * o->sequences), rate = flops(c, o) / best / 1e9;
    if (o->json)
        printf("{\"shape\":\"%s\",\"tokens\":%zu,\"sequences\":%zu,\"tokens_per_second\":%.1f,"
               "\"median\":%.1f,\"gflops\":%.1f,\"peak\":%.1f}\n",
               o->shape, o->tokens, o->sequences, tokens / best, tokens / median, rate, peak);
    else
        printf("%s: %zu x %zu tokens, %u threads: %.1f tokens/s (median %.1f), %.2f ms, "
               "%.1f GFLOP/s, %.1f %% of the peak of %.1f; loaded in %.2f s\n",
               o->shape, o->sequences, o->tokens, o->threads, tokens / best, tokens / median,
               best * 1e3, rate, 100 * rate / peak, peak, load);
}

static rag_status measure(const struct options *o, const struct model_config *config,
                          rag_error *error)
{
    struct checkpoint *checkpoint = synthetic_new(config);
    struct encoder *encoder = NULL;
    size_t total = o->tokens * o->sequences;
    int32_t *ids = malloc(total * sizeof *ids);
    struct sequence *sequences = calloc(o->sequences, sizeof *sequences);
    double *seconds = calloc((size_t)o->repeats, sizeof *seconds);
    struct encoder_output out = {.pooled =
                                     malloc(o->sequences * config->hidden * sizeof(float))};
    rag_status status = RAG_OK;
    if (o->all_tokens)
        out.multi = malloc(total * config->hidden * sizeof(float));
    if (config->classifier)
        out.logits = malloc(o->sequences * sizeof(float));
    if (!checkpoint || !ids || !sequences || !seconds || !out.pooled)
        status = fail_with(error, RAG_MEMORY, "out of memory");
    for (size_t i = 0; !status && i < total; i++)
        ids[i] = (int32_t)(5 + i * 7919 % 249000);
    for (size_t i = 0; !status && i < o->sequences; i++)
        sequences[i] = (struct sequence){.ids = ids + i * o->tokens, .count = o->tokens};

    double start = clock_seconds(), load;
    if (!status)
        status = encoder_new(config, checkpoint, o->precision, o->threads, &encoder, error);
    load = clock_seconds() - start;
    if (!status) /* warms up */
        status = encoder_run(encoder, sequences, o->sequences, &out, NULL, error);
    for (int i = 0; i < o->repeats && !status; i++) {
        start = clock_seconds();
        status = encoder_run(encoder, sequences, o->sequences, &out, NULL, error);
        seconds[i] = clock_seconds() - start;
    }
    enum cpu_level level = CPU_SCALAR;
    if (!status)
        status = cpu_choose(&level, error);
    if (!status) {
        qsort(seconds, (size_t)o->repeats, sizeof *seconds, compare);
        print(o, config, load, seconds[0], seconds[o->repeats / 2],
              peak_gflops(level, o->threads));
    }
    encoder_free(encoder);
    synthetic_free(checkpoint);
    free(ids);
    free(sequences);
    free(seconds);
    free(out.pooled);
    free(out.multi);
    free(out.logits);
    return status;
}

int main(int argc, char **argv)
{
    struct options o = {.shape = "bge-m3",
                        .tokens = 512,
                        .sequences = 2,
                        .threads = 2,
                        .repeats = 3,
                        .precision = RAG_PRECISION_F32};
    for (int option; (option = getopt(argc, argv, "m:t:n:j:r:p:a1")) != -1;) {
        switch (option) {
        case 'm':
            o.shape = optarg;
            break;
        case 't':
            o.tokens = strtoul(optarg, NULL, 10);
            break;
        case 'n':
            o.sequences = strtoul(optarg, NULL, 10);
            break;
        case 'j':
            o.threads = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'r':
            o.repeats = atoi(optarg);
            break;
        case 'p':
            o.precision = find_precision(optarg);
            break;
        case 'a':
            o.all_tokens = true;
            break;
        case '1':
            o.json = true;
            break;
        default:
            return 2;
        }
    }
    const struct model_config *config = find_shape(o.shape);
    if (!config || o.tokens == 0 || o.sequences == 0 || o.repeats <= 0 || o.threads == 0 ||
        o.precision == RAG_PRECISION_DEFAULT) {
        fprintf(stderr, "bench_encoder: bad arguments; see bench/encoder.c\n");
        return 2;
    }
    rag_error error;
    if (measure(&o, config, &error)) {
        fprintf(stderr, "bench_encoder: %s\n", error.message);
        return 1;
    }
    return 0;
}
