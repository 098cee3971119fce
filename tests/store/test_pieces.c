/* A long text lies in pieces, each chunk whole in the one in which it begins. */
#include "store/growing.h"

#include "store/damaged.h"

#include <math.h>
#include <stdlib.h>

static void put_source(struct fixture *f, const struct source *source)
{
    struct store_document document = source_document(source);
    assert_ok(store_put(f->store, &document, source->chunks, source->count, &f->error),
              &f->error);
}

/* Its piece is the last one that begins at or before it. */
static const char chunks_outside[] =
    "SELECT count(*) FROM chunks WHERE end_byte>(SELECT texts.begin_byte+length(text) FROM "
    "texts WHERE texts.document=chunks.document AND texts.begin_byte<=chunks.begin_byte "
    "ORDER BY texts.begin_byte DESC LIMIT 1)";

static void each_chunk_lies_whole_in_the_piece_in_which_it_begins(void **state)
{
    struct fixture *f = *state;
    struct source source;
    source_make(&source, "/long", 3000, 120, 1000);
    put_source(f, &source);
    assert_true(integer(f, "SELECT count(*) FROM texts") > 4);
    assert_true(integer(f, "SELECT max(length(text)) FROM texts") < 70000);
    assert_int_equal(integer(f, chunks_outside), 0);
    assert_source(&source, f->store);
    assert_whole(f->store);
    /* FTS5 takes its rows from the pieces, too. */
    tamper(f, "UPDATE state SET words_hash=x''");
    assert_ok(put_lines(f->store, "/short", "apple\n", 1, &f->error), &f->error);
    for (size_t i = 0; i < source.count; i += 100)
        assert_int_equal(hits(f->store, source_word(1000, i).text, NULL), 1);
    assert_whole(f->store);
    put_source(f, &source);
    assert_whole(f->store);
    assert_ok(store_remove(f->store, NULL, (const char *const[]){"/long"}, 1, NULL, &f->error),
              &f->error);
    assert_int_equal(integer(f, "SELECT count(*) FROM texts"), 1);
    assert_whole(f->store);
    source_release(&source);
}

static void chunks_that_reach_far_or_lie_in_no_order_hold_a_text_together(void **state)
{
    struct fixture *f = *state;
    struct source source;
    source_make(&source, "/long", 3000, 120, 1000);
    struct store_chunk *chunks = source.chunks;
    size_t end = chunks[0].end;
    chunks[0].end = source.text.size;
    put_source(f, &source);
    assert_int_equal(integer(f, "SELECT count(*) FROM texts WHERE length(text)>16384"), 1);
    assert_int_equal(integer(f, chunks_outside), 0);
    assert_source(&source, f->store);
    assert_whole(f->store);
    chunks[0].end = end;
    struct store_chunk swapped = chunks[1];
    chunks[1] = chunks[2];
    chunks[2] = swapped;
    put_source(f, &source);
    assert_int_equal(integer(f, "SELECT count(*) FROM texts"), 1);
    assert_source(&source, f->store);
    assert_whole(f->store);
    source_release(&source);
}

static void find_words(const struct store_problem *problem, void *user)
{
    assert_true(buf_append_text(user, problem->sentence));
}

