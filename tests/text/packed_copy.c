#include "text/packed_copy.h"

#include "base/checksum.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/packed_format.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

const struct hash packed_source = {.bytes = "the source of the tests' files.."};

static rag_status write_packed(const char *path, char *place, size_t place_size,
                               rag_error *error)
{
    static unsigned number;
    const char *temporary = getenv("TMPDIR");
    struct tokenizer *tokenizer;
    struct packed_writer *writer;
    snprintf(place, place_size, "%s/rag-packed-%ld-%u", temporary ? temporary : "/tmp",
             (long)getpid(), number++);
    rag_status status = tokenizer_open(path, &tokenizer, error);
    if (status)
        return status;
    status = packed_writer_new(place, &packed_source, TOKENIZER_PACKED, &writer, error);
    if (!status && (status = tokenizer_pack(tokenizer, writer, error)))
        packed_writer_abort(writer);
    else if (!status)
        status = packed_writer_commit(writer, error);
    tokenizer_free(tokenizer);
    return status;
}

rag_status packed_copy(const char *path, struct tokenizer **out, rag_error *error)
{
    char place[4096];
    struct packed *packed;
    *out = NULL;
    rag_status status = write_packed(path, place, sizeof place, error);
    if (status)
        return status;
    status = packed_open(place, &packed_source, TOKENIZER_PACKED, &packed, error);
    unlink(place);
    if (!status && (status = tokenizer_unpack(packed, path, out, error)))
        packed_close(packed);
    return status;
}

rag_status packed_bytes(const char *path, unsigned char **bytes, size_t *size, rag_error *error)
{
    char place[4096];
    struct buf content = BUF_INIT(1 << 28);
    rag_status status = write_packed(path, place, sizeof place, error);
    if (status)
        return status;
    status = file_read(place, &content, error);
    unlink(place);
    *size = content.size;
    *bytes = alloc_aligned(content.size, 1);
    if (!status && !*bytes)
        status = fail_memory(error);
    if (!status)
        memcpy(*bytes, content.data, content.size);
    buf_release(&content);
    return status;
}

static uint64_t sample_checksum(const unsigned char *data, uint64_t size)
{
    unsigned char ends[2 * PACKED_SAMPLE];
    if (size <= sizeof ends)
        return checksum_bytes(data, size);
    memcpy(ends, data, PACKED_SAMPLE);
    memcpy(ends + PACKED_SAMPLE, data + size - PACKED_SAMPLE, PACKED_SAMPLE);
    return checksum_bytes(ends, sizeof ends);
}

void packed_sign(unsigned char *bytes, size_t size)
{
    struct packed_header *header = (void *)bytes;
    if (size < sizeof *header)
        return;
    uint64_t offset = header->table_offset;
    if (offset <= size && offset % PACKED_ALIGNMENT == 0) {
        struct packed_entry *entries = (void *)(bytes + offset);
        for (size_t i = 0; i < (size - offset) / sizeof *entries; i++) {
            struct packed_entry *entry = &entries[i];
            if (entry->offset > size || entry->size > size - entry->offset)
                continue;
            entry->checksum = checksum_bytes(bytes + entry->offset, entry->size);
            entry->sample_checksum = sample_checksum(bytes + entry->offset, entry->size);
        }
        header->table_checksum = checksum_bytes(entries, size - offset);
    }
    header->checksum = checksum_bytes(header, offsetof(struct packed_header, checksum));
}
