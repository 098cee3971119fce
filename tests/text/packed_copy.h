/* packed_copy.h - a tokenizer through its packed form. */
#ifndef RAG_TESTS_TEXT_PACKED_COPY_H
#define RAG_TESTS_TEXT_PACKED_COPY_H

#include "text/tokenizer.h"

/* What the packed files of these tests are made of, so they say. */
extern const struct hash packed_source;

/* Parses `path`, packs it into a file below TMPDIR and opens that, which is removed once it
 * is mapped. The status is that of the step that failed. */
CHECKED rag_status packed_copy(const char *path, struct tokenizer **out, rag_error *error);

/* The bytes of the packed form of `path`, 64-byte aligned; to be freed. */
CHECKED rag_status packed_bytes(const char *path, unsigned char **bytes, size_t *size,
                                rag_error *error);

/* Makes the checksums of header, table and sections those of the bytes that are there, where
 * the offsets lie within the file. */
void packed_sign(unsigned char *bytes, size_t size);

#endif
