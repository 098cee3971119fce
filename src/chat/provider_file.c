#include "chat/provider_file.h"
#include "base/file.h"
#include "chat/address.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

enum { MAX_FILE = 1 << 20 };

static const struct {
    const char *name;
    const struct protocol *protocol;
} protocols[] = {
    {"openai", &openai_protocol},
    {"gemini", &gemini_protocol},
    {"anthropic", &anthropic_protocol},
    {"ollama", &ollama_protocol},
};

/* Where in the file we are, for messages. */
struct place {
    const char *path, *provider, *model; /* model NULL: at the provider */
};

/* A name from the file as a message may show it: short, without control characters. */
struct shown {
    char text[64];
};

static struct shown show(const char *name)
{
    struct shown shown;
    size_t size = 0;
    while (name[size] && size < sizeof shown.text - 1) {
        shown.text[size] = iscntrl((unsigned char)name[size]) ? '?' : name[size];
        size++;
    }
    /* Not in the midst of a character. */
    while (size && name[size] && ((unsigned char)name[size] & 0xc0) == 0x80)
        size--;
    shown.text[size] = '\0';
    return shown;
}

static rag_status refuse(const struct place *place, const char *field, const char *what,
                         rag_error *error)
{
    return fail_with(error, RAG_INPUT, "%s: provider \"%s\"%s%s%s: \"%s\" %s", place->path,
                     show(place->provider).text, place->model ? ", model \"" : "",
                     place->model ? show(place->model).text : "", place->model ? "\"" : "",
                     show(field).text, what);
}

/* Takes one of the fields that providers and models share. *known false: it is none. */
static rag_status read_fact(const struct place *place, const char *field, const json_t *value,
                            struct model_facts *facts, bool *known, rag_error *error)
{
    *known = true;
    if (strcmp(field, "context_tokens") == 0) {
        json_int_t tokens = json_integer_value(value);
        if (tokens < 1 || tokens > 1 << 30)
            return refuse(place, field, "must be a number of tokens", error);
        facts->context_tokens = (size_t)tokens;
        return RAG_OK;
    }
    double *price = strcmp(field, "input_price") == 0    ? &facts->input_price
                    : strcmp(field, "output_price") == 0 ? &facts->output_price
                                                         : NULL;
    *known = price != NULL;
    if (!price)
        return RAG_OK;
    double number = json_number_value(value);
    if (!json_is_number(value) || !(number >= 0 && number <= 1e6))
        return refuse(place, field, "must be US dollars for a million tokens", error);
    *price = number;
    return RAG_OK;
}

static rag_status read_models(struct place place, json_t *models, rag_error *error)
{
    const char *model, *field;
    json_t *object, *value;
    if (!json_is_object(models))
        return refuse(&place, "models", "must be an object of models", error);
    json_object_foreach(models, model, object)
    {
        place.model = model;
        if (!json_is_object(object))
            return refuse(&place, model, "must be an object", error);
        json_object_foreach(object, field, value)
        {
            struct model_facts facts;
            bool known;
            rag_status status = read_fact(&place, field, value, &facts, &known, error);
            if (status)
                return status;
            if (!known)
                return refuse(&place, field, "is not known", error);
        }
    }
    return RAG_OK;
}

static rag_status read_protocol(const struct place *place, const json_t *value,
                                struct provider *provider, rag_error *error)
{
    const char *name = json_string_value(value);
    for (size_t i = 0; name && i < sizeof protocols / sizeof *protocols; i++)
        if (strcmp(protocols[i].name, name) == 0) {
            provider->protocol = protocols[i].protocol;
            return RAG_OK;
        }
    return refuse(place, "protocol", "must be openai, gemini, anthropic or ollama", error);
}

static rag_status keep_text(const char *text, char **member, rag_error *error)
{
    char *copy = strdup(text);
    if (!copy)
        return fail_memory(error);
    free(*member);
    *member = copy;
    return RAG_OK;
}

static rag_status read_url(const struct place *place, const char *url,
                           struct provider *provider, rag_error *error)
{
    struct address address;
    rag_status status = address_parse(url, &address);
    address_release(&address);
    if (status == RAG_MEMORY)
        return fail_memory(error);
    if (status)
        return refuse(place, "base_url",
                      "must be an address such as https://llm.example/v1: http or https, with "
                      "no user name, query or fragment",
                      error);
    provider->moved = *provider->url && strcmp(provider->url, url) != 0;
    return keep_text(url, &provider->url, error);
}

/* A key that was written where its variable's name belongs must not show up in a message that
 * tells to set it. */
static bool is_variable(const char *name)
{
    if (isdigit((unsigned char)*name))
        return false;
    while (*name == '_' || isalnum((unsigned char)*name))
        name++;
    return !*name;
}

