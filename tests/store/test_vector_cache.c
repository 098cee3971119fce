/* The promises of src/store about the cache of vectors beside the index: what is found does not
 * depend on it, whatever happens to it. */
#define _XOPEN_SOURCE 700
#include "store/damaged.h"
#include "store/fixture.h"

#include "base/file.h"
#include "store/sqlite.h"
#include "store/vectors.h"

#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    DIMENSIONS = 32,
    CLUSTERS = 60,
    PER_DOCUMENT = 100,
    DOCUMENTS = 100,
    QUERIES = 20,
    K = 10
};

struct bench {
    struct fixture f;
    char cache[160];
    float *vectors; /* of document d, chunk i: row d * PER_DOCUMENT + i */
    bool there[2 * DOCUMENTS];
    uint64_t seeds[2 * DOCUMENTS]; /* of a document's first vector */
};

static void put(struct bench *b, struct store *store, size_t d, uint64_t seed)
{
    static char text[2 * PER_DOCUMENT];
    static struct store_chunk chunks[PER_DOCUMENT];
    char path[32];
    float *rows = b->vectors + d * PER_DOCUMENT * DIMENSIONS;
    snprintf(path, sizeof path, "/%zu", d);
    for (size_t i = 0; i < PER_DOCUMENT; i++) {
        uint64_t hash = seed + i;
        clustered_vector(seed + i, CLUSTERS, DIMENSIONS, rows + i * DIMENSIONS);
        memcpy(text + 2 * i, "x\n", 2);
        chunks[i] = (struct store_chunk){.begin = 2 * i,
                                         .end = 2 * i + 1,
                                         .line = (uint32_t)i + 1,
                                         .last_line = (uint32_t)i + 1,
                                         .heading = "",
                                         .vector = rows + i * DIMENSIONS};
        memcpy(chunks[i].hash.bytes, &hash, sizeof hash);
    }
    struct store_document document = {
        .path = path, .format = "text", .size = sizeof text, .text = {text, sizeof text}};
    assert_ok(store_put(store, &document, chunks, PER_DOCUMENT, &b->f.error), &b->f.error);
    b->there[d] = true;
    b->seeds[d] = seed;
}

static void take_out(struct bench *b, struct store *store, size_t d)
{
    char path[32];
    const char *paths[] = {path};
    size_t removed;
    snprintf(path, sizeof path, "/%zu", d);
    assert_ok(store_remove(store, NULL, paths, 1, &removed, &b->f.error), &b->f.error);
    assert_int_equal(removed, 1);
    b->there[d] = false;
}

static struct store *open_store(struct bench *b)
{
    struct store *store;
    assert_ok(store_open(b->f.path, false, &store, &b->f.error), &b->f.error);
    assert_ok(store_set_volatile(store, &b->f.error), &b->f.error);
    return store;
}

static int bench_open(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    assert_non_null(b);
    strcpy(b->f.folder, "/tmp/rag-cache-XXXXXX");
    assert_non_null(mkdtemp(b->f.folder));
    snprintf(b->f.path, sizeof b->f.path, "%s/index.rag", b->f.folder);
    snprintf(b->cache, sizeof b->cache, "%s-cache", b->f.path);
    b->vectors = malloc(sizeof(float) * 2 * DOCUMENTS * PER_DOCUMENT * DIMENSIONS);
    assert_non_null(b->vectors);
    struct store_recipe recipe = fixture_recipe;
    recipe.dimension = DIMENSIONS;
    assert_ok(store_open(b->f.path, true, &b->f.store, &b->f.error), &b->f.error);
    assert_ok(store_set_recipe(b->f.store, &recipe, &b->f.error), &b->f.error);
    assert_ok(store_set_volatile(b->f.store, &b->f.error), &b->f.error);
    for (size_t d = 0; d < DOCUMENTS; d++)
        put(b, b->f.store, d, 1 + d * PER_DOCUMENT);
    *state = b;
    return 0;
}

