/* encoding.h - which encoding a file's bytes are in, and the way to UTF-8.
 *
 * A byte order mark decides; else valid UTF-8 is UTF-8; else zero bytes in every second
 * place mean UTF-16; else GB18030 (of which GBK and GB2312 are parts) if every sequence
 * is valid and the characters are those of real texts. Anything else is refused. */
#ifndef RAG_DOCUMENTS_ENCODING_H
#define RAG_DOCUMENTS_ENCODING_H

#include "base/buf.h"

/* Appends the bytes as UTF-8; *name becomes "UTF-8", "UTF-16LE", "UTF-16BE", "GB18030".
 * UTF-8 is copied as it is, its byte order mark included. RAG_INPUT: binary data, or an
 * invalid sequence, with its offset. */
CHECKED rag_status encoding_to_utf8(const void *bytes, size_t size, struct buf *out,
                                    const char **name, rag_error *error);

/* The name alone. UTF-8 and GB18030 are checked to the end, UTF-16 is not: what is
 * "UTF-8" here needs no conversion. */
CHECKED rag_status encoding_detect(const void *bytes, size_t size, const char **name,
                                   rag_error *error);

#endif
