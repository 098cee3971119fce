/* verify.h - what the files of the check share. */
#ifndef RAG_STORE_VERIFY_H
#define RAG_STORE_VERIFY_H

#include "store/sqlite.h"

/* What the terms of one chunk add up to (verify_words.c). */
struct word_sum {
    int64_t chunk;
    uint64_t sum;
};

struct verification {
    struct store *store;
    store_problem_fn on_problem; /* may be NULL */
    void *user;
    const struct events *events;
    size_t documents, documents_done;
    bool stopped; /* the caller asked to stop */
    size_t problems;
    int64_t document; /* in hand; 0: none */
    const char *collection, *path;
    struct store_recipe recipe;
    bool has_recipe, current_words;
    struct word_sum *sums; /* of the chunks as their texts say */
    size_t sum_count, sum_capacity;
    uint64_t postings, postings_sum; /* of tokens, as the chunks' weights say */
};

/* Of the document in hand, if there is one, whose path then stands before the sentence. */
void verification_report(struct verification *v, enum store_problem_kind kind, int64_t chunk,
                         const char *format, ...) __attribute__((format(printf, 4, 5)));

/* A failure to read that damage explains becomes a problem, and the check goes on with what
 * is left; any other is returned. */
CHECKED rag_status verification_absorb(struct verification *v, rag_status status,
                                       enum store_problem_kind kind, const char *what,
                                       rag_error *error);

/* All documents, each with its chunks (verify_documents.c). */
CHECKED rag_status verify_documents(struct verification *v, rag_error *error);

/* Notes the terms that a chunk ought to have in the lexical index. */
CHECKED rag_status verify_words_expect(struct verification *v, int64_t chunk, rag_text heading,
                                       rag_text text, rag_error *error);

/* Notes the postings that a chunk's weights ought to have. False: they are damaged. */
CHECKED bool verify_weights_expect(struct verification *v, int64_t chunk, rag_text weights);

/* Compares what was noted with the postings. */
CHECKED rag_status verify_postings_compare(struct verification *v, rag_error *error);

/* Compares what was noted with the lexical index. */
CHECKED rag_status verify_words_compare(struct verification *v, rag_error *error);

#endif
