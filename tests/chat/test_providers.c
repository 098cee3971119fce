/* Providers: presets, addresses, the table of models, and files of providers that are wrong. */
#include "support/test.h"

#include "base/buf.h"
#include "chat/model_table.h"
#include "chat/provider.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char key[] = "sk-test-0123456789";
static char folder[] = "/tmp/rag-test-providers-XXXXXX";
static char config_path[sizeof folder + 40];

static void write_bytes(const void *data, size_t size)
{
    FILE *file = fopen(config_path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* config: the text of a file of providers; NULL: none. */
static rag_status find(const char *spec, const char *config, const char *base_url,
                       struct endpoint *endpoint, rag_error *error)
{
    rag_llm_options options = RAG_LLM_OPTIONS_INIT;
    if (config)
        write_bytes(config, strlen(config));
    options.config = config ? config_path : "";
    options.base_url = base_url;
    return endpoint_find(spec, &options, endpoint, error);
}

static int forget(void **state)
{
    (void)state;
    rag_provider_list *list;
    rag_error error;
    assert_ok(rag_provider_list_open("", &list, &error), &error);
    for (size_t i = 0; i < rag_provider_list_count(list); i++) {
        const rag_provider *provider = rag_provider_list_get(list, i);
        if (*provider->key_variable)
            unsetenv(provider->key_variable);
        if (*provider->url_variable)
            unsetenv(provider->url_variable);
    }
    rag_provider_list_free(list);
    unsetenv("RAG_LLM");
    unsetenv("RAG_PROVIDERS");
    unsetenv("COMPANY_KEY");
    unsetenv("COMPANY_URL");
    setenv("XDG_CONFIG_HOME", folder, 1);
    return 0;
}

/* ---- Presets ------------------------------------------------------------------ */

static void presets_know_their_address_key_and_model(void **state)
{
    (void)state;
    static const struct {
        const char *name, *protocol, *url, *key_variable, *url_variable;
    } wanted[] = {
        {"openai", "openai", "https://api.openai.com/v1", "OPENAI_API_KEY", "OPENAI_BASE_URL"},
        {"gemini", "gemini", "https://generativelanguage.googleapis.com", "GEMINI_API_KEY",
         "GEMINI_BASE_URL"},
        {"anthropic", "anthropic", "https://api.anthropic.com", "ANTHROPIC_API_KEY",
         "ANTHROPIC_BASE_URL"},
        {"siliconflow", "openai", "https://api.siliconflow.cn/v1", "SILICONFLOW_API_KEY",
         "SILICONFLOW_BASE_URL"},
        {"deepseek", "openai", "https://api.deepseek.com/v1", "DEEPSEEK_API_KEY",
         "DEEPSEEK_BASE_URL"},
        {"dashscope", "openai", "https://dashscope.aliyuncs.com/compatible-mode/v1",
         "DASHSCOPE_API_KEY", "DASHSCOPE_BASE_URL"},
        {"zhipu", "openai", "https://open.bigmodel.cn/api/paas/v4", "ZHIPUAI_API_KEY",
         "ZHIPUAI_BASE_URL"},
        {"moonshot", "openai", "https://api.moonshot.cn/v1", "MOONSHOT_API_KEY",
         "MOONSHOT_BASE_URL"},
        {"openrouter", "openai", "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY",
         "OPENROUTER_BASE_URL"},
        {"mistral", "openai", "https://api.mistral.ai/v1", "MISTRAL_API_KEY",
         "MISTRAL_BASE_URL"},
        {"groq", "openai", "https://api.groq.com/openai/v1", "GROQ_API_KEY", "GROQ_BASE_URL"},
        {"ollama", "ollama", "http://localhost:11434", "", "OLLAMA_HOST"},
        {"llama-server", "openai", "http://localhost:8080/v1", "", "LLAMA_BASE_URL"},
        {"vllm", "openai", "http://localhost:8000/v1", "", "VLLM_BASE_URL"},
        {"lmstudio", "openai", "http://localhost:1234/v1", "", "LMSTUDIO_BASE_URL"},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        struct endpoint endpoint;
        rag_error error;
        char spec[80];
        if (*wanted[i].key_variable)
            setenv(wanted[i].key_variable, key, 1);
        snprintf(spec, sizeof spec, "%s:org/some:model", wanted[i].name);
        assert_ok(find(spec, NULL, NULL, &endpoint, &error), &error);
        assert_string_equal(endpoint.provider, wanted[i].name);
        assert_string_equal(endpoint.model, "org/some:model");
        assert_string_equal(endpoint.protocol->name, wanted[i].protocol);
        assert_string_equal(endpoint.base, wanted[i].url);
        assert_string_equal(endpoint.key, *wanted[i].key_variable ? key : "");
        assert_string_equal(endpoint.key_variable, wanted[i].key_variable);
        assert_string_equal(endpoint.url_variable, wanted[i].url_variable);
        assert_false(endpoint.own);
        endpoint_release(&endpoint);
    }
}

static void no_spec_is_rag_llm_and_no_model_the_default(void **state)
{
    (void)state;
    struct endpoint endpoint;
    rag_error error;
    setenv("OPENAI_API_KEY", key, 1);
    setenv("RAG_LLM", "openai", 1);
    assert_ok(find(NULL, NULL, NULL, &endpoint, &error), &error);
    assert_string_equal(endpoint.provider, "openai");
    assert_string_equal(endpoint.model, "gpt-4o-mini");
    endpoint_release(&endpoint);
    static const char *const wrong[][2] = {
        {"", "PROVIDER:MODEL"},
        {":m", "PROVIDER:MODEL"},
        {"opena", "known: openai, gemini"},
        {"vllm", "vllm has no default model"},
        {"vllm:", "vllm has no default model"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_status(RAG_USAGE, find(wrong[i][0], NULL, NULL, &endpoint, &error), &error);
        assert_says(&error, wrong[i][1]);
        endpoint_release(&endpoint);
    }
    unsetenv("RAG_LLM");
    assert_status(RAG_USAGE, find(NULL, NULL, NULL, &endpoint, &error), &error);
    endpoint_release(&endpoint);
}

static void a_usual_host_needs_a_key_and_an_own_one_does_not(void **state)
{
    (void)state;
    struct endpoint endpoint;
    rag_error error;
    static const char *const usual[] = {NULL, "https://API.openai.com/v1/",
                                        "https://api.openai.com:443/v1"};
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) {
        assert_status(RAG_NETWORK_AUTH, find("openai", NULL, usual[i], &endpoint, &error),
                      &error);
        assert_says(&error, "OPENAI_API_KEY");
        endpoint_release(&endpoint);
    }
    assert_ok(find("openai", NULL, "https://api.openai.com.example/v1", &endpoint, &error),
              &error);
    assert_true(endpoint.own);
    assert_string_equal(endpoint.key, "");
    endpoint_release(&endpoint);
}

static void ollamas_variable_is_read_as_ollama_does(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"10.0.0.5", "http://10.0.0.5:11434"},
        {"box:8080", "http://box:8080"},
        {":8080", "http://127.0.0.1:8080"},
        {"0.0.0.0", "http://0.0.0.0:11434"},
        {"[::1]", "http://[::1]:11434"},
        {"[::1]:80", "http://[::1]:80"},
        {"https://box.example/", "https://box.example"},
        {" ", "http://localhost:11434"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct endpoint endpoint;
        rag_error error;
        setenv("OLLAMA_HOST", cases[i][0], 1);
        assert_ok(find("ollama:m", NULL, NULL, &endpoint, &error), &error);
        assert_string_equal(endpoint.base, cases[i][1]);
        endpoint_release(&endpoint);
    }
}

/* ---- What a model is known to take and cost ------------------------------------ */

static void only_versions_of_a_known_model_are_as_it(void **state)
{
    (void)state;
    struct model_facts mini = model_table_find("openai", "gpt-4o-mini");
    assert_int_equal(mini.context_tokens, 128000);
    assert_true(mini.input_price > 0 && mini.output_price > mini.input_price);
    struct model_facts large = model_table_find("openai", "gpt-4o");
    assert_true(large.input_price > mini.input_price);
    static const char *const same[] = {"gpt-4o-mini-2099-01-31", "gpt-4o-mini-latest",
                                       "gpt-4o-mini-preview", "gpt-4o-mini-preview-05-20",
                                       "gpt-4o-mini-001"};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        assert_true(model_table_find("openai", same[i]).input_price == mini.input_price);
    static const char *const others[] = {"gpt-4o-tts",   "gpt-4omni", "gpt-4o-2", "gpt-4o-",
                                         "gpt-4o-2024x", "gpt",       ""};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_true(isnan(model_table_find("openai", others[i]).input_price));
        assert_int_equal(model_table_find("openai", others[i]).context_tokens, 0);
    }
    assert_true(isnan(model_table_find("mistral", "gpt-4o-mini").input_price));
}

