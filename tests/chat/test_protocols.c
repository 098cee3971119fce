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
    struct buf streamed, events;
    rag_usage usage;
    bool stop; /* at the first text */
};

static int on_text(rag_text piece, void *user)
{
    struct call *call = user;
    assert_true(buf_append(&call->streamed, piece.data, piece.size));
    return call->stop;
}

static int on_event(const rag_event *event, void *user)
{
    struct call *call = user;
    if (event->message)
        assert_true(buf_printf(&call->events, "%s\n", event->message));
    return 0;
}

static rag_chat *open_chat(const char *spec, const char *scenario, const char *config,
                           size_t context_tokens)
{
    char url[256];
    rag_chat *chat;
    rag_error error;
    rag_llm_options llm = RAG_LLM_OPTIONS_INIT;
    snprintf(url, sizeof url, "http://127.0.0.1:%d/%s", server.port, scenario);
    llm.base_url = url;
    llm.key = key;
    llm.config = config;
    llm.context_tokens = context_tokens;
    assert_ok(rag_chat_open(spec, &llm, &chat, &error), &error);
    return chat;
}

static struct call ask_chat(rag_chat *chat, bool stream, double temperature, bool stop)
{
    static const rag_message messages[] = {
        {RAG_SYSTEM, {"Be brief.", 9}},
        {RAG_USER, {"What is 6 x 7?", 14}},
    };
    struct call call = {
        .streamed = BUF_INIT(1 << 20), .events = BUF_INIT(1 << 20), .stop = stop};
    rag_chat_options options = RAG_CHAT_OPTIONS_INIT;
    options.temperature = temperature;
    options.on_text = stream ? on_text : NULL;
    options.on_event = on_event;
    options.user = &call;
    call.status = rag_chat_complete(chat, messages, 2, &options, &call.reply, &call.error);
    rag_chat_get_usage(chat, &call.usage, NULL);
    assert_null(call.status ? strstr(call.error.message, key) : NULL);
    if (!call.status && stream)
        assert_string_equal(call.streamed.data, call.reply);
    return call;
}

static struct call ask(const char *spec, const char *scenario, bool stream)
{
    rag_chat *chat = open_chat(spec, scenario, "", 0);
    struct call call = ask_chat(chat, stream, 0, false);
    rag_chat_close(chat);
    return call;
}

static void release(struct call *call)
{
    rag_free(call->reply);
    buf_release(&call->streamed);
    buf_release(&call->events);
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
    expect_failure("ollama:m", "ollama_no_model", RAG_MODEL_MISSING, "run \"ollama pull m\"");
}

static void ollama_is_given_the_context_that_it_needs(void **state)
{
    (void)state;
    static const struct {
        size_t context_tokens;
        const char *seen;
    } cases[] = {{0, "\"num_ctx\": 4096"}, {32768, "\"num_ctx\": 32768"}};
    for (size_t i = 0; i < 2; i++) {
        rag_chat *chat = open_chat("ollama:m", "request", "", cases[i].context_tokens);
        struct call call = ask_chat(chat, true, 0, false);
        assert_ok(call.status, &call.error);
        assert_non_null(strstr(call.reply, cases[i].seen));
        release(&call);
        rag_chat_close(chat);
    }
}

/* ---- What a server does not take --------------------------------------------- */

