/* rag.h - the public interface of librag, and its manual.
 *
 * librag answers questions from documents, on the machine it runs on:
 *
 *   documents -> text -> chunks -> tokens -> vectors -> store -> hits
 *             -> reranked hits -> answer with citations
 *
 * The simple use is three calls (examples/ask.c is a whole program):
 *
 *   rag_index_open(path, NULL, &index, &error);
 *   rag_index_add(index, paths, count, NULL, NULL, &error);
 *   rag_ask(index, question, NULL, &answer, &error);
 *
 * Under it lie the stations one by one: models (rag_model_*), tokens
 * (rag_tokenize), vectors (rag_embed), scores (rag_rerank), chunks
 * (rag_chunk_paths), search (rag_search), chat (rag_chat_*) and
 * evaluation (rag_evaluate, rag_eval_*).
 *
 * Conventions
 *
 *   Status.    A function that can fail returns a rag_status; RAG_OK is 0. On
 *              failure the rag_error that the caller passed (NULL is allowed)
 *              says what, where and what to do next. The library never prints,
 *              never exits and never asserts on its input.
 *   Ownership. What comes back through a `T **` belongs to the caller, who
 *              returns it with T's _close or _free (NULL is allowed there). Every
 *              pointer inside a result is valid until that result is freed.
 *   Options.   An options struct starts with its own size; fill it with its
 *              _INIT macro and set what differs. A zero field means the default,
 *              and a NULL pointer to options means all defaults.
 *   Text.      UTF-8, given as pointer and size; any byte may occur in it, NUL
 *              too. Names and paths are NUL-terminated.
 *   Threads.   Different objects may be used from different threads at once.
 *              A rag_model and a rag_index may also be shared: their calls take
 *              turns where they must. A result belongs to one thread at a time.
 *   Events.    Long calls report to a rag_event_fn, from the thread that called
 *              them. Returning nonzero from it asks the call to stop: it finishes
 *              what must not be left half-done and returns RAG_INTERRUPTED.
 */
#ifndef RAG_H
#define RAG_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RAG_VERSION "0.1.0"

#if defined(__GNUC__)
#define RAG_API     __attribute__((visibility("default")))
#define RAG_CHECKED __attribute__((visibility("default"), warn_unused_result))
#else
#define RAG_API
#define RAG_CHECKED
#endif

/* The version of the library that is running, such as "0.1.0". */
RAG_API const char *rag_version(void);

/* ---- Status --------------------------------------------------------------- */

/* X(NAME, exit status of the program, HTTP status, text) */
#define RAG_STATUS_MAP(X)                                                                      \
    X(OK, 0, 200, "ok")                                                                        \
    X(NOT_FOUND, 1, 404, "nothing found")                                                      \
    X(USAGE, 2, 400, "wrong usage")                                                            \
    X(INPUT, 3, 422, "bad input")                                                              \
    X(INDEX, 4, 500, "the index cannot be used")                                               \
    X(INDEX_BUSY, 4, 409, "the index is in use")                                               \
    X(INDEX_MISMATCH, 4, 409, "the index was made with another model")                         \
    X(MODEL, 5, 500, "the model cannot be used")                                               \
    X(MODEL_MISSING, 5, 404, "no such model is installed")                                     \
    X(NETWORK, 6, 502, "the network or a server failed")                                       \
    X(NETWORK_AUTH, 6, 401, "the server refused the key")                                      \
    X(NETWORK_LIMIT, 6, 429, "the server asks to slow down")                                   \
    X(MEMORY, 71, 503, "out of memory")                                                        \
    X(INTERNAL, 70, 500, "a defect in rag")                                                    \
    X(INTERRUPTED, 130, 499, "interrupted")

typedef enum rag_status {
#define RAG_STATUS_ENUM(name, exit_status, http_status, text) RAG_##name,
    RAG_STATUS_MAP(RAG_STATUS_ENUM)
#undef RAG_STATUS_ENUM
} rag_status;

/* What went wrong: one sentence with the file, line or byte, and what to do. */
typedef struct rag_error {
    rag_status status;
    char message[1024];
} rag_error;

RAG_API const char *rag_status_text(rag_status status);
RAG_API int rag_status_exit(rag_status status);
RAG_API int rag_status_http(rag_status status);

/* ---- Text and events -------------------------------------------------------- */

typedef struct rag_text {
    const char *data;
    size_t size; /* bytes */
} rag_text;

typedef enum rag_event_kind {
    RAG_EVENT_PROGRESS, /* stage, done of total units (total 0: not known) */
    RAG_EVENT_WARNING,  /* message: something was skipped or done differently */
    RAG_EVENT_NOTE,     /* message: worth knowing */
} rag_event_kind;

typedef struct rag_event {
    rag_event_kind kind;
    const char *stage;   /* such as "embedding"; NULL for warnings and notes */
    const char *unit;    /* such as "tokens" or "bytes"; NULL if none */
    const char *message; /* the file in hand, or the warning; NULL if none */
    uint64_t done, total;
} rag_event;

/* Returns 0 to go on, anything else to stop. Called at least every few hundred
 * milliseconds of work. */
typedef int (*rag_event_fn)(const rag_event *event, void *user);

/* ---- Models ----------------------------------------------------------------- */

/* A folder as the hub gives it (config.json, tokenizer, weights), read into
 * memory as it is needed. Encoders of the XLM-RoBERTa and BERT families. */
typedef struct rag_model rag_model;

/* What the layers' products are computed in. f32 is the reference. bf16 rounds weights and
 * activations to 8 bits of mantissa; int8 has a scale for each output of a weight matrix and
 * for each token's activations, found as they come. Both keep their sums, the norms and the
 * heads in f32. They are packed on the first use, and their vectors are then compared with
 * those in f32 (rag_model_info.agreement). AUTO takes the fastest on this machine that agrees:
 * int8 from a cosine of 0.999 on, bf16 from 0.9999 on. An index may be made and searched in
 * different ones. */
typedef enum rag_precision {
    RAG_PRECISION_DEFAULT, /* RAG_PRECISION in the environment, else AUTO */
    RAG_PRECISION_F32,
    RAG_PRECISION_BF16,
    RAG_PRECISION_INT8,
    RAG_PRECISION_AUTO,
} rag_precision;

/* What a model can compute: bits to be or-ed. */
enum {
    RAG_DENSE = 1,  /* one L2-normalised vector a text */
    RAG_SPARSE = 2, /* a weight for each distinct token (bge-m3) */
    RAG_MULTI = 4,  /* a vector for each token, for late interaction (ColBERT) */
    RAG_LOGIT = 8,  /* a relevance logit for a pair of texts (cross-encoder) */
};

typedef struct rag_model_options {
    size_t size;
    const char *models; /* folder of models; NULL: RAG_MODELS, else XDG's */
    rag_precision precision;
    unsigned threads;      /* 0: all cores */
    rag_event_fn on_event; /* of packing, on a model's first use in a precision */
    void *user;
} rag_model_options;
#define RAG_MODEL_OPTIONS_INIT                                                                 \
    {                                                                                          \
        .size = sizeof(rag_model_options)                                                      \
    }

