/* jobs.h - documents on their way into an index.
 *
 * They are gathered until there are tokens enough for the encoder to work on them well; then
 * these are embedded together and their documents written, one transaction each. A wish to stop
 * is heeded after that, so that no finished work is lost and no document is in the index in
 * part. */
#ifndef RAG_PIPELINE_JOBS_H
#define RAG_PIPELINE_JOBS_H

#include "pipeline/pipeline.h"

/* Tokens gathered before they are embedded: a few seconds of work, many times what one
 * batch of the encoder takes; and bytes of documents, for texts whose vectors are known. */
enum { GATHER_TOKENS = 1 << 14, GATHER_BYTES = 1 << 24 };

/* A document on its way. */
struct job {
    struct document document;
    const char *metadata; /* borrowed; NULL: none */
    struct chunk_list chunks;
    struct hash hash;          /* of the file, or of all that the source is made of */
    struct hash *chunk_hashes; /* [chunks] */
    float *vectors;            /* [chunks x dimension] */
    bool *missing;             /* [chunks] to be embedded */
    size_t missing_count, missing_tokens;
    uint64_t size;
    int64_t modified;
    bool update;
};

void job_release(struct job *job);

struct run {
    rag_index *index;
    const struct events *events;
    rag_add_report *report;
    struct chunker_options chunker;
    struct job *jobs;
    size_t count, capacity;
    size_t pending_tokens, pending_bytes;
    uint64_t bytes_done, bytes_total;
    const char *file; /* in hand, for progress */
    bool stop;
};

void run_release(struct run *run);

/* How the index cuts its documents. Of a new index this loads the model. */
CHECKED rag_status run_resolve(struct run *run, rag_error *error);

/* Fills the job's vectors: `given` [chunks x dimension], or (NULL) those that the index has of
 * such chunks already; the others are missing. The index must have its recipe. */
CHECKED rag_status job_fill_vectors(struct run *run, struct job *job, const float *given,
                                    rag_error *error);

/* Takes a job over, which is empty afterwards. */
CHECKED rag_status run_push(struct run *run, struct job *job, rag_error *error);

/* Whether enough is gathered. */
bool run_is_full(const struct run *run);

/* Embeds and writes what is gathered. */
CHECKED rag_status run_flush(struct run *run, rag_error *error);

void run_progress(struct run *run, uint64_t done);

rag_status run_fail_stopped(rag_error *error);

#endif
