/* damaged.h - a damaged index: reading what can be read of it, mending what follows from the
 * rest, and putting another file's contents in its place.
 *
 * Nothing is taken on trust here: rows may be missing, unreadable, or contradict each other. A
 * document is found by the ids of its rows alone, for the indexes over them may be what is
 * broken. */
#ifndef RAG_STORE_DAMAGED_H
#define RAG_STORE_DAMAGED_H

#include "store/store.h"

/* The collection of a document whose own cannot be read: its first words, behind which the
 * collection's id stands. The first one is taken for the default one, which it nearly always
 * is.
 */
#define COLLECTION_RECOVERED "recovered"
enum { COLLECTION_FIRST = 1 };

/* Opens a file as store_open does, but whatever is wrong with its tables; it must be one of
 * ours. RAG_INDEX: not even its first page can be read. */
CHECKED rag_status store_open_damaged(const char *path, struct store **out, rag_error *error);

/* The ids of all documents of which something can be read, ascending; to be freed. */
CHECKED rag_status store_list_damaged(struct store *store, int64_t **ids, size_t *count,
                                      rag_error *error);

/* A document as far as it can be read; to be released. */
struct damaged_document {
    char *collection, *path, *format;
    char *metadata;   /* NULL: not what was put in */
    struct hash hash; /* of its file; zeros if that is not known */
    uint64_t size;
    int64_t modified;
    char *text; /* NULL: not what was put in */
    size_t text_size;
    /* In order; NULL: they could not be read, or do not lie on the text. `vector` is NULL but
     * where all of them, and the chunks, are what was put in (`whole`). */
    struct store_chunk *chunks;
    size_t count;
    bool whole;
    float *vectors; /* [count x dimension] */
    bool noted;     /* what its row says of all this is right, too */
};

/* dimension: of the vectors; 0: not known. RAG_NOT_FOUND: its row cannot be read, or has no
 * path. */
CHECKED rag_status store_read_damaged(struct store *store, int64_t id, size_t dimension,
                                      struct damaged_document *out, rag_error *error);
void damaged_document_release(struct damaged_document *document);

/* In one transaction: builds SQLite's indexes anew, takes out rows that belong to none, puts in
 * rows that must be there, corrects what counts others, fills the lexical index anew, and ends
 * the log of removals. Documents can be read, replaced and removed afterwards as far as the
 * tables go; what their hashes say is another matter. RAG_INDEX: the pages do not allow it. */
CHECKED rag_status store_mend_tables(struct store *store, rag_error *error);

/* Ids and generations of `store` go on behind those of the damaged one, as far as these can be
 * read: an id is never given twice. */
CHECKED rag_status store_continue(struct store *store, struct store *damaged, rag_error *error);

/* Puts the contents of the index `from` in the place of `path`'s, in one transaction. Who has
 * that file open sees them next. RAG_INDEX_BUSY: it is in use, or is not any more what `copy`,
 * a copy of it, is. */
CHECKED rag_status store_replace(const char *path, const char *copy, const char *from,
                                 rag_error *error);

#endif
