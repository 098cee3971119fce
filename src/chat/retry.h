/* retry.h - when to try again. */
#ifndef RAG_CHAT_RETRY_H
#define RAG_CHAT_RETRY_H

#include "base/event.h"

/* A server that asks for a longer wait is believed, and not waited for. */
enum { RETRY_MAX_WAIT = 60 };

/* Seconds to wait before try number `attempt` (1 is the first repetition): 0.5 s, doubled
 * each time up to 16 s, of which a random half is taken off, so that many clients that
 * failed together don't return together; never less than `asked`, what the server asked
 * for (0: nothing). `random` is within 0..1. Negative: it asked for too long. */
double retry_delay(unsigned attempt, double asked, double random);

/* Within 0..1; good enough to spread clients. */
double retry_random(void);

/* Sleeps, asking `events` four times a second. True: the caller asks to stop. */
CHECKED bool retry_wait(double seconds, const struct events *events);

#endif
