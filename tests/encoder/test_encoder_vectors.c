/* Real models against vectors that an independent implementation computed:
 *
 *   test_encoder_vectors MODEL_FOLDER VECTORS.jsonl.gz
 *
 * Each line of VECTORS has "ids" and "f32", base64 of the normalised vector. */
#define _POSIX_C_SOURCE 200809L
#include "base/memory.h"
#include "encoder/reference.h"
#include "support/test.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>

static const char *model_folder, *vectors_file;

enum { MAX_TEXTS = 1000 };

struct text {
    int32_t *ids;
    size_t count;
    float *vector;
};

static size_t decode_base64(const char *text, unsigned char *out)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t bits = 0;
    size_t held = 0, size = 0;
    for (; *text && *text != '='; text++) {
        const char *digit = strchr(digits, *text);
        assert_non_null(digit);
        bits = bits << 6 | (uint32_t)(digit - digits);
        held += 6;
        if (held >= 8) {
            held -= 8;
            out[size++] = (unsigned char)(bits >> held);
        }
    }
    return size;
}

static void read_text(const char *line, size_t dimension, struct text *out)
{
    json_t *object = json_loads(line, 0, NULL), *ids = json_object_get(object, "ids");
    const char *vector = json_string_value(json_object_get(object, "f32"));
    assert_true(json_is_array(ids) && vector);
    out->count = json_array_size(ids);
    out->ids = alloc_array(out->count, sizeof *out->ids);
    out->vector = alloc_array(strlen(vector), 1);
    assert_true(out->ids && out->vector);
    for (size_t i = 0; i < out->count; i++)
        out->ids[i] = (int32_t)json_integer_value(json_array_get(ids, i));
    assert_int_equal(decode_base64(vector, (unsigned char *)out->vector),
                     dimension * sizeof(float));
    json_decref(object);
}

static size_t read_texts(size_t dimension, struct text *texts)
{
    char command[4096], *line = NULL;
    size_t capacity = 0, n = 0;
    snprintf(command, sizeof command, "gzip -dc '%s'", vectors_file);
    FILE *file = popen(command, "r");
    assert_non_null(file);
    while (n < MAX_TEXTS && getline(&line, &capacity, file) > 0)
        read_text(line, dimension, &texts[n++]);
    free(line);
    pclose(file);
    return n;
}

static void every_vector_agrees_with_the_independent_one(void **state)
{
    (void)state;
    static struct text texts[MAX_TEXTS];
    static struct sequence sequences[MAX_TEXTS];
    struct model_config config;
    struct checkpoint *checkpoint;
    struct encoder *encoder;
    rag_error error;
    assert_ok(model_config_read(model_folder, &config, &error), &error);
    assert_ok(checkpoint_open(model_folder, &checkpoint, &error), &error);
    assert_ok(encoder_new(&config, checkpoint, RAG_PRECISION_F32, 0, &encoder, &error), &error);
    size_t n = read_texts(config.hidden, texts);
    assert_true(n >= 100);
    for (size_t i = 0; i < n; i++)
        sequences[i] = (struct sequence){.ids = texts[i].ids, .count = texts[i].count};
    float *pooled = alloc_array(n * config.hidden, sizeof *pooled);
    assert_non_null(pooled);
    assert_ok(encoder_run(encoder, sequences, n, &(struct encoder_output){.pooled = pooled},
                          NULL, &error),
              &error);
    double least = 1;
    for (size_t i = 0; i < n; i++)
        least = fmin(least, cosine(pooled + i * config.hidden, texts[i].vector, config.hidden));
    print_message("%zu texts, least cosine 1 - %.2g\n", n, 1 - least);
    assert_true(least >= 0.99999);
    for (size_t i = 0; i < n; i++) {
        free(texts[i].ids);
        free(texts[i].vector);
    }
    free(pooled);
    encoder_free(encoder);
    checkpoint_close(checkpoint);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_vector_agrees_with_the_independent_one),
    };
    if (argc != 3)
        return 2;
    model_folder = argv[1];
    vectors_file = argv[2];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