typedef struct rag_model_info {
    const char *name;           /* as on the hub ("BAAI/bge-m3"); a path if it lies
                                   outside the folder of models */
    const char *folder;         /* absolute path */
    const char *architecture;   /* "xlm-roberta" or "bert" */
    const char *tokenizer;      /* "unigram" or "wordpiece" */
    const char *pooling;        /* "cls" or "mean" */
    const char *query_prefix;   /* put before a question; "" if none */
    const char *passage_prefix; /* put before a passage; "" if none */
    const char *weights;        /* "f32", "f16" or "bf16", as stored */
    const char *precision;      /* "f32", "bf16" or "int8", as computed */
    const char *identity;       /* 64 hex digits: changes with anything that
                                   changes a vector or a score */
    unsigned heads;             /* RAG_DENSE | ... */
    unsigned dimension;         /* of the dense vector */
    unsigned multi_dimension;   /* of a token's vector; 0 without RAG_MULTI */
    unsigned layers, attention_heads, feed_forward, vocabulary;
    unsigned max_tokens; /* of one text, special tokens included */
    uint64_t parameters;
    uint64_t bytes;   /* of the weights on disk */
    double agreement; /* the least cosine of a vector with the one in f32, on sample texts in
                         many languages; 1 in f32 */
} rag_model_info;

/* Opens a model by name or folder. A NULL name is the default model: RAG_MODEL,
 * else intfloat/multilingual-e5-small.
 * RAG_MODEL_MISSING says how to get it; RAG_MODEL names the broken file. */
RAG_CHECKED rag_status rag_model_open(const char *name, const rag_model_options *options,
                                      rag_model **model, rag_error *error);
RAG_API void rag_model_close(rag_model *model);
RAG_API const rag_model_info *rag_model_get_info(const rag_model *model);

typedef struct rag_model_list rag_model_list;

/* The installed models, sorted by name; broken folders are left out. */
RAG_CHECKED rag_status rag_model_list_open(const char *models, rag_model_list **list,
                                           rag_error *error);
RAG_API size_t rag_model_list_count(const rag_model_list *list);
/* The name, and through the other pointers (NULL allowed) the folder and the
 * bytes on disk. */
RAG_API const char *rag_model_list_get(const rag_model_list *list, size_t i,
                                       const char **folder, uint64_t *bytes);
RAG_API void rag_model_list_free(rag_model_list *list);

/* Checks the model in `folder` and copies it into the folder of models under
 * `name` (NULL: the name its config.json carries, else the folder's own). */
RAG_CHECKED rag_status rag_model_add(const char *folder, const char *name, const char *models,
                                     rag_event_fn on_event, void *user, rag_error *error);

typedef struct rag_pull_options {
    size_t size;
    const char *models;   /* as in rag_model_options */
    const char *hub;      /* base URL; NULL: HF_ENDPOINT, else the public hub */
    const char *revision; /* NULL: "main" */
    rag_event_fn on_event;
    void *user;
} rag_pull_options;
#define RAG_PULL_OPTIONS_INIT                                                                  \
    {                                                                                          \
        .size = sizeof(rag_pull_options)                                                       \
    }

/* Downloads what rag needs of a hub's model. Resumes a broken download, checks
 * sizes and SHA-256 sums, and installs the model only when it is whole. A token
 * for a private model comes from HF_TOKEN. */
RAG_CHECKED rag_status rag_model_pull(const char *name, const rag_pull_options *options,
                                      rag_error *error);

typedef struct rag_pack_options {
    size_t size;
    const char *models; /* this and the rest as in rag_model_options */
    rag_precision precision;
    unsigned threads;
    rag_event_fn on_event;
    void *user;
} rag_pack_options;
#define RAG_PACK_OPTIONS_INIT                                                                  \
    {                                                                                          \
        .size = sizeof(rag_pack_options)                                                       \
    }

/* Computes what the first opening of a model in a precision would compute and keep for those
 * after it: packed files in the cache folder (RAG_CACHE, else rag in XDG_CACHE_HOME or
 * ~/.cache), with which a model opens in milliseconds. What is there, whole, is left as it is.
 * Opening does without where nothing can be written; here that is RAG_INPUT. */
RAG_CHECKED rag_status rag_model_pack(const char *name, const rag_pack_options *options,
                                      rag_error *error);

typedef struct rag_packed_file {
    const char *path;
    const char *variant; /* what it holds, such as "tokenizer-1"; NULL if that is damaged */
    const char *problem; /* what is wrong with it; NULL if nothing was found */
    uint64_t bytes;
} rag_packed_file;

typedef struct rag_packed_list rag_packed_list;

/* The packed files of a model, sorted by path. A nonzero `verify` reads each one whole and
 * compares its checksums; else only what opening it looks at is checked. A damaged file is no
 * error: the model's next opening makes it anew. */
RAG_CHECKED rag_status rag_packed_list_open(const char *name, const char *models, int verify,
                                            rag_packed_list **list, rag_error *error);
RAG_API size_t rag_packed_list_count(const rag_packed_list *list);
RAG_API const rag_packed_file *rag_packed_list_get(const rag_packed_list *list, size_t i);
RAG_API void rag_packed_list_free(rag_packed_list *list);

/* ---- Tokens ------------------------------------------------------------------ */

typedef struct rag_tokenizer rag_tokenizer;

/* Opens the tokenizer alone of a model given by name or folder, or of a file:
 * tokenizer.json, sentencepiece.bpe.model, vocab.txt, or a *.tiktoken, whose texts are parted
 * as cl100k_base parts them. */
RAG_CHECKED rag_status rag_tokenizer_open(const char *name, const char *models,
                                          rag_tokenizer **tokenizer, rag_error *error);
RAG_API void rag_tokenizer_close(rag_tokenizer *tokenizer);

/* Tokens of one text. ids: [count]; begin, end: [count], the token's byte range
 * in the text (both 0 for special tokens that stand for no text). */
typedef struct rag_tokens {
    int32_t *ids;
    uint32_t *begin, *end;
    size_t count;
} rag_tokens;

/* Tokens with the model's special tokens around them, never cut.
 * A text of more than 1 GiB or with invalid UTF-8 is RAG_INPUT. */
RAG_CHECKED rag_status rag_tokenize(const rag_tokenizer *tokenizer, rag_text text,
                                    rag_tokens *tokens, rag_error *error);
/* The pair form (`<s> a </s></s> b </s>`, `[CLS] a [SEP] b [SEP]`), cut to
 * max_tokens (0: never) by taking from the longer side first. */
RAG_CHECKED rag_status rag_tokenize_pair(const rag_tokenizer *tokenizer, rag_text a, rag_text b,
                                         size_t max_tokens, rag_tokens *tokens,
                                         rag_error *error);
RAG_API void rag_tokens_release(rag_tokens *tokens);

/* ---- Vectors ----------------------------------------------------------------- */

typedef enum rag_role {
    RAG_QUERY,   /* the model's prefix for questions is put before the text */
    RAG_PASSAGE, /* its prefix for passages */
    RAG_RAW,     /* no prefix */
} rag_role;

typedef struct rag_embedding {
    const float *dense; /* [dimension], L2 norm 1; NULL if not asked for. The texts' vectors
                           follow each other: the first points to [count x dimension] */
    size_t dimension;
    const uint32_t *sparse_ids;  /* [sparse_count], ascending, no special tokens */
    const float *sparse_weights; /* [sparse_count], > 0 */
    size_t sparse_count;
    const float *multi;       /* [multi_count x multi_dimension], each row of L2 norm 1;
                                 the first special token and the prefix left out */
    const int32_t *multi_ids; /* [multi_count], the tokens of these rows */
    size_t multi_count, multi_dimension;
    size_t tokens;  /* special tokens and prefix included */
    size_t windows; /* 1, or how many pieces a text longer than max_tokens took;
                       their vectors are averaged, weighted by their tokens */
} rag_embedding;

