/* word_index.h - reads the inverted index of the table `words` as FTS5 stores it.
 *
 * FTS5's own cursors hand over a row at a time, some 200 ns each, and count a word's chunks by
 * walking through all of them; at a million chunks a question takes a second. Read from its
 * pages a posting takes a few nanoseconds. The layout is that of FTS5's file format 4
 * (words_config), which SQLite has written since 2015:
 *
 * - words_data(id, block): block 1 the totals (a varint: rows; for each column a varint: its
 *   words), block 10 the structure, all others leaves and doclist indexes (not used here).
 *   The id of a leaf is segment << 37 | page.
 * - The structure: 4 bytes cookie; varints: levels, segments, writes; for each level merged
 *   and number of segments, and of each of these id, first and last page. Levels from the
 *   newest; in a level the oldest segment comes first. What a newer segment says of a word in
 *   a chunk goes before what an older one says; no positions: the chunk is gone.
 * - A leaf: u16 (big-endian) offset of the first chunk id that continues the word of the page
 *   before, or 0; u16 where the index of words on this page begins: varints, the offset of the
 *   first word, then distances. A word: the first on a page is a length and its bytes, others
 *   begin with the number of bytes that they share with the one before. All words begin with
 *   "0". Behind it its chunks: the id (the first of a word or of a page as it is, others as
 *   the distance), the positions' bytes times two plus a flag, the positions, which may go
 *   over pages. A position is its distance plus 2; a 1 announces another column's number.
 * - words_idx(segment, term, pgno): for each leaf on which a word begins a text that lies
 *   between the words before it and its first; pgno is the page times two plus a flag.
 *
 * Everything is checked: what does not fit is RAG_INDEX. To be used within one read
 * transaction with the store's lock held. */
#ifndef RAG_STORE_WORD_INDEX_H
#define RAG_STORE_WORD_INDEX_H

#include "store/sqlite.h"

enum { POSTINGS_WINDOW = 4096 };

struct segment {
    int64_t id, first_page, last_page;
};

struct word_index {
    struct store *store;
    sqlite3_stmt *block, *page_of, *page_after, *lengths;
    struct segment *segments; /* the oldest first */
    size_t segment_count, segment_capacity;
    uint64_t rows, words; /* chunks, and words in them all together */
    uint32_t *counts;     /* [POSTINGS_WINDOW]: of a window that several segments share */
    uint64_t *seen;       /* a bit for each of them */
};

CHECKED rag_status word_index_open(struct store *store, struct word_index *out,
                                   rag_error *error);
void word_index_close(struct word_index *index);

/* How often a word stands in a chunk; ids ascend in a list. */
struct posting {
    int64_t chunk;
    uint32_t count;
};

/* One word's place in one segment. */
struct doclist {
    const struct segment *segment;
    int64_t page, last_page;
    unsigned char *bytes; /* of the page */
    size_t size, capacity;
    size_t words;   /* of these bytes, up to where the page's own index begins */
    size_t at, end; /* what is read next; where the word ends on this page */
    bool more;      /* no other word follows on this page */
    bool absolute;  /* the next id is not a distance */
    bool pending;   /* `chunk` was read, its positions were not */
    bool ended;
    int64_t chunk;
};

/* All chunks of a word, in ascending order. */
struct postings {
    struct word_index *index;
    struct doclist *lists; /* of the segments that have it, the oldest first */
    size_t count;
};

CHECKED rag_status postings_open(struct word_index *index, rag_text word, struct postings *out,
                                 rag_error *error);
void postings_close(struct postings *postings);

/* Those with from <= chunk < to, at most POSTINGS_WINDOW ids apart, to `out`
 * [POSTINGS_WINDOW]. Windows must ascend; what lies between them is passed over. */
CHECKED rag_status postings_window(struct postings *postings, int64_t from, int64_t to,
                                   struct posting *out, size_t *count, rag_error *error);

/* Where a window ends that begins at `from`. */
static inline int64_t window_end(int64_t from)
{
    return from > INT64_MAX - POSTINGS_WINDOW ? INT64_MAX : from + POSTINGS_WINDOW;
}

/* The least id that is still to come; INT64_MAX: there is none. */
CHECKED rag_status postings_peek(struct postings *postings, int64_t *chunk, rag_error *error);

/* In how many chunks the word is. The postings are used up then. */
CHECKED rag_status postings_count(struct postings *postings, size_t *count, rag_error *error);

/* A varint of SQLite's at `bytes`: how many bytes it has; 0: it does not
 * end within `size`. */
size_t varint_read(const unsigned char *bytes, size_t size, uint64_t *value);

#endif
