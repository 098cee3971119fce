/* compose.h - a document of a file and the files in it: attachments, entries of archives. */
#ifndef RAG_DOCUMENTS_COMPOSE_H
#define RAG_DOCUMENTS_COMPOSE_H

#include "documents/document.h"

enum {
    COMPOSE_MAX_DEPTH = 4,      /* archives in archives */
    COMPOSE_MAX_PARTS = 100000, /* in all */
};

/* How a file from outside is read, and what is spent on it, however deep its parts are. */
struct composing {
    struct read_options options;
    unsigned depth;
    size_t parts; /* read so far */
    size_t bytes; /* of parts, so far */
};

/* Reads the parts of a document and puts their text, blocks and places where they belong. Parts
 * that cannot be read are named in document->warnings. Afterwards it has no parts. */
CHECKED rag_status compose_parts(struct document *document, struct composing *composing,
                                 rag_error *error);

/* Reads a file or a part of one, and the parts in it (document.c). owner: as for worker_read.
 */
CHECKED rag_status compose_read(const char *name, rag_text bytes, struct buf *owner,
                                struct composing *composing, struct document *out,
                                rag_error *error);

#endif
