/* The sparse leg: what is found is what the sum over all chunks gives; the weights go in, out
 * and over to other chunks with their documents. */
#include "store/fixture.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>

enum { DOCUMENTS = 60, CHUNKS = 8, TOKENS = 80, MAX_CHUNKS = 3 * DOCUMENTS * CHUNKS };

struct model_chunk {
    int64_t id;
    unsigned document;
    float weights[TOKENS]; /* 0: it does not have the token */
};

static struct model_chunk model[MAX_CHUNKS];
static size_t model_count;
static int64_t last_id;
static uint32_t seed = 1;

static unsigned below(unsigned bound)
{
    seed = seed * 1664525u + 1013904223u;
    return (unsigned)((uint64_t)(seed >> 4) * bound >> 28);
}

/* Weights of some tokens: a few frequent, many rare. */
static void draw_weights(float weights[TOKENS])
{
    memset(weights, 0, TOKENS * sizeof *weights);
    for (unsigned i = below(20); i > 0; i--)
        weights[below(1 + below(TOKENS))] = (float)(1 + below(1000)) / 1000;
}

static char *pack(const float weights[TOKENS], size_t *size)
{
    uint32_t tokens[TOKENS];
    float kept[TOKENS];
    struct token_weights list = {tokens, kept, 0};
    for (uint32_t t = 0; t < TOKENS; t++)
        if (weights[t] > 0) {
            tokens[list.count] = t * 1000; /* more than a byte */
            kept[list.count++] = weights[t];
        }
    char *packed = token_weights_pack(&list, size);
    assert_non_null(packed);
    return packed;
}

static void forget(unsigned document)
{
    size_t kept = 0;
    for (size_t i = 0; i < model_count; i++)
        if (model[i].document != document)
            model[kept++] = model[i];
    model_count = kept;
}

static void put(struct fixture *f, unsigned number)
{
    struct store_chunk chunks[CHUNKS];
    char *packed[CHUNKS], path[16];
    static const float vector[DIMENSION] = {1};
    size_t count = 1 + below(CHUNKS);
    forget(number);
    for (size_t i = 0; i < count; i++) {
        struct model_chunk *chunk = &model[model_count++];
        *chunk = (struct model_chunk){.id = ++last_id, .document = number};
        draw_weights(chunk->weights);
        chunks[i] = (struct store_chunk){
            .end = 5, .line = 1, .last_line = 1, .heading = "", .vector = vector};
        memcpy(chunks[i].hash.bytes, &chunk->id, sizeof chunk->id);
        packed[i] = pack(chunk->weights, &chunks[i].weights.size);
        chunks[i].weights.data = packed[i];
    }
    snprintf(path, sizeof path, "/%u", number);
    struct store_document document = {.path = path, .format = "text", .text = {"words", 5}};
    assert_ok(store_put(f->store, &document, chunks, count, &f->error), &f->error);
    for (size_t i = 0; i < count; i++)
        free(packed[i]);
}

static void take_out(struct fixture *f, unsigned number)
{
    char path[16];
    snprintf(path, sizeof path, "/%u", number);
    assert_ok(store_remove(f->store, NULL, (const char *const[]){path}, 1, NULL, &f->error),
              &f->error);
    forget(number);
}

static int better(const void *a, const void *b)
{
    const struct scored *x = a, *y = b;
    if (x->score != y->score)
        return x->score < y->score ? 1 : -1;
    return (x->chunk_id > y->chunk_id) - (x->chunk_id < y->chunk_id);
}

static void compare(struct fixture *f, size_t k, const struct id_ranges *within)
{
    static struct scored expected[MAX_CHUNKS];
    static double scores[MAX_CHUNKS];
    static int64_t ids[MAX_CHUNKS];
    float query[TOKENS], kept[TOKENS];
    uint32_t tokens[TOKENS];
    struct token_weights list = {tokens, kept, 0};
    size_t found = 0;
    draw_weights(query);
    for (uint32_t t = 0; t < TOKENS; t++)
        if (query[t] > 0) {
            tokens[list.count] = t * 1000;
            kept[list.count++] = query[t];
        }
    for (size_t i = 0; i < model_count; i++) {
        double sum = 0;
        for (uint32_t t = 0; t < TOKENS; t++)
            sum += (double)query[t] * (double)model[i].weights[t];
        ids[i] = model[i].id;
        if (sum > 0 && (!within || id_ranges_have(within, ids[i])))
            expected[found++] = (struct scored){.chunk_id = ids[i], .score = sum};
    }
    qsort(expected, found, sizeof *expected, better);
    struct scored_list out;
    assert_ok(store_search_sparse(f->store, &list, k, within, &out, &f->error), &f->error);
    assert_int_equal(out.count, found < k ? found : k);
    for (size_t i = 0; i < out.count; i++) {
        assert_int_equal(out.items[i].chunk_id, expected[i].chunk_id);
        assert_true(out.items[i].score == expected[i].score);
    }
    assert_ok(store_score_sparse(f->store, &list, ids, model_count, scores, &f->error),
              &f->error);
    for (size_t i = 0; i < out.count; i++)
        for (size_t j = 0; j < model_count; j++)
            if (ids[j] == out.items[i].chunk_id)
                assert_true(scores[j] == out.items[i].score);
    scored_list_release(&out);
}

