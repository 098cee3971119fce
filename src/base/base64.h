/* base64.h - base64 (RFC 4648, section 4) as files carry it: padded, in one piece. */
#ifndef RAG_BASE_BASE64_H
#define RAG_BASE_BASE64_H

#include "base/buf.h"

/* Appends the bytes that `text` stands for. RAG_INPUT: it is not base64, or has more bytes than
 * `out` takes. */
CHECKED rag_status base64_decode(const char *text, size_t size, struct buf *out,
                                 rag_error *error);

/* Appends the base64 of some bytes. False: no memory, or out's limit. */
CHECKED bool base64_encode(const void *bytes, size_t size, struct buf *out);

#endif