static void what_is_refused_by_name_is_left_out_from_then_on(void **state)
{
    (void)state;
    static const struct {
        const char *spec, *scenario;
        unsigned requests;
        const char *note;
    } cases[] = {
        {"openai:m", "no_stream_options", 2, NULL},
        {"openai:n", "no_extras", 2, NULL},
        {"anthropic:m", "no_temperature", 2, "anthropic:m takes no temperature"},
        {"openai:m", "reasoning", 3, "openai:m takes no temperature"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rag_chat *chat = open_chat(cases[i].spec, cases[i].scenario, "", 0);
        struct call call = ask_chat(chat, true, 0, false);
        assert_ok(call.status, &call.error);
        assert_int_equal(call.usage.requests, cases[i].requests);
        assert_non_null(strstr(call.reply, "try"));
        if (cases[i].note)
            assert_non_null(strstr(call.events.data, cases[i].note));
        release(&call);
        call = ask_chat(chat, true, 0, false);
        assert_ok(call.status, &call.error);
        assert_int_equal(call.usage.requests, 1);
        assert_null(call.events.data);
        release(&call);
        rag_usage total;
        rag_chat_get_usage(chat, NULL, &total);
        assert_int_equal(total.requests, cases[i].requests + 1);
        rag_chat_close(chat);
    }
}

static void a_temperature_that_cannot_be_is_an_error(void **state)
{
    (void)state;
    rag_chat *chat = open_chat("openai:m", "temperature_too_high", "", 0);
    struct call call = ask_chat(chat, true, 3, false);
    assert_status(RAG_NETWORK, call.status, &call.error);
    assert_says(&call.error, "must be at most 2");
    release(&call);
    rag_chat_close(chat);
}

/* ---- Usage --------------------------------------------------------------------- */

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

static void an_answer_broken_off_is_counted_as_far_as_it_came(void **state)
{
    (void)state;
    rag_chat *chat = open_chat("anthropic:m", "ok", "", 0);
    struct call call = ask_chat(chat, true, 0, true);
    assert_status(RAG_INTERRUPTED, call.status, &call.error);
    assert_int_equal(call.usage.input_tokens, 10); /* said at the beginning */
    assert_int_equal(call.usage.output_tokens,
                     7 + 2); /* estimated: 27 bytes, two Han; 1 was said */
    assert_true(call.usage.estimated);
    release(&call);
    rag_chat_close(chat);
    call = ask("ollama:m", "ollama_cached", true);
    assert_ok(call.status, &call.error);
    assert_int_equal(call.usage.input_tokens, 3 + 4); /* estimated */
    assert_int_equal(call.usage.output_tokens, 4);
    assert_true(call.usage.estimated);
    release(&call);
    call = ask("openai:m", "context", true);
    assert_status(RAG_INPUT, call.status, &call.error);
    assert_int_equal(call.usage.requests, 1);
    assert_int_equal(call.usage.input_tokens + call.usage.output_tokens, 0);
    assert_true(call.usage.cost == 0);
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

static void cost_is_by_the_prices_of_the_file(void **state)
{
    (void)state;
    char *config = write_config("{\"providers\": {\"anthropic\": {\"input_price\": 3, "
                                "\"output_price\": 15}}}");
    rag_chat *chat = open_chat("anthropic:m", "anthropic", config, 0);
    for (int i = 0; i < 2; i++) {
        struct call call = ask_chat(chat, true, 0, false);
        assert_ok(call.status, &call.error);
        assert_float_equal(call.usage.cost, (10 * 3 + 5 * 15) / 1e6, 1e-12);
        release(&call);
    }
    rag_usage last, total;
    rag_chat_get_usage(chat, &last, &total);
    assert_int_equal(total.requests, 2);
    assert_int_equal(total.input_tokens, 20);
    assert_int_equal(total.output_tokens, 10);
    assert_float_equal(total.cost, 2 * last.cost, 1e-12);
    assert_true(total.seconds >= last.seconds);
    rag_chat_close(chat);
    remove(config);
    free(config);
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
        cmocka_unit_test(ollama_is_given_the_context_that_it_needs),
        cmocka_unit_test(what_is_refused_by_name_is_left_out_from_then_on),
        cmocka_unit_test(a_temperature_that_cannot_be_is_an_error),
        cmocka_unit_test(tokens_are_the_servers_or_else_estimated),
        cmocka_unit_test(an_answer_broken_off_is_counted_as_far_as_it_came),
        cmocka_unit_test(cost_is_by_the_prices_of_the_file),
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
