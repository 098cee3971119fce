/* known_models.h - what the hub's files do not say of models that many use. */
#ifndef RAG_MODEL_KNOWN_MODELS_H
#define RAG_MODEL_KNOWN_MODELS_H

#include "model/config.h"

struct known_model {
    const char *name; /* on the hub */
    enum pooling pooling;
    uint32_t max_tokens;
    const char *query_prefix, *passage_prefix;
};

/* By the part of `name` after its last slash, letter case aside; NULL if not known. */
const struct known_model *known_model_find(const char *name);

#endif
