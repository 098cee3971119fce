/* store.h - one collection: documents, chunks, vectors, words.
 *
 * One interface, one file a driver (sqlite.c now). Layout and guarantees of the SQLite file
 * are in docs/format.md. A document is in it whole or not at all.
 *
 * A store may be used from several threads, whose calls take turns; and by several stores,
 * here and in other processes, at once: readers side by side, one writer at a time. A store
 * must not be used on both sides of a fork. */
#ifndef RAG_STORE_STORE_H
#define RAG_STORE_STORE_H

#include "base/event.h"
#include "base/hash.h"

#include <stdbool.h>

struct store;

enum {
    STORE_MAX_TEXT = 512 << 20,    /* bytes of a text that is put in, or handed over, at once */
    STORE_MAX_STRETCH = 64 << 20,  /* bytes of one stretch of a document that grows */
    STORE_MAX_DIMENSION = 1 << 16, /* of a vector */
    STORE_BUSY_MILLISECONDS = 10000,
};

/* What an index was made with; written once, when the first document goes in. */
struct store_recipe {
    char model[256];
    char model_identity[HASH_HEX_SIZE];
    size_t dimension;
    rag_chunker chunker;
    size_t max_tokens, overlap;
    rag_context context;
};

/* Opens or (create) makes the file, in a folder that is there. RAG_INDEX: missing, another
 * program's, a newer format, damaged. RAG_INDEX_BUSY: another process writes for longer than we
 * wait. */
CHECKED rag_status store_open(const char *path, bool create, struct store **out,
                              rag_error *error);
void store_close(struct store *store);

/* How long a call waits for another process before it is RAG_INDEX_BUSY;
 * STORE_BUSY_MILLISECONDS unless set. */
void store_set_patience(struct store *store, unsigned milliseconds);

/* For an index that is thrown away soon, such as an evaluation's: documents go in without
 * waiting for the disk (some 25 ms each). A power loss can then destroy the file; a kill still
 * cannot. */
CHECKED rag_status store_set_volatile(struct store *store, rag_error *error);

/* *present false: the index is new and has no recipe yet. Setting another recipe is
 * RAG_INDEX_MISMATCH, except while there are no documents. */
CHECKED rag_status store_get_recipe(struct store *store, struct store_recipe *out,
                                    bool *present, rag_error *error);
CHECKED rag_status store_set_recipe(struct store *store, const struct store_recipe *recipe,
                                    rag_error *error);

/* A document belongs to one collection. Where a function takes the name of one, NULL is the
 * default one. A collection is there as long as it has documents. */
#define COLLECTION_DEFAULT "default"
enum { COLLECTION_MAX_NAME = 255 /* bytes */ };

/* RAG_INPUT: no name for a collection: 1 to COLLECTION_MAX_NAME bytes of UTF-8 without control
 * characters. */
CHECKED rag_status collection_check(const char *name, rag_error *error);

/* From now on every call is RAG_INDEX_MISMATCH once the recipe of the file is another one than
 * this, for the index was re-indexed: vectors of the caller's belong to the old one. NULL: no
 * matter which. */
void store_expect_recipe(struct store *store, const struct store_recipe *recipe);
bool store_same_recipe(const struct store_recipe *a, const struct store_recipe *b);

struct store_document {
    const char *collection; /* NULL: the default one */
    const char *path;       /* unique in it; absolute for files, any name for other sources */
    const char *format;
    struct hash hash;     /* of the file's bytes, or of all that the source is made of */
    uint64_t size;        /* of the file, or of the source's text */
    int64_t modified;     /* nanoseconds since 1970 */
    rag_text text;        /* UTF-8 */
    const char *metadata; /* a JSON object; NULL: METADATA_NONE */
};

/* Finite, and its square within 0.001 of 1, as every vector in the file is. */
bool vector_is_unit(const float *vector, size_t dimension);

#define METADATA_NONE "{}"
enum { METADATA_MAX_BYTES = 1 << 20 };

/* RAG_INPUT: not a JSON object, or too long. */
CHECKED rag_status metadata_check(const char *metadata, rag_error *error);

/* The members of two such objects (NULL or "": none); of a key that both have that of `over`
 * counts. *out is to be freed. */
CHECKED rag_status metadata_merge(const char *metadata, const char *over, char **out,
                                  rag_error *error);

