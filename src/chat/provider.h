/* provider.h - who is asked: a protocol, an address, a key, and what is known of the model.
 *
 * Presets and the user's file of providers are provider_set.h's. Context sizes and prices of
 * models come from that file, else from model_table.h. The address and the key are read when a
 * chat is opened, and checked then: nothing in them can add a line to a header or a user name
 * to a URL. */
#ifndef RAG_CHAT_PROVIDER_H
#define RAG_CHAT_PROVIDER_H

#include "chat/chat.h"

struct endpoint {
    const struct protocol *protocol; /* the provider's, or what its address speaks */
    char *provider, *model;
    char *base; /* without a slash at its end */
    char *host; /* with its port, for messages */
    char *key;  /* "" if none is needed */
    char *key_variable, *url_variable;
    bool own;                         /* not the provider's usual host: a server of one's own */
    bool local;                       /* a server of this machine */
    size_t context_tokens;            /* 0: not known */
    double input_price, output_price; /* US dollars for a million tokens; NaN: not known */
};

/* spec and options as in rag_chat_open (options not NULL; spec NULL: RAG_LLM). RAG_USAGE: no
 * such provider, no model, a value that cannot be; RAG_INPUT: the file of providers is wrong,
 * with its line; RAG_NETWORK_AUTH: no key. A key is needed at the default host; an address of
 * one's own may do without. */
CHECKED rag_status endpoint_find(const char *spec, const rag_llm_options *options,
                                 struct endpoint *endpoint, rag_error *error);
void endpoint_release(struct endpoint *endpoint);

#endif
