#include "chat/provider_set.h"
#include "base/file.h"
#include "base/memory.h"
#include "chat/provider_file.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

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

static struct provider *add_preset(struct provider_set *set, const struct preset *preset)
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

struct provider *provider_set_get(struct provider_set *set, const char *name)
{
    size_t i = position_of(set, name, strlen(name));
    return i < set->count ? &set->items[i]
                          : add_preset(set, &(struct preset){name, NULL, "", "", "", ""});
}

/* Reads the file that is read if none is named, if there is one. */
static rag_status read_usual_file(struct provider_set *set, rag_error *error)
{
    const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    bool named = config && *config == '/';
    if (!named && (!home || !*home))
        return RAG_OK;
    char *path = named ? path_join(config, "rag/providers.json")
                       : path_join(home, ".config/rag/providers.json");
    if (!path)
        return fail_memory(error);
    rag_status status = path_is_file(path) ? provider_file_read(path, set, error) : RAG_OK;
    free(path);
    return status;
}

rag_status provider_set_load(const char *config, struct provider_set *set, rag_error *error)
{
    *set = (struct provider_set){0};
    for (size_t i = 0; i < PRESETS; i++)
        if (!add_preset(set, &presets[i]))
            return fail_memory(error);
    if (!config)
        config = getenv("RAG_PROVIDERS");
    if (!config)
        return read_usual_file(set, error);
    return *config ? provider_file_read(config, set, error) : RAG_OK;
}