struct store_chunk {
    size_t begin, end; /* bytes of the document's text */
    uint32_t line, last_line;
    size_t tokens;
    const char *heading; /* "" if none */
    struct hash hash;    /* of what was embedded: heading and text */
    const float *vector; /* [dimension], L2 norm 1 */
    rag_text weights;    /* of its tokens (token_weights_pack); NULL: the model gives none */
    /* The rows of a table's header that are embedded before it, as bytes of the document's
     * text; equal: none. */
    size_t header_begin, header_end;
    const char *place; /* where in the file it was: "page 3"; NULL or "": the lines tell */
};

/* Puts a document in, in the place of an older one of the same collection and path, in one
 * transaction. */
CHECKED rag_status store_put(struct store *store, const struct store_document *document,
                             const struct store_chunk *chunks, size_t count, rag_error *error);

/* The same for many in one transaction, which waits for the disk once: all or none. */
struct store_entry {
    struct store_document document;
    const struct store_chunk *chunks; /* [count] */
    size_t count;
};
CHECKED rag_status store_put_all(struct store *store, const struct store_entry *entries,
                                 size_t count, rag_error *error);

/* A document that is too large for memory: its text and chunks come stretch by stretch, each in
 * a transaction of its own, so that readers and other writers go on meanwhile, and no search
 * finds it before it is finished. What was added stays in the file if it is not finished:
 * store_find_vector finds its chunks by their hashes, so that a later run embeds nothing twice.
 * The store must stay open as long as there is one. */
struct store_growing;

/* `text` of the document is ignored; all else is that of the whole. `chunks`: how many there
 * will be: their ids are given now, for they have no gaps. Of older attempts at this document
 * the one with most chunks stays until it is finished; the others are given up. */
CHECKED rag_status store_grow_begin(struct store *store, const struct store_document *document,
                                    uint64_t chunks, struct store_growing **out,
                                    rag_error *error);

/* The next stretch, some megabytes: `text` begins where the one before it ended. Its last
 * `beyond` bytes, which its chunks need, belong to the next stretch, which begins with them;
 * its chunks begin before them. begin, end and header_* are bytes of the whole; a header may
 * lie in an earlier stretch. Nothing is added on failure, and it may be tried again.
 * RAG_INDEX_BUSY: another process is using the index, or (the message says so) has put in or
 * taken out this document meanwhile, which is for good. */
CHECKED rag_status store_grow_add(struct store_growing *growing, rag_text text, size_t beyond,
                                  const struct store_chunk *chunks, size_t count,
                                  rag_error *error);

/* Takes the place of an older document of this collection and path, in one transaction; it is
 * found from now on. RAG_INTERNAL: fewer chunks than were promised, or a stretch is missing. */
CHECKED rag_status store_grow_finish(struct store_growing *growing, rag_error *error);
void store_grow_free(struct store_growing *growing);

struct store_file {
    bool present;
    struct hash hash, metadata_hash;
    uint64_t size;
    int64_t modified;
};

CHECKED rag_status store_find_document(struct store *store, const char *collection,
                                       const char *path, struct store_file *out,
                                       rag_error *error);

/* What the store knows of a collection's documents at or below `path` (NULL: of all), in the
 * order of their paths' bytes, as they were at one moment. */
struct store_listed {
    char *path;
    struct store_file file; /* present */
};
struct store_list {
    struct store_listed *items;
    size_t count, capacity;
};
CHECKED rag_status store_list_documents(struct store *store, const char *collection,
                                        const char *path, struct store_list *out,
                                        rag_error *error);
void store_list_release(struct store_list *list);

/* Notes new modification times of documents whose bytes are the same, in one transaction. */
struct store_stamp {
    const char *path;
    uint64_t size;
    int64_t modified;
};
CHECKED rag_status store_touch(struct store *store, const char *collection,
                               const struct store_stamp *stamps, size_t count,
                               rag_error *error);

/* Gives documents other metadata, in one transaction; all else stays as it is. */
struct store_label {
    const char *path;
    const char *metadata; /* a JSON object */
};
CHECKED rag_status store_set_metadata(struct store *store, const char *collection,
                                      const struct store_label *labels, size_t count,
                                      rag_error *error);

/* Gives documents other paths, in one transaction; their chunks stay as they are, with their
 * ids. A document at the new path makes place. */
