/* PYTHON FAULT_SERVER: the younger protocols, and what an exchange is said to have taken. */
#include "support/child.h"
#include "support/test.h"

#include "base/buf.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct child server;
static const char *python, *server_script;
static const char key[] = "sk-test-0123456789";

struct call {
    rag_status status;
    rag_error error;
    char *reply;
    struct buf streamed;
    rag_usage usage;
};

static int on_text(rag_text piece, void *user)
{
    struct call *call = user;
    assert_true(buf_append(&call->streamed, piece.data, piece.size));
    return 0;
}

static struct call ask(const char *spec, const char *scenario, bool stream)
{
    static const rag_message messages[] = {
        {RAG_SYSTEM, {"Be brief.", 9}},
        {RAG_USER, {"What is 6 x 7?", 14}},
    };
    char url[256];
    rag_chat *chat;
    struct call call = {.streamed = BUF_INIT(1 << 20)};
    rag_llm_options llm = RAG_LLM_OPTIONS_INIT;
    rag_chat_options options = RAG_CHAT_OPTIONS_INIT;
    snprintf(url, sizeof url, "http://127.0.0.1:%d/%s", server.port, scenario);
    llm.base_url = url;
    llm.key = key;
    llm.config = "";
    options.on_text = stream ? on_text : NULL;
    options.user = &call;
    assert_ok(rag_chat_open(spec, &llm, &chat, &call.error), &call.error);
    call.status = rag_chat_complete(chat, messages, 2, &options, &call.reply, &call.error);
    rag_usage total;
    rag_chat_get_usage(chat, &call.usage, &total);
    assert_int_equal(total.requests, call.usage.requests);
    rag_chat_close(chat);
    assert_null(call.status ? strstr(call.error.message, key) : NULL);
    if (!call.status && stream)
        assert_string_equal(call.streamed.data, call.reply);
    return call;
}

static void release(struct call *call)
{
    rag_free(call->reply);
    buf_release(&call->streamed);
}

static void expect_reply(const char *spec, const char *scenario, unsigned input,
                         unsigned output)
{
    for (int stream = 0; stream < 2; stream++) {
        struct call call = ask(spec, scenario, stream);
        assert_ok(call.status, &call.error);
        assert_string_equal(call.reply, "The answer is \xe4\xbd\xa0\xe5\xa5\xbd");
        assert_int_equal(call.usage.input_tokens, input);
        assert_int_equal(call.usage.output_tokens, output);
        assert_false(call.usage.estimated);
        assert_true(call.usage.cost == 0); /* a server of this machine */
        assert_true(stream ? call.usage.first_token_seconds >= 0
                           : isnan(call.usage.first_token_seconds));
        release(&call);
    }
}

static void expect_failure(const char *spec, const char *scenario, rag_status status,
                           const char *says)
{
    struct call call = ask(spec, scenario, true);
    assert_status(status, call.status, &call.error);
    assert_says(&call.error, says);
    release(&call);
}

static void anthropics_messages_are_read_whole_and_streamed(void **state)
{
    (void)state;
    expect_reply("anthropic:m", "anthropic", 10, 5);
}

static void anthropics_refusals_are_explained(void **state)
{
    (void)state;
    expect_failure("anthropic:m", "anthropic_bad_key", RAG_NETWORK_AUTH, "ANTHROPIC_API_KEY");
    expect_failure("anthropic:m", "anthropic_refusal", RAG_NETWORK, "refus");
    struct call call = ask("anthropic:m", "anthropic_overloaded", true);
    assert_ok(call.status, &call.error);
    assert_int_equal(call.usage.requests, 2);
    release(&call);
}

static void ollamas_lines_are_read_whole_and_streamed(void **state)
{
    (void)state;
    expect_reply("ollama:m", "ollama", 11, 4);
}

static void ollamas_refusals_are_explained(void **state)
{
    (void)state;
    expect_failure("ollama:m", "ollama_cut", RAG_NETWORK, "cut off");
    expect_failure("ollama:m", "ollama_error_in_stream", RAG_NETWORK, "running the model");
    expect_failure("ollama:m", "ollama_no_model", RAG_MODEL_MISSING, "m");
}

