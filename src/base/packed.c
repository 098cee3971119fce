#include "base/checksum.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/packed_format.h"

#include <inttypes.h>
#include <string.h>

struct packed {
    const unsigned char *data;
    const struct packed_header *header;
    const struct packed_entry *entries; /* [header->section_count] */
    struct mapped_file file;            /* empty if the caller keeps the bytes */
};

/* ---- Checks ---- */

static rag_status damaged(rag_error *error, const char *what)
{
    return fail_with(error, RAG_MODEL, "damaged: %s", what);
}

/* A text that ends with a zero within its field, and has zeros behind. */
static bool is_padded(const char *text, size_t size)
{
    size_t used = strnlen(text, size);
    for (size_t i = used; i < size; i++)
        if (text[i])
            return false;
    return used < size;
}

static rag_status check_header(const struct packed_header *header, size_t size,
                               rag_error *error)
{
    if (size < sizeof *header || memcmp(header->magic, PACKED_MAGIC, sizeof header->magic) != 0)
        return fail_with(error, RAG_MODEL, "not a packed file");
    if (header->version != PACKED_VERSION)
        return fail_with(error, RAG_NOT_FOUND, "packed in format %" PRIu32 ", not %d",
                         header->version, PACKED_VERSION);
    if (checksum_bytes(header, offsetof(struct packed_header, checksum)) != header->checksum)
        return damaged(error, "its header does not match its checksum");
    uint64_t offset = header->table_offset;
    if (header->file_size != size)
        return damaged(error, "it has another size than its header says");
    if (!is_padded(header->rag_version, sizeof header->rag_version) ||
        !is_padded(header->variant, sizeof header->variant) ||
        header->section_count > PACKED_MAX_SECTIONS || offset < sizeof *header ||
        offset % PACKED_ALIGNMENT || offset > size ||
        size - offset != header->section_count * sizeof(struct packed_entry))
        return damaged(error, "its header does not fit its size");
    return RAG_OK;
}

static rag_status check_key(const struct packed_header *header, const struct hash *source,
                            const char *variant, rag_error *error)
{
    if (source && memcmp(source->bytes, header->source, HASH_SIZE) != 0)
        return fail_with(error, RAG_NOT_FOUND, "packed from something else");
    if (variant && strcmp(variant, header->variant) != 0)
        return fail_with(error, RAG_NOT_FOUND, "packed as %s, not %s", header->variant,
                         variant);
    return RAG_OK;
}

static uint64_t sample_checksum(const struct packed *packed, const struct packed_entry *entry)
{
    const unsigned char *data = packed->data + entry->offset;
    if (entry->size <= 2 * PACKED_SAMPLE)
        return checksum_bytes(data, entry->size);
    unsigned char ends[2 * PACKED_SAMPLE];
    memcpy(ends, data, PACKED_SAMPLE);
    memcpy(ends + PACKED_SAMPLE, data + entry->size - PACKED_SAMPLE, PACKED_SAMPLE);
    return checksum_bytes(ends, sizeof ends);
}

static rag_status check_entries(const struct packed *packed, rag_error *error)
{
    uint64_t end = packed->header->table_offset;
    for (size_t i = 0; i < packed->header->section_count; i++) {
        const struct packed_entry *entry = &packed->entries[i];
        if (!*entry->name || !is_padded(entry->name, sizeof entry->name) ||
            (i && strcmp(entry[-1].name, entry->name) >= 0))
            return damaged(error, "the names of its sections are not in order");
        if (entry->offset % PACKED_ALIGNMENT || entry->offset < sizeof *packed->header ||
            entry->offset > end || entry->size > end - entry->offset)
            return fail_with(error, RAG_MODEL, "damaged: section %s lies outside the file",
                             entry->name);
        if (sample_checksum(packed, entry) != entry->sample_checksum)
            return fail_with(error, RAG_MODEL,
                             "damaged: section %s does not match its checksum", entry->name);
    }
    return RAG_OK;
}

