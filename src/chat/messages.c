#include "chat/messages.h"
#include "chat/json.h"

static const char *const role_names[] = {
    [RAG_SYSTEM] = "system", [RAG_USER] = "user", [RAG_ASSISTANT] = "assistant"};

json_t *messages_json(const struct chat_request *request, bool with_system)
{
    json_t *list = json_array();
    bool ok = list != NULL;
    for (size_t i = 0; ok && i < request->count; i++) {
        const rag_message *message = &request->messages[i];
        if (message->role == RAG_SYSTEM && !with_system)
            continue;
        json_t *item = json_object();
        ok = item &&
             json_object_set_new(item, "role", json_string(role_names[message->role])) == 0 &&
             json_object_set_new(item, "content", json_text(message->text)) == 0;
        ok = json_array_append_new(list, item) == 0 && ok;
    }
    if (ok)
        return list;
    json_decref(list);
    return NULL;
}

static bool join_system(const struct chat_request *request, struct buf *out)
{
    for (size_t i = 0; i < request->count; i++) {
        const rag_message *message = &request->messages[i];
        if (message->role != RAG_SYSTEM)
            continue;
        if ((out->size && !buf_append_text(out, "\n\n")) ||
            !buf_append(out, message->text.data, message->text.size))
            return false;
    }
    return true;
}

bool messages_set_system(const struct chat_request *request, json_t *root, const char *name,
                         json_t *(*wrap)(rag_text text))
{
    struct buf system = BUF_INIT(2 * CHAT_MAX_MESSAGES);
    bool ok = join_system(request, &system);
    if (ok && system.size)
        ok = json_object_set_new(root, name, wrap((rag_text){system.data, system.size})) == 0;
    buf_release(&system);
    return ok;
}
