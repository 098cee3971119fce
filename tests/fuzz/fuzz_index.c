/* A damaged index is searched, verified, mended and written to: whatever is in it, each call
 * ends with a status. The input damages a whole index:
 *
 *   byte 0        1: the file is cut off at the number behind; 2: a journal lies beside it,
 *                 whose bytes are what follows the number; else nothing
 *   bytes 1-3     that number
 *   then          page (1 byte), place in the page (2), count (1), and so many bytes to be
 *                 written there; again and again
 *
 * Numbers are little-endian, and taken modulo what there is. */
#include "support/fault_vfs.h"

#include "store/damaged.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { DIMENSION = 4, PAGE = 16384, HEADER = 4, RECORD = 4 };

static const char path[] = "/fuzz/index.rag";
static unsigned char *whole;
static size_t whole_size;

static void require(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "fuzz_index: %s\n", what);
        abort();
    }
}

/* ---- A whole index ---- */

static void put(struct store *store, const char *collection, const char *name, const char *text)
{
    static const float vectors[][DIMENSION] = {{1, 0, 0, 0}, {0, 0.6F, 0.8F, 0}};
    struct store_chunk chunks[2];
    rag_error error;
    size_t size = strlen(text), middle = size / 2;
    while ((text[middle] & 0xc0) == 0x80)
        middle++;
    for (size_t i = 0; i < 2; i++) {
        chunks[i] = (struct store_chunk){.begin = i ? middle : 0,
                                         .end = i ? size : middle,
                                         .line = 1,
                                         .last_line = 1,
                                         .tokens = 3,
                                         .heading = "Chapter > Part",
                                         .vector = vectors[i]};
        memset(chunks[i].hash.bytes, (int)i + *name, sizeof chunks[i].hash.bytes);
    }
    struct store_document document = {
        .collection = collection, .path = name, .format = "text", .text = {text, size}};
    require(!store_put(store, &document, chunks, 2, &error), error.message);
}

/* A document in two stretches, which end in a chunk that lies in both. */
static rag_status grow(struct store *store, const char *name, bool finish, rag_error *error)
{
    static const char text[] = "oolong is half black and half green";
    static const float vector[DIMENSION] = {0, 0, 0, 1};
    enum { MIDDLE = 15, BEYOND = 6 };
    struct store_growing *growing;
    struct store_document document = {.path = name, .format = "text"};
    struct store_chunk chunk = {
        .end = MIDDLE + BEYOND, .line = 1, .last_line = 1, .heading = "", .vector = vector};
    rag_status status = store_grow_begin(store, &document, 2, &growing, error);
    if (status)
        return status;
    status =
        store_grow_add(growing, (rag_text){text, MIDDLE + BEYOND}, BEYOND, &chunk, 1, error);
    chunk.begin = MIDDLE;
    chunk.end = sizeof text - 1;
    if (!status && finish)
        status = store_grow_add(growing, (rag_text){text + MIDDLE, sizeof text - 1 - MIDDLE}, 0,
                                &chunk, 1, error);
    if (!status && finish)
        status = store_grow_finish(growing, error);
    store_grow_free(growing);
    return status;
}

static void make_whole(void)
{
    static const struct store_recipe recipe = {
        .model = "m", .model_identity = "id", .dimension = DIMENSION, .max_tokens = 9};
    struct store *store;
    rag_error error;
    static char long_text[PAGE + PAGE / 2];
    fault_disk_install();
    /* More than a page, but hardly any words, which take time. */
    memset(long_text, ' ', sizeof long_text - 1);
    for (size_t i = 0; i + 8 < sizeof long_text; i += 512) {
        char word[9];
        snprintf(word, sizeof word, "word%03x ", (unsigned)i / 512);
        memcpy(long_text + i, word, 8);
    }
    require(!store_open(path, true, &store, &error), error.message);
    require(!store_set_recipe(store, &recipe, &error), error.message);
    put(store, NULL, "/a", "green tea is brewed with \xe7\xbb\xbf\xe8\x8c\xb6 and water");
    put(store, "other", "/b", "black tea");
    put(store, NULL, "/long", long_text);
    put(store, NULL, "/gone", "what is removed leaves pages that are free");
    require(!store_remove(store, NULL, &(const char *){"/gone"}, 1, NULL, &error),
            error.message);
    require(!grow(store, "/grown", true, &error), error.message);
    require(!grow(store, "/left", false, &error), error.message);
    store_close(store);
    const unsigned char *bytes = fault_disk_read(path, &whole_size);
    whole = malloc(whole_size);
    require(whole != NULL, "out of memory");
    memcpy(whole, bytes, whole_size);
}

