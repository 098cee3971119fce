/* The promises of src/store about codes: the same bits from every instruction set, estimates
 * that are right on the mean and bounds that hold, and a scan that finds the nearest. */
#define _XOPEN_SOURCE 700
#include "support/test.h"

#include "base/memory.h"
#include "store/scan.h"
#include "store/vectors.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>

/* ---- A table in memory ---- */

struct table {
    struct coder coder;
    struct scan_table codes;
    float *vectors;
    uint32_t *blocks, *rest, *lower;
    int8_t *residuals;
};

static void table_make(struct table *t, size_t rows, size_t clusters, size_t dimension)
{
    size_t blocks = (rows + CODE_ROWS - 1) / CODE_ROWS;
    *t = (struct table){.vectors = clustered_vectors(1, rows, clusters, dimension)};
    float *centre = alloc_zeroed(dimension, sizeof *centre);
    assert_non_null(centre);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < dimension; j++)
            centre[j] += t->vectors[i * dimension + j] / (float)rows;
    assert_true(coder_init(&t->coder, dimension, centre));
    free(centre);
    t->blocks = alloc_aligned(blocks * t->coder.block, sizeof(uint32_t));
    t->rest = alloc_aligned(rows * t->coder.rest, sizeof(uint32_t));
    t->lower = alloc_aligned(rows * t->coder.planes, sizeof(uint32_t));
    t->residuals = alloc_aligned(rows, 2 * t->coder.width);
    float *room = alloc_aligned(t->coder.width, sizeof *room);
    assert_true(t->blocks && t->rest && t->lower && t->residuals && room);
    for (size_t i = 0; i < blocks; i++)
        code_block_clear(&t->coder, t->blocks + i * t->coder.block);
    for (size_t i = 0; i < rows; i++) {
        struct code_place place = {.block = t->blocks + i / CODE_ROWS * t->coder.block,
                                   .row = i % CODE_ROWS,
                                   .rest = t->rest + i * t->coder.rest,
                                   .lower = t->lower + i * t->coder.planes,
                                   .residual = t->residuals + i * 2 * t->coder.width};
        code_row(&t->coder, t->vectors + i * dimension, room, &place);
    }
    free(room);
    t->codes = (struct scan_table){.coder = &t->coder,
                                   .kernels = &code_kernels_scalar,
                                   .blocks = t->blocks,
                                   .rest = t->rest,
                                   .lower = t->lower,
                                   .residuals = t->residuals,
                                   .rows = rows};
}

static void table_free(struct table *t)
{
    coder_release(&t->coder);
    free(t->vectors);
    free(t->blocks);
    free(t->rest);
    free(t->lower);
    free(t->residuals);
}

/* ---- Codes ---- */

static void a_rotation_keeps_lengths_and_spreads_what_stands_alone(void **state)
{
    (void)state;
    static const size_t widths[] = {64, 128, 192, 320, 384, 448, 768, 1024, 3072};
    for (size_t w = 0; w < sizeof widths / sizeof *widths; w++) {
        size_t width = widths[w];
        struct rotation rotation;
        float *a = alloc_aligned(width, sizeof *a), *b = alloc_aligned(width, sizeof *b);
        assert_true(rotation_init(&rotation, width) && a && b);
        for (size_t axis = 0; axis < width; axis += 63) {
            for (size_t i = 0; i < width; i++) {
                a[i] = i == axis;
                b[i] = (float)sin((double)i);
            }
            double product = exact_product(a, b, width), square = exact_product(b, b, width);
            rotation_apply(&rotation, a);
            rotation_apply(&rotation, b);
            assert_true(fabs(exact_product(a, a, width) - 1) < 1e-5);
            assert_true(fabs(exact_product(b, b, width) - square) < 1e-5 * square);
            assert_true(fabs(exact_product(a, b, width) - product) < 1e-5 * sqrt(square));
            double greatest = 0, half = exact_product(a, a, width / 2);
            for (size_t i = 0; i < width; i++)
                greatest = fmax(greatest, fabs((double)a[i]));
            assert_true(greatest < 0.5);
            assert_true(half > 0.2 && half < 0.8);
        }
        rotation_release(&rotation);
        free(a);
        free(b);
    }
}

