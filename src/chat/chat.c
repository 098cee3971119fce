/* rag_chat_*: a conversation completed by a provider's model. */
#include "base/memory.h"
#include "chat/completion.h"
#include "chat/meaning.h"
#include "chat/usage.h"

#include <math.h>
#include <string.h>

struct rag_chat {
    struct endpoint endpoint;
    rag_chat_info info;
    struct http *http;
    bool no_stream_options, no_temperature, other_limit; /* what the server refused */
    rag_usage last, total;
};

void rag_free(void *memory)
{
    free(memory);
}

void rag_chat_close(rag_chat *chat)
{
    if (!chat)
        return;
    http_free(chat->http);
    endpoint_release(&chat->endpoint);
    free(chat);
}

rag_status rag_chat_open(const char *spec, const rag_llm_options *options, rag_chat **out,
                         rag_error *error)
{
    static const rag_llm_options defaults = RAG_LLM_OPTIONS_INIT;
    if (!options)
        options = &defaults;
    *out = NULL;
    rag_status status = CHECK_OPTIONS(options, error);
    if (status)
        return status;
    rag_chat *chat = alloc_zeroed(1, sizeof *chat);
    if (!chat)
        return fail_memory(error);
    status = endpoint_find(spec, options, &chat->endpoint, error);
    if (!status)
        status = http_new(&chat->http, error);
    if (status) {
        rag_chat_close(chat);
        return status;
    }
    const struct endpoint *endpoint = &chat->endpoint;
    chat->info = (rag_chat_info){.provider = endpoint->provider,
                                 .model = endpoint->model,
                                 .protocol = endpoint->protocol->name,
                                 .host = endpoint->host,
                                 .context_tokens = endpoint->context_tokens,
                                 .input_price = endpoint->input_price,
                                 .output_price = endpoint->output_price};
    chat->last.first_token_seconds = chat->total.first_token_seconds = NAN;
    *out = chat;
    return RAG_OK;
}

const rag_chat_info *rag_chat_get_info(const rag_chat *chat)
{
    return &chat->info;
}

void rag_chat_get_usage(const rag_chat *chat, rag_usage *last, rag_usage *total)
{
    if (last)
        *last = chat->last;
    if (total)
        *total = chat->total;
}

/* ---- The request ---------------------------------------------------------- */

static void wire_release(struct wire *wire)
{
    buf_release(&wire->url);
    buf_release(&wire->key_header);
    buf_release(&wire->body);
}

static rag_status check_messages(const rag_message *messages, size_t count, rag_error *error)
{
    size_t bytes = 0;
    bool asked = false;
    for (size_t i = 0; i < count; i++) {
        const rag_message *message = &messages[i];
        if (message->role != RAG_SYSTEM && message->role != RAG_USER &&
            message->role != RAG_ASSISTANT)
            return fail_with(error, RAG_USAGE, "message %zu has an unknown role", i + 1);
        asked |= message->role == RAG_USER;
        if (!size_add(bytes, message->text.size, &bytes) || bytes > CHAT_MAX_MESSAGES)
            return fail_with(error, RAG_INPUT, "the messages are longer than %d bytes",
                             CHAT_MAX_MESSAGES);
    }
    return asked ? RAG_OK : fail_with(error, RAG_USAGE, "no message of the user's to answer");
}

static rag_status make_wire(const rag_chat *chat, const struct chat_request *request,
                            struct wire *wire, rag_error *error)
{
    const struct protocol *protocol = chat->endpoint.protocol;
    *wire = (struct wire){.url = {.max = 64 << 10},
                          .key_header = {.max = 64 << 10},
                          .body = {.max = CHAT_MAX_REQUEST}};
    bool ok = protocol->url(chat->endpoint.base, request, &wire->url) &&
              protocol->body(request, &wire->body);
    if (ok && *chat->endpoint.key)
        ok = protocol->authorization(chat->endpoint.key, &wire->key_header);
    return ok ? RAG_OK : fail_memory(error);
}

