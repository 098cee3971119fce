/* walk.h - the files below the paths that a user names.
 *
 * Sorted by bytes of the path, each once. Below a folder: names that begin with a dot,
 * what .gitignore files (gitignore(5), of the folder and of the repository around it)
 * exclude, and formats that no reader takes are passed over; symbolic links to folders are
 * not followed. A file named outright is always taken. */
#ifndef RAG_DOCUMENTS_WALK_H
#define RAG_DOCUMENTS_WALK_H

#include "base/event.h"

struct file_list {
    char **paths; /* absolute, sorted, distinct */
    size_t count, capacity;
};

void file_list_release(struct file_list *list);

/* A path that does not exist is RAG_INPUT; what cannot be read below one is a
 * warning event and counts in *skipped. */
CHECKED rag_status walk_paths(const char *const *paths, size_t count,
                              const struct events *events, struct file_list *out,
                              size_t *skipped, rag_error *error);

#endif
