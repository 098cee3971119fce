/* The structure, and a word's doclists in it; postings.c reads these. */
#include "store/word_index.h"
#include "base/memory.h"
#include "store/doclist.h"

#include <string.h>

enum {
    TOTALS_BLOCK = 1,
    STRUCTURE_BLOCK = 10,
    MAX_SEGMENTS = 2000, /* FTS5's own limit */
    FILE_FORMAT = 4,
    WORD_PREFIX = '0',
    MAX_WORD = 1 << 10,
};

rag_status word_index_damaged(const struct word_index *index, const char *what,
                              rag_error *error)
{
    return fail_with(error, RAG_INDEX,
                     "%s: the lexical index is damaged (%s); `rag verify` lists what is wrong",
                     index->store->path, what);
}

size_t varint_read(const unsigned char *bytes, size_t size, uint64_t *value)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < 8 && i < size; i++) {
        sum = sum << 7 | (bytes[i] & 0x7f);
        if (bytes[i] < 0x80) {
            *value = sum;
            return i + 1;
        }
    }
    if (size < 9)
        return 0;
    *value = sum << 8 | bytes[8]; /* the ninth byte counts whole */
    return 9;
}

/* ---- Structure ---- */

struct reader {
    const unsigned char *bytes;
    size_t size, at;
    bool failed;
};

static uint64_t next_varint(struct reader *reader)
{
    uint64_t value = 0;
    size_t length = varint_read(reader->bytes + reader->at, reader->size - reader->at, &value);
    reader->failed |= !length;
    reader->at += length;
    return reader->failed ? 0 : value;
}

rag_status word_index_block(const struct word_index *index, int64_t id,
                            const unsigned char **bytes, size_t *size, rag_error *error)
{
    bool row;
    sqlite3_reset(index->block);
    sqlite3_bind_int64(index->block, 1, id);
    rag_status status = db_step(index->store, index->block, &row, error);
    if (status)
        return status;
    if (!row)
        return word_index_damaged(index, "a page of it is missing", error);
    rag_text block = db_column(index->block, 0);
    *bytes = (const unsigned char *)(block.size ? block.data : "");
    *size = block.size;
    return RAG_OK;
}

static void turn_round(struct segment *segments, size_t count)
{
    for (size_t i = 0, j = count; i + 1 < j; i++) {
        struct segment segment = segments[i];
        segments[i] = segments[--j];
        segments[j] = segment;
    }
}

static rag_status read_level(struct word_index *index, struct reader *reader, rag_error *error)
{
    (void)next_varint(reader); /* how many of its segments are being merged */
    uint64_t count = next_varint(reader);
    if (count > MAX_SEGMENTS - index->segment_count)
        return word_index_damaged(index, "its structure is impossible", error);
    if (!array_reserve(&index->segments, &index->segment_capacity,
                       index->segment_count + (size_t)count, sizeof *index->segments))
        return fail_memory(error);
    /* Levels come from the newest on, but the segments of a level from the oldest on: these are
     * turned round here, and the whole list in the end. */
    size_t first = index->segment_count;
    for (uint64_t i = 0; i < count; i++) {
        struct segment segment;
        segment.id = (int64_t)next_varint(reader);
        segment.first_page = (int64_t)next_varint(reader);
        segment.last_page = (int64_t)next_varint(reader);
        if (!segment.first_page && !segment.last_page)
            continue; /* all of it has been merged into another one */
        if (segment.id < 1 || segment.id > UINT16_MAX || segment.first_page < 1 ||
            segment.last_page > INT32_MAX || segment.first_page > segment.last_page)
            return word_index_damaged(index, "its structure is impossible", error);
        index->segments[index->segment_count++] = segment;
    }
    turn_round(index->segments + first, index->segment_count - first);
    return RAG_OK;
}

