#include "store/growing.h"

#include <stdlib.h>

struct source_word source_word(unsigned seed, size_t line)
{
    enum { LETTERS = 8 };
    struct source_word word = {"z"};
    size_t number = seed + line;
    for (size_t i = 1; i < LETTERS; i++, number /= 26)
        word.text[i] = (char)('a' + number % 26);
    return word;
}

void source_make(struct source *source, const char *path, size_t count, size_t line,
                 unsigned seed)
{
    *source = (struct source){.path = path, .count = count, .seed = seed};
    source->text = BUF_INIT((size_t)1 << 30);
    source->chunks = calloc(count + 1, sizeof *source->chunks);
    source->vectors = calloc(count + 1, sizeof *source->vectors);
    assert_non_null(source->chunks);
    assert_non_null(source->vectors);
    for (size_t i = 0; i < count; i++) {
        struct store_chunk *chunk = &source->chunks[i];
        size_t begin = source->text.size;
        assert_true(buf_append_text(&source->text, source_word(seed, i).text));
        while (source->text.size < begin + line)
            assert_true(buf_printf(&source->text, " w%u \xe5\xad\x97",
                                   (unsigned)(i * 31 + source->text.size) % 997));
        assert_true(buf_append_char(&source->text, '\n'));
        unit_vector(seed + (unsigned)i, source->vectors[i]);
        *chunk = (struct store_chunk){
            .begin = begin,
            .line = (uint32_t)i + 1,
            .last_line = (uint32_t)i + (i + 1 < count ? 2 : 1),
            .tokens = 5,
            .heading = "Table",
            .vector = source->vectors[i],
            .header_end = i ? 6 : 0,
            .place = i % 7 ? NULL : "page 7",
        };
    }
    for (size_t i = 0; i < count; i++) {
        struct store_chunk *chunk = &source->chunks[i];
        chunk->end = i + 1 < count ? chunk[1].begin + OVERLAP : source->text.size;
        chunk->hash = text_hash(source->text.data + chunk->begin, chunk->end - chunk->begin);
    }
}

void source_release(struct source *source)
{
    buf_release(&source->text);
    free(source->chunks);
    free(source->vectors);
    *source = (struct source){0};
}

struct store_document source_document(const struct source *source)
{
    return (struct store_document){
        .collection = source->collection,
        .path = source->path,
        .format = "text",
        .hash = text_hash(source->text.data, source->text.size),
        .size = source->text.size,
        .modified = 1,
        .text = {source->text.data, source->text.size},
        .metadata = "{\"kind\": \"long\"}",
    };
}

rag_status source_begin(const struct source *source, struct store *store,
                        struct store_growing **out, rag_error *error)
{
    struct store_document document = source_document(source);
    return store_grow_begin(store, &document, source->count, out, error);
}

rag_status source_add(const struct source *source, struct store_growing *growing, size_t begin,
                      size_t end, rag_error *error)
{
    const struct store_chunk *chunks = source->chunks;
    size_t from = chunks[begin].begin, to = source->text.size;
    size_t next = end < source->count ? chunks[end].begin : to;
    if (end < source->count)
        to = chunks[end - 1].end;
    return store_grow_add(growing, (rag_text){source->text.data + from, to - from}, to - next,
                          chunks + begin, end - begin, error);
}

rag_status source_grow(const struct source *source, struct store *store, size_t stretch,
                       rag_error *error)
{
    struct store_growing *growing;
    rag_status status = source_begin(source, store, &growing, error);
    for (size_t i = 0; i < source->count && !status; i += stretch)
        status = source_add(source, growing, i,
                            i + stretch < source->count ? i + stretch : source->count, error);
    if (!status)
        status = store_grow_finish(growing, error);
    store_grow_free(growing);
    return status;
}

struct looking {
    const struct source *source;
    size_t seen;
};

static int look(const struct stored_chunk *chunk, const float *vector, void *user)
{
    struct looking *looking = user;
    const struct source *source = looking->source;
    assert_true(looking->seen < source->count);
    const struct store_chunk *put = &source->chunks[looking->seen];
    assert_int_equal(chunk->number, looking->seen);
    assert_int_equal(chunk->begin, put->begin);
    assert_int_equal(chunk->end, put->end);
    assert_int_equal(chunk->line, put->line);
    assert_int_equal(chunk->text_size, put->end - put->begin);
    assert_memory_equal(chunk->text, source->text.data + put->begin, chunk->text_size);
    assert_int_equal(chunk->header_size, put->header_end);
    assert_memory_equal(chunk->header, source->text.data, put->header_end);
    assert_string_equal(chunk->place, put->place ? put->place : "");
    assert_memory_equal(vector, put->vector, DIMENSION * sizeof *vector);
    looking->seen++;
    return 0;
}

void assert_source(const struct source *source, struct store *store)
{
    rag_error error;
    struct stored_document document;
    struct looking looking = {source, 0};
    assert_ok(
        store_get_document(store, source->collection, source->path, true, &document, &error),
        &error);
    assert_int_equal(document.text_size, source->text.size);
    if (document.text_size)
        assert_memory_equal(document.text, source->text.data, document.text_size);
    assert_int_equal(document.chunks, source->count);
    stored_document_release(&document);
    assert_ok(store_each_chunk(store, source->collection, source->path, look, &looking, &error),
              &error);
    assert_int_equal(looking.seen, source->count);
}
