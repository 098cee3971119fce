/* The promises of folder.h, rag_model_list_* and rag_model_add: a name finds its folder, a
 * broken folder is no model, and an identity changes with all that changes a vector. */
#define _XOPEN_SOURCE 700
#include "support/test.h"

#include "base/file.h"
#include "model/checkpoint.h"
#include "model/config.h"
#include "model/files.h"
#include "model/folder.h"

#include <stdlib.h>
#include <unistd.h>

static void forget_environment(void)
{
    unsetenv("RAG_MODELS");
    unsetenv("RAG_MODEL");
    unsetenv("XDG_DATA_HOME");
    setenv("HOME", "/home/someone", 1);
}

static void check_models_folder(const char *given, const char *expected)
{
    char *folder;
    rag_error error;
    assert_ok(models_folder(given, &folder, &error), &error);
    assert_string_equal(folder, expected);
    free(folder);
}

static void the_folder_of_models_is_where_the_environment_says(void **state)
{
    (void)state;
    forget_environment();
    check_models_folder(NULL, "/home/someone/.local/share/rag/models");
    setenv("XDG_DATA_HOME", "/data", 1);
    check_models_folder(NULL, "/data/rag/models");
    setenv("XDG_DATA_HOME", "data", 1);
    check_models_folder(NULL, "/home/someone/.local/share/rag/models");
    setenv("RAG_MODELS", "/models/", 1);
    check_models_folder(NULL, "/models");
    check_models_folder("/given", "/given");
    forget_environment();
    unsetenv("HOME");
    char *folder;
    rag_error error;
    assert_status(RAG_USAGE, models_folder(NULL, &folder, &error), &error);
    assert_says(&error, "RAG_MODELS");
    forget_environment();
}

static void check_found(const char *name, const char *models, const char *expected)
{
    char *folder;
    rag_error error;
    assert_ok(model_find(name, models, &folder, &error), &error);
    assert_string_equal(folder, in(models, expected));
    free(folder);
}

static void a_model_is_found_by_its_name_or_its_last_part(void **state)
{
    (void)state;
    forget_environment();
    char *models = folder_make();
    put_model(in(models, "BAAI/bge-m3"));
    put_model(in(models, "own"));
    put_model(in(models, MODEL_DEFAULT));
    check_found("BAAI/bge-m3", models, "BAAI/bge-m3");
    check_found("bge-m3", models, "BAAI/bge-m3");
    check_found("BGE-M3", models, "BAAI/bge-m3");
    check_found("own", models, "own");
    check_found(NULL, models, MODEL_DEFAULT);
    setenv("RAG_MODEL", "bge-m3", 1);
    check_found(NULL, models, "BAAI/bge-m3");
    unsetenv("RAG_MODEL");
    check_found(in(models, "own/../own"), models, "own");
    folder_drop(models);
}

static void a_missing_or_doubtful_name_says_what_to_do(void **state)
{
    (void)state;
    forget_environment();
    char *models = folder_make(), *folder;
    rag_error error;
    assert_status(RAG_MODEL_MISSING, model_find(NULL, models, &folder, &error), &error);
    assert_says(&error, "rag model pull " MODEL_DEFAULT);
    assert_status(RAG_MODEL_MISSING, model_find("a", "/nowhere", &folder, &error), &error);
    assert_status(RAG_MODEL_MISSING, model_find("./a", models, &folder, &error), &error);
    assert_status(RAG_MODEL_MISSING, model_find(models, models, &folder, &error), &error);
    put_model(in(models, "a/one"));
    put_model(in(models, "b/one"));
    assert_status(RAG_USAGE, model_find("one", models, &folder, &error), &error);
    assert_says(&error, "a/one or b/one");
    assert_status(RAG_USAGE, model_find("a/../b/one", models, &folder, &error), &error);
    assert_null(folder);
    folder_drop(models);
}

static void a_folder_of_models_gives_the_names_of_its_models(void **state)
{
    (void)state;
    char *name;
    rag_error error;
    assert_ok(model_name_of("/m/BAAI/bge-m3/", "/m", &name, &error), &error);
    assert_string_equal(name, "BAAI/bge-m3");
    free(name);
    assert_ok(model_name_of("/mm/BAAI/bge-m3", "/m", &name, &error), &error);
    assert_null(name);
    assert_ok(model_name_of("/m/a/b/c", "/m", &name, &error), &error);
    assert_null(name);
}