struct store_move {
    const char *from, *to;
    struct hash hash; /* that the document must still have */
    int64_t modified; /* of the file at the new path */
    bool done;        /* false: there was no such document any more */
};
CHECKED rag_status store_move(struct store *store, const char *collection,
                              struct store_move *moves, size_t count, rag_error *error);

/* The vector of a chunk with this hash anywhere in the store, to be used again.
 * *found false: there is none. vector: [dimension]. */
CHECKED rag_status store_find_vector(struct store *store, const struct hash *hash,
                                     float *vector, bool *found, rag_error *error);

/* Calls back with each path of the collection's documents that is `path` or lies below it
 * (NULL: with all), in the order of their bytes. Nonzero stops. The callback may use the store.
 */
typedef int (*store_path_fn)(const char *path, void *user);
CHECKED rag_status store_each_document(struct store *store, const char *collection,
                                       const char *path, store_path_fn each, void *user,
                                       rag_error *error);

/* A document of the file; to be released. */
struct stored_document {
    char *collection, *path, *format, *metadata;
    char *text; /* NULL unless asked for */
    size_t text_size, chunks;
    uint64_t size;
    int64_t modified;
};

/* RAG_NOT_FOUND: there is none of this path. */
CHECKED rag_status store_get_document(struct store *store, const char *collection,
                                      const char *path, bool with_text,
                                      struct stored_document *out, rag_error *error);

/* Bytes [begin, end) of its text, NUL-terminated, to be freed. RAG_NOT_FOUND: there is none of
 * this path, or its text is shorter. */
CHECKED rag_status store_get_text(struct store *store, const char *collection, const char *path,
                                  uint64_t begin, uint64_t end, char **text, rag_error *error);
void stored_document_release(struct stored_document *document);

/* Calls back with each chunk of a document (path NULL: of all of the collection, in the order
 * in which they were put in), some thousand at a time, a document as it was at one moment; one
 * that goes out meanwhile, or the rest of it, is passed over. Nonzero stops. The callback may
 * use the store. RAG_NOT_FOUND: no such document.
 */
struct stored_chunk;
typedef int (*store_chunk_fn)(const struct stored_chunk *chunk, const float *vector,
                              void *user);
CHECKED rag_status store_each_chunk(struct store *store, const char *collection,
                                    const char *path, store_chunk_fn each, void *user,
                                    rag_error *error);

struct store_collection {
    char *name;
    size_t documents, chunks;
};
struct store_collections {
    struct store_collection *items; /* in the order of their names' bytes */
    size_t count, capacity;
};

CHECKED rag_status store_list_collections(struct store *store, struct store_collections *out,
                                          rag_error *error);
void store_collections_release(struct store_collections *collections);

/* Takes the documents of one collection out that are named, in one transaction. */
CHECKED rag_status store_remove(struct store *store, const char *collection,
                                const char *const *paths, size_t count, size_t *removed,
                                rag_error *error);

struct store_counts {
    size_t documents, chunks;
    uint64_t tokens, bytes;
    unsigned format;
};
CHECKED rag_status store_count(struct store *store, struct store_counts *out, rag_error *error);

/* What can be wrong, by where it is; docs/format.md says what is checked. */
#define STORE_PROBLEMS(X)                                                                      \
    X(PAGES, "pages")           /* SQLite's structure, or a value that no table may have */    \
    X(INDEXES, "indexes")       /* SQLite's indexes over the tables */                         \
    X(REFERENCES, "references") /* a row that belongs to none */                               \
    X(RECIPE, "recipe")                                                                        \
    X(STATE, "state")                                                                          \
    X(REMOVALS, "removals")                                                                    \
    X(DOCUMENT, "document") /* its row */                                                      \
    X(TEXT, "text")                                                                            \
    X(METADATA, "metadata")                                                                    \
    X(CHUNKS, "chunks")                                                                        \
    X(VECTOR, "vector")                                                                        \
    X(WORDS, "words")                                                                          \
    X(CACHE, "cache") /* of vectors, beside the file */                                        \
    X(MODEL, "model") /* the vectors are not the model's; found by the pipeline */

enum store_problem_kind {
#define X(name, text) STORE_PROBLEM_##name,
    STORE_PROBLEMS(X)
#undef X
};

struct store_problem {
    enum store_problem_kind kind;
    int64_t document, chunk;       /* ids; 0: of none */
    const char *collection, *path; /* of the document; NULL: of none, or not known */
    const char *sentence;
};
typedef void (*store_problem_fn)(const struct store_problem *problem, void *user);

