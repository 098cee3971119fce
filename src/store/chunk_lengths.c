#include "store/chunk_lengths.h"
#include "base/memory.h"
#include "store/doclist.h"

#include <string.h>

/* Where more of a window is missing than a part in so many, all of it is read. */
enum { DENSE = 16, FIRST_CAPACITY = 64 };

void chunk_lengths_release(struct chunk_lengths *lengths)
{
    for (size_t i = 0; i < lengths->capacity; i++)
        free(lengths->blocks[i].lengths);
    free(lengths->blocks);
    *lengths = (struct chunk_lengths){0};
}

rag_status chunk_lengths_begin(struct store *store, struct chunk_lengths *lengths,
                               rag_error *error)
{
    sqlite3_stmt *statement = NULL;
    struct hash words = {0};
    int64_t schema = 0;
    bool row = false;
    rag_status status = db_integer(store, "PRAGMA schema_version", 0, &schema, error);
    if (!status)
        status = db_prepare(store, &statement, "SELECT words_hash FROM state", error);
    if (status)
        return status;
    status = db_step(store, statement, &row, error);
    rag_text hash = {0};
    if (!status && row)
        hash = db_column(statement, 0);
    if (hash.size == sizeof words.bytes)
        memcpy(words.bytes, hash.data, hash.size);
    db_finish(store, statement);
    if (status)
        return status;
    if (schema != lengths->schema || memcmp(&words, &lengths->words, sizeof words) != 0)
        chunk_lengths_release(lengths);
    lengths->schema = schema;
    lengths->words = words;
    return RAG_OK;
}

/* The place of a window's block, or the empty one where it belongs. */
static struct length_block *find_place(struct length_block *blocks, size_t capacity,
                                       int64_t from)
{
    size_t i = (size_t)(from / POSTINGS_WINDOW) & (capacity - 1);
    while (blocks[i].lengths && blocks[i].from != from)
        i = (i + 1) & (capacity - 1);
    return &blocks[i];
}

static bool grow(struct chunk_lengths *lengths)
{
    size_t capacity = lengths->capacity ? 2 * lengths->capacity : FIRST_CAPACITY;
    struct length_block *blocks = alloc_zeroed(capacity, sizeof *blocks);
    if (!blocks)
        return false;
    for (size_t i = 0; i < lengths->capacity; i++)
        if (lengths->blocks[i].lengths)
            *find_place(blocks, capacity, lengths->blocks[i].from) = lengths->blocks[i];
    free(lengths->blocks);
    lengths->blocks = blocks;
    lengths->capacity = capacity;
    return true;
}

/* The block of a window, made if need be. */
static rag_status find_block(struct chunk_lengths *lengths, int64_t from, uint32_t **out,
                             rag_error *error)
{
    if (lengths->count * 2 >= lengths->capacity && !grow(lengths))
        return fail_memory(error);
    struct length_block *block = find_place(lengths->blocks, lengths->capacity, from);
    if (!block->lengths) {
        block->from = from;
        block->lengths = alloc_zeroed(POSTINGS_WINDOW, sizeof *block->lengths);
        lengths->count += block->lengths != NULL;
    }
    *out = block->lengths;
    return *out ? RAG_OK : fail_memory(error);
}

/* The sum of a row's varints: the words of each column. */
static bool read_length(rag_text sizes, uint32_t *length)
{
    const unsigned char *bytes = (const unsigned char *)sizes.data;
    uint64_t sum = 0;
    for (size_t at = 0; at < sizes.size;) {
        uint64_t value;
        size_t step = varint_read(bytes + at, sizes.size - at, &value);
        if (!step || value > UINT32_MAX)
            return false;
        at += step;
        sum += value;
    }
    *length = (uint32_t)sum;
    return sum > 0 && sum <= UINT32_MAX;
}

/* The rows of a window from one id to another. */
static rag_status read_rows(struct word_index *index, uint32_t *block, int64_t from,
                            int64_t first, int64_t last, rag_error *error)
{
    sqlite3_reset(index->lengths);
    rag_status status = db_bind(index->store, index->lengths, error, "ii", first, last);
    while (!status) {
        bool row;
        status = db_step(index->store, index->lengths, &row, error);
        if (status || !row)
            break;
        uint32_t length = 0;
        int64_t id = sqlite3_column_int64(index->lengths, 0);
        /* A chunk without words has no postings, so that nobody asks. */
        if (read_length(db_column(index->lengths, 1), &length))
            block[id - from] = length;
    }
    return status;
}

rag_status chunk_lengths_get(struct word_index *index, struct chunk_lengths *lengths,
                             int64_t from, const struct posting *list, size_t count,
                             const uint32_t **out, rag_error *error)
{
    uint32_t *block = NULL;
    rag_status status = find_block(lengths, from, &block, error);
    size_t missing = 0;
    for (size_t i = 0; i < count && !status; i++)
        missing += !block[list[i].chunk - from];
    if (!status && missing > POSTINGS_WINDOW / DENSE)
        status = read_rows(index, block, from, from, window_end(from) - 1, error);
    for (size_t i = 0; i < count && !status && missing; i++) {
        uint32_t *length = &block[list[i].chunk - from];
        if (!*length)
            status = read_rows(index, block, from, list[i].chunk, list[i].chunk, error);
        if (!status && !*length)
            status = word_index_damaged(index, "the length of a chunk is missing", error);
    }
    *out = block;
    return status;
}
