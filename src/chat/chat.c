/* rag_chat_*: a conversation completed by a provider's model. */
#include "chat/chat.h"
#include "base/clock.h"
#include "base/memory.h"
#include "chat/characters.h"
#include "chat/http.h"
#include "chat/lines.h"
#include "chat/provider.h"
#include "chat/retry.h"
#include "chat/sse.h"
#include "chat/usage.h"

#include <math.h>
#include <string.h>

struct rag_chat {
    struct endpoint endpoint;
    rag_chat_info info;
    struct http *http;
    bool no_stream_options; /* the server refused to be asked for the count of tokens */
    rag_usage last, total;
};

void reply_count(struct chat_reply *reply, const json_t *input, const json_t *output)
{
    json_int_t in = json_integer_value(input), out = json_integer_value(output);
    reply->counted = true;
    if (input)
        reply->input_tokens = in > 0 ? (uint64_t)in : 0;
    if (output)
        reply->output_tokens = out > 0 ? (uint64_t)out : 0;
}

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

/* A request as bytes, the same for every try. */
struct wire {
    struct buf url, key_header, body;
};

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

/* ---- The answer ----------------------------------------------------------- */

/* One call of rag_chat_complete. */
struct completion {
    rag_chat *chat;
    const rag_chat_options *options;
    struct chat_request *request;
    struct events events;
    struct chat_reply reply;
    struct buf raw;  /* what the protocol read from one document */
    struct buf text; /* the answer so far: whole characters */
    struct characters characters;
    struct sse sse;
    struct lines lines;
    double begun, first_text; /* seconds of the clock; first_text 0: none has come */
    bool delivered;           /* the caller has seen some of it: nothing can be taken back */
};

static struct failure_place place_of(const rag_chat *chat)
{
    const struct endpoint *endpoint = &chat->endpoint;
    return (struct failure_place){.provider = endpoint->provider,
                                  .host = endpoint->host,
                                  .model = endpoint->model,
                                  .key_variable = endpoint->key_variable,
                                  .url_variable = endpoint->url_variable,
                                  .key = endpoint->key};
}

static rag_status text_failure(const struct completion *c, rag_error *error)
{
    if (c->text.max - c->text.size < c->raw.size)
        return fail_with(error, RAG_NETWORK, "the answer is longer than %d bytes",
                         CHAT_MAX_REPLY);
    return fail_memory(error);
}

/* Hands over what has been added to the text since `begin`. */
static rag_status deliver(struct completion *c, size_t begin, rag_error *error)
{
    if (!c->options->on_text || c->text.size == begin)
        return RAG_OK;
    c->delivered = true;
    rag_text piece = {c->text.data + begin, c->text.size - begin};
    if (c->options->on_text(piece, c->options->user))
        return fail_with(error, RAG_INTERRUPTED, "interrupted");
    return RAG_OK;
}

static rag_status take_document(struct completion *c, const char *json, size_t size,
                                bool streamed, rag_error *error)
{
    buf_clear(&c->raw);
    bool ended = c->reply.done;
    rag_status status = c->chat->endpoint.protocol->reply(json, size, streamed, &c->reply);
    if (status == RAG_MEMORY)
        return fail_memory(error);
    /* What is wrong behind the end of the text is of no matter to it. */
    if (status && ended) {
        failure_clear(&c->reply.failure);
        return RAG_OK;
    }
    size_t begin = c->text.size;
    if (c->raw.size && !c->first_text)
        c->first_text = clock_seconds();
    if (c->raw.size && !characters_feed(&c->characters, c->raw.data, c->raw.size, &c->text))
        return text_failure(c, error);
    rag_status delivery = deliver(c, begin, error);
    return delivery ? delivery : status;
}

static rag_status on_event(const char *data, size_t size, void *user, rag_error *error)
{
    return take_document(user, data, size, true, error);
}

static rag_status on_data(const char *data, size_t size, void *user, rag_error *error)
{
    struct completion *c = user;
    if (c->chat->endpoint.protocol->lines)
        return lines_feed(&c->lines, data, size, error);
    return sse_feed(&c->sse, data, size, error);
}

