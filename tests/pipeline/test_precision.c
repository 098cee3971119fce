/* The promises of precision.h: a model is packed once, what is damaged or another's is packed
 * anew, and a cache that cannot be written costs time alone. */
#define _XOPEN_SOURCE 700
#include "pipeline/fixture.h"

#include "base/file.h"
#include "model/packed_files.h"

#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static rag_error error;

/* What opening a model told. */
struct told {
    int steps, warnings;
    int stop_at; /* the step at which to stop; 0: never */
};

static int tell(const rag_event *event, void *user)
{
    struct told *told = user;
    if (event->kind == RAG_EVENT_WARNING)
        told->warnings++;
    else if (event->kind == RAG_EVENT_PROGRESS && strcmp(event->stage, "packing") == 0)
        told->steps++;
    return told->stop_at && told->steps == told->stop_at;
}

static rag_status try_open(const char *folder, rag_precision precision, rag_model **model,
                           struct told *told)
{
    rag_model_options options = RAG_MODEL_OPTIONS_INIT;
    options.precision = precision;
    options.threads = 2;
    options.on_event = tell;
    options.user = told;
    return rag_model_open(folder, &options, model, &error);
}

static rag_model *open_in(const char *folder, rag_precision precision, struct told *told)
{
    rag_model *model;
    assert_ok(try_open(folder, precision, &model, told), &error);
    return model;
}

/* The vector of a text, and the model is closed. */
static void embed_and_close(rag_model *model, float *out)
{
    rag_embeddings *made;
    rag_text text = text_of("The harbour froze over in the winter.");
    assert_ok(rag_embed(model, &text, 1, NULL, &made, &error), &error);
    const rag_embedding *item = rag_embeddings_get(made, 0);
    memcpy(out, item->dense, item->dimension * sizeof *out);
    rag_embeddings_free(made);
    rag_model_close(model);
}

enum { DIMENSION = 32 };

static int make_sandbox(void **state)
{
    int failed = sandbox_make(state);
    return failed ? failed : setenv("RAG_CACHE", in_sandbox("cache"), 1);
}

static int remove_sandbox(void **state)
{
    unsetenv("RAG_CACHE");
    unsetenv("RAG_PRECISION");
    return sandbox_remove(state);
}

static void a_model_is_packed_once_for_each_precision(void **state)
{
    (void)state;
    const char *folder = make_model("m", "bge-m3-like", 0, NULL);
    for (int p = RAG_PRECISION_BF16; p <= RAG_PRECISION_INT8; p++) {
        struct told first = {0}, second = {0};
        float a[DIMENSION], b[DIMENSION];
        rag_model *model = open_in(folder, (rag_precision)p, &first);
        const rag_model_info *info = rag_model_get_info(model);
        assert_string_equal(info->precision, p == RAG_PRECISION_INT8 ? "int8" : "bf16");
        double agreement = info->agreement;
        assert_true(agreement > 0.99 && agreement < 1);
        embed_and_close(model, a);
        assert_true(first.steps > 3);
        model = open_in(folder, (rag_precision)p, &second);
        assert_true(rag_model_get_info(model)->agreement == agreement);
        embed_and_close(model, b);
        assert_int_equal(second.steps, 0);
        assert_memory_equal(a, b, sizeof a);
        assert_int_equal(first.warnings + second.warnings, 0);
    }
}

static char *weights_path(const char *folder)
{
    char *path;
    assert_ok(packed_path(folder, "weights-int8.ragpack", &path, &error), &error);
    return path;
}

static void damaged_weights_are_packed_anew(void **state)
{
    (void)state;
    const char *folder = make_model("m", "bge-m3-like", 0, NULL);
    struct told told = {0};
    float before[DIMENSION], after[DIMENSION];
    embed_and_close(open_in(folder, RAG_PRECISION_INT8, &told), before);
    char *path = weights_path(folder);
    size_t size;
    char *bytes = read_file(path, &size);
    for (size_t at = 0; at < size; at += 1 + size / 7) {
        FILE *file = fopen(path, "r+b");
        assert_non_null(file);
        assert_int_equal(fseek(file, (long)at, SEEK_SET), 0);
        assert_int_equal(putc(bytes[at] ^ 1, file), (unsigned char)(bytes[at] ^ 1));
        assert_int_equal(fclose(file), 0);
        told = (struct told){0};
        embed_and_close(open_in(folder, RAG_PRECISION_INT8, &told), after);
        assert_memory_equal(before, after, sizeof after);
        assert_true(told.steps > 0);
    }
    assert_int_equal(truncate(path, (off_t)size / 2), 0);
    told = (struct told){0};
    embed_and_close(open_in(folder, RAG_PRECISION_INT8, &told), after);
    assert_memory_equal(before, after, sizeof after);
    assert_int_equal(told.warnings, 1);
    free(bytes);
    free(path);
}