static void bounds_hold_for_nearly_all_rows_and_scores_are_close(void **state)
{
    (void)state;
    enum { ROWS = 2000 };
    static const size_t dimensions[] = {3, 64, 100, 384, 1024};
    for (size_t d = 0; d < sizeof dimensions / sizeof *dimensions; d++) {
        struct table t;
        table_make(&t, ROWS, 20, dimensions[d]);
        float *query = clustered_vectors(1 << 20, 1, 20, dimensions[d]);
        struct code_query q;
        assert_true(code_query_init(&q, &t.coder, query));
        static int16_t bounds[ROWS];
        t.codes.kernels->scan(&q, t.blocks, ROWS / CODE_ROWS, bounds);
        size_t above = 0, signs_above = 0, levels_above = 0, scores_off = 0;
        double worst = 0;
        for (size_t i = 0; i < ROWS; i++) {
            const struct code_kernels *k = t.codes.kernels;
            const uint32_t *rest = scan_rest(&t.codes, i);
            const float *vector = t.vectors + i * dimensions[d];
            double exact = exact_product(query, vector, dimensions[d]) - (double)q.centre;
            float signs, bound, error;
            uint32_t row = (uint32_t)i;
            above += exact > (double)bounds[i] / CODE_BOUND_SCALE;
            code_bound_signs(k, &q, t.rest, bounds, &row, 1, &bound, &signs);
            signs_above += exact > (double)bound;
            code_bound_levels(k, &q, t.rest, t.lower, &row, 1, &signs, &bound);
            levels_above += exact > (double)bound;
            double score = (double)code_score(k, &q, rest, scan_residual(&t.codes, i), &error);
            scores_off += fabs(score - exact) > (double)error;
            assert_true(error < 0.015F);
            score = (double)code_score_fine(k, &q, rest, scan_residual(&t.codes, i));
            worst = fmax(worst, fabs(score - exact));
        }
        print_message(
            "%zu dimensions: %zu, %zu, %zu and %zu of %d above, fine scores to %.1g\n",
            dimensions[d], above, signs_above, levels_above, scores_off, ROWS, worst);
        assert_true(above < ROWS * 5 / 1000);
        assert_true(signs_above < ROWS * 5 / 1000);
        assert_true(levels_above < ROWS * 5 / 1000);
        assert_true(scores_off < ROWS / 1000);
        assert_true(worst < (double)CODE_ERROR);
        code_query_release(&q);
        free(query);
        table_free(&t);
    }
}

static void every_version_of_the_kernels_gives_the_same_bits(void **state)
{
    (void)state;
    static const size_t dimensions[] = {1,    63,   65,   200,  384,  500,
                                        1000, 1024, 1088, 5000, 65536};
    for (size_t d = 0; d < sizeof dimensions / sizeof *dimensions; d++) {
        size_t dimension = dimensions[d], rows = dimension > 5000 ? 35 : 131;
        size_t blocks = (rows + CODE_ROWS - 1) / CODE_ROWS;
        struct table t;
        table_make(&t, rows, 5, dimension);
        code_row_clear(&t.coder, t.blocks, 3);
        float *query = clustered_vectors(1 << 20, 1, 5, dimension);
        struct code_query q;
        assert_true(code_query_init(&q, &t.coder, query));
        int16_t bounds[160], other[160];
        uint32_t rows_found[160], others_found[160];
        code_kernels_scalar.scan(&q, t.blocks, blocks, bounds);
        assert_int_equal(bounds[3], CODE_BOUND_NONE);
        assert_true(bounds[4] > CODE_BOUND_NONE);
        for (size_t v = 0; code_kernels_version(v); v++) {
            const struct code_kernels *k = code_kernels_version(v);
            k->scan(&q, t.blocks, blocks, other);
            assert_memory_equal(other, bounds, blocks * CODE_ROWS * sizeof *bounds);
            for (int16_t least = CODE_BOUND_NONE + 1; least < 8000;
                 least = (int16_t)(least + 97)) {
                size_t n = blocks * CODE_ROWS;
                size_t found = code_kernels_scalar.sift(bounds, n, least, 7, rows_found);
                assert_int_equal(k->sift(bounds, n, least, 7, others_found), found);
                assert_memory_equal(others_found, rows_found, found * sizeof *rows_found);
                for (size_t i = 0; i < found; i++)
                    assert_true(bounds[rows_found[i] - 7] >= least);
            }
            const struct code_kernels *reference = &code_kernels_scalar;
            static uint32_t all[160];
            static float other_bounds[2][160], signs[2][160], levels[2][160];
            for (uint32_t i = 0; i < rows; i++)
                all[i] = (uint32_t)rows - 1 - i;
            for (size_t first = 0; first < rows; first += CODE_BATCH) {
                const uint32_t *some = all + first;
                size_t count = rows - first < CODE_BATCH ? rows - first : CODE_BATCH;
                const struct code_kernels *both[2] = {reference, k};
                for (size_t i = 0; i < 2; i++) {
                    code_bound_signs(both[i], &q, t.rest, bounds, some, count, other_bounds[i],
                                     signs[i]);
                    code_bound_levels(both[i], &q, t.rest, t.lower, some, count, signs[i],
                                      levels[i]);
                }
                assert_memory_equal(other_bounds[0], other_bounds[1], count * sizeof(float));
                assert_memory_equal(signs[0], signs[1], count * sizeof(float));
                assert_memory_equal(levels[0], levels[1], count * sizeof(float));
            }
            for (size_t i = 0; i < rows; i++) {
                const uint32_t *rest = scan_rest(&t.codes, i);
                float a = code_score_fine(reference, &q, rest, scan_residual(&t.codes, i));
                float b = code_score_fine(k, &q, rest, scan_residual(&t.codes, i));
                assert_memory_equal(&a, &b, sizeof a);
            }
        }
        code_query_release(&q);
        free(query);
        table_free(&t);
    }
}

