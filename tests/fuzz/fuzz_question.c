/* Any bytes are a question: the lexical leg answers it, with or without operators, and no more
 * than it holds. */
#define _XOPEN_SOURCE 700
#include "store/store.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CHUNKS = 3 };

static char folder[] = "/tmp/rag-fuzz-XXXXXX", path[64];
static struct store *store;

static void remove_all(void)
{
    store_close(store);
    unlink(path);
    rmdir(folder);
}

static void open_store(void)
{
    static const char text[] = "scaled dot product attention in DotProductAttention "
                               "\xe6\xb3\xa8\xe6\x84\x8f\xe5\x8a\x9b\xe6\x9c\xba\xe5\x88\xb6 x";
    static const float vector[4] = {1};
    struct store_chunk chunks[CHUNKS];
    for (size_t i = 0; i < CHUNKS; i++)
        chunks[i] = (struct store_chunk){.begin = 7 * i,
                                         .end = sizeof text - 1,
                                         .line = 1,
                                         .last_line = 1,
                                         .heading = "Chapter",
                                         .vector = vector};
    struct store_document document = {
        .path = "/a", .format = "text", .text = {text, sizeof text - 1}};
    struct store_recipe recipe = {.model = "fuzz", .dimension = 4};
    rag_error error;
    if (!mkdtemp(folder))
        abort();
    snprintf(path, sizeof path, "%s/index.rag", folder);
    if (store_open(path, true, &store, &error) || store_set_recipe(store, &recipe, &error) ||
        store_put(store, &document, chunks, CHUNKS, &error))
        abort();
    atexit(remove_all);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!store)
        open_store();
    rag_text question = {(const char *)data, size};
    for (int i = 0; i < 2; i++) {
        struct scored_list found;
        rag_error error;
        double ceiling;
        if ((i ? store_search_query : store_search_lexical)(store, question, 10, NULL, &found,
                                                            &ceiling, &error) != RAG_OK ||
            found.count > CHUNKS || !(ceiling >= 0))
            abort();
        scored_list_release(&found);
    }
    return 0;
}
