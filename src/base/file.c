#define _XOPEN_SOURCE 700
#include "base/file.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Opens a regular file for reading. O_NONBLOCK: a pipe of this name must not hang us. */
static rag_status open_regular(const char *path, int *fd, size_t *size, rag_error *error)
{
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*fd < 0)
        return fail_errno(error, RAG_INPUT, "%s", path);
    struct stat st;
    if (fstat(*fd, &st) != 0) {
        rag_status status = fail_errno(error, RAG_INPUT, "%s", path);
        close(*fd);
        return status;
    }
    if (!S_ISREG(st.st_mode)) {
        close(*fd);
        return fail_with(error, RAG_INPUT, "%s: not a regular file", path);
    }
    *size = (size_t)st.st_size;
    return RAG_OK;
}

int64_t file_modified(const struct stat *st)
{
    return (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

rag_status file_map(const char *path, struct mapped_file *file, rag_error *error)
{
    *file = (struct mapped_file){0};
    int fd;
    size_t size;
    rag_status status = open_regular(path, &fd, &size, error);
    if (status)
        return status;
    if (size) {
        void *data = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (data == MAP_FAILED)
            status = fail_errno(error, RAG_INPUT, "%s: cannot be mapped", path);
        else
            *file = (struct mapped_file){.data = data, .size = size};
    }
    close(fd);
    return status;
}

void mapped_file_release(struct mapped_file *file)
{
    if (file->data)
        munmap((void *)(uintptr_t)file->data, file->size);
    *file = (struct mapped_file){0};
}

rag_status file_read(const char *path, struct buf *out, rag_error *error)
{
    int fd;
    size_t size;
    rag_status status = open_regular(path, &fd, &size, error);
    if (status)
        return status;
    if (size > out->max - out->size) {
        status = fail_with(error, RAG_INPUT, "%s: %zu bytes are more than the limit of %zu",
                           path, size, out->max - out->size);
        goto out;
    }
    /* The size is a hint: the file may grow or shrink while it is read. */
    if (!buf_reserve(out, size)) {
        status = fail_memory(error);
        goto out;
    }
    for (;;) {
        char block[65536];
        ssize_t got = read(fd, block, sizeof block);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            status = fail_errno(error, RAG_INPUT, "%s", path);
            goto out;
        }
        if (got == 0)
            break;
        if (!buf_append(out, block, (size_t)got)) {
            status = fail_with(error, RAG_INPUT, "%s: grew past the limit of %zu bytes", path,
                               out->max);
            goto out;
        }
    }
out:
    close(fd);
    return status;
}

rag_status file_write_all(int fd, const char *path, const void *data, size_t size,
                          rag_error *error)
{
    const char *from = data;
    while (size) {
        ssize_t put = write(fd, from, size);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return fail_errno(error, RAG_INPUT, "%s: cannot be written", path);
        from += put;
        size -= (size_t)put;
    }
    return RAG_OK;
}

/* "." for a bare name; "/" for what lies in the root. NULL: out of memory. */
static char *parent_of(const char *path)
{
    const char *name = path_name(path);
    return name == path ? strdup(".") : strndup(path, (size_t)(name - path));
}

rag_status file_sync_parent(const char *path, rag_error *error)
{
    char *folder = parent_of(path);
    if (!folder)
        return fail_memory(error);
    rag_status status = RAG_OK;
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0)
        status = fail_errno(error, RAG_INPUT, "%s: cannot be synced", folder);
    if (fd >= 0)
        close(fd);
    free(folder);
    return status;
}

rag_status file_write(const char *path, const void *data, size_t size, rag_error *error)
{
    struct buf temporary = BUF_INIT(PATH_MAX);
    if (!buf_printf(&temporary, "%s.tmp-%ld", path, (long)getpid()))
        return fail_with(error, RAG_INPUT, "%s: the path is too long", path);
    rag_status status = RAG_OK;
    int fd = open(temporary.data, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) {
        status = fail_errno(error, RAG_INPUT, "%s: cannot be created", temporary.data);
        goto out;
    }
    status = file_write_all(fd, temporary.data, data, size, error);
    if (!status && fsync(fd) != 0)
        status = fail_errno(error, RAG_INPUT, "%s: cannot be synced", temporary.data);
    if (close(fd) != 0 && !status)
        status = fail_errno(error, RAG_INPUT, "%s: cannot be written", temporary.data);
    if (!status && rename(temporary.data, path) != 0)
        status = fail_errno(error, RAG_INPUT, "%s: cannot be written", path);
    if (status)
        unlink(temporary.data);
    else
        status = file_sync_parent(path, error);
out:
    buf_release(&temporary);
    return status;
}