/* ---- Opening ---- */

rag_status packed_parse(const void *data, size_t size, const struct hash *source,
                        const char *variant, struct packed **out, rag_error *error)
{
    const struct packed_header *header = data;
    *out = NULL;
    rag_status status = check_header(header, size, error);
    if (!status)
        status = check_key(header, source, variant, error);
    if (status)
        return status;
    struct packed *packed = alloc_zeroed(1, sizeof *packed);
    if (!packed)
        return fail_memory(error);
    packed->data = data;
    packed->header = header;
    packed->entries = (const void *)(packed->data + header->table_offset);
    if (checksum_bytes(packed->entries, size - header->table_offset) != header->table_checksum)
        status = damaged(error, "its table does not match its checksum");
    else
        status = check_entries(packed, error);
    if (status)
        free(packed);
    else
        *out = packed;
    return status;
}

rag_status packed_open(const char *path, const struct hash *source, const char *variant,
                       struct packed **out, rag_error *error)
{
    struct mapped_file file;
    *out = NULL;
    if (!path_is_file(path))
        return fail_with(error, RAG_NOT_FOUND, "%s: there is no such file", path);
    rag_status status = file_map(path, &file, error);
    if (status)
        return fail_within(error, RAG_MODEL, "a packed file");
    status = packed_parse(file.data, file.size, source, variant, out, error);
    if (status) {
        mapped_file_release(&file);
        return fail_within(error, status, "%s", path);
    }
    (*out)->file = file;
    return RAG_OK;
}

void packed_close(struct packed *packed)
{
    if (!packed)
        return;
    mapped_file_release(&packed->file);
    free(packed);
}

/* ---- Using ---- */

static const struct packed_entry *find(const struct packed *packed, const char *name)
{
    size_t low = 0, high = packed->header->section_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(name, packed->entries[middle].name);
        if (order == 0)
            return &packed->entries[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

bool packed_section(const struct packed *packed, const char *name, const void **data,
                    size_t *size)
{
    const struct packed_entry *entry = find(packed, name);
    if (!entry)
        return false;
    *data = packed->data + entry->offset;
    *size = (size_t)entry->size;
    return true;
}

rag_status packed_array(const struct packed *packed, const char *name, size_t count,
                        size_t item_size, const void **data, rag_error *error)
{
    size_t size, expected;
    if (!packed_section(packed, name, data, &size))
        return fail_with(error, RAG_MODEL, "the packed file has no section %s", name);
    if (!size_mul(count, item_size, &expected) || size != expected)
        return fail_with(error, RAG_MODEL,
                         "section %s of the packed file has %zu bytes, not %zu x %zu", name,
                         size, count, item_size);
    return RAG_OK;
}

static rag_status verify(const struct packed *packed, const struct packed_entry *entry,
                         rag_error *error)
{
    if (checksum_bytes(packed->data + entry->offset, entry->size) == entry->checksum)
        return RAG_OK;
    return fail_with(error, RAG_MODEL, "damaged: section %s does not match its checksum",
                     entry->name);
}

rag_status packed_verify_section(const struct packed *packed, const char *name,
                                 rag_error *error)
{
    const struct packed_entry *entry = find(packed, name);
    return entry ? verify(packed, entry, error)
                 : fail_with(error, RAG_MODEL, "damaged: it has no section %s", name);
}

rag_status packed_verify(const struct packed *packed, rag_error *error)
{
    rag_status status = RAG_OK;
    for (size_t i = 0; !status && i < packed->header->section_count; i++)
        status = verify(packed, &packed->entries[i], error);
    return status;
}

void packed_get_info(const struct packed *packed, struct packed_info *info)
{
    const struct packed_header *header = packed->header;
    *info = (struct packed_info){.rag_version = header->rag_version,
                                 .variant = header->variant,
                                 .sections = header->section_count,
                                 .bytes = header->file_size};
    memcpy(info->source.bytes, header->source, HASH_SIZE);
}
