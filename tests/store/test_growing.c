/* A document that comes stretch by stretch: nobody finds it before it is finished, and then it
 * is one like any other; what was left of one that was not finished serves the next run, and
 * goes with it. */
#define _XOPEN_SOURCE 700
#include "store/growing.h"

#include "store/filter.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int64_t nearest(struct store *store, const float *vector)
{
    struct scored_list found;
    rag_error error;
    assert_ok(store_search_dense(store, vector, 1, NULL, &found, &error), &error);
    int64_t best = found.count && found.items[0].score > 0.9999 ? found.items[0].chunk_id : 0;
    scored_list_release(&found);
    return best;
}

/* What every way to look for it says of a document that is not finished. */
static void assert_hidden(struct fixture *f, const struct source *source, const char *word)
{
    int64_t best;
    struct stored_document document;
    struct store_file file;
    struct store_collections collections;
    struct store_state state;
    struct id_ranges ranges;
    struct store_filter filter = {.since = INT64_MIN, .until = INT64_MAX};
    struct stored_chunk chunk;
    int64_t hidden = integer(f, "SELECT coalesce(max(first_chunk), 0) FROM documents JOIN "
                                "unfinished ON document=id");
    assert_int_equal(hits(f->store, word, &best), 0);
    assert_int_equal(nearest(f->store, source->vectors[0]), 0);
    assert_status(RAG_NOT_FOUND,
                  store_get_document(f->store, source->collection, source->path, true,
                                     &document, &f->error),
                  &f->error);
    assert_status(RAG_NOT_FOUND, store_get_chunk(f->store, hidden, &chunk, &f->error),
                  &f->error);
    assert_ok(store_find_document(f->store, source->collection, source->path, &file, &f->error),
              &f->error);
    assert_false(file.present);
    assert_ok(store_list_collections(f->store, &collections, &f->error), &f->error);
    size_t documents = 0, chunks = 0;
    for (size_t i = 0; i < collections.count; i++) {
        assert_ok(collection_check(collections.items[i].name, &f->error), &f->error);
        documents += collections.items[i].documents;
        chunks += collections.items[i].chunks;
    }
    store_collections_release(&collections);
    assert_int_equal(counts(f->store).documents, documents);
    assert_int_equal(counts(f->store).chunks, chunks);
    assert_ok(store_get_state(f->store, &state, &f->error), &f->error);
    assert_int_equal(state.count, documents);
    store_state_release(&state);
    assert_ok(store_filter(f->store, &filter, &ranges, &f->error), &f->error);
    assert_false(id_ranges_have(&ranges, hidden));
    id_ranges_release(&ranges);
    int64_t ids[64];
    size_t count;
    assert_ok(store_sample_chunks(f->store, 64, ids, &count, &f->error), &f->error);
    for (size_t i = 0; i < count; i++) {
        assert_ok(store_get_chunk(f->store, ids[i], &chunk, &f->error), &f->error);
        stored_chunk_release(&chunk);
    }
    assert_whole(f->store);
}

static void assert_no_traces(struct fixture *f)
{
    assert_int_equal(integer(f, "SELECT count(*) FROM unfinished"), 0);
    assert_int_equal(integer(f, "SELECT count(*) FROM collections WHERE name<'\x1f'"), 0);
    assert_int_equal(integer(f, "SELECT count(*) FROM texts WHERE document NOT IN (SELECT id "
                                "FROM documents)"),
                     0);
    assert_whole(f->store);
}

