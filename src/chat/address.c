#include "chat/address.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <string.h>
#include <strings.h>

enum { MAX_URL = 8192 };

void address_release(struct address *address)
{
    free(address->base);
    free(address->name);
    free(address->host);
    *address = (struct address){0};
}

static char *part(CURLU *parts, CURLUPart which)
{
    char *value = NULL;
    return curl_url_get(parts, which, &value, 0) == CURLUE_OK ? value : NULL;
}

static size_t without_slashes(const char *url, size_t size)
{
    while (size && url[size - 1] == '/')
        size--;
    return size;
}

/* How much of a URL is the base: providers' pages show where a request goes, and that is what
 * many paste. */
static size_t base_size(const char *url)
{
    static const char *const requests[] = {"/chat/completions", "/v1/messages", "/api/chat"};
    size_t size = without_slashes(url, strlen(url));
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        size_t tail = strlen(requests[i]);
        if (size > tail && memcmp(url + size - tail, requests[i], tail) == 0)
            return without_slashes(url, size - tail);
    }
    const char *models = strstr(url, "/models/"), *verb = strrchr(url, ':');
    if (models && verb &&
        (strcmp(verb, ":generateContent") == 0 || strcmp(verb, ":streamGenerateContent") == 0))
        return (size_t)(models - url);
    return size;
}

static bool copy_parts(const char *url, const char *name, const char *port,
                       struct address *address)
{
    struct buf host = BUF_INIT(MAX_URL);
    if (buf_printf(&host, "%s%s%s", name, port ? ":" : "", port ? port : ""))
        address->host = buf_detach(&host);
    buf_release(&host);
    address->base = strndup(url, base_size(url));
    address->name = strdup(name);
    return address->base && address->name && address->host;
}

rag_status address_parse(const char *url, struct address *address)
{
    *address = (struct address){0};
    if (strlen(url) > MAX_URL / 2)
        return RAG_USAGE;
    CURLU *parts = curl_url();
    if (!parts)
        return RAG_MEMORY;
    bool valid = curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK;
    char *scheme = part(parts, CURLUPART_SCHEME), *user = part(parts, CURLUPART_USER),
         *query = part(parts, CURLUPART_QUERY), *fragment = part(parts, CURLUPART_FRAGMENT),
         *name = part(parts, CURLUPART_HOST), *port = part(parts, CURLUPART_PORT);
    rag_status status = RAG_OK;
    if (!valid || !scheme || !name || user || query || fragment ||
        (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0))
        status = RAG_USAGE;
    else if (!copy_parts(url, name, port, address))
        status = RAG_MEMORY;
    curl_free(scheme);
    curl_free(user);
    curl_free(query);
    curl_free(fragment);
    curl_free(name);
    curl_free(port);
    curl_url_cleanup(parts);
    if (status)
        address_release(address);
    return status;
}

/* Ollama's variable need not be a URL: "10.0.0.5", "host:8080" and ":8080" are its own. NULL:
 * out of memory. */
static char *ollama_url(const char *text)
{
    if (strstr(text, "://"))
        return strdup(text);
    bool named = *text && *text != ':';
    const char *bracket = strrchr(text, ']');
    bool has_port = strchr(bracket ? bracket : text, ':') != NULL;
    struct buf url = BUF_INIT(MAX_URL);
    char *result = NULL;
    if (buf_printf(&url, "http://%s%s%s", named ? "" : "127.0.0.1", text,
                   has_port ? "" : ":11434"))
        result = buf_detach(&url);
    buf_release(&url);
    return result;
}

/* What was given, or what the variable holds; "" if nothing. NULL: out of memory. */
static char *given_url(const struct provider *provider, const char *base_url)
{
    char *url = base_url ? strdup(base_url) : environment_text(provider->url_variable);
    if (!url || !*url || provider->protocol != &ollama_protocol)
        return url;
    char *whole = ollama_url(url);
    free(url);
    return whole;
}

rag_status address_find(const struct provider *provider, const char *base_url,
                        struct address *address, rag_error *error)
{
    *address = (struct address){0};
    struct address usual = {0};
    char *url = given_url(provider, base_url);
    bool given = url && (base_url || *url);
    rag_status status = url ? address_parse(given ? url : provider->url, address) : RAG_MEMORY;
    if (!status && given && !(status = address_parse(provider->url, &usual)))
        address->own = strcasecmp(address->name, usual.name) != 0;
    free(url);
    address_release(&usual);
    if (!status)
        return RAG_OK;
    address_release(address);
    if (status == RAG_MEMORY)
        return fail_memory(error);
    return fail_with(error, RAG_USAGE,
                     "%s must be an address such as %s: http or https, with no user name, "
                     "query or fragment",
                     base_url ? "base_url" : provider->url_variable, provider->url);
}

bool address_is_local(const struct address *address)
{
    struct in_addr number;
    return strcasecmp(address->name, "localhost") == 0 || strcmp(address->name, "[::1]") == 0 ||
           (inet_pton(AF_INET, address->name, &number) == 1 &&
            ntohl(number.s_addr) >> 24 == 127);
}