static int bench_close(void **state)
{
    struct bench *b = *state;
    store_close(b->f.store);
    assert_ok(directory_remove(b->f.folder, &b->f.error), &b->f.error);
    free(b->vectors);
    free(b);
    return 0;
}

static int descending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

/* Searches must find at least 99.5 % of the nearest that are there, with their scores. */
static void assert_found(struct bench *b, struct store *store)
{
    static double scores[2 * DOCUMENTS * PER_DOCUMENT];
    size_t hits = 0, expected = 0;
    for (uint64_t q = 0; q < QUERIES; q++) {
        float query[DIMENSIONS];
        struct scored_list found;
        size_t n = 0;
        clustered_vector((1 << 20) + q, CLUSTERS, DIMENSIONS, query);
        for (size_t i = 0; i < (size_t)2 * DOCUMENTS * PER_DOCUMENT; i++)
            if (b->there[i / PER_DOCUMENT])
                scores[n++] = exact_product(query, b->vectors + i * DIMENSIONS, DIMENSIONS);
        qsort(scores, n, sizeof *scores, descending);
        assert_ok(store_search_dense(store, query, K, NULL, &found, &b->f.error), &b->f.error);
        assert_int_equal(found.count, K);
        for (size_t i = 0; i < K; i++) {
            hits += found.items[i].score >= scores[K - 1] - (double)CODE_ERROR;
            assert_true(found.items[i].score <= scores[i] + (double)CODE_ERROR);
            assert_true(!i || found.items[i].score <= found.items[i - 1].score);
        }
        expected += K;
        scored_list_release(&found);
    }
    assert_true(hits >= expected * 995 / 1000);
}

static ino_t cache_inode(const struct bench *b)
{
    struct stat info;
    return stat(b->cache, &info) == 0 ? info.st_ino : 0;
}

/* Of the store's file as it is now. */
static uint64_t count_wrong(struct bench *b, struct store *store, bool *known)
{
    uint64_t wrong;
    store_lock(store);
    assert_ok(db_begin(store, DB_READ, &b->f.error), &b->f.error);
    rag_status status = vector_cache_verify(store, known, &wrong, &b->f.error);
    assert_ok(db_end(store, status, &b->f.error), &b->f.error);
    store_unlock(store);
    return wrong;
}

static void assert_cache_whole(struct bench *b, struct store *store)
{
    bool known;
    assert_int_equal(count_wrong(b, store, &known), 0);
    assert_true(known);
}

static void the_nearest_are_found_after_adding_deleting_and_adding_again(void **state)
{
    struct bench *b = *state;
    assert_found(b, b->f.store);
    ino_t inode = cache_inode(b);
    assert_true(inode);
    assert_cache_whole(b, b->f.store);
    for (size_t d = 0; d < DOCUMENTS; d += 2)
        put(b, b->f.store, DOCUMENTS + d, 100001 + d * PER_DOCUMENT);
    assert_found(b, b->f.store);
    for (size_t d = 1; d < DOCUMENTS; d += 2)
        take_out(b, b->f.store, d);
    assert_found(b, b->f.store);
    assert_cache_whole(b, b->f.store);
    for (size_t d = 1; d < DOCUMENTS; d += 2)
        put(b, b->f.store, d, 1 + d * PER_DOCUMENT);
    for (size_t d = 0; d < DOCUMENTS; d += 4)
        put(b, b->f.store, d, 200001 + d * PER_DOCUMENT); /* replaced */
    assert_found(b, b->f.store);
    assert_cache_whole(b, b->f.store);
    assert_int_equal(cache_inode(b), inode);
}

static void half_of_the_vectors_may_go(void **state)
{
    struct bench *b = *state;
    for (size_t d = 0; d < DOCUMENTS; d++)
        put(b, b->f.store, DOCUMENTS + d, 100001 + d * PER_DOCUMENT);
    assert_found(b, b->f.store);
    for (size_t d = 0; d < DOCUMENTS; d++)
        take_out(b, b->f.store, 2 * d);
    assert_found(b, b->f.store);
    assert_cache_whole(b, b->f.store);
}

