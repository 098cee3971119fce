/* The promises of checkpoint.h: the same tensors from every format and type. The files are
 * torch's and safetensors' own, see tests/data/model/make_checkpoints.py. */
#include "support/test.h"

#include "model/checkpoint.h"
#include "model/files.h"

#include <math.h>
#include <stdlib.h>

static const struct {
    const char *name;
    unsigned dimensions;
    uint64_t shape[2];
} expected[] = {
    {"embeddings.word_embeddings.weight", 2, {8, 4}},
    {"embeddings.LayerNorm.weight", 1, {4}},
    {"embeddings.LayerNorm.bias", 1, {4}},
    {"encoder.layer.0.attention.self.query.weight", 2, {4, 4}},
    {"classifier.weight", 2, {1, 4}},
    {"logit_scale", 0, {0}},
};
enum { EXPECTED = sizeof expected / sizeof *expected };

static float value(size_t t, size_t i)
{
    return ((float)((7 * i + 3 * t) % 33) - 16) / 8;
}

static struct checkpoint *open_folder(const char *name)
{
    char folder[1024];
    snprintf(folder, sizeof folder, "%s/model/%s", TEST_DATA, name);
    struct checkpoint *checkpoint;
    rag_error error;
    assert_ok(checkpoint_open(folder, &checkpoint, &error), &error);
    return checkpoint;
}

static void check_values(const struct tensor *tensor, size_t t)
{
    float out[64];
    assert_true(tensor->elements <= 64);
    tensor_read_f32(tensor, 0, tensor->elements, out);
    for (size_t i = 0; i < tensor->elements; i++)
        assert_float_equal(out[i], value(t, i), 0);
}

static void check_folder(const char *folder, enum tensor_type type)
{
    struct checkpoint *checkpoint = open_folder(folder);
    for (size_t t = 0; t < EXPECTED; t++) {
        const struct tensor *tensor = checkpoint_find(checkpoint, expected[t].name);
        assert_non_null(tensor);
        assert_int_equal(tensor->type, type);
        assert_int_equal(tensor->dimensions, expected[t].dimensions);
        for (unsigned i = 0; i < tensor->dimensions; i++)
            assert_int_equal(tensor->shape[i], expected[t].shape[i]);
        check_values(tensor, t);
    }
    const struct tensor *positions = checkpoint_find(checkpoint, "embeddings.position_ids");
    assert_non_null(positions);
    assert_int_equal(positions->type, TENSOR_I64);
    assert_int_equal(checkpoint_count(checkpoint), EXPECTED + 1);
    checkpoint_close(checkpoint);
}

static void every_format_and_type_gives_the_same_tensors(void **state)
{
    (void)state;
    check_folder("f32", TENSOR_F32);
    check_folder("f16", TENSOR_F16);
    check_folder("bf16", TENSOR_BF16);
    check_folder("torch-f32", TENSOR_F32);
    check_folder("torch-f16", TENSOR_F16);
    check_folder("torch-bf16", TENSOR_BF16);
}

static void shards_make_one_checkpoint(void **state)
{
    (void)state;
    check_folder("sharded", TENSOR_F32);
    check_folder("torch-sharded", TENSOR_F32);
}

static void parameters_and_newer_pickles_are_read(void **state)
{
    (void)state;
    check_folder("torch-parameter", TENSOR_F32);
    check_folder("torch-protocol-4", TENSOR_F32);
}

static void tied_weights_are_views_of_one_storage(void **state)
{
    (void)state;
    struct checkpoint *checkpoint = open_folder("torch-tied");
    const struct tensor *word =
        checkpoint_find(checkpoint, "embeddings.word_embeddings.weight");
    const struct tensor *tied = checkpoint_find(checkpoint, "tied.weight");
    const struct tensor *middle = checkpoint_find(checkpoint, "middle.weight");
    assert_ptr_equal(word->data, tied->data);
    float first;
    tensor_read_f32(middle, 0, 1, &first);
    assert_float_equal(first, value(0, 8), 0);
    checkpoint_close(checkpoint);
}

static void the_heads_beside_the_encoder_get_their_own_names(void **state)
{
    (void)state;
    struct checkpoint *checkpoint = open_folder("heads");
    const struct tensor *sparse = checkpoint_find(checkpoint, "sparse_linear.weight");
    const struct tensor *multi = checkpoint_find(checkpoint, "colbert_linear.weight");
    assert_int_equal(sparse->shape[0], 1);
    assert_int_equal(multi->shape[0], 4);
    check_values(sparse, 0);
    check_values(multi, 0);
    check_values(checkpoint_find(checkpoint, "sparse_linear.bias"), 1);
    check_values(checkpoint_find(checkpoint, "colbert_linear.bias"), 1);
    checkpoint_close(checkpoint);
}

