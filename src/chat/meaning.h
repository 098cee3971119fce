/* meaning.h - what a server's refusal means, whatever words the provider has for it. */
#ifndef RAG_CHAT_MEANING_H
#define RAG_CHAT_MEANING_H

#include "chat/failure.h"

enum meaning {
    REFUSED, /* of no kind that is known here */
    CONTEXT_TOO_LONG,
    KEY_REFUSED,
    QUOTA_USED_UP,
    BUSY,
    NO_SUCH_MODEL,
    NOT_FOUND,
    BROKEN,
    REDIRECTED,
    FILTERED,        /* a filter took offence at what was sent */
    PLACE_REFUSED,   /* the provider does not serve the caller's country */
    MODEL_TOO_LARGE, /* for the server's memory */
};

/* Of a failure of the kind FAILURE_REFUSED. */
enum meaning meaning_of(const struct failure *failure);

/* The server's codes or words have `phrase` in them, in whatever case. */
bool failure_says(const struct failure *failure, const char *phrase);

#endif
