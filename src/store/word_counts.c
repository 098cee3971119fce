#include "store/word_counts.h"
#include "base/checksum.h"
#include "base/memory.h"

#include <string.h>

enum { CAPACITY = 1 << 16, MAX_BYTES = 4 << 20 };

void word_counts_release(struct word_counts *counts)
{
    free(counts->slots);
    buf_release(&counts->words);
    *counts = (struct word_counts){.words = BUF_INIT(MAX_BYTES)};
}

static void forget(struct word_counts *counts)
{
    if (counts->slots)
        memset(counts->slots, 0, CAPACITY * sizeof *counts->slots);
    counts->count = 0;
    counts->words.size = 0;
}

rag_status word_counts_begin(struct store *store, struct word_counts *counts, rag_error *error)
{
    int64_t generation, schema;
    rag_status status =
        db_integer(store, "SELECT generation FROM state", 0, &generation, error);
    if (!status)
        status = db_integer(store, "PRAGMA schema_version", 0, &schema, error);
    if (status || (generation == counts->generation && schema == counts->schema))
        return status;
    forget(counts);
    counts->generation = generation;
    counts->schema = schema;
    return RAG_OK;
}

/* The slot of a word, or the empty one where it belongs. */
static struct word_count *find_slot(const struct word_counts *counts, rag_text word)
{
    size_t i = checksum_bytes(word.data, word.size) % CAPACITY;
    while (counts->slots[i].size &&
           (counts->slots[i].size != word.size ||
            memcmp(counts->words.data + counts->slots[i].begin, word.data, word.size) != 0))
        i = (i + 1) % CAPACITY;
    return &counts->slots[i];
}

bool word_counts_find(const struct word_counts *counts, rag_text word, size_t *chunks)
{
    if (!counts->slots)
        return false;
    const struct word_count *found = find_slot(counts, word);
    *chunks = found->chunks;
    return found->size;
}

bool word_counts_add(struct word_counts *counts, rag_text word, size_t chunks)
{
    if (!counts->slots) {
        counts->slots = alloc_zeroed(CAPACITY, sizeof *counts->slots);
        counts->words = BUF_INIT(MAX_BYTES);
        if (!counts->slots)
            return false;
    }
    if (counts->count >= CAPACITY / 2 || word.size > MAX_BYTES - counts->words.size)
        forget(counts);
    struct word_count *slot = find_slot(counts, word);
    size_t begin = counts->words.size;
    if (!buf_append(&counts->words, word.data, word.size))
        return false;
    *slot = (struct word_count){.begin = begin, .size = word.size, .chunks = chunks};
    counts->count++;
    return true;
}
