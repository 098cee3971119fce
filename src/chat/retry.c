#include "chat/retry.h"
#include "base/clock.h"

#include <time.h>

double retry_delay(unsigned attempt, double asked, double random)
{
    if (asked > RETRY_MAX_WAIT)
        return -1;
    unsigned doublings = attempt < 2 ? 0 : attempt - 1;
    double longest = 0.5 * (double)(1U << (doublings < 5 ? doublings : 5));
    double delay = longest * (0.5 + 0.5 * random);
    if (asked <= 0)
        return delay;
    /* Spread behind what was asked for, not before it. */
    return asked + 0.25 * random;
}

double retry_random(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t x = (uint64_t)now.tv_nsec * UINT64_C(0x9E3779B97F4A7C15);
    return (double)(x >> 11) / 9007199254740992.0;
}

bool retry_wait(double seconds, const struct events *events)
{
    double end = clock_seconds() + seconds;
    for (;;) {
        if (event_progress(events, "waiting", NULL, 0, 0, NULL))
            return true;
        double left = end - clock_seconds();
        if (left <= 0)
            return false;
        double nap = left < 0.25 ? left : 0.25;
        struct timespec span = {.tv_nsec = (long)(nap * 1e9)};
        nanosleep(&span, NULL);
    }
}