static rag_status read_structure(struct word_index *index, rag_error *error)
{
    static const unsigned char newer[] = {0xff, 0, 0, 1};
    struct reader reader = {.at = 4};
    rag_status status =
        word_index_block(index, STRUCTURE_BLOCK, &reader.bytes, &reader.size, error);
    if (status)
        return status;
    if (reader.size < 7 || (reader.size >= 8 && !memcmp(reader.bytes + 4, newer, sizeof newer)))
        return word_index_damaged(index, "its structure is not that of rag's files", error);
    uint64_t levels = next_varint(&reader);
    (void)next_varint(&reader); /* all segments */
    (void)next_varint(&reader); /* writes */
    for (uint64_t i = 0; i < levels && !reader.failed && !status; i++)
        status = read_level(index, &reader, error);
    if (!status && reader.failed)
        return word_index_damaged(index, "its structure ends too early", error);
    turn_round(index->segments, index->segment_count);
    return status;
}

static rag_status read_totals(struct word_index *index, rag_error *error)
{
    struct reader reader = {0};
    rag_status status =
        word_index_block(index, TOTALS_BLOCK, &reader.bytes, &reader.size, error);
    if (status || !reader.size)
        return status; /* nothing was ever put in */
    index->rows = next_varint(&reader);
    index->words = next_varint(&reader) + next_varint(&reader);
    return reader.failed || index->rows > INT64_MAX || index->words > INT64_MAX
               ? word_index_damaged(index, "its totals are impossible", error)
               : RAG_OK;
}

static rag_status check_format(struct store *store, rag_error *error)
{
    int64_t version;
    rag_status status =
        db_integer(store, "SELECT v FROM words_config WHERE k='version'", 0, &version, error);
    if (!status && version != FILE_FORMAT)
        return fail_with(error, RAG_INDEX,
                         "%s: the lexical index is of FTS5's format %lld, which another "
                         "program must have made of it; restore the file from a copy",
                         store->path, (long long)version);
    return status;
}

rag_status word_index_open(struct store *store, struct word_index *out, rag_error *error)
{
    *out = (struct word_index){.store = store};
    out->counts = alloc_array(POSTINGS_WINDOW, sizeof *out->counts);
    out->seen = alloc_zeroed(POSTINGS_WINDOW / 64, sizeof *out->seen);
    rag_status status =
        out->counts && out->seen ? check_format(store, error) : fail_memory(error);
    if (!status)
        status =
            db_prepare(store, &out->block, "SELECT block FROM words_data WHERE id=?", error);
    if (!status)
        status = db_prepare(store, &out->page_of,
                            "SELECT pgno, term FROM words_idx WHERE segid=? AND term<=? "
                            "ORDER BY term DESC LIMIT 1",
                            error);
    if (!status)
        status = db_prepare(store, &out->page_after,
                            "SELECT pgno FROM words_idx WHERE segid=? AND term>? "
                            "ORDER BY term LIMIT 1",
                            error);
    if (!status)
        status = db_prepare(store, &out->lengths,
                            "SELECT id, sz FROM words_docsize WHERE id BETWEEN ? AND ?", error);
    if (!status)
        status = read_structure(out, error);
    if (!status)
        status = read_totals(out, error);
    if (status)
        word_index_close(out);
    return status;
}

void word_index_close(struct word_index *index)
{
    db_finish(index->store, index->block);
    db_finish(index->store, index->page_of);
    db_finish(index->store, index->page_after);
    db_finish(index->store, index->lengths);
    free(index->segments);
    free(index->counts);
    free(index->seen);
    *index = (struct word_index){0};
}

/* ---- A word in a segment ---- */

