/* conversation.h - the turns before a question: how many are kept, and what it means with them.
 *
 * A follow-up ("and in convolutional networks?") finds nothing by itself. The language model
 * rewrites it into a question that stands alone, which is what is searched for. What comes back
 * is checked, since a small model may answer instead, or talk: then the question itself is
 * searched for. */
#ifndef RAG_PIPELINE_CONVERSATION_H
#define RAG_PIPELINE_CONVERSATION_H

#include "base/event.h"
#include "rag.h"

enum { HISTORY_DEFAULT_TOKENS = 1024 };

/* Turns of a conversation, borrowed. */
struct turns {
    const rag_message *messages;
    size_t count;
};

/* Checks the history that a caller gave (turns of users and assistants only: RAG_USAGE) and
 * keeps the newest turns whose tokens, estimated from their bytes, come to `tokens` at most
 * (0: the default). What is kept begins with a turn of the user's. */
CHECKED rag_status turns_keep(const rag_message *history, size_t count, size_t tokens,
                              struct turns *kept, rag_error *error);

/* The question, standing alone, into *out, NUL-terminated and the caller's to free; there must
 * be turns before it. `options` are the caller's of the answer to come: their limits of
 * time and their events hold here too. */
CHECKED rag_status standalone_question(rag_chat *chat, rag_text question, struct turns turns,
                                       const rag_chat_options *options, char **out,
                                       rag_error *error);

#endif
