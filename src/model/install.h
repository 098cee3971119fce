/* install.h - putting a model into the folder of models, whole or not at all.
 *
 * A model is gathered in a folder below MODELS/.partial (hidden, so never listed) and then
 * renamed to MODELS/NAME. */
#ifndef RAG_MODEL_INSTALL_H
#define RAG_MODEL_INSTALL_H

#include "base/error.h"

/* MODELS/.partial/NAME, made if it is not there; to be freed. */
CHECKED rag_status install_partial_folder(const char *root, const char *name, char **partial,
                                          rag_error *error);

/* Renames `staged` to ROOT/NAME; a model of that name is replaced. */
CHECKED rag_status install_staged(const char *staged, const char *root, const char *name,
                                  rag_error *error);

/* Removes `partial`, and the folders between it and ROOT, as far as they are empty. */
void install_prune(const char *root, const char *partial);

#endif
