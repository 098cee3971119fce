/* folder.h - the folder of models: where a name is found, and a model's identity.
 *
 * MODELS/ORGANISATION/NAME/ holds what the hub gives. MODELS is RAG_MODELS, else
 * $XDG_DATA_HOME/rag/models, else ~/.local/share/rag/models. */
#ifndef RAG_MODEL_FOLDER_H
#define RAG_MODEL_FOLDER_H

#include "base/hash.h"

#include <stdbool.h>

#define MODEL_DEFAULT "intfloat/multilingual-e5-small"

/* A variable of the environment; NULL if it is not set, or empty. */
const char *environment_value(const char *name);

/* The folder of models, absolute; `given` (NULL allowed) overrides. To be freed. */
CHECKED rag_status models_folder(const char *given, char **folder, rag_error *error);

enum { MODEL_MAX_NAME = 200 }; /* bytes of a name */

/* "NAME" or "ORGANISATION/NAME", each of letters, digits, ".", "_" and "-", not beginning
 * with a "." or "-": what may become a path below the folder of models. */
bool model_name_is_valid(const char *name);

/* Whether `folder` looks like a model: it has a config.json. */
bool model_is_in(const char *folder);

/* The name of a folder that lies in the folder of models ("BAAI/bge-m3"), to be freed;
 * *name is NULL if it lies elsewhere. */
CHECKED rag_status model_name_of(const char *folder, const char *models, char **name,
                                 rag_error *error);

/* The absolute folder of a model named by hub name ("BAAI/bge-m3"), by its last part if
 * that is unambiguous ("bge-m3"), or by a path. name NULL: RAG_MODEL, else MODEL_DEFAULT.
 * RAG_MODEL_MISSING tells how to get it; RAG_USAGE: several are meant, or the name is not
 * one. To be freed. */
CHECKED rag_status model_find(const char *name, const char *models, char **folder,
                              rag_error *error);

/* The files of weights and of tokenizers that rag reads, best first; ends with NULL. */
extern const char *const model_weight_files[];
extern const char *const model_tokenizer_files[];

/* The hash that stands for everything that changes a vector or a score: config (as we
 * understand it, the name left out), SHA-256 of the tokenizer's file, and of each float tensor
 * name, type, shape and a sample of its bytes (first and last 4 KiB). Takes milliseconds also
 * for gigabytes. The same weights have the same identity in whatever format they are stored. */
struct checkpoint;
struct model_config;
CHECKED rag_status model_identity(const struct model_config *config,
                                  const struct checkpoint *checkpoint,
                                  const struct hash *tokenizer_file, struct hash *out,
                                  rag_error *error);

#endif
