/* ollama.c - Ollama's own api/chat.
 *
 * POST BASE/api/chat with {"model", "messages": [{"role", "content"}], "stream", "options":
 * {"num_predict", "temperature", "num_ctx"}} (https://docs.ollama.com/api/chat). The reply, and
 * each line of a stream, is {"message": {"content", "thinking"}, "done", "done_reason",
 * "prompt_eval_count", "eval_count"}; thinking is left out; an error is {"error": "..."}, in
 * mid-stream too.
 *
 * Ollama cuts a prompt that is longer than num_ctx (4096 tokens unless set) without a word. So
 * it is told the model's context where that is known, and otherwise what the messages need. */
#include "chat/json.h"
#include "chat/messages.h"
#include "chat/usage.h"

#include <string.h>

enum { LEAST_CONTEXT = 4096 };

static bool url(const char *base, const struct chat_request *request, struct buf *out)
{
    (void)request;
    return buf_printf(out, "%s/api/chat", base);
}

static bool authorization(const char *key, struct buf *out)
{
    return buf_printf(out, "Authorization: Bearer %s", key);
}

/* Room for the messages and the answer: a power of two, so that the model is not loaded anew
 * for each question; an estimate, with half as much again to be safe. */
static size_t needed_context(const struct chat_request *request)
{
    size_t tokens = request->max_tokens, context = LEAST_CONTEXT;
    for (size_t i = 0; i < request->count; i++)
        tokens += usage_estimate(request->messages[i].text) * 3 / 2 + 16;
    while (context < tokens)
        context *= 2;
    return context;
}

static json_t *options_json(const struct chat_request *request)
{
    size_t context =
        request->context_tokens ? request->context_tokens : needed_context(request);
    json_t *options = json_pack("{s:I, s:I}", "num_predict", (json_int_t)request->max_tokens,
                                "num_ctx", (json_int_t)context);
    if (options && request->temperature >= 0 &&
        json_object_set_new(options, "temperature", json_real(request->temperature)) != 0) {
        json_decref(options);
        return NULL;
    }
    return options;
}

static bool body(const struct chat_request *request, struct buf *out)
{
    rag_text model = {request->model, strlen(request->model)};
    json_t *root = json_object();
    if (root && json_object_set_new(root, "model", json_text(model)) == 0 &&
        json_object_set_new(root, "messages", messages_json(request, true)) == 0 &&
        json_object_set_new(root, "stream", json_boolean(request->stream)) == 0 &&
        json_object_set_new(root, "options", options_json(request)) == 0)
        return json_write(root, out);
    json_decref(root);
    return false;
}

static rag_status read_document(const json_t *document, bool streamed, struct chat_reply *reply)
{
    const json_t *message = json_object_get(document, "message");
    const char *reason = json_string_value(json_object_get(document, "done_reason"));
    if (!json_is_object(message) && !streamed)
        return failure_set(&reply->failure, FAILURE_PROTOCOL, "it has no message");
    if (!json_append(json_object_get(message, "content"), reply->text))
        return RAG_MEMORY;
    if (!json_is_true(json_object_get(document, "done")))
        return RAG_OK;
    reply->done = true;
    reply->full = reason && strcmp(reason, "length") == 0;
    const json_t *output = json_object_get(document, "eval_count");
    if (json_is_integer(output))
        reply_count(reply, json_object_get(document, "prompt_eval_count"), output);
    return RAG_OK;
}

const struct protocol ollama_protocol = {
    .name = "ollama",
    .lines = true,
    .url = url,
    .authorization = authorization,
    .body = body,
    .read = read_document,
};
