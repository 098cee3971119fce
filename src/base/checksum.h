/* checksum.h - XXH3-64 (github.com/Cyan4973/xxHash, doc/xxhash_spec.md; seed 0): finds damage,
 * at the speed of memory. It is no defence against someone who makes a file on purpose. */
#ifndef RAG_BASE_CHECKSUM_H
#define RAG_BASE_CHECKSUM_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

uint64_t checksum_bytes(const void *data, size_t size);

/* The same over bytes that come piece by piece. */
struct checksum;

CHECKED rag_status checksum_new(struct checksum **checksum, rag_error *error);
void checksum_free(struct checksum *checksum);
void checksum_reset(struct checksum *checksum); /* as new */
void checksum_update(struct checksum *checksum, const void *data, size_t size);
uint64_t checksum_value(const struct checksum *checksum);

#endif