static void it_is_found_when_it_is_finished_and_not_before(void **state)
{
    struct fixture *f = *state;
    enum { CHUNKS = 60, STRETCH = 13 };
    struct source source;
    struct store_growing *growing;
    int64_t best;
    bool found;
    float vector[DIMENSION];
    source_make(&source, "/long", CHUNKS, 90, 1000);
    assert_ok(put_lines(f->store, "/short", "apple\nbanana\n", 1, &f->error), &f->error);
    assert_ok(source_begin(&source, f->store, &growing, &f->error), &f->error);
    assert_hidden(f, &source, source_word(1000, 0).text);
    for (size_t i = 0; i < CHUNKS; i += STRETCH) {
        size_t end = i + STRETCH < CHUNKS ? i + STRETCH : CHUNKS;
        assert_ok(source_add(&source, growing, i, end, &f->error), &f->error);
        assert_hidden(f, &source, source_word(1000, 0).text);
        assert_int_equal(hits(f->store, "banana", &best), 1);
        assert_ok(
            store_find_vector(f->store, &source.chunks[i].hash, vector, &found, &f->error),
            &f->error);
        assert_true(found);
        assert_memory_equal(vector, source.vectors[i], sizeof vector);
    }
    assert_ok(store_grow_finish(growing, &f->error), &f->error);
    store_grow_free(growing);
    assert_source(&source, f->store);
    assert_int_equal(counts(f->store).documents, 2);
    assert_int_equal(counts(f->store).chunks, CHUNKS + 2);
    for (size_t i = 0; i < CHUNKS; i++) {
        struct stored_chunk chunk;
        assert_int_equal(hits(f->store, source_word(1000, i).text, &best), 1);
        assert_int_equal(nearest(f->store, source.vectors[i]), best);
        assert_ok(store_get_chunk(f->store, best, &chunk, &f->error), &f->error);
        assert_int_equal(chunk.number, i);
        assert_memory_equal(chunk.text, source.text.data + source.chunks[i].begin,
                            chunk.text_size);
        assert_int_equal(chunk.header_size, i ? 6 : 0);
        assert_string_equal(chunk.path, "/long");
        stored_chunk_release(&chunk);
    }
    assert_no_traces(f);
    source_release(&source);
}

static void others_write_meanwhile_and_two_grow_at_once(void **state)
{
    struct fixture *f = *state;
    struct source one, two;
    struct store_growing *first, *second;
    struct store *other;
    int64_t best;
    source_make(&one, "/one", 40, 70, 1000);
    source_make(&two, "/two", 30, 50, 5000);
    two.collection = "other";
    assert_ok(store_open(f->path, false, &other, &f->error), &f->error);
    assert_ok(source_begin(&one, f->store, &first, &f->error), &f->error);
    assert_ok(source_begin(&two, other, &second, &f->error), &f->error);
    for (size_t i = 0; i < 10; i++) {
        char path[16];
        snprintf(path, sizeof path, "/short%zu", i);
        assert_ok(source_add(&one, first, i * 4, i * 4 + 4, &f->error), &f->error);
        assert_ok(put_lines(other, path, "cherry\n", 1 + (unsigned)i, &f->error), &f->error);
        assert_ok(source_add(&two, second, i * 3, i * 3 + 3, &f->error), &f->error);
        assert_hidden(f, &one, source_word(1000, 2).text);
        assert_hidden(f, &two, source_word(5000, 2).text);
        assert_int_equal(nearest(other, one.vectors[2]), 0);
    }
    assert_ok(
        store_remove(f->store, NULL, (const char *const[]){"/short3"}, 1, NULL, &f->error),
        &f->error);
    assert_ok(store_grow_finish(second, &f->error), &f->error);
    assert_source(&two, f->store);
    assert_hidden(f, &one, source_word(1000, 2).text);
    assert_ok(store_grow_finish(first, &f->error), &f->error);
    store_grow_free(first);
    store_grow_free(second);
    assert_source(&one, other);
    assert_source(&two, other);
    assert_int_equal(hits(other, source_word(1000, 39).text, &best), 1);
    assert_int_equal(nearest(other, one.vectors[39]), best);
    assert_int_equal(counts(f->store).chunks, 40 + 30 + 9);
    assert_no_traces(f);
    store_close(other);
    source_release(&one);
    source_release(&two);
}

