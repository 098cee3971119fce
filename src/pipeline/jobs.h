/* jobs.h - documents on their way into an index.
 *
 * They are gathered until there are tokens enough for the encoder to work on them well; then
 * these are embedded together and their documents written in one transaction, which waits for
 * the disk once. A wish to stop is heeded after that, so that no finished work is lost and no
 * document is in the index in part. A dry run goes the same way, but embeds and writes nothing.
 */
#ifndef RAG_PIPELINE_JOBS_H
#define RAG_PIPELINE_JOBS_H

#include "documents/read_options.h"
#include "documents/walk.h"
#include "pipeline/pipeline.h"
#include "pipeline/seen.h"

/* Tokens gathered before they are embedded: a few seconds of work, many times what one
 * batch of the encoder takes; bytes of documents, for texts whose vectors are known; and
 * documents, for those that are empty. */
enum { GATHER_TOKENS = 1 << 14, GATHER_BYTES = 1 << 24, GATHER_DOCUMENTS = 1 << 10 };

/* A document on its way. */
struct job {
    struct document document;
    char *metadata;    /* of the document, with the caller's over them; NULL: none */
    char *kept_format; /* what the document's format points to, if it is none of formats.h */
    struct chunk_list chunks;
    struct hash hash;               /* of the file, or of all that the source is made of */
    struct hash *chunk_hashes;      /* [chunks] */
    float *vectors;                 /* [chunks x dimension] */
    struct packed_weights *weights; /* [chunks] of tokens; NULL: the model gives none */
    bool *missing;                  /* [chunks] to be embedded */
    size_t missing_count, missing_tokens;
    uint64_t size;
    int64_t modified;
    bool update;
};

void job_release(struct job *job);

/* RAG_USAGE: what a caller gives as metadata of all files is no JSON object (add.c). */
CHECKED rag_status check_metadata(const char *metadata, rag_error *error);

/* What is that of another chunk, which is to be embedded. */
struct embedded_copy {
    struct embedded to, from;
};

struct run {
    rag_index *index;
    const char *collection; /* NULL: the default one */
    const struct events *events;
    rag_change_fn on_change; /* may be NULL */
    void *user;              /* its own */
    bool dry;
    const char *metadata; /* the caller's, for all documents; NULL: none */
    struct read_options read;
    rag_add_report *report;
    struct chunker_options chunker;
    struct job *jobs;
    size_t count, capacity;
    struct store_move *moves; /* their paths are borrowed until run_flush */
    size_t move_count, move_capacity;
    struct store_stamp *stamps;
    size_t stamp_count, stamp_capacity;
    struct store_label *labels; /* their paths are borrowed as well, their metadata are not */
    size_t label_count, label_capacity;
    struct file_list again; /* the new paths of documents that could not be moved */
    struct seen seen;
    struct embedded_copy *copies;
    size_t copy_count, copy_capacity;
    size_t pending_tokens, pending_bytes;
    uint64_t bytes_done, bytes_total;
    struct store *same_model; /* another one, whose vectors can be used; NULL: none */
    const char *stage;        /* for progress; NULL: indexing */
    double embed_seconds;     /* of report->tokens */
    const char *file;         /* in hand, for progress */
    bool stop;
};

void run_release(struct run *run);

/* How the index cuts its documents. Of a new index this loads the model. */
CHECKED rag_status run_resolve(struct run *run, rag_error *error);

/* Fills the job's vectors: `given` [chunks x dimension], or (NULL) those that the index has of
 * such chunks already, with the weights of their tokens; the others are missing. The index must
 * have its recipe, but for a dry run. */
CHECKED rag_status job_fill_vectors(struct run *run, struct job *job, const float *given,
                                    rag_error *error);

/* Where what the model makes of its chunk i goes. */
struct embedded job_place(const struct job *job, size_t i, size_t dimension);

/* A chunk as the store takes it, without hash, vector and weights; it points to the chunk's. */
struct store_chunk store_chunk_of(const struct chunk *chunk);

/* The job's chunk i with all of these; it points into the job. */
struct store_chunk job_store_chunk(const struct job *job, size_t i, size_t dimension);

/* Appends what of its chunk i is embedded. */
CHECKED bool job_context(const struct run *run, const struct job *job, size_t i,
                         struct buf *out);

/* Takes a job over, which is empty afterwards. */
CHECKED rag_status run_push(struct run *run, struct job *job, rag_error *error);

/* A document's new path. Where it is not there any more when it is written, the new path goes
 * into run->again. */
CHECKED rag_status run_push_move(struct run *run, const struct store_move *move,
                                 rag_error *error);

/* A new time of a document whose bytes are the same. */
CHECKED rag_status run_push_stamp(struct run *run, const struct store_stamp *stamp,
                                  rag_error *error);

/* Other metadata of a document whose bytes are the same; takes them over, on failure too. */
CHECKED rag_status run_push_label(struct run *run, const char *path, char *metadata,
                                  rag_error *error);

/* Tells the caller of a change, which is safe in the file. */
void run_tell(const struct run *run, const rag_change *change);

/* Whether enough is gathered. */
bool run_is_full(const struct run *run);

/* Embeds and writes what is gathered. */
CHECKED rag_status run_flush(struct run *run, rag_error *error);

/* The jobs are done, and released: none are gathered. */
void run_forget(struct run *run);

/* Embeds what is missing of the jobs (embed_jobs.c). */
CHECKED rag_status run_embed(struct run *run, rag_error *error);

void run_progress(struct run *run, uint64_t done);

rag_status run_fail_stopped(rag_error *error);

#endif
