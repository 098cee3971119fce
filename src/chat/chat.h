/* chat.h - language models over HTTP: one interface, one file a protocol.
 *
 * openai.c: chat completions; gemini.c: generateContent and streamGenerateContent. A
 * protocol turns messages into a request and a reply (or its streamed events) into text;
 * http.c does the rest: time limits, retries, interruption. Keys go into headers only,
 * never into a URL, a message or an error. */
#ifndef RAG_CHAT_CHAT_H
#define RAG_CHAT_CHAT_H

#include "base/buf.h"

#include <stdbool.h>

enum { CHAT_MAX_REPLY = 16 << 20, CHAT_MAX_REQUEST = 64 << 20 };

struct chat_request {
    const char *model;
    const rag_message *messages;
    size_t count;
    unsigned max_tokens;
    double temperature; /* < 0: left to the server */
    bool stream;
};

struct protocol {
    const char *name; /* the PROVIDER of "PROVIDER:MODEL" */
    const char *key_variable, *url_variable, *default_url;
    bool key_optional; /* a base URL of one's own may need no key */
    /* Appends the URL of the request, given the base URL without a slash at its end. */
    bool (*url)(const char *base, const struct chat_request *request, struct buf *out);
    /* The header line that carries the key. */
    bool (*authorization)(const char *key, struct buf *out);
    bool (*body)(const struct chat_request *request, struct buf *out);
    /* Takes one JSON document: a whole reply, or one streamed event. Appends its text.
     * *done: the stream says that it ends. RAG_NETWORK: not what the protocol says, or an
     * error of the server, whose message it then quotes. */
    rag_status (*reply)(const char *json, size_t size, bool streamed, struct buf *text,
                        bool *done, rag_error *error);
};

extern const struct protocol openai_protocol, gemini_protocol;

#endif
