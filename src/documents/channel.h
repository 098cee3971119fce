/* channel.h - bytes to and from a process that may hang, die or lie. */
#ifndef RAG_DOCUMENTS_CHANNEL_H
#define RAG_DOCUMENTS_CHANNEL_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/* A socket's end, and until when (clock_seconds) one waits for the other end; 0: for ever. */
struct channel {
    int fd;
    double deadline;
};

enum channel_result {
    CHANNEL_OK,
    CHANNEL_CLOSED, /* the other end is gone */
    CHANNEL_LATE,   /* the deadline has passed */
};

/* All bytes, or not CHANNEL_OK. Raises no SIGPIPE. */
CHECKED enum channel_result channel_send(const struct channel *channel, const void *data,
                                         size_t size);
CHECKED enum channel_result channel_receive(const struct channel *channel, void *data,
                                            size_t size);

/* What is there, at least a byte of it, at most `size`. */
CHECKED enum channel_result channel_receive_some(const struct channel *channel, void *data,
                                                 size_t size, size_t *got);

#endif
