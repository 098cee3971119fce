#include "chat/provider_set.h"
#include "base/file.h"
#include "base/memory.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

enum { MAX_FILE = 1 << 20 };

/* Servers of one's own machine need no key. Default models are small and cheap, and none where
 * what a server has is its owner's choice. */
static const struct preset {
    const char *name;
    const struct protocol *protocol;
    const char *key_variable, *url_variable, *url, *model;
} presets[] = {
    {"openai", &openai_protocol, "OPENAI_API_KEY", "OPENAI_BASE_URL",
     "https://api.openai.com/v1", "gpt-4o-mini"},
    {"gemini", &gemini_protocol, "GEMINI_API_KEY", "GEMINI_BASE_URL",
     "https://generativelanguage.googleapis.com", "gemini-2.5-flash"},
    {"anthropic", &anthropic_protocol, "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL",
     "https://api.anthropic.com", "claude-haiku-4-5"},
    {"siliconflow", &openai_protocol, "SILICONFLOW_API_KEY", "SILICONFLOW_BASE_URL",
     "https://api.siliconflow.cn/v1", "Qwen/Qwen2.5-7B-Instruct"},
    {"deepseek", &openai_protocol, "DEEPSEEK_API_KEY", "DEEPSEEK_BASE_URL",
     "https://api.deepseek.com/v1", "deepseek-chat"},
    {"dashscope", &openai_protocol, "DASHSCOPE_API_KEY", "DASHSCOPE_BASE_URL",
     "https://dashscope.aliyuncs.com/compatible-mode/v1", "qwen-turbo"},
    {"zhipu", &openai_protocol, "ZHIPUAI_API_KEY", "ZHIPUAI_BASE_URL",
     "https://open.bigmodel.cn/api/paas/v4", "glm-4-flash"},
    {"moonshot", &openai_protocol, "MOONSHOT_API_KEY", "MOONSHOT_BASE_URL",
     "https://api.moonshot.cn/v1", ""},
    {"openrouter", &openai_protocol, "OPENROUTER_API_KEY", "OPENROUTER_BASE_URL",
     "https://openrouter.ai/api/v1", ""},
    {"mistral", &openai_protocol, "MISTRAL_API_KEY", "MISTRAL_BASE_URL",
     "https://api.mistral.ai/v1", "mistral-small-latest"},
    {"groq", &openai_protocol, "GROQ_API_KEY", "GROQ_BASE_URL",
     "https://api.groq.com/openai/v1", ""},
    {"ollama", &ollama_protocol, "", "OLLAMA_HOST", "http://localhost:11434", ""},
    {"llama-server", &openai_protocol, "", "LLAMA_BASE_URL", "http://localhost:8080/v1",
     "default"},
    {"vllm", &openai_protocol, "", "VLLM_BASE_URL", "http://localhost:8000/v1", ""},
    {"lmstudio", &openai_protocol, "", "LMSTUDIO_BASE_URL", "http://localhost:1234/v1", ""},
};
enum { PRESETS = sizeof presets / sizeof *presets };

static const struct {
    const char *name;
    const struct protocol *protocol;
} protocols[] = {
    {"openai", &openai_protocol},
    {"gemini", &gemini_protocol},
    {"anthropic", &anthropic_protocol},
    {"ollama", &ollama_protocol},
};

char *environment_text(const char *variable)
{
    const char *value = *variable ? getenv(variable) : NULL;
    if (!value)
        value = "";
    while (isspace((unsigned char)*value))
        value++;
    size_t size = strlen(value);
    while (size && isspace((unsigned char)value[size - 1]))
        size--;
    return strndup(value, size);
}

static void provider_release(struct provider *provider)
{
    free(provider->name);
    free(provider->key_variable);
    free(provider->url_variable);
    free(provider->url);
    free(provider->model);
    json_decref(provider->models);
}

void provider_set_release(struct provider_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        provider_release(&set->items[i]);
    free(set->items);
    *set = (struct provider_set){0};
}

static size_t position_of(const struct provider_set *set, const char *name, size_t size)
{
    size_t i = 0;
    while (i < set->count &&
           (strlen(set->items[i].name) != size || memcmp(set->items[i].name, name, size) != 0))
        i++;
    return i;
}

const struct provider *provider_set_find(const struct provider_set *set, const char *name,
                                         size_t size)
{
    size_t i = position_of(set, name, size);
    return i < set->count ? &set->items[i] : NULL;
}

