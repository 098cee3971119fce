/* write.h - what putting in and taking out share. Everything here runs within a writing
 * transaction, but for the checks. */
#ifndef RAG_STORE_WRITE_H
#define RAG_STORE_WRITE_H

#include "store/pieces.h"

/* ---- Checks on what comes in: what the file promises is checked before it is written ---- */

CHECKED rag_status need_recipe(struct store *store, struct store_recipe *out, rag_error *error);

/* begin: of the text, in the document's. */
CHECKED rag_status check_text(const char *path, rag_text text, size_t begin, rag_error *error);

/* All but its place, which fail_place says of. */
CHECKED rag_status check_chunk(const char *path, const struct store_chunk *chunk, size_t number,
                               size_t dimension, rag_error *error);
rag_status fail_place(const char *path, const struct store_chunk *chunk, size_t number,
                      rag_error *error) __attribute__((cold));

bool lies_on_characters(rag_text text, size_t begin, size_t end);

/* ---- Putting in ---- */

/* Feeds chunks to the hasher of a document's `chunks_hash`. */
CHECKED rag_status hash_chunks(struct hasher *hasher, const struct store_chunk *chunks,
                               size_t count, size_t dimension, rag_error *error);

struct document_hashes {
    struct hash text, chunks;
};
CHECKED rag_status insert_document(struct store *store, int64_t collection,
                                   const struct store_document *document,
                                   const struct document_hashes *hashes, size_t count,
                                   int64_t *id, rag_error *error);

/* The chunks of a stretch that is put in already, in order. */
struct chunk_numbers {
    int64_t document, id; /* of the first one; id 0: the next one that is free */
    size_t number;
};
CHECKED rag_status insert_chunks(struct store *store, const struct chunk_numbers *first,
                                 const struct text_stretch *stretch,
                                 const struct store_chunk *chunks, size_t count,
                                 size_t dimension, rag_error *error);

/* ---- Taking out (remove.c) ---- */

/* A statement whose one parameter is an id. */
CHECKED rag_status run_with_id(struct store *store, const char *sql, int64_t id,
                               rag_error *error);

/* A document's chunks from a number on, with all that belongs to them. */
CHECKED rag_status remove_chunks(struct store *store, int64_t document, int64_t first,
                                 rag_error *error);

#endif
