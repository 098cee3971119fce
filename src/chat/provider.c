#include "chat/provider.h"
#include "base/file.h"
#include "base/memory.h"
#include "chat/model_table.h"
#include "chat/provider_set.h"

#include <curl/curl.h>
#include <math.h>
#include <string.h>

void endpoint_release(struct endpoint *endpoint)
{
    free(endpoint->provider);
    free(endpoint->model);
    free(endpoint->base);
    free(endpoint->host);
    free(endpoint->key);
    free(endpoint->key_variable);
    free(endpoint->url_variable);
    *endpoint = (struct endpoint){0};
}

static rag_status check_key(const char *key, const char *variable, rag_error *error)
{
    for (; *key; key++)
        if (*key <= ' ' || *key > '~')
            return fail_with(error, RAG_USAGE,
                             "%s holds a character that no key has (a space, a quote of a "
                             "word processor?)",
                             variable);
    return RAG_OK;
}

static char *part(CURLU *parts, CURLUPart which)
{
    char *value = NULL;
    return curl_url_get(parts, which, &value, 0) == CURLUE_OK ? value : NULL;
}

/* Takes the address apart: *host is its host and port, *own says that it is not the
 * provider's. source: who gave the address, for messages. */
static rag_status check_url(const struct provider *provider, const char *url,
                            const char *source, char **host, bool *own, rag_error *error)
{
    rag_status status = RAG_OK;
    CURLU *parts = curl_url(), *usual = curl_url();
    char *scheme = NULL, *user = NULL, *query = NULL, *fragment = NULL, *name = NULL,
         *port = NULL, *usual_name = NULL;
    if (!parts || !usual) {
        status = fail_memory(error);
        goto out;
    }
    bool valid = curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK;
    curl_url_set(usual, CURLUPART_URL, provider->url, 0);
    scheme = part(parts, CURLUPART_SCHEME);
    user = part(parts, CURLUPART_USER);
    query = part(parts, CURLUPART_QUERY);
    fragment = part(parts, CURLUPART_FRAGMENT);
    name = part(parts, CURLUPART_HOST);
    port = part(parts, CURLUPART_PORT);
    usual_name = part(usual, CURLUPART_HOST);
    if (!valid || !scheme || !name || user || query || fragment ||
        (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)) {
        /* The value is not shown: it may hold a password. */
        status = fail_with(error, RAG_USAGE,
                           "%s must be an address such as %s: http or https, with no user "
                           "name, query or fragment",
                           source, provider->url);
        goto out;
    }
    *own = !usual_name || strcmp(name, usual_name) != 0;
    struct buf shown = BUF_INIT(1024);
    if (!buf_printf(&shown, "%s%s%s", name, port ? ":" : "", port ? port : "") ||
        !(*host = buf_detach(&shown))) {
        buf_release(&shown);
        status = fail_memory(error);
    }
out:
    curl_free(scheme);
    curl_free(user);
    curl_free(query);
    curl_free(fragment);
    curl_free(name);
    curl_free(port);
    curl_free(usual_name);
    curl_url_cleanup(parts);
    curl_url_cleanup(usual);
    return status;
}

/* A host of this machine or of its own network's names: "localhost", "127.0.0.1", "[::1]". */
static bool is_local(const char *host)
{
    return strncmp(host, "localhost", 9) == 0 || strncmp(host, "127.", 4) == 0 ||
           strncmp(host, "[::1]", 5) == 0;
}

static rag_status unknown_provider(const struct provider_set *set, const char *name,
                                   size_t size, rag_error *error)
{
    struct buf known = BUF_INIT(512);
    for (size_t i = 0; i < set->count; i++)
        if (!buf_printf(&known, "%s%s", i ? ", " : "", set->items[i].name))
            break;
    rag_status status =
        fail_with(error, RAG_USAGE, "no such provider of language models: \"%.*s\" (known: %s)",
                  size < 60 ? (int)size : 60, name, known.size ? known.data : "");
    buf_release(&known);
    return status;
}

/* The first of these that is set, copied: an option, an environment variable, the provider's
 * own. NULL: out of memory. */
static char *choose(const char *option, const char *variable, const char *own)
{
    if (option)
        return strdup(option);
    char *value = environment_text(variable);
    if (value && !*value) {
        free(value);
        value = strdup(own);
    }
    return value;
}

/* "localhost:11434" is what OLLAMA_HOST often holds. */
static char *with_scheme(char *base)
{
    if (!base || !*base || strstr(base, "://"))
        return base;
    struct buf url = BUF_INIT(8192);
    bool ok = buf_printf(&url, "http://%s", base);
    free(base);
    if (ok)
        return buf_detach(&url);
    buf_release(&url);
    return NULL;
}

