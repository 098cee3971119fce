/* list.h - the names of the models in a folder of models. */
#ifndef RAG_MODEL_LIST_H
#define RAG_MODEL_LIST_H

#include "base/error.h"

struct model_names {
    char **names; /* sorted; "ORGANISATION/NAME" or "NAME" */
    size_t count, capacity;
};

/* Every folder with a config.json, one or two levels below `root`, hidden ones left out.
 * A root that is not there has no models. */
CHECKED rag_status model_names_read(const char *root, struct model_names *names,
                                    rag_error *error);
void model_names_release(struct model_names *names);

#endif
