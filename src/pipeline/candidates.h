/* candidates.h - a question's chunks on their way to becoming hits: found by the two legs and
 * fused (first_stage.c), scored a second time (second_stage.c), handed over (search.c). */
#ifndef RAG_PIPELINE_CANDIDATES_H
#define RAG_PIPELINE_CANDIDATES_H

#include "pipeline/pipeline.h"

/* A chunk on its way to becoming a hit. */
struct candidate {
    int64_t chunk_id;
    double score, dense, sparse, lexical, rerank;
    double support, evidence;  /* of the words (fusion.h); 0 where their leg did not see it */
    double window;             /* late.h; NaN without late interaction */
    struct stored_chunk chunk; /* fetched when it is needed */
    bool fetched;
};

struct search {
    rag_index *index;
    rag_text question;
    const struct events *events;
    size_t k, candidates;
    rag_mode mode;
    const struct id_ranges *within; /* the chunks that may be found; NULL: all */
    const float *vector;            /* the caller's; NULL: to be embedded */
    float *query;                   /* the question's vector; NULL in lexical mode */
    struct token_weights weights;   /* of the question's tokens, if the index has such */
    rag_embeddings *embedded;       /* what they belong to */
    struct candidate *found;        /* best first */
    size_t count;
    bool lost;       /* fetch_candidates left some out */
    double evidence; /* evidence.h */
};

/* Fills search->found with the best of both legs, fused. The index has its recipe. */
CHECKED rag_status first_stage(struct search *search, rag_error *error);

/* Scores the best search->candidates again and sorts by what comes out. */
CHECKED rag_status second_stage(struct search *search, rag_error *error);

/* Gets the first `count` candidates' chunks; those that another writer has taken out since
 * they were found are left out. */
CHECKED rag_status fetch_candidates(struct search *search, size_t count, rag_error *error);

#endif