typedef struct rag_embeddings rag_embeddings;

typedef struct rag_embed_options {
    size_t size;
    rag_role role;
    unsigned heads; /* 0: RAG_DENSE */
    rag_event_fn on_event;
    void *user;
} rag_embed_options;
#define RAG_EMBED_OPTIONS_INIT                                                                 \
    {                                                                                          \
        .size = sizeof(rag_embed_options)                                                      \
    }

/* Embeds `count` texts. A vector depends on its text and the model alone, not on
 * the other texts, their order or the threads. */
RAG_CHECKED rag_status rag_embed(rag_model *model, const rag_text *texts, size_t count,
                                 const rag_embed_options *options, rag_embeddings **embeddings,
                                 rag_error *error);
RAG_API size_t rag_embeddings_count(const rag_embeddings *embeddings);
RAG_API const rag_embedding *rag_embeddings_get(const rag_embeddings *embeddings, size_t i);
RAG_API void rag_embeddings_free(rag_embeddings *embeddings);

typedef struct rag_rerank_options {
    size_t size;
    rag_event_fn on_event;
    void *user;
} rag_rerank_options;
#define RAG_RERANK_OPTIONS_INIT                                                                \
    {                                                                                          \
        .size = sizeof(rag_rerank_options)                                                     \
    }

/* Scores each passage against the query into scores [count], higher is better.
 * A cross-encoder gives its raw logit; an embedding model late interaction: the
 * weighted mean over the query's tokens of the best cosine among the passage's
 * (MaxSim, ColBERT, SIGIR 2020). */
RAG_CHECKED rag_status rag_rerank(rag_model *model, rag_text query, const rag_text *passages,
                                  size_t count, const rag_rerank_options *options,
                                  float *scores, rag_error *error);

/* ---- Chunks ------------------------------------------------------------------ */

typedef enum rag_chunker {
    RAG_CHUNKER_AUTO,      /* the index's own; structure for a new one */
    RAG_CHUNKER_STRUCTURE, /* follows headings, paragraphs, lists, code, tables */
    RAG_CHUNKER_WINDOW,    /* windows of a fixed number of tokens, with overlap */
} rag_chunker;

/* A value of max_tokens or overlap that stands for the default. */
#define RAG_AUTO ((size_t)-1)

/* What is embedded before a chunk's text, and counts in its size. It is not stored twice: the
 * chunk's text is the document's. The rows of a table's header stand before a chunk of its
 * later rows in any case. */
typedef enum rag_context {
    RAG_CONTEXT_AUTO,     /* the index's own; heading for a new one */
    RAG_CONTEXT_NONE,     /* nothing */
    RAG_CONTEXT_HEADING,  /* the heading path */
    RAG_CONTEXT_DOCUMENT, /* the document's title and the heading path */
} rag_context;

typedef struct rag_chunk_options {
    size_t size;
    rag_chunker chunker;
    size_t max_tokens; /* RAG_AUTO: what the model takes, at most 400 */
    size_t overlap;    /* tokens; RAG_AUTO: none for structure, 1/4 for window */
    rag_event_fn on_event;
    void *user;
    rag_context context;
    const char *ocr; /* as in rag_add_options */
    int notebook_outputs;
} rag_chunk_options;
#define RAG_CHUNK_OPTIONS_INIT                                                                 \
    {                                                                                          \
        .size = sizeof(rag_chunk_options), .max_tokens = RAG_AUTO, .overlap = RAG_AUTO         \
    }

typedef struct rag_chunk {
    const char *document;     /* the file's path */
    const char *heading;      /* "Chapter > Section", "" if none */
    size_t number;            /* within its document, from 0 */
    uint64_t begin, end;      /* bytes of the document's text, end exclusive */
    uint32_t line, last_line; /* from 1, both inclusive */
    size_t tokens;            /* of the text, special tokens left out */
    rag_text text;
    rag_text header; /* a table's header rows, where the text begins behind them; else empty */
    const char *place; /* where in the file it was, of formats that are no text: "page 3",
                          "sheet Sales, cell B12", "00:01:05"; else "" */
} rag_chunk;

/* Returns 0 to go on, anything else to stop with RAG_INTERRUPTED. */
typedef int (*rag_chunk_fn)(const rag_chunk *chunk, void *user);

/* Reads files and folders and hands over their chunks, in order of path. A file
 * that can't be read is a warning event and counts in *skipped (NULL allowed); so is a part of
 * one that can't be read, which does not count. */
RAG_CHECKED rag_status rag_chunk_paths(const rag_tokenizer *tokenizer, const char *const *paths,
                                       size_t count, const rag_chunk_options *options,
                                       rag_chunk_fn on_chunk, void *user, size_t *skipped,
                                       rag_error *error);

/* ---- Index ------------------------------------------------------------------- */

/* One file with documents, chunks, vectors and words. Many readers and one writer
 * at a time, across processes. */
typedef struct rag_index rag_index;

typedef struct rag_index_options {
    size_t size;
    const char *model;    /* NULL: the one the index was made with; for a new
                             index the default model */
    const char *reranker; /* a model, "none", or NULL / "auto": an installed cross-encoder
                             (bge-reranker), else late interaction */
    rag_model_options models;
    rag_model *open_model;  /* one that is open already, instead of `model`; borrowed, so it
                               must be closed after the index */
    size_t dimension;       /* of vectors that come from outside: `model` is then a name that
                               rag does not know ("text-embedding-3-large"), every source and
                               question must bring its vectors, and nothing is loaded. 0: rag's
                               own models */
    int must_exist;         /* nonzero: RAG_INDEX if there is no such file */
    rag_chunker chunker;    /* of a new index */
    size_t max_tokens;      /* of a new index; 0 or RAG_AUTO: the default */
    size_t overlap;         /* of a new index; RAG_AUTO: the default */
    const char *collection; /* what is put in belongs to it, and only its documents are
                               searched, handed over by name and taken out; NULL: put into
                               "default", and documents of all collections are searched. 1 to
                               255 bytes of UTF-8 without control characters */
    rag_context context;    /* of a new index */
} rag_index_options;
#define RAG_INDEX_OPTIONS_INIT                                                                 \
    {                                                                                          \
        .size = sizeof(rag_index_options), .models = RAG_MODEL_OPTIONS_INIT,                   \
        .max_tokens = RAG_AUTO, .overlap = RAG_AUTO                                            \
    }

/* Opens or creates the index at `path` (NULL: RAG_INDEX in the environment, else
 * .rag/index.rag below the current folder). Models are loaded when first needed.
 * A new index becomes a file when the first document goes in. A file of another program,
 * of a newer rag, or damaged is RAG_INDEX and is left as it is. */
RAG_CHECKED rag_status rag_index_open(const char *path, const rag_index_options *options,
                                      rag_index **index, rag_error *error);
RAG_API void rag_index_close(rag_index *index);

