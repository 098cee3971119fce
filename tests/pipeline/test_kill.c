/* A process that keeps an index up to date with a changing corpus is killed 300 times, at any
 * moment: after each, the index is whole and holds what was reported as done, and at the end it
 * is what an undisturbed run makes. Vectors come from outside, so that a round costs
 * milliseconds and nearly all of them are spent in the index. */
#define _XOPEN_SOURCE   700
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "pipeline/fixture.h"

#include "base/buf.h"
#include "base/hash.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    KILLS = 300,
    DOCUMENTS = 32,
    MAX_CHUNKS = 12,
    WIDTH = 16,
    /* Between the start of a process and its death, at first: it grows while nothing gets done
     * in it, for a busy machine, and shrinks while more does than is needed. */
    MOST_MICROSECONDS = 40000,
    LEAST_MICROSECONDS = 10000,
};

static uint32_t random_state = 20240607;

static uint32_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state;
}

/* ---- The corpus: each edition changes a third of the documents, and leaves some out ---- */

struct text {
    char name[32], metadata[48];
    struct buf text;
    rag_chunk chunks[MAX_CHUNKS];
    float vectors[MAX_CHUNKS * WIDTH];
    size_t count;
};

static bool is_left_out(unsigned document, unsigned edition)
{
    return (document * 7 + edition * 3) % 11 == 0;
}

/* The edition in which a document last changed. */
static unsigned version_of(unsigned document, unsigned edition)
{
    return (edition + document % 3) / 3;
}

static void unit_row(unsigned seed, float *row)
{
    double square = 0;
    for (size_t i = 0; i < WIDTH; i++) {
        seed = seed * 1664525u + 1013904223u;
        row[i] = (float)(seed >> 8) / (1 << 23) - 1;
        square += (double)row[i] * (double)row[i];
    }
    for (size_t i = 0; i < WIDTH; i++)
        row[i] = (float)(row[i] / sqrt(square));
}

static void make_text(unsigned document, unsigned version, struct text *out)
{
    *out = (struct text){.text = BUF_INIT(1 << 20), .count = 1 + document % MAX_CHUNKS};
    snprintf(out->name, sizeof out->name, "document %u", document);
    snprintf(out->metadata, sizeof out->metadata, "{\"version\": %u}", version);
    for (size_t i = 0; i < out->count; i++) {
        size_t begin = out->text.size;
        unsigned seed = document * 1000 + version * 100 + (unsigned)i;
        for (unsigned j = 0; j < 5 + seed % 90; j++)
            assert_true(buf_printf(&out->text, "w%u \xe5\xad\x97%u ", (seed + j * j) % 997, j));
        out->chunks[i] = (rag_chunk){.begin = begin, .end = out->text.size, .heading = "Part"};
        unit_row(seed, out->vectors + i * WIDTH);
        assert_true(buf_append_char(&out->text, '\n'));
    }
}

static rag_source source_of(const struct text *text)
{
    return (rag_source){.name = text->name,
                        .text = {text->text.data, text->text.size},
                        .metadata = text->metadata,
                        .chunks = text->chunks,
                        .chunk_count = text->count,
                        .vectors = text->vectors};
}

/* ---- The process ---- */

/* What the process has been told is done: the version of each document, -1 for one taken out.
 * It outlives the process. */
static int (*done)[DOCUMENTS];

static rag_index *open_external(const char *path)
{
    rag_error error;
    rag_index *index;
    rag_index_options options = RAG_INDEX_OPTIONS_INIT;
    options.model = "outside/model";
    options.dimension = WIDTH;
    assert_ok(rag_index_open(path, &options, &index, &error), &error);
    return index;
}

static void put_one(rag_index *index, unsigned document, unsigned edition)
{
    rag_error error;
    struct text text;
    unsigned version = version_of(document, edition);
    make_text(document, version, &text);
    rag_source source = source_of(&text);
    assert_ok(rag_index_put(index, &source, 1, NULL, NULL, &error), &error);
    (*done)[document] = (int)version;
    buf_release(&text.text);
}

static void remove_one(rag_index *index, unsigned document)
{
    rag_error error;
    char name[32];
    snprintf(name, sizeof name, "document %u", document);
    const char *names = name;
    assert_ok(rag_index_remove(index, &names, 1, NULL, &error), &error);
    (*done)[document] = -1;
}

/* Brings the index up to date with an edition; what is in it already costs nearly nothing. */
static void bring_up_to_date(const char *path, unsigned edition)
{
    rag_error error;
    rag_index *index = open_external(path);
    for (unsigned i = 0; i < DOCUMENTS; i++)
        if (is_left_out(i, edition))
            remove_one(index, i);
        else
            put_one(index, i, edition);
    if (edition % 4 == 3)
        assert_ok(rag_index_compact(index, NULL, NULL, &error), &error);
    rag_index_close(index);
}

/* Runs it in a process of its own, which is killed after a while. True: it was done before. */
static bool run_and_kill(const char *path, unsigned edition, unsigned most_microseconds)
{
    struct timespec pause = {.tv_nsec = (long)(next_random() % most_microseconds) * 1000};
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        bring_up_to_date(path, edition);
        _exit(0);
    }
    nanosleep(&pause, NULL);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status))
        assert_int_equal(WEXITSTATUS(status), 0);
    return WIFEXITED(status);
}

/* ---- Looking ---- */

