#include "base/buf.h"
#include "base/checksum.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/packed_format.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUFFER = 1 << 18 };

struct packed_writer {
    char *path;
    struct buf temporary; /* path of the unfinished file */
    int fd;               /* -1: not created */
    struct packed_header header;
    struct packed_entry *entries;
    size_t capacity;
    struct checksum *checksum;
    bool in_section;
    uint64_t position; /* of the next byte, those in the buffer counted */
    size_t buffered;
    unsigned char buffer[BUFFER];
};

/* ---- The unfinished file ---- */

/* A lock over the whole file tells others that its writer lives. */
static bool lock(int fd, int command)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int result;
    do
        result = fcntl(fd, command, &whole);
    while (result != 0 && errno == EINTR);
    return result == 0;
}

/* Removes `path`, left by a writer that was killed: nobody holds its lock. */
static void remove_if_dead(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return;
    if (lock(fd, F_SETLK))
        unlink(path);
    close(fd);
}

static void remove_leftovers(const char *path)
{
    char own[64];
    const char *name = path_name(path);
    struct buf other = BUF_INIT(PATH_MAX);
    size_t folder = (size_t)(name - path), size = strlen(name);
    /* A file of this process is another thread's, and to open it would end its lock. */
    int own_size = snprintf(own, sizeof own, ".tmp-%ld-", (long)getpid());
    if (!buf_append(&other, path, folder) || !buf_append_char(&other, '.'))
        goto out;
    DIR *directory = opendir(other.data);
    if (!directory)
        goto out;
    for (struct dirent *entry; (entry = readdir(directory));) {
        const char *rest = entry->d_name + size;
        if (strncmp(entry->d_name, name, size) != 0 || strncmp(rest, ".tmp-", 5) != 0 ||
            strncmp(rest, own, (size_t)own_size) == 0)
            continue;
        buf_clear(&other);
        if (buf_append(&other, path, folder) && buf_append_text(&other, entry->d_name))
            remove_if_dead(other.data);
    }
    closedir(directory);
out:
    buf_release(&other);
}

/* Whether the file that was just created is still there: between its creation and its lock
 * another writer may have taken it for a leftover. */
static bool is_still_there(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && st.st_nlink > 0;
}