static void a_server_of_this_machine_costs_nothing_by_its_whole_name(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        bool local;
    } cases[] = {
        {"http://localhost:8080/v1", true},
        {"http://127.0.0.1/v1", true},
        {"http://127.1.2.3:5/v1", true},
        {"http://[::1]:5/v1", true},
        {"http://LocalHost/v1", true},
        {"http://localhost.example/v1", false},
        {"http://127.0.0.1.example/v1", false},
        {"http://localhosts/v1", false},
        {"https://api.openai.example/v1", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct endpoint endpoint;
        rag_error error;
        assert_ok(find("openai:gpt-4o-mini", NULL, cases[i].url, &endpoint, &error), &error);
        assert_true(cases[i].local ? endpoint.input_price == 0 && endpoint.output_price == 0
                                   : isnan(endpoint.input_price));
        assert_int_equal(endpoint.context_tokens, 0);
        endpoint_release(&endpoint);
    }
}

static void a_preset_that_the_file_moves_has_no_prices_of_the_table(void **state)
{
    (void)state;
    static const char moved[] = "{\"providers\": {\"openai\": {\"base_url\": "
                                "\"https://other.example/v1\"}}}";
    static const char priced[] =
        "{\"providers\": {\"openai\": {\"output_price\": 3, \"models\": {\"gpt-4o-mini\": "
        "{\"context_tokens\": 4096, \"input_price\": 0}}}}}";
    struct endpoint endpoint;
    rag_error error;
    setenv("OPENAI_API_KEY", key, 1);
    assert_ok(find("openai", moved, NULL, &endpoint, &error), &error);
    assert_string_equal(endpoint.host, "other.example");
    assert_true(isnan(endpoint.input_price) && endpoint.context_tokens == 0);
    endpoint_release(&endpoint);
    assert_ok(find("openai", priced, NULL, &endpoint, &error), &error);
    assert_true(endpoint.input_price == 0 && endpoint.output_price == 3);
    assert_int_equal(endpoint.context_tokens, 4096);
    endpoint_release(&endpoint);
    rag_llm_options options = RAG_LLM_OPTIONS_INIT;
    options.config = config_path;
    options.context_tokens = 2000; /* the caller's word is the last */
    assert_ok(endpoint_find("openai", &options, &endpoint, &error), &error);
    assert_int_equal(endpoint.context_tokens, 2000);
    endpoint_release(&endpoint);
}

