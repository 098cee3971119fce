/* file.h - files and paths. Everything POSIX that the stations need of them. */
#ifndef RAG_BASE_FILE_H
#define RAG_BASE_FILE_H

#include "base/buf.h"

#include <stdint.h>

/* A read-only view of a whole regular file. data is NULL only when size is 0.
 * Caveat: a file that is cut short by someone else while mapped raises SIGBUS; use
 * file_read for files that are not ours. */
struct mapped_file {
    const unsigned char *data;
    size_t size;
};

CHECKED rag_status file_map(const char *path, struct mapped_file *file, rag_error *error);
void mapped_file_release(struct mapped_file *file);

/* Appends a whole regular file to `out`; more than out->max bytes is RAG_INPUT. */
CHECKED rag_status file_read(const char *path, struct buf *out, rag_error *error);

/* When a file was modified: nanoseconds since 1970. */
struct stat;
int64_t file_modified(const struct stat *st);

/* Writes a file whole or not at all: a temporary file beside it, fsync, rename. */
CHECKED rag_status file_write(const char *path, const void *data, size_t size,
                              rag_error *error);

/* Steps of writing a file, for those who write theirs piece by piece: all bytes to a
 * descriptor (the path is for the message), and the folder of a path, so that a rename lasts.
 */
CHECKED rag_status file_write_all(int fd, const char *path, const void *data, size_t size,
                                  rag_error *error);
CHECKED rag_status file_sync_parent(const char *path, rag_error *error);

/* Copies a regular file to a path that is not there yet, fsync'ed. */
CHECKED rag_status file_copy(const char *from, const char *to, rag_error *error);

/* mkdir -p, mode 0777 less the umask. */
CHECKED rag_status directory_make(const char *path, rag_error *error);

/* The same for the folder that a file of this path is to lie in. */
CHECKED rag_status directory_make_parent(const char *path, rag_error *error);

/* Removes a folder and what is in it; symbolic links are not followed. Missing: ok. */
CHECKED rag_status directory_remove(const char *path, rag_error *error);

bool path_is_directory(const char *path);
bool path_is_file(const char *path);

/* "a/b" of "a" and "b"; an absolute b stays as it is. NULL: out of memory. */
CHECKED char *path_join(const char *a, const char *b);

/* Absolute, without ".", ".." or "//"; symbolic links are left as they are, and
 * the path need not exist. */
CHECKED rag_status path_absolute(const char *path, char **absolute, rag_error *error);

/* The part after the last slash. */
const char *path_name(const char *path);

#endif
