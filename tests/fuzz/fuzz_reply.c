/* Any reply of a server gives valid text or an error in one line without the key. The
 * first byte says which protocol reads it, as what. */
#include "chat/characters.h"
#include "chat/chat.h"
#include "text/utf8.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char key[] = "sk-0123456789abcdef";

static void check_text(const char *text, size_t size)
{
    if (memchr(text, '\0', size) || utf8_valid_prefix(text, size) != size)
        abort();
}

static void check_failure(const struct failure *failure)
{
    const struct failure_place place = {.provider = "openai",
                                        .protocol = "openai",
                                        .host = "h",
                                        .model = "m",
                                        .key_variable = "K",
                                        .url_variable = "U",
                                        .key = key};
    rag_error error;
    if (failure_explain(failure, &place, &error) == RAG_OK || strstr(error.message, key))
        abort();
    for (const char *c = error.message; *c; c++)
        if ((unsigned char)*c < ' ')
            abort();
    check_text(error.message, strlen(error.message));
    (void)failure_is_passing(failure);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    static const struct protocol *const protocols[] = {&openai_protocol, &gemini_protocol,
                                                       &anthropic_protocol, &ollama_protocol};
    const struct protocol *protocol = protocols[(data[0] & 1) | (data[0] & 4) >> 1];
    struct buf raw = BUF_INIT(16 << 20), text = BUF_INIT(16 << 20);
    struct chat_reply reply = {.text = &raw, .failure = FAILURE_INIT};
    struct characters characters = {0};
    const char *json = (const char *)data + 1;
    rag_status status = reply_read(protocol, json, size - 1, data[0] & 2, &reply);
    if (status == RAG_NETWORK)
        check_failure(&reply.failure);
    else if (status)
        abort();
    if (!buf_reserve(&raw, 0) || !characters_feed(&characters, raw.data, raw.size, &text) ||
        !characters_finish(&characters, &text) || !buf_reserve(&text, 0))
        abort();
    check_text(text.data, text.size);
    if (failure_read(&reply.failure, json, size - 1) != RAG_NETWORK)
        abort();
    reply.failure.http = 400 + data[0];
    check_failure(&reply.failure);
    failure_release(&reply.failure);
    buf_release(&raw);
    buf_release(&text);
    return 0;
}