static void few_vectors_need_no_cache(void **state)
{
    struct bench *b = *state;
    assert_found(b, b->f.store);
    for (size_t d = 50; d < DOCUMENTS; d++)
        take_out(b, b->f.store, d);
    assert_int_equal(unlink(b->cache), 0);
    assert_found(b, b->f.store);
    assert_int_equal(cache_inode(b), 0);
}

static void a_cache_that_is_there_is_used_as_it_is(void **state)
{
    struct bench *b = *state;
    assert_found(b, b->f.store);
    ino_t inode = cache_inode(b);
    struct store *other = open_store(b);
    assert_found(b, other);
    assert_int_equal(cache_inode(b), inode);
    /* what one adds, the other finds, in the same file */
    put(b, b->f.store, DOCUMENTS, 100001);
    assert_found(b, other);
    take_out(b, other, 3);
    assert_found(b, b->f.store);
    assert_found(b, other);
    assert_int_equal(cache_inode(b), inode);
    assert_cache_whole(b, other);
    store_close(other);
}

static void damage(const struct bench *b, long offset, int byte)
{
    FILE *file = fopen(b->cache, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, offset, SEEK_SET), 0);
    assert_int_equal(fputc(byte, file), byte);
    assert_int_equal(fclose(file), 0);
}

static void note_kind(const struct store_problem *problem, void *user)
{
    *(enum store_problem_kind *)user = problem->kind;
}

static void a_damaged_row_is_named_by_verify_and_mended(void **state)
{
    struct bench *b = *state;
    struct stat info;
    enum store_problem_kind kind = STORE_PROBLEM_PAGES;
    assert_found(b, b->f.store);
    assert_ok(store_verify(b->f.store, NULL, NULL, NULL, &b->f.error), &b->f.error);
    store_close(b->f.store);
    assert_int_equal(stat(b->cache, &info), 0);
    for (long i = 0; i < 8; i++)
        damage(b, 8192 * 2 + i, 0x5a);
    b->f.store = open_store(b);
    assert_status(RAG_INDEX, store_verify(b->f.store, note_kind, &kind, NULL, &b->f.error),
                  &b->f.error);
    assert_int_equal(kind, STORE_PROBLEM_CACHE);
    assert_ok(store_mend_tables(b->f.store, &b->f.error), &b->f.error);
    assert_ok(store_verify(b->f.store, NULL, NULL, NULL, &b->f.error), &b->f.error);
    assert_found(b, b->f.store);
    assert_cache_whole(b, b->f.store);
}

static void a_cache_that_cannot_be_used_is_made_anew(void **state)
{
    struct bench *b = *state;
    assert_found(b, b->f.store);
    for (int kind = 0; kind < 6; kind++) {
        store_close(b->f.store);
        ino_t inode = cache_inode(b);
        switch (kind) {
        case 0: /* both headers */
            damage(b, 30, 77);
            damage(b, 4096 + 30, 77);
            break;
        case 1: /* the centre */
            damage(b, 8192 + 17, 77);
            break;
        case 2:
            assert_int_equal(truncate(b->cache, 100000), 0);
            break;
        case 3:
            assert_int_equal(truncate(b->cache, 0), 0);
            break;
        case 4:
            assert_ok(file_write(b->cache, "another program's", 17, &b->f.error), &b->f.error);
            inode = cache_inode(b);
            break;
        default:
            assert_int_equal(unlink(b->cache), 0);
        }
        b->f.store = open_store(b);
        assert_found(b, b->f.store);
        assert_true(cache_inode(b) && (kind == 5 || cache_inode(b) != inode));
        assert_cache_whole(b, b->f.store);
    }
}

/* An update that is cut off leaves the other header. */
static void the_older_header_serves_if_the_newer_one_is_damaged(void **state)
{
    struct bench *b = *state;
    assert_found(b, b->f.store);
    put(b, b->f.store, DOCUMENTS, 100001);
    assert_found(b, b->f.store);
    ino_t inode = cache_inode(b);
    store_close(b->f.store);
    damage(b, 20, 77); /* sequence 2 lies in the first slot */
    b->f.store = open_store(b);
    assert_found(b, b->f.store);
    assert_int_equal(cache_inode(b), inode);
    assert_cache_whole(b, b->f.store);
}

