/* Watching folders by inotify(7).
 *
 * The system names a folder by a number, which stays with it when it is moved. So when a folder
 * is moved away, what is watched of it is forgotten, and watched anew under its new path by who
 * walks there; the two halves of a move then need not find each other. */
#define _DEFAULT_SOURCE
#include "documents/watch.h"
#include "base/file.h"
#include "base/memory.h"

#include <errno.h>
#include <string.h>

#ifdef __linux__

#include <poll.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>

struct watched {
    int number;
    char *path; /* NULL: forgotten */
};

struct watch {
    int fd;
    struct watched *folders; /* by number: the system gives ever higher ones */
    size_t count, capacity, forgotten;
};

enum {
    WHAT = IN_CREATE | IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB | IN_MOVED_FROM | IN_MOVED_TO |
           IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR | IN_EXCL_UNLINK,
    READ_BYTES = 1 << 16,
};

rag_status watch_new(struct watch **out, rag_error *error)
{
    *out = NULL;
    struct watch *watch = alloc_zeroed(1, sizeof *watch);
    if (!watch)
        return fail_memory(error);
    watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (watch->fd < 0) {
        rag_status status = fail_errno(error, RAG_INPUT,
                                       "no files can be watched (the limits of the system are "
                                       "fs.inotify.max_user_instances and the open files)");
        free(watch);
        return status;
    }
    *out = watch;
    return RAG_OK;
}

void watch_free(struct watch *watch)
{
    if (!watch)
        return;
    for (size_t i = 0; i < watch->count; i++)
        free(watch->folders[i].path);
    free(watch->folders);
    close(watch->fd);
    free(watch);
}

size_t watch_count(const struct watch *watch)
{
    return watch->count - watch->forgotten;
}

