/* http.h - one POST over HTTP(S), by libcurl: bounded in time and size, interruptible.
 *
 * Certificates are verified; proxies and their exceptions come from the environment as
 * curl does it (HTTPS_PROXY, NO_PROXY); a redirect is never followed, for the key would go
 * with it. One http belongs to one thread at a time; it keeps its connection open for the
 * next call. Retrying is the caller's (retry.h). */
#ifndef RAG_CHAT_HTTP_H
#define RAG_CHAT_HTTP_H

#include "base/buf.h"
#include "base/event.h"

#include <stdbool.h>

enum {
    HTTP_MAX_ERROR_BODY = 64 << 10, /* of a reply that is not 2xx; the rest is dropped */
    HTTP_MAX_HEADERS = 256 << 10,
};

struct http;

CHECKED rag_status http_new(struct http **http, rag_error *error);
void http_free(struct http *http);

struct http_limits {
    double connect;    /* seconds until connected, TLS included */
    double first_byte; /* seconds without a byte while none of the body has come: servers
                          send their headers before the model has read the prompt */
    double idle;       /* seconds without a byte later */
    double total;      /* seconds of the whole exchange */
    size_t bytes;      /* of a 2xx reply's body */
};

/* Takes bytes of a 2xx reply as they come. Anything but RAG_OK ends the exchange. */
typedef rag_status (*http_data_fn)(const char *data, size_t size, void *user, rag_error *error);

struct http_request {
    const char *url;
    const char *const *headers; /* lines such as "Name: value" */
    size_t header_count;
    const char *body; /* JSON */
    size_t body_size;
    struct http_limits limits;
    http_data_fn on_data; /* of a reply that is a stream of events; NULL: none is taken */
    void *user;
    /* Set true by on_data once all that matters has come: the exchange then ends well
     * whatever follows, and after `grace` seconds without a byte. NULL: never. */
    const bool *complete;
    double grace;
    struct events events;
};

struct http_reply {
    long status;        /* 0: no reply */
    bool streamed;      /* the body is a stream of events and went to on_data */
    bool lost;          /* the connection broke, so that a later try may succeed */
    double retry_after; /* seconds; 0: the server did not say */
    char location[256]; /* where a redirect leads, without path; "" if none */
    struct buf body;    /* what did not go to on_data */
};

void http_reply_release(struct http_reply *reply);

/* RAG_OK: a whole reply came, whatever its status. RAG_NETWORK: none did, or it is too
 * long; RAG_INTERRUPTED: events asked to stop. `reply` is to be released in any case. */
CHECKED rag_status http_post(struct http *http, const struct http_request *request,
                             struct http_reply *reply, rag_error *error);

#endif
