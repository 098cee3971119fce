/* Dense search through the store, on vectors from a file of 32-bit floats
 * (bench/vector_peers.py makes them and reads what is printed, a JSON object a line):
 *
 *   search make INDEX VECTORS DIMENSION     an index of them, 100 to a document: chunk i + 1 is
 *                                           vector i; written without waiting for the disk
 *   search run INDEX QUERIES DIMENSION K THREADS [FOUND]
 *                                           each query once; the chunks found go to FOUND, k
 *                                           64-bit integers a query
 *   search add INDEX VECTORS DIMENSION COUNT
 *                                           adds the first COUNT vectors as one more document,
 *                                           and searches for the last of them
 */
#define _XOPEN_SOURCE 700
#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "store/store.h"

#include <inttypes.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PER_DOCUMENT = 100, DOCUMENTS_AT_ONCE = 50 };

static void stop_if(rag_status status, const rag_error *error)
{
    if (!status)
        return;
    fprintf(stderr, "%s\n", error->message);
    exit(1);
}

struct vectors {
    struct mapped_file file;
    const float *rows;
    size_t count, dimension;
};

static void vectors_map(struct vectors *vectors, const char *path, const char *dimension)
{
    rag_error error;
    stop_if(file_map(path, &vectors->file, &error), &error);
    vectors->rows = (const float *)(const void *)vectors->file.data;
    vectors->dimension = strtoul(dimension, NULL, 10);
    vectors->count = vectors->file.size / (vectors->dimension * sizeof(float));
}

static struct store *open_index(const char *path, bool create)
{
    rag_error error;
    struct store *store;
    stop_if(store_open(path, create, &store, &error), &error);
    return store;
}

/* The chunks of a document are the lines of its text, a character each. */
struct document {
    char path[32], text[2 * PER_DOCUMENT];
    struct store_chunk chunks[PER_DOCUMENT];
};

static struct store_entry fill_document(struct document *d, size_t number, const float *rows,
                                        size_t count, size_t dimension)
{
    snprintf(d->path, sizeof d->path, "/%zu", number);
    for (size_t i = 0; i < count; i++) {
        uint64_t id = number * PER_DOCUMENT + i;
        memcpy(d->text + 2 * i, "x\n", 2);
        d->chunks[i] = (struct store_chunk){.begin = 2 * i,
                                            .end = 2 * i + 1,
                                            .line = (uint32_t)i + 1,
                                            .last_line = (uint32_t)i + 1,
                                            .heading = "",
                                            .vector = rows + i * dimension};
        memcpy(d->chunks[i].hash.bytes, &id, sizeof id);
    }
    struct store_document document = {
        .path = d->path, .format = "text", .size = 2 * count, .text = {d->text, 2 * count}};
    return (struct store_entry){document, d->chunks, count};
}

/* Puts the vectors in from document `number` on. */
static void put(struct store *store, size_t number, const struct vectors *vectors, size_t count)
{
    static struct document documents[DOCUMENTS_AT_ONCE];
    static struct store_entry entries[DOCUMENTS_AT_ONCE];
    rag_error error;
    for (size_t row = 0; row < count;) {
        size_t n = 0;
        for (; n < DOCUMENTS_AT_ONCE && row < count; n++, number++) {
            size_t chunks = count - row < PER_DOCUMENT ? count - row : PER_DOCUMENT;
            entries[n] =
                fill_document(&documents[n], number, vectors->rows + row * vectors->dimension,
                              chunks, vectors->dimension);
            row += chunks;
        }
        stop_if(store_put_all(store, entries, n, &error), &error);
    }
}

static void make(char **arguments)
{
    struct vectors vectors;
    rag_error error;
    double start = clock_seconds();
    vectors_map(&vectors, arguments[1], arguments[2]);
    struct store *store = open_index(arguments[0], true);
    struct store_recipe recipe = {.model = "bench", .dimension = vectors.dimension};
    stop_if(store_set_volatile(store, &error), &error);
    stop_if(store_set_recipe(store, &recipe, &error), &error);
    put(store, 0, &vectors, vectors.count);
    store_close(store);
    mapped_file_release(&vectors.file);
    printf("{\"seconds\": %.3f}\n", clock_seconds() - start);
}

/* Bytes of memory that no other process has and no file stands for. */
static long private_bytes(void)
{
    char line[256];
    long kilobytes = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status))
        sscanf(line, "RssAnon: %ld", &kilobytes);
    if (status)
        fclose(status);
    return kilobytes * 1024;
}

static void run(int count, char **arguments)
{
    struct vectors queries;
    struct scored_list found;
    rag_error error;
    size_t k = strtoul(arguments[3], NULL, 10);
    double begin = clock_seconds(), first = 0, start = 0;
    omp_set_num_threads(atoi(arguments[4]));
    vectors_map(&queries, arguments[1], arguments[2]);
    FILE *out = count > 5 ? fopen(arguments[5], "wb") : NULL;
    struct store *store = open_index(arguments[0], false);
    for (size_t i = 0; i <= queries.count; i++) { /* the first one twice */
        const float *query = queries.rows + (i ? i - 1 : 0) * queries.dimension;
        stop_if(store_search_dense(store, query, k, NULL, &found, &error), &error);
        for (size_t j = 0; out && i && j < found.count; j++)
            fwrite(&found.items[j].chunk_id, sizeof(int64_t), 1, out);
        scored_list_release(&found);
        if (!i) {
            start = clock_seconds();
            first = start - begin;
        }
    }
    double seconds = (clock_seconds() - start) / (double)queries.count;
    printf("{\"first\": %.6f, \"seconds\": %.9f, \"private\": %ld}\n", first, seconds,
           private_bytes());
    store_close(store);
    if (out)
        fclose(out);
    mapped_file_release(&queries.file);
}

static void add(char **arguments)
{
    struct vectors vectors;
    struct scored_list found;
    rag_error error;
    size_t count = strtoul(arguments[3], NULL, 10);
    vectors_map(&vectors, arguments[1], arguments[2]);
    struct store *store = open_index(arguments[0], false);
    const float *last = vectors.rows + (count - 1) * vectors.dimension;
    stop_if(store_search_dense(store, last, 1, NULL, &found, &error), &error);
    scored_list_release(&found);
    double start = clock_seconds();
    put(store, (size_t)1 << 40, &vectors, count);
    double written = clock_seconds();
    stop_if(store_search_dense(store, last, 1, NULL, &found, &error), &error);
    double visible = clock_seconds();
    if (found.count != 1 || found.items[0].score < 0.999)
        stop_if(fail_with(&error, RAG_INTERNAL, "the new vector was not found"), &error);
    scored_list_release(&found);
    store_close(store);
    mapped_file_release(&vectors.file);
    printf("{\"written\": %.6f, \"visible\": %.6f}\n", written - start, visible - written);
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "make") == 0)
        make(argv + 2);
    else if (argc >= 7 && strcmp(argv[1], "run") == 0)
        run(argc - 2, argv + 2);
    else if (argc == 6 && strcmp(argv[1], "add") == 0)
        add(argv + 2);
    else
        return 2;
    return 0;
}
