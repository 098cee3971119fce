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

/* What a walk may be told, and tell. Zeros: nothing. */
struct walk_hooks {
    /* Only what lies at or below one of these paths, or on the way to one, is looked at; NULL:
     * everything. */
    const struct file_list *within;
    /* Each folder before its names are read, so that whoever watches it misses nothing. */
    rag_status (*on_folder)(const char *folder, void *user, rag_error *error);
    /* What is passed over because it cannot be read. */
    void (*on_skip)(const char *path, const char *reason, void *user);
    void *user;
};

/* walk_paths with hooks. */
CHECKED rag_status walk_paths_with(const char *const *paths, size_t count,
                                   const struct events *events, const struct walk_hooks *hooks,
                                   struct file_list *out, size_t *skipped, rag_error *error);

/* Whether one of the sorted paths is `path` or lies above it. */
bool file_list_covers(const struct file_list *list, const char *path);

/* Appends a copy; keeps no order. */
CHECKED bool file_list_add(struct file_list *list, const char *path);
/* Sorts, each path once. */
void file_list_sort(struct file_list *list);

#endif
