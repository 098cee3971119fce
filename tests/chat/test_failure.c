/* What servers refuse, as one sentence. */
#include "support/test.h"

#include "chat/failure.h"

static const struct failure_place here = {.provider = "openai",
                                          .protocol = "openai",
                                          .host = "api.example.org",
                                          .model = "m",
                                          .key_variable = "OPENAI_API_KEY",
                                          .url_variable = "OPENAI_BASE_URL",
                                          .key = "sk-0123456789abcdef"};

static void each_providers_refusal_is_understood(void **state)
{
    (void)state;
    static const struct {
        long http;
        const char *body;
        rag_status status;
        bool passing;
        const char *says;
    } cases[] = {
        {401, "{\"error\":{\"message\":\"No.\"}}", RAG_NETWORK_AUTH, false, "OPENAI_API_KEY"},
        {403, "", RAG_NETWORK_AUTH, false, "(HTTP 403); check"},
        {402, "{\"error\":{\"message\":\"Insufficient Balance\"}}", RAG_NETWORK_LIMIT, false,
         "quota"},
        {429, "{\"error\":\"slow\"}", RAG_NETWORK_LIMIT, true, "\"slow\""},
        {429, "{\"error\":{\"code\":\"insufficient_quota\"}}", RAG_NETWORK_LIMIT, false,
         "quota"},
        {500, "{\"error\":{\"message\":\"Context size has been exceeded.\"}}", RAG_INPUT, false,
         "fewer context tokens"},
        {400, "{\"object\":\"error\",\"message\":\"maximum context length is 512\"}", RAG_INPUT,
         false, "maximum context length is 512"},
        {413, "<html>", RAG_INPUT, false, "fewer context tokens"},
        {400,
         "{\"code\":20015,\"message\":\"length of prompt_tokens must be less than "
         "max_seq_len\"}",
         RAG_INPUT, false, "max_seq_len"},
        {404, "{\"detail\":\"Not Found\"}", RAG_NETWORK, false, "OPENAI_BASE_URL"},
        {404, "{\"error\":\"model 'm' not found\"}", RAG_MODEL_MISSING, false, "openai:"},
        {500, "", RAG_NETWORK, true, "the server failed (HTTP 500); try"},
        {529, "", RAG_NETWORK, true, "HTTP 529"},
        {501, "", RAG_NETWORK, false, "HTTP 501"},
        {422, "{\"detail\":[{\"loc\":[\"body\"],\"msg\":\"field required\"}]}", RAG_NETWORK,
         false, "field required"},
        {400, "[{\"error\":{\"code\":400,\"message\":\"in a list\"}}]", RAG_NETWORK, false,
         "in a list"},
        {422,
         "{\"detail\":[{\"loc\":[\"body\",\"stream_options\"],\"msg\":\"Extra inputs are not "
         "permitted\"}]}",
         RAG_NETWORK, false, "\"stream_options: Extra inputs are not permitted\""},
        /* Anthropic */
        {529,
         "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":"
         "\"Overloaded\"}}",
         RAG_NETWORK, true, "\"Overloaded\"; try again later"},
        {0, "{\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"Internal\"}}",
         RAG_NETWORK, true, "the server failed"},
        {429,
         "{\"error\":{\"type\":\"rate_limit_error\",\"message\":\"x\",\"details\":"
         "{\"error_code\":\"enforced_spend_limit_reached\"}}}",
         RAG_NETWORK_LIMIT, false, "quota"},
        {400,
         "{\"error\":{\"type\":\"invalid_request_error\",\"message\":\"Your credit balance "
         "is too low to access the Anthropic API.\"}}",
         RAG_NETWORK_LIMIT, false, "quota"},
        {400,
         "{\"error\":{\"message\":\"input length and `max_tokens` exceed context limit: 9 + 1 "
         "> 9\"}}",
         RAG_INPUT, false, "fewer context tokens"},
        {404, "{\"error\":{\"type\":\"not_found_error\",\"message\":\"model: m\"}}",
         RAG_MODEL_MISSING, false, "after \"openai:\""},
        /* Ollama, behind its OpenAI-compatible address */
        {404, "{\"error\":{\"message\":\"model 'm' not found, try pulling it first\"}}",
         RAG_MODEL_MISSING, false, "run \"ollama pull m\""},
        {500, "{\"error\":\"model requires more system memory (7 GiB) than is available\"}",
         RAG_NETWORK, false, "use a smaller one"},
        /* DashScope */
        {400,
         "{\"error\":{\"message\":\"Access denied, please make sure your account is in good "
         "standing.\",\"type\":\"Arrearage\",\"code\":\"Arrearage\"}}",
         RAG_NETWORK_LIMIT, false, "quota"},
        {400, "{\"code\":\"DataInspectionFailed\",\"message\":\"inappropriate\"}", RAG_INPUT,
         false, "filter blocked"},
        {401, "{\"code\":\"InvalidApiKey\",\"message\":\"Invalid API-key provided.\"}",
         RAG_NETWORK_AUTH, false, "OPENAI_API_KEY"},
        {429, "{\"error\":{\"code\":\"limit_requests\",\"message\":\"Too many.\"}}",
         RAG_NETWORK_LIMIT, true, "slow down"},
        /* Zhipu: one status for what passes and what does not */
        {429, "{\"error\":{\"code\":\"1302\",\"message\":\"concurrency\"}}", RAG_NETWORK_LIMIT,
         true, "slow down"},
        {429, "{\"error\":{\"code\":\"1113\",\"message\":\"arrears\"}}", RAG_NETWORK_LIMIT,
         false, "quota"},
        {400, "{\"error\":{\"code\":\"1211\",\"message\":\"...\"}}", RAG_MODEL_MISSING, false,
         "after \"openai:\""},
        {400, "{\"error\":{\"code\":\"1301\",\"message\":\"unsafe\"}}", RAG_INPUT, false,
         "filter blocked"},
        {400, "{\"error\":{\"code\":\"11130\",\"message\":\"1113 bytes\"}}", RAG_NETWORK, false,
         "was refused"},
        /* SiliconFlow */
        {400,
         "{\"code\":20012,\"message\":\"Model does not exist. Please check it carefully.\","
         "\"data\":null}",
         RAG_MODEL_MISSING, false, "after \"openai:\""},
        {403,
         "{\"code\":30001,\"message\":\"Sorry, your account balance is insufficient\","
         "\"data\":null}",
         RAG_NETWORK_LIMIT, false, "quota"},
        {401, "\"Invalid token\"", RAG_NETWORK_AUTH, false, "\"Invalid token\""},
        /* DeepSeek, OpenAI and Gemini where they do not serve */
        {400, "{\"error\":{\"message\":\"Model Not Exist\"}}", RAG_MODEL_MISSING, false,
         "m at"},
        {400, "{\"error\":{\"message\":\"Content Exists Risk\"}}", RAG_INPUT, false, "filter"},
        {403, "{\"error\":{\"code\":\"unsupported_country_region_territory\"}}", RAG_NETWORK,
         false, "does not serve this country"},
        {400, "{\"error\":{\"message\":\"User location is not supported for the API use.\"}}",
         RAG_NETWORK, false, "does not serve this country"},
        {400, "plain words", RAG_NETWORK, false, "\"plain words\""},
        {400, "<p>page</p>", RAG_NETWORK, false, "was refused (HTTP 400)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct failure failure = FAILURE_INIT;
        rag_error error;
        assert_int_equal(failure_read(&failure, cases[i].body, strlen(cases[i].body)),
                         RAG_NETWORK);
        failure.http = cases[i].http;
        assert_int_equal(failure_is_passing(&failure), cases[i].passing);
        assert_status(cases[i].status, failure_explain(&failure, &here, &error), &error);
        assert_says(&error, cases[i].says);
        assert_says(&error, "openai:m at api.example.org");
        failure_release(&failure);
    }
}

static void advice_names_only_what_there_is(void **state)
{
    (void)state;
    static const struct {
        long http;
        const char *body, *says;
    } cases[] = {
        {401, "{}", "check the key"},
        {404, "<p>", "check the base URL"},
        {404, "{\"error\":\"model 'qwen3:8b' not found\"}", "run \"ollama pull qwen3:8b\""},
    };
    const struct failure_place place = {.provider = "own",
                                        .protocol = "ollama",
                                        .host = "h",
                                        .model = "qwen3:8b",
                                        .key_variable = "",
                                        .url_variable = "",
                                        .key = ""};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct failure failure = FAILURE_INIT;
        rag_error error;
        assert_int_equal(failure_read(&failure, cases[i].body, strlen(cases[i].body)),
                         RAG_NETWORK);
        failure.http = cases[i].http;
        assert_int_not_equal(failure_explain(&failure, &place, &error), RAG_OK);
        assert_says(&error, cases[i].says);
        failure_release(&failure);
    }
}

