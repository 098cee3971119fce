#include "chat/provider.h"
#include "base/file.h"
#include "base/memory.h"
#include "chat/address.h"
#include "chat/model_table.h"
#include "chat/provider_file.h"

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

static rag_status find_address(const struct provider *provider, const rag_llm_options *options,
                               struct endpoint *endpoint, rag_error *error)
{
    struct address address;
    rag_status status = address_find(provider, options->base_url, &address, error);
    if (status)
        return status;
    endpoint->base = address.base;
    endpoint->host = address.host;
    endpoint->own = address.own;
    endpoint->local = address_is_local(&address);
    address.base = address.host = NULL;
    address_release(&address);
    /* Gemini's OpenAI-compatible address, which its users often have set; and other servers
     * that a Gemini client was pointed at. */
    const char *folder = path_name(endpoint->base);
    endpoint->protocol = provider->protocol;
    if (endpoint->protocol == &gemini_protocol &&
        (strcmp(folder, "openai") == 0 || (endpoint->own && strcmp(folder, "v1") == 0)))
        endpoint->protocol = &openai_protocol;
    return RAG_OK;
}

static rag_status find_key(const struct provider *provider, const rag_llm_options *options,
                           struct endpoint *endpoint, rag_error *error)
{
    const char *source = options->key ? "the key" : provider->key_variable;
    endpoint->key =
        options->key ? strdup(options->key) : environment_text(provider->key_variable);
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

/* What is known of the model: the file's word, else the table's at the preset's own host; a
 * server of this machine costs nothing. */
static void find_facts(const struct provider *provider, const rag_llm_options *options,
                       struct endpoint *endpoint)
{
    struct model_facts facts = provider_facts(provider, endpoint->model);
    struct model_facts table = MODEL_FACTS_NONE;
    if (endpoint->local)
        table.input_price = table.output_price = 0;
    else if (!endpoint->own && !provider->moved)
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