/* ---- Damage ---- */

static void damage(const uint8_t *data, size_t size)
{
    unsigned char *bytes = malloc(whole_size);
    require(bytes != NULL, "out of memory");
    memcpy(bytes, whole, whole_size);
    size_t number = size >= HEADER ? data[1] | (size_t)data[2] << 8 | (size_t)data[3] << 16 : 0;
    size_t kept = size && *data == 1 ? number % (whole_size + 1) : whole_size;
    fault_disk_clear();
    if (size > HEADER && *data == 2) {
        char journal[64];
        snprintf(journal, sizeof journal, "%s-journal", path);
        fault_disk_write(journal, data + HEADER, size - HEADER);
    } else {
        for (size_t at = HEADER; at + RECORD < size; at += RECORD + data[at + 3]) {
            size_t place =
                (data[at] * (size_t)PAGE + data[at + 1] + (size_t)data[at + 2] * 256 % PAGE) %
                whole_size;
            for (size_t i = 0; i < data[at + 3] && at + RECORD + i < size; i++)
                bytes[(place + i) % whole_size] = data[at + RECORD + i];
        }
    }
    fault_disk_write(path, bytes, kept);
    free(bytes);
}

/* ---- Use ---- */

static int ignore_path(const char *name, void *user)
{
    (void)name, (void)user;
    return 0;
}

static int ignore_chunk(const struct stored_chunk *chunk, const float *vector, void *user)
{
    (void)chunk, (void)vector, (void)user;
    return 0;
}

static void search(struct store *store)
{
    static const char *const questions[] = {"tea", "word012 \"green tea\"", "bla*",
                                            "\xe7\xbb\xbf\xe8\x8c\xb6"};
    static const float query[DIMENSION] = {0.6F, 0.8F, 0, 0};
    struct scored_list found;
    rag_error error;
    (void)!store_search_dense(store, query, 3, NULL, &found, &error);
    scored_list_release(&found);
    for (size_t i = 0; i < sizeof questions / sizeof *questions; i++) {
        rag_text question = {questions[i], strlen(questions[i])};
        (void)!store_search_lexical(store, question, 3, NULL, &found, NULL, &error);
        scored_list_release(&found);
    }
}

static void read_all(struct store *store)
{
    struct stored_chunk chunk;
    struct stored_document document;
    struct store_counts counts;
    rag_error error;
    for (int64_t id = 1; id < 9; id++) {
        (void)!store_get_chunk(store, id, &chunk, &error);
        stored_chunk_release(&chunk);
    }
    (void)!store_get_document(store, NULL, "/a", true, &document, &error);
    stored_document_release(&document);
    (void)!store_each_document(store, NULL, NULL, ignore_path, NULL, &error);
    (void)!store_each_chunk(store, NULL, NULL, ignore_chunk, NULL, &error);
    (void)!store_count(store, &counts, &error);
}

static void write_some(struct store *store)
{
    struct events events = {0};
    struct store_compaction compaction;
    struct store_document document = {.path = "/a", .format = "text", .text = {"new", 3}};
    rag_error error;
    (void)!store_put(store, &document, NULL, 0, &error);
    (void)!store_remove(store, NULL, &(const char *){"/long"}, 1, NULL, &error);
    (void)!grow(store, "/left", true, &error);
    (void)!store_compact(store, &events, &compaction, &error);
}

static void salvage(void)
{
    struct store *store;
    rag_error error;
    int64_t *ids = NULL;
    size_t count = 0;
    if (store_open_damaged(path, &store, &error))
        return;
    (void)!store_list_damaged(store, &ids, &count, &error);
    for (size_t i = 0; i < count; i++) {
        struct damaged_document document;
        (void)!store_read_damaged(store, ids[i], DIMENSION, &document, &error);
        damaged_document_release(&document);
    }
    free(ids);
    (void)!store_verify(store, NULL, NULL, NULL, &error);
    (void)!store_mend_tables(store, &error);
    store_close(store);
}

static void use(void)
{
    struct store *store;
    rag_error error;
    rag_status status = store_open(path, false, &store, &error);
    require(!status || *error.message, "a refusal without a reason");
    if (!status) {
        status = store_verify(store, NULL, NULL, NULL, &error);
        require(!status || *error.message, "a problem without a reason");
        search(store);
        read_all(store);
        store_close(store);
    }
    salvage();
    if (store_open(path, false, &store, &error))
        return;
    write_some(store);
    search(store);
    store_close(store);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!whole)
        make_whole();
    damage(data, size);
    use();
    return 0;
}
