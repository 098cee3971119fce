/* hash.h - SHA-256 (FIPS 180-4) of bytes and files, through libcrypto. */
#ifndef RAG_BASE_HASH_H
#define RAG_BASE_HASH_H

#include "base/error.h"

#include <stddef.h>

enum { HASH_SIZE = 32, HASH_HEX_SIZE = 2 * HASH_SIZE + 1 };

struct hash {
    unsigned char bytes[HASH_SIZE];
};

struct hasher;

CHECKED rag_status hasher_new(struct hasher **hasher, rag_error *error);
/* Another one that goes on from where this one is. */
CHECKED rag_status hasher_copy(const struct hasher *hasher, struct hasher **out,
                               rag_error *error);
void hasher_update(struct hasher *hasher, const void *data, size_t size);
/* Gives the hash and frees the hasher; out may be NULL to only free it. */
void hasher_finish(struct hasher *hasher, struct hash *out);

CHECKED rag_status hash_bytes(const void *data, size_t size, struct hash *out,
                              rag_error *error);
CHECKED rag_status hash_file(const char *path, struct hash *out, rag_error *error);

/* Lower-case hexadecimal, NUL-terminated. */
void hash_to_hex(const struct hash *hash, char hex[HASH_HEX_SIZE]);

#endif