rag_status file_copy(const char *from, const char *to, rag_error *error)
{
    int in, out = -1;
    size_t size;
    rag_status status = open_regular(from, &in, &size, error);
    if (status)
        return status;
    enum { BLOCK = 1 << 20 };
    char *block = malloc(BLOCK);
    if (!block) {
        status = fail_memory(error);
        goto out;
    }
    out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (out < 0) {
        status = fail_errno(error, RAG_INPUT, "%s: cannot be created", to);
        goto out;
    }
    for (;;) {
        ssize_t got = read(in, block, BLOCK);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            status = fail_errno(error, RAG_INPUT, "%s", from);
            goto out;
        }
        if (got == 0)
            break;
        if ((status = file_write_all(out, to, block, (size_t)got, error)))
            goto out;
    }
    if (fsync(out) != 0)
        status = fail_errno(error, RAG_INPUT, "%s: cannot be synced", to);
out:
    if (out >= 0 && close(out) != 0 && !status)
        status = fail_errno(error, RAG_INPUT, "%s: cannot be written", to);
    close(in);
    free(block);
    return status;
}

rag_status directory_make(const char *path, rag_error *error)
{
    char *partial = strdup(path);
    if (!partial)
        return fail_memory(error);
    rag_status status = RAG_OK;
    for (char *slash = partial + (*partial == '/');; slash++) {
        slash = strchr(slash, '/');
        if (slash)
            *slash = '\0';
        if (*partial && mkdir(partial, 0777) != 0 &&
            !(errno == EEXIST && path_is_directory(partial))) {
            status = fail_errno(error, RAG_INPUT, "%s: cannot be created", partial);
            break;
        }
        if (!slash)
            break;
        *slash = '/';
    }
    free(partial);
    return status;
}

rag_status directory_make_parent(const char *path, rag_error *error)
{
    char *folder = parent_of(path);
    rag_status status = folder ? directory_make(folder, error) : fail_memory(error);
    free(folder);
    return status;
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *walk)
{
    (void)st, (void)kind, (void)walk;
    return remove(path);
}

rag_status directory_remove(const char *path, rag_error *error)
{
    enum { OPEN_FOLDERS = 16 };
    if (nftw(path, remove_entry, OPEN_FOLDERS, FTW_DEPTH | FTW_PHYS) != 0 && errno != ENOENT)
        return fail_errno(error, RAG_INPUT, "%s: cannot be removed", path);
    return RAG_OK;
}

bool path_is_directory(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool path_is_file(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

char *path_join(const char *a, const char *b)
{
    if (*b == '/' || !*a)
        return strdup(b);
    size_t a_size = strlen(a), b_size = strlen(b);
    bool slash = a[a_size - 1] != '/';
    char *joined = malloc(a_size + slash + b_size + 1);
    if (!joined)
        return NULL;
    memcpy(joined, a, a_size);
    if (slash)
        joined[a_size] = '/';
    memcpy(joined + a_size + slash, b, b_size + 1);
    return joined;
}

rag_status path_absolute(const char *path, char **absolute, rag_error *error)
{
    char working[PATH_MAX] = "";
    if (*path != '/' && !getcwd(working, sizeof working))
        return fail_errno(error, RAG_INPUT, "the current folder");
    char *joined = path_join(working, path);
    if (!joined)
        return fail_memory(error);
    /* Components are written back over the same memory: they only get shorter. */
    char *end = joined;
    for (char *from = joined; *from;) {
        while (*from == '/')
            from++;
        size_t size = strcspn(from, "/");
        if (size == 0)
            break;
        if (size == 2 && from[0] == '.' && from[1] == '.') {
            while (end > joined && *--end != '/')
                ;
        } else if (!(size == 1 && from[0] == '.')) {
            *end++ = '/';
            memmove(end, from, size);
            end += size;
        }
        from += size;
    }
    if (end == joined)
        *end++ = '/';
    *end = '\0';
    *absolute = joined;
    return RAG_OK;
}

const char *path_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}