/* Calls back for each thing that is wrong (on_problem must not use the store, nor may
 * `events`); then RAG_INDEX. Where the file may be written, FTS5's own check is run too, which
 * waits for another writer. */
CHECKED rag_status store_verify(struct store *store, store_problem_fn on_problem, void *user,
                                const struct events *events, rag_error *error);

struct store_compaction {
    uint64_t bytes_before, bytes_after; /* of the file */
};

/* Writes the file anew without what removals and updates left in it: the same rows under the
 * same ids, the same generation. One transaction: killed in the middle, the file is as it was.
 * Readers and writers wait, or are told that it is busy. Meanwhile the folder for temporary
 * files (SQLITE_TMPDIR, TMPDIR, /var/tmp) and the index's own each hold a copy more. */
CHECKED rag_status store_compact(struct store *store, const struct events *events,
                                 struct store_compaction *out, rag_error *error);

/* The ids of at most `most` chunks, spread evenly over all. ids: [most]. */
CHECKED rag_status store_sample_chunks(struct store *store, size_t most, int64_t *ids,
                                       size_t *count, rag_error *error);

/* ---- One file in the place of another (replace.c) ---- */

/* A document, for comparing two files. */
struct store_content {
    char *collection, *path;
    struct hash content; /* of its format, bytes, text and metadata */
    struct hash hash;    /* of the file */
    uint64_t size, text_size;
    int64_t modified;
};

/* A file as it was at one moment. */
struct store_state {
    struct store_content *contents; /* by collection and path */
    size_t count, capacity;
    uint32_t changes; /* SQLite's count of changes to the file, by anyone */
    int64_t generation, last_chunk, last_document; /* ids given so far */
};
CHECKED rag_status store_get_state(struct store *store, struct store_state *out,
                                   rag_error *error);
void store_state_release(struct store_state *state);

/* Ids of documents and chunks begin far behind those of `state`, in a store that is still
 * empty.
 */
CHECKED rag_status store_begin_behind(struct store *store, const struct store_state *state,
                                      rag_error *error);

/* Writes the whole of `source` over `store`, in one transaction: whoever has it open sees it
 * as it was or as it is then, with a generation behind that of `state`. *stale true: it has
 * been changed since `state`, and nothing is done. Readers wait meanwhile, as long as it takes.
 */
CHECKED rag_status store_write_over(struct store *store, struct store *source,
                                    const struct store_state *state,
                                    const struct events *events, bool *stale, rag_error *error);

/* The path of the file that is to take an index's place: "NAME.rag-next". To be freed. */
CHECKED char *store_next_path(const char *path);

/* ---- Search ---- */

struct scored {
    int64_t chunk_id;
    double score;
    double share; /* by words: of the ceiling, the part of the words that are there at all; else
                     0 */
};

struct scored_list {
    struct scored *items; /* best first; equal scores by ascending id */
    size_t count, capacity;
};

void scored_list_release(struct scored_list *list);

/* Chunks that a search may find, by their ids. */
struct id_range {
    int64_t first, last; /* both inclusive */
};
struct id_ranges {
    struct id_range *items; /* ascending, disjoint */
    size_t count;
};

void id_ranges_release(struct id_ranges *ranges);

bool id_ranges_have(const struct id_ranges *ranges, int64_t id);

/* The k chunks with the greatest inner product with `query` [dimension], of those within
 * `within` (NULL: of all). Among more than DENSE_EXACT (dense.h) chunks scores of unit vectors
 * are right to 1e-5, and hardly ever a chunk is missed (docs/performance.md has the recall). */
CHECKED rag_status store_search_dense(struct store *store, const float *query, size_t k,
                                      const struct id_ranges *within, struct scored_list *out,
                                      rag_error *error);

/* The k best chunks by BM25 of those within `within` (NULL: of all); how rare a word is, and so
 * a chunk's score, depends on all chunks all the same. No words in the question: an empty list.
 * A "..." in it is also looked for as a phrase, and word* for all words that begin so
 * (question.h).
 * *ceiling (NULL allowed): the score of a chunk of average length that holds every word of the
 * question once, words that no chunk holds included. score / ceiling is an absolute measure of
 * lexical evidence: on the sets of docs/quality.md the best passage has 0.65 to 0.8 (median)
 * within a language and 0 to 0.1 across; short chunks that repeat the words pass 1. 0: nothing
 * was found. */