static void an_update_takes_the_place_of_the_older_one(void **state)
{
    struct fixture *f = *state;
    enum { LARGE = 5000 };
    struct source older, newer;
    struct store_growing *growing;
    int64_t best;
    source_make(&older, "/long", LARGE, 40, 1000);
    source_make(&newer, "/long", LARGE + 100, 40, 7000);
    assert_ok(store_set_volatile(f->store, &f->error), &f->error);
    assert_ok(source_grow(&older, f->store, 1000, &f->error), &f->error);
    assert_source(&older, f->store);
    assert_ok(source_begin(&newer, f->store, &growing, &f->error), &f->error);
    for (size_t i = 0; i < newer.count; i += 1700)
        assert_ok(source_add(&newer, growing, i, i + 1700, &f->error), &f->error);
    assert_source(&older, f->store);
    assert_int_equal(hits(f->store, source_word(7000, 7).text, &best), 0);
    assert_ok(store_grow_finish(growing, &f->error), &f->error);
    store_grow_free(growing);
    assert_source(&newer, f->store);
    assert_int_equal(hits(f->store, source_word(1000, 7).text, &best), 0);
    assert_int_equal(counts(f->store).documents, 1);
    assert_int_equal(integer(f, "SELECT count(*) FROM chunks"), LARGE + 100);
    assert_no_traces(f);
    /* An ordinary document takes its place, too. */
    assert_ok(put_lines(f->store, "/long", "short now\n", 1, &f->error), &f->error);
    assert_int_equal(counts(f->store).chunks, 1);
    assert_int_equal(integer(f, "SELECT count(*) FROM chunks"), 1);
    assert_int_equal(integer(f, "SELECT count(*) FROM texts"), 1);
    assert_no_traces(f);
    source_release(&older);
    source_release(&newer);
}