struct look {
    unsigned seen;
    const struct text *text;
    struct hasher *hasher;
};

static int look_at_chunk(const rag_chunk *chunk, int64_t id, const float *vector, void *user)
{
    struct look *look = user;
    (void)id;
    const rag_chunk *put = &look->text->chunks[chunk->number];
    assert_true(chunk->number < look->text->count);
    assert_int_equal(chunk->begin, put->begin);
    assert_int_equal(chunk->text.size, put->end - put->begin);
    assert_memory_equal(chunk->text.data, look->text->text.data + put->begin, chunk->text.size);
    assert_memory_equal(vector, look->text->vectors + chunk->number * WIDTH,
                        WIDTH * sizeof *vector);
    look->seen++;
    return 0;
}

static int note_version(const rag_document *document, void *user)
{
    int *versions = user;
    unsigned number = 0, version = 0;
    assert_int_equal(sscanf(document->name, "document %u", &number), 1);
    assert_int_equal(sscanf(document->metadata, "{\"version\": %u}", &version), 1);
    assert_true(number < DOCUMENTS);
    struct text text;
    make_text(number, version, &text);
    assert_int_equal(document->text.size, text.text.size);
    assert_memory_equal(document->text.data, text.text.data, text.text.size);
    assert_int_equal(document->chunks, text.count);
    buf_release(&text.text);
    versions[number] = (int)version;
    return 0;
}

/* The versions that the index has of each document, each of them whole. */
static void look_at_all(rag_index *index, int versions[DOCUMENTS])
{
    rag_error error;
    for (size_t i = 0; i < DOCUMENTS; i++)
        versions[i] = -1;
    assert_ok(rag_index_each_document(index, NULL, 0, 1, note_version, versions, &error),
              &error);
    for (unsigned i = 0; i < DOCUMENTS; i++) {
        struct text text;
        if (versions[i] < 0)
            continue;
        make_text(i, (unsigned)versions[i], &text);
        struct look look = {.text = &text};
        assert_ok(rag_index_each_chunk(index, NULL, text.name, look_at_chunk, &look, &error),
                  &error);
        assert_int_equal(look.seen, text.count);
        buf_release(&text.text);
    }
}

/* Whole, and with all that was reported as done; a document in hand may be there, too. */
static void assert_nothing_is_lost(const char *path, unsigned edition)
{
    int versions[DOCUMENTS];
    rag_index *index = open_external(path);
    assert_sound(index);
    look_at_all(index, versions);
    unsigned ahead = 0;
    for (unsigned i = 0; i < DOCUMENTS; i++) {
        if (versions[i] == (*done)[i])
            continue;
        int next = is_left_out(i, edition) ? -1 : (int)version_of(i, edition);
        assert_int_equal(versions[i], next);
        (*done)[i] = next; /* it was written, and the process died before it could say so */
        ahead++;
    }
    assert_true(ahead <= 1);
    rag_index_close(index);
}

static void assert_same_as_undisturbed(const char *path, unsigned edition)
{
    int here[DOCUMENTS], there[DOCUMENTS], kept[DOCUMENTS];
    char other[4096];
    rag_error error;
    const rag_index_info *info;
    snprintf(other, sizeof other, "%s", in_sandbox("undisturbed.rag"));
    unlink(other);
    memcpy(kept, *done, sizeof kept);
    bring_up_to_date(other, edition);
    memcpy(*done, kept, sizeof kept);
    rag_index *index = open_external(path), *undisturbed = open_external(other);
    look_at_all(index, here);
    look_at_all(undisturbed, there);
    assert_memory_equal(here, there, sizeof here);
    assert_ok(rag_index_get_info(index, &info, &error), &error);
    size_t chunks = info->chunks;
    assert_ok(rag_index_get_info(undisturbed, &info, &error), &error);
    assert_int_equal(chunks, info->chunks);
    rag_index_close(index);
    rag_index_close(undisturbed);
}

static void a_process_killed_at_any_moment_loses_nothing(void **state)
{
    (void)state;
    char path[4096];
    unsigned edition = 0, kills = 0, most = MOST_MICROSECONDS;
    int before[DOCUMENTS];
    snprintf(path, sizeof path, "%s", in_sandbox("killed.rag"));
    done = mmap(NULL, sizeof *done, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(done != MAP_FAILED);
    for (size_t i = 0; i < DOCUMENTS; i++)
        (*done)[i] = -1;
    for (unsigned round = 0; kills < KILLS; round++) {
        memcpy(before, *done, sizeof before);
        bool finished = run_and_kill(path, edition, most);
        kills += !finished;
        /* At times a second one dies while it undoes what the first left. */
        if (!finished && round % 3 == 0 && !run_and_kill(path, edition, 2000))
            kills++;
        assert_nothing_is_lost(path, edition);
        if (finished || memcmp(before, *done, sizeof before) != 0)
            most = most > LEAST_MICROSECONDS ? most - most / 16 : most;
        else
            most += most / 8;
        if (finished && edition % 8 == 0) /* such a run takes as long as many kills */
            assert_same_as_undisturbed(path, edition);
        edition += finished;
    }
    bring_up_to_date(path, edition);
    assert_same_as_undisturbed(path, edition);
    print_message("%u kills in %u editions\n", kills, edition + 1);
    assert_true(edition > 2);
    munmap(done, sizeof *done);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SANDBOX(a_process_killed_at_any_moment_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
