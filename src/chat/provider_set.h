/* provider_set.h - all providers that can be named: the presets, and those of the user's file.
 */
#ifndef RAG_CHAT_PROVIDER_SET_H
#define RAG_CHAT_PROVIDER_SET_H

#include "chat/chat.h"

/* What is known of a model. */
struct model_facts {
    size_t context_tokens;            /* 0: not known */
    double input_price, output_price; /* NaN: not known */
};

#define MODEL_FACTS_NONE ((struct model_facts){.input_price = NAN, .output_price = NAN})

struct provider {
    char *name;
    const struct protocol *protocol;
    char *key_variable;       /* "": needs no key */
    char *url_variable;       /* "": none */
    char *url;                /* as address.h wants it */
    bool moved;               /* a preset whose URL is the file's */
    char *model;              /* the default one; "": must be named */
    struct model_facts facts; /* of all its models, from the file */
    json_t *models;           /* of single ones, from the file; NULL: none */
};

struct provider_set {
    struct provider *items;
    size_t count, capacity;
};

/* config as in rag_llm_options. RAG_INPUT: what is wrong with the file, and where. To be
 * released in any case. */
CHECKED rag_status provider_set_load(const char *config, struct provider_set *set,
                                     rag_error *error);
void provider_set_release(struct provider_set *set);
/* NULL: there is none of this name. */
const struct provider *provider_set_find(const struct provider_set *set, const char *name,
                                         size_t size);

/* The one of this name, else a new one without protocol and URL. NULL: out of memory. */
CHECKED struct provider *provider_set_get(struct provider_set *set, const char *name);

/* The value of an environment variable without spaces around it; "" where it is not set or
 * the name is "". NULL: out of memory. */
CHECKED char *environment_text(const char *variable);

#endif
