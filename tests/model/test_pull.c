/* rag_model_pull against a hub that behaves in all the ways a network can: a model is
 * installed whole and checked, or not at all. Arguments: a Python, hub_server.py. */
#define _XOPEN_SOURCE 700
#include "support/test.h"

#include "base/file.h"
#include "support/child.h"
#include "model/files.h"
#include "model/hub.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *python, *script;
static char *served; /* the hub's folder */
static struct child server;

static int start(void **state)
{
    (void)state;
    unsetenv("HF_TOKEN");
    unsetenv("RAG_MODELS");
    hub_first_wait = 0.01;
    setenv("no_proxy", "127.0.0.1", 1);
    served = folder_make();
    put_model(in(served, "small/tiny"));
    put(served, "small/tiny/README.md", "A model.\n");
    put(served, "small/tiny/notes.txt", "Not of the model.\n");
    put(served, "small/tiny/onnx/model.onnx", "Nor this.\n");
    put(served, "small/tiny/modules.json",
        "[{\"path\": \"1_Pooling\", \"type\": \"sentence_transformers.models.Pooling\"}]");
    put(served, "small/tiny/1_Pooling/config.json", "{\"pooling_mode_cls_token\": true}");
    put_model(in(served, "small/evil"));
    assert_int_equal(unlink(in(served, "small/evil/model.safetensors")), 0);
    put_copy(served, "small/evil/pytorch_model.bin",
             TEST_DATA "/model/torch-system/pytorch_model.bin");
    put_model(in(served, "small/sharded"));
    assert_int_equal(unlink(in(served, "small/sharded/model.safetensors")), 0);
    static const char *const shards[] = {"model.safetensors.index.json",
                                         "model-00001-of-00002.safetensors",
                                         "model-00002-of-00002.safetensors"};
    for (size_t i = 0; i < 3; i++) {
        char to[128];
        snprintf(to, sizeof to, "small/sharded/%s", shards[i]);
        put_copy(served, to, in(TEST_DATA "/model/sharded", shards[i]));
    }
    put(served, "small/empty/config.json", "{}");
    const char *const argv[] = {python, script, served, NULL};
    return child_start(&server, argv);
}

static int stop(void **state)
{
    (void)state;
    child_stop(&server);
    folder_drop(served);
    return 0;
}

struct heard {
    unsigned progress, warnings;
    bool stop_within; /* stop as soon as a part of the weights has come */
    uint64_t done, total, before;
};

static int hear(const rag_event *event, void *user)
{
    struct heard *heard = user;
    if (event->kind == RAG_EVENT_WARNING)
        heard->warnings++;
    if (event->kind != RAG_EVENT_PROGRESS)
        return 0;
    heard->progress++;
    if (event->total && strcmp(event->stage, "downloading") == 0) {
        heard->done = event->done;
        heard->total = event->total;
    }
    if (!heard->stop_within || !event->message ||
        strcmp(event->message, "model.safetensors") != 0)
        return 0;
    if (heard->before == 0)
        heard->before = event->done;
    return event->done > heard->before;
}

static rag_status pull(const char *models, const char *name, const char *mode,
                       struct heard *heard, rag_error *error)
{
    char hub[128];
    snprintf(hub, sizeof hub, "http://127.0.0.1:%d/%s/", server.port, mode);
    rag_pull_options options = RAG_PULL_OPTIONS_INIT;
    options.models = models;
    options.hub = hub;
    options.on_event = heard ? hear : NULL;
    options.user = heard;
    return rag_model_pull(name, &options, error);
}

static void check_same(const char *models, const char *name, const char *file)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", name, file);
    struct buf a = BUF_INIT(1 << 20), b = BUF_INIT(1 << 20);
    rag_error error;
    assert_ok(file_read(in(models, path), &a, &error), &error);
    assert_ok(file_read(in(served, path), &b, &error), &error);
    assert_int_equal(a.size, b.size);
    assert_memory_equal(a.data, b.data, a.size);
    buf_release(&a);
    buf_release(&b);
}

