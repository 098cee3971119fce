/* prompt.h - the messages that ask for a cited answer.
 *
 * The system message says: answer from the passages alone, in the question's language,
 * with [n] behind each claim, and say so if they don't answer. The user's message holds
 * the passages and then the question, since a small model heeds best what comes last:
 *
 *   <passage 1>
 *   source: DOCUMENT > HEADING
 *   TEXT
 *   </passage>
 *   Question: ...
 *
 * Text of a document is data, whatever it says. It cannot end its passage or begin one,
 * nor play a role of a chat template: in "<passage", "</passage" and the control words of
 * the usual templates ("<|im_end|>", "[INST]", "<start_of_turn>" ...) the bracket becomes
 * ‹ or ⟦, which looks the same to a reader. Control characters become spaces. So a quote
 * of such a place may differ from its source in that one character. */
#ifndef RAG_CHAT_PROMPT_H
#define RAG_CHAT_PROMPT_H

#include "base/buf.h"

struct prompt_passage {
    size_t number; /* what is cited, from 1 */
    rag_text document, heading, text;
};

struct prompt {
    struct buf system, user;
};

enum { PROMPT_MAX = 8 << 20, PROMPT_MESSAGES = 2 };

/* RAG_INPUT: longer than PROMPT_MAX. To be released in any case. */
CHECKED rag_status prompt_build(rag_text question, const struct prompt_passage *passages,
                                size_t count, struct prompt *prompt, rag_error *error);
void prompt_release(struct prompt *prompt);

/* The messages, borrowed from the prompt. A history belongs between the two. */
void prompt_messages(const struct prompt *prompt, rag_message messages[PROMPT_MESSAGES]);

/* The messages that ask for a question which can be understood without the turns before it:
 * the last of the user's, in its own language, with what its pronouns stand for. The turns
 * are shown as a transcript, so that a small model continues the task and not the talk.
 * As prompt_build. */
CHECKED rag_status prompt_build_standalone(rag_text question, const rag_message *history,
                                           size_t count, struct prompt *prompt,
                                           rag_error *error);

#endif
