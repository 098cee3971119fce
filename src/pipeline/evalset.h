/* evalset.h - a retrieval set: passages, queries, and which passage answers which query.
 *
 * passages.jsonl   {"id": "...", "text": "..."} a line; other members are not used
 * queries.jsonl    {"id": "...", "text": "..."} a line
 * qrels.tsv        query-id, passage-id, grade >= 0, with tabs; a heading line is allowed
 *
 * The layout of BEIR (Thakur and others, NeurIPS 2021). */
#ifndef RAG_PIPELINE_EVALSET_H
#define RAG_PIPELINE_EVALSET_H

#include "base/error.h"

struct eval_text {
    char *id;
    char *text;
    size_t size;
};

struct eval_texts {
    struct eval_text *items; /* sorted by id */
    size_t count, capacity;
};

struct eval_qrel {
    size_t query, passage; /* indices */
    double grade;
};

struct eval_set {
    struct eval_texts passages, queries;
    struct eval_qrel *qrels; /* sorted by query, then grade from high to low */
    size_t qrel_count, qrel_capacity;
};

/* RAG_INPUT names the file and the line. */
CHECKED rag_status eval_set_read(const char *folder, struct eval_set *out, rag_error *error);
void eval_set_release(struct eval_set *set);

/* The place of an id, or SIZE_MAX. */
size_t eval_find(const struct eval_texts *texts, const char *id);

#endif
