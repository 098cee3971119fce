/* chat.h - language models over HTTP: one interface, one file a protocol.
 *
 *   messages -> body (openai.c, gemini.c ...) -> http.c -> sse.c or lines.c -> reply (the
 *   same protocol) -> characters.c -> the caller
 *
 * chat.c is what callers see, completion.c one answer with its tries.
 *
 * A protocol (openai.c: chat completions; gemini.c: generateContent and
 * streamGenerateContent; anthropic.c: messages; ollama.c: its own api/chat) turns messages into
 * a request, and a reply or the events of a stream into text; http.c carries it, retry.c says
 * when to try again, failure.c turns what a server refuses into one sentence
 * by its meaning (meaning.c). A provider
 * (provider.c) is a protocol with an address and the names of the variables that set it. Keys
 * go into headers only, never into a URL, a message, an event or an error. */
#ifndef RAG_CHAT_CHAT_H
#define RAG_CHAT_CHAT_H

#include "base/buf.h"
#include "chat/failure.h"

#include <stdbool.h>

enum {
    CHAT_MAX_REPLY = 16 << 20,   /* bytes of an answer's text, and of a whole reply */
    CHAT_MAX_STREAM = 256 << 20, /* bytes of a stream, which wraps each token in JSON */
    CHAT_MAX_MESSAGES = 8 << 20, /* bytes of all messages */
    CHAT_MAX_REQUEST = 64 << 20, /* bytes of the messages as JSON: at most 6 a byte */
    CHAT_MAX_TOKENS = 1024,      /* of an answer, if the caller does not say */
    CHAT_CONNECT_SECONDS = 10,
    CHAT_IDLE_SECONDS = 60,         /* between two bytes */
    CHAT_FIRST_BYTE_SECONDS = 300,  /* a local server loads a model and reads the prompt */
    CHAT_WHOLE_REPLY_SECONDS = 600, /* the first byte of a reply that is not streamed */
    CHAT_TOTAL_SECONDS = 1800,      /* of one try */
    CHAT_AFTER_END_SECONDS = 5,     /* what may still come once the text has ended */
};

struct chat_request {
    const char *model;
    const rag_message *messages;
    size_t count;
    unsigned max_tokens;
    double temperature; /* < 0: left to the server */
    bool stream;
    bool ask_usage;   /* ask for the count of tokens in a stream, where that must be asked */
    bool other_limit; /* the usual name of max_tokens was refused */
    size_t context_tokens; /* that the model should take; 0: as the server has it */
};

/* What a protocol has understood so far of one reply. */
struct chat_reply {
    struct buf *text; /* appended to; raw, see characters.h */
    bool done;        /* the server has said that the text ends here */
    bool full;        /* ... because max_tokens were used up */
    bool counted;     /* the server has said how many tokens it took */
    uint64_t input_tokens, output_tokens;
    struct failure failure;
};

struct protocol {
    const char *name;
    const char *header; /* a line of its own that every request has; NULL: none */
    const char *end;    /* what stands for the end of a stream instead of JSON; NULL: nothing */
    bool lines;         /* its stream is a JSON document a line, not events */
    /* Appends the URL of the request, given the base URL without a slash at its end. */
    bool (*url)(const char *base, const struct chat_request *request, struct buf *out);
    /* Appends the header line that carries the key. */
    bool (*authorization)(const char *key, struct buf *out);
    /* Appends the JSON of the request. These three fail only for want of memory. */
    bool (*body)(const struct chat_request *request, struct buf *out);
    /* Takes one document that is no refusal: a whole reply, or one streamed event. On
     * RAG_NETWORK reply->failure says what was wrong; other failures have no more to say
     * than their status. */
    rag_status (*read)(const json_t *document, bool streamed, struct chat_reply *reply);
};

/* What the protocol makes of a document as it came; failures as those of `read`. */
CHECKED rag_status reply_read(const struct protocol *protocol, const char *json, size_t size,
                              bool streamed, struct chat_reply *reply);

/* Notes the tokens that a server counted; what is no number of tokens counts as 0. NULL: not
 * said, and what was noted before stays. */
void reply_count(struct chat_reply *reply, const json_t *input, const json_t *output);

extern const struct protocol openai_protocol, gemini_protocol, anthropic_protocol,
    ollama_protocol;

#endif