static void a_vector_that_is_the_centre_has_a_code(void **state)
{
    (void)state;
    float centre[100] = {1}, room[256] __attribute__((aligned(64)));
    struct coder coder;
    assert_true(coder_init(&coder, 100, centre));
    assert_int_equal(coder.width, 256);
    static uint32_t block[4096] __attribute__((aligned(64))), rest[256], lower[256];
    static int8_t residual[512] __attribute__((aligned(64)));
    code_block_clear(&coder, block);
    struct code_place place = {
        .block = block, .rest = rest, .lower = lower, .residual = residual};
    code_row(&coder, centre, room, &place);
    struct code_query q;
    assert_true(code_query_init(&q, &coder, centre));
    float score = code_score_fine(&code_kernels_scalar, &q, rest, residual);
    assert_true(fabsf(score + q.centre - 1) < 1e-6f);
    code_query_release(&q);
    coder_release(&coder);
}

/* ---- The scan ---- */

enum { K = 10, QUERIES = 40, CLUSTERS = 100 };

static int descending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

/* How many of the K nearest rows of the ranges a scan finds. */
static size_t count_found(const struct table *t, const struct row_range *ranges, size_t count,
                          const float *query)
{
    struct scan_room room = {0};
    struct scored_list found;
    rag_error error;
    static double scores[1 << 16];
    size_t n = 0, hits = 0;
    for (size_t r = 0; r < count; r++)
        for (size_t i = ranges[r].first; i < ranges[r].end; i++)
            scores[n++] =
                exact_product(query, t->vectors + i * t->coder.dimension, t->coder.dimension);
    qsort(scores, n, sizeof *scores, descending);
    assert_ok(scan_nearest(&t->codes, ranges, count, query, K, &room, &found, &error), &error);
    assert_int_equal(found.count, n < K ? n : K);
    for (size_t i = 0; i < found.count; i++) {
        size_t row = (size_t)found.items[i].chunk_id, r = 0;
        while (r < count && row >= ranges[r].end)
            r++;
        assert_true(r < count && row >= ranges[r].first);
        double exact =
            exact_product(query, t->vectors + row * t->coder.dimension, t->coder.dimension);
        hits += exact >= scores[K - 1];
        assert_true(fabs(found.items[i].score - exact) < (double)CODE_ERROR);
    }
    scored_list_release(&found);
    scan_room_release(&room);
    return hits;
}

static void the_nearest_are_found(void **state)
{
    (void)state;
    static const size_t dimensions[] = {24, 64, 128, 384, 768};
    for (size_t d = 0; d < sizeof dimensions / sizeof *dimensions; d++) {
        struct table t;
        table_make(&t, 20000, CLUSTERS, dimensions[d]);
        for (size_t v = 0; code_kernels_version(v); v++)
            t.codes.kernels = code_kernels_version(v);
        size_t hits = 0;
        struct row_range all = {0, t.codes.rows};
        for (size_t i = 0; i < QUERIES; i++) {
            float *query = clustered_vectors((1 << 20) + i, 1, CLUSTERS, dimensions[d]);
            hits += count_found(&t, &all, 1, query);
            free(query);
        }
        print_message("%zu dimensions: recall@10 %.4f\n", dimensions[d],
                      (double)hits / (QUERIES * K));
        assert_true(hits >= QUERIES * K * 995 / 1000);
        table_free(&t);
    }
}

