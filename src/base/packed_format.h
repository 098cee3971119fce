/* packed_format.h - the structs of packed.h's layout, for its reader and its writer. */
#ifndef RAG_BASE_PACKED_FORMAT_H
#define RAG_BASE_PACKED_FORMAT_H

#include "base/packed.h"

#include <assert.h>

#define PACKED_MAGIC "RAGPACK\x1A"
enum { PACKED_VERSION = 1 };

struct packed_header {
    char magic[8];
    uint32_t version, section_count;
    uint64_t table_offset, file_size;
    unsigned char source[HASH_SIZE];
    char rag_version[32];
    char variant[PACKED_MAX_VARIANT + 1];
    uint64_t table_checksum;
    uint64_t reserved[2];
    uint64_t checksum; /* of what comes before */
};
static_assert(sizeof(struct packed_header) == 192, "packed.h gives 192 bytes");

struct packed_entry {
    char name[PACKED_MAX_NAME + 1];
    uint64_t offset, size;
    uint64_t checksum, sample_checksum;
};
static_assert(sizeof(struct packed_entry) == 96, "packed.h gives 96 bytes");

#endif