typedef enum rag_change_kind {
    RAG_ADDED,
    RAG_UPDATED,
    RAG_RENAMED, /* the same bytes at another path: nothing is embedded, its chunks stay */
    RAG_REMOVED,
    RAG_SKIPPED, /* it cannot be read */
    RAG_PARTIAL, /* of one that was added or updated, a part cannot be read: an attachment, an
                    entry of an archive. At most eleven for a document, the last of which says
                    how many more there are */
} rag_change_kind;

/* What became of a document. */
typedef struct rag_change {
    rag_change_kind kind;
    const char *path;
    const char *from;       /* of RAG_RENAMED: its path before; else NULL */
    const char *reason;     /* why, in words */
    size_t chunks;          /* of the document; 0 unless it was added or updated */
    size_t chunks_embedded; /* of these, how many had to be embedded */
    uint64_t tokens;        /* of those, special tokens left out */
} rag_change;

/* Called when the change is safe in the file; of documents that are unchanged nothing is told.
 * Its pointers are valid during the call, which must not use the index. */
typedef void (*rag_change_fn)(const rag_change *change, void *user);

typedef struct rag_add_options {
    size_t size;
    rag_event_fn on_event;
    void *user; /* of both */
    rag_change_fn on_change;
    int dry_run; /* nonzero: only says, through on_change and the report, what would be done and
                    how long it would take; nothing is changed, no index made */
    const char *metadata; /* of rag_index_add: a JSON object, at most 1 MiB, that is kept with
                             each of the files, over what they say of themselves; NULL: that
                             alone. A file that has not changed gets it without being embedded
                             again, and keeps what it has if this is NULL */
    /* How files are read. A file for which it makes a difference is read again where more is
     * asked for than before, or something else; with nothing asked for, what has not changed
     * stays as it is. */
    const char *ocr; /* the languages of scans, as tesseract names them ("eng+chi_sim"): PDFs
                        without text are recognised, also those in archives and mail. "none":
                        they are skipped; NULL: as RAG_OCR in the environment says */
    int notebook_outputs; /* nonzero: of Jupyter notebooks the outputs of cells too */
} rag_add_options;
#define RAG_ADD_OPTIONS_INIT                                                                   \
    {                                                                                          \
        .size = sizeof(rag_add_options)                                                        \
    }

typedef struct rag_add_report {
    size_t added, updated, unchanged, removed, skipped; /* documents */
    size_t chunks;                                      /* of the added and updated documents */
    size_t chunks_embedded; /* of these, how many had to be embedded */
    uint64_t tokens;        /* embedded */
    double seconds;
    size_t renamed;
    double tokens_per_second; /* of embedding; of a dry run what its estimate is made with; 0:
                                 nothing was embedded, or need be */
    double estimated_seconds; /* of a dry run: how long it would take without dry_run */
    const char *speed_from; /* of a dry run: where tokens_per_second is from, in words: earlier
                               runs with this model, or a sample; else NULL */
    size_t warnings;        /* parts of the added and updated documents that cannot be read */
} rag_add_report;

/* Brings the index up to date with files and folders: new and changed files go in, files that
 * are gone from below these paths go out, a renamed one keeps its chunks. A file of unchanged
 * size and time is not read, one of unchanged bytes not cut; of a changed one only chunks whose
 * text is new are embedded. Many documents are written in one transaction, but each is in the
 * file whole or not at all, and what *report (NULL allowed, filled also on failure) counts is
 * safe in it. A file that changes while it is read is read again. A part of a file that cannot
 * be read is left out, with a warning event: told once, for the file is then unchanged.
 * RAG_INPUT: tesseract, or a language of options->ocr, is not installed.
 * RAG_INDEX_MISMATCH if the index was made with another model. */
RAG_CHECKED rag_status rag_index_add(rag_index *index, const char *const *paths, size_t count,
                                     const rag_add_options *options, rag_add_report *report,
                                     rag_error *error);

/* Brings the index up to date as rag_index_add does, then follows changes of the files until
 * on_event returns nonzero, which is asked some three times a second: then RAG_INTERRUPTED,
 * with nothing lost. A change is followed when it has been quiet for 0.3 s, or after 3 s; a
 * file that is named is removed when it goes and added when it comes back, while the documents
 * of a named folder that goes stay until it is back. The target of a symbolic link is not
 * watched. The index may be used meanwhile, by others and from other threads. report (NULL
 * allowed): sums of all that was done. dry_run is RAG_USAGE; so is all of this where it is not
 * possible to watch files (it is on Linux). */
RAG_CHECKED rag_status rag_index_watch(rag_index *index, const char *const *paths, size_t count,
                                       const rag_add_options *options, rag_add_report *report,
                                       rag_error *error);

typedef struct rag_reindex_options {
    size_t size;
    const char *model;     /* NULL: the index's own; from the folder of models of the index */
    rag_model *open_model; /* one that is open already, instead; borrowed during the call */
    rag_chunker chunker;   /* AUTO: as it is */
    size_t max_tokens;     /* RAG_AUTO: as it is, but no more than the model takes at once; with
                              another chunker its default */
    size_t overlap;        /* RAG_AUTO: likewise */
    rag_context context;   /* AUTO: as it is */
    rag_event_fn on_event;
    void *user;
} rag_reindex_options;
#define RAG_REINDEX_OPTIONS_INIT                                                               \
    {                                                                                          \
        .size = sizeof(rag_reindex_options), .max_tokens = RAG_AUTO, .overlap = RAG_AUTO       \
    }

typedef struct rag_reindex_report {
    size_t documents;         /* in the new index */
    size_t documents_resumed; /* of these, how many an earlier call had made ready */
    size_t chunks;            /* of the documents made ready by this call */
    size_t chunks_embedded;
    uint64_t tokens; /* embedded */
    double seconds;
    double switch_seconds; /* of these, how long the index was locked to be switched over */
    int switched;          /* 0: not (yet), or there was nothing to do */
} rag_reindex_report;

/* Cuts and embeds all documents anew, from the texts that are in the index, with another model
 * or chunker, while it is used: a second file, NAME.rag-next, is filled, catches up with what
 * was changed meanwhile, and is written over the index in one transaction. Interrupted or
 * killed, the index is the old one or the new one, whole; called again for the same, it goes on
 * where it was, and for something else it begins anew. It takes the room of two indexes, three
 * while switching over. Readers wait while it is switched over (some seconds for a gigabyte).
 * Who has the index open goes on with the new model, or is refused if he has named another one;
 * ids of chunks from before find nothing. Chunks that a caller had cut are cut by the chunker
 * now. RAG_USAGE: the vectors come from outside. RAG_INDEX_BUSY: another process is at it. */
RAG_CHECKED rag_status rag_index_reindex(rag_index *index, const rag_reindex_options *options,
                                         rag_reindex_report *report, rag_error *error);

/* A document that is no file: a text under a name of the caller's. */
typedef struct rag_source {
    const char *name;        /* unique in the index: an id, an address, a path; 1 to 4096 bytes
                                of UTF-8 without control characters. An absolute path is
                                also the path's: rag_index_add of it, or of a folder above it,
                                replaces or removes the source */
    rag_text text;           /* at most 512 MiB of UTF-8 */
    const char *format;      /* "text" (NULL: this) or "markdown"; "file": `text` is the bytes
                                of a file of any format that rag reads, found by them and by
                                the name, and cut by the index */
    const char *metadata;    /* a JSON object that is kept with it, at most 1 MiB; NULL: {} */
    const rag_chunk *chunks; /* [chunk_count], cut by the caller: begin, end, line, last_line
                                and heading (NULL: none) are read, in the order given; they
                                may overlap. line 0: counted in the text. NULL: cut by the
                                index's chunker */
    size_t chunk_count;
    const float *vectors; /* [chunk_count x dimension] of these chunks, of the index's own
                             model, L2 norm 1; NULL: embedded here */
} rag_source;

