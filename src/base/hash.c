#include "base/hash.h"

#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

struct hasher {
    EVP_MD_CTX *context;
};

rag_status hasher_new(struct hasher **out, rag_error *error)
{
    struct hasher *h = malloc(sizeof *h);
    if (!h)
        return fail_memory(error);
    h->context = EVP_MD_CTX_new();
    if (!h->context || !EVP_DigestInit_ex(h->context, EVP_sha256(), NULL)) {
        EVP_MD_CTX_free(h->context);
        free(h);
        return fail_with(error, RAG_INTERNAL, "SHA-256 is not available in libcrypto");
    }
    *out = h;
    return RAG_OK;
}

rag_status hasher_copy(const struct hasher *h, struct hasher **out, rag_error *error)
{
    struct hasher *copy = NULL;
    rag_status status = hasher_new(&copy, error);
    if (status)
        return status;
    if (!EVP_MD_CTX_copy_ex(copy->context, h->context)) {
        hasher_finish(copy, NULL);
        return fail_memory(error);
    }
    *out = copy;
    return RAG_OK;
}

void hasher_update(struct hasher *h, const void *data, size_t size)
{
    EVP_DigestUpdate(h->context, data, size);
}

void hasher_finish(struct hasher *h, struct hash *out)
{
    if (out)
        EVP_DigestFinal_ex(h->context, out->bytes, NULL);
    EVP_MD_CTX_free(h->context);
    free(h);
}

rag_status hash_bytes(const void *data, size_t size, struct hash *out, rag_error *error)
{
    struct hasher *h;
    rag_status status = hasher_new(&h, error);
    if (status)
        return status;
    hasher_update(h, data, size);
    hasher_finish(h, out);
    return RAG_OK;
}

rag_status hash_file(const char *path, struct hash *out, rag_error *error)
{
    enum { BLOCK = 1 << 18 };
    struct hasher *h = NULL;
    rag_status status = RAG_OK;
    char *block = malloc(BLOCK);
    FILE *file = fopen(path, "rbe");
    if (!block) {
        status = fail_memory(error);
        goto out;
    }
    if (!file) {
        status = fail_errno(error, RAG_INPUT, "%s", path);
        goto out;
    }
    if ((status = hasher_new(&h, error)))
        goto out;
    size_t got;
    while ((got = fread(block, 1, BLOCK, file)) > 0)
        hasher_update(h, block, got);
    if (ferror(file))
        status = fail_errno(error, RAG_INPUT, "%s", path);
    hasher_finish(h, status ? NULL : out);
out:
    if (file)
        fclose(file);
    free(block);
    return status;
}

void hash_to_hex(const struct hash *hash, char hex[HASH_HEX_SIZE])
{
    for (size_t i = 0; i < HASH_SIZE; i++)
        snprintf(hex + 2 * i, 3, "%02x", hash->bytes[i]);
}