static void check_installed(const char *models)
{
    static const char *const files[] = {"config.json", "vocab.txt",    "model.safetensors",
                                        "README.md",   "modules.json", "1_Pooling/config.json"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        check_same(models, "small/tiny", files[i]);
    assert_false(has(models, "small/tiny/notes.txt"));
    assert_false(has(models, "small/tiny/onnx/model.onnx"));
    assert_false(path_is_directory(in(models, ".partial")));
}

static void check_pull(const char *mode)
{
    char *models = folder_make();
    rag_error error;
    assert_ok(pull(models, "small/tiny", mode, NULL, &error), &error);
    check_installed(models);
    folder_drop(models);
}

static void check_refused(const char *mode, rag_status status, const char *says)
{
    char *models = folder_make();
    rag_error error;
    assert_status(status, pull(models, "small/tiny", mode, NULL, &error), &error);
    assert_says(&error, says);
    assert_false(path_is_directory(in(models, "small/tiny")));
    folder_drop(models);
}

static void a_model_is_installed_with_what_rag_needs_of_it(void **state)
{
    (void)state;
    char *models = folder_make();
    rag_error error;
    struct heard heard = {0};
    assert_ok(pull(models, "small/tiny", "plain", &heard, &error), &error);
    check_installed(models);
    assert_true(heard.progress > 0);
    assert_true(heard.total > 0);
    assert_int_equal(heard.done, heard.total);
    assert_int_equal(heard.warnings, 0);
    rag_model_list *list;
    assert_ok(rag_model_list_open(models, &list, &error), &error);
    assert_int_equal(rag_model_list_count(list), 1);
    assert_string_equal(rag_model_list_get(list, 0, NULL, NULL), "small/tiny");
    rag_model_list_free(list);
    folder_drop(models);
}

static void shards_come_with_their_index(void **state)
{
    (void)state;
    char *models = folder_make();
    rag_error error;
    assert_ok(pull(models, "small/sharded", "plain", NULL, &error), &error);
    check_same(models, "small/sharded", "model.safetensors.index.json");
    check_same(models, "small/sharded", "model-00002-of-00002.safetensors");
    folder_drop(models);
}

static void broken_connections_and_busy_hubs_are_tried_again(void **state)
{
    (void)state;
    check_pull("cut");
    check_pull("busy");
}

static void what_was_downloaded_is_not_downloaded_again(void **state)
{
    (void)state;
    char *models = folder_make();
    rag_error error;
    assert_status(RAG_NETWORK, pull(models, "small/tiny", "dead", NULL, &error), &error);
    assert_false(path_is_directory(in(models, "small/tiny")));
    assert_ok(pull(models, "small/tiny", "resume", NULL, &error), &error);
    check_installed(models);
    folder_drop(models);
}

static void an_interrupted_pull_goes_on_where_it_was(void **state)
{
    (void)state;
    char *models = folder_make();
    rag_error error;
    struct heard heard = {.stop_within = true};
    assert_status(RAG_INTERRUPTED, pull(models, "small/tiny", "slow", &heard, &error), &error);
    assert_says(&error, "goes on");
    assert_false(path_is_directory(in(models, "small/tiny")));
    assert_ok(pull(models, "small/tiny", "resume", NULL, &error), &error);
    check_installed(models);
    folder_drop(models);
}

static void a_server_without_ranges_sends_the_whole_again(void **state)
{
    (void)state;
    static const char *const modes[] = {"norange", "badrange"};
    rag_error error;
    for (size_t i = 0; i < 2; i++) {
        char *models = folder_make();
        assert_status(RAG_NETWORK, pull(models, "small/tiny", "dead", NULL, &error), &error);
        assert_ok(pull(models, "small/tiny", modes[i], NULL, &error), &error);
        check_installed(models);
        folder_drop(models);
    }
}

static void an_installed_model_is_replaced_and_its_weights_reused(void **state)
{
    (void)state;
    char *models = folder_make();
    rag_error error;
    assert_ok(pull(models, "small/tiny", "plain", NULL, &error), &error);
    put(models, "small/tiny/config.json", "{}");
    /* "resume" refuses large files from their beginning: none is asked for. */
    assert_ok(pull(models, "small/tiny", "resume", NULL, &error), &error);
    check_installed(models);
    put(models, "small/tiny/model.safetensors", "something else");
    assert_ok(pull(models, "small/tiny", "plain", NULL, &error), &error);
    check_installed(models);
    folder_drop(models);
}

static void damaged_files_are_refused_and_not_kept(void **state)
{
    (void)state;
    check_refused("larger", RAG_NETWORK, "bytes");
    check_refused("smaller", RAG_NETWORK, "longer than it may be");
    check_refused("headerhash", RAG_NETWORK, "SHA-256");
    char *models = folder_make();
    rag_error error;
    assert_status(RAG_NETWORK, pull(models, "small/tiny", "damaged", NULL, &error), &error);
    assert_says(&error, "SHA-256");
    assert_ok(pull(models, "small/tiny", "plain", NULL, &error), &error);
    check_installed(models);
    folder_drop(models);
}

static void weights_that_cannot_be_checked_are_a_warning(void **state)
{
    (void)state;
    char *models = folder_make();
    rag_error error;
    struct heard heard = {0};
    assert_ok(pull(models, "small/tiny", "nohash", &heard, &error), &error);
    assert_int_equal(heard.warnings, 1);
    check_installed(models);
    folder_drop(models);
}

static void the_token_goes_to_the_hub_alone(void **state)
{
    (void)state;
    check_refused("private", RAG_NETWORK_AUTH, "HF_TOKEN");
    setenv("HF_TOKEN", "secret", 1);
    check_pull("private");
    unsetenv("HF_TOKEN");
}

static void what_a_hub_refuses_is_said(void **state)
{
    (void)state;
    check_refused("missing", RAG_MODEL_MISSING, "404");
    check_refused("limit", RAG_NETWORK_LIMIT, "slow down");
    check_refused("garbage", RAG_NETWORK, "not a hub's answer");
    check_refused("loop", RAG_NETWORK, "redirects");
    check_refused("scheme", RAG_NETWORK, "refused");
    char *models = folder_make();
    rag_error error;
    assert_status(RAG_MODEL, pull(models, "small/empty", "plain", NULL, &error), &error);
    assert_says(&error, "tokenizer");
    rag_pull_options options = RAG_PULL_OPTIONS_INIT;
    options.models = models;
    options.hub = "http://127.0.0.1:1";
    assert_status(RAG_NETWORK, rag_model_pull("small/tiny", &options, &error), &error);
    options.hub = "ftp://127.0.0.1/";
    assert_status(RAG_USAGE, rag_model_pull("small/tiny", &options, &error), &error);
    folder_drop(models);
}

static void names_that_lead_elsewhere_are_not_followed(void **state)
{
    (void)state;
    check_pull("hostile");
    static const char *const names[] = {"",      "..",     "../x", "a/../b", "/etc",
                                        "a/b/c", "a/.b",   ".a",   "a b",    "a/",
                                        "a?b",   "a%2e/b", "-a",   "a//b"};
    rag_error error;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_status(RAG_USAGE, pull("/nowhere", names[i], "plain", NULL, &error), &error);
    rag_pull_options options = RAG_PULL_OPTIONS_INIT;
    options.models = "/nowhere";
    options.revision = "../main";
    assert_status(RAG_USAGE, rag_model_pull("small/tiny", &options, &error), &error);
}

static void an_unsupported_model_is_known_before_its_weights_are_asked_for(void **state)
{
    (void)state;
    check_refused("unsupported", RAG_MODEL, "llama");
}

static void a_pickle_with_code_is_never_installed(void **state)
{
    (void)state;
    char *models = folder_make();
    rag_error error;
    assert_status(RAG_MODEL, pull(models, "small/evil", "plain", NULL, &error), &error);
    assert_says(&error, "posix.system");
    assert_false(path_is_directory(in(models, "small/evil")));
    folder_drop(models);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    python = argv[1];
    script = argv[2];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_model_is_installed_with_what_rag_needs_of_it),
        cmocka_unit_test(shards_come_with_their_index),
        cmocka_unit_test(broken_connections_and_busy_hubs_are_tried_again),
        cmocka_unit_test(what_was_downloaded_is_not_downloaded_again),
        cmocka_unit_test(an_interrupted_pull_goes_on_where_it_was),
        cmocka_unit_test(a_server_without_ranges_sends_the_whole_again),
        cmocka_unit_test(an_installed_model_is_replaced_and_its_weights_reused),
        cmocka_unit_test(damaged_files_are_refused_and_not_kept),
        cmocka_unit_test(weights_that_cannot_be_checked_are_a_warning),
        cmocka_unit_test(the_token_goes_to_the_hub_alone),
        cmocka_unit_test(what_a_hub_refuses_is_said),
        cmocka_unit_test(names_that_lead_elsewhere_are_not_followed),
        cmocka_unit_test(an_unsupported_model_is_known_before_its_weights_are_asked_for),
        cmocka_unit_test(a_pickle_with_code_is_never_installed),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