/* ---- The file ----------------------------------------------------------------- */

static const char company[] =
    "{\"providers\": {\"company\": {\"protocol\": \"openai\", \"base_url\": "
    "\"https://llm.example/v1/\", \"key_variable\": \"COMPANY_KEY\", \"url_variable\": "
    "\"COMPANY_URL\", \"model\": \"qwen3\"}}}";

static void a_provider_of_the_file_is_as_a_preset(void **state)
{
    (void)state;
    struct endpoint endpoint;
    rag_error error;
    assert_status(RAG_NETWORK_AUTH, find("company", company, NULL, &endpoint, &error), &error);
    assert_says(&error, "COMPANY_KEY");
    endpoint_release(&endpoint);
    setenv("COMPANY_KEY", key, 1);
    assert_ok(find("company", company, NULL, &endpoint, &error), &error);
    assert_string_equal(endpoint.base, "https://llm.example/v1");
    assert_string_equal(endpoint.key, key);
    endpoint_release(&endpoint);
    setenv("COMPANY_URL", "http://localhost:9", 1);
    assert_ok(find("company:other", company, NULL, &endpoint, &error), &error);
    assert_string_equal(endpoint.host, "localhost:9");
    assert_string_equal(endpoint.model, "other");
    endpoint_release(&endpoint);
}

