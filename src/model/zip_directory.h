/* zip_directory.h - where the files of a zip lie, so that they can be used in place. */
#ifndef RAG_MODEL_ZIP_DIRECTORY_H
#define RAG_MODEL_ZIP_DIRECTORY_H

#include "base/error.h"

struct zip_entry {
    const char *name; /* not NUL-terminated; within the zip, as is data */
    size_t name_size;
    const unsigned char *data;
    size_t size;
};

struct zip_directory {
    struct zip_entry *entries; /* in order of names, all different */
    size_t count;
};

enum { ZIP_MAX_ENTRIES = 1 << 17 };

/* Reads the directory of a zip in memory. Compressed, encrypted or split zips are
 * RAG_MODEL, as is anything that lies outside the `size` bytes. */
CHECKED rag_status zip_directory_read(const unsigned char *data, size_t size,
                                      struct zip_directory *out, rag_error *error);
void zip_directory_release(struct zip_directory *directory);

const struct zip_entry *zip_directory_find(const struct zip_directory *directory,
                                           const char *name, size_t name_size);

#endif
