/* packed_files.h - where the packed files (base/packed.h) of a model lie.
 *
 * CACHE/models/NAME-CHECKSUM/ holds those of one model folder: NAME is the folder's last part
 * and CHECKSUM is that of its absolute path without symbolic links, so that a model which is
 * replaced replaces its packed files too. CACHE is RAG_CACHE, else $XDG_CACHE_HOME/rag, else
 * ~/.cache/rag. They are not kept beside the model, which may belong to someone else and is as
 * the hub gave it. */
#ifndef RAG_MODEL_PACKED_FILES_H
#define RAG_MODEL_PACKED_FILES_H

#include "base/packed.h"

/* The folder for a model's packed files, absolute, to be freed; it need not be there yet.
 * RAG_NOT_FOUND: there is no cache folder, for neither RAG_CACHE nor HOME is set. */
CHECKED rag_status packed_folder(const char *model_folder, char **folder, rag_error *error);

/* The path of one: "tokenizer.json.ragpack". To be freed. */
CHECKED rag_status packed_path(const char *model_folder, const char *name, char **path,
                               rag_error *error);

/* The paths of those that there are, sorted. */
struct packed_names {
    char **paths;
    size_t count, capacity;
};
CHECKED rag_status packed_names_read(const char *model_folder, struct packed_names *names,
                                     rag_error *error);
void packed_names_release(struct packed_names *names);

#endif