static struct watched *find(const struct watch *watch, int number)
{
    size_t low = 0, high = watch->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (watch->folders[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < watch->count && watch->folders[low].number == number ? &watch->folders[low]
                                                                      : NULL;
}

static rag_status fail_limit(const char *folder, rag_error *error)
{
    static const char limit_file[] = "/proc/sys/fs/inotify/max_user_watches";
    struct buf text = BUF_INIT(64);
    if (file_read(limit_file, &text, NULL) != RAG_OK || !text.size)
        buf_clear(&text);
    rag_status status = fail_with(
        error, RAG_INPUT,
        "%s: the system allows no more folders to be watched: raise fs.inotify.max_user_watches"
        "%s%.*s%s, as root, with: sysctl fs.inotify.max_user_watches=1048576",
        folder, text.size ? " (now " : "", (int)strcspn(text.size ? text.data : "", "\n"),
        text.size ? text.data : "", text.size ? ")" : "");
    buf_release(&text);
    return status;
}

/* Numbers only grow, but for a folder that is watched already. */
static rag_status remember(struct watch *watch, int number, const char *folder,
                           rag_error *error)
{
    struct watched *known = find(watch, number);
    char *path = strdup(folder);
    if (!path || (!known && !array_reserve(&watch->folders, &watch->capacity, watch->count + 1,
                                           sizeof *watch->folders))) {
        free(path);
        return fail_memory(error);
    }
    if (known) {
        watch->forgotten -= !known->path;
        free(known->path);
        known->path = path;
        return RAG_OK;
    }
    size_t at = watch->count++;
    for (; at > 0 && watch->folders[at - 1].number > number; at--)
        watch->folders[at] = watch->folders[at - 1];
    watch->folders[at] = (struct watched){number, path};
    return RAG_OK;
}

rag_status watch_folder(struct watch *watch, const char *folder, rag_error *error)
{
    int number = inotify_add_watch(watch->fd, folder, WHAT);
    if (number >= 0)
        return remember(watch, number, folder, error);
    switch (errno) {
    case ENOSPC:
        return fail_limit(folder, error);
    case ENOMEM:
        return fail_memory(error);
    default: /* gone again, or unreadable, which the walk tells */
        return RAG_OK;
    }
}

static void forget(struct watch *watch, struct watched *folder, bool tell_system)
{
    if (!folder->path)
        return;
    if (tell_system)
        (void)inotify_rm_watch(watch->fd, folder->number);
    free(folder->path);
    folder->path = NULL;
    watch->forgotten++;
}

static void forget_below(struct watch *watch, const char *path)
{
    size_t size = strlen(path);
    for (size_t i = 0; i < watch->count; i++) {
        const char *known = watch->folders[i].path;
        if (known && strncmp(known, path, size) == 0 && (!known[size] || known[size] == '/'))
            forget(watch, &watch->folders[i], true);
    }
}

static void tidy(struct watch *watch)
{
    if (watch->forgotten <= watch->count / 2)
        return;
    size_t kept = 0;
    for (size_t i = 0; i < watch->count; i++)
        if (watch->folders[i].path)
            watch->folders[kept++] = watch->folders[i];
    watch->count = kept;
    watch->forgotten = 0;
}

static rag_status take_self(struct watch *watch, struct watched *folder, watch_fn each,
                            void *user, rag_error *error)
{
    char *path = strdup(folder->path); /* which is forgotten */
    if (!path)
        return fail_memory(error);
    forget_below(watch, path);
    rag_status status = each(path, true, user, error);
    free(path);
    return status;
}

static rag_status take_event(struct watch *watch, const struct inotify_event *event,
                             const char *name, watch_fn each, void *user, bool *lost,
                             rag_error *error)
{
    if (event->mask & IN_Q_OVERFLOW) {
        *lost = true;
        return RAG_OK;
    }
    struct watched *folder = find(watch, event->wd);
    if (!folder || !folder->path)
        return RAG_OK; /* of one that was forgotten meanwhile */
    if (event->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT))
        return take_self(watch, folder, each, user, error);
    if (event->mask & IN_IGNORED) {
        forget(watch, folder, false);
        return RAG_OK;
    }
    if (!event->len)
        return RAG_OK; /* of the folder itself, such as its permissions */
    char *path = path_join(folder->path, name);
    if (!path)
        return fail_memory(error);
    bool is_folder = event->mask & IN_ISDIR;
    if (is_folder && event->mask & IN_MOVED_FROM)
        forget_below(watch, path);
    rag_status status = each(path, is_folder, user, error);
    free(path);
    return status;
}

/* An event is followed by its name, padded with zeros. */
static rag_status take_events(struct watch *watch, const char *bytes, size_t size,
                              watch_fn each, void *user, bool *lost, rag_error *error)
{
    rag_status status = RAG_OK;
    for (size_t at = 0; !status && at + sizeof(struct inotify_event) <= size;) {
        struct inotify_event event;
        memcpy(&event, bytes + at, sizeof event);
        const char *name = bytes + at + sizeof event;
        at += sizeof event + event.len;
        status = take_event(watch, &event, name, each, user, lost, error);
    }
    return status;
}

rag_status watch_wait(struct watch *watch, unsigned milliseconds, watch_fn each, void *user,
                      bool *lost, rag_error *error)
{
    struct pollfd ready = {.fd = watch->fd, .events = POLLIN};
    if (poll(&ready, 1, (int)milliseconds) <= 0)
        return RAG_OK;
    char bytes[READ_BYTES];
    ssize_t size = read(watch->fd, bytes, sizeof bytes);
    if (size < 0)
        return errno == EAGAIN || errno == EINTR
                   ? RAG_OK
                   : fail_errno(error, RAG_INPUT, "watching files");
    rag_status status = take_events(watch, bytes, (size_t)size, each, user, lost, error);
    tidy(watch);
    return status;
}

#else

rag_status watch_new(struct watch **out, rag_error *error)
{
    *out = NULL;
    return fail_with(error, RAG_USAGE,
                     "files can be watched on Linux alone; elsewhere run rag index again when "
                     "they have changed");
}

void watch_free(struct watch *watch)
{
    (void)watch;
}

rag_status watch_folder(struct watch *watch, const char *folder, rag_error *error)
{
    (void)watch;
    return fail_with(error, RAG_USAGE, "%s: not watched", folder);
}

size_t watch_count(const struct watch *watch)
{
    (void)watch;
    return 0;
}

rag_status watch_wait(struct watch *watch, unsigned milliseconds, watch_fn each, void *user,
                      bool *lost, rag_error *error)
{
    (void)watch, (void)milliseconds, (void)each, (void)user, (void)lost;
    return fail_with(error, RAG_USAGE, "nothing is watched");
}

#endif
