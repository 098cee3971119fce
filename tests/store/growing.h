/* growing.h - a long text with its chunks, and how it is put in stretch by stretch. */
#ifndef RAG_TESTS_STORE_GROWING_H
#define RAG_TESTS_STORE_GROWING_H

#include "store/fixture.h"

#include "base/buf.h"

/* Lines, and a chunk for each, which runs on into the next line's first word by OVERLAP bytes.
 * The first line is the header of a table to which all chunks but the first belong. */
enum { OVERLAP = 4 };
struct source {
    const char *collection, *path;
    struct buf text;
    struct store_chunk *chunks; /* [count] */
    float (*vectors)[DIMENSION];
    size_t count;
    unsigned seed;
};
void source_make(struct source *source, const char *path, size_t count, size_t line,
                 unsigned seed);

/* The first word of a line, which no other source of another seed has. */
struct source_word {
    char text[16];
};
struct source_word source_word(unsigned seed, size_t line);
void source_release(struct source *source);
struct store_document source_document(const struct source *source);

rag_status source_begin(const struct source *source, struct store *store,
                        struct store_growing **out, rag_error *error);

/* Adds the chunks from `begin` to `end`, exclusive. */
rag_status source_add(const struct source *source, struct store_growing *growing, size_t begin,
                      size_t end, rag_error *error);

/* All of it, in stretches of so many chunks. */
rag_status source_grow(const struct source *source, struct store *store, size_t stretch,
                       rag_error *error);

/* What is found of it is what was put in, and is all of it. */
void assert_source(const struct source *source, struct store *store);

#endif