/* Leaves chunks from a process that ends in the middle. */
static void leave(const struct fixture *f, const struct source *source, size_t chunks)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (!child) {
        rag_error error;
        struct store *store;
        struct store_growing *growing;
        if (store_open(f->path, false, &store, &error) ||
            source_begin(source, store, &growing, &error))
            _exit(1);
        for (size_t i = 0; i < chunks; i += 5)
            if (source_add(source, growing, i, i + 5, &error))
                _exit(1);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void what_was_left_unfinished_serves_the_next_run_and_goes_with_it(void **state)
{
    struct fixture *f = *state;
    struct source source;
    bool found;
    float vector[DIMENSION];
    source_make(&source, "/long", 50, 60, 1000);
    store_close(f->store);
    f->store = NULL;
    leave(f, &source, 20);
    leave(f, &source, 40);
    leave(f, &source, 10);
    assert_ok(store_open(f->path, false, &f->store, &f->error), &f->error);
    assert_whole(f->store);
    assert_int_equal(counts(f->store).documents, 0);
    /* The one with most chunks, and the last. */
    assert_int_equal(integer(f, "SELECT count(*) FROM unfinished"), 2);
    assert_int_equal(integer(f, "SELECT count(*) FROM chunks"), 50);
    assert_ok(store_find_vector(f->store, &source.chunks[39].hash, vector, &found, &f->error),
              &f->error);
    assert_true(found);
    assert_ok(source_grow(&source, f->store, 25, &f->error), &f->error);
    assert_source(&source, f->store);
    assert_no_traces(f);
    source_release(&source);
}

static void a_removal_takes_what_is_unfinished_with_it(void **state)
{
    struct fixture *f = *state;
    struct source source;
    struct store_growing *growing;
    struct events events = {0};
    struct store_compaction compaction;
    source_make(&source, "/long", 50, 60, 1000);
    assert_ok(source_begin(&source, f->store, &growing, &f->error), &f->error);
    assert_ok(source_add(&source, growing, 0, 30, &f->error), &f->error);
    assert_ok(store_remove(f->store, NULL, (const char *const[]){"/long"}, 1, NULL, &f->error),
              &f->error);
    assert_int_equal(integer(f, "SELECT count(*) FROM chunks"), 0);
    assert_no_traces(f);
    /* Whoever was at it is told. */
    assert_status(RAG_INDEX_BUSY, source_add(&source, growing, 30, 50, &f->error), &f->error);
    assert_says(&f->error, "meanwhile");
    store_grow_free(growing);
    /* A file that is moved there takes its place. */
    assert_ok(source_begin(&source, f->store, &growing, &f->error), &f->error);
    assert_ok(source_add(&source, growing, 0, 30, &f->error), &f->error);
    store_grow_free(growing);
    assert_ok(put_lines(f->store, "/short", "apple\n", 1, &f->error), &f->error);
    struct store_move move = {"/short", "/long", text_hash("apple\n", 6), 1, false};
    assert_ok(store_move(f->store, NULL, &move, 1, &f->error), &f->error);
    assert_true(move.done);
    assert_int_equal(integer(f, "SELECT count(*) FROM chunks"), 1);
    assert_no_traces(f);
    assert_ok(store_remove(f->store, NULL, (const char *const[]){"/long"}, 1, NULL, &f->error),
              &f->error);
    /* A compaction takes out what nobody has gone on with for a day. */
    assert_ok(source_begin(&source, f->store, &growing, &f->error), &f->error);
    assert_ok(source_add(&source, growing, 0, 30, &f->error), &f->error);
    assert_ok(store_compact(f->store, &events, &compaction, &f->error), &f->error);
    assert_ok(source_add(&source, growing, 30, 40, &f->error), &f->error);
    tamper(f, "UPDATE unfinished SET touched=touched-100000");
    assert_ok(store_compact(f->store, &events, &compaction, &f->error), &f->error);
    assert_int_equal(integer(f, "SELECT count(*) FROM chunks"), 0);
    assert_no_traces(f);
    store_grow_free(growing);
    source_release(&source);
}

static void a_wrong_stretch_is_refused_and_changes_nothing(void **state)
{
    struct fixture *f = *state;
    struct source source;
    struct store_growing *growing;
    source_make(&source, "/long", 20, 60, 1000);
    const struct store_chunk *chunks = source.chunks;
    assert_ok(source_begin(&source, f->store, &growing, &f->error), &f->error);
    assert_ok(source_add(&source, growing, 0, 10, &f->error), &f->error);
    struct store_chunk next = chunks[10];
    const char *text = source.text.data + next.begin;
    size_t size = next.end - next.begin;
    /* It does not begin with what was announced. */
    assert_status(RAG_INTERNAL,
                  store_grow_add(growing, (rag_text){text + 1, size}, 0, NULL, 0, &f->error),
                  &f->error);
    assert_status(RAG_INTERNAL,
                  store_grow_add(growing, (rag_text){text, 2}, 0, NULL, 0, &f->error),
                  &f->error);
    assert_status(RAG_INTERNAL,
                  store_grow_add(growing, (rag_text){text, size}, size + 1, NULL, 0, &f->error),
                  &f->error);
    /* Chunks that do not lie in it. */
    next.end++;
    assert_status(RAG_INTERNAL,
                  store_grow_add(growing, (rag_text){text, size}, 0, &next, 1, &f->error),
                  &f->error);
    assert_says(&f->error, "chunk 10");
    next = chunks[9];
    assert_status(RAG_INTERNAL,
                  store_grow_add(growing, (rag_text){text, size}, 0, &next, 1, &f->error),
                  &f->error);
    /* A header that lies behind it. */
    next = chunks[10];
    next.header_begin = next.end;
    next.header_end = next.end + 7;
    assert_status(RAG_INTERNAL,
                  store_grow_add(growing, (rag_text){text, size}, 5, &next, 1, &f->error),
                  &f->error);
    char bad[OVERLAP + 1];
    memcpy(bad, text, OVERLAP);
    bad[OVERLAP] = '\xff';
    assert_status(RAG_INPUT,
                  store_grow_add(growing, (rag_text){bad, sizeof bad}, 0, NULL, 0, &f->error),
                  &f->error);
    assert_status(RAG_INTERNAL, store_grow_finish(growing, &f->error), &f->error);
    assert_says(&f->error, "10 chunks of 20");
    assert_whole(f->store);
    assert_ok(source_add(&source, growing, 10, 20, &f->error), &f->error);
    assert_status(RAG_INTERNAL,
                  store_grow_add(growing, (rag_text){text, size}, 0, &next, 1, &f->error),
                  &f->error);
    assert_ok(store_grow_finish(growing, &f->error), &f->error);
    assert_source(&source, f->store);
    store_grow_free(growing);
    source_release(&source);
}

static void the_collection_of_what_is_unfinished_is_nobodys(void **state)
{
    struct fixture *f = *state;
    static const char hidden[] = "\x01hidden";
    struct source source;
    struct store_growing *growing;
    struct stored_document document;
    struct store_list list;
    size_t removed;
    source_make(&source, "/long", 10, 60, 1000);
    assert_ok(source_begin(&source, f->store, &growing, &f->error), &f->error);
    assert_ok(source_add(&source, growing, 0, 5, &f->error), &f->error);
    assert_status(RAG_NOT_FOUND,
                  store_get_document(f->store, hidden, "1", true, &document, &f->error),
                  &f->error);
    assert_ok(store_list_documents(f->store, hidden, NULL, &list, &f->error), &f->error);
    assert_int_equal(list.count, 0);
    assert_ok(
        store_remove(f->store, hidden, (const char *const[]){"1"}, 1, &removed, &f->error),
        &f->error);
    assert_int_equal(removed, 0);
    struct store_document put = source_document(&source);
    put.collection = hidden;
    assert_status(RAG_INPUT, store_put(f->store, &put, source.chunks, source.count, &f->error),
                  &f->error);
    struct store_growing *other;
    assert_status(RAG_INPUT, store_grow_begin(f->store, &put, source.count, &other, &f->error),
                  &f->error);
    assert_ok(source_add(&source, growing, 5, 10, &f->error), &f->error);
    assert_ok(store_grow_finish(growing, &f->error), &f->error);
    store_grow_free(growing);
    assert_source(&source, f->store);
    assert_no_traces(f);
    source_release(&source);
}

static void a_stretch_that_finds_the_file_locked_may_be_tried_again(void **state)
{
    struct fixture *f = *state;
    struct source source;
    struct store_growing *growing;
    sqlite3 *db;
    source_make(&source, "/long", 20, 60, 1000);
    store_set_patience(f->store, 0);
    assert_ok(source_begin(&source, f->store, &growing, &f->error), &f->error);
    assert_ok(source_add(&source, growing, 0, 10, &f->error), &f->error);
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    assert_status(RAG_INDEX_BUSY, source_add(&source, growing, 10, 20, &f->error), &f->error);
    assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    assert_ok(source_add(&source, growing, 10, 20, &f->error), &f->error);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    assert_status(RAG_INDEX_BUSY, store_grow_finish(growing, &f->error), &f->error);
    assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    assert_ok(store_grow_finish(growing, &f->error), &f->error);
    store_grow_free(growing);
    assert_source(&source, f->store);
    assert_no_traces(f);
    source_release(&source);
}

/* A process that takes a large document out and is killed so many milliseconds later. */
static void remove_and_die(const struct fixture *f, unsigned milliseconds)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (!child) {
        rag_error error;
        struct store *store;
        if (store_open(f->path, false, &store, &error) == RAG_OK)
            (void)!store_remove(store, NULL, (const char *const[]){"/long"}, 1, NULL, &error);
        _exit(0);
    }
    nanosleep(&(struct timespec){.tv_nsec = milliseconds * 1000000L}, NULL);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static void a_removal_in_steps_may_be_killed_at_any_of_them(void **state)
{
    struct fixture *f = *state;
    enum { CHUNKS = 12000, LONGEST = 500 };
    struct source source;
    source_make(&source, "/long", CHUNKS, 40, 1000);
    for (unsigned wait = 1; wait < LONGEST; wait = wait * 2 + 20) {
        assert_ok(store_set_volatile(f->store, &f->error), &f->error);
        assert_ok(source_grow(&source, f->store, CHUNKS, &f->error), &f->error);
        store_close(f->store);
        f->store = NULL;
        remove_and_die(f, wait);
        assert_ok(store_open(f->path, false, &f->store, &f->error), &f->error);
        assert_whole(f->store);
        size_t left = counts(f->store).documents;
        assert_int_equal(counts(f->store).chunks, left * CHUNKS);
        if (left)
            assert_source(&source, f->store);
        else
            assert_ok(put_lines(f->store, "/long", "short now\n", 1, &f->error), &f->error);
        assert_no_traces(f);
    }
    source_release(&source);
}

static void a_text_of_no_bytes_grows_too(void **state)
{
    struct fixture *f = *state;
    struct source source;
    source_make(&source, "/empty", 0, 0, 1);
    assert_ok(source_grow(&source, f->store, 1, &f->error), &f->error);
    assert_source(&source, f->store);
    assert_int_equal(integer(f, "SELECT count(*) FROM texts"), 1);
    assert_no_traces(f);
    source_release(&source);
}

static void another_recipe_takes_what_is_unfinished_out(void **state)
{
    struct fixture *f = *state;
    struct source source;
    struct store_growing *growing;
    struct store_recipe other = fixture_recipe;
    strcpy(other.model, "other/model");
    other.model_identity[0] = 'f';
    source_make(&source, "/long", 20, 60, 1000);
    assert_ok(source_begin(&source, f->store, &growing, &f->error), &f->error);
    assert_ok(source_add(&source, growing, 0, 10, &f->error), &f->error);
    assert_ok(store_set_recipe(f->store, &fixture_recipe, &f->error), &f->error);
    assert_int_equal(integer(f, "SELECT count(*) FROM chunks"), 10);
    assert_ok(store_set_recipe(f->store, &other, &f->error), &f->error);
    assert_int_equal(integer(f, "SELECT count(*) FROM chunks"), 0);
    assert_no_traces(f);
    store_grow_free(growing);
    source_release(&source);
}

/* Above the number of vectors that are compared one by one, the cache of their codes follows.
 */
static void the_cache_of_vectors_knows_it_when_it_is_finished(void **state)
{
    struct fixture *f = *state;
    struct source many, one, two;
    struct store_growing *growing;
    source_make(&many, "/many", 9000, 30, 100000);
    source_make(&one, "/one", 40, 60, 1000);
    source_make(&two, "/two", 5, 60, 5000);
    assert_ok(store_set_volatile(f->store, &f->error), &f->error);
    struct store_document document = source_document(&many);
    assert_ok(store_put(f->store, &document, many.chunks, many.count, &f->error), &f->error);
    int64_t known = nearest(f->store, many.vectors[4000]);
    assert_true(known);
    for (int between = 0; between < 2; between++) {
        assert_ok(source_begin(&one, f->store, &growing, &f->error), &f->error);
        assert_ok(source_add(&one, growing, 0, 20, &f->error), &f->error);
        if (between) {
            document = source_document(&two);
            assert_ok(store_put(f->store, &document, two.chunks, two.count, &f->error),
                      &f->error);
        }
        struct scored_list found;
        assert_ok(store_search_dense(f->store, one.vectors[7], 50, NULL, &found, &f->error),
                  &f->error);
        for (size_t i = 0; i < found.count; i++) {
            struct stored_chunk chunk;
            assert_ok(store_get_chunk(f->store, found.items[i].chunk_id, &chunk, &f->error),
                      &f->error);
            stored_chunk_release(&chunk);
        }
        scored_list_release(&found);
        assert_whole(f->store);
        assert_ok(source_add(&one, growing, 20, 40, &f->error), &f->error);
        assert_ok(store_grow_finish(growing, &f->error), &f->error);
        store_grow_free(growing);
        int64_t best = nearest(f->store, one.vectors[7]);
        struct stored_chunk chunk;
        assert_ok(store_get_chunk(f->store, best, &chunk, &f->error), &f->error);
        assert_memory_equal(chunk.text, one.text.data + one.chunks[7].begin, chunk.text_size);
        stored_chunk_release(&chunk);
        assert_int_equal(nearest(f->store, many.vectors[4000]), known);
        assert_whole(f->store);
    }
    source_release(&many);
    source_release(&one);
    source_release(&two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_is_found_when_it_is_finished_and_not_before),
        TEST(others_write_meanwhile_and_two_grow_at_once),
        TEST(an_update_takes_the_place_of_the_older_one),
        TEST(what_was_left_unfinished_serves_the_next_run_and_goes_with_it),
        TEST(a_removal_takes_what_is_unfinished_with_it),
        TEST(a_wrong_stretch_is_refused_and_changes_nothing),
        TEST(the_collection_of_what_is_unfinished_is_nobodys),
        TEST(a_stretch_that_finds_the_file_locked_may_be_tried_again),
        TEST(a_removal_in_steps_may_be_killed_at_any_of_them),
        TEST(a_text_of_no_bytes_grows_too),
        TEST(another_recipe_takes_what_is_unfinished_out),
        TEST(the_cache_of_vectors_knows_it_when_it_is_finished),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
