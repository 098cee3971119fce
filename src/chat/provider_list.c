/* rag_provider_list_*: who can be asked, for a program that shows it. */
#include "base/memory.h"
#include "chat/address.h"

#include <string.h>

struct rag_provider_list {
    struct provider_set set;
    rag_provider *items;
    struct address *addresses; /* as they would be used now */
};

void rag_provider_list_free(rag_provider_list *list)
{
    if (!list)
        return;
    for (size_t i = 0; list->addresses && i < list->set.count; i++)
        address_release(&list->addresses[i]);
    free(list->addresses);
    free(list->items);
    provider_set_release(&list->set);
    free(list);
}

static rag_status describe(rag_provider_list *list, size_t i, rag_error *error)
{
    const struct provider *provider = &list->set.items[i];
    struct address *address = &list->addresses[i];
    rag_status status = address_find(provider, NULL, address, NULL);
    if (status == RAG_MEMORY)
        return fail_memory(error);
    char *key = environment_text(provider->key_variable);
    if (!key)
        return fail_memory(error);
    /* An address that would be refused is not shown: it may hold a password. */
    list->items[i] =
        (rag_provider){.name = provider->name,
                       .protocol = provider->protocol->name,
                       .base_url = status ? "" : address->base,
                       .url_variable = provider->url_variable,
                       .key_variable = provider->key_variable,
                       .default_model = provider->model,
                       .ready = !status && (address->own || *key || !*provider->key_variable)};
    free(key);
    return RAG_OK;
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
        list->addresses = alloc_zeroed(list->set.count, sizeof *list->addresses);
        if (!list->items || !list->addresses)
            status = fail_memory(error);
        for (size_t i = 0; !status && i < list->set.count; i++)
            status = describe(list, i, error);
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
