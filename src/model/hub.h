/* hub.h - GET from a hub of models over HTTP.
 *
 * Redirects are followed here and not by libcurl, so that the token goes to the hub's own
 * origin (scheme, host, port) and nowhere else, and never from https to http. */
#ifndef RAG_MODEL_HUB_H
#define RAG_MODEL_HUB_H

#include "base/buf.h"
#include "base/event.h"
#include "base/hash.h"

#include <stdbool.h>

#define HUB_DEFAULT "https://huggingface.co"

struct hub;

/* Seconds before a failed request is tried again; doubled each time. Tests shorten it. */
extern double hub_first_wait;

/* `base` NULL: HF_ENDPOINT, else HUB_DEFAULT. A token comes from HF_TOKEN. RAG_USAGE: not an
 * http or https URL. */
CHECKED rag_status hub_open(const char *base, struct hub **hub, rag_error *error);
void hub_close(struct hub *hub);
const char *hub_base(const struct hub *hub); /* without a slash at its end */

/* The body of a page into `out`, whose maximum is the limit. */
CHECKED rag_status hub_get(struct hub *hub, const char *url, const struct events *events,
                           struct buf *out, rag_error *error);

struct download {
    const char *url, *path;
    const char *name;     /* for events and messages */
    uint64_t size;        /* that the file must have; 0: not known */
    uint64_t done, total; /* bytes of other files, and of all (0: not known), for events */
    char sha256[HASH_HEX_SIZE]; /* out: what the server says ("" if nothing) */
};

/* Downloads into `path`. What is already there is taken for the file's beginning and the
 * rest is asked for; a server that sends the whole again is understood. A broken connection
 * and 5xx are tried again a few times, going on where the bytes ended.
 * RAG_NETWORK, RAG_NETWORK_AUTH, RAG_NETWORK_LIMIT; RAG_MODEL_MISSING: 404;
 * RAG_INTERRUPTED: what has come is kept. */
CHECKED rag_status hub_download(struct hub *hub, struct download *download,
                                const struct events *events, rag_error *error);

#endif