static void the_list_is_sorted_and_leaves_out_what_is_broken(void **state)
{
    (void)state;
    forget_environment();
    char *models = folder_make();
    rag_model_list *list;
    rag_error error;
    assert_ok(rag_model_list_open(in(models, "none"), &list, &error), &error);
    assert_int_equal(rag_model_list_count(list), 0);
    rag_model_list_free(list);

    put_model(in(models, "z/last"));
    put_model(in(models, "own"));
    put_model(in(models, "a/first"));
    put_model(in(models, ".partial/a/hidden"));
    put_model(in(models, "a/without-weights"));
    assert_int_equal(unlink(in(models, "a/without-weights/model.safetensors")), 0);
    put_model(in(models, "a/without-tokenizer"));
    assert_int_equal(unlink(in(models, "a/without-tokenizer/vocab.txt")), 0);
    put_model(in(models, "a/bad-config"));
    put(models, "a/bad-config/config.json", "{");
    put(models, "a/file", "");
    assert_ok(rag_model_list_open(models, &list, &error), &error);
    static const char *const names[] = {"a/first", "own", "z/last"};
    assert_int_equal(rag_model_list_count(list), 3);
    for (size_t i = 0; i < 3; i++) {
        const char *folder;
        uint64_t bytes;
        assert_string_equal(rag_model_list_get(list, i, &folder, &bytes), names[i]);
        assert_string_equal(folder, in(models, names[i]));
        assert_true(bytes > 900);
    }
    assert_null(rag_model_list_get(list, 3, NULL, NULL));
    rag_model_list_free(list);
    rag_model_list_free(NULL);
    folder_drop(models);
}

static int stop_at_once(const rag_event *event, void *user)
{
    (void)user;
    return event->kind == RAG_EVENT_PROGRESS && event->total == 0 ? 0 : 1;
}

static void an_added_model_is_a_checked_copy(void **state)
{
    (void)state;
    forget_environment();
    char *models = folder_make(), *from = folder_make();
    char source[1024];
    snprintf(source, sizeof source, "%s/bge-m3", from);
    rag_error error;
    put_model(source);
    put(source, "1_Pooling/config.json", "{\"pooling_mode_cls_token\": true}");
    put(source, "training.log", "not of the model");
    assert_ok(rag_model_add(source, NULL, models, NULL, NULL, &error), &error);
    assert_true(has(models, "BAAI/bge-m3/model.safetensors"));
    assert_true(has(models, "BAAI/bge-m3/1_Pooling/config.json"));
    assert_false(has(models, "BAAI/bge-m3/training.log"));
    assert_ok(rag_model_add(source, "our/own", models, NULL, NULL, &error), &error);
    assert_true(has(models, "our/own/config.json"));
    assert_false(path_is_directory(in(models, ".partial")));

    assert_status(RAG_USAGE, rag_model_add(source, NULL, models, NULL, NULL, &error), &error);
    assert_says(&error, "already there");
    assert_status(RAG_USAGE, rag_model_add(source, "../x", models, NULL, NULL, &error), &error);
    assert_status(RAG_INTERRUPTED,
                  rag_model_add(source, "stopped", models, stop_at_once, NULL, &error), &error);
    assert_false(path_is_directory(in(models, "stopped")));
    put(source, "model.safetensors", "12345678");
    assert_status(RAG_MODEL, rag_model_add(source, "x", models, NULL, NULL, &error), &error);
    assert_says(&error, "model.safetensors");
    put_copy(source, "model.safetensors", TEST_DATA "/model/f32/model.safetensors");
    assert_int_equal(unlink(in(source, "vocab.txt")), 0);
    assert_status(RAG_MODEL, rag_model_add(source, "x", models, NULL, NULL, &error), &error);
    assert_says(&error, "tokenizer");
    assert_false(path_is_directory(in(models, "x")));
    assert_false(path_is_directory(in(models, ".partial")));
    folder_drop(models);
    folder_drop(from);
}

static struct hash identity_of(const char *folder)
{
    struct model_config config;
    struct checkpoint *checkpoint;
    struct hash hash, tokenizer;
    rag_error error;
    assert_ok(hash_file(in(folder, "vocab.txt"), &tokenizer, &error), &error);
    assert_ok(model_config_read(folder, &config, &error), &error);
    assert_ok(checkpoint_open(folder, &checkpoint, &error), &error);
    assert_ok(model_identity(&config, checkpoint, &tokenizer, &hash, &error), &error);
    checkpoint_close(checkpoint);
    return hash;
}

