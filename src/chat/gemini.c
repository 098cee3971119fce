/* gemini.c - Google's generateContent.
 *
 * POST BASE/v1beta/models/MODEL:generateContent, or :streamGenerateContent?alt=sse, with
 * {"systemInstruction": {"parts": [{"text"}]}, "contents": [{"role": "user" or "model",
 * "parts": [{"text"}]}], "generationConfig": {"maxOutputTokens", "temperature"}}; the key
 * in "x-goog-api-key: KEY" (https://ai.google.dev/api/generate-content).
 *
 * The reply, and each event of a stream, is {"candidates": [{"content": {"parts":
 * [{"text", "thought"}]}, "finishReason"}], "promptFeedback": {"blockReason"}}. Parts with
 * "thought": true are the model's thinking and are left out. A prompt that the filter
 * refused has a blockReason and no candidates. The stream ends with the connection; its
 * last event has a finishReason (older models put one into every event).
 *
 * Thinking counts against maxOutputTokens: with gemini-2.5-flash's default of up to 8192
 * thinking tokens nothing would be left of an ordinary limit, so it is turned off there
 * (thinkingBudget 0; the other models do not allow it). */
#include "base/file.h"
#include "chat/json.h"
#include "chat/messages.h"

#include <ctype.h>
#include <string.h>

static bool url(const char *base, const struct chat_request *request, struct buf *out)
{
    static const char *const versions[] = {"v1", "v1beta", "v1alpha"};
    bool versioned = false;
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++)
        versioned |= strcmp(path_name(base), versions[i]) == 0;
    const char *model = request->model;
    bool in_folder =
        strncmp(model, "models/", 7) == 0 || strncmp(model, "tunedModels/", 12) == 0;
    if (!buf_printf(out, "%s%s/%s", base, versioned ? "" : "/v1beta",
                    in_folder ? "" : "models/"))
        return false;
    for (; *model; model++) {
        unsigned char c = (unsigned char)*model;
        bool plain = isalnum(c) || strchr("-._~/", c);
        if (!(plain ? buf_append_char(out, (char)c) : buf_printf(out, "%%%02X", c)))
            return false;
    }
    return buf_append_text(out, request->stream ? ":streamGenerateContent?alt=sse"
                                                : ":generateContent");
}

static bool authorization(const char *key, struct buf *out)
{
    return buf_printf(out, "x-goog-api-key: %s", key);
}

/* {"parts": [{"text": ...}]}, with a role if there is one. */
static json_t *content_json(const char *role, rag_text text)
{
    json_t *content = json_object(), *parts = json_array(), *part = json_object();
    bool ok = part && json_object_set_new(part, "text", json_text(text)) == 0;
    ok = json_array_append_new(parts, part) == 0 && ok;
    ok = json_object_set_new(content, "parts", parts) == 0 && ok;
    if (ok && role)
        ok = json_object_set_new(content, "role", json_string(role)) == 0;
    if (ok)
        return content;
    json_decref(content);
    return NULL;
}

static json_t *system_json(rag_text text)
{
    return content_json(NULL, text);
}

static bool set_contents(json_t *root, const struct chat_request *request)
{
    json_t *contents = json_array();
    if (json_object_set_new(root, "contents", contents) != 0)
        return false;
    for (size_t i = 0; i < request->count; i++) {
        const rag_message *message = &request->messages[i];
        if (message->role == RAG_SYSTEM)
            continue;
        const char *role = message->role == RAG_ASSISTANT ? "model" : "user";
        if (json_array_append_new(contents, content_json(role, message->text)) != 0)
            return false;
    }
    return true;
}

static bool set_config(json_t *root, const struct chat_request *request)
{
    json_t *config = json_object();
    if (json_object_set_new(root, "generationConfig", config) != 0 ||
        json_object_set_new(config, "maxOutputTokens", json_integer(request->max_tokens)) != 0)
        return false;
    if (request->temperature >= 0 &&
        json_object_set_new(config, "temperature", json_real(request->temperature)) != 0)
        return false;
    return !strstr(request->model, "gemini-2.5-flash") ||
           json_object_set_new(config, "thinkingConfig",
                               json_pack("{s:i}", "thinkingBudget", 0)) == 0;
}

static bool body(const struct chat_request *request, struct buf *out)
{
    json_t *root = json_object();
    if (root && messages_set_system(request, root, "systemInstruction", system_json) &&
        set_contents(root, request) && set_config(root, request))
        return json_write(root, out);
    json_decref(root);
    return false;
}

static rag_status finish(const json_t *candidate, struct chat_reply *reply)
{
    const char *reason = json_string_value(json_object_get(candidate, "finishReason"));
    if (!reason || strcmp(reason, "FINISH_REASON_UNSPECIFIED") == 0)
        return RAG_OK;
    reply->full = strcmp(reason, "MAX_TOKENS") == 0;
    if (strcmp(reason, "STOP") != 0 && !reply->full)
        return failure_set(&reply->failure, FAILURE_REPLY_BLOCKED, reason);
    reply->done = true;
    return RAG_OK;
}

/* Each event has the counts so far. Thinking is paid for as text is. */
static void read_usage(const json_t *document, struct chat_reply *reply)
{
    const json_t *usage = json_object_get(document, "usageMetadata");
    const json_t *input = json_object_get(usage, "promptTokenCount");
    const json_t *thoughts = json_object_get(usage, "thoughtsTokenCount");
    if (!json_is_integer(input))
        return;
    reply_count(reply, input, json_object_get(usage, "candidatesTokenCount"));
    if (json_integer_value(thoughts) > 0)
        reply->output_tokens += (uint64_t)json_integer_value(thoughts);
}

static rag_status read_candidates(const json_t *document, bool streamed,
                                  struct chat_reply *reply)
{
    const json_t *feedback = json_object_get(document, "promptFeedback");
    const char *blocked = json_string_value(json_object_get(feedback, "blockReason"));
    if (blocked && strcmp(blocked, "BLOCK_REASON_UNSPECIFIED") != 0)
        return failure_set(&reply->failure, FAILURE_PROMPT_BLOCKED, blocked);
    const json_t *candidate = json_array_get(json_object_get(document, "candidates"), 0);
    if (!json_is_object(candidate)) {
        if (streamed && json_is_object(document))
            return RAG_OK;
        return failure_set(&reply->failure, FAILURE_PROTOCOL, "it has no candidates");
    }
    size_t i;
    json_t *part;
    json_array_foreach(json_object_get(json_object_get(candidate, "content"), "parts"), i, part)
    {
        if (!json_is_true(json_object_get(part, "thought")) &&
            !json_append(json_object_get(part, "text"), reply->text))
            return RAG_MEMORY;
    }
    rag_status status = finish(candidate, reply);
    reply->done |= !streamed;
    return status;
}

static rag_status read_reply(const json_t *document, bool streamed, struct chat_reply *reply)
{
    read_usage(document, reply);
    return read_candidates(document, streamed, reply);
}

const struct protocol gemini_protocol = {
    .name = "gemini",
    .url = url,
    .authorization = authorization,
    .body = body,
    .read = read_reply,
};
