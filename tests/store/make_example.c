/* make_example FILE: makes the index of example.h in this version's format, with a document
 * that was replaced, one that was taken out, and (from version 4 on) one in pieces that was
 * left unfinished. Made by it: tests/data/store/version-3.rag tests/data/store/version-4.rag
 * What is there is never made again. */
#include "store/example.h"
#include "store/fixture.h"

#include <stdlib.h>

static void stop_if(rag_status status, const rag_error *error)
{
    if (!status)
        return;
    fprintf(stderr, "%s\n", error->message);
    exit(1);
}

static void put_example(struct store *store, const struct example *example)
{
    static float vectors[8][DIMENSION];
    static struct store_chunk chunks[8];
    static const char weights[] = "\3\0\0\0\0\0\0\77\5\0\0\0\0\0\200\77"; /* 3: 0.5, 5: 1.0 */
    rag_error error;
    size_t size = strlen(example->text), count = 0;
    for (size_t begin = 0; begin < size; count++) {
        size_t end = begin + strcspn(example->text + begin, "\n");
        unit_vector(example->seed + (unsigned)count, vectors[count]);
        chunks[count] = (struct store_chunk){.begin = begin,
                                             .end = end,
                                             .line = (uint32_t)count + 1,
                                             .last_line = (uint32_t)count + 1,
                                             .tokens = 7,
                                             .heading = count ? "" : "Chapter",
                                             .vector = vectors[count]};
        stop_if(hash_bytes(example->text + begin, end - begin, &chunks[count].hash, &error),
                &error);
        chunks[count].place = count ? "page 2" : "page 1";
        if (count) {
            chunks[count].weights = (rag_text){weights, sizeof weights - 1};
            chunks[count].header_end = 5;
        }
        begin = end + 1;
    }
    struct store_document document = {.collection = example->collection,
                                      .path = example->path,
                                      .format = "text",
                                      .size = size,
                                      .modified = 1700000000000000000,
                                      .text = {example->text, size},
                                      .metadata = example->metadata};
    stop_if(hash_bytes(example->text, size, &document.hash, &error), &error);
    stop_if(store_put(store, &document, chunks, count, &error), &error);
}

static void leave_unfinished(struct store *store)
{
    static const char text[] = "Rye is sown in autumn.\nWheat is sown in spring.\n";
    enum { SECOND = 23, BEYOND = 6 };
    rag_error error;
    float vector[DIMENSION];
    struct store_growing *growing;
    struct store_document document = {
        .path = "/notes/fields.txt", .format = "text", .modified = 1700000000000000000};
    struct store_chunk chunk = {
        .line = 1, .last_line = 2, .heading = "", .vector = vector, .end = SECOND + BEYOND};
    unit_vector(31, vector);
    stop_if(store_grow_begin(store, &document, 3, &growing, &error), &error);
    stop_if(
        store_grow_add(growing, (rag_text){text, SECOND + BEYOND}, BEYOND, &chunk, 1, &error),
        &error);
    chunk.begin = SECOND;
    chunk.end = sizeof text - 1;
    stop_if(store_grow_add(growing, (rag_text){text + SECOND, sizeof text - 1 - SECOND}, 0,
                           &chunk, 1, &error),
            &error);
    store_grow_free(growing);
}

int main(int argc, char **argv)
{
    rag_error error;
    struct store *store;
    if (argc != 2)
        return 2;
    stop_if(store_open(argv[1], true, &store, &error), &error);
    stop_if(store_set_recipe(store, &fixture_recipe, &error), &error);
    struct example gone = examples[1];
    gone.path = "/notes/gone.txt";
    put_example(store, &gone);
    put_example(store, &examples[0]);
    for (size_t i = 0; i < EXAMPLES; i++)
        put_example(store, &examples[i]);
    stop_if(store_remove(store, NULL, &gone.path, 1, NULL, &error), &error);
    leave_unfinished(store);
    store_close(store);
    return 0;
}