static rag_status find_address(const struct provider *provider, const rag_llm_options *options,
                               struct endpoint *endpoint, rag_error *error)
{
    const char *source = options->base_url ? "base_url" : provider->url_variable;
    endpoint->base = choose(options->base_url, provider->url_variable, provider->url);
    if (provider->protocol == &ollama_protocol)
        endpoint->base = with_scheme(endpoint->base);
    if (!endpoint->base)
        return fail_memory(error);
    char *base = endpoint->base;
    for (size_t size = strlen(base); size && base[size - 1] == '/'; size--)
        base[size - 1] = '\0';
    rag_status status =
        check_url(provider, base, source, &endpoint->host, &endpoint->own, error);
    if (status)
        return status;
    /* Gemini's OpenAI-compatible address, which its users often have set; and other servers
     * that a Gemini client was pointed at. */
    endpoint->protocol = provider->protocol;
    if (endpoint->protocol == &gemini_protocol &&
        (strcmp(path_name(base), "openai") == 0 ||
         (endpoint->own && strcmp(path_name(base), "v1") == 0)))
        endpoint->protocol = &openai_protocol;
    return RAG_OK;
}

static rag_status find_key(const struct provider *provider, const rag_llm_options *options,
                           struct endpoint *endpoint, rag_error *error)
{
    const char *source = options->key ? "the key" : provider->key_variable;
    endpoint->key = choose(options->key, provider->key_variable, "");
    if (!endpoint->key)
        return fail_memory(error);
    rag_status status = check_key(endpoint->key, source, error);
    if (status || endpoint->own || *endpoint->key || !*provider->key_variable)
        return status;
    return fail_with(error, RAG_NETWORK_AUTH,
                     "no key for %s: set %s, or %s to a server that needs none", endpoint->host,
                     provider->key_variable,
                     *provider->url_variable ? provider->url_variable : "base_url");
}

/* What is known of the model: the file's word, else the table's for the usual host; a server of
 * this machine costs nothing. */
static void find_facts(const struct provider *provider, const rag_llm_options *options,
                       struct endpoint *endpoint)
{
    struct model_facts facts = provider_facts(provider, endpoint->model);
    struct model_facts table = MODEL_FACTS_NONE;
    if (is_local(endpoint->host))
        table.input_price = table.output_price = 0;
    else if (!endpoint->own)
        table = model_table_find(endpoint->provider, endpoint->model);
    endpoint->context_tokens = options->context_tokens ? options->context_tokens
                               : facts.context_tokens  ? facts.context_tokens
                                                       : table.context_tokens;
    endpoint->input_price = isnan(facts.input_price) ? table.input_price : facts.input_price;
    endpoint->output_price =
        isnan(facts.output_price) ? table.output_price : facts.output_price;
}

static rag_status find_in(const struct provider_set *set, const char *spec,
                          const rag_llm_options *options, struct endpoint *endpoint,
                          rag_error *error)
{
    /* The first colon: a model's name may have more of them ("qwen2.5:7b"). */
    size_t name_size = strcspn(spec, ":");
    const char *model = spec[name_size] ? spec + name_size + 1 : "";
    const struct provider *provider = provider_set_find(set, spec, name_size);
    if (!provider)
        return unknown_provider(set, spec, name_size, error);
    if (!*model)
        model = provider->model;
    if (!*model)
        return fail_with(error, RAG_USAGE,
                         "%s has no default model: name one, such as %s:MODEL", provider->name,
                         provider->name);
    endpoint->provider = strdup(provider->name);
    endpoint->model = strdup(model);
    endpoint->key_variable = strdup(provider->key_variable);
    endpoint->url_variable = strdup(provider->url_variable);
    if (!endpoint->provider || !endpoint->model || !endpoint->key_variable ||
        !endpoint->url_variable)
        return fail_memory(error);
    rag_status status = find_address(provider, options, endpoint, error);
    if (!status)
        status = find_key(provider, options, endpoint, error);
    if (!status)
        find_facts(provider, options, endpoint);
    return status;
}

rag_status endpoint_find(const char *spec, const rag_llm_options *options,
                         struct endpoint *endpoint, rag_error *error)
{
    *endpoint = (struct endpoint){0};
    if (!spec)
        spec = getenv("RAG_LLM");
    if (!spec || !*spec || *spec == ':')
        return fail_with(error, RAG_USAGE,
                         "\"%.80s\" is no language model: give PROVIDER:MODEL, such as "
                         "gemini:gemini-2.5-flash",
                         spec ? spec : "");
    struct provider_set set;
    rag_status status = provider_set_load(options->config, &set, error);
    if (!status)
        status = find_in(&set, spec, options, endpoint, error);
    provider_set_release(&set);
    return status;
}