static void words_of_a_server_are_one_bounded_line(void **state)
{
    (void)state;
    struct failure failure = FAILURE_INIT;
    rag_error error;
    struct buf body = BUF_INIT(1 << 16);
    assert_true(buf_append_text(&body, "{\"error\":\"\\u001b[2J a\\r\\n\\tb\\u0085\\u0000c "));
    for (int i = 0; i < 5000; i++)
        assert_true(buf_append_text(&body, "\xe4\xbd\xa0"));
    assert_true(buf_append_text(&body, "\"}"));
    assert_int_equal(failure_read(&failure, body.data, body.size), RAG_NETWORK);
    assert_status(RAG_NETWORK, failure_explain(&failure, &here, &error), &error);
    assert_says(&error, "[2J a b ");
    assert_says(&error, "\xe4\xbd\xa0...\"");
    assert_true(strlen(error.message) < 600);
    for (const char *c = error.message; *c; c++)
        assert_true((unsigned char)*c >= ' ');
    failure_release(&failure);
    buf_release(&body);
}

static void a_key_does_not_survive_in_a_text(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"sk-0123456789abcdef", "[key]"},
        {"a sk-0123456789abcdef b sk-0123456789abcdef", "a [key] b [key]"},
        {"cut sk-0123456789ab", "cut [key]"},
        {"sk-sk-0123456789abcdef", "sk-[key]"},
        {"sk-01234", "sk-01234"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[128];
        strcpy(text, cases[i][0]);
        failure_redact(text, here.key);
        assert_string_equal(text, cases[i][1]);
    }
    char text[] = "none of the models";
    failure_redact(text, "none");
    assert_string_equal(text, "none of the models");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_providers_refusal_is_understood),
        cmocka_unit_test(advice_names_only_what_there_is),
        cmocka_unit_test(words_of_a_server_are_one_bounded_line),
        cmocka_unit_test(a_key_does_not_survive_in_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
