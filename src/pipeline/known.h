/* known.h - what an index knows of the files below some paths, for one run over them.
 *
 * It is read at once, so that a file that has not changed costs a stat and nothing of the
 * store. Another process may change the index meanwhile: then this is what was. */
#ifndef RAG_PIPELINE_KNOWN_H
#define RAG_PIPELINE_KNOWN_H

#include "documents/walk.h"
#include "pipeline/pipeline.h"

enum known_fate {
    KNOWN_HERE,
    KNOWN_GONE,    /* its file is not there any more: it goes, */
    KNOWN_OUTSIDE, /* or is there, but not among the files: ignored now, hidden */
    KNOWN_MOVED,   /* or it has another path now */
};

struct known_document {
    char *path;
    struct store_file file;
    enum known_fate fate;
};

struct known {
    struct known_document *documents; /* by path, each once */
    size_t count, capacity;
    struct known_document *
        *gone; /* those that are not here, by hash; NULL: not yet asked for */
    size_t gone_count;
};

/* Reads the documents of a collection (NULL: the default one) at or below the absolute paths.
 */
CHECKED rag_status known_read(rag_index *index, const char *collection,
                              const struct file_list *paths, struct known *out,
                              rag_error *error);
void known_release(struct known *known);

/* NULL: there is no document of this path. */
struct known_document *known_find(const struct known *known, const char *path);

/* Finds those that are not among the files. Where not all folders could be read, only those
 * whose file is known not to be there. */
CHECKED rag_status known_find_gone(struct known *known, const struct file_list *files,
                                   bool all_read, rag_error *error);

/* Whether there is, or was, something for known_take_moved to find. May be called while others
 * are. */
bool known_has_gone(const struct known *known, const struct hash *hash);

/* A document that was read from a file of these bytes, which is not there any more, and whose
 * name has the same ending, so that it would be read in the same way; it is KNOWN_MOVED from
 * now on. NULL: there is none. */
struct known_document *known_take_moved(struct known *known, const struct hash *hash,
                                        const char *path);

#endif