/* ---- What a server does not take ------------------------------------------------ */

/* Some servers do not know that the count of tokens can be asked for; models that think first
 * take no temperature (Anthropic's since Opus 4.7), and OpenAI's have another name for the
 * limit of tokens. They refuse such a request and name the field. Leaves it out from now on.
 * False: it is something else that was refused. */
static bool concede(rag_chat *chat, const struct completion *c, struct chat_request *request)
{
    const struct failure *failure = &c->reply.failure;
    if (c->delivered || failure->kind != FAILURE_REFUSED ||
        (failure->http != 400 && failure->http != 422))
        return false;
    if (request->ask_usage && failure_says(failure, "stream_options")) {
        chat->no_stream_options = true;
    } else if (!request->other_limit && failure_says(failure, "max_completion_tokens")) {
        chat->other_limit = true;
    } else if (request->temperature >= 0 && request->temperature <= 1 &&
               failure_says(failure, "temperature")) {
        chat->no_temperature = true;
        event_note(&c->events, "%s:%s takes no temperature; it answers with its own",
                   chat->info.provider, chat->info.model);
    } else {
        return false;
    }
    return true;
}

static void apply_concessions(const rag_chat *chat, struct chat_request *request)
{
    request->ask_usage = request->stream && !chat->no_stream_options;
    request->other_limit = chat->other_limit;
    if (chat->no_temperature)
        request->temperature = -1;
}

static rag_status try_with_concessions(rag_chat *chat, struct completion *c,
                                       struct chat_request *request, rag_error *error)
{
    for (;;) {
        struct wire wire;
        apply_concessions(chat, request);
        rag_status status = make_wire(chat, request, &wire, error);
        if (!status)
            status = completion_try(c, &wire, error);
        wire_release(&wire);
        if (!status || !concede(chat, c, request))
            return status;
    }
}

/* ---- The call --------------------------------------------------------------- */

static rag_status read_options(const rag_chat_options *given, rag_chat_options *options,
                               rag_error *error)
{
    *options = (rag_chat_options)RAG_CHAT_OPTIONS_INIT;
    if (given) {
        if (given->size < sizeof given->size)
            return fail_with(error, RAG_USAGE, "rag_chat_options without its size");
        memcpy(options, given, given->size < sizeof *given ? given->size : sizeof *given);
    }
    if (!isfinite(options->temperature))
        return fail_with(error, RAG_USAGE, "the temperature is no number");
    if (!options->max_tokens)
        options->max_tokens = CHAT_MAX_TOKENS;
    return RAG_OK;
}

rag_status rag_chat_complete(rag_chat *chat, const rag_message *messages, size_t count,
                             const rag_chat_options *given, char **reply, rag_error *error)
{
    *reply = NULL;
    rag_chat_options options;
    rag_error unwanted;
    if (!error) /* a note on a retry says why */
        error = &unwanted;
    rag_status status = read_options(given, &options, error);
    if (!status)
        status = check_messages(messages, count, error);
    if (status)
        return status;
    struct chat_request request = {.model = chat->endpoint.model,
                                   .messages = messages,
                                   .count = count,
                                   .max_tokens = options.max_tokens,
                                   .temperature = options.temperature,
                                   .stream = options.on_text != NULL,
                                   .context_tokens = chat->endpoint.context_tokens};
    struct completion c = {.endpoint = &chat->endpoint,
                           .http = chat->http,
                           .options = &options,
                           .request = &request,
                           .events = {options.on_event, options.user},
                           COMPLETION_INIT(&c)};
    status = try_with_concessions(chat, &c, &request, error);
    if (!status && !(*reply = buf_detach(&c.text)))
        status = fail_memory(error);
    chat->last = c.usage;
    usage_add(&chat->total, &c.usage);
    completion_release(&c);
    return status;
}
