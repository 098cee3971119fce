/* mend.h - making a damaged document whole from what is left of it: its text, its file, the
 * model. */
#ifndef RAG_PIPELINE_MEND_H
#define RAG_PIPELINE_MEND_H

#include "pipeline/pipeline.h"
#include "store/damaged.h"

/* What becomes of a document. */
enum mend_result {
    MEND_WHOLE,    /* nothing is wrong with it */
    MEND_MENDED,   /* put in anew */
    MEND_LOST,     /* neither its text nor its file is what was put in */
    MEND_NO_MODEL, /* it needs vectors, which cannot be made here */
};

struct mender {
    rag_index *target; /* where documents are put, with its recipe */
    struct store *source;
    const struct events *events;
    bool copying;       /* the target is another file: what is whole is put in, too */
    rag_error no_model; /* why there is no model, once it was needed in vain */
    size_t embedded;    /* chunks */
};

/* Reads the document, and puts it into the target if it can be made whole. `document` is filled
 * as far as it could be read, and is to be released. `how`: a few words on what was done, or
 * why not. RAG_NOT_FOUND: its row cannot be read. */
CHECKED rag_status mend_document(struct mender *mender, int64_t id,
                                 struct damaged_document *document, enum mend_result *result,
                                 struct buf *how, rag_error *error);

#endif