static void only_rows_of_the_ranges_are_found(void **state)
{
    (void)state;
    struct table t;
    table_make(&t, 20000, CLUSTERS, 128);
    static struct row_range ranges[2000];
    size_t hits = 0, queries = 0;
    for (size_t step = 20; step <= 4000; step *= 3) {
        size_t count = 0;
        for (size_t first = 7; first + 40 < t.codes.rows; first += step + first % 5)
            ranges[count++] = (struct row_range){first, first + 1 + first % 19};
        for (size_t i = 0; i < 10; i++, queries++) {
            float *query = clustered_vectors((1 << 21) + i, 1, CLUSTERS, 128);
            hits += count_found(&t, ranges, count, query);
            free(query);
        }
    }
    assert_true(hits >= queries * K * 995 / 1000);
    table_free(&t);
}

static void rows_that_went_are_not_found(void **state)
{
    (void)state;
    struct table t;
    table_make(&t, 5000, CLUSTERS, 64);
    for (size_t i = 0; i < t.codes.rows; i++)
        if (i % 2)
            code_row_clear(&t.coder, t.blocks + i / CODE_ROWS * t.coder.block, i % CODE_ROWS);
    float *query = clustered_vectors(1 << 20, 1, CLUSTERS, 64);
    struct scan_room room = {0};
    struct row_range all = {0, t.codes.rows};
    for (size_t k = 1; k <= 4000; k = k * 5 + 3) {
        struct scored_list found;
        rag_error error;
        assert_ok(scan_nearest(&t.codes, &all, 1, query, k, &room, &found, &error), &error);
        assert_int_equal(found.count, k < 2500 ? k : 2500);
        for (size_t i = 0; i < found.count; i++)
            assert_int_equal(found.items[i].chunk_id % 2, 0);
        scored_list_release(&found);
    }
    scan_room_release(&room);
    free(query);
    table_free(&t);
}

static void the_same_is_found_by_any_kernels_and_number_of_threads(void **state)
{
    (void)state;
    struct table t;
    table_make(&t, 75000, CLUSTERS, 100);
    struct row_range ranges[2] = {{5, 14001}, {14002, 74999}};
    struct scan_room room = {0};
    for (size_t i = 0; i < 10; i++) {
        float *query = clustered_vectors((1 << 20) + i, 1, CLUSTERS, 100);
        struct scored_list first = {0};
        rag_error error;
        for (int threads = 1; threads <= 5; threads++)
            for (size_t v = 0; code_kernels_version(v); v++) {
                struct scored_list found;
                omp_set_num_threads(threads);
                t.codes.kernels = code_kernels_version(v);
                assert_ok(scan_nearest(&t.codes, ranges, 2, query, 50, &room, &found, &error),
                          &error);
                scored_list_sort(&found);
                if (!first.items) {
                    first = found;
                    continue;
                }
                assert_int_equal(found.count, first.count);
                for (size_t j = 0; j < found.count; j++) {
                    assert_int_equal(found.items[j].chunk_id, first.items[j].chunk_id);
                    assert_true(found.items[j].score == first.items[j].score);
                }
                scored_list_release(&found);
            }
        scored_list_release(&first);
        free(query);
    }
    scan_room_release(&room);
    table_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rotation_keeps_lengths_and_spreads_what_stands_alone),
        cmocka_unit_test(bounds_hold_for_nearly_all_rows_and_scores_are_close),
        cmocka_unit_test(every_version_of_the_kernels_gives_the_same_bits),
        cmocka_unit_test(a_vector_that_is_the_centre_has_a_code),
        cmocka_unit_test(the_nearest_are_found),
        cmocka_unit_test(only_rows_of_the_ranges_are_found),
        cmocka_unit_test(rows_that_went_are_not_found),
        cmocka_unit_test(the_same_is_found_by_any_kernels_and_number_of_threads),
    };
    return cmocka_run_group_tests_name("codes", tests, NULL, NULL);
}