static void the_weights_of_a_replaced_model_are_packed_anew(void **state)
{
    (void)state;
    const char *folder = make_model("m", "bge-m3-like", 0, NULL);
    struct told told = {0};
    float before[DIMENSION], after[DIMENSION];
    embed_and_close(open_in(folder, RAG_PRECISION_INT8, &told), before);
    assert_int_equal(rename(folder, in_sandbox("old")), 0);
    make_model("m", "bge-m3-like", 20, NULL); /* another limit is another model */
    told = (struct told){0};
    embed_and_close(open_in(folder, RAG_PRECISION_INT8, &told), after);
    assert_true(told.steps > 3);
    assert_int_equal(told.warnings, 0);
}

static void a_cache_that_cannot_be_written_is_told_and_done_without(void **state)
{
    (void)state;
    const char *folder = make_model("m", "bge-m3-like", 0, NULL);
    struct told told = {0};
    float kept[DIMENSION], not_kept[DIMENSION];
    embed_and_close(open_in(folder, RAG_PRECISION_INT8, &told), kept);
    write_text("file", "no folder");
    setenv("RAG_CACHE", in_sandbox("file"), 1);
    embed_and_close(open_in(folder, RAG_PRECISION_INT8, &told), not_kept);
    assert_memory_equal(kept, not_kept, sizeof kept);
    assert_int_equal(told.warnings, 1);
}

static void packing_can_be_stopped_and_leaves_nothing(void **state)
{
    (void)state;
    const char *folder = make_model("m", "bge-m3-like", 0, NULL);
    for (int at = 1; at <= 5; at++) {
        struct told told = {.stop_at = at};
        rag_model *model;
        assert_status(RAG_INTERRUPTED, try_open(folder, RAG_PRECISION_INT8, &model, &told),
                      &error);
        assert_int_equal(told.steps, at);
        char *path = weights_path(folder);
        assert_int_equal(access(path, F_OK), -1);
        free(path);
    }
    struct told told = {0};
    rag_model_close(open_in(folder, RAG_PRECISION_INT8, &told));
}

static void the_environment_names_the_precision(void **state)
{
    (void)state;
    const char *folder = make_model("m", "bge-m3-like", 0, NULL);
    struct told told = {0};
    setenv("RAG_PRECISION", "bf16", 1);
    rag_model *model = open_in(folder, RAG_PRECISION_DEFAULT, &told);
    assert_string_equal(rag_model_get_info(model)->precision, "bf16");
    rag_model_close(model);
    model = open_in(folder, RAG_PRECISION_F32, &told);
    assert_string_equal(rag_model_get_info(model)->precision, "f32");
    assert_true(rag_model_get_info(model)->agreement == 1);
    rag_model_close(model);
    setenv("RAG_PRECISION", "f8", 1);
    assert_status(RAG_USAGE, try_open(folder, RAG_PRECISION_DEFAULT, &model, &told), &error);
    assert_says(&error, "RAG_PRECISION=f8");
}

static void auto_leaves_a_tiny_model_in_f32(void **state)
{
    (void)state;
    struct told told = {0};
    rag_model *model =
        open_in(make_model("m", "bge-m3-like", 0, NULL), RAG_PRECISION_AUTO, &told);
    assert_string_equal(rag_model_get_info(model)->precision, "f32");
    assert_int_equal(told.steps, 0);
    rag_model_close(model);
}

#define IN_CACHE(name) cmocka_unit_test_setup_teardown(name, make_sandbox, remove_sandbox)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_CACHE(a_model_is_packed_once_for_each_precision),
        IN_CACHE(damaged_weights_are_packed_anew),
        IN_CACHE(the_weights_of_a_replaced_model_are_packed_anew),
        IN_CACHE(a_cache_that_cannot_be_written_is_told_and_done_without),
        IN_CACHE(packing_can_be_stopped_and_leaves_nothing),
        IN_CACHE(the_environment_names_the_precision),
        IN_CACHE(auto_leaves_a_tiny_model_in_f32),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