/* Puts documents in, each in the place of an older one of the same name; each is in the file
 * whole or not at all; one that is there already, all its parts the same, is unchanged. Vectors
 * of chunks whose text is known are used again. *report (NULL allowed) is filled also on
 * failure. RAG_INPUT names the source that is wrong, before any has been put in. */
RAG_CHECKED rag_status rag_index_put(rag_index *index, const rag_source *sources, size_t count,
                                     const rag_add_options *options, rag_add_report *report,
                                     rag_error *error);

/* Fetches a page or file by http or https and puts it in under its address, as a source of the
 * format "file". metadata: a JSON object, over what the page says of itself; NULL: {}.
 * Addresses of this machine and of private networks are refused, redirects to them too; proxies
 * are not used. At most 256 MiB. RAG_NETWORK: it cannot be had. */
RAG_CHECKED rag_status rag_index_put_url(rag_index *index, const char *url,
                                         const char *metadata, const rag_add_options *options,
                                         rag_add_report *report, rag_error *error);

typedef struct rag_document {
    const char *name; /* the absolute path of a file, or the name of a source */
    const char *format;
    const char *metadata; /* a JSON object */
    rag_text text;        /* empty unless asked for */
    uint64_t size;        /* of the file, or of the source's text */
    int64_t modified;     /* nanoseconds since 1970; when it was put in, for a source */
    size_t chunks;
    const char *collection;
} rag_document;

/* Returns 0 to go on, anything else to stop with RAG_INTERRUPTED. The document is valid during
 * the call, which must not use the index. */
typedef int (*rag_document_fn)(const rag_document *document, void *user);

/* Hands over the documents of these names (names NULL: all), in the order of the collections'
 * names and then of their own, by bytes; a name that is not there is passed over. with_text:
 * nonzero to read their texts too. */
RAG_CHECKED rag_status rag_index_each_document(rag_index *index, const char *const *names,
                                               size_t count, int with_text,
                                               rag_document_fn each, void *user,
                                               rag_error *error);

/* As rag_document_fn; vector: [dimension], L2 norm 1. */
typedef int (*rag_vector_fn)(const rag_chunk *chunk, int64_t chunk_id, const float *vector,
                             void *user);

/* Hands over the chunks of a document (name NULL: of all, collection by collection) with their
 * vectors, in the order in which they were put in. collection: that of the document; NULL: that
 * of the index. RAG_NOT_FOUND: there is no such document. */
RAG_CHECKED rag_status rag_index_each_chunk(rag_index *index, const char *collection,
                                            const char *name, rag_vector_fn each, void *user,
                                            rag_error *error);

/* Takes out the documents of these names; a name that is no document's is a path, and those at
 * or below it are taken out. paths NULL: the index was opened with a collection, and all of
 * that goes. *removed counts them. */
RAG_CHECKED rag_status rag_index_remove(rag_index *index, const char *const *paths,
                                        size_t count, size_t *removed, rag_error *error);

typedef struct rag_collection_info {
    const char *name;
    size_t documents, chunks;
} rag_collection_info;

typedef struct rag_index_info {
    const char *path;
    const char *model; /* "" in an index that is still empty */
    const char *model_identity;
    const char *chunker; /* "structure" or "window"; "" if empty or cut by the caller */
    unsigned format;     /* version of the file's schema; 0: there is no file yet */
    size_t dimension, max_tokens, overlap;
    size_t documents, chunks;
    uint64_t tokens, bytes;
    const rag_collection_info *collections; /* [collection_count], by name */
    size_t collection_count;
} rag_index_info;

/* Valid until the next call on the index. */
RAG_CHECKED rag_status rag_index_get_info(rag_index *index, const rag_index_info **info,
                                          rag_error *error);

/* One thing that is wrong with an index, or that was done about it. Valid during the call. */
typedef struct rag_problem {
    const char *kind; /* where: "pages", "indexes", "references", "recipe", "state", "removals",
                         "document", "text", "metadata", "chunks", "vector", "words", "cache",
                         "model"; of rag_index_repair's on_action "mended", "lost", "left" or
                         "kept" */
    const char *document, *collection; /* NULL: of no document, or not known */
    int64_t chunk;                     /* its id; 0: of no chunk */
    const char *sentence;
} rag_problem;

typedef void (*rag_problem_fn)(const rag_problem *problem, void *user);

typedef struct rag_verify_options {
    size_t size;
    rag_problem_fn on_problem;
    rag_event_fn on_event;
    void *user;     /* of both */
    size_t vectors; /* of so many chunks the vectors are computed anew, if the model is
                       installed; 0: of none */
} rag_verify_options;
#define RAG_VERIFY_OPTIONS_INIT                                                                \
    {                                                                                          \
        .size = sizeof(rag_verify_options)                                                     \
    }

/* Checks the file: SQLite's own check, every count and hash, each vector, the
 * lexical index against the text, and the installed model's identity against the index's.
 * RAG_INDEX if anything is wrong. */
RAG_CHECKED rag_status rag_index_verify(rag_index *index, const rag_verify_options *options,
                                        rag_error *error);

typedef struct rag_repair_options {
    size_t size;
    int dry_run;               /* nonzero: say what is wrong, and change nothing */
    rag_problem_fn on_problem; /* each thing that is wrong before */
    rag_problem_fn on_action;  /* what was done: a document "mended"; "lost", it was taken out;
                                  "left" as it is, for want of something; "kept": where the
                                  damaged file is kept */
    rag_event_fn on_event;
    void *user; /* of all three */
} rag_repair_options;
#define RAG_REPAIR_OPTIONS_INIT                                                                \
    {                                                                                          \
        .size = sizeof(rag_repair_options)                                                     \
    }

typedef struct rag_repair_report {
    size_t problems;     /* before */
    size_t mended, lost; /* documents put in anew, and taken out */
    size_t left;         /* problems after */
    size_t chunks_embedded;
    int salvaged; /* pages were damaged: the index was written anew from what could be read */
    double seconds;
} rag_repair_report;

/* Mends what can be computed from what is whole. Indexes, counts and words are made anew from
 * the rows and texts; a document whose vectors or chunks are damaged is embedded, or cut and
 * embedded, again from its text; one whose text is damaged is read again from its file, if that
 * is still the same to the byte, and otherwise taken out. Where pages are damaged, all
 * documents that can be read are copied into a new file, which takes the index's place in one
 * transaction; the damaged one is kept beside it as NAME.rag.damaged. Each step is a
 * transaction: killed in the middle, repair again. The options are those of rag_index_open;
 * nobody should use the index meanwhile. *report (NULL allowed) is filled also on failure.
 * RAG_INDEX: something is left, or nothing can be read at all. */
RAG_CHECKED rag_status rag_index_repair(const char *path,
                                        const rag_index_options *index_options,
                                        const rag_repair_options *options,
                                        rag_repair_report *report, rag_error *error);

