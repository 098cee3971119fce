/* anthropic.c - Anthropic's Messages.
 *
 * POST BASE/v1/messages with {"model", "max_tokens", "system", "messages": [{"role",
 * "content"}], "temperature", "stream"}; the key in "x-api-key: KEY", the version of the
 * protocol in "anthropic-version" (https://docs.anthropic.com/en/api/messages).
 *
 * The reply is {"type": "message", "content": [{"type": "text", "text"}], "stop_reason",
 * "usage": {"input_tokens", "output_tokens"}}; blocks of other types (thinking) are left out.
 * A stream is message_start (with the usage so far), content_block_start, content_block_delta
 * {"delta": {"type": "text_delta", "text"}}, content_block_stop, message_delta {"delta":
 * {"stop_reason"}, "usage"}, message_stop; "ping" between them; an error is an event
 * {"type": "error", "error": {"type", "message"}}.
 *
 * Tokens that were read from or written to the cache of prompts are counted apart from
 * input_tokens and added here. */
#include "base/file.h"
#include "chat/json.h"
#include "chat/messages.h"

#include <string.h>

static bool url(const char *base, const struct chat_request *request, struct buf *out)
{
    (void)request;
    return buf_printf(out, "%s%s/messages", base,
                      strcmp(path_name(base), "v1") == 0 ? "" : "/v1");
}

static bool authorization(const char *key, struct buf *out)
{
    return buf_printf(out, "x-api-key: %s", key);
}

static bool body(const struct chat_request *request, struct buf *out)
{
    rag_text model = {request->model, strlen(request->model)};
    json_t *root = json_object();
    bool ok = root && json_object_set_new(root, "model", json_text(model)) == 0 &&
              json_object_set_new(root, "max_tokens", json_integer(request->max_tokens)) == 0 &&
              messages_set_system(request, root, "system", json_text) &&
              json_object_set_new(root, "messages", messages_json(request, false)) == 0 &&
              json_object_set_new(root, "stream", json_boolean(request->stream)) == 0;
    if (ok && request->temperature >= 0) /* within 0..1 here */
        ok = json_object_set_new(
                 root, "temperature",
                 json_real(request->temperature < 1 ? request->temperature : 1)) == 0;
    if (ok)
        return json_write(root, out);
    json_decref(root);
    return false;
}

static void read_usage(const json_t *holder, struct chat_reply *reply)
{
    const json_t *usage = json_object_get(holder, "usage");
    const json_t *input = json_object_get(usage, "input_tokens");
    const json_t *output = json_object_get(usage, "output_tokens");
    if (!json_is_integer(input) && !json_is_integer(output))
        return;
    reply_count(reply, input, output);
    static const char *const cached[] = {"cache_read_input_tokens",
                                         "cache_creation_input_tokens"};
    for (size_t i = 0; input && i < 2; i++) {
        json_int_t tokens = json_integer_value(json_object_get(usage, cached[i]));
        reply->input_tokens += tokens > 0 ? (uint64_t)tokens : 0;
    }
}

static rag_status finish(const json_t *holder, struct chat_reply *reply)
{
    const char *reason = json_string_value(json_object_get(holder, "stop_reason"));
    if (!reason)
        return RAG_OK;
    if (strcmp(reason, "refusal") == 0)
        return failure_set(&reply->failure, FAILURE_REPLY_BLOCKED, reason);
    reply->done = true;
    reply->full = strcmp(reason, "max_tokens") == 0 ||
                  strcmp(reason, "model_context_window_exceeded") == 0;
    return RAG_OK;
}

static rag_status read_message(const json_t *document, struct chat_reply *reply)
{
    const json_t *content = json_object_get(document, "content");
    if (!json_is_array(content))
        return failure_set(&reply->failure, FAILURE_PROTOCOL, "it has no content");
    size_t i;
    json_t *block;
    json_array_foreach(content, i, block)
    {
        const char *type = json_string_value(json_object_get(block, "type"));
        if (type && strcmp(type, "text") == 0 &&
            !json_append(json_object_get(block, "text"), reply->text))
            return RAG_MEMORY;
    }
    rag_status status = finish(document, reply);
    reply->done = true;
    return status;
}

static rag_status read_event(const json_t *document, struct chat_reply *reply)
{
    const char *type = json_string_value(json_object_get(document, "type"));
    const json_t *delta = json_object_get(document, "delta");
    if (!type)
        return RAG_OK;
    if (strcmp(type, "message_start") == 0)
        read_usage(json_object_get(document, "message"), reply);
    if (strcmp(type, "content_block_start") == 0)
        delta = json_object_get(document, "content_block");
    if (strcmp(type, "content_block_start") == 0 || strcmp(type, "content_block_delta") == 0) {
        const char *kind = json_string_value(json_object_get(delta, "type"));
        bool text = kind && (strcmp(kind, "text") == 0 || strcmp(kind, "text_delta") == 0);
        if (text && !json_append(json_object_get(delta, "text"), reply->text))
            return RAG_MEMORY;
    }
    if (strcmp(type, "message_delta") == 0) {
        read_usage(document, reply);
        return finish(delta, reply);
    }
    if (strcmp(type, "message_stop") == 0)
        reply->done = true;
    return RAG_OK;
}

static rag_status read_reply(const json_t *document, bool streamed, struct chat_reply *reply)
{
    if (streamed)
        return read_event(document, reply);
    read_usage(document, reply);
    return read_message(document, reply);
}

const struct protocol anthropic_protocol = {
    .name = "anthropic",
    .header = "anthropic-version: 2023-06-01",
    .url = url,
    .authorization = authorization,
    .body = body,
    .read = read_reply,
};
