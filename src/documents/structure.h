/* structure.h - the chunker that follows a document's structure. */
#ifndef RAG_DOCUMENTS_STRUCTURE_H
#define RAG_DOCUMENTS_STRUCTURE_H

#include "documents/chunks.h"

CHECKED rag_status structure_chunks(struct chunks *chunks, rag_error *error);

#endif
