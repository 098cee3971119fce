/* completion.h - one answer: a request sent, tried again where that may help, and its reply
 * read.
 *
 * The text goes to the caller as it comes; once some of it has, nothing is tried again. */
#ifndef RAG_CHAT_COMPLETION_H
#define RAG_CHAT_COMPLETION_H

#include "chat/characters.h"
#include "chat/http.h"
#include "chat/lines.h"
#include "chat/provider.h"
#include "chat/sse.h"

/* A request as bytes, the same for every try. */
struct wire {
    struct buf url, key_header, body;
};

/* The first group is the caller's, the rest empty (COMPLETION_INIT). Not to be moved: its parts
 * point at each other. */
struct completion {
    const struct endpoint *endpoint;
    struct http *http;
    const rag_chat_options *options;
    const struct chat_request *request;
    struct events events;

    struct chat_reply reply; /* of the last try; its failure says what was refused */
    struct buf raw;          /* what the protocol read from one document */
    struct buf text;         /* the answer so far: whole characters */
    struct characters characters;
    struct sse sse;
    struct lines lines;
    rag_usage usage;          /* of all tries */
    double begun, first_text; /* seconds of the clock; first_text 0: none has come */
    bool delivered;           /* the caller has seen some of it: nothing can be taken back */
};

#define COMPLETION_INIT(self)                                                                  \
    .reply = {.text = &(self)->raw, .failure = FAILURE_INIT}, .raw = {.max = CHAT_MAX_REPLY},  \
    .text = {.max = CHAT_MAX_REPLY}, .usage = {.first_token_seconds = NAN}

/* Tries as often as the options allow. error is not NULL. Can be called again while nothing was
 * delivered. */
CHECKED rag_status completion_try(struct completion *c, const struct wire *wire,
                                  rag_error *error);
void completion_release(struct completion *c);

#endif