static void damaged_codes_are_found_by_verifying_and_do_no_harm(void **state)
{
    struct bench *b = *state;
    assert_found(b, b->f.store);
    store_close(b->f.store);
    /* blocks begin at the page behind headers and centre, of 256 floats */
    for (long i = 0; i < 3000; i++)
        damage(b, 3 * 4096 + i * 37, (int)(i * 101 & 0xff));
    b->f.store = open_store(b);
    bool known;
    assert_true(count_wrong(b, b->f.store, &known) > 500);
    assert_true(known);
    float query[DIMENSIONS];
    struct scored_list found;
    clustered_vector(1, CLUSTERS, DIMENSIONS, query);
    assert_ok(store_search_dense(b->f.store, query, 20, NULL, &found, &b->f.error),
              &b->f.error);
    scored_list_release(&found);
}

/* A backup that was put back and went on to the same generation, even with the same ids. */
static void a_cache_of_another_history_is_not_used(void **state)
{
    struct bench *b = *state;
    char backup[192];
    snprintf(backup, sizeof backup, "%s/backup", b->f.folder);
    assert_found(b, b->f.store);
    store_close(b->f.store);
    assert_ok(file_copy(b->f.path, backup, &b->f.error), &b->f.error);
    b->f.store = open_store(b);
    put(b, b->f.store, DOCUMENTS, 100001);
    take_out(b, b->f.store, 7);
    assert_found(b, b->f.store);
    store_close(b->f.store);
    assert_int_equal(rename(backup, b->f.path), 0);
    b->f.store = open_store(b);
    b->there[7] = true;
    put(b, b->f.store, DOCUMENTS, 500001); /* other vectors, the same ids */
    take_out(b, b->f.store, 8);
    assert_found(b, b->f.store);
    assert_cache_whole(b, b->f.store);
}

static void without_a_place_for_the_cache_memory_serves(void **state)
{
    struct bench *b = *state;
    char made[192];
    snprintf(made, sizeof made, "%s-new", b->cache);
    assert_int_equal(mkdir(made, 0777), 0); /* where the file would be made */
    assert_found(b, b->f.store);
    assert_int_equal(cache_inode(b), 0);
    put(b, b->f.store, DOCUMENTS, 100001);
    take_out(b, b->f.store, 7);
    assert_found(b, b->f.store);
}

static void a_filter_is_searched_with_full_recall(void **state)
{
    struct bench *b = *state;
    size_t hits = 0, expected = 0;
    for (size_t step = 1; step <= 50; step += 7) {
        struct id_ranges within = {.items = calloc(DOCUMENTS, sizeof *within.items)};
        assert_non_null(within.items);
        for (size_t d = step / 2; d < DOCUMENTS; d += step) {
            within.items[within.count].first = (int64_t)(d * PER_DOCUMENT + 1);
            within.items[within.count++].last = (int64_t)((d + 1) * PER_DOCUMENT);
        }
        for (uint64_t q = 0; q < QUERIES; q++) {
            static double scores[DOCUMENTS * PER_DOCUMENT];
            float query[DIMENSIONS];
            struct scored_list found;
            size_t n = 0;
            clustered_vector((1 << 20) + q, CLUSTERS, DIMENSIONS, query);
            for (size_t i = 0; i < (size_t)DOCUMENTS * PER_DOCUMENT; i++)
                if (id_ranges_have(&within, (int64_t)i + 1))
                    scores[n++] = exact_product(query, b->vectors + i * DIMENSIONS, DIMENSIONS);
            qsort(scores, n, sizeof *scores, descending);
            assert_ok(store_search_dense(b->f.store, query, K, &within, &found, &b->f.error),
                      &b->f.error);
            assert_int_equal(found.count, K);
            for (size_t i = 0; i < K; i++) {
                assert_true(id_ranges_have(&within, found.items[i].chunk_id));
                hits += found.items[i].score >= scores[K - 1] - (double)CODE_ERROR;
            }
            expected += K;
            scored_list_release(&found);
        }
        id_ranges_release(&within);
    }
    assert_true(hits >= expected * 999 / 1000);
}

