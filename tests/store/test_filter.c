/* A filter lets the right documents through, and what is found among few is as exact as among
 * all. */
#define _XOPEN_SOURCE 700
#include "store/fixture.h"

#include "store/filter.h"

#include <stdlib.h>

static const struct {
    const char *collection, *path, *format, *date, *metadata;
} documents[] = {
    {NULL, "/home/ann/notes/a.md", "markdown", "2024-01-10",
     "{\"year\":2024,\"tags\":[\"tea\",\"work\"],\"author\":{\"name\":\"Ann\"},\"draft\":"
     "true}"},
    {NULL, "/home/ann/notes/b.txt", "text", "2024-02-10",
     "{\"year\":2023.5,\"author.name\":\"Bob\",\"date\":\"2024-02-01\",\"none\":null}"},
    {NULL, "/home/ann/books/c.md", "markdown", "2024-03-10", "{\"year\":\"2024\",\"tags\":[]}"},
    {"work", "/home/ann/notes/a.md", "markdown", "2024-04-10", "{}"},
    {"work", "wiki/d", "text", "2024-05-10", "{\"year\":-7,\"tags\":[7,\"tea\"]}"},
};
enum { DOCUMENTS = sizeof documents / sizeof *documents };

static int64_t date(const char *text)
{
    int64_t out;
    rag_error error;
    rag_filter given = {.since = text};
    struct store_filter filter;
    assert_ok(filter_parse(&given, &filter, &error), &error);
    out = filter.since;
    filter_release(&filter);
    return out;
}

static void put_all(struct fixture *f)
{
    for (unsigned i = 0; i < DOCUMENTS; i++) {
        float vectors[2][DIMENSION];
        struct store_chunk chunks[2];
        for (unsigned j = 0; j < 2; j++) {
            unit_vector(i * 2 + j, vectors[j]);
            chunks[j] = (struct store_chunk){.begin = 2 * j,
                                             .end = 2 * j + 1,
                                             .line = 1,
                                             .last_line = 1,
                                             .heading = "",
                                             .vector = vectors[j]};
        }
        struct store_document document = {.collection = documents[i].collection,
                                          .path = documents[i].path,
                                          .format = documents[i].format,
                                          .modified = date(documents[i].date),
                                          .metadata = documents[i].metadata,
                                          .text = {"x y", 3}};
        assert_ok(store_put(f->store, &document, chunks, 2, &f->error), &f->error);
    }
}

/* Which documents pass, as letters a to e, and that the ranges are those of their chunks. */
static const char *passing(struct fixture *f, const rag_filter *given)
{
    static char letters[DOCUMENTS + 1];
    struct store_filter filter;
    struct id_ranges ranges;
    size_t count = 0;
    assert_ok(filter_parse(given, &filter, &f->error), &f->error);
    assert_ok(store_filter(f->store, &filter, &ranges, &f->error), &f->error);
    for (int i = 0; i < DOCUMENTS; i++) {
        bool first = id_ranges_have(&ranges, 2 * i + 1);
        assert_true(first == id_ranges_have(&ranges, 2 * i + 2));
        if (first)
            letters[count++] = (char)('a' + i);
    }
    letters[count] = 0;
    for (size_t i = 1; i < ranges.count; i++)
        assert_true(ranges.items[i].first > ranges.items[i - 1].last + 1);
    id_ranges_release(&ranges);
    filter_release(&filter);
    return letters;
}

#define assert_passing(expected, ...)                                                          \
    assert_string_equal(passing(f, &(rag_filter){__VA_ARGS__}), expected)
#define WHERE(text)  .where = (const char *const[]){text}, .where_count = 1
#define PATH(text)   .paths = (const char *const[]){text}, .path_count = 1
#define FORMAT(text) .formats = (const char *const[]){text}, .format_count = 1
#define IN(text)     .collections = (const char *const[]){text}, .collection_count = 1

static void each_part_lets_the_right_documents_through(void **state)
{
    struct fixture *f = *state;
    put_all(f);
    assert_passing("abcde", .since = NULL);
    assert_passing("de", IN("work"));
    assert_passing("abc", IN("default"));
    assert_passing("", IN("other"));
    assert_passing("acd", FORMAT("markdown"));
    assert_passing("abd", PATH("notes/*"));
    assert_passing("abcd", PATH("/home/**"));
    assert_passing("e", PATH("wiki/?"));
    assert_passing("cde", .since = "2024-03-10");
    assert_passing("abc", .until = "2024-03-10");
    assert_passing("", .since = "2024-05-10", .until = "2024-05-09");
    assert_passing("", .since = "1h");
    assert_passing("a", IN("default"), FORMAT("markdown"), PATH("notes/"),
                   .until = "2024-02-01");
    const char *const two[] = {"*/a.md", "wiki/*"};
    assert_passing("ade", .paths = two, .path_count = 2);
}

static void metadata_are_compared_by_their_kinds(void **state)
{
    struct fixture *f = *state;
    put_all(f);
    assert_passing("a", WHERE("year=2024.0"));
    assert_passing("a", WHERE("year>=2024"), FORMAT("markdown"), IN("default"),
                   PATH("notes/*"));
    assert_passing("ab", WHERE("year>2000"), PATH("notes/*"));
    assert_passing("be", WHERE("year < 2024"));
    assert_passing("ac", WHERE("year==2024"));
    assert_passing("e", WHERE("year<=-7"));
    assert_passing("bde", WHERE("year!=2024"));
    assert_passing("ae", WHERE("tags=tea"));
    assert_passing("e", WHERE("tags=7"));
    assert_passing("bcd", WHERE("tags!=tea"));
    assert_passing("a", WHERE("author.name=Ann"));
    assert_passing("b", WHERE("author.name = Bob"));
    assert_passing("a", WHERE("draft=true"));
    assert_passing("b", WHERE("date>=2024-01-31"));
    assert_passing("", WHERE("date<2024-01-31"));
    assert_passing("", WHERE("none=null"));
    assert_passing("abcde", WHERE("none!=x"));
    assert_passing("", WHERE("author=Ann"));
    const char *const both[] = {"tags=tea", "year>0"};
    assert_passing("a", .where = both, .where_count = 2);
}

