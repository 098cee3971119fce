#include "base/base64.h"

#include <limits.h>
#include <openssl/evp.h>
#include <string.h>

rag_status base64_decode(const char *text, size_t size, struct buf *out, rag_error *error)
{
    size_t padding = 0;
    while (padding < 2 && padding < size && text[size - 1 - padding] == '=')
        padding++;
    /* OpenSSL's decoder skips white space around the block, and takes '=' anywhere. */
    bool plain = size % 4 == 0 && size <= INT_MAX && !memchr(text, '=', size - padding);
    for (size_t i = 0; plain && i < size; i++)
        plain = (unsigned char)text[i] > ' ';
    if (!plain || size / 4 * 3 > out->max - out->size)
        return fail_with(error, RAG_INPUT, "%zu characters that are not base64", size);
    if (!buf_reserve(out, size / 4 * 3))
        return fail_memory(error);
    int decoded = EVP_DecodeBlock((unsigned char *)out->data + out->size,
                                  (const unsigned char *)text, (int)size);
    if (decoded < 0 || (size_t)decoded != size / 4 * 3)
        return fail_with(error, RAG_INPUT, "%zu characters that are not base64", size);
    out->size += (size_t)decoded - padding;
    out->data[out->size] = 0;
    return RAG_OK;
}

bool base64_encode(const void *bytes, size_t size, struct buf *out)
{
    if (size > INT_MAX / 4 || !buf_reserve(out, (size + 2) / 3 * 4))
        return false;
    out->size +=
        (size_t)EVP_EncodeBlock((unsigned char *)out->data + out->size, bytes, (int)size);
    return true;
}
