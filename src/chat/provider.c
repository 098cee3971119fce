#include "chat/provider.h"
#include "base/file.h"
#include "base/memory.h"

#include <ctype.h>
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

static const struct provider providers[] = {
    {"openai", &openai_protocol, "OPENAI_API_KEY", "OPENAI_BASE_URL",
     "https://api.openai.com/v1"},
    {"gemini", &gemini_protocol, "GEMINI_API_KEY", "GEMINI_BASE_URL",
     "https://generativelanguage.googleapis.com"},
};
enum { PROVIDER_COUNT = sizeof providers / sizeof *providers };

void endpoint_release(struct endpoint *endpoint)
{
    free(endpoint->base);
    free(endpoint->host);
    free(endpoint->key);
    *endpoint = (struct endpoint){0};
}

/* A variable's value without spaces around it; what a shell or a .env file leaves there
 * is no part of a key or an address. NULL: out of memory. */
static char *environment(const char *variable)
{
    const char *value = getenv(variable);
    if (!value)
        value = "";
    while (isspace((unsigned char)*value))
        value++;
    size_t size = strlen(value);
    while (size && isspace((unsigned char)value[size - 1]))
        size--;
    return strndup(value, size);
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
 * provider's. */
static rag_status check_url(const struct provider *provider, const char *url, char **host,
                            bool *own, rag_error *error)
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
    curl_url_set(usual, CURLUPART_URL, provider->default_url, 0);
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
                           provider->url_variable, provider->default_url);
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

static const struct provider *provider_find(const char *name, size_t size)
{
    for (size_t i = 0; i < PROVIDER_COUNT; i++)
        if (strlen(providers[i].name) == size && memcmp(providers[i].name, name, size) == 0)
            return &providers[i];
    return NULL;
}

static rag_status unknown_provider(const char *name, size_t size, rag_error *error)
{
    char known[256] = "";
    for (size_t i = 0; i < PROVIDER_COUNT; i++) {
        strcat(known, i ? ", " : "");
        strcat(known, providers[i].name);
    }
    return fail_with(error, RAG_USAGE,
                     "no such provider of language models: \"%.*s\" (known: %s)",
                     size < 60 ? (int)size : 60, name, known);
}

rag_status endpoint_find(const char *name, size_t name_size, struct endpoint *endpoint,
                         rag_error *error)
{
    const struct provider *provider = provider_find(name, name_size);
    *endpoint = (struct endpoint){.provider = provider};
    if (!provider)
        return unknown_provider(name, name_size, error);
    endpoint->protocol = provider->protocol;
    endpoint->key = environment(provider->key_variable);
    endpoint->base = environment(provider->url_variable);
    if (endpoint->base && !*endpoint->base) {
        free(endpoint->base);
        endpoint->base = strdup(provider->default_url);
    }
    if (!endpoint->key || !endpoint->base)
        return fail_memory(error);
    char *base = endpoint->base;
    for (size_t size = strlen(base); size && base[size - 1] == '/'; size--)
        base[size - 1] = '\0';
    bool own = false;
    rag_status status = check_url(provider, base, &endpoint->host, &own, error);
    if (!status)
        status = check_key(endpoint->key, provider->key_variable, error);
    if (!status && !own && !*endpoint->key)
        status = fail_with(error, RAG_NETWORK_AUTH,
                           "no key for %s: set %s, or %s to a server that needs none",
                           endpoint->host, provider->key_variable, provider->url_variable);
    /* Gemini's OpenAI-compatible address, which its users often have set. */
    if (strcmp(path_name(base), "openai") == 0)
        endpoint->protocol = &openai_protocol;
    return status;
}