typedef struct rag_compact_options {
    size_t size;
    rag_event_fn on_event;
    void *user;
} rag_compact_options;
#define RAG_COMPACT_OPTIONS_INIT                                                               \
    {                                                                                          \
        .size = sizeof(rag_compact_options)                                                    \
    }

typedef struct rag_compact_report {
    uint64_t bytes_before, bytes_after; /* of the file */
    double seconds;
} rag_compact_report;

/* Makes the file as small as it can be: gives back the room that updates and removals left, and
 * drops the words of chunks that are gone. Nothing else changes; killed in the middle, the file
 * is as it was. Readers and writers wait, or get RAG_INDEX_BUSY. Meanwhile there are two more
 * copies: one beside the file, one in the folder for temporary files (SQLITE_TMPDIR, TMPDIR,
 * else /var/tmp). */
RAG_CHECKED rag_status rag_index_compact(rag_index *index, const rag_compact_options *options,
                                         rag_compact_report *report, rag_error *error);

/* ---- Search ------------------------------------------------------------------ */

/* Which documents are searched: those for which every part says yes; a part that is empty says
 * yes to all. The strings are read during the call. RAG_USAGE says which of them is wrong. */
typedef struct rag_filter {
    const char *const *collections; /* [collection_count]: in one of these */
    size_t collection_count;
    const char *const *paths; /* [path_count]: the absolute path, or the name of a source, fits
                                 one of these patterns: ? * [a-z] within a folder's or a file's
                                 name, ** across. One that begins with "/" is for all of it,
                                 any other for a trailing part: "notes/a*.md" */
    size_t path_count;
    const char *const *formats; /* [format_count]: "markdown" or "text" */
    size_t format_count;
    const char *since, *until; /* modified (a source: put in) not before and not after: a date
                                  or a time, 2024-05-01 or 2024-05-01T12:30+02:00, in UTC
                                  unless an offset says otherwise, or a time ago: 12h, 7d, 2w */
    const char *const *where;  /* [where_count]: its metadata meet all of these: a key, one of
                                  = != < <= > >=, and a value, "year>=2020". Numbers compare as
                                  numbers, other values as strings. Of a list one element must
                                  do (!=: all); a key that is not there meets != alone; "a.b"
                                  is b within a */
    size_t where_count;
} rag_filter;

typedef enum rag_mode { RAG_HYBRID, RAG_MODE_DENSE, RAG_MODE_LEXICAL } rag_mode;

typedef struct rag_search_options {
    size_t size;
    size_t k;          /* hits; 0: 10 */
    size_t candidates; /* how many of the best are reranked; 0: 20 */
    rag_mode mode;
    rag_event_fn on_event;
    void *user;
    const float *vector; /* [dimension] of the question, L2 norm 1, for an index whose vectors
                            come from outside; NULL: embedded here */
    rag_filter filter;
} rag_search_options;
#define RAG_SEARCH_OPTIONS_INIT                                                                \
    {                                                                                          \
        .size = sizeof(rag_search_options)                                                     \
    }

typedef struct rag_hit {
    size_t rank;                   /* from 1 */
    double score;                  /* what the hits are sorted by */
    double dense, lexical, rerank; /* NaN where that leg did not see the chunk */
    int64_t chunk_id;
    rag_chunk chunk;
    const char *metadata; /* of its document, a JSON object */
    const char *collection;
    double sparse; /* of the weights of tokens (bge-m3), in hybrid mode; else NaN */
} rag_hit;

typedef struct rag_hits rag_hits;

/* The k best chunks for a question. No hits is RAG_OK with a count of 0. */
RAG_CHECKED rag_status rag_search(rag_index *index, rag_text question,
                                  const rag_search_options *options, rag_hits **hits,
                                  rag_error *error);
RAG_API size_t rag_hits_count(const rag_hits *hits);
RAG_API const rag_hit *rag_hits_get(const rag_hits *hits, size_t i);
RAG_API void rag_hits_free(rag_hits *hits);

/* What has become of the file that a document was read from. */
typedef enum rag_file_state {
    RAG_FILE_NONE, /* there was none: its name is an address, or a caller's */
    RAG_FILE_SAME,
    RAG_FILE_CHANGED, /* it has other bytes than those that were indexed */
    RAG_FILE_GONE,    /* it is not there any more, or may not be read */
} rag_file_state;

typedef struct rag_passage_options {
    size_t size;
    size_t before, after; /* lines of the surroundings, blank ones not counted; RAG_AUTO: 3; at
                             most 10,000. A side has at most 4 KiB for each line that was asked
                             for */
} rag_passage_options;
#define RAG_PASSAGE_OPTIONS_INIT                                                               \
    {                                                                                          \
        .size = sizeof(rag_passage_options), .before = RAG_AUTO, .after = RAG_AUTO             \
    }

/* A chunk with what stands around it, of the text that is in the index: also if its file has
 * changed or is gone. */
typedef struct rag_passage {
    int64_t chunk_id;
    rag_chunk chunk;
    rag_text before, after; /* of the document's text, next to the chunk's; where the chunk
                               begins or ends within a line, the rest of that counts as one */
    const char *format;
    const char *metadata; /* a JSON object */
    const char *collection;
    int is_text; /* nonzero: a text format, so the chunk's lines are those of the file */
    rag_file_state file;
} rag_passage;

/* A chunk by its id (rag_hit.chunk_id). A document keeps the ids of its chunks until it
 * changes; then they find nothing. RAG_NOT_FOUND: there is none, or it is not in the collection
 * that the index was opened with. */
RAG_CHECKED rag_status rag_index_get_passage(rag_index *index, int64_t chunk_id,
                                             const rag_passage_options *options,
                                             rag_passage **passage, rag_error *error);

/* The chunk that has this line of a document, from 1: the first one that ends in it or behind
 * it; 0: the document's first. The document is named as in the index, or by a path. Of several
 * collections the first by name that has it counts. RAG_NOT_FOUND: no such document, or line,
 * or no text. */
RAG_CHECKED rag_status rag_index_find_passage(rag_index *index, const char *document,
                                              uint32_t line, const rag_passage_options *options,
                                              rag_passage **passage, rag_error *error);
RAG_API void rag_passage_free(rag_passage *passage);

/* The k of `count` vectors with the greatest cosine with `query`, exactly, by all cores: their
 * positions and cosines, best first, equal ones by position. vectors: [count x dimension],
 * query: [dimension], of any norm; a vector of norm 0 or with a value that is not finite has
 * cosine 0. positions, scores: [k] (NULL allowed); *found: how many, the lesser of k and
 * count. */
RAG_CHECKED rag_status rag_nearest(const float *vectors, size_t count, size_t dimension,
                                   const float *query, size_t k, size_t *positions,
                                   float *scores, size_t *found, rag_error *error);

/* ---- Chat -------------------------------------------------------------------- */

/* A language model behind an HTTP protocol. One conversation at a time: a rag_chat belongs to
 * one thread at a time. */
typedef struct rag_chat rag_chat;

/* Who can be asked. Presets come with rag; further ones, and changes of presets, from a file of
 * providers (docs/providers.md). */
