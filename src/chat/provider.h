/* provider.h - who is asked: a protocol, an address and a key.
 *
 * A provider is one line of the table in provider.c. The address and the key are read from
 * the environment when a chat is opened, and checked then: nothing in them can add a line
 * to a header or a user name to a URL. */
#ifndef RAG_CHAT_PROVIDER_H
#define RAG_CHAT_PROVIDER_H

#include "chat/chat.h"

struct provider {
    const char *name; /* the PROVIDER of "PROVIDER:MODEL" */
    const struct protocol *protocol;
    const char *key_variable, *url_variable, *default_url;
};

struct endpoint {
    const struct provider *provider;
    const struct protocol *protocol; /* the provider's, or what its address speaks */
    char *base;                      /* without a slash at its end */
    char *host;                      /* with its port, for messages */
    char *key;                       /* "" if none is needed */
};

/* RAG_USAGE: no such provider, or a variable's value that cannot be; RAG_NETWORK_AUTH: no
 * key. A key is needed at the default host; an address of one's own may do without. */
CHECKED rag_status endpoint_find(const char *name, size_t name_size, struct endpoint *endpoint,
                                 rag_error *error);
void endpoint_release(struct endpoint *endpoint);

#endif
