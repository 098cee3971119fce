/* folder.h - the folder of models: where a name is found, and a model's identity.
 *
 * MODELS/ORGANISATION/NAME/ holds what the hub gives. MODELS is RAG_MODELS, else
 * $XDG_DATA_HOME/rag/models, else ~/.local/share/rag/models. */
#ifndef RAG_MODEL_FOLDER_H
#define RAG_MODEL_FOLDER_H

#include "base/hash.h"

#define MODEL_DEFAULT "intfloat/multilingual-e5-small"

/* The folder of models, absolute; `given` (NULL allowed) overrides. To be freed. */
CHECKED rag_status models_folder(const char *given, char **folder, rag_error *error);

/* The absolute folder of a model named by hub name ("BAAI/bge-m3"), by its last part if
 * that is unambiguous ("bge-m3"), or by a path. name NULL: RAG_MODEL, else MODEL_DEFAULT.
 * RAG_MODEL_MISSING tells how to get it. To be freed. */
CHECKED rag_status model_find(const char *name, const char *models, char **folder,
                              rag_error *error);

/* The hash that stands for everything that changes a vector or a score: config (as we
 * understand it), tokenizer file, and of each tensor name, type, shape and a sample of its
 * bytes (first and last 4 KiB). Takes milliseconds also for gigabytes. */
struct checkpoint;
struct model_config;
CHECKED rag_status model_identity(const struct model_config *config,
                                  const struct checkpoint *checkpoint,
                                  const char *tokenizer_path, struct hash *out,
                                  rag_error *error);

#endif