static void a_filter_that_makes_no_sense_is_refused(void **state)
{
    struct fixture *f = *state;
    const rag_filter filters[] = {
        {WHERE("year")},
        {WHERE("=2024")},
        {WHERE("  >= 1")},
        {WHERE("")},
        {WHERE("a!b")},
        {PATH("[a")},
        {PATH("")},
        {.since = "soon"},
        {.until = "2024-2-1"},
        {.where_count = FILTER_MAX_ITEMS + 1},
    };
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) {
        struct store_filter filter;
        assert_status(RAG_USAGE, filter_parse(&filters[i], &filter, &f->error), &f->error);
        filter_release(&filter);
    }
}

/* The outcome of the last filter is kept: until anything changes, here or elsewhere. */
static void a_change_is_seen_by_the_same_filter(void **state)
{
    struct fixture *f = *state;
    put_all(f);
    assert_passing("e", .since = "2024-05-01");
    assert_passing("e", .since = "2024-05-01");
    struct store_stamp stamp = {"/home/ann/books/c.md", 1, date("2024-06-01")};
    assert_ok(store_touch(f->store, NULL, &stamp, 1, &f->error), &f->error);
    assert_passing("ce", .since = "2024-05-01");
    struct store *other;
    assert_ok(store_open(f->path, false, &other, &f->error), &f->error);
    assert_ok(store_remove(other, "work", (const char *const[]){"wiki/d"}, 1, NULL, &f->error),
              &f->error);
    assert_passing("c", .since = "2024-05-01");
    store_close(other);
    tamper(f, "UPDATE documents SET first_chunk=-5 WHERE path LIKE '%c.md'");
    assert_passing("", .since = "2024-05-01");
}

/* ---- A filter that leaves one chunk in a hundred ---- */

enum { MANY = 20000, PER_DOCUMENT = 20, KEPT = 100, K = 10 };

static void put_many(struct fixture *f)
{
    static char text[PER_DOCUMENT * 32];
    assert_ok(store_set_volatile(f->store, &f->error), &f->error);
    for (unsigned i = 0; i < MANY / PER_DOCUMENT; i++) {
        char path[64];
        size_t size = 0;
        for (unsigned j = 0; j < PER_DOCUMENT; j++)
            size += (size_t)snprintf(text + size, sizeof text - size, "w%u common %s\n",
                                     (i * PER_DOCUMENT + j) % 700, j % 3 ? "rare" : "often");
        snprintf(path, sizeof path, "/d/%u%s", i, i % KEPT == 7 ? ".kept" : "");
        assert_ok(put_lines(f->store, path, text, i * PER_DOCUMENT, &f->error), &f->error);
    }
}

static void assert_exact(const struct scored_list *found, const struct scored_list *all,
                         const struct id_ranges *within)
{
    size_t next = 0;
    for (size_t i = 0; i < all->count && next < K; i++)
        if (id_ranges_have(within, all->items[i].chunk_id))
            assert_true(found->items[next++].score == all->items[i].score);
    assert_int_equal(found->count, K);
    assert_int_equal(next, K);
}

static void one_chunk_in_a_hundred_is_found_exactly(void **state)
{
    struct fixture *f = *state;
    put_many(f);
    struct store_filter filter;
    struct id_ranges within;
    assert_ok(filter_parse(&(rag_filter){PATH("*.kept")}, &filter, &f->error), &f->error);
    assert_ok(store_filter(f->store, &filter, &within, &f->error), &f->error);
    filter_release(&filter);
    assert_int_equal(within.count, MANY / PER_DOCUMENT / KEPT);
    for (unsigned q = 0; q < 20; q++) {
        float query[DIMENSION];
        char words[64];
        struct scored_list all, found;
        unit_vector(1000000 + q, query);
        assert_ok(store_search_dense(f->store, query, MANY, NULL, &all, &f->error), &f->error);
        assert_ok(store_search_dense(f->store, query, K, &within, &found, &f->error),
                  &f->error);
        assert_exact(&found, &all, &within);
        scored_list_release(&all);
        scored_list_release(&found);
        int size = snprintf(words, sizeof words, "common w%u rare", q * 31 % 700);
        rag_text question = {words, (size_t)size};
        assert_ok(store_search_lexical(f->store, question, MANY, NULL, &all, NULL, &f->error),
                  &f->error);
        assert_ok(store_search_lexical(f->store, question, K, &within, &found, NULL, &f->error),
                  &f->error);
        assert_exact(&found, &all, &within);
        scored_list_release(&all);
        scored_list_release(&found);
    }
    id_ranges_release(&within);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_part_lets_the_right_documents_through),
        TEST(metadata_are_compared_by_their_kinds),
        TEST(a_filter_that_makes_no_sense_is_refused),
        TEST(a_change_is_seen_by_the_same_filter),
        TEST(one_chunk_in_a_hundred_is_found_exactly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
