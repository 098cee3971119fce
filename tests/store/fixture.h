/* fixture.h - a store in a temporary folder, and documents to put into it. */
#ifndef RAG_TESTS_STORE_FIXTURE_H
#define RAG_TESTS_STORE_FIXTURE_H

#include "support/test.h"

#include "store/store.h"

#include <sqlite3.h>

enum { DIMENSION = 4 };

struct fixture {
    char folder[64], path[128];
    struct store *store;
    rag_error error;
};

/* cmocka's setup and teardown: a new index with a recipe, and its removal. */
int fixture_open(void **state);
int fixture_close(void **state);
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)

extern const struct store_recipe fixture_recipe;

/* A unit vector that depends on `seed` alone. */
void unit_vector(unsigned seed, float vector[DIMENSION]);

/* What the stand-in of an encoder calls the hash of a chunk: of its text. */
struct hash text_hash(const char *text, size_t size);

/* Puts a document of one chunk a line ('\n' ends each), with vectors by unit_vector(seed),
 * unit_vector(seed + 1), ... */
rag_status put_lines(struct store *store, const char *path, const char *text, unsigned seed,
                     rag_error *error);

/* Runs SQL on the file behind the store's back, with every guard off. */
void tamper(const struct fixture *fixture, const char *sql);

/* How many chunks, of at most 100, a question by words finds; *best (NULL allowed): the first
 * one's id, 0 if there is none. */
size_t hits(struct store *store, const char *words, int64_t *best);

/* The number that a statement gives, read beside the store. */
int64_t integer(const struct fixture *fixture, const char *sql);

struct store_counts counts(struct store *store);
void assert_whole(struct store *store); /* verify finds nothing */

/* Runs `act` as an ordinary user, in a child, for root has all permissions; true: it returned
 * true there. */
bool as_nobody(bool (*act)(struct fixture *), struct fixture *f);

#endif
