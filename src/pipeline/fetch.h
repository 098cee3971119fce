/* fetch.h - one page or file of the network, for the index.
 *
 * An address that a user was talked into, or a redirect, must not reach what only this machine
 * or its network can: routers, clouds' metadata, services behind the firewall. The check is on
 * the address of the socket that is about to be opened, on each redirect anew, so that a name
 * that gives another address the second time gains nothing. Proxies are not used, for the same
 * reason. */
#ifndef RAG_PIPELINE_FETCH_H
#define RAG_PIPELINE_FETCH_H

#include "base/buf.h"
#include "base/event.h"

#include <sys/socket.h>

enum {
    FETCH_MAX_BYTES = 1 << 28,
    FETCH_MAX_REDIRECTS = 5,
    FETCH_CONNECT_SECONDS = 15,
    FETCH_IDLE_SECONDS = 30,
    FETCH_MOST_SECONDS = 600,
};

/* Whether an address is one of the public internet: not of this machine, a private network, a
 * link, a group, or reserved; nor such an IPv4 address within an IPv6 one. */
bool fetch_is_public(const struct sockaddr *address);

/* Appends what the address gives, by http or https. allowed: fetch_is_public, but for tests.
 * RAG_USAGE: no such address. RAG_NETWORK: not there, not allowed, too much, or no answer of
 * success. RAG_INTERRUPTED. */
CHECKED rag_status fetch(const char *url, bool (*allowed)(const struct sockaddr *),
                         const struct events *events, struct buf *out, rag_error *error);

#endif
