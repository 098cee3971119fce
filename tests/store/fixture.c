#define _XOPEN_SOURCE 700
#include "store/fixture.h"

#include "base/file.h"
#include "store/lexical.h"

#include <math.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

const struct store_recipe fixture_recipe = {
    .model = "test/model",
    .model_identity = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    .dimension = DIMENSION,
    .chunker = RAG_CHUNKER_STRUCTURE,
    .max_tokens = 100,
    .overlap = 0,
};

int fixture_open(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    strcpy(fixture->folder, "/tmp/rag-store-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    snprintf(fixture->path, sizeof fixture->path, "%s/index.rag", fixture->folder);
    assert_ok(store_open(fixture->path, true, &fixture->store, &fixture->error),
              &fixture->error);
    assert_ok(store_set_recipe(fixture->store, &fixture_recipe, &fixture->error),
              &fixture->error);
    *state = fixture;
    return 0;
}

int fixture_close(void **state)
{
    struct fixture *fixture = *state;
    store_close(fixture->store);
    assert_ok(directory_remove(fixture->folder, &fixture->error), &fixture->error);
    free(fixture);
    return 0;
}

void unit_vector(unsigned seed, float vector[DIMENSION])
{
    double square = 0;
    for (int i = 0; i < DIMENSION; i++) {
        seed = seed * 1664525u + 1013904223u;
        vector[i] = (float)(seed >> 8) / (1 << 23) - 1;
        square += (double)vector[i] * (double)vector[i];
    }
    for (int i = 0; i < DIMENSION; i++)
        vector[i] = (float)(vector[i] / sqrt(square));
}

struct hash text_hash(const char *text, size_t size)
{
    struct hash hash;
    rag_error error;
    assert_ok(hash_bytes(text, size, &hash, &error), &error);
    return hash;
}

enum { MAX_LINES = 512 };

rag_status put_lines(struct store *store, const char *path, const char *text, unsigned seed,
                     rag_error *error)
{
    static struct store_chunk chunks[MAX_LINES];
    static float vectors[MAX_LINES][DIMENSION];
    size_t size = strlen(text), count = 0;
    for (size_t begin = 0; begin < size; count++) {
        assert_true(count < MAX_LINES);
        const char *end = strchr(text + begin, '\n');
        size_t stop = end ? (size_t)(end - text) : size;
        unit_vector(seed + (unsigned)count, vectors[count]);
        chunks[count] = (struct store_chunk){
            .begin = begin,
            .end = stop,
            .line = (uint32_t)count + 1,
            .last_line = (uint32_t)count + 1,
            .tokens = 7,
            .heading = "Chapter",
            .hash = text_hash(text + begin, stop - begin),
            .vector = vectors[count],
        };
        begin = stop + 1;
    }
    struct store_document document = {
        .path = path,
        .format = "text",
        .hash = text_hash(text, size),
        .size = size,
        .modified = 1,
        .text = {text, size},
    };
    return store_put(store, &document, chunks, count, error);
}

void tamper(const struct fixture *fixture, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(fixture->path, &db), SQLITE_OK);
    struct lexical *lexical;
    rag_error error;
    assert_ok(lexical_attach(db, &lexical, &error), &error);
    char *message = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", sql, message);
    sqlite3_close(db);
    lexical_free(lexical);
}

size_t hits(struct store *store, const char *words, int64_t *best)
{
    struct scored_list found;
    rag_error error;
    assert_ok(store_search_lexical(store, (rag_text){words, strlen(words)}, 100, NULL, &found,
                                   NULL, &error),
              &error);
    size_t count = found.count;
    if (best)
        *best = count ? found.items[0].chunk_id : 0;
    scored_list_release(&found);
    return count;
}

int64_t integer(const struct fixture *f, const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return value;
}

struct store_counts counts(struct store *store)
{
    struct store_counts out;
    rag_error error;
    assert_ok(store_count(store, &out, &error), &error);
    return out;
}

static void print_problem(const struct store_problem *problem, void *user)
{
    (void)user;
    print_error("verify: %s\n", problem->sentence);
}

void assert_whole(struct store *store)
{
    rag_error error;
    assert_ok(store_verify(store, print_problem, NULL, NULL, &error), &error);
}

bool as_nobody(bool (*act)(struct fixture *), struct fixture *f)
{
    enum { NOBODY = 65534 };
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (geteuid() == 0 && setuid(NOBODY) != 0)
            _exit(2);
        _exit(act(f) ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}
