/* pipeline.h - the objects behind the public handles, and what the stations' row shares. */
#ifndef RAG_PIPELINE_PIPELINE_H
#define RAG_PIPELINE_PIPELINE_H

#include "base/event.h"
#include "base/hash.h"
#include "documents/chunker.h"
#include "encoder/encoder.h"
#include "model/checkpoint.h"
#include "model/config.h"
#include "store/store.h"
#include "text/tokenizer.h"

#include <pthread.h>

struct rag_tokenizer {
    struct tokenizer *tokenizer;
};

struct rag_model {
    char *folder, *name;
    struct model_config config;
    struct tokenizer *tokenizer;
    struct checkpoint *checkpoint;
    struct encoder *encoder;
    struct packed *packed;   /* the encoder's weights; NULL in f32, or if they are not stored */
    rag_precision precision; /* F32, BF16 or INT8 */
    double agreement;        /* with f32 */
    char identity[HASH_HEX_SIZE];
    rag_model_info info;
    pthread_mutex_t lock; /* held around the encoder, which serves one at a time */
};

/* How a question's candidates are scored a second time. */
enum rerank_kind { RERANK_NONE, RERANK_LATE_INTERACTION, RERANK_CROSS_ENCODER };

struct token_vectors; /* late.h */

struct rag_index {
    char *path;
    struct store *store; /* NULL: there is no file yet; the first document makes it */
    rag_index_options options;
    char *model_name, *reranker_name; /* copies of what the options point to */
    char *models, *collection;
    struct store_recipe recipe;
    bool has_recipe;
    bool external;       /* with has_recipe: its vectors come from outside */
    rag_model *model;    /* NULL until it is needed; the caller's if it is options.open_model */
    rag_model *reranker; /* NULL until it is needed, or without one */
    enum rerank_kind rerank;
    bool rerank_known; /* the reranker was looked for */
    struct token_vectors *token_vectors;
    struct store_counts counts;
    rag_index_info info; /* and what it points to: */
    struct store_collections collections;
    rag_collection_info *info_collections;
    pthread_mutex_t lock; /* held by each public call; models have locks of their own */
};

/* The default size of a chunk for a model: what it takes, at most this. Retrieval of
 * passages of this size is measured in docs/quality.md. */
enum { CHUNK_DEFAULT_TOKENS = 400 };

/* Fills max_tokens and overlap where they are RAG_AUTO. model_tokens: what the model takes
 * of text, 0 if not known. RAG_USAGE: no room for a chunk, or overlap >= max_tokens. */
CHECKED rag_status resolve_chunker(rag_chunker chunker, size_t max_tokens, size_t overlap,
                                   rag_context context, size_t model_tokens,
                                   struct chunker_options *out, rag_error *error);

/* rag_embed without its checks of the caller's structs. */
CHECKED rag_status embed_texts(rag_model *model, const rag_text *texts, size_t count,
                               rag_role role, unsigned heads, const struct events *events,
                               rag_embeddings **out, rag_error *error);

/* The path itself; NULL or "": RAG_INDEX in the environment, else the one below the current
 * folder. */
const char *index_path(const char *path);

/* A problem for the caller; it points into the store's. */
rag_problem problem_of_store(const struct store_problem *problem);

/* A chunk for the caller; it points into the stored one. */
rag_chunk chunk_of_stored(const struct stored_chunk *chunk);

struct file_list; /* documents/walk.h */

/* What of the model stands in the recipe of an index whose vectors come from outside. */
CHECKED rag_status external_identity(const char *name, char identity[HASH_HEX_SIZE],
                                     rag_error *error);
bool index_is_external(const rag_index *index);

/* Whether the index's model, which must be open, gives a weight to each token. */
bool index_gives_weights(const rag_index *index);

/* Each public call begins with it: a file that was not there, or was empty, when the index was
 * opened may have been filled by somebody else, and one that was there have been re-indexed. */
CHECKED rag_status index_look(rag_index *index, rag_error *error);

/* Forgets what the index was made with, and the models that were loaded for it. */
void index_forget_recipe(rag_index *index);

/* What the model takes at once of a passage's text. */
CHECKED rag_status passage_room(const rag_model *model, size_t *tokens, rag_error *error);

/* Makes the file where there is none. */
CHECKED rag_status index_need_store(rag_index *index, rag_error *error);

/* Whether the caller said which model it is to be. */
bool index_names_model(const rag_index *index);

/* store_find_document, of a file that may not be there yet. */
CHECKED rag_status index_find_document(rag_index *index, const char *path,
                                       struct store_file *out, rag_error *error);

/* Appends the paths of the collection's documents at, or below, an absolute path (NULL: of
 * all). collection NULL: the default one. */
CHECKED rag_status stored_paths(rag_index *index, const char *collection, const char *path,
                                struct file_list *out, rag_error *error);

/* What of a chunk is embedded and reranked: its context (documents/context.h) and its text.
 * Appended. document: what the document is called. */
CHECKED bool chunk_context(const struct chunker_options *chunker, const char *document,
                           const char *heading, rag_text header, rag_text text,
                           struct buf *out);

/* How the documents of an index are cut; it has its recipe. */
struct chunker_options index_chunker(const rag_index *index);

/* Loads the index's model when it is first needed and refuses another one than the index
 * was made with. RAG_USAGE: the vectors come from outside, so there is none. */
CHECKED rag_status index_need_model(rag_index *index, rag_error *error);

/* Loads the model and, into an index that is still empty, writes what it is made with. */
CHECKED rag_status index_need_recipe(rag_index *index, const struct chunker_options *chunker,
                                     rag_error *error);

/* Loads the reranker when it is first needed; afterwards index->rerank says what to do. */
CHECKED rag_status index_need_reranker(rag_index *index, rag_error *error);

#endif
