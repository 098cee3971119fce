/* An index that an earlier rag made opens, is whole and answers, and takes documents. */
#include "store/example.h"
#include "store/fixture.h"

#include "base/buf.h"
#include "base/file.h"

static size_t find(struct fixture *f, const char *word, int64_t *id)
{
    struct scored_list found;
    assert_ok(store_search_lexical(f->store, (rag_text){word, strlen(word)}, 9, NULL, &found,
                                   NULL, &f->error),
              &f->error);
    size_t count = found.count;
    *id = count ? found.items[0].chunk_id : 0;
    scored_list_release(&found);
    return count;
}

static void assert_contents(struct fixture *f)
{
    assert_int_equal(counts(f->store).documents, EXAMPLES);
    assert_int_equal(counts(f->store).chunks, 5);
    for (size_t i = 0; i < EXAMPLES; i++) {
        struct stored_document document;
        assert_ok(store_get_document(f->store, examples[i].collection, examples[i].path, true,
                                     &document, &f->error),
                  &f->error);
        assert_string_equal(document.text, examples[i].text);
        assert_string_equal(document.metadata, examples[i].metadata);
        stored_document_release(&document);
        float query[DIMENSION];
        struct scored_list found;
        struct stored_chunk chunk;
        unit_vector(examples[i].seed, query);
        assert_ok(store_search_dense(f->store, query, 1, NULL, &found, &f->error), &f->error);
        assert_true(found.items[0].score > 0.999);
        assert_ok(store_get_chunk(f->store, found.items[0].chunk_id, &chunk, &f->error),
                  &f->error);
        assert_string_equal(chunk.path, examples[i].path);
        assert_string_equal(chunk.collection, examples[i].collection);
        assert_string_equal(chunk.heading, "Chapter");
        assert_string_equal(chunk.place, "page 1");
        assert_string_equal(chunk.header, "");
        stored_chunk_release(&chunk);
        scored_list_release(&found);
    }
    int64_t id;
    assert_int_equal(find(f, "boiling", &id), 1);
    struct stored_chunk boiling;
    assert_ok(store_get_chunk(f->store, id, &boiling, &f->error), &f->error);
    assert_string_equal(boiling.place, "page 2");
    assert_string_equal(boiling.header, "Green");
    stored_chunk_release(&boiling);
    assert_int_equal(find(f, "\xe7\xbb\xbf\xe8\x8c\xb6", &id), 1);
}

static void count_problem(const struct store_problem *problem, void *user)
{
    *(size_t *)user += !strstr(problem->sentence, "was filled by another version of rag");
}

/* Its words may have been cut in another way than now, until a change fills them anew. */
static void assert_whole_but_for_words(struct fixture *f)
{
    size_t problems = 0;
    (void)!store_verify(f->store, count_problem, &problems, NULL, &f->error);
    assert_int_equal(problems, 0);
}

static void assert_opens(struct fixture *f, int version)
{
    struct buf bytes = BUF_INIT(4 << 20);
    char path[512];
    snprintf(path, sizeof path, TEST_DATA "/store/version-%d.rag", version);
    store_close(f->store);
    f->store = NULL;
    assert_ok(file_read(path, &bytes, &f->error), &f->error);
    assert_int_equal(bytes.data[63], version);
    assert_ok(file_write(f->path, bytes.data, bytes.size, &f->error), &f->error);
    buf_release(&bytes);
    assert_ok(store_open(f->path, false, &f->store, &f->error), &f->error);
    assert_contents(f);
    assert_whole_but_for_words(f);
    assert_ok(put_lines(f->store, "/new", "fresh\n", 31, &f->error), &f->error);
    assert_ok(store_remove(f->store, NULL, (const char *const[]){"/new"}, 1, NULL, &f->error),
              &f->error);
    assert_contents(f);
    assert_whole(f->store);
}

static void version_3_opens_for_ever_after(void **state)
{
    assert_opens(*state, 3);
}

static void version_4_opens_for_ever_after(void **state)
{
    struct fixture *f = *state;
    assert_opens(f, 4);
    /* What was left unfinished in it goes with its path. */
    uint64_t size = counts(f->store).bytes;
    assert_ok(put_lines(f->store, "/notes/fields.txt", "barley\n", 41, &f->error), &f->error);
    assert_int_equal(counts(f->store).documents, EXAMPLES + 1);
    assert_whole(f->store);
    assert_true(counts(f->store).bytes <= size);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(version_3_opens_for_ever_after),
        TEST(version_4_opens_for_ever_after),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