typedef struct rag_provider {
    const char *name;          /* the PROVIDER of "PROVIDER:MODEL" */
    const char *protocol;      /* "openai", "gemini", "anthropic" or "ollama" */
    const char *base_url;      /* as it would be used now */
    const char *url_variable;  /* environment variable with the base URL; "" if none */
    const char *key_variable;  /* ... with the key; "" if none is needed */
    const char *default_model; /* "" if it must be named */
    int ready;                 /* its key is set, or it needs none */
} rag_provider;

typedef struct rag_provider_list rag_provider_list;

/* The presets and what the file of providers adds. config as in rag_llm_options. */
RAG_CHECKED rag_status rag_provider_list_open(const char *config, rag_provider_list **list,
                                              rag_error *error);
RAG_API size_t rag_provider_list_count(const rag_provider_list *list);
RAG_API const rag_provider *rag_provider_list_get(const rag_provider_list *list, size_t i);
RAG_API void rag_provider_list_free(rag_provider_list *list);

typedef struct rag_llm_options {
    size_t size;
    const char *base_url;  /* NULL: the provider's variable, else its preset */
    const char *key;       /* NULL: the provider's variable */
    const char *config;    /* the file of providers; "": none; NULL: RAG_PROVIDERS, else
                              rag/providers.json in XDG_CONFIG_HOME */
    size_t context_tokens; /* that the model takes, prompt and answer; 0: as is known */
} rag_llm_options;
#define RAG_LLM_OPTIONS_INIT                                                                   \
    {                                                                                          \
        .size = sizeof(rag_llm_options)                                                        \
    }

typedef struct rag_chat_info {
    const char *provider, *model;
    const char *protocol;
    const char *host;                 /* with its port */
    size_t context_tokens;            /* 0: not known */
    double input_price, output_price; /* US dollars for a million tokens; NaN: not known; 0
                                         for a server of this machine */
} rag_chat_info;

/* Of one exchange, or of all since the chat was opened. */
typedef struct rag_usage {
    uint64_t requests; /* retries included */
    uint64_t input_tokens, output_tokens;
    int estimated; /* nonzero: the server did not count; from the texts, about a token for
                      each CJK character and for each four other bytes */
    double cost;   /* US dollars; NaN: a price is not known */
    double first_token_seconds; /* of the last exchange; NaN: not streamed */
    double seconds;
} rag_usage;

typedef enum rag_chat_role { RAG_SYSTEM, RAG_USER, RAG_ASSISTANT } rag_chat_role;

typedef struct rag_message {
    rag_chat_role role;
    rag_text text;
} rag_message;

/* Pieces of the answer as they arrive; whole characters. Nonzero stops. */
typedef int (*rag_text_fn)(rag_text piece, void *user);

typedef struct rag_chat_options {
    size_t size;
    unsigned max_tokens;      /* of the answer; 0: 1024 */
    double temperature;       /* < 0: the server's default; 0 unless set */
    unsigned connect_seconds; /* 0: 10 */
    unsigned first_seconds;   /* until the first byte of the reply's body; 0: 300, 600 when
                                 not streamed */
    unsigned idle_seconds;    /* between two bytes; 0: 60 */
    unsigned retries;         /* after 429, 5xx or a lost connection */
    rag_text_fn on_text;      /* NULL: not streamed */
    rag_event_fn on_event;    /* asked twice a second whether to go on */
    void *user;               /* of both */
} rag_chat_options;
#define RAG_CHAT_RETRIES 3
#define RAG_CHAT_OPTIONS_INIT                                                                  \
    {                                                                                          \
        .size = sizeof(rag_chat_options), .retries = RAG_CHAT_RETRIES                          \
    }

/* spec: "PROVIDER:MODEL", or "PROVIDER" for its default model; NULL: RAG_LLM. A missing key is
 * RAG_NETWORK_AUTH at once, unless the base URL names a host of one's own. Nothing is sent
 * before rag_chat_complete. */
RAG_CHECKED rag_status rag_chat_open(const char *spec, const rag_llm_options *options,
                                     rag_chat **chat, rag_error *error);
RAG_API void rag_chat_close(rag_chat *chat);
RAG_API const rag_chat_info *rag_chat_get_info(const rag_chat *chat);
/* Of the last rag_chat_complete, whether it succeeded or not, and of all (NULL allowed). */
RAG_API void rag_chat_get_usage(const rag_chat *chat, rag_usage *last, rag_usage *total);

/* Completes a conversation into *reply, NUL-terminated, freed with rag_free. */
RAG_CHECKED rag_status rag_chat_complete(rag_chat *chat, const rag_message *messages,
                                         size_t count, const rag_chat_options *options,
                                         char **reply, rag_error *error);
RAG_API void rag_free(void *memory);

/* ---- Answers ----------------------------------------------------------------- */

typedef struct rag_ask_options {
    size_t size;
    rag_search_options search;
    const char *llm; /* as in rag_chat_open, or "none"; NULL: RAG_LLM, else none */
    rag_llm_options llm_options;
    rag_chat *open_chat;   /* one that is open already, instead of `llm`; borrowed */
    size_t context_tokens; /* for the passages, by the embedding model's tokenizer; 0: 2048;
                              fewer where the language model takes no more */
    rag_chat_options chat;
    const rag_message *history; /* [history_count], the turns so far, oldest first: users' and
                                   assistants'. With a language model a question that follows
                                   up on them is first rewritten into one that stands alone */
    size_t history_count;
    size_t history_tokens; /* the newest turns that fit are kept; 0: 1024 */
    double min_evidence;   /* below it the answer is that the documents do not say; 0: the
                              default, 0.1; negative: always answer */
} rag_ask_options;
#define RAG_ASK_OPTIONS_INIT                                                                   \
    {                                                                                          \
        .size = sizeof(rag_ask_options), .search = RAG_SEARCH_OPTIONS_INIT,                    \
        .llm_options = RAG_LLM_OPTIONS_INIT, .chat = RAG_CHAT_OPTIONS_INIT                     \
    }

/* [number] in the text of an answer stands for this hit. */
typedef struct rag_citation {
    size_t number;       /* from 1 */
    size_t hit;          /* index into the answer's hits */
    rag_text quote;      /* bytes of the hit's text */
    uint64_t begin, end; /* of the quote in the document */
    uint32_t line, last_line;
} rag_citation;

/* How far the cited passages bear a sentence of an answer out, as far as that can be told by
 * its quotes, numbers, names and words. */
typedef enum rag_support {
    RAG_SUPPORTED,
    RAG_WEAK,        /* only some of its words are there, or a name is not */
    RAG_UNSUPPORTED, /* a quote or a number is not there, or hardly any of its words */
    RAG_UNCITED,     /* neither it nor its paragraph cites a passage */
    RAG_UNCHECKED,   /* written in another script than the passages; its numbers are there */
} rag_support;

/* A sentence that a language model wrote. */
typedef struct rag_statement {
    rag_text text; /* bytes of the answer's text, markers included */
    rag_support support;
    double coverage;  /* the share of its words that are there, 0..1, longer ones counting more;
                         0 if it was not compared */
    rag_text missing; /* the first quote, number or name that is not there; empty if none */
} rag_statement;

typedef struct rag_answer rag_answer;

/* Searches, and has the language model answer from the best passages with
 * citations; without one the best passages are quoted and cited. No passage at
 * all is RAG_NOT_FOUND. */
RAG_CHECKED rag_status rag_ask(rag_index *index, rag_text question,
                               const rag_ask_options *options, rag_answer **answer,
                               rag_error *error);