static rag_status end_text(struct completion *c, rag_error *error)
{
    size_t begin = c->text.size;
    if (!characters_finish(&c->characters, &c->text))
        return text_failure(c, error);
    rag_status status = deliver(c, begin, error);
    if (status || !c->reply.full)
        return status;
    if (c->text.size == 0)
        return fail_with(error, RAG_NETWORK,
                         "the model used up its %u tokens before it wrote any text (it may "
                         "think first): allow more",
                         c->options->max_tokens);
    event_warning(&c->events, "the answer stops at %u tokens, the limit given to the model",
                  c->options->max_tokens);
    return RAG_OK;
}

/* ---- One try --------------------------------------------------------------- */

static struct http_limits limits_of(const rag_chat_options *options, bool stream)
{
    double first = stream ? CHAT_FIRST_BYTE_SECONDS : CHAT_WHOLE_REPLY_SECONDS;
    unsigned connect = options->connect_seconds;
    return (struct http_limits){
        .connect = connect ? connect : CHAT_CONNECT_SECONDS,
        .first_byte = options->first_seconds ? options->first_seconds : first,
        .idle = options->idle_seconds ? options->idle_seconds : CHAT_IDLE_SECONDS,
        .total = CHAT_TOTAL_SECONDS,
        .bytes = stream ? CHAT_MAX_STREAM : CHAT_MAX_REPLY};
}

static void begin_try(struct completion *c)
{
    failure_clear(&c->reply.failure);
    buf_clear(&c->text);
    c->reply.done = c->reply.full = c->reply.counted = false;
    c->reply.input_tokens = c->reply.output_tokens = 0;
    c->first_text = 0;
    c->begun = clock_seconds();
    c->characters = (struct characters){0};
    sse_release(&c->sse);
    c->sse = SSE_INIT(on_event, c);
    lines_release(&c->lines);
    c->lines = LINES_INIT(on_event, c);
}

static rag_status read_reply(struct completion *c, const struct http_reply *http,
                             rag_error *error)
{
    struct failure *failure = &c->reply.failure;
    if (http->status < 200 || http->status > 299) {
        rag_status refusal = *http->location
                                 ? failure_set(failure, FAILURE_REFUSED, http->location)
                                 : failure_read(failure, http->body.data, http->body.size);
        failure->http = http->status;
        return refusal == RAG_MEMORY ? fail_memory(error) : refusal;
    }
    rag_status status;
    if (!http->streamed)
        status = take_document(c, http->body.data, http->body.size, false, error);
    else if (c->chat->endpoint.protocol->lines)
        status = lines_finish(&c->lines, error);
    else
        status = sse_finish(&c->sse, error);
    if (status)
        return status;
    if (!c->reply.done)
        return fail_with(error, RAG_NETWORK,
                         "the answer was cut off: the connection ended before the text did");
    return end_text(c, error);
}

/* What this try took: as the server counted, else from the texts; a refused try took none. */
static void note_usage(struct completion *c)
{
    const struct chat_reply *reply = &c->reply;
    const rag_chat_info *info = &c->chat->info;
    rag_usage usage = {
        .requests = 1, .first_token_seconds = NAN, .seconds = clock_seconds() - c->begun};
    if (c->options->on_text && c->first_text)
        usage.first_token_seconds = c->first_text - c->begun;
    if (reply->counted) {
        usage.input_tokens = reply->input_tokens;
        usage.output_tokens = reply->output_tokens;
    } else if (c->text.size) {
        usage.estimated = 1;
        for (size_t i = 0; i < c->request->count; i++)
            usage.input_tokens += usage_estimate(c->request->messages[i].text);
        usage.output_tokens = usage_estimate((rag_text){c->text.data, c->text.size});
    }
    if (usage.input_tokens || usage.output_tokens)
        usage.cost = ((double)usage.input_tokens * info->input_price +
                      (double)usage.output_tokens * info->output_price) /
                     1e6;
    usage_add(&c->chat->last, &usage);
    usage_add(&c->chat->total, &usage);
}

