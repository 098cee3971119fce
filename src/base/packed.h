/* packed.h - one file of named sections that is used as it lies on disk: what was computed once
 * of a model (a compiled tokenizer, quantised weights), memory-mapped by those who come after.
 * docs/packed.md tells the same with more words.
 *
 * Numbers are little-endian. (A big-endian machine writes its own order and finds the version
 * of a file from elsewhere unknown.) Sizes and offsets are bytes.
 *
 *   offset  size
 *        0     8  magic: "RAGPACK" and 0x1A
 *        8     4  format version: 1
 *       12     4  number of sections n, at most PACKED_MAX_SECTIONS
 *       16     8  offset of the table, a multiple of 64: the table is the end of the file
 *       24     8  size of the file: the table's offset + 96 n
 *       32    32  source: what tells apart what files were made of, such as a hash
 *       64    32  version of the rag that wrote it, padded with zeros; for information
 *       96    64  variant, padded with at least one zero: the layout of the sections with its
 *                 number and, where they depend on it, the instruction set
 *      160     8  checksum of the table
 *      168    16  zeros
 *      184     8  checksum of the 184 bytes before
 *      192        the sections, each at a multiple of 64, zeros between them; then the table,
 *                 in ascending order of names (as bytes), no name twice:
 *
 *        0    64  name: 1 to 63 bytes, padded with zeros
 *       64     8  offset
 *       72     8  size
 *       80     8  checksum of the section
 *       88     8  checksum of its sample: of a section of up to 8192 bytes the whole, of a
 * larger one the first 4096 bytes and the last 4096, one behind the other
 *
 * A checksum is XXH3-64 (checksum.h).
 *
 * What is checked when: packed_open checks header, table and samples, so it finds a file that
 * was cut off, is of something else, has holes at either end of a section, or was hit by a
 * stray write there; it reads two pages a section. packed_verify reads everything and finds the
 * rest. Neither makes what is inside trusted: who uses a section checks its size exactly, and
 * what indexes is validated, or covered by packed_verify and bounded at use.
 *
 * A file is written beside its place and renamed when it is whole and on disk, so a reader sees
 * all or nothing, two writers both succeed, and the last one's file stays. An unfinished file
 * left by a writer that was killed goes when the next one begins.
 *
 * Caveat: a file that someone cuts short while it is mapped raises SIGBUS. rag never does: it
 * replaces files by renaming. */
#ifndef RAG_BASE_PACKED_H
#define RAG_BASE_PACKED_H

#include "base/hash.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    PACKED_MAX_NAME = 63,    /* bytes of a section's name */
    PACKED_MAX_VARIANT = 63, /* bytes */
    PACKED_MAX_SECTIONS = 1 << 16,
    PACKED_ALIGNMENT = 64, /* of each section, in the file and in memory */
    PACKED_SAMPLE = 4096,
};

/* ---- Reading ---- */

struct packed;

/* Opens the file made of `source` as `variant`; a NULL takes any.
 * RAG_NOT_FOUND: there is none, or it was made of another source, as another variant, or in a
 * format of another version: make it (anew). RAG_MODEL: it is damaged, or no such file at all,
 * or cannot be read: say so and make it anew. */
CHECKED rag_status packed_open(const char *path, const struct hash *source, const char *variant,
                               struct packed **packed, rag_error *error);

/* The same over bytes in memory (64-byte aligned, or sections are not), which the caller keeps.
 * The messages don't name a file. */
CHECKED rag_status packed_parse(const void *data, size_t size, const struct hash *source,
                                const char *variant, struct packed **packed, rag_error *error);
void packed_close(struct packed *packed);

/* The bytes of a section, valid until packed_close. False: there is none of this name. */
CHECKED bool packed_section(const struct packed *packed, const char *name, const void **data,
                            size_t *size);

/* The section as an array of exactly count items of item_size bytes. RAG_MODEL if it is missing
 * or of another size. */
CHECKED rag_status packed_array(const struct packed *packed, const char *name, size_t count,
                                size_t item_size, const void **data, rag_error *error);

/* Reads a section and compares its checksum. RAG_MODEL if it is missing or damaged. */
CHECKED rag_status packed_verify_section(const struct packed *packed, const char *name,
                                         rag_error *error);

/* Reads every section and compares its checksum. RAG_MODEL names the first damaged one. */
CHECKED rag_status packed_verify(const struct packed *packed, rag_error *error);

/* What the header says, valid until packed_close. */
struct packed_info {
    const char *rag_version, *variant;
    struct hash source;
    size_t sections;
    uint64_t bytes; /* of the file */
};
void packed_get_info(const struct packed *packed, struct packed_info *info);

/* ---- Writing ---- */

struct packed_writer;

/* Begins a file that is to appear at `path`; its folder is made. Errors of all functions here:
 * RAG_INPUT names the file and why it cannot be written (no space, no permission ...). After an
 * error only packed_writer_abort makes sense. */
CHECKED rag_status packed_writer_new(const char *path, const struct hash *source,
                                     const char *variant, struct packed_writer **writer,
                                     rag_error *error);

/* A section: begin, write as often as needed, end. Only one is open at a time; names of one
 * file differ. RAG_INTERNAL if not. */
CHECKED rag_status packed_begin(struct packed_writer *writer, const char *name,
                                rag_error *error);
CHECKED rag_status packed_write(struct packed_writer *writer, const void *data, size_t size,
                                rag_error *error);
CHECKED rag_status packed_end(struct packed_writer *writer, rag_error *error);

/* All three for a section that lies in memory. */
CHECKED rag_status packed_put(struct packed_writer *writer, const char *name, const void *data,
                              size_t size, rag_error *error);

/* Writes table and header, waits until everything is on disk, and puts the file in its place.
 * Frees the writer, also on failure, which leaves nothing behind. */
CHECKED rag_status packed_writer_commit(struct packed_writer *writer, rag_error *error);

/* Frees the writer and leaves nothing behind. NULL is allowed. */
void packed_writer_abort(struct packed_writer *writer);

#endif
