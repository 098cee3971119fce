/* How fast an index takes documents in and answers: store [CHUNKS] [DIMENSION].
 * Synthetic: chunks of 300 Han characters, drawn so that a few are frequent, and random
 * vectors; documents of 50 chunks, written without waiting for the disk. */
#define _XOPEN_SOURCE 700
#include "store/store.h"
#include "base/clock.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PER_DOCUMENT = 50, CHARACTERS = 300, QUERIES = 20 };

static unsigned seed = 1;

static double uniform(void)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) / 16777216.0;
}

static size_t write_chunk(char *text)
{
    for (size_t i = 0; i < CHARACTERS; i++) {
        unsigned code = 0x4e00 + (unsigned)(8000 * pow(uniform(), 3));
        *text++ = (char)(0xe0 | code >> 12);
        *text++ = (char)(0x80 | (code >> 6 & 63));
        *text++ = (char)(0x80 | (code & 63));
    }
    return 3 * (size_t)CHARACTERS;
}

static void write_vector(float *vector, size_t dimension)
{
    double square = 0;
    for (size_t i = 0; i < dimension; i++) {
        vector[i] = (float)(uniform() - 0.5);
        square += (double)vector[i] * (double)vector[i];
    }
    for (size_t i = 0; i < dimension; i++)
        vector[i] = (float)(vector[i] / sqrt(square));
}

static rag_status put_document(struct store *store, size_t number, char *text, float *vectors,
                               size_t dimension, rag_error *error)
{
    static struct store_chunk chunks[PER_DOCUMENT];
    char path[32];
    size_t size = 0;
    for (size_t i = 0; i < PER_DOCUMENT; i++) {
        float *vector = vectors + i * dimension;
        size_t begin = size;
        size += write_chunk(text + begin);
        write_vector(vector, dimension);
        chunks[i] = (struct store_chunk){.begin = begin,
                                         .end = size,
                                         .line = 1,
                                         .last_line = 1,
                                         .heading = "Heading",
                                         .vector = vector};
        memcpy(chunks[i].hash.bytes, &seed, sizeof seed);
    }
    snprintf(path, sizeof path, "/%zu", number);
    struct store_document document = {.path = path, .format = "text", .text = {text, size}};
    return store_put(store, &document, chunks, PER_DOCUMENT, error);
}

static rag_status search(struct store *store, const char *text, const float *vectors,
                         size_t dimension, rag_error *error)
{
    struct scored_list found;
    double start = clock_seconds();
    rag_status status = store_search_dense(store, vectors, 10, NULL, &found, error);
    scored_list_release(&found);
    printf("first dense search (loads the vectors)  %8.2f ms\n",
           1000 * (clock_seconds() - start));
    start = clock_seconds();
    for (size_t i = 0; i < QUERIES && !status; i++) {
        status = store_search_dense(store, vectors + i * dimension, 10, NULL, &found, error);
        scored_list_release(&found);
    }
    printf("dense search                            %8.2f ms\n",
           1000 * (clock_seconds() - start) / QUERIES);
    start = clock_seconds();
    for (size_t i = 0; i < QUERIES && !status; i++) {
        rag_text question = {text + i * 3 * CHARACTERS, 3 * 15};
        status = store_search_lexical(store, question, 10, NULL, &found, NULL, error);
        scored_list_release(&found);
    }
    printf("lexical search (15 characters)          %8.2f ms\n",
           1000 * (clock_seconds() - start) / QUERIES);
    return status;
}

static rag_status run(struct store *store, size_t documents, size_t dimension, rag_error *error)
{
    char *text = malloc((size_t)PER_DOCUMENT * CHARACTERS * 3);
    float *vectors = malloc(PER_DOCUMENT * dimension * sizeof *vectors);
    struct store_recipe recipe = {.model = "bench", .dimension = dimension};
    struct store_counts counts;
    if (!text || !vectors)
        abort();
    rag_status status = store_set_recipe(store, &recipe, error);
    if (!status)
        status = store_set_volatile(store, error);
    double start = clock_seconds();
    for (size_t i = 0; i < documents && !status; i++)
        status = put_document(store, i, text, vectors, dimension, error);
    double seconds = clock_seconds() - start;
    if (!status)
        status = store_count(store, &counts, error);
    if (!status) {
        printf("%zu chunks of %d characters, %zu dimensions: %.0f bytes a chunk\n",
               counts.chunks, CHARACTERS, dimension,
               (double)counts.bytes / (double)counts.chunks);
        printf("put                                     %8.0f chunks/s\n",
               (double)counts.chunks / seconds);
        status = search(store, text, vectors, dimension, error);
    }
    start = clock_seconds();
    if (!status)
        status = store_verify(store, NULL, NULL, NULL, error);
    printf("verify                                  %8.2f s\n", clock_seconds() - start);
    free(text);
    free(vectors);
    return status;
}

int main(int argc, char **argv)
{
    size_t chunks = argc > 1 ? strtoul(argv[1], NULL, 10) : 10000;
    size_t dimension = argc > 2 ? strtoul(argv[2], NULL, 10) : 384;
    char folder[] = "/tmp/rag-bench-XXXXXX", path[64];
    rag_error error = {0};
    struct store *store;
    if (!mkdtemp(folder)) {
        perror(folder);
        return 1;
    }
    snprintf(path, sizeof path, "%s/bench.rag", folder);
    rag_status status = store_open(path, true, &store, &error);
    if (!status) {
        status = run(store, (chunks + PER_DOCUMENT - 1) / PER_DOCUMENT, dimension, &error);
        store_close(store);
    }
    unlink(path);
    rmdir(folder);
    if (status)
        fprintf(stderr, "%s\n", error.message);
    return status != RAG_OK;
}
