#include "documents/channel.h"
#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

/* Waits until the channel is ready for `what`. */
static enum channel_result wait_for(const struct channel *channel, short what)
{
    for (;;) {
        int milliseconds = -1;
        if (channel->deadline > 0) {
            double left = channel->deadline - clock_seconds();
            if (left <= 0)
                return CHANNEL_LATE;
            milliseconds = left < 1000 ? (int)(left * 1000) + 1 : 1000000;
        }
        struct pollfd ready = {.fd = channel->fd, .events = what};
        int count = poll(&ready, 1, milliseconds);
        if (count > 0)
            return CHANNEL_OK;
        if (count < 0 && errno != EINTR && errno != EAGAIN)
            return CHANNEL_CLOSED;
    }
}

/* What errno of send or recv says: go on (CHANNEL_OK) or not. */
static enum channel_result after_failure(const struct channel *channel, short what)
{
    if (errno == EINTR)
        return CHANNEL_OK;
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        return wait_for(channel, what);
    return CHANNEL_CLOSED;
}

enum channel_result channel_send(const struct channel *channel, const void *data, size_t size)
{
    const char *from = data;
    while (size) {
        ssize_t put = send(channel->fd, from, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (put < 0) {
            enum channel_result result = after_failure(channel, POLLOUT);
            if (result)
                return result;
            continue;
        }
        from += put;
        size -= (size_t)put;
    }
    return CHANNEL_OK;
}

enum channel_result channel_receive_some(const struct channel *channel, void *data, size_t size,
                                         size_t *got)
{
    for (;;) {
        ssize_t count = recv(channel->fd, data, size, MSG_DONTWAIT);
        if (count > 0) {
            *got = (size_t)count;
            return CHANNEL_OK;
        }
        if (count == 0)
            return CHANNEL_CLOSED;
        enum channel_result result = after_failure(channel, POLLIN);
        if (result)
            return result;
    }
}

enum channel_result channel_receive(const struct channel *channel, void *data, size_t size)
{
    char *to = data;
    while (size) {
        size_t got;
        enum channel_result result = channel_receive_some(channel, to, size, &got);
        if (result)
            return result;
        to += got;
        size -= got;
    }
    return CHANNEL_OK;
}
