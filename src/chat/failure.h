/* failure.h - what a language model's server refuses, as one sentence.
 *
 * Providers say the same things in different words: OpenAI and those like it send
 * {"error":{"message","type","code"}}, Google {"error":{"message","status","details"}} or
 * a list of such, vLLM {"object":"error","message"}, Ollama {"error":"..."}, FastAPI
 * {"detail":"..."}, Anthropic {"type":"error","error":{"type","message"}}, SiliconFlow
 * {"code":20012,"message"}, proxies a page of HTML. A failure holds the words and codes as
 * they came; meaning.h knows what they mean, failure_explain says it and what to do. */
#ifndef RAG_CHAT_FAILURE_H
#define RAG_CHAT_FAILURE_H

#include "base/buf.h"

#include <jansson.h>
#include <stdbool.h>

enum {
    FAILURE_MAX_READ = 192 << 10, /* bytes of a server's words that are kept */
    FAILURE_MAX_SHOWN = 400,      /* ... and shown */
};

enum failure_kind {
    FAILURE_NONE,
    FAILURE_REFUSED,        /* an error of the server: http, code and words say which */
    FAILURE_PROTOCOL,       /* a reply that is not what the protocol says */
    FAILURE_PROMPT_BLOCKED, /* a filter took offence at what was sent */
    FAILURE_REPLY_BLOCKED,  /* ... at what the model wrote */
};

struct failure {
    enum failure_kind kind;
    long http;        /* HTTP status, or the same number found in the body; 0: unknown */
    double wait;      /* seconds that the body asks to wait; 0: it does not */
    char code[80];    /* code, type or status words, such as "context_length_exceeded" */
    struct buf words; /* the server's own, as they came */
};

#define FAILURE_INIT ((struct failure){.words = {.max = FAILURE_MAX_READ}})

void failure_release(struct failure *failure);
/* Empty again; memory kept. */
void failure_clear(struct failure *failure);

/* Sets kind and words. RAG_NETWORK, or RAG_MEMORY. */
CHECKED rag_status failure_set(struct failure *failure, enum failure_kind kind,
                               const char *words);

/* Reads the body of a refusal, whatever it is. As failure_set; http is the caller's. */
CHECKED rag_status failure_read(struct failure *failure, const char *body, size_t size);

/* Parses a document that should be no refusal. RAG_OK: it is none, and the caller's.
 * Otherwise RAG_NETWORK, the failure saying what it is, or RAG_MEMORY. */
CHECKED rag_status failure_parse(struct failure *failure, const char *json, size_t size,
                                 json_t **document);

/* A later try may succeed: the server was busy or broken, not the request wrong. */
bool failure_is_passing(const struct failure *failure);

/* Who was asked, for the sentence. */
struct failure_place {
    const char *provider, *protocol, *host, *model;
    const char *key_variable, *url_variable; /* "" if none */
    const char *key;                         /* "" if none; never repeated */
};

/* Fills *error; returns its status, never RAG_OK. */
CHECKED rag_status failure_explain(const struct failure *failure,
                                   const struct failure_place *place, rag_error *error);

/* Replaces `key`, and what begins like half of it or more, by "[key]" in a string.
 * A key under 8 bytes is no secret ("none", "ollama") and is left. */
void failure_redact(char *text, const char *key);

#endif
