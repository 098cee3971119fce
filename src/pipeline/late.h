/* late.h - late interaction: two texts compared token by token (MaxSim; Khattab and Zaharia,
 * "ColBERT", SIGIR 2020), with the token vectors of the embedding model itself.
 *
 * Each token of the question finds its best match among the passage's; the matches are
 * averaged, weighted by how much the token tells. A passage that has them all over the place
 * answers less well than one that has them together, so the same is done within each window
 * of the passage, and the best window counts too: docs/quality.md has what that gains. */
#ifndef RAG_PIPELINE_LATE_H
#define RAG_PIPELINE_LATE_H

#include "pipeline/pipeline.h"

/* Token vectors of one text: rows [count x dimension], each of L2 norm 1. */
struct token_matrix {
    float *rows;
    size_t count, dimension;
};

/* A question ready to be compared. */
struct late_query {
    struct token_matrix tokens;
    float *weights; /* [tokens.count], sum 1 */
    float *matches; /* [3 x tokens.count], what is at hand of a passage */
};

/* How well a passage matches; each within -1..1, 0 if either text has no tokens. */
struct late_match {
    double whole; /* MaxSim */
    double
        window; /* MaxSim of the best LATE_WINDOW tokens in a row, in steps of half as many */
};
enum { LATE_WINDOW = 64 };

CHECKED rag_status late_query_make(rag_model *model, rag_text question,
                                   const struct events *events, struct late_query *out,
                                   rag_error *error);
void late_query_release(struct late_query *query);

/* rows: [count x dimension of the question's]. */
struct late_match late_match(const struct late_query *query, const float *rows, size_t count);

/* The token vectors of passages, by chunk, kept between questions as long as they fit. */
enum { TOKEN_VECTORS_MAX_BYTES = 768 << 20 };

CHECKED rag_status token_vectors_new(struct token_vectors **out, rag_error *error);
void token_vectors_free(struct token_vectors *cache);

/* Matches these chunks; texts are what was embedded of them. Vectors that are not in the
 * cache are computed in one batch. */
CHECKED rag_status late_match_chunks(struct token_vectors *cache, rag_model *model,
                                     const struct late_query *query, const int64_t *ids,
                                     const rag_text *texts, size_t count,
                                     const struct events *events, struct late_match *matches,
                                     rag_error *error);

#endif