CHECKED rag_status store_search_lexical(struct store *store, rag_text question, size_t k,
                                        const struct id_ranges *within, struct scored_list *out,
                                        double *ceiling, rag_error *error);

/* The same for a text whose +"..." must be in a chunk, and whose -"..." must not. */
CHECKED rag_status store_search_query(struct store *store, rag_text query, size_t k,
                                      const struct id_ranges *within, struct scored_list *out,
                                      double *ceiling, rag_error *error);

/* A weight for each distinct token of a text (bge-m3): tokens ascend, weights are above 0. */
struct token_weights {
    const uint32_t *tokens; /* [count] */
    const float *weights;   /* [count] */
    size_t count;
};

/* As struct store_chunk has them, to be freed; NULL: out of memory. */
char *token_weights_pack(const struct token_weights *weights, size_t *size);

/* The weights of a chunk with this hash anywhere in the store, to be used again and freed; NULL
 * and 0: there are none. */
CHECKED rag_status store_find_weights(struct store *store, const struct hash *hash,
                                      char **weights, size_t *size, rag_error *error);

/* The k chunks with the greatest sum, over the tokens that they share with the query, of the
 * products of both weights. An index of a model without such weights: an empty list. */
CHECKED rag_status store_search_sparse(struct store *store, const struct token_weights *query,
                                       size_t k, const struct id_ranges *within,
                                       struct scored_list *out, rag_error *error);

/* These sums for some chunks (NaN: no such chunk, or it has no weights). */
CHECKED rag_status store_score_sparse(struct store *store, const struct token_weights *query,
                                      const int64_t *ids, size_t count, double *scores,
                                      rag_error *error);

/* The inner products of `query` with the vectors of these chunks (NaN: no such chunk), as
 * store_search_dense gives them. */
CHECKED rag_status store_score_dense(struct store *store, const float *query,
                                     const int64_t *ids, size_t count, double *scores,
                                     rag_error *error);

/* What the documents of these chunks are about, as a whole: the cosine of `query` with the sum
 * of all vectors of the document that the chunk belongs to; where that has more than 1,024, of
 * those of the part that it belongs to, one of as few equal ones as can be. NaN: no such chunk,
 * or the only one of its document. */
CHECKED rag_status store_score_documents(struct store *store, const float *query,
                                         const int64_t *ids, size_t count, double *scores,
                                         rag_error *error);

/* A chunk with its text; to be released. RAG_NOT_FOUND: there is none, or none any more; an id
 * is never given to another chunk. */
struct stored_chunk {
    int64_t chunk_id;
    char *collection, *path, *heading, *metadata;
    char *text;
    size_t text_size, number;
    uint64_t begin, end;
    uint32_t line, last_line;
    size_t tokens;
    char *header; /* rows of a table's header, embedded before it; NUL-terminated, "": none */
    size_t header_size;
    char *place; /* "page 3", or "" */
};

CHECKED rag_status store_get_chunk(struct store *store, int64_t chunk_id,
                                   struct stored_chunk *out, rag_error *error);
void stored_chunk_release(struct stored_chunk *chunk);

/* A chunk and the text around it; to be released. */
struct stored_passage {
    struct stored_chunk chunk;
    char *format;           /* of its document */
    struct store_file file; /* without metadata_hash */
    char *before, *after;   /* the bytes next to the chunk's, each NUL-terminated */
    size_t before_size, after_size;
};

/* before, after: at most how many bytes of the text; they may part a character. RAG_NOT_FOUND
 * as in store_get_chunk. */
CHECKED rag_status store_get_passage(struct store *store, int64_t chunk_id, size_t before,
                                     size_t after, struct stored_passage *out,
                                     rag_error *error);
void stored_passage_release(struct stored_passage *passage);

/* The first chunk of a document that ends in this line or behind it, or the last one if there
 * are but blank lines behind it; line 0: the first chunk. collection NULL: of all that have
 * such a document the first by name. *known false: there is none. RAG_NOT_FOUND: no such line,
 * or no chunk. */
CHECKED rag_status store_find_chunk(struct store *store, const char *collection,
                                    const char *path, uint32_t line, bool *known,
                                    int64_t *chunk_id, rag_error *error);

#endif
