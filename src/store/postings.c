/* The chunks of a word, from its doclists (word_index.h has the layout). */
#include "base/memory.h"
#include "store/doclist.h"

#include <string.h>

enum { SEGMENT_SHIFT = 37, HEADER = 4, MAX_PAGE = 1 << 20 };

static int64_t leaf_id(const struct doclist *list, int64_t page)
{
    return list->segment->id << SEGMENT_SHIFT | page;
}

static size_t big_endian(const unsigned char *bytes)
{
    return (size_t)bytes[0] << 8 | bytes[1];
}

static rag_status page_damaged(const struct word_index *index, rag_error *error)
{
    return word_index_damaged(index, "a page of it is not one", error);
}

rag_status doclist_load(struct word_index *index, struct doclist *list, int64_t page,
                        rag_error *error)
{
    const unsigned char *bytes;
    size_t size;
    rag_status status = word_index_block(index, leaf_id(list, page), &bytes, &size, error);
    if (status)
        return status;
    if (size < HEADER || size > MAX_PAGE || big_endian(bytes + 2) < HEADER ||
        big_endian(bytes + 2) > size)
        return page_damaged(index, error);
    if (!array_reserve(&list->bytes, &list->capacity, size, 1))
        return fail_memory(error);
    memcpy(list->bytes, bytes, size);
    list->page = page;
    list->size = size;
    list->words = big_endian(bytes + 2);
    list->more = size == list->words;
    list->absolute = true;
    uint64_t end = list->words;
    if (!list->more && !varint_read(bytes + list->words, size - list->words, &end))
        return page_damaged(index, error);
    size_t first = big_endian(bytes);
    if (end < HEADER || end > list->words || (first && (first < HEADER || first >= end)))
        return page_damaged(index, error);
    list->end = (size_t)end;
    list->at = first ? first : list->end;
    return RAG_OK;
}

/* The first chunk id on a page; 0: none. */
static rag_status first_on(struct word_index *index, const struct doclist *list, int64_t page,
                           int64_t *chunk, rag_error *error)
{
    const unsigned char *bytes;
    size_t size;
    uint64_t value = 0;
    rag_status status = word_index_block(index, leaf_id(list, page), &bytes, &size, error);
    if (status)
        return status;
    if (size < HEADER)
        return page_damaged(index, error);
    size_t first = big_endian(bytes);
    if (first && (first >= size || !varint_read(bytes + first, size - first, &value)))
        return page_damaged(index, error);
    *chunk = (int64_t)value;
    return RAG_OK;
}

/* The last page after this one that can hold ids up to `from`: steps of growing width, then
 * halves. A page without an id counts as one behind. */
static rag_status skip_pages(struct word_index *index, const struct doclist *list, int64_t from,
                             int64_t *page, rag_error *error)
{
    int64_t low = list->page + 1, high = list->last_page + 1, chunk;
    for (int64_t step = 1; low + step < high; step *= 2) {
        rag_status status = first_on(index, list, low + step, &chunk, error);
        if (status)
            return status;
        if (!chunk || chunk > from)
            high = low + step;
        else
            low += step;
    }
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        rag_status status = first_on(index, list, middle, &chunk, error);
        if (status)
            return status;
        if (!chunk || chunk > from)
            high = middle;
        else
            low = middle;
    }
    *page = low;
    return RAG_OK;
}

/* Goes to the next page with an id of the word, or to the word's end. */
static rag_status turn_page(struct word_index *index, struct doclist *list, int64_t from,
                            rag_error *error)
{
    while (list->at >= list->end) {
        int64_t page = list->page + 1;
        rag_status status = RAG_OK;
        if (!list->more || list->page >= list->last_page) {
            list->ended = true;
            return RAG_OK;
        }
        if (list->chunk < from && list->page + 1 < list->last_page)
            status = skip_pages(index, list, from, &page, error);
        if (!status)
            status = doclist_load(index, list, page, error);
        if (status)
            return status;
    }
    return RAG_OK;
}

/* Reads the next id, unless one is pending. */
static rag_status next_chunk(struct word_index *index, struct doclist *list, int64_t from,
                             rag_error *error)
{
    if (list->pending || list->ended)
        return RAG_OK;
    if (list->at >= list->end) {
        rag_status status = turn_page(index, list, from, error);
        if (status || list->ended)
            return status;
    }
    uint64_t value;
    size_t length = varint_read(list->bytes + list->at, list->end - list->at, &value);
    if (!list->absolute)
        value += (uint64_t)list->chunk;
    if (!length || value > INT64_MAX - 1 || (int64_t)value <= list->chunk)
        return word_index_damaged(index, "the chunks of a word are out of order", error);
    list->at += length;
    list->chunk = (int64_t)value;
    list->absolute = false;
    list->pending = true;
    return RAG_OK;
}

/* Where the reading of positions stands, which may go over pages. */
struct positions {
    uint32_t count;
    bool within; /* a varint */
    bool column; /* the next one is a column's number */
};

static void count_positions(struct positions *state, const unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (!state->within && !state->column && bytes[i] == 1) {
            state->column = true;
            continue;
        }
        state->within = bytes[i] >= 0x80;
        if (state->within)
            continue;
        state->count += !state->column;
        state->column = false;
    }
}

