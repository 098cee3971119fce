/* messages.h - a conversation as the JSON that several protocols share. */
#ifndef RAG_CHAT_MESSAGES_H
#define RAG_CHAT_MESSAGES_H

#include "chat/chat.h"

/* [{"role": "system", "user" or "assistant", "content": ...}]; with_system false: the system
 * messages left out. NULL: out of memory. */
CHECKED json_t *messages_json(const struct chat_request *request, bool with_system);

/* Sets root[name] to wrap(all system messages, a blank line between them), if there are any.
 * False: out of memory. */
CHECKED bool messages_set_system(const struct chat_request *request, json_t *root,
                                 const char *name, json_t *(*wrap)(rag_text text));

#endif