static void the_file_is_found_where_it_is_said_to_be(void **state)
{
    (void)state;
    rag_llm_options options = RAG_LLM_OPTIONS_INIT;
    struct endpoint endpoint;
    rag_error error;
    char path[sizeof folder + 40];
    setenv("COMPANY_KEY", key, 1);
    write_bytes(company, strlen(company));
    assert_status(RAG_USAGE, endpoint_find("company", &options, &endpoint, &error), &error);
    endpoint_release(&endpoint);
    setenv("RAG_PROVIDERS", config_path, 1);
    assert_ok(endpoint_find("company", &options, &endpoint, &error), &error);
    endpoint_release(&endpoint);
    setenv("RAG_PROVIDERS", "", 1);
    assert_status(RAG_USAGE, endpoint_find("company", &options, &endpoint, &error), &error);
    endpoint_release(&endpoint);
    setenv("RAG_PROVIDERS", "/nonexistent/providers.json", 1);
    assert_int_not_equal(endpoint_find("openai", &options, &endpoint, &error), RAG_OK);
    assert_says(&error, "/nonexistent/providers.json");
    endpoint_release(&endpoint);
    unsetenv("RAG_PROVIDERS");
    snprintf(path, sizeof path, "%s/rag", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/rag/providers.json", folder);
    assert_int_equal(link(config_path, path), 0);
    assert_ok(endpoint_find("company", &options, &endpoint, &error), &error);
    endpoint_release(&endpoint);
    unlink(path);
    *strrchr(path, '/') = '\0';
    rmdir(path);
}

static void expect_refusal(const void *data, size_t size, const char *says)
{
    rag_llm_options options = RAG_LLM_OPTIONS_INIT;
    struct endpoint endpoint;
    rag_error error;
    write_bytes(data, size);
    options.config = config_path;
    assert_status(RAG_INPUT, endpoint_find("a:m", &options, &endpoint, &error), &error);
    endpoint_release(&endpoint);
    assert_says(&error, config_path);
    assert_says(&error, says);
    assert_null(strstr(error.message, "hunter2"));
    for (const char *c = error.message; *c; c++)
        assert_true((unsigned char)*c >= ' ' && *c != 0x7f);
}

static void a_secret_in_the_file_is_not_repeated(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"{\"providers\": {\"a\": {\"key\": \"hunter2\"}}}", "key_variable"},
        {"{\"providers\": {\"a\": {\"api_key\": \"hunter2\"}}}", "key_variable"},
        {"{\"providers\": {\"a\": {\"key_variable\": \"sk-hunter2\"}}}",
         "name of an environment variable"},
        {"{\"providers\": {\"a\": {\"url_variable\": \"http://hunter2\"}}}",
         "name of an environment variable"},
        {"{\"providers\": {\"a\": {\"base_url\": \"https://u:hunter2@h/v1\"}}}",
         "must be an address such as"},
        {"{\"providers\": {\"a\": {\"base_url\": \"https://h/v1?key=hunter2\"}}}",
         "must be an address such as"},
        {"{\"providers\": {\"a\": {\"base_url\": \"hunter2:11434\"}}}",
         "must be an address such as"},
        {"{\"providers\": {\"a\": {\"model\": \"m\"\n\"hunter2\"}}}", ":2: "},
        {"{\"providers\": {\"a\": {\"protocol\": \"hunter2\"}}}", "must be openai, gemini"},
        {"{\"hunter2\": {}}", "must be one object"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_refusal(cases[i][0], strlen(cases[i][0]), cases[i][1]);
}

static void hostile_files_are_refused_in_one_line(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", ":1: "},
        {"{\"providers\": {}} {}", ":1: "},
        {"{\"providers\": {}, \"providers\": {}}", "duplicate"},
        {"{\"providers\": []}", "must be one object"},
        {"{\"providers\": {}, \"more\": 1}", "must be one object"},
        {"null", ":1: "},
        {"[]", "must be one object"},
        {"{\"providers\": {\"\": {}}}", "is no name"},
        {"{\"providers\": {\"a b\": {}}}", "is no name"},
        {"{\"providers\": {\"\\u001b[2Ja\\n\": {}}}", "is no name"},
        {"{\"providers\": {\"a\": {\"\\u001b]0;x\\u0007\\r\\n\": 1}}}", "is not known"},
        {"{\"providers\": {\"a\": {\"b\\u0000c\": 1}}}", ":1: "},
        {"{\"providers\": {\"a\": {\"model\": \"b\\u0000c\"}}}", ":1: "},
        {"{\"providers\": {\"a\": {\"model\": 7}}}", "must be a string"},
        {"{\"providers\": {\"a\": {\"model\": null}}}", "must be a string"},
        {"{\"providers\": {\"a\": {\"protocol\": []}}}", "must be openai"},
        {"{\"providers\": {\"a\": {\"models\": []}}}", "object of models"},
        {"{\"providers\": {\"a\": {\"models\": {\"m\\u0007\": 1}}}}", "must be an object"},
        {"{\"providers\": {\"a\": {\"context_tokens\": 0}}}", "number of tokens"},
        {"{\"providers\": {\"a\": {\"context_tokens\": 1.5}}}", "number of tokens"},
        {"{\"providers\": {\"a\": {\"context_tokens\": 9999999999}}}", "number of tokens"},
        {"{\"providers\": {\"a\": {\"context_tokens\": 99999999999999999999}}}", ":1: "},
        {"{\"providers\": {\"a\": {\"output_price\": 1e7}}}", "million tokens"},
        {"{\"providers\": {\"a\": {\"output_price\": 1e999}}}", ":1: "},
        {"{\"providers\": {\"a\": {\"input_price\": \"0.3\"}}}", "million tokens"},
        {"{\"providers\": {\"a\": {\"input_price\": NaN}}}", ":1: "},
        {"{\"providers\": {\"a\": {\"model\": \"\xff\"}}}", ":1: "},
        {"{\"providers\": {\"a\": {\"base_url\": \"https://h/\\r\\nX: y\"}}}", "address"},
        {"{\"providers\": {\"a\": {\"base_url\": \"file:///etc/passwd\"}}}", "address"},
        {"{\"providers\": {\"a\": {\"base_url\": \"\"}}}", "address"},
        {"{\"providers\": {\"a\": {\"key_variable\": \"A=B\"}}}", "environment variable"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_refusal(cases[i][0], strlen(cases[i][0]), cases[i][1]);
    expect_refusal("{\"providers\"\0: {}}", 17, ":1: ");
}

/* begin, as many n as a file may hold, end. */
static void expect_long_text_refused(const char *begin, const char *end, const char *says)
{
    enum { MOST = 1 << 20 };
    char *text = malloc(MOST);
    assert_non_null(text);
    memset(text, 'n', MOST);
    memcpy(text, begin, strlen(begin));
    memcpy(text + MOST - strlen(end), end, strlen(end));
    expect_refusal(text, MOST, says);
    free(text);
}

static void oversized_files_are_refused(void **state)
{
    (void)state;
    enum { TOO_MUCH = (1 << 20) + 1 };
    char *text = malloc(TOO_MUCH);
    assert_non_null(text);
    memset(text, ' ', TOO_MUCH);
    expect_refusal(text, TOO_MUCH, "1048576");
    memset(text, '[', TOO_MUCH);
    expect_refusal(text, TOO_MUCH - 1, ":1: ");
    free(text);
    expect_long_text_refused("{\"providers\": {\"", "\": {}}}", "is no name");
    expect_long_text_refused("{\"providers\": {\"a\": {\"", "\": 1}}}", "is not known");
    expect_long_text_refused("{\"providers\": {\"a\": {\"base_url\": \"http://", "\"}}}",
                             "address");
}

static void a_refused_address_is_not_listed(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        bool ready;
    } cases[] = {
        {"https://user:hunter2@h/v1", false},
        {"https://h/v1?key=hunter2", false},
        {"https://api.openai.com/v1/", false}, /* wants a key */
        {"https://h/v1", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rag_provider_list *list;
        rag_error error;
        setenv("OPENAI_BASE_URL", cases[i].url, 1);
        assert_ok(rag_provider_list_open("", &list, &error), &error);
        const rag_provider *openai = rag_provider_list_get(list, 0);
        assert_string_equal(openai->name, "openai");
        assert_int_equal(openai->ready, cases[i].ready);
        assert_null(strstr(openai->base_url, "hunter2"));
        rag_provider_list_free(list);
    }
}

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(config_path, sizeof config_path, "%s/config.json", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(config_path);
    return rmdir(folder);
}

#define provider_test(test) cmocka_unit_test_setup(test, forget)

int main(void)
{
    const struct CMUnitTest tests[] = {
        provider_test(presets_know_their_address_key_and_model),
        provider_test(no_spec_is_rag_llm_and_no_model_the_default),
        provider_test(a_usual_host_needs_a_key_and_an_own_one_does_not),
        provider_test(ollamas_variable_is_read_as_ollama_does),
        provider_test(only_versions_of_a_known_model_are_as_it),
        provider_test(a_server_of_this_machine_costs_nothing_by_its_whole_name),
        provider_test(a_preset_that_the_file_moves_has_no_prices_of_the_table),
        provider_test(a_provider_of_the_file_is_as_a_preset),
        provider_test(the_file_is_found_where_it_is_said_to_be),
        provider_test(a_secret_in_the_file_is_not_repeated),
        provider_test(hostile_files_are_refused_in_one_line),
        provider_test(oversized_files_are_refused),
        provider_test(a_refused_address_is_not_listed),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
