/* package.h - the entries of an archive, within limits: zip (so also OOXML, ODF, EPUB) and tar,
 * compressed or not, read by libarchive.
 *
 * A few bytes can stand for any number of them, so that all that comes out is counted: entries,
 * bytes of each, bytes in all, and bytes in all for each byte that is there. */
#ifndef RAG_READERS_PACKAGE_H
#define RAG_READERS_PACKAGE_H

#include "base/buf.h"

enum {
    PACKAGE_MAX_ENTRIES = 100000,
    PACKAGE_MAX_ENTRY = 1 << 28,
    PACKAGE_MAX_TOTAL = 1 << 29,
    PACKAGE_MAX_NAME = 1 << 12,
    PACKAGE_MAX_RATIO = 200, /* bytes out for a byte in, of what is more than */
    PACKAGE_FREE = 1 << 24,  /* so many */
};

struct package_entry {
    size_t name;        /* in names, NUL-terminated */
    size_t begin, size; /* in bytes */
};

struct package {
    struct package_entry *entries; /* as they come */
    size_t count, capacity;
    struct buf names, bytes;
    size_t left_out; /* entries that were not wanted */
};

/* Reads the entries whose name is wanted (NULL: all). Names are paths with "/", without "." and
 * empty steps; an entry whose path has ".." is not read. raw: the input is one compressed file,
 * or an archive. RAG_INPUT: damaged, encrypted, or beyond the limits. */
CHECKED rag_status package_read(struct package *package, const char *bytes, size_t size,
                                bool raw, bool (*wanted)(const char *name), rag_error *error);
void package_release(struct package *package);

/* The entry of this name; NULL: there is none. Relative to the folder of `base`, a name, if
 * that is not NULL; "%20" and its like are decoded then, and a "#fragment" is left out. */
const struct package_entry *package_find(const struct package *package, const char *base,
                                         const char *name);

const char *package_name(const struct package *package, const struct package_entry *entry);
rag_text package_bytes(const struct package *package, const struct package_entry *entry);

#endif
