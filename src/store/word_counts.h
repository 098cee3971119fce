/* word_counts.h - in how many chunks a word is: to count that, all of its postings are read, so
 * it is remembered for as long as the file stays as it is. */
#ifndef RAG_STORE_WORD_COUNTS_H
#define RAG_STORE_WORD_COUNTS_H

#include "store/sqlite.h"

#include "base/buf.h"

struct word_count {
    size_t begin, size; /* of the word in `words`; size 0: no entry */
    size_t chunks;
};

struct word_counts {
    struct word_count *slots; /* a hash table; NULL as long as it is empty */
    size_t count;
    struct buf words;
    int64_t generation, schema; /* that they belong to */
};

void word_counts_release(struct word_counts *counts);

/* At the beginning of a read transaction: forgets those of another state of the file. */
CHECKED rag_status word_counts_begin(struct store *store, struct word_counts *counts,
                                     rag_error *error);

bool word_counts_find(const struct word_counts *counts, rag_text word, size_t *chunks);

/* For a word (of at least a byte) that is not in them. When there are too many it forgets all
 * others. False: no memory. */
CHECKED bool word_counts_add(struct word_counts *counts, rag_text word, size_t chunks);

#endif