static void what_is_found_is_what_the_whole_sum_gives(void **state)
{
    struct fixture *f = *state;
    assert_ok(store_set_volatile(f->store, &f->error), &f->error);
    for (unsigned i = 0; i < DOCUMENTS; i++)
        put(f, i);
    for (unsigned i = 0; i < DOCUMENTS; i++) {
        struct id_range items[] = {{5, 40}, {60, 61}, {100, 150}};
        struct id_ranges ranges = {items, 3};
        if (below(3) == 0)
            take_out(f, i);
        else if (below(2))
            put(f, i);
        compare(f, 1 + below(20), below(2) ? &ranges : NULL);
        compare(f, 10000, NULL);
    }
    assert_whole(f->store);
}

static void an_index_without_weights_finds_nothing(void **state)
{
    struct fixture *f = *state;
    const uint32_t token = 7;
    const float weight = 1;
    const int64_t id = 1;
    double score;
    struct token_weights query = {&token, &weight, 1}, none = {0};
    struct scored_list out;
    assert_ok(put_lines(f->store, "/a", "apple\n", 1, &f->error), &f->error);
    assert_ok(store_search_sparse(f->store, &query, 5, NULL, &out, &f->error), &f->error);
    assert_int_equal(out.count, 0);
    scored_list_release(&out);
    assert_ok(store_search_sparse(f->store, &none, 5, NULL, &out, &f->error), &f->error);
    assert_int_equal(out.count, 0);
    assert_ok(store_score_sparse(f->store, &query, &id, 1, &score, &f->error), &f->error);
    assert_true(isnan(score));
}

static void known_weights_are_found_again(void **state)
{
    struct fixture *f = *state;
    char *weights;
    size_t size, packed_size;
    struct hash hash = {0};
    model_count = 0;
    last_id = 0;
    do
        put(f, 1);
    while (model[model_count - 1].weights[0] == 0);
    memcpy(hash.bytes, &model[model_count - 1].id, sizeof model->id);
    char *packed = pack(model[model_count - 1].weights, &packed_size);
    assert_ok(store_find_weights(f->store, &hash, &weights, &size, &f->error), &f->error);
    assert_int_equal(size, packed_size);
    assert_memory_equal(weights, packed, size);
    free(weights);
    free(packed);
    hash.bytes[20] = 1;
    assert_ok(store_find_weights(f->store, &hash, &weights, &size, &f->error), &f->error);
    assert_null(weights);
}

static void weights_that_are_none_are_refused(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *bytes;
        size_t size;
    } bad[] = {
        {"\1\0\0\0\0\0\200\77x", 9},                   /* a byte too many */
        {"\1\0\0\0\0\0\0\0", 8},                       /* 0 */
        {"\1\0\0\0\0\0\200\277", 8},                   /* -1 */
        {"\1\0\0\0\0\0\200\177", 8},                   /* infinite */
        {"\2\0\0\0\0\0\200\77\1\0\0\0\0\0\200\77", 16} /* not ascending */
    };
    static const float vector[DIMENSION] = {1};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct store_chunk chunk = {.end = 5,
                                    .line = 1,
                                    .last_line = 1,
                                    .heading = "",
                                    .vector = vector,
                                    .weights = {bad[i].bytes, bad[i].size}};
        struct store_document document = {.path = "/a", .format = "text", .text = {"words", 5}};
        assert_status(RAG_INTERNAL, store_put(f->store, &document, &chunk, 1, &f->error),
                      &f->error);
    }
    assert_int_equal(counts(f->store).documents, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_found_is_what_the_whole_sum_gives),
        TEST(an_index_without_weights_finds_nothing),
        TEST(known_weights_are_found_again),
        TEST(weights_that_are_none_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