static rag_status create(struct packed_writer *writer, rag_error *error)
{
    for (unsigned number = 0; writer->fd < 0; number++) {
        buf_clear(&writer->temporary);
        if (!buf_printf(&writer->temporary, "%s.tmp-%ld-%u", writer->path, (long)getpid(),
                        number))
            return fail_with(error, RAG_INPUT, "%s: the path is too long", writer->path);
        writer->fd = open(writer->temporary.data, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (writer->fd < 0 && errno == EEXIST)
            continue;
        if (writer->fd < 0)
            return fail_errno(error, RAG_INPUT, "%s: cannot be created",
                              writer->temporary.data);
        (void)lock(writer->fd, F_SETLKW); /* without locks leftovers stay, no more */
        if (!is_still_there(writer->fd)) {
            close(writer->fd);
            writer->fd = -1;
        }
    }
    return RAG_OK;
}

static rag_status flush(struct packed_writer *writer, rag_error *error)
{
    size_t size = writer->buffered;
    writer->buffered = 0;
    return file_write_all(writer->fd, writer->path, writer->buffer, size, error);
}

static rag_status emit(struct packed_writer *writer, const void *data, size_t size,
                       rag_error *error)
{
    writer->position += size;
    if (size <= BUFFER - writer->buffered) {
        if (size)
            memcpy(writer->buffer + writer->buffered, data, size);
        writer->buffered += size;
        return RAG_OK;
    }
    rag_status status = flush(writer, error);
    return status ? status : file_write_all(writer->fd, writer->path, data, size, error);
}

static rag_status align(struct packed_writer *writer, rag_error *error)
{
    static const unsigned char zeros[PACKED_ALIGNMENT];
    size_t over = writer->position % PACKED_ALIGNMENT;
    return over ? emit(writer, zeros, PACKED_ALIGNMENT - over, error) : RAG_OK;
}

/* ---- Sections ---- */

rag_status packed_writer_new(const char *path, const struct hash *source, const char *variant,
                             struct packed_writer **out, rag_error *error)
{
    *out = NULL;
    if (strlen(variant) > PACKED_MAX_VARIANT)
        return fail_with(error, RAG_INTERNAL, "the variant %s is too long", variant);
    struct packed_writer *writer = alloc_zeroed(1, sizeof *writer);
    if (!writer)
        return fail_memory(error);
    writer->fd = -1;
    writer->temporary = BUF_INIT(PATH_MAX);
    memcpy(writer->header.magic, PACKED_MAGIC, sizeof writer->header.magic);
    writer->header.version = PACKED_VERSION;
    memcpy(writer->header.source, source->bytes, HASH_SIZE);
    snprintf(writer->header.rag_version, sizeof writer->header.rag_version, "%s", RAG_VERSION);
    strcpy(writer->header.variant, variant);
    rag_status status = checksum_new(&writer->checksum, error);
    if (!status && !(writer->path = strdup(path)))
        status = fail_memory(error);
    if (!status)
        status = directory_make_parent(path, error);
    if (!status) {
        remove_leftovers(path);
        status = create(writer, error);
    }
    /* Its place: the header is known at the end. */
    if (!status)
        status =
            emit(writer, (const char[sizeof writer->header]){0}, sizeof writer->header, error);
    if (status)
        packed_writer_abort(writer);
    else
        *out = writer;
    return status;
}

rag_status packed_begin(struct packed_writer *writer, const char *name, rag_error *error)
{
    size_t count = writer->header.section_count, size = strlen(name);
    if (writer->in_section || size == 0 || size > PACKED_MAX_NAME ||
        count == PACKED_MAX_SECTIONS)
        return fail_with(error, RAG_INTERNAL, "section %s of %s cannot begin", name,
                         writer->path);
    if (!array_reserve(&writer->entries, &writer->capacity, count + 1, sizeof *writer->entries))
        return fail_memory(error);
    rag_status status = align(writer, error);
    if (status)
        return status;
    writer->entries[count] = (struct packed_entry){.offset = writer->position};
    memcpy(writer->entries[count].name, name, size);
    checksum_reset(writer->checksum);
    writer->header.section_count++;
    writer->in_section = true;
    return RAG_OK;
}

rag_status packed_write(struct packed_writer *writer, const void *data, size_t size,
                        rag_error *error)
{
    if (!writer->in_section)
        return fail_with(error, RAG_INTERNAL, "%s: bytes outside a section", writer->path);
    checksum_update(writer->checksum, data, size);
    return emit(writer, data, size, error);
}

static rag_status read_back(const struct packed_writer *writer, uint64_t offset, void *out,
                            size_t size, rag_error *error)
{
    char *to = out;
    while (size) {
        ssize_t got = pread(writer->fd, to, size, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail_errno(error, RAG_INPUT, "%s: cannot be read back", writer->path);
        if (got == 0)
            return fail_with(error, RAG_INPUT, "%s: was cut short by someone", writer->path);
        to += got;
        offset += (uint64_t)got;
        size -= (size_t)got;
    }
    return RAG_OK;
}

rag_status packed_end(struct packed_writer *writer, rag_error *error)
{
    if (!writer->in_section)
        return fail_with(error, RAG_INTERNAL, "%s: no section to end", writer->path);
    struct packed_entry *entry = &writer->entries[writer->header.section_count - 1];
    writer->in_section = false;
    entry->size = writer->position - entry->offset;
    entry->checksum = entry->sample_checksum = checksum_value(writer->checksum);
    if (entry->size <= 2 * PACKED_SAMPLE)
        return RAG_OK;
    unsigned char ends[2 * PACKED_SAMPLE];
    rag_status status = flush(writer, error);
    if (!status)
        status = read_back(writer, entry->offset, ends, PACKED_SAMPLE, error);
    if (!status)
        status = read_back(writer, writer->position - PACKED_SAMPLE, ends + PACKED_SAMPLE,
                           PACKED_SAMPLE, error);
    if (!status)
        entry->sample_checksum = checksum_bytes(ends, sizeof ends);
    return status;
}

rag_status packed_put(struct packed_writer *writer, const char *name, const void *data,
                      size_t size, rag_error *error)
{
    rag_status status = packed_begin(writer, name, error);
    if (!status)
        status = packed_write(writer, data, size, error);
    return status ? status : packed_end(writer, error);
}

/* ---- The end ---- */

static int compare_names(const void *a, const void *b)
{
    const struct packed_entry *first = a, *second = b;
    return strcmp(first->name, second->name);
}

static rag_status sort_table(struct packed_writer *writer, rag_error *error)
{
    size_t count = writer->header.section_count;
    if (writer->in_section)
        return fail_with(error, RAG_INTERNAL, "%s: a section has no end", writer->path);
    if (count)
        qsort(writer->entries, count, sizeof *writer->entries, compare_names);
    for (size_t i = 1; i < count; i++)
        if (strcmp(writer->entries[i - 1].name, writer->entries[i].name) == 0)
            return fail_with(error, RAG_INTERNAL, "%s: two sections are named %s", writer->path,
                             writer->entries[i].name);
    return RAG_OK;
}

static rag_status write_table(struct packed_writer *writer, rag_error *error)
{
    struct packed_header *header = &writer->header;
    size_t size = header->section_count * sizeof *writer->entries;
    rag_status status = align(writer, error);
    if (status)
        return status;
    header->table_offset = writer->position;
    header->file_size = writer->position + size;
    header->table_checksum = checksum_bytes(writer->entries, size);
    header->checksum = checksum_bytes(header, offsetof(struct packed_header, checksum));
    status = emit(writer, writer->entries, size, error);
    if (!status)
        status = flush(writer, error);
    if (!status && lseek(writer->fd, 0, SEEK_SET) != 0)
        status = fail_errno(error, RAG_INPUT, "%s: cannot be written", writer->path);
    if (!status)
        status = file_write_all(writer->fd, writer->path, header, sizeof *header, error);
    return status;
}

rag_status packed_writer_commit(struct packed_writer *writer, rag_error *error)
{
    rag_status status = sort_table(writer, error);
    if (!status)
        status = write_table(writer, error);
    if (!status && fsync(writer->fd) != 0)
        status = fail_errno(error, RAG_INPUT, "%s: cannot be synced", writer->path);
    if (!status && rename(writer->temporary.data, writer->path) != 0)
        status = fail_errno(error, RAG_INPUT, "%s: cannot be written", writer->path);
    if (!status) {
        close(writer->fd); /* fsync has told of all errors */
        writer->fd = -1;
        status = file_sync_parent(writer->path, error);
    }
    packed_writer_abort(writer);
    return status;
}

void packed_writer_abort(struct packed_writer *writer)
{
    if (!writer)
        return;
    if (writer->fd >= 0) {
        unlink(writer->temporary.data);
        close(writer->fd);
    }
    checksum_free(writer->checksum);
    buf_release(&writer->temporary);
    free(writer->entries);
    free(writer->path);
    free(writer);
}