static bool same(const struct hash *a, const struct hash *b)
{
    return memcmp(a->bytes, b->bytes, HASH_SIZE) == 0;
}

static void the_identity_changes_with_everything_that_changes_a_vector(void **state)
{
    (void)state;
    char *folder = folder_make();
    put_model(folder);
    const struct hash first = identity_of(folder);
    static const char *const config_fields[] = {
        "\"layer_norm_eps\": 1e-5",
        "\"hidden_act\": \"relu\"",
        "\"type_vocab_size\": 3",
        "\"_name_or_path\": \"intfloat/e5-small\"",
        "\"architectures\": [\"BertForSequenceClassification\"], \"num_labels\": 1",
    };
    struct hash other;
    for (size_t i = 0; i < sizeof config_fields / sizeof *config_fields; i++) {
        char config[512];
        snprintf(config, sizeof config,
                 "{\"model_type\": \"bert\", \"hidden_size\": 4, \"num_hidden_layers\": 1,"
                 " \"num_attention_heads\": 2, \"intermediate_size\": 8, \"vocab_size\": 8,"
                 " \"max_position_embeddings\": 16, %s}",
                 config_fields[i]);
        put(folder, "config.json", config);
        other = identity_of(folder);
        assert_false(same(&first, &other));
    }
    put_model(folder);
    put(folder, "sentence_bert_config.json", "{\"max_seq_length\": 12}");
    other = identity_of(folder);
    assert_false(same(&first, &other));
    put(folder, "sentence_bert_config.json", "{}");
    put(folder, "vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nd\n");
    other = identity_of(folder);
    assert_false(same(&first, &other));
    put_model(folder);
    put_copy(folder, "model.safetensors", TEST_DATA "/model/bf16/model.safetensors");
    other = identity_of(folder);
    assert_false(same(&first, &other));
    put_copy(folder, "sparse_linear.pt", TEST_DATA "/model/heads/sparse_linear.pt");
    put_copy(folder, "model.safetensors", TEST_DATA "/model/f32/model.safetensors");
    other = identity_of(folder);
    assert_false(same(&first, &other));
    folder_drop(folder);
}

static void one_changed_weight_is_another_identity(void **state)
{
    (void)state;
    char *folder = folder_make();
    put_model(folder);
    const struct hash first = identity_of(folder);
    struct buf weights = BUF_INIT(1 << 20);
    rag_error error;
    assert_ok(file_read(in(folder, "model.safetensors"), &weights, &error), &error);
    /* Each byte of the data in turn. No vector depends on the eight position_ids. */
    uint64_t header;
    memcpy(&header, weights.data, sizeof header);
    size_t changes = 0, position_bytes = 8 * 8;
    for (size_t i = 8 + header; i < weights.size; i++) {
        weights.data[i] ^= 1;
        put_bytes(folder, "model.safetensors", weights.data, weights.size);
        struct hash other = identity_of(folder);
        changes += !same(&first, &other);
        weights.data[i] ^= 1;
    }
    assert_int_equal(changes, weights.size - 8 - header - position_bytes);
    buf_release(&weights);
    folder_drop(folder);
}

static void the_identity_is_that_of_the_weights_not_of_their_file(void **state)
{
    (void)state;
    char *a = folder_make(), *b = folder_make();
    put_model(a);
    put_model(b);
    assert_int_equal(unlink(in(b, "model.safetensors")), 0);
    put_copy(b, "pytorch_model.bin", TEST_DATA "/model/torch-f32/pytorch_model.bin");
    struct hash x = identity_of(a), y = identity_of(b);
    assert_true(same(&x, &y));
    folder_drop(a);
    folder_drop(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_folder_of_models_is_where_the_environment_says),
        cmocka_unit_test(a_model_is_found_by_its_name_or_its_last_part),
        cmocka_unit_test(a_missing_or_doubtful_name_says_what_to_do),
        cmocka_unit_test(a_folder_of_models_gives_the_names_of_its_models),
        cmocka_unit_test(the_list_is_sorted_and_leaves_out_what_is_broken),
        cmocka_unit_test(an_added_model_is_a_checked_copy),
        cmocka_unit_test(the_identity_changes_with_everything_that_changes_a_vector),
        cmocka_unit_test(one_changed_weight_is_another_identity),
        cmocka_unit_test(the_identity_is_that_of_the_weights_not_of_their_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
