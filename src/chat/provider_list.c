/* rag_provider_list_*: who can be asked, for a program that shows it. */
#include "base/memory.h"
#include "chat/provider_set.h"

#include <string.h>

struct rag_provider_list {
    struct provider_set set;
    rag_provider *items;
    char **urls; /* as they would be used now */
};

void rag_provider_list_free(rag_provider_list *list)
{
    if (!list)
        return;
    for (size_t i = 0; list->urls && i < list->set.count; i++)
        free(list->urls[i]);
    free(list->urls);
    free(list->items);
    provider_set_release(&list->set);
    free(list);
}

static bool describe(rag_provider_list *list, size_t i)
{
    const struct provider *provider = &list->set.items[i];
    char *key = environment_text(provider->key_variable);
    char *url = environment_text(provider->url_variable);
    bool changed = url && *url;
    bool ok = key && url;
    if (ok) {
        list->urls[i] = changed ? url : strdup(provider->url);
        ok = list->urls[i] != NULL;
        list->items[i] = (rag_provider){.name = provider->name,
                                        .protocol = provider->protocol->name,
                                        .base_url = list->urls[i],
                                        .url_variable = provider->url_variable,
                                        .key_variable = provider->key_variable,
                                        .default_model = provider->model,
                                        .ready = changed || *key || !*provider->key_variable};
    }
    free(key);
    if (!changed || !ok)
        free(url);
    return ok;
}

rag_status rag_provider_list_open(const char *config, rag_provider_list **out, rag_error *error)
{
    *out = NULL;
    rag_provider_list *list = alloc_zeroed(1, sizeof *list);
    if (!list)
        return fail_memory(error);
    rag_status status = provider_set_load(config, &list->set, error);
    if (!status) {
        list->items = alloc_zeroed(list->set.count, sizeof *list->items);
        list->urls = alloc_zeroed(list->set.count, sizeof *list->urls);
        bool ok = list->items && list->urls;
        for (size_t i = 0; ok && i < list->set.count; i++)
            ok = describe(list, i);
        if (!ok)
            status = fail_memory(error);
    }
    if (status)
        rag_provider_list_free(list);
    else
        *out = list;
    return status;
}

size_t rag_provider_list_count(const rag_provider_list *list)
{
    return list->set.count;
}

const rag_provider *rag_provider_list_get(const rag_provider_list *list, size_t i)
{
    return i < list->set.count ? &list->items[i] : NULL;
}