static void tensors_come_in_order_of_names(void **state)
{
    (void)state;
    struct checkpoint *checkpoint = open_folder("f32");
    for (size_t i = 1; i < checkpoint_count(checkpoint); i++)
        assert_true(strcmp(checkpoint_at(checkpoint, i - 1)->name,
                           checkpoint_at(checkpoint, i)->name) < 0);
    assert_null(checkpoint_find(checkpoint, "bert.embeddings.word_embeddings.weight"));
    checkpoint_close(checkpoint);
}

static double f16_value(unsigned half)
{
    int exponent = half >> 10 & 31, fraction = half & 0x3ff;
    double size = exponent == 31 ? (fraction ? NAN : INFINITY)
                  : exponent     ? ldexp(1024 + fraction, exponent - 25)
                                 : ldexp(fraction, -24);
    return half & 0x8000 ? -size : size;
}

static void every_f16_becomes_its_f32(void **state)
{
    (void)state;
    enum { COUNT = 1 << 16 };
    uint16_t *halves = malloc((COUNT + 1) * sizeof *halves);
    float *out = malloc(COUNT * sizeof *out);
    assert_non_null(halves);
    assert_non_null(out);
    /* Once in order, once shifted by a byte: a mapped tensor may lie anywhere. */
    for (size_t shift = 0; shift < 2; shift++) {
        unsigned char *data = (unsigned char *)halves + shift;
        for (unsigned i = 0; i < COUNT; i++)
            memcpy(data + 2 * i, &(uint16_t){(uint16_t)i}, 2);
        struct tensor tensor = {.type = TENSOR_F16, .elements = COUNT, .data = data};
        /* From 1 on: the vector loop's remainder is not empty. */
        tensor_read_f32(&tensor, 1, COUNT - 1, out + 1);
        for (unsigned i = 1; i < COUNT; i++) {
            double wanted = f16_value(i);
            if (isnan(wanted))
                assert_true(isnan(out[i]));
            else
                assert_true((double)out[i] == wanted && !signbit(out[i]) == !signbit(wanted));
        }
    }
    free(halves);
    free(out);
}

static void every_bf16_becomes_its_f32(void **state)
{
    (void)state;
    enum { COUNT = 1 << 16 };
    uint16_t *halves = malloc(COUNT * sizeof *halves);
    float *out = malloc(COUNT * sizeof *out);
    assert_non_null(halves);
    assert_non_null(out);
    for (unsigned i = 0; i < COUNT; i++)
        halves[i] = (uint16_t)i;
    struct tensor tensor = {.type = TENSOR_BF16, .elements = COUNT, .data = halves};
    tensor_read_f32(&tensor, 0, COUNT, out);
    for (unsigned i = 0; i < COUNT; i++) {
        uint32_t bits;
        memcpy(&bits, &out[i], sizeof bits);
        assert_int_equal(bits, i << 16);
    }
    free(halves);
    free(out);
}

static void a_folder_without_weights_says_what_is_missing(void **state)
{
    (void)state;
    char *folder = folder_make();
    struct checkpoint *checkpoint;
    rag_error error;
    assert_status(RAG_MODEL, checkpoint_open(folder, &checkpoint, &error), &error);
    assert_says(&error, "model.safetensors");
    put(folder, "model.safetensors",
        "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n");
    assert_status(RAG_MODEL, checkpoint_open(folder, &checkpoint, &error), &error);
    assert_says(&error, "git lfs pull");
    put(folder, "model.safetensors", "");
    assert_status(RAG_MODEL, checkpoint_open(folder, &checkpoint, &error), &error);
    assert_says(&error, "empty");
    folder_drop(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_format_and_type_gives_the_same_tensors),
        cmocka_unit_test(shards_make_one_checkpoint),
        cmocka_unit_test(parameters_and_newer_pickles_are_read),
        cmocka_unit_test(tied_weights_are_views_of_one_storage),
        cmocka_unit_test(the_heads_beside_the_encoder_get_their_own_names),
        cmocka_unit_test(tensors_come_in_order_of_names),
        cmocka_unit_test(every_f16_becomes_its_f32),
        cmocka_unit_test(every_bf16_becomes_its_f32),
        cmocka_unit_test(a_folder_without_weights_says_what_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