/* The leaf on which the word is, if the segment has it, and the last that it can go on to. */
static rag_status find_leaf(struct word_index *index, const struct segment *segment,
                            const char *word, size_t size, int64_t *page, int64_t *last,
                            rag_error *error)
{
    struct store *store = index->store;
    bool row;
    *page = segment->first_page;
    *last = segment->last_page;
    sqlite3_reset(index->page_of);
    sqlite3_reset(index->page_after);
    rag_status status =
        db_bind(store, index->page_of, error, "ib", segment->id, (const void *)word, size);
    if (!status)
        status = db_step(store, index->page_of, &row, error);
    if (status)
        return status;
    rag_text start = {word, size};
    if (row) {
        start = db_column(index->page_of, 1);
        int64_t found = sqlite3_column_int64(index->page_of, 0) >> 1;
        if (found > *page)
            *page = found;
    }
    status = db_bind(store, index->page_after, error, "ib", segment->id,
                     (const void *)start.data, start.size);
    if (!status)
        status = db_step(store, index->page_after, &row, error);
    if (!status && row) {
        int64_t found = sqlite3_column_int64(index->page_after, 0) >> 1;
        if (found < *last)
            *last = found;
    }
    if (!status && *page > segment->last_page)
        return word_index_damaged(index, "a page is out of its segment", error);
    /* Words before the first page have been merged into another segment, but are still in
     * words_idx: a word among these is not on the first page. */
    if (*last < *page)
        *last = *page;
    return status;
}

/* Goes through the words of the page, which ascend. *found: list->at is behind the word. */
static bool find_word(struct doclist *list, const char *word, size_t size, bool *found)
{
    char present[MAX_WORD];
    size_t length = 0, offset = 0, index_at = list->words;
    *found = false;
    while (index_at < list->size) {
        uint64_t distance, kept = 0, added;
        size_t step = varint_read(list->bytes + index_at, list->size - index_at, &distance);
        bool first = index_at == list->words;
        if (!step || distance > list->words - offset)
            return false;
        index_at += step;
        offset += (size_t)distance;
        size_t at = offset;
        step = first ? 1 : varint_read(list->bytes + at, list->words - at, &kept);
        at += first ? 0 : step;
        if (!step || kept > length)
            return false;
        step = varint_read(list->bytes + at, list->words - at, &added);
        at += step;
        if (!step || added > list->words - at || added > sizeof present - kept)
            return false;
        memcpy(present + kept, list->bytes + at, (size_t)added);
        length = (size_t)(kept + added);
        int order = memcmp(present, word, length < size ? length : size);
        if (order > 0 || (order == 0 && length > size))
            return true;
        if (order == 0 && length == size) {
            *found = true;
            list->at = at + (size_t)added;
            list->end = list->words;
            list->more = index_at >= list->size;
            if (list->more)
                return true;
            step = varint_read(list->bytes + index_at, list->size - index_at, &distance);
            list->end = offset + (size_t)distance;
            return step && distance <= list->words - offset && list->end >= list->at;
        }
    }
    return true;
}

static rag_status find_in_segment(struct word_index *index, struct doclist *list,
                                  const char *word, size_t size, bool *found, rag_error *error)
{
    rag_status status =
        find_leaf(index, list->segment, word, size, &list->page, &list->last_page, error);
    if (!status)
        status = doclist_load(index, list, list->page, error);
    if (!status && !find_word(list, word, size, found))
        return word_index_damaged(index, "the words of a page are out of order", error);
    list->absolute = true;
    return status;
}

rag_status postings_open(struct word_index *index, rag_text word, struct postings *out,
                         rag_error *error)
{
    char key[MAX_WORD];
    *out = (struct postings){.index = index};
    out->lists = alloc_zeroed(index->segment_count, sizeof *out->lists);
    if (!out->lists)
        return fail_memory(error);
    if (word.size >= sizeof key)
        return RAG_OK; /* words.h gives none of that length */
    key[0] = WORD_PREFIX;
    memcpy(key + 1, word.data, word.size);
    for (size_t i = 0; i < index->segment_count; i++) {
        struct doclist *list = &out->lists[out->count];
        bool found = false;
        list->segment = &index->segments[i];
        rag_status status = find_in_segment(index, list, key, word.size + 1, &found, error);
        out->count += found || status;
        if (status)
            return status;
        if (!found) {
            free(list->bytes);
            *list = (struct doclist){0};
        }
    }
    return RAG_OK;
}

void postings_close(struct postings *postings)
{
    for (size_t i = 0; i < postings->count; i++)
        free(postings->lists[i].bytes);
    free(postings->lists);
    *postings = (struct postings){0};
}
