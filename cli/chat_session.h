/* chat_session.h - the turns of a conversation: for the questions to come, and to be saved. */
#ifndef RAG_CLI_CHAT_SESSION_H
#define RAG_CLI_CHAT_SESSION_H

#include "cli.h"

enum { CHAT_MAX_TURNS = 1000 /* the oldest are forgotten */ };

struct turn {
    char *question;
    rag_answer *answer;
};

/* Zeroed: no turns. */
struct chat_session {
    struct turn turns[CHAT_MAX_TURNS];
    size_t count;
};

/* Takes the answer, in any case, and a copy of the question. */
rag_status chat_session_remember(struct chat_session *session, const char *question,
                                 rag_answer *answer, rag_error *error);
/* NULL: there is none yet. */
const struct turn *chat_session_last(const struct chat_session *session);
/* The turns as messages, [2 x count], for the caller to free; they borrow from the turns. */
rag_status chat_session_history(const struct chat_session *session, rag_message **messages,
                                rag_error *error);
/* Writes the turns as Markdown into a new file: RAG_INPUT if there is one already. */
rag_status chat_session_save(const struct chat_session *session, const char *path,
                             rag_error *error);
void chat_session_clear(struct chat_session *session);

#endif