static rag_status read_text(const struct place *place, const char *field, const char *text,
                            struct provider *provider, rag_error *error)
{
    if (strcmp(field, "base_url") == 0)
        return read_url(place, text, provider, error);
    if (strcmp(field, "model") == 0)
        return keep_text(text, &provider->model, error);
    if (!is_variable(text))
        return refuse(place, field, "must be the name of an environment variable", error);
    return keep_text(text,
                     strcmp(field, "key_variable") == 0 ? &provider->key_variable
                                                        : &provider->url_variable,
                     error);
}

static bool is_one_of(const char *field, const char *const *names)
{
    while (*names && strcmp(*names, field) != 0)
        names++;
    return *names != NULL;
}

static rag_status read_field(const struct place *place, const char *field, json_t *value,
                             struct provider *provider, rag_error *error)
{
    static const char *const texts[] = {"base_url", "key_variable", "url_variable", "model",
                                        NULL};
    static const char *const keys[] = {"key", "api_key", "apiKey", "token", NULL};
    bool known;
    rag_status status = read_fact(place, field, value, &provider->facts, &known, error);
    if (status || known)
        return status;
    if (strcmp(field, "protocol") == 0)
        return read_protocol(place, value, provider, error);
    if (strcmp(field, "models") == 0) {
        if ((status = read_models(*place, value, error)))
            return status;
        json_decref(provider->models);
        provider->models = json_incref(value);
        return RAG_OK;
    }
    if (is_one_of(field, texts))
        return json_is_string(value)
                   ? read_text(place, field, json_string_value(value), provider, error)
                   : refuse(place, field, "must be a string", error);
    if (is_one_of(field, keys))
        return refuse(place, field,
                      "does not belong into a file: put the key into an environment variable "
                      "and name that in \"key_variable\"",
                      error);
    return refuse(place, field, "is not known", error);
}

/* What can stand before the colon of "PROVIDER:MODEL", and in a table. */
static bool is_name(const char *name)
{
    size_t size = strlen(name);
    for (; *name; name++)
        if (!isalnum((unsigned char)*name) && !strchr("-_.", *name))
            return false;
    return size > 0 && size <= 60;
}

static rag_status read_provider(const char *path, const char *name, json_t *object,
                                struct provider_set *set, rag_error *error)
{
    struct place place = {.path = path, .provider = name};
    if (!is_name(name))
        return refuse(&place, name,
                      "is no name: it takes letters, digits, \"-\", \"_\" and \".\", no colon",
                      error);
    if (!json_is_object(object))
        return refuse(&place, name, "must be an object", error);
    struct provider *provider = provider_set_get(set, name);
    if (!provider)
        return fail_memory(error);
    const char *field;
    json_t *value;
    json_object_foreach(object, field, value)
    {
        rag_status status = read_field(&place, field, value, provider, error);
        if (status)
            return status;
    }
    if (!provider->protocol)
        return refuse(&place, "protocol", "is missing", error);
    if (!*provider->url)
        return refuse(&place, "base_url", "is missing", error);
    return RAG_OK;
}

rag_status provider_file_read(const char *path, struct provider_set *set, rag_error *error)
{
    struct buf text = BUF_INIT(MAX_FILE);
    json_t *root = NULL;
    rag_status status = file_read(path, &text, error);
    if (status)
        goto out;
    json_error_t wrong;
    root = json_loadb(text.size ? text.data : "", text.size, JSON_REJECT_DUPLICATES, &wrong);
    if (!root) {
        /* Without the word that stands there: it may be a key. */
        char *near = strstr(wrong.text, " near ");
        if (near)
            *near = '\0';
        status = fail_with(error, RAG_INPUT, "%s:%d: %s", path, wrong.line, wrong.text);
        goto out;
    }
    json_t *providers = json_object_get(root, "providers");
    if (!json_is_object(providers) || json_object_size(root) != 1) {
        status = fail_with(error, RAG_INPUT,
                           "%s: must be one object {\"providers\": {\"NAME\": {...}}}", path);
        goto out;
    }
    const char *name;
    json_t *object;
    json_object_foreach(providers, name, object)
    {
        if ((status = read_provider(path, name, object, set, error)))
            goto out;
    }
out:
    json_decref(root);
    buf_release(&text);
    return status;
}

struct model_facts provider_facts(const struct provider *provider, const char *model)
{
    struct model_facts facts = provider->facts;
    const struct place place = {0};
    const char *field;
    json_t *value;
    json_object_foreach(json_object_get(provider->models, model), field, value)
    {
        bool known;
        rag_status status = read_fact(&place, field, value, &facts, &known, NULL);
        (void)status; /* checked when the file was read */
    }
    return facts;
}
