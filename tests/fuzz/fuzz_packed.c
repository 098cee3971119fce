/* Any bytes are a packed file whose sections all lie within it, aligned, or are refused: as
 * they are, and with checksums made to match, as someone who makes a file on purpose would. */
#include "base/checksum.h"
#include "base/memory.h"
#include "base/packed_format.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_section(const uint8_t *file, size_t size, const struct packed *packed,
                          const char *name)
{
    const void *section;
    size_t bytes;
    if (!packed_section(packed, name, &section, &bytes))
        abort();
    const uint8_t *begin = section;
    if (begin < file || begin > file + size || bytes > (size_t)(file + size - begin) ||
        (size_t)(begin - file) % PACKED_ALIGNMENT)
        abort();
}

static void parse(const uint8_t *file, size_t size)
{
    struct packed *packed;
    struct packed_info info;
    rag_error error;
    rag_status status = packed_parse(file, size, NULL, NULL, &packed, &error);
    if (status) {
        if (packed || (status != RAG_MODEL && status != RAG_NOT_FOUND))
            abort();
        return;
    }
    status = packed_verify(packed, &error);
    if (status != RAG_OK && status != RAG_MODEL)
        abort();
    packed_get_info(packed, &info);
    const struct packed_entry *entries =
        (const void *)(file + ((const struct packed_header *)(const void *)file)->table_offset);
    for (size_t i = 0; i < info.sections; i++)
        check_section(file, size, packed, entries[i].name);
    packed_close(packed);
}

/* Sets those checksums that lie within the file. */
static void sign(uint8_t *file, size_t size)
{
    struct packed_header *header = (void *)file;
    size_t offset = (size_t)header->table_offset;
    if (offset <= size && offset % PACKED_ALIGNMENT == 0) {
        struct packed_entry *entries = (void *)(file + offset);
        for (size_t i = 0; i < (size - offset) / sizeof *entries; i++)
            if (entries[i].offset <= size && entries[i].size <= size - entries[i].offset &&
                entries[i].size <= 2 * PACKED_SAMPLE)
                entries[i].sample_checksum =
                    checksum_bytes(file + entries[i].offset, (size_t)entries[i].size);
        header->table_checksum = checksum_bytes(entries, size - offset);
    }
    header->checksum = checksum_bytes(header, offsetof(struct packed_header, checksum));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        abort();
    memcpy(copy, data, size);
    parse(copy, size);
    if (size >= sizeof(struct packed_header)) {
        sign(copy, size);
        parse(copy, size);
    }
    free(copy);
    return 0;
}