/* Reads what the pending id says: the number of positions, 0 if the chunk is gone. */
static rag_status next_count(struct word_index *index, struct doclist *list, uint32_t *count,
                             rag_error *error)
{
    uint64_t value;
    struct positions state = {0};
    size_t length = varint_read(list->bytes + list->at, list->end - list->at, &value);
    if (!length)
        return page_damaged(index, error);
    list->at += length;
    list->pending = false;
    for (uint64_t left = value >> 1; left;) {
        size_t here = list->end - list->at;
        if (left < here)
            here = (size_t)left;
        count_positions(&state, list->bytes + list->at, here);
        list->at += here;
        left -= here;
        if (!left)
            break;
        if (!list->more || list->page >= list->last_page)
            return page_damaged(index, error);
        rag_status status = doclist_load(index, list, list->page + 1, error);
        if (status)
            return status;
        list->at = HEADER;
    }
    *count = state.count;
    return RAG_OK;
}

/* The common case of next_chunk and next_count for all that lies on this page: one byte for the
 * distance and one for the size, and nothing but the text's column. Half of a search's time
 * was spent here before. Stops at what is anything else. */
static size_t read_quickly(struct doclist *list, int64_t from, int64_t to, struct posting *out,
                           size_t found)
{
    const unsigned char *bytes = list->bytes;
    size_t at = list->at, end = list->end;
    int64_t chunk = list->chunk;
    while (end - at >= 2 && found < POSTINGS_WINDOW) {
        size_t distance = bytes[at], size = bytes[at + 1] >> 1;
        const unsigned char *positions = bytes + at + 2;
        if (distance - 1 >= 0x7f || bytes[at + 1] >= 0x80 || end - at - 2 < size || size < 3 ||
            positions[0] != 1 || positions[1] != 1 || chunk + (int64_t)distance >= to)
            break;
        chunk += (int64_t)distance;
        at += 2 + size;
        if (chunk < from)
            continue;
        uint32_t count = 0;
        for (size_t i = 2; i < size; i++)
            count += positions[i] < 0x80;
        out[found++] = (struct posting){chunk, count};
    }
    list->at = at;
    list->chunk = chunk;
    return found;
}

/* What one segment says of a window. */
static rag_status doclist_window(struct word_index *index, struct doclist *list, int64_t from,
                                 int64_t to, struct posting *out, size_t *count,
                                 rag_error *error)
{
    size_t found = 0;
    for (;;) {
        if (!list->pending && !list->absolute)
            found = read_quickly(list, from, to, out, found);
        rag_status status = next_chunk(index, list, from, error);
        if (status)
            return status;
        if (list->ended || list->chunk >= to)
            break;
        out[found].chunk = list->chunk;
        status = next_count(index, list, &out[found].count, error);
        if (status)
            return status;
        found += list->chunk >= from;
    }
    *count = found;
    return RAG_OK;
}

static size_t without_removed(struct posting *list, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (list[i].count)
            list[kept++] = list[i];
    return kept;
}

/* Newer segments are read later and overwrite what older ones said. */
static rag_status merge_window(struct postings *postings, int64_t from, int64_t to,
                               struct posting *out, size_t *count, rag_error *error)
{
    struct word_index *index = postings->index;
    for (size_t i = 0; i < postings->count; i++) {
        size_t found;
        rag_status status =
            doclist_window(index, &postings->lists[i], from, to, out, &found, error);
        if (status)
            return status;
        for (size_t j = 0; j < found; j++) {
            size_t slot = (size_t)(out[j].chunk - from);
            index->counts[slot] = out[j].count;
            index->seen[slot / 64] |= UINT64_C(1) << slot % 64;
        }
    }
    size_t found = 0;
    for (size_t i = 0; i < POSTINGS_WINDOW / 64; i++) {
        for (uint64_t bits = index->seen[i]; bits; bits &= bits - 1) {
            size_t slot = i * 64 + (size_t)__builtin_ctzll(bits);
            out[found++] = (struct posting){from + (int64_t)slot, index->counts[slot]};
        }
        index->seen[i] = 0;
    }
    *count = without_removed(out, found);
    return RAG_OK;
}

rag_status postings_window(struct postings *postings, int64_t from, int64_t to,
                           struct posting *out, size_t *count, rag_error *error)
{
    struct doclist *only = NULL;
    size_t active = 0;
    *count = 0;
    for (size_t i = 0; i < postings->count; i++) {
        struct doclist *list = &postings->lists[i];
        if (list->ended)
            continue;
        rag_status status = next_chunk(postings->index, list, from, error);
        if (status)
            return status;
        if (list->ended || list->chunk >= to)
            continue;
        only = list;
        active++;
    }
    if (!active)
        return RAG_OK;
    if (active > 1)
        return merge_window(postings, from, to, out, count, error);
    rag_status status = doclist_window(postings->index, only, from, to, out, count, error);
    if (!status)
        *count = without_removed(out, *count);
    return status;
}

rag_status postings_peek(struct postings *postings, int64_t *chunk, rag_error *error)
{
    *chunk = INT64_MAX;
    for (size_t i = 0; i < postings->count; i++) {
        struct doclist *list = &postings->lists[i];
        rag_status status = next_chunk(postings->index, list, 0, error);
        if (status)
            return status;
        if (!list->ended && list->chunk < *chunk)
            *chunk = list->chunk;
    }
    return RAG_OK;
}

rag_status postings_count(struct postings *postings, size_t *count, rag_error *error)
{
    struct posting *window = alloc_array(POSTINGS_WINDOW, sizeof *window);
    rag_status status = window ? RAG_OK : fail_memory(error);
    *count = 0;
    while (!status) {
        int64_t first;
        size_t found;
        status = postings_peek(postings, &first, error);
        if (status || first == INT64_MAX)
            break;
        status = postings_window(postings, first, window_end(first), window, &found, error);
        *count += found;
    }
    free(window);
    return status;
}
