#include "chat/completion.h"
#include "base/clock.h"
#include "chat/retry.h"
#include "chat/usage.h"

#include <math.h>

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
    rag_status status = reply_read(c->endpoint->protocol, json, size, streamed, &c->reply);
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
    if (c->endpoint->protocol->lines)
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

/* ---- Before and after a try --------------------------------------------------- */

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
    else if (c->endpoint->protocol->lines)
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

/* What this try took: as the server counted, as far as it did, else from the texts; a refused
 * try took none. */
static void note_usage(struct completion *c)
{
    const struct chat_reply *reply = &c->reply;
    rag_usage usage = {.requests = 1,
                       .input_tokens = reply->input_tokens,
                       .output_tokens = reply->output_tokens,
                       .first_token_seconds = NAN,
                       .seconds = clock_seconds() - c->begun};
    if (c->options->on_text && c->first_text)
        usage.first_token_seconds = c->first_text - c->begun;
    bool answered = reply->counted || c->text.size;
    if (answered && !usage.input_tokens) {
        usage.estimated = 1;
        for (size_t i = 0; i < c->request->count; i++)
            usage.input_tokens += usage_estimate(c->request->messages[i].text);
    }
    /* Of an answer that was broken off, only the first tokens may have been counted. */
    uint64_t written = usage_estimate((rag_text){c->text.data, c->text.size});
    if (answered && (!reply->counted || (!reply->done && usage.output_tokens < written))) {
        usage.estimated = 1;
        usage.output_tokens = written;
    }
    if (usage.input_tokens || usage.output_tokens)
        usage.cost = ((double)usage.input_tokens * c->endpoint->input_price +
                      (double)usage.output_tokens * c->endpoint->output_price) /
                     1e6;
    usage_add(&c->usage, &usage);
}

/* Who was asked into *error, and the key out of it. */
static rag_status place_failure(const struct completion *c, rag_status status, rag_error *error)
{
    const struct endpoint *endpoint = c->endpoint;
    const struct failure_place place = {.provider = endpoint->provider,
                                        .protocol = endpoint->protocol->name,
                                        .host = endpoint->host,
                                        .model = endpoint->model,
                                        .key_variable = endpoint->key_variable,
                                        .url_variable = endpoint->url_variable,
                                        .key = endpoint->key};
    if (status == RAG_NETWORK && c->reply.failure.kind != FAILURE_NONE)
        status = failure_explain(&c->reply.failure, &place, error);
    else if (status != RAG_INTERRUPTED && status != RAG_MEMORY)
        status = fail_within(error, status, "%s:%.100s at %.200s", place.provider, place.model,
                             place.host);
    failure_redact(error->message, place.key);
    return status;
}

/* ---- Tries ---------------------------------------------------------------------- */

/* One exchange. *again: it failed in a way that may pass, *asked seconds from now. */
static rag_status try_once(struct completion *c, const struct wire *wire, bool *again,
                           double *asked, rag_error *error)
{
    bool stream = c->options->on_text != NULL;
    const char *headers[2];
    size_t header_count = 0;
    if (wire->key_header.data)
        headers[header_count++] = wire->key_header.data;
    if (c->endpoint->protocol->header)
        headers[header_count++] = c->endpoint->protocol->header;
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
    rag_status status = http_post(c->http, &request, &http, error);
    bool whole = status == RAG_OK;
    if (whole)
        status = read_reply(c, &http, error);
    struct failure *failure = &c->reply.failure;
    bool refused = status == RAG_NETWORK && failure->kind != FAILURE_NONE;
    bool cut = whole && status == RAG_NETWORK && !refused && http.streamed && !c->reply.done;
    *again = status && (http.lost || cut || (refused && failure_is_passing(failure)));
    *asked = http.retry_after > failure->wait ? http.retry_after : failure->wait;
    failure->wait = *asked;
    if (status)
        status = place_failure(c, status, error);
    http_reply_release(&http);
    note_usage(c);
    return status;
}

rag_status completion_try(struct completion *c, const struct wire *wire, rag_error *error)
{
    for (unsigned attempt = 1;; attempt++) {
        bool again;
        double asked;
        rag_status status = try_once(c, wire, &again, &asked, error);
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

void completion_release(struct completion *c)
{
    failure_release(&c->reply.failure);
    sse_release(&c->sse);
    lines_release(&c->lines);
    buf_release(&c->raw);
    buf_release(&c->text);
}