static struct provider *add_provider(struct provider_set *set, const struct preset *preset)
{
    if (!array_reserve(&set->items, &set->capacity, set->count + 1, sizeof *set->items))
        return NULL;
    struct provider *provider = &set->items[set->count++];
    *provider = (struct provider){.name = strdup(preset->name),
                                  .protocol = preset->protocol,
                                  .key_variable = strdup(preset->key_variable),
                                  .url_variable = strdup(preset->url_variable),
                                  .url = strdup(preset->url),
                                  .model = strdup(preset->model),
                                  .facts = MODEL_FACTS_NONE};
    return provider->name && provider->key_variable && provider->url_variable &&
                   provider->url && provider->model
               ? provider
               : NULL;
}

/* ---- The file ---------------------------------------------------------------- */

/* Where in the file we are, for messages. */
struct place {
    const char *path, *provider, *model; /* model NULL: at the provider */
};

static rag_status refuse(const struct place *place, const char *field, const char *what,
                         rag_error *error)
{
    return fail_with(error, RAG_INPUT, "%s: provider \"%.60s\"%s%.60s%s: \"%.60s\" %s",
                     place->path, place->provider, place->model ? ", model \"" : "",
                     place->model ? place->model : "", place->model ? "\"" : "", field, what);
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

static rag_status read_field(const struct place *place, const char *field, json_t *value,
                             struct provider *provider, rag_error *error)
{
    const struct {
        const char *name;
        char **member;
    } texts[] = {
        {"base_url", &provider->url},
        {"url_variable", &provider->url_variable},
        {"key_variable", &provider->key_variable},
        {"model", &provider->model},
    };
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
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (strcmp(texts[i].name, field) != 0)
            continue;
        const char *text = json_string_value(value);
        if (!text)
            return refuse(place, field, "must be a string", error);
        char *copy = strdup(text);
        if (!copy)
            return fail_memory(error);
        free(*texts[i].member);
        *texts[i].member = copy;
        return RAG_OK;
    }
    if (strcmp(field, "key") == 0 || strcmp(field, "api_key") == 0)
        return refuse(place, field,
                      "does not belong into a file: put the key into an environment variable "
                      "and name that in \"key_variable\"",
                      error);
    return refuse(place, field, "is not known", error);
}

static rag_status read_provider(const char *path, const char *name, json_t *object,
                                struct provider_set *set, rag_error *error)
{
    struct place place = {.path = path, .provider = name};
    if (!*name || strchr(name, ':'))
        return refuse(&place, name, "is no name: it must not be empty or hold a colon", error);
    if (!json_is_object(object))
        return refuse(&place, name, "must be an object", error);
    size_t at = position_of(set, name, strlen(name));
    if (at == set->count && !add_provider(set, &(struct preset){name, NULL, "", "", "", ""}))
        return fail_memory(error);
    struct provider *provider = &set->items[at];
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

static rag_status read_file(const char *path, struct provider_set *set, rag_error *error)
{
    struct buf text = BUF_INIT(MAX_FILE);
    json_t *root = NULL;
    rag_status status = file_read(path, &text, error);
    if (status)
        goto out;
    json_error_t wrong;
    root = json_loadb(text.size ? text.data : "", text.size, JSON_REJECT_DUPLICATES, &wrong);
    if (!root) {
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

/* The file that is read if none is named; NULL and *memory false: there is none. */
static char *usual_file(bool *memory)
{
    const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    char *folder = NULL, *path = NULL;
    *memory = true;
    if (config && *config == '/')
        folder = strdup(config);
    else if (home && *home)
        folder = path_join(home, ".config");
    else
        *memory = false;
    if (folder)
        path = path_join(folder, "rag/providers.json");
    free(folder);
    if (!path)
        return NULL;
    *memory = false;
    if (path_is_file(path))
        return path;
    free(path);
    return NULL;
}

rag_status provider_set_load(const char *config, struct provider_set *set, rag_error *error)
{
    *set = (struct provider_set){0};
    for (size_t i = 0; i < PRESETS; i++)
        if (!add_provider(set, &presets[i]))
            return fail_memory(error);
    if (!config)
        config = getenv("RAG_PROVIDERS");
    if (config)
        return *config ? read_file(config, set, error) : RAG_OK;
    bool memory;
    char *path = usual_file(&memory);
    rag_status status = path     ? read_file(path, set, error)
                        : memory ? fail_memory(error)
                                 : RAG_OK;
    free(path);
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
