/* watch.h - changes in folders, as the operating system tells of them.
 *
 * The one file for a platform is watch.c: Linux, by inotify(7). Elsewhere watch_new is
 * RAG_USAGE. What is told is where to look, not what happened: a rename is two paths, and a
 * change may be told more than once, or of a file that is gone again. A folder is watched by
 * itself, without the folders in it: whoever walks them adds each before reading its names
 * (walk_hooks.on_folder), and misses nothing. Not thread-safe. */
#ifndef RAG_DOCUMENTS_WATCH_H
#define RAG_DOCUMENTS_WATCH_H

#include "base/error.h"

#include <stdbool.h>

struct watch;

CHECKED rag_status watch_new(struct watch **out, rag_error *error);
void watch_free(struct watch *watch);

/* Watches an absolute path; one that is watched already, or is not there (any more), is left
 * alone. RAG_INPUT: the system allows no more; the message names its limit. */
CHECKED rag_status watch_folder(struct watch *watch, const char *folder, rag_error *error);
size_t watch_count(const struct watch *watch);

/* A path that came, changed or went: a folder with all below it. A folder that is watched may
 * tell of itself that it went or was moved: it is not watched any more. */
typedef rag_status (*watch_fn)(const char *path, bool is_folder, void *user, rag_error *error);

/* Waits for changes, at most so long, and tells them. *lost is set, never cleared: there were
 * more than the system kept, so that everything has to be looked at. A signal ends the wait. */
CHECKED rag_status watch_wait(struct watch *watch, unsigned milliseconds, watch_fn each,
                              void *user, bool *lost, rag_error *error);

#endif