/* Of a chunk of these documents, as no chunk has gone: row id - 1. */
static void chunks_that_are_named_get_the_scores_of_a_search(void **state)
{
    struct bench *b = *state;
    for (uint64_t q = 0; q < QUERIES; q++) {
        float query[DIMENSIONS];
        struct scored_list found;
        int64_t ids[K + 1] = {DOCUMENTS * PER_DOCUMENT + 1};
        double scores[K + 1];
        clustered_vector((1 << 20) + q, CLUSTERS, DIMENSIONS, query);
        assert_ok(store_search_dense(b->f.store, query, K, NULL, &found, &b->f.error),
                  &b->f.error);
        assert_int_equal(found.count, K);
        for (size_t i = 0; i < K; i++)
            ids[i + 1] = found.items[i].chunk_id;
        assert_ok(store_score_dense(b->f.store, query, ids, K + 1, scores, &b->f.error),
                  &b->f.error);
        assert_true(isnan(scores[0]));
        for (size_t i = 0; i < K; i++)
            assert_true(scores[i + 1] == found.items[i].score);
        scored_list_release(&found);
    }
}

static void a_document_is_about_the_sum_of_its_vectors(void **state)
{
    struct bench *b = *state;
    enum { CHOSEN = 20, STEP = 487 };
    float query[DIMENSIONS];
    int64_t ids[CHOSEN + 1] = {DOCUMENTS * PER_DOCUMENT + 1};
    double scores[CHOSEN + 1];
    clustered_vector(1 << 20, CLUSTERS, DIMENSIONS, query);
    for (int64_t i = 0; i < CHOSEN; i++)
        ids[i + 1] = 1 + i * STEP;
    assert_ok(store_score_documents(b->f.store, query, ids, CHOSEN + 1, scores, &b->f.error),
              &b->f.error);
    assert_true(isnan(scores[0]));
    for (size_t i = 0; i < CHOSEN; i++) {
        const float *rows =
            b->vectors + (size_t)(ids[i + 1] - 1) / PER_DOCUMENT * PER_DOCUMENT * DIMENSIONS;
        float sum[DIMENSIONS] = {0};
        for (size_t j = 0; j < (size_t)PER_DOCUMENT * DIMENSIONS; j++)
            sum[j % DIMENSIONS] += rows[j];
        double norm = sqrt(exact_product(sum, sum, DIMENSIONS));
        double cosine = exact_product(query, sum, DIMENSIONS) / norm;
        assert_true(fabs(scores[i + 1] - cosine) < (double)CODE_ERROR);
    }
}

#define CACHE_TEST(name) cmocka_unit_test_setup_teardown(name, bench_open, bench_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CACHE_TEST(the_nearest_are_found_after_adding_deleting_and_adding_again),
        CACHE_TEST(half_of_the_vectors_may_go),
        CACHE_TEST(few_vectors_need_no_cache),
        CACHE_TEST(a_cache_that_is_there_is_used_as_it_is),
        CACHE_TEST(a_damaged_row_is_named_by_verify_and_mended),
        CACHE_TEST(a_cache_that_cannot_be_used_is_made_anew),
        CACHE_TEST(the_older_header_serves_if_the_newer_one_is_damaged),
        CACHE_TEST(damaged_codes_are_found_by_verifying_and_do_no_harm),
        CACHE_TEST(a_cache_of_another_history_is_not_used),
        CACHE_TEST(without_a_place_for_the_cache_memory_serves),
        CACHE_TEST(a_filter_is_searched_with_full_recall),
        CACHE_TEST(chunks_that_are_named_get_the_scores_of_a_search),
        CACHE_TEST(a_document_is_about_the_sum_of_its_vectors),
    };
    return cmocka_run_group_tests_name("vector cache", tests, NULL, NULL);
}
