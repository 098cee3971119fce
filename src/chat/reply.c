/* reply.c - what all protocols do with a reply. */
#include "chat/chat.h"

#include <string.h>

rag_status reply_read(const struct protocol *protocol, const char *json, size_t size,
                      bool streamed, struct chat_reply *reply)
{
    const char *end = protocol->end;
    if (streamed && end && size == strlen(end) && memcmp(json, end, size) == 0) {
        reply->done = true;
        return RAG_OK;
    }
    json_t *document;
    rag_status status = failure_parse(&reply->failure, json, size, &document);
    if (status)
        return status;
    status = protocol->read(document, streamed, reply);
    json_decref(document);
    return status;
}

void reply_count(struct chat_reply *reply, const json_t *input, const json_t *output)
{
    json_int_t in = json_integer_value(input), out = json_integer_value(output);
    reply->counted = true;
    if (input)
        reply->input_tokens = in > 0 ? (uint64_t)in : 0;
    if (output)
        reply->output_tokens = out > 0 ? (uint64_t)out : 0;
}