/* Each leaves a text that is not what was put in, or chunks that do not lie in their pieces. */
static void each_damage_of_a_piece_is_named(void **state)
{
#define SECOND "(SELECT id FROM texts ORDER BY begin_byte LIMIT 1 OFFSET 1)"
    static const char *const damages[] = {
        "DELETE FROM texts WHERE id=" SECOND,
        "DELETE FROM texts WHERE begin_byte=0",
        "UPDATE texts SET begin_byte=begin_byte+1 WHERE id=" SECOND,
        "UPDATE texts SET begin_byte=begin_byte-1 WHERE id=" SECOND,
        "UPDATE texts SET begin_byte=-1 WHERE begin_byte=0",
        "UPDATE texts SET begin_byte=9223372036854775807 WHERE id=" SECOND,
        "UPDATE texts SET text=x'' WHERE id=" SECOND,
        "UPDATE texts SET text=CAST(text||'x' AS BLOB) WHERE id=" SECOND,
        "UPDATE texts SET text=substr(text, 1, length(text)-1) WHERE id=" SECOND,
        "UPDATE texts SET text=CAST(substr(text, 1, length(text)-1)||'q' AS BLOB) "
        "WHERE begin_byte=0",
        "UPDATE texts SET text=CAST('q'||substr(text, 2) AS BLOB) WHERE id=" SECOND,
    };
    struct fixture *f = *state;
    struct source source;
    size_t lost = 0;
    source_make(&source, "/long", 2000, 120, 1000);
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        struct buf sentences = BUF_INIT(1 << 24);
        put_source(f, &source);
        assert_whole(f->store);
        tamper(f, damages[i]);
        assert_status(RAG_INDEX,
                      store_verify(f->store, find_words, &sentences, NULL, &f->error),
                      &f->error);
        if (!strstr(sentences.data, "stored text is not what was put in") &&
            !strstr(sentences.data, "does not lie on the characters"))
            fail_msg("%s: %s", damages[i], sentences.data);
        struct damaged_document read;
        int64_t id = integer(f, "SELECT id FROM documents");
        assert_ok(store_read_damaged(f->store, id, DIMENSION, &read, &f->error), &f->error);
        if (read.text) { /* only what follows from the other pieces was damaged */
            assert_int_equal(read.text_size, source.text.size);
            assert_memory_equal(read.text, source.text.data, read.text_size);
        }
        lost += !read.text;
        damaged_document_release(&read);
        assert_ok(store_mend_tables(f->store, &f->error), &f->error);
        buf_release(&sentences);
    }
    assert_int_equal(lost, 8);
    put_source(f, &source);
    assert_whole(f->store);
    struct damaged_document read;
    assert_ok(store_read_damaged(f->store, integer(f, "SELECT id FROM documents"), DIMENSION,
                                 &read, &f->error),
              &f->error);
    assert_true(read.noted);
    assert_int_equal(read.text_size, source.text.size);
    assert_memory_equal(read.text, source.text.data, read.text_size);
    damaged_document_release(&read);
    source_release(&source);
}

static double part_cosine(const struct source *source, const float *query, size_t first,
                          size_t end)
{
    double sum[DIMENSION] = {0}, product = 0, norm = 0;
    for (size_t i = first; i < end; i++)
        for (size_t j = 0; j < DIMENSION; j++)
            sum[j] += (double)source->vectors[i][j];
    for (size_t j = 0; j < DIMENSION; j++) {
        product += sum[j] * (double)query[j];
        norm += sum[j] * sum[j];
    }
    return product / sqrt(norm);
}

/* A search must not read all vectors of a large document. */
static void a_chunk_of_a_large_document_is_seen_among_those_of_its_part(void **state)
{
    struct fixture *f = *state;
    static const size_t numbers[] = {0, 833, 834, 1667, 1668, 2499};
    enum { CHUNKS = 2500, PART = 834, CASES = sizeof numbers / sizeof *numbers };
    struct source source;
    int64_t ids[CASES];
    double scores[CASES];
    float query[DIMENSION];
    unit_vector(77, query);
    source_make(&source, "/long", CHUNKS, 40, 1000);
    put_source(f, &source);
    int64_t first = integer(f, "SELECT first_chunk FROM documents");
    for (size_t i = 0; i < CASES; i++)
        ids[i] = first + (int64_t)numbers[i];
    assert_ok(store_score_documents(f->store, query, ids, CASES, scores, &f->error), &f->error);
    for (size_t i = 0; i < CASES; i++) {
        size_t from = numbers[i] / PART * PART;
        size_t end = from + PART < CHUNKS ? from + PART : CHUNKS;
        assert_true(fabs(scores[i] - part_cosine(&source, query, from, end)) < 1e-4);
    }
    source_release(&source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_chunk_lies_whole_in_the_piece_in_which_it_begins),
        TEST(chunks_that_reach_far_or_lie_in_no_order_hold_a_text_together),
        TEST(each_damage_of_a_piece_is_named),
        TEST(a_chunk_of_a_large_document_is_seen_among_those_of_its_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
