/* model_files.h - which files of a folder, or of a hub's repository, make up a model. */
#ifndef RAG_MODEL_MODEL_FILES_H
#define RAG_MODEL_MODEL_FILES_H

#include "base/error.h"

#include <stdbool.h>

/* Sets wanted[i] for those of the `count` names (paths within the folder) that belong to a
 * model: its config, tokenizer, modules, licence, and the best of its weights. RAG_MODEL if
 * config.json, a tokenizer or weights are not among them. */
CHECKED rag_status model_files_choose(const char *const *names, size_t count, bool *wanted,
                                      rag_error *error);

/* The large ones: model.safetensors, pytorch_model.bin and their shards. */
bool model_file_is_weights(const char *name);

#endif