/* One exchange. *again: it failed in a way that may pass, *asked seconds from now. */
static rag_status try_once(struct completion *c, const struct wire *wire, bool *again,
                           double *asked, rag_error *error)
{
    bool stream = c->options->on_text != NULL;
    const char *headers[2];
    size_t header_count = 0;
    if (wire->key_header.data)
        headers[header_count++] = wire->key_header.data;
    if (c->chat->endpoint.protocol->header)
        headers[header_count++] = c->chat->endpoint.protocol->header;
    struct http_request request = {.url = wire->url.data,
                                   .headers = headers,
                                   .header_count = header_count,
                                   .body = wire->body.data,
                                   .body_size = wire->body.size,
                                   .limits = limits_of(c->options, stream),
                                   .on_data = stream ? on_data : NULL,
                                   .user = c,
                                   .complete = &c->reply.done,
                                   .grace = CHAT_AFTER_END_SECONDS,
                                   .events = c->events};
    struct http_reply http;
    begin_try(c);
    rag_status status = http_post(c->chat->http, &request, &http, error);
    bool whole = status == RAG_OK;
    if (whole)
        status = read_reply(c, &http, error);
    struct failure *failure = &c->reply.failure;
    bool refused = status == RAG_NETWORK && failure->kind != FAILURE_NONE;
    bool cut = whole && status == RAG_NETWORK && !refused && http.streamed && !c->reply.done;
    *again = status && (http.lost || cut || (refused && failure_is_passing(failure)));
    *asked = http.retry_after > failure->wait ? http.retry_after : failure->wait;
    failure->wait = *asked;
    struct failure_place place = place_of(c->chat);
    if (refused)
        status = failure_explain(failure, &place, error);
    else if (status && status != RAG_INTERRUPTED && status != RAG_MEMORY)
        status = fail_within(error, status, "%s:%.100s at %.200s", place.provider, place.model,
                             place.host);
    if (status && error)
        failure_redact(error->message, place.key);
    http_reply_release(&http);
    note_usage(c);
    return status;
}

/* Some servers do not know that the count of tokens can be asked for, and refuse. */
static bool refuses_stream_options(const struct completion *c)
{
    const struct failure *failure = &c->reply.failure;
    return c->request->ask_usage && !c->delivered && failure->kind == FAILURE_REFUSED &&
           (failure->http == 400 || failure->http == 422) && failure->words.size &&
           strstr(failure->words.data, "stream_options");
}

static rag_status try_until(struct completion *c, struct wire *wire, rag_error *error)
{
    for (unsigned attempt = 1;; attempt++) {
        bool again;
        double asked;
        rag_status status = try_once(c, wire, &again, &asked, error);
        if (status && refuses_stream_options(c)) {
            c->chat->no_stream_options = true;
            c->request->ask_usage = false;
            wire_release(wire);
            if ((status = make_wire(c->chat, c->request, wire, error)))
                return status;
            status = try_once(c, wire, &again, &asked, error);
        }
        if (!status || !again || c->delivered || attempt > c->options->retries)
            return status;
        double delay = retry_delay(attempt, asked, retry_random());
        if (delay < 0)
            return status;
        event_note(&c->events, "%s; next try in %.1f seconds (%u of %u)", error->message, delay,
                   attempt, c->options->retries);
        if (retry_wait(delay, &c->events))
            return fail_with(error, RAG_INTERRUPTED, "interrupted");
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
    chat->last = (rag_usage){.first_token_seconds = NAN};
    struct chat_request request = {.model = chat->endpoint.model,
                                   .messages = messages,
                                   .count = count,
                                   .max_tokens = options.max_tokens,
                                   .temperature = options.temperature,
                                   .stream = options.on_text != NULL,
                                   .ask_usage = !chat->no_stream_options,
                                   .context_tokens = chat->endpoint.context_tokens};
    struct completion c = {.chat = chat,
                           .options = &options,
                           .request = &request,
                           .events = {options.on_event, options.user},
                           .reply = {.text = &c.raw, .failure = FAILURE_INIT},
                           .raw = {.max = CHAT_MAX_REPLY},
                           .text = {.max = CHAT_MAX_REPLY}};
    struct wire wire;
    status = make_wire(chat, &request, &wire, error);
    if (!status)
        status = try_until(&c, &wire, error);
    if (!status && !(*reply = buf_detach(&c.text)))
        status = fail_memory(error);
    wire_release(&wire);
    failure_release(&c.reply.failure);
    sse_release(&c.sse);
    lines_release(&c.lines);
    buf_release(&c.raw);
    buf_release(&c.text);
    return status;
}
