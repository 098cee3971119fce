/* The latency of one question on a model that is open already:
 *
 *   bench_query [-m MODEL] [-p f32|bf16|int8] [-j THREADS] [-r REPEATS] TEXT
 *
 * MODEL is a name or a folder (the default model). Prints one line of JSON: the text's tokens,
 * the seconds to open the model, and the median of the seconds to embed the text. */
#include "rag.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MAX_REPEATS = 100000, WARM_UP = 5 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static rag_status embed(rag_model *model, const char *text, size_t *tokens, rag_error *error)
{
    rag_text query = {text, strlen(text)};
    rag_embed_options options = RAG_EMBED_OPTIONS_INIT;
    options.role = RAG_QUERY;
    rag_embeddings *embeddings = NULL;
    rag_status status = rag_embed(model, &query, 1, &options, &embeddings, error);
    if (!status)
        *tokens = rag_embeddings_get(embeddings, 0)->tokens;
    rag_embeddings_free(embeddings);
    return status;
}

static rag_status measure(const char *name, const rag_model_options *options, size_t repeats,
                          const char *text, rag_error *error)
{
    static double seconds[MAX_REPEATS];
    double start = now();
    rag_model *model = NULL;
    rag_status status = rag_model_open(name, options, &model, error);
    double open = now() - start;
    size_t tokens = 0;
    for (size_t i = 0; i < WARM_UP && !status; i++)
        status = embed(model, text, &tokens, error);
    for (size_t i = 0; i < repeats && !status; i++) {
        start = now();
        status = embed(model, text, &tokens, error);
        seconds[i] = now() - start;
    }
    if (!status) {
        qsort(seconds, repeats, sizeof *seconds, compare);
        printf("{\"tokens\":%zu,\"open\":%.6f,\"seconds\":%.6f}\n", tokens, open,
               seconds[repeats / 2]);
    }
    rag_model_close(model);
    return status;
}

static rag_precision precision_named(const char *name)
{
    if (strcmp(name, "f32") == 0)
        return RAG_PRECISION_F32;
    if (strcmp(name, "bf16") == 0)
        return RAG_PRECISION_BF16;
    return strcmp(name, "int8") == 0 ? RAG_PRECISION_INT8 : RAG_PRECISION_DEFAULT;
}

int main(int argc, char **argv)
{
    const char *model = NULL, *precision = "f32";
    size_t repeats = 100;
    rag_model_options options = RAG_MODEL_OPTIONS_INIT;
    for (int option; (option = getopt(argc, argv, "m:p:j:r:")) != -1;) {
        switch (option) {
        case 'm':
            model = optarg;
            break;
        case 'p':
            precision = optarg;
            break;
        case 'j':
            options.threads = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'r':
            repeats = strtoul(optarg, NULL, 10);
            break;
        default:
            return 2;
        }
    }
    options.precision = precision_named(precision);
    if (optind + 1 != argc || options.precision == RAG_PRECISION_DEFAULT || repeats == 0 ||
        repeats > MAX_REPEATS) {
        fprintf(stderr, "bench_query: bad arguments; see bench/query.c\n");
        return 2;
    }
    rag_error error;
    if (measure(model, &options, repeats, argv[optind], &error)) {
        fprintf(stderr, "bench_query: %s\n", error.message);
        return 1;
    }
    return 0;
}
