/* openai.c - chat completions, the protocol that most servers speak.
 *
 * POST BASE/chat/completions with {"model", "messages": [{"role", "content"}], "stream",
 * "max_tokens", "temperature"}; the key in "Authorization: Bearer KEY"
 * (https://platform.openai.com/docs/api-reference/chat).
 *
 * The reply is {"choices": [{"message": {"content"}, "finish_reason"}]}. A stream is a row
 * of events {"choices": [{"delta": {"content"}, "finish_reason"}]} ended by the event
 * "[DONE]". As servers really do it: the first delta has the role and a content of null;
 * the last event before [DONE] may have no choices, or null, and the usage; content may
 * be a list of parts (Mistral); an event may be {"error": ...} with HTTP status 200;
 * some close the stream after a finish_reason without [DONE].
 *
 * "max_tokens" is what every server knows, except that OpenAI's own reasoning models (o1,
 * o3, o4, gpt-5) demand "max_completion_tokens" and the default temperature. A model that is
 * not known here says so in its refusal (chat.c).
 *
 * A finish_reason other than those of OpenAI that ends an answer before its time: "sensitive"
 * and "network_error" (Zhipu), "insufficient_system_resource" (DeepSeek), "error" (OpenRouter,
 * with an "error" beside it), "abort" (vLLM). */
#include "chat/json.h"
#include "chat/messages.h"

#include <ctype.h>
#include <string.h>

static bool url(const char *base, const struct chat_request *request, struct buf *out)
{
    (void)request;
    return buf_printf(out, "%s/chat/completions", base);
}

static bool authorization(const char *key, struct buf *out)
{
    return buf_printf(out, "Authorization: Bearer %s", key);
}

static bool is_reasoning_model(const char *model)
{
    const char *slash = strrchr(model, '/');
    const char *name = slash ? slash + 1 : model;
    return strncmp(name, "gpt-5", 5) == 0 ||
           (name[0] == 'o' && isdigit((unsigned char)name[1]) &&
            !isdigit((unsigned char)name[2]));
}

static bool body(const struct chat_request *request, struct buf *out)
{
    bool reasoning = is_reasoning_model(request->model);
    bool other_name = reasoning != request->other_limit;
    rag_text model = {request->model, strlen(request->model)};
    json_t *root = json_object();
    bool ok = root && json_object_set_new(root, "model", json_text(model)) == 0 &&
              json_object_set_new(root, "messages", messages_json(request, true)) == 0 &&
              json_object_set_new(root, "stream", json_boolean(request->stream)) == 0 &&
              json_object_set_new(root, other_name ? "max_completion_tokens" : "max_tokens",
                                  json_integer(request->max_tokens)) == 0;
    if (ok && request->ask_usage)
        ok = json_object_set_new(root, "stream_options",
                                 json_pack("{s:b}", "include_usage", 1)) == 0;
    if (ok && request->temperature >= 0 && !reasoning)
        ok = json_object_set_new(root, "temperature", json_real(request->temperature)) == 0;
    if (ok)
        return json_write(root, out);
    json_decref(root);
    return false;
}

/* A string, or a list of parts of which those of type "text" count. */
static bool append_content(const json_t *content, struct buf *text)
{
    size_t i;
    json_t *part;
    json_array_foreach(content, i, part)
    {
        const char *type = json_string_value(json_object_get(part, "type"));
        if (type && strcmp(type, "text") == 0 &&
            !json_append(json_object_get(part, "text"), text))
            return false;
    }
    return json_append(content, text);
}

/* The server gave up in the middle of an answer. */
static rag_status broken_off(const json_t *choice, const char *reason, struct chat_reply *reply)
{
    const json_t *error = json_object_get(choice, "error");
    const char *words = json_string_value(json_object_get(error, "message"));
    rag_status status = failure_set(&reply->failure, FAILURE_REFUSED, words ? words : reason);
    strcpy(reply->failure.code, "server_error");
    return status;
}

static rag_status finish(const json_t *choice, struct chat_reply *reply)
{
    const char *reason = json_string_value(json_object_get(choice, "finish_reason"));
    if (!reason || !*reason)
        return RAG_OK;
    if (strcmp(reason, "content_filter") == 0 || strcmp(reason, "sensitive") == 0)
        return failure_set(&reply->failure, FAILURE_REPLY_BLOCKED, reason);
    static const char *const broken[] = {"network_error", "insufficient_system_resource",
                                         "error", "abort"};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
        if (strcmp(reason, broken[i]) == 0)
            return broken_off(choice, reason, reply);
    reply->done = true;
    reply->full = strcmp(reason, "length") == 0;
    return RAG_OK;
}

/* In a stream it stands in the last event, or in every one as it is so far (vLLM). */
static void read_usage(const json_t *document, struct chat_reply *reply)
{
    const json_t *usage = json_object_get(document, "usage");
    const json_t *input = json_object_get(usage, "prompt_tokens");
    if (json_is_integer(input))
        reply_count(reply, input, json_object_get(usage, "completion_tokens"));
}

static rag_status read_choices(const json_t *document, bool streamed, struct chat_reply *reply)
{
    const json_t *choices = json_object_get(document, "choices");
    const json_t *choice = json_array_get(choices, 0);
    if (!json_is_object(choice)) {
        if (streamed && json_is_object(document))
            return RAG_OK;
        return failure_set(&reply->failure, FAILURE_PROTOCOL, "it has no choices");
    }
    const json_t *message = json_object_get(choice, streamed ? "delta" : "message");
    /* A model that declines says so in "refusal", with a content of null. */
    if (!append_content(json_object_get(message, "content"), reply->text) ||
        !json_append(json_object_get(message, "refusal"), reply->text))
        return RAG_MEMORY;
    rag_status status = finish(choice, reply);
    reply->done |= !streamed;
    return status;
}

static rag_status read_reply(const json_t *document, bool streamed, struct chat_reply *reply)
{
    read_usage(document, reply);
    return read_choices(document, streamed, reply);
}

const struct protocol openai_protocol = {
    .name = "openai",
    .end = "[DONE]",
    .url = url,
    .authorization = authorization,
    .body = body,
    .read = read_reply,
};
