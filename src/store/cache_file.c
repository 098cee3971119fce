#define _DEFAULT_SOURCE /* flock, MAP_ANONYMOUS */
#include "store/cache_file.h"
#include "base/checksum.h"
#include "base/file.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    VERSION = 2,
    PAGE = 4096,
    SLOTS = 2,
    ROWS_MULTIPLE = 1024, /* of the capacity */
    WAIT_MILLISECONDS = 30000,
    POLL_MILLISECONDS = 5,
};

static const char magic[8] = {'R', 'A', 'G', 'V', 'E', 'C', 'T', 0x1a};

/* A slot, in the order of the machine: on another one the version is unknown. */
struct header {
    char magic[8];
    uint32_t version, dimension;
    uint64_t sequence;
    int64_t generation, mark, last_chunk;
    uint64_t rows, live, capacity;
    uint64_t centre;   /* checksum of the centre */
    uint64_t checksum; /* of what stands before */
};
_Static_assert(sizeof(struct header) == 88, "no padding");

static uint64_t header_checksum(const struct header *header)
{
    return checksum_bytes(header, offsetof(struct header, checksum));
}

/* ---- Where things are ---- */

/* Appends a section of count x size bytes at the next page. */
static bool add_section(size_t *end, size_t count, size_t size, size_t *offset)
{
    size_t bytes;
    if (!size_add(*end, PAGE - 1, offset))
        return false;
    *offset -= *offset % PAGE;
    return size_mul(count, size, &bytes) && size_add(*offset, bytes, end);
}

static bool lay_out(struct cache_file *file, size_t dimension, size_t capacity)
{
    struct cache_layout *at = &file->layout;
    size_t end = SLOTS * PAGE;
    coder_measure(&file->sizes, dimension);
    file->capacity = capacity;
    bool fits = add_section(&end, file->sizes.width, sizeof(float), &at->centre) &&
                add_section(&end, capacity / CODE_ROWS, file->sizes.block * 4, &at->blocks) &&
                add_section(&end, capacity, file->sizes.rest * 4, &at->rest) &&
                add_section(&end, capacity, file->sizes.planes * 4, &at->lower) &&
                add_section(&end, capacity, 2 * file->sizes.width, &at->residuals) &&
                add_section(&end, capacity, sizeof(int64_t), &at->ids);
    at->size = end;
    return fits && end <= INT64_MAX;
}

static uint64_t centre_checksum(const struct cache_file *file)
{
    return checksum_bytes(file->map + file->layout.centre, file->sizes.width * sizeof(float));
}

/* A mean of unit vectors; anything could be behind a right checksum. */
static bool centre_is_sound(const struct cache_file *file)
{
    const float *centre = (const float *)(const void *)(file->map + file->layout.centre);
    for (size_t i = 0; i < file->sizes.width; i++)
        if (!(centre[i] > -2 && centre[i] < 2))
            return false;
    return true;
}

/* ---- Opening ---- */

static bool header_is_sound(const struct header *header)
{
    return memcmp(header->magic, magic, sizeof magic) == 0 && header->version == VERSION &&
           header->checksum == header_checksum(header) && header->capacity &&
           header->capacity <= SCAN_MAX_ROWS && header->capacity % ROWS_MULTIPLE == 0 &&
           header->rows <= header->capacity && header->live <= header->rows;
}

/* The sound header with the greatest sequence number. */
static bool read_header(int fd, struct header *out)
{
    bool found = false;
    for (int slot = 0; slot < SLOTS; slot++) {
        struct header header;
        ssize_t got = pread(fd, &header, sizeof header, (off_t)slot * PAGE);
        if (got != (ssize_t)sizeof header || !header_is_sound(&header))
            continue;
        if (!found || header.sequence > out->sequence)
            *out = header;
        found = true;
    }
    return found;
}

