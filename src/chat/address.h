/* address.h - where a provider's server is.
 *
 * A base URL is http or https, and holds no user name, query or fragment: passwords have no
 * place where messages and lists may show it. */
#ifndef RAG_CHAT_ADDRESS_H
#define RAG_CHAT_ADDRESS_H

#include "chat/provider_set.h"

struct address {
    char *base; /* without a slash at its end, and without a request's own path */
    char *name; /* the host's */
    char *host; /* with its port, for messages */
    bool own;   /* not the provider's usual host: a server of one's own */
};

/* own is left false. RAG_USAGE, without a message: it is no such URL. */
CHECKED rag_status address_parse(const char *url, struct address *address);
void address_release(struct address *address);

/* The provider's address: base_url, else its variable's, else its usual one. RAG_USAGE: what
 * was given is no address; it is not repeated, for it may hold a password. */
CHECKED rag_status address_find(const struct provider *provider, const char *base_url,
                                struct address *address, rag_error *error);

/* Whether it is a host of this machine. */
bool address_is_local(const struct address *address);

#endif
