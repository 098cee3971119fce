/* A document of more bytes than the memory that it may take: putting it in, checking it,
 * handing it over, putting another one in its place, taking it out. */
#define _DEFAULT_SOURCE
#include "store/growing.h"

#include <stdlib.h>
#include <sys/resource.h>

enum {
    LINE = 1000,
    STRETCH_LINES = 2000,
    STRETCHES = 40,    /* 80 MB */
    MOST_MEMORY = 100, /* MB beyond what there was before, 64 of them SQLite's cache */
};

static size_t memory(void)
{
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return (size_t)usage.ru_maxrss >> 10;
}

static void assert_bounded(size_t before, const char *what)
{
    size_t now = memory();
    print_message("%s: %zu MB more\n", what, now - before);
#ifndef __SANITIZE_ADDRESS__
    assert_true(now - before < MOST_MEMORY);
#endif
}

static void grow(struct fixture *f, const struct source *stretch)
{
    struct store_growing *growing;
    struct store_document document = source_document(stretch);
    document.size *= STRETCHES;
    assert_ok(
        store_grow_begin(f->store, &document, stretch->count * STRETCHES, &growing, &f->error),
        &f->error);
    for (size_t i = 0; i < STRETCHES; i++) {
        assert_ok(store_grow_add(growing, (rag_text){stretch->text.data, stretch->text.size}, 0,
                                 stretch->chunks, stretch->count, &f->error),
                  &f->error);
        for (size_t j = 0; j < stretch->count; j++) {
            stretch->chunks[j].begin += stretch->text.size;
            stretch->chunks[j].end += stretch->text.size;
            stretch->chunks[j].line += STRETCH_LINES;
            stretch->chunks[j].last_line += STRETCH_LINES;
        }
    }
    assert_ok(store_grow_finish(growing, &f->error), &f->error);
    store_grow_free(growing);
}

static int count_chunk(const struct stored_chunk *chunk, const float *vector, void *user)
{
    assert_true(chunk->text_size > 0 && vector_is_unit(vector, DIMENSION));
    ++*(size_t *)user;
    return 0;
}

static void a_large_document_takes_bounded_memory(void **state)
{
    struct fixture *f = *state;
    struct source first, second;
    size_t seen = 0, before;
    source_make(&first, "/large", STRETCH_LINES, LINE, 1000);
    source_make(&second, "/large", STRETCH_LINES, LINE, 900000);
    assert_ok(store_set_volatile(f->store, &f->error), &f->error);
    before = memory();
    grow(f, &first);
    assert_bounded(before, "put in");
    assert_whole(f->store);
    assert_bounded(before, "verified");
    assert_ok(store_each_chunk(f->store, NULL, "/large", count_chunk, &seen, &f->error),
              &f->error);
    assert_int_equal(seen, STRETCH_LINES * STRETCHES);
    assert_bounded(before, "handed over");
    grow(f, &second);
    assert_bounded(before, "replaced");
    assert_ok(store_remove(f->store, NULL, (const char *const[]){"/large"}, 1, NULL, &f->error),
              &f->error);
    assert_bounded(before, "taken out");
    assert_whole(f->store);
    assert_int_equal(counts(f->store).chunks, 0);
    source_release(&first);
    source_release(&second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_large_document_takes_bounded_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