RAG_API rag_text rag_answer_text(const rag_answer *answer);
/* The question as it was searched for: rewritten if it followed up on the history. */
RAG_API rag_text rag_answer_question(const rag_answer *answer);
/* How likely it is, 0..1, that the documents answer the question at all: a logistic model of
 * the best scores, calibrated on public sets (docs/quality.md). NaN where it is not calibrated
 * for the models in use. */
RAG_API double rag_answer_evidence(const rag_answer *answer);
/* 0: the evidence is too weak, and the text says that the documents do not answer the
 * question, in the question's language; there are no citations, but the nearest hits. */
RAG_API int rag_answer_found(const rag_answer *answer);
/* Of all requests for this answer, the rewriting of the question included. */
RAG_API void rag_answer_get_usage(const rag_answer *answer, rag_usage *usage);
/* The language model that wrote it, "PROVIDER:MODEL"; "" if the passages are quoted or nothing
 * was found. */
RAG_API const char *rag_answer_llm(const rag_answer *answer);
RAG_API size_t rag_answer_citation_count(const rag_answer *answer);
RAG_API const rag_citation *rag_answer_citation(const rag_answer *answer, size_t i);
/* The sentences of the text, checked against the passages that they cite; code is left out.
 * There are none if no language model wrote it: its text is quotes then. */
RAG_API size_t rag_answer_statement_count(const rag_answer *answer);
RAG_API const rag_statement *rag_answer_statement(const rag_answer *answer, size_t i);
/* "supported", "weak", "unsupported", "uncited", "unchecked". */
RAG_API const char *rag_support_name(rag_support support);
/* Markers such as [9] that pointed to no passage and were dropped. */
RAG_API size_t rag_answer_dropped(const rag_answer *answer);
/* The passages that the model was given, best first. */
RAG_API const rag_hits *rag_answer_hits(const rag_answer *answer);

typedef enum rag_format {
    RAG_FORMAT_MARKDOWN, /* the answer, its sources, and what they do not bear out */
    RAG_FORMAT_HTML, /* a page of its own: markers lead to the passages, formulas are rendered.
                        It loads nothing, and no markup of a document or a model is in it */
} rag_format;

/* The whole answer with its sources in *out, NUL-terminated, freed with rag_free. */
RAG_CHECKED rag_status rag_answer_render(const rag_answer *answer, rag_format format,
                                         char **out, rag_error *error);
RAG_API void rag_answer_free(rag_answer *answer);

/* ---- Evaluation --------------------------------------------------------------
 *
 * A set is a folder with passages.jsonl ({"id","text"} and perhaps "title" a line),
 * queries.jsonl ({"id","text"}) and qrels.tsv (query, passage, grade, with tabs). */

typedef struct rag_eval_options {
    size_t size;
    const char *model, *reranker; /* as in rag_index_options */
    rag_model_options models;
    rag_search_options search;
    const char *cache; /* an index file to keep the passages in; NULL: temporary */
} rag_eval_options;
#define RAG_EVAL_OPTIONS_INIT                                                                  \
    {                                                                                          \
        .size = sizeof(rag_eval_options), .models = RAG_MODEL_OPTIONS_INIT,                    \
        .search = RAG_SEARCH_OPTIONS_INIT                                                      \
    }

/* Means over the queries, each within 0..1. */
typedef struct rag_eval_report {
    size_t passages, queries;
    double recall_1, recall_5, recall_10, recall_50;
    double mrr_10, ndcg_10;
    double seconds_per_query;
} rag_eval_report;

/* Measures one way of searching on a set. */
RAG_CHECKED rag_status rag_evaluate(const char *folder, const rag_eval_options *options,
                                    rag_eval_report *report, rag_error *error);

/* A set whose passages lie in an index, to be searched in several ways. */
typedef struct rag_eval rag_eval;

/* Embeds the passages; of options.search only on_event is used, and options.reranker is not.
 * RAG_INDEX_MISMATCH: the cache is of other passages. */
RAG_CHECKED rag_status rag_eval_open(const char *folder, const rag_eval_options *options,
                                     rag_eval **eval, rag_error *error);

/* Its results are to be freed before. */
RAG_API void rag_eval_close(rag_eval *eval);

typedef enum rag_measure {
    RAG_RECALL_1,
    RAG_RECALL_5,
    RAG_RECALL_10,
    RAG_RECALL_50,
    RAG_MRR_10,
    RAG_NDCG_10
} rag_measure;
#define RAG_MEASURES 6

/* "recall@1"; NULL: there is no such measure. */
RAG_API const char *rag_measure_name(rag_measure measure);

typedef struct rag_eval_query {
    const char *id;
    size_t relevant, rank; /* how many passages are; the place of the first, 0: not found */
    double measures[RAG_MEASURES];
    double seconds;
    const char *const *found; /* [found_count], ids of passages, best first, at most 50 */
    const double *scores;     /* [found_count], what they are sorted by */
    size_t found_count;
} rag_eval_query;

/* What a way of searching gave. */
typedef struct rag_eval_result rag_eval_result;

/* Asks every query that has a relevant passage. search.k and search.vector are not used (50 are
 * searched); reranker as in rag_index_options. */
RAG_CHECKED rag_status rag_eval_run(rag_eval *eval, const rag_search_options *search,
                                    const char *reranker, rag_eval_result **result,
                                    rag_error *error);
RAG_API void rag_eval_result_free(rag_eval_result *result);
RAG_API const rag_eval_report *rag_eval_result_report(const rag_eval_result *result);
/* In the order of their ids' bytes, as many as report.queries; NULL behind the last. */
RAG_API const rag_eval_query *rag_eval_result_query(const rag_eval_result *result, size_t i);

typedef struct rag_bootstrap_options {
    size_t size;
    size_t samples;    /* 0: 10,000; at most a million */
    double confidence; /* 0: 0.95; else within 0..1 */
    uint64_t seed;     /* the same seed, the same samples */
} rag_bootstrap_options;
#define RAG_BOOTSTRAP_OPTIONS_INIT                                                             \
    {                                                                                          \
        .size = sizeof(rag_bootstrap_options)                                                  \
    }

typedef struct rag_interval {
    double low, high;
} rag_interval;

/* Confidence intervals of the report's means: percentiles of the means of samples of the
 * queries, drawn with replacement (Efron and Tibshirani, "An Introduction to the Bootstrap",
 * 1993, chapter 13). */
RAG_CHECKED rag_status rag_eval_intervals(const rag_eval_result *result,
                                          const rag_bootstrap_options *options,
                                          rag_interval intervals[RAG_MEASURES],
                                          rag_error *error);

typedef struct rag_eval_difference {
    double difference; /* of the means, b less a */
    double low, high;  /* its confidence interval */
    double p_value;    /* how often samples differ so much by chance alone: two-sided, from the
                          differences less their mean (chapter 16) */
    size_t better, worse, same; /* queries, of b against a */
} rag_eval_difference;

/* Compares two ways of searching query by query: both see the same samples. RAG_INPUT: their
 * queries are not the same. */
RAG_CHECKED rag_status rag_eval_compare(const rag_eval_result *a, const rag_eval_result *b,
                                        const rag_bootstrap_options *options,
                                        rag_eval_difference differences[RAG_MEASURES],
                                        rag_error *error);

#ifdef __cplusplus
}
#endif
#endif
