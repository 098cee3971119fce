/* ranking.h - the best chunks by BM25 (Robertson and Zaragoza, "The Probabilistic Relevance
 * Framework", 2009), without looking at all that have a word of the question.
 *
 * MaxScore (Turtle and Flood, "Query Evaluation: Strategies and Optimizations", 1995), a window
 * of ids at a time: once k chunks are known, a chunk that has only words so frequent that they
 * cannot lift it above the worst of these is never looked at; the others' scores are
 * completed word by word, from the rare to the frequent, until what is left cannot lift them
 * either. The result is that of the exhaustive sum, to the bit: words are always added in this
 * order. */
#ifndef RAG_STORE_RANKING_H
#define RAG_STORE_RANKING_H

#include "store/chunk_lengths.h"

/* One thing that a question asks for: a word, whose postings come from the file; or what else
 * can be counted in a chunk (a phrase, the beginning of a word), whose postings are listed. */
struct unit {
    struct postings postings;
    struct posting *list; /* ascending; NULL: they come from the file */
    size_t list_count, list_at;
    size_t chunks; /* that have it */
    double idf;
    enum unit_role {
        UNIT_SCORED,
        UNIT_REQUIRED, /* adds to the score, and chunks without it are left out */
        UNIT_EXCLUDED, /* chunks with it are left out; no score */
    } role;
};

void unit_release(struct unit *unit);

/* BM25's weight of a unit that `chunks` of `rows` have: at least one of them. */
double unit_idf(uint64_t chunks, uint64_t rows);

/* Offers to `out`, which has room for k, the best chunks within `within` (NULL: of all), with
 * the sum of the idf of the units that they have as their `share`. Sorts the units, which are
 * used up. */
CHECKED rag_status rank_units(struct word_index *index, struct chunk_lengths *lengths,
                              struct unit *units, size_t count, const struct id_ranges *within,
                              struct scored_list *out, rag_error *error);

#endif