static void a_server_that_cannot_count_in_a_stream_is_asked_without(void **state)
{
    (void)state;
    struct call call = ask("openai:m", "no_stream_options", true);
    assert_ok(call.status, &call.error);
    assert_string_equal(call.reply, "try 2");
    release(&call);
}

static void tokens_are_the_servers_or_else_estimated(void **state)
{
    (void)state;
    struct call call = ask("openai:m", "usage", true);
    assert_ok(call.status, &call.error);
    assert_int_equal(call.usage.input_tokens, 12);
    assert_int_equal(call.usage.output_tokens, 34);
    assert_false(call.usage.estimated);
    release(&call);
    call = ask("openai:m", "citing", true);
    assert_ok(call.status, &call.error);
    assert_true(call.usage.estimated);
    assert_int_equal(call.usage.input_tokens, 3 + 4); /* 9 and 14 bytes */
    assert_true(call.usage.output_tokens > 0);
    release(&call);
}

/* ---- Providers --------------------------------------------------------------- */

static char *write_config(const char *text)
{
    char *path = strdup("/tmp/rag-providers-XXXXXX");
    int fd = mkstemp(path);
    FILE *file = fdopen(fd, "w");
    fputs(text, file);
    fclose(file);
    return path;
}

static rag_status open_with(const char *config, const char *spec, rag_chat **chat,
                            rag_error *error)
{
    char *path = write_config(config);
    rag_llm_options options = RAG_LLM_OPTIONS_INIT;
    options.config = path;
    rag_status status = rag_chat_open(spec, &options, chat, error);
    remove(path);
    free(path);
    return status;
}

static void a_file_adds_providers_and_changes_presets(void **state)
{
    (void)state;
    static const char config[] =
        "{\"providers\": {\"company\": {\"protocol\": \"anthropic\", \"base_url\": "
        "\"https://llm.example/x\", \"model\": \"big\", \"context_tokens\": 32768, \"models\": "
        "{\"big\": {\"input_price\": 2, \"output_price\": 8.5}}}, \"deepseek\": {\"base_url\": "
        "\"https://other.example\"}}}";
    rag_chat *chat;
    rag_error error;
    assert_ok(open_with(config, "company", &chat, &error), &error);
    const rag_chat_info *info = rag_chat_get_info(chat);
    assert_string_equal(info->provider, "company");
    assert_string_equal(info->model, "big");
    assert_string_equal(info->protocol, "anthropic");
    assert_string_equal(info->host, "llm.example");
    assert_int_equal(info->context_tokens, 32768);
    assert_true(info->input_price == 2 && info->output_price == 8.5);
    rag_chat_close(chat);
    setenv("DEEPSEEK_API_KEY", "secret-of-deepseek", 1);
    assert_ok(open_with(config, "deepseek", &chat, &error), &error);
    assert_string_equal(rag_chat_get_info(chat)->host, "other.example");
    rag_chat_close(chat);
    unsetenv("DEEPSEEK_API_KEY");
}

static void what_is_wrong_with_the_file_is_said(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"{\"providers\": {", ":1: "},
        {"[]", "must be one object"},
        {"{\"providers\": {\"a\": 1}}", "must be an object"},
        {"{\"providers\": {\"a\": {\"protocol\": \"openai\"}}}", "\"base_url\" is missing"},
        {"{\"providers\": {\"a\": {\"base_url\": \"http://h\"}}}", "\"protocol\" is missing"},
        {"{\"providers\": {\"a\": {\"protocol\": \"soap\"}}}", "must be openai, gemini"},
        {"{\"providers\": {\"a\": {\"api_key\": \"secret\"}}}", "key_variable"},
        {"{\"providers\": {\"a\": {\"colour\": \"red\"}}}", "\"colour\" is not known"},
        {"{\"providers\": {\"a\": {\"input_price\": -1}}}", "million tokens"},
        {"{\"providers\": {\"a\": {\"context_tokens\": \"many\"}}}", "number of tokens"},
        {"{\"providers\": {\"a\": {\"models\": {\"m\": {\"x\": 1}}}}}", "model \"m\": \"x\""},
        {"{\"providers\": {\"a:b\": {}}}", "colon"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rag_chat *chat;
        rag_error error;
        assert_status(RAG_INPUT, open_with(cases[i][0], "a:m", &chat, &error), &error);
        assert_says(&error, cases[i][1]);
        assert_null(strstr(error.message, "secret"));
    }
}

