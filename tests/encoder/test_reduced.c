/* Encoders in bf16 and int8: near to f32, the same from a file as from memory, and safe with
 * files that were not made for them. */
#define _DEFAULT_SOURCE /* mkdtemp */
#include "base/memory.h"
#include "encoder/magnitudes.h"
#include "encoder/matmul.h"
#include "encoder/reference.h"
#include "support/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static rag_error error;
static char folder[] = "/tmp/rag-test-XXXXXX", path[64];

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return 1;
    snprintf(path, sizeof path, "%s/weights", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static const char *const models[] = {"xlmr-mean", "bge-m3-like", "xlmr-reranker"};
enum { MODELS = sizeof models / sizeof *models };

static struct encoder *open_encoder(const struct reference *r, rag_precision precision)
{
    struct encoder *encoder;
    assert_ok(encoder_new(&r->config, r->checkpoint, precision, 2, &encoder, &error), &error);
    return encoder;
}

static float *pooled_by(struct encoder *encoder, const struct reference *r)
{
    float *pooled = calloc(r->count * r->config.hidden, sizeof *pooled);
    assert_non_null(pooled);
    assert_ok(encoder_run(encoder, r->sequences, r->count,
                          &(struct encoder_output){.pooled = pooled}, NULL, &error),
              &error);
    return pooled;
}

static double least_cosine(const float *a, const float *b, const struct reference *r)
{
    double least = 1;
    for (size_t i = 0; i < r->count; i++)
        least = fmin(least, cosine(a + i * r->config.hidden, b + i * r->config.hidden,
                                   r->config.hidden));
    return least;
}

static void reduced_precisions_are_near_to_f32(void **state)
{
    (void)state;
    for (size_t m = 0; m < MODELS; m++) {
        struct reference r;
        reference_open(&r, models[m]);
        struct encoder *encoders[] = {open_encoder(&r, RAG_PRECISION_F32),
                                      open_encoder(&r, RAG_PRECISION_BF16),
                                      open_encoder(&r, RAG_PRECISION_INT8)};
        float *pooled[3];
        for (size_t i = 0; i < 3; i++)
            pooled[i] = pooled_by(encoders[i], &r);
        assert_true(least_cosine(pooled[0], pooled[1], &r) > 0.9999);
        assert_true(least_cosine(pooled[0], pooled[2], &r) > 0.998);
        assert_true(least_cosine(pooled[0], pooled[2], &r) < 1 - 1e-7); /* it is int8 */
        for (size_t i = 0; i < 3; i++) {
            free(pooled[i]);
            encoder_free(encoders[i]);
        }
        reference_close(&r);
    }
}

static const struct hash source = {{1, 2, 3}};

static void store(const struct encoder *encoder, const char *name)
{
    struct packed_writer *writer;
    assert_ok(packed_writer_new(path, &source, name, &writer, &error), &error);
    assert_ok(encoder_store(encoder, writer, &error), &error);
    assert_ok(packed_writer_commit(writer, &error), &error);
}

static void check_stored(const struct reference *r, struct encoder *encoder,
                         rag_precision precision)
{
    struct packed *packed;
    struct encoder *mapped;
    store(encoder, "test");
    assert_ok(packed_open(path, &source, "test", &packed, &error), &error);
    assert_ok(
        encoder_new_packed(&r->config, r->checkpoint, packed, precision, 2, &mapped, &error),
        &error);
    float *expected = pooled_by(encoder, r), *got = pooled_by(mapped, r);
    assert_memory_equal(got, expected, r->count * r->config.hidden * sizeof *got);
    assert_int_equal(encoder_raised(mapped), encoder_raised(encoder));
    free(expected);
    free(got);
    encoder_free(mapped);
    packed_close(packed);
}

static void weights_from_a_file_give_the_same_bits(void **state)
{
    (void)state;
    for (size_t m = 0; m < MODELS; m++)
        for (int p = RAG_PRECISION_BF16; p <= RAG_PRECISION_INT8; p++) {
            struct reference r;
            reference_open(&r, models[m]);
            struct encoder *encoder = open_encoder(&r, (rag_precision)p);
            check_stored(&r, encoder, (rag_precision)p);
            encoder_free(encoder);
            reference_close(&r);
        }
}

static void another_shape_or_precision_is_refused(void **state)
{
    (void)state;
    struct reference r;
    struct packed *packed;
    struct encoder *other;
    reference_open(&r, "xlmr-mean");
    struct encoder *encoder = open_encoder(&r, RAG_PRECISION_INT8);
    store(encoder, "test");
    assert_ok(packed_open(path, &source, "test", &packed, &error), &error);
    assert_status(RAG_MODEL,
                  encoder_new_packed(&r.config, r.checkpoint, packed, RAG_PRECISION_BF16, 2,
                                     &other, &error),
                  &error);
    struct model_config config = r.config;
    config.feed_forward = 80;
    assert_status(RAG_MODEL,
                  encoder_new_packed(&config, r.checkpoint, packed, RAG_PRECISION_INT8, 2,
                                     &other, &error),
                  &error);
    config = r.config;
    config.layers++;
    assert_status(RAG_MODEL,
                  encoder_new_packed(&config, r.checkpoint, packed, RAG_PRECISION_INT8, 2,
                                     &other, &error),
                  &error);
    packed_close(packed);
    encoder_free(encoder);
    reference_close(&r);
}

/* A stored matrix with each byte of its header changed, and cut short at each place of it. */
static void a_damaged_matrix_is_refused(void **state)
{
    (void)state;
    enum { OUTPUTS = 32, INPUTS = 40, HEADER = 16 };
    for (int p = RAG_PRECISION_F32; p <= RAG_PRECISION_INT8; p++) {
        struct matmul_maker maker = {(rag_precision)p, &kernels_scalar, &tiles_scalar};
        struct matmul *matmul, *other;
        float weights[OUTPUTS * INPUTS], bias[OUTPUTS] = {0};
        for (size_t i = 0; i < OUTPUTS * INPUTS; i++)
            weights[i] = (float)i;
        assert_ok(matmul_new(&maker, weights, bias, NULL, OUTPUTS, INPUTS, &matmul, &error),
                  &error);
        size_t size;
        const void *stored = matmul_stored(matmul, &size);
        char *copy = alloc_aligned(size, 1);
        assert_non_null(copy);
        memcpy(copy, stored, size);
        assert_ok(matmul_from_stored(&maker, copy, size, OUTPUTS, INPUTS, &other, &error),
                  &error);
        matmul_free(other);
        for (size_t i = 0; i < HEADER; i++) {
            copy[i] ^= 5;
            assert_status(
                RAG_MODEL,
                matmul_from_stored(&maker, copy, size, OUTPUTS, INPUTS, &other, &error),
                &error);
            copy[i] ^= 5;
        }
        for (size_t cut = 1; cut <= size; cut += 1 + cut / 2)
            assert_status(
                RAG_MODEL,
                matmul_from_stored(&maker, copy, size - cut, OUTPUTS, INPUTS, &other, &error),
                &error);
        free(copy);
        matmul_free(matmul);
    }
}

/* The more products are raised to bf16, the nearer the vectors are to f32. */
static void raising_the_worst_products_brings_int8_nearer_to_f32(void **state)
{
    (void)state;
    struct reference r;
    reference_open(&r, "bge-m3-like");
    struct encoder *f32 = open_encoder(&r, RAG_PRECISION_F32), *int8;
    size_t n = encoder_products(f32);
    struct magnitudes magnitudes = {0};
    double *errors = alloc_array(n, sizeof *errors);
    assert_non_null(errors);
    assert_ok(magnitudes_measure(f32, r.sequences, r.count, &magnitudes, &error), &error);
    for (size_t i = 0; i < magnitudes.count; i++)
        assert_true(magnitudes.greatest[i] >= fabsf(magnitudes.mean[i]) &&
                    magnitudes.greatest[i] > 0 && isfinite(magnitudes.greatest[i]));
    assert_ok(encoder_new_smoothed(&r.config, r.checkpoint, &magnitudes, 2, &int8, &error),
              &error);
    assert_ok(errors_measure(int8, r.sequences, r.count, errors, &error), &error);
    for (size_t i = 0; i < n; i++)
        assert_true(errors[i] > 1e-7 && errors[i] < 1e-2);
    float *expected = pooled_by(f32, &r), *before = pooled_by(int8, &r);
    assert_int_equal(encoder_raised(int8), 0);
    assert_ok(encoder_raise(int8, r.checkpoint, errors, 2, &error), &error);
    assert_int_equal(encoder_raised(int8), 2);
    check_stored(&r, int8, RAG_PRECISION_INT8);
    assert_ok(encoder_raise(int8, r.checkpoint, errors, n, &error), &error);
    assert_int_equal(encoder_raised(int8), n);
    float *after = pooled_by(int8, &r);
    double lost = 1 - least_cosine(expected, before, &r);
    double still = 1 - least_cosine(expected, after, &r);
    print_message("raised: %g lost before, %g after\n", lost, still);
    assert_true(still < lost / 2);
    magnitudes_release(&magnitudes);
    free(errors);
    free(expected);
    free(before);
    free(after);
    encoder_free(int8);
    encoder_free(f32);
    reference_close(&r);
}

/* Scales that are no numbers, as a damaged file may have them: the text is named. */
static void what_is_not_finite_is_an_error_in_each_precision(void **state)
{
    (void)state;
    for (int p = RAG_PRECISION_BF16; p <= RAG_PRECISION_INT8; p++) {
        struct reference r;
        struct packed *packed;
        struct encoder *mapped;
        reference_open(&r, "xlmr-mean");
        struct encoder *encoder = open_encoder(&r, (rag_precision)p);
        struct packed_writer *writer;
        assert_ok(packed_writer_new(path, &source, "test", &writer, &error), &error);
        assert_ok(encoder_store(encoder, writer, &error), &error);
        assert_ok(packed_writer_commit(writer, &error), &error);
        assert_ok(packed_open(path, &source, "test", &packed, &error), &error);
        const void *data;
        size_t size;
        assert_true(packed_section(packed, "layer.1.up", &data, &size));
        /* bias [64] stands before the weights, [64 x 64 bytes] in both precisions */
        char *copy = alloc_aligned(size, 1);
        assert_non_null(copy);
        memcpy(copy, data, size);
        float nan = NAN;
        memcpy(copy + size - 64 * 64 - sizeof nan, &nan, sizeof nan);
        assert_ok(packed_writer_new(path, &source, "test", &writer, &error), &error);
        static const char *const names[] = {"qkv", "out", "up", "down"};
        for (size_t i = 0; i < encoder_products(encoder); i++) {
            char name[32];
            snprintf(name, sizeof name, "layer.%zu.%s", i / 4, names[i % 4]);
            size_t own;
            const void *section;
            assert_true(packed_section(packed, name, &section, &own));
            bool damaged = strcmp(name, "layer.1.up") == 0;
            assert_ok(packed_put(writer, name, damaged ? copy : section, own, &error), &error);
        }
        packed_close(packed);
        assert_ok(packed_writer_commit(writer, &error), &error);
        assert_ok(packed_open(path, &source, "test", &packed, &error), &error);
        assert_ok(encoder_new_packed(&r.config, r.checkpoint, packed, (rag_precision)p, 2,
                                     &mapped, &error),
                  &error);
        float *pooled = calloc(r.count * r.config.hidden, sizeof *pooled);
        assert_non_null(pooled);
        assert_status(RAG_MODEL,
                      encoder_run(mapped, r.sequences, r.count,
                                  &(struct encoder_output){.pooled = pooled}, NULL, &error),
                      &error);
        assert_says(&error, "text 1");
        free(pooled);
        free(copy);
        encoder_free(mapped);
        encoder_free(encoder);
        packed_close(packed);
        reference_close(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reduced_precisions_are_near_to_f32),
        cmocka_unit_test(weights_from_a_file_give_the_same_bits),
        cmocka_unit_test(another_shape_or_precision_is_refused),
        cmocka_unit_test(a_damaged_matrix_is_refused),
        cmocka_unit_test(raising_the_worst_products_brings_int8_nearer_to_f32),
        cmocka_unit_test(what_is_not_finite_is_an_error_in_each_precision),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