static void take_state(struct cache_file *file, const struct header *header)
{
    file->state = (struct cache_state){.sequence = header->sequence,
                                       .generation = header->generation,
                                       .mark = header->mark,
                                       .last_chunk = header->last_chunk,
                                       .rows = header->rows,
                                       .live = header->live};
}

bool cache_file_read_state(struct cache_file *file)
{
    struct header header;
    if (file->fd < 0)
        return true;
    if (!read_header(file->fd, &header) || header.dimension != file->sizes.dimension ||
        header.capacity != file->capacity || header.centre != centre_checksum(file) ||
        !centre_is_sound(file))
        return false;
    take_state(file, &header);
    return true;
}

static bool map_file(struct cache_file *file)
{
    void *map = mmap(NULL, file->layout.size, PROT_READ, MAP_SHARED, file->fd, 0);
    file->map = map == MAP_FAILED ? NULL : map;
    return file->map;
}

static bool open_descriptor(struct cache_file *file, struct stat *info)
{
    file->writable = true;
    file->fd = open(file->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (file->fd < 0) {
        file->writable = false;
        file->fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    }
    return file->fd >= 0 && fstat(file->fd, info) == 0 && S_ISREG(info->st_mode);
}

rag_status cache_file_open(struct cache_file *file, const char *path, size_t dimension,
                           rag_error *error)
{
    struct stat info;
    struct header header;
    *file = (struct cache_file){.fd = -1, .path = strdup(path)};
    if (!file->path)
        return fail_memory(error);
    if (open_descriptor(file, &info) && read_header(file->fd, &header) &&
        header.dimension == dimension && lay_out(file, dimension, (size_t)header.capacity) &&
        (uint64_t)info.st_size == file->layout.size && map_file(file) &&
        cache_file_read_state(file))
        return RAG_OK;
    cache_file_close(file);
    return fail_with(error, RAG_NOT_FOUND, "%s: no cache of vectors that can be used", path);
}

void cache_file_close(struct cache_file *file)
{
    if (file->map)
        munmap(file->map, file->layout.size);
    if (file->made)
        unlink(file->made);
    if (file->fd >= 0)
        close(file->fd);
    free(file->made);
    free(file->path);
    *file = (struct cache_file){.fd = -1};
}

/* ---- Locks ---- */

/* Whether the file of this name is the one that is open. */
static bool is_at(const struct cache_file *file, const char *path)
{
    struct stat ours, theirs;
    return fstat(file->fd, &ours) == 0 && stat(path, &theirs) == 0 &&
           ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino;
}

/* A lock that belongs to the open file, so that two stores of one process exclude each other
 * too, and that goes with a process that is killed. */
static rag_status lock_descriptor(const struct cache_file *file, rag_error *error)
{
    const struct timespec pause = {.tv_nsec = POLL_MILLISECONDS * 1000000L};
    for (int waited = 0; waited < WAIT_MILLISECONDS; waited += POLL_MILLISECONDS) {
        if (flock(file->fd, LOCK_EX | LOCK_NB) == 0)
            return RAG_OK;
        if (errno != EWOULDBLOCK && errno != EINTR)
            return fail_errno(error, RAG_INPUT, "%s: cannot be locked", file->path);
        nanosleep(&pause, NULL);
    }
    return fail_with(error, RAG_INPUT, "%s: another process keeps it locked", file->path);
}

rag_status cache_file_lock(struct cache_file *file, bool *same, rag_error *error)
{
    rag_status status = lock_descriptor(file, error);
    *same = !status && is_at(file, file->path);
    if (!*same)
        cache_file_unlock(file);
    return status;
}

void cache_file_unlock(struct cache_file *file)
{
    if (file->fd >= 0)
        flock(file->fd, LOCK_UN);
}

/* ---- Writing ---- */

static rag_status create_private(struct cache_file *file, rag_error *error)
{
    void *map = mmap(NULL, file->layout.size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED)
        return fail_memory(error);
    file->map = map;
    file->writable = true;
    return RAG_OK;
}

static rag_status create_file(struct cache_file *file, const char *path, bool *made,
                              rag_error *error)
{
    size_t size = strlen(path) + sizeof "-new";
    file->path = strdup(path);
    file->made = malloc(size);
    if (!file->path || !file->made)
        return fail_memory(error);
    snprintf(file->made, size, "%s-new", path);
    file->fd = open(file->made, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);
    if (file->fd < 0) {
        rag_status status = fail_errno(error, RAG_INPUT, "%s: cannot be written", file->made);
        free(file->made);
        file->made = NULL;
        return status;
    }
    rag_status status = lock_descriptor(file, error);
    *made = !status && is_at(file, file->made);
    if (!*made) { /* not ours to remove */
        free(file->made);
        file->made = NULL;
        return status;
    }
    file->writable = true;
    if (ftruncate(file->fd, 0) != 0 || ftruncate(file->fd, (off_t)file->layout.size) != 0 ||
        !map_file(file))
        return fail_errno(error, RAG_INPUT, "%s: cannot be written", file->made);
    return RAG_OK;
}

rag_status cache_file_create(struct cache_file *file, const char *path, size_t dimension,
                             size_t rows, bool *made, rag_error *error)
{
    *file = (struct cache_file){.fd = -1};
    *made = true;
    size_t capacity = (rows + ROWS_MULTIPLE) / ROWS_MULTIPLE * ROWS_MULTIPLE;
    if (rows > SCAN_MAX_ROWS - ROWS_MULTIPLE || !lay_out(file, dimension, capacity))
        return fail_with(error, RAG_INPUT, "%zu vectors are more than can be searched", rows);
    rag_status status =
        path ? create_file(file, path, made, error) : create_private(file, error);
    if (status || !*made)
        cache_file_close(file);
    return status;
}

rag_status cache_file_publish(struct cache_file *file, rag_error *error)
{
    if (!file->made)
        return RAG_OK;
    if (rename(file->made, file->path) != 0)
        return fail_errno(error, RAG_INPUT, "%s: cannot be written", file->path);
    free(file->made);
    file->made = NULL;
    cache_file_unlock(file);
    return RAG_OK;
}

static rag_status write_at(struct cache_file *file, size_t offset, const void *data,
                           size_t size, rag_error *error)
{
    const unsigned char *bytes = data;
    while (size) {
        ssize_t put = pwrite(file->fd, bytes, size, (off_t)offset);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return fail_errno(error, RAG_INPUT, "%s: cannot be written", file->path);
        bytes += put;
        offset += (size_t)put;
        size -= (size_t)put;
    }
    return RAG_OK;
}

rag_status cache_file_write(struct cache_file *file, size_t offset, const void *data,
                            size_t size, rag_error *error)
{
    if (file->fd >= 0)
        return write_at(file, offset, data, size, error);
    memcpy(file->map + offset, data, size);
    return RAG_OK;
}

rag_status cache_file_commit(struct cache_file *file, const struct cache_state *state,
                             rag_error *error)
{
    struct header header = {.version = VERSION,
                            .dimension = (uint32_t)file->sizes.dimension,
                            .sequence = file->state.sequence + 1,
                            .generation = state->generation,
                            .mark = state->mark,
                            .last_chunk = state->last_chunk,
                            .rows = state->rows,
                            .live = state->live,
                            .capacity = file->capacity,
                            .centre = centre_checksum(file)};
    memcpy(header.magic, magic, sizeof magic);
    header.checksum = header_checksum(&header);
    take_state(file, &header);
    if (file->fd < 0)
        return RAG_OK;
    if (fdatasync(file->fd) != 0)
        return fail_errno(error, RAG_INPUT, "%s: cannot be written", file->path);
    size_t slot = (size_t)(header.sequence % SLOTS);
    return write_at(file, slot * PAGE, &header, sizeof header, error);
}
