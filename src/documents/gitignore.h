/* gitignore.h - the patterns of .gitignore files, as gitignore(5) defines them.
 *
 * A list holds the patterns of several files, the outermost folder's first: a later
 * pattern wins over an earlier one. When a folder has been left, the patterns of its
 * file are taken off again with gitignore_truncate. */
#ifndef RAG_DOCUMENTS_GITIGNORE_H
#define RAG_DOCUMENTS_GITIGNORE_H

#include "base/error.h"

#include <stdbool.h>

enum {
    GITIGNORE_MAX_FILE = 1 << 20, /* bytes of one file */
    GITIGNORE_MAX_PATTERN = 4096, /* bytes; no path is longer, so a longer one is void */
};

struct ignore_pattern;

struct gitignore {
    struct ignore_pattern *patterns;
    size_t count, capacity;
};

void gitignore_release(struct gitignore *list);
void gitignore_truncate(struct gitignore *list, size_t count);

/* Adds the patterns of a file's bytes; they apply to what is below `folder`, an absolute
 * path without a slash at the end ("" for the root). */
CHECKED rag_status gitignore_add(struct gitignore *list, const char *folder, const char *bytes,
                                 size_t size, rag_error *error);

/* The same from a file; one that is not there adds nothing. */
CHECKED rag_status gitignore_load(struct gitignore *list, const char *folder, const char *path,
                                  rag_error *error);

/* Whether the absolute path is excluded by itself (not: because of a folder above it).
 * Takes time in proportion to the sizes of path and patterns. */
CHECKED rag_status gitignore_excludes(const struct gitignore *list, const char *path,
                                      bool is_directory, bool *excluded, rag_error *error);

#endif
