#include "pipeline/conversation.h"
#include "base/memory.h"
#include "chat/prompt.h"
#include "chat/usage.h"

#include <string.h>
#include <strings.h>

enum { STANDALONE_TOKENS = 256, STANDALONE_LONGER = 400 /* bytes, than the question */ };

rag_status turns_keep(const rag_message *history, size_t count, size_t tokens,
                      struct turns *kept, rag_error *error)
{
    for (size_t i = 0; i < count; i++)
        if (history[i].role != RAG_USER && history[i].role != RAG_ASSISTANT)
            return fail_with(error, RAG_USAGE,
                             "turn %zu of the history is neither the user's nor the "
                             "assistant's",
                             i + 1);
    if (!tokens)
        tokens = HISTORY_DEFAULT_TOKENS;
    size_t first = count, used = 0;
    while (first > 0) {
        size_t turn = usage_estimate(history[first - 1].text);
        if (turn > tokens - used)
            break;
        used += turn;
        first--;
    }
    while (first < count && history[first].role != RAG_USER)
        first++;
    *kept = (struct turns){history + first, count - first};
    return RAG_OK;
}

/* The first line that says something, without the quotes or the label that some models put
 * around it; empty if that is no question of a sensible length. */
static rag_text sensible_line(const char *reply, size_t question_size)
{
    static const char label[] = "Stand-alone question:";
    const char *text = reply + strspn(reply, " \t\r\n");
    if (strncasecmp(text, label, sizeof label - 1) == 0)
        text += sizeof label - 1;
    text += strspn(text, " \t\r\n\"");
    size_t size = strcspn(text, "\r\n");
    while (size && strchr(" \t\"", text[size - 1]))
        size--;
    if (size > 3 * question_size + STANDALONE_LONGER)
        size = 0;
    return (rag_text){text, size};
}

rag_status standalone_question(rag_chat *chat, rag_text question, struct turns turns,
                               const rag_chat_options *wanted, char **out, rag_error *error)
{
    *out = NULL;
    struct prompt prompt;
    rag_message messages[PROMPT_MESSAGES];
    char *reply = NULL;
    rag_chat_options options = *wanted;
    options.on_text = NULL;
    options.max_tokens = STANDALONE_TOKENS;
    options.temperature = 0;
    rag_status status =
        prompt_build_standalone(question, turns.messages, turns.count, &prompt, error);
    if (!status) {
        prompt_messages(&prompt, messages);
        status = rag_chat_complete(chat, messages, PROMPT_MESSAGES, &options, &reply, error);
    }
    if (!status) {
        rag_text line = sensible_line(reply, question.size);
        *out =
            line.size ? strndup(line.data, line.size) : strndup(question.data, question.size);
        if (!*out)
            status = fail_memory(error);
    }
    prompt_release(&prompt);
    rag_free(reply);
    return status;
}