static void the_table_knows_families_of_models_at_their_own_host(void **state)
{
    (void)state;
    rag_chat *chat;
    rag_error error;
    rag_llm_options options = RAG_LLM_OPTIONS_INIT;
    options.key = key;
    options.config = "";
    assert_ok(rag_chat_open("openai:gpt-4o-mini-2024-07-18", &options, &chat, &error), &error);
    assert_int_equal(rag_chat_get_info(chat)->context_tokens, 128000);
    rag_chat_close(chat);
    assert_ok(rag_chat_open("openai:nobody-knows", &options, &chat, &error), &error);
    assert_int_equal(rag_chat_get_info(chat)->context_tokens, 0);
    assert_true(isnan(rag_chat_get_info(chat)->input_price));
    rag_chat_close(chat);
    options.base_url = "https://proxy.example/v1";
    assert_ok(rag_chat_open("openai:gpt-4o-mini", &options, &chat, &error), &error);
    assert_true(isnan(rag_chat_get_info(chat)->input_price)); /* who knows what it asks */
    rag_chat_close(chat);
}

static void providers_are_listed_and_keys_are_not(void **state)
{
    (void)state;
    rag_provider_list *list;
    rag_error error;
    unsetenv("MISTRAL_API_KEY");
    setenv("GROQ_API_KEY", key, 1);
    setenv("OLLAMA_HOST", "http://ollama.example:11434", 1);
    assert_ok(rag_provider_list_open("", &list, &error), &error);
    size_t seen = 0;
    for (size_t i = 0; i < rag_provider_list_count(list); i++) {
        const rag_provider *provider = rag_provider_list_get(list, i);
        assert_null(strstr(provider->base_url, key));
        if (strcmp(provider->name, "mistral") == 0 && ++seen)
            assert_false(provider->ready);
        if (strcmp(provider->name, "groq") == 0 && ++seen)
            assert_true(provider->ready);
        if (strcmp(provider->name, "ollama") == 0 && ++seen) {
            assert_string_equal(provider->protocol, "ollama");
            assert_string_equal(provider->base_url, "http://ollama.example:11434");
        }
    }
    assert_int_equal(seen, 3);
    assert_null(rag_provider_list_get(list, rag_provider_list_count(list)));
    rag_provider_list_free(list);
    unsetenv("GROQ_API_KEY");
    unsetenv("OLLAMA_HOST");
}

static int start_server(void **state)
{
    (void)state;
    return child_start(&server, (const char *const[]){python, server_script, key,
                                                      TEST_DATA "/chat/untrusted.pem", NULL});
}

static int stop_server(void **state)
{
    (void)state;
    child_stop(&server);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(anthropics_messages_are_read_whole_and_streamed),
        cmocka_unit_test(anthropics_refusals_are_explained),
        cmocka_unit_test(ollamas_lines_are_read_whole_and_streamed),
        cmocka_unit_test(ollamas_refusals_are_explained),
        cmocka_unit_test(a_server_that_cannot_count_in_a_stream_is_asked_without),
        cmocka_unit_test(tokens_are_the_servers_or_else_estimated),
        cmocka_unit_test(a_file_adds_providers_and_changes_presets),
        cmocka_unit_test(what_is_wrong_with_the_file_is_said),
        cmocka_unit_test(the_table_knows_families_of_models_at_their_own_host),
        cmocka_unit_test(providers_are_listed_and_keys_are_not),
    };
    if (argc != 3)
        return 2;
    python = argv[1];
    server_script = argv[2];
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
