/* Markers in an answer that arrives in pieces, and quotes. */
#include "support/test.h"

#include "pipeline/cite.h"

#include <stdlib.h>

/* ---- Markers ---- */

struct collected {
    struct buf text;
    size_t calls, stop_at;
};

static int collect(rag_text piece, void *user)
{
    struct collected *collected = user;
    assert_true(piece.size > 0);
    assert_true(buf_append(&collected->text, piece.data, piece.size));
    return ++collected->calls == collected->stop_at;
}

struct expected {
    const char *answer, *text;
    size_t passages;
    size_t numbers[8], count, dropped;
};

static const struct expected cases[] = {
    {"Plain text.", "Plain text.", 3, {0}, 0, 0},
    {"", "", 3, {0}, 0, 0},
    {"Red [1].", "Red [1].", 3, {1}, 1, 0},
    {"Red [1, 3] and [2;3] and [1 2].",
     "Red [1][3] and [2][3] and [1][2].",
     3,
     {1, 3, 2, 3, 1, 2},
     6,
     0},
    {"Red [1][2][3]", "Red [1][2][3]", 3, {1, 2, 3}, 3, 0},
    {"红色【1】。蓝【2、3】，【1，2；3】",
     "红色[1]。蓝[2][3]，[1][2][3]",
     3,
     {1, 2, 3, 1, 2, 3},
     6,
     0},
    {"[3】 【2]", "[3] [2]", 3, {3, 2}, 2, 0},
    {"A [12] b [0] c [1, 9, 2].", "A  b  c [1][2].", 3, {1, 2}, 2, 3},
    {"none at all [1]", "none at all ", 0, {0}, 0, 1},
    {"ten [10] [11]", "ten [10] ", 10, {10}, 1, 1},
    {"[not a marker] [a1] [1a] [] [,1] [1.5] [-1] [1-3]",
     "[not a marker] [a1] [1a] [] [,1] [1.5] [-1] [1-3]",
     3,
     {0},
     0,
     0},
    {"【不是】 【1】【", "【不是】 [1]【", 3, {1}, 1, 0},
    {"a [[1]] b [x[2]] [1[3]", "a [[1]] b [x[2]] [1[3]", 3, {1, 2, 3}, 3, 0},
    {"unclosed [1", "unclosed [1", 3, {0}, 0, 0},
    {"unclosed [1, 2", "unclosed [1, 2", 3, {0}, 0, 0},
    {"at the end [", "at the end [", 3, {0}, 0, 0},
    {"[1] `a[1]` [2] ``b[2] [9]`` [3]", "[1] `a[1]` [2] ``b[2] [9]`` [3]", 3, {1, 2, 3}, 3, 0},
    {"```c\nint a[9] = {b[1]};\n```\nso [1].",
     "```c\nint a[9] = {b[1]};\n```\nso [1].",
     3,
     {1},
     1,
     0},
    {"[1`[2]` [`[1]` [2]", "[1`[2]` [`[1]` [2]", 3, {2}, 1, 0},
    {"[1234567] [00000000000000000000000000000001]",
     "[1234567] [00000000000000000000000000000001]",
     3,
     {0},
     0,
     0},
    {"[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]",
     "[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]",
     3,
     {0},
     0,
     0},
    {"\xe3\x81\x82 \xe3\x80\x82[2]", "\xe3\x81\x82 \xe3\x80\x82[2]", 3, {2}, 1, 0},
};

/* Pieces end at these bytes of the answer, which are beginnings of characters. */
static void check_cut(const struct expected *e, const size_t *cuts, size_t count)
{
    struct citer citer;
    struct collected collected = {.text = BUF_INIT(4096)};
    citer_init(&citer, e->passages, collect, &collected);
    size_t at = 0, size = strlen(e->answer);
    for (size_t i = 0; i <= count; i++) {
        size_t end = i < count ? cuts[i] : size;
        assert_true(citer_feed(&citer, (rag_text){e->answer + at, end - at}));
        at = end;
    }
    assert_true(citer_finish(&citer));
    assert_true(buf_append(&citer.text, "", 0) && buf_append(&collected.text, "", 0));
    assert_string_equal(citer.text.data, e->text);
    assert_string_equal(collected.text.data, e->text);
    assert_int_equal(citer.dropped, e->dropped);
    assert_int_equal(citer.marker_count, e->count);
    for (size_t i = 0; i < e->count; i++) {
        char marker[32];
        assert_int_equal(citer.markers[i].number, e->numbers[i]);
        snprintf(marker, sizeof marker, "[%zu]", e->numbers[i]);
        assert_memory_equal(citer.text.data + citer.markers[i].position, marker,
                            strlen(marker));
    }
    buf_release(&collected.text);
    citer_release(&citer);
}

static void markers_are_the_same_wherever_the_stream_is_cut(void **state)
{
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        size_t places[256], count = 0;
        for (size_t i = 0; i < strlen(cases[c].answer); i++)
            if (((unsigned char)cases[c].answer[i] & 0xc0) != 0x80)
                places[count++] = i;
        check_cut(&cases[c], NULL, 0);
        check_cut(&cases[c], places, count);
        for (size_t i = 0; i < count; i++)
            for (size_t j = i; j < count; j++)
                check_cut(&cases[c], (size_t[]){places[i], places[j]}, 2);
    }
}

static void a_reader_who_wants_to_stop_is_heeded(void **state)
{
    (void)state;
    struct citer citer;
    struct collected collected = {.text = BUF_INIT(4096), .stop_at = 2};
    citer_init(&citer, 3, collect, &collected);
    assert_true(citer_feed(&citer, (rag_text){"one", 3}));
    assert_false(citer_feed(&citer, (rag_text){" [2] three", 10}));
    assert_true(citer.stopped);
    assert_false(citer.out_of_memory);
    assert_int_equal(collected.calls, 2);
    buf_release(&collected.text);
    citer_release(&citer);
}

/* ---- Statements ---- */

static void assert_statement(const char *answer, const char *before, const char *expected)
{
    const char *marker = strstr(answer, before);
    assert_non_null(marker);
    rag_text text = {answer, strlen(answer)};
    rag_text statement = statement_before(text, (size_t)(marker - answer));
    while (statement.size && statement.data[statement.size - 1] == ' ')
        statement.size--;
    if (statement.size != strlen(expected) ||
        memcmp(statement.data, expected, statement.size) != 0)
        fail_msg("\"%.*s\", expected \"%s\"", (int)statement.size, statement.data, expected);
}

static void a_marker_stands_behind_its_sentence(void **state)
{
    (void)state;
    assert_statement("Water is wet [1]. Ice melts [2].", "[1]", "Water is wet");
    assert_statement("Water is wet [1]. Ice melts [2].", "[2]", "Ice melts");
    assert_statement("Water is wet. [1] Ice melts. [2]", "[1]", "Water is wet.");
    assert_statement("Water is wet. [1] Ice melts. [2]", "[2]", "Ice melts.");
    assert_statement("Water is wet.[1] Ice melts.[2]", "[2]", "Ice melts.");
    assert_statement("Water is wet. Ice melts [1][2].", "[2]", "Ice melts");
    assert_statement("Water is wet. Ice melts. [1][2] So.", "[2]", "Ice melts.");
    assert_statement("水是湿的。[1]冰会融化。[2]", "[1]", "水是湿的。");
    assert_statement("水是湿的。[1]冰会融化。[2]", "[2]", "冰会融化。");
    assert_statement("水是湿的[1]。冰会融化[2]。", "[2]", "冰会融化");
    assert_statement("[1] is a source.", "[1]", "");
}

/* ---- Quotes ---- */

static rag_text quote(const char *passage, const char *statement)
{
    rag_error error;
    size_t begin = SIZE_MAX, end = SIZE_MAX;
    rag_text whole = {passage, strlen(passage)};
    assert_ok(find_quote(whole, (rag_text){statement, strlen(statement)}, &begin, &end, &error),
              &error);
    assert_true(begin <= end && end <= whole.size);
    return (rag_text){passage + begin, end - begin};
}

static void assert_quote(const char *passage, const char *statement, const char *expected)
{
    rag_text got = quote(passage, statement);
    if (got.size != strlen(expected) || memcmp(got.data, expected, got.size) != 0)
        fail_msg("\"%.*s\", expected \"%s\"", (int)got.size, got.data, expected);
}

static bool holds(rag_text text, const char *words)
{
    size_t size = strlen(words);
    for (size_t i = 0; i + size <= text.size; i++)
        if (memcmp(text.data + i, words, size) == 0)
            return true;
    return false;
}

static void a_short_passage_is_quoted_whole_without_blanks_around_it(void **state)
{
    (void)state;
    assert_quote(" \n The river is long. \n", "How long is the river?", "The river is long.");
    assert_quote("河流很长。", "河流有多长？", "河流很长。");
}

static void nothing_is_quoted_of_an_empty_passage(void **state)
{
    (void)state;
    assert_quote("", "river", "");
    assert_quote(" \n\t ", "river", "");
    rag_error error;
    size_t begin, end;
    assert_ok(find_quote((rag_text){NULL, 0}, (rag_text){NULL, 0}, &begin, &end, &error),
              &error);
    assert_int_equal(begin, end);
}

/* Sentences about nothing around one that matters. */
static char *bury(const char *filler, size_t before, const char *sentence, size_t after)
{
    struct buf text = BUF_INIT(1 << 20);
    for (size_t i = 0; i < before; i++)
        assert_true(buf_append_text(&text, filler));
    assert_true(buf_append_text(&text, sentence));
    for (size_t i = 0; i < after; i++)
        assert_true(buf_append_text(&text, filler));
    char *made = buf_detach(&text);
    assert_non_null(made);
    return made;
}

static void the_sentences_that_share_the_most_are_quoted(void **state)
{
    (void)state;
    static const char *const parts[][3] = {
        {"Nothing is said here about anything at all. ",
         "The Danube is 2850 kilometres long and passes ten countries. ",
         "How many kilometres long is the Danube?"},
        {"这里没有说到任何相关的事情，请继续往下看。",
         "多瑙河全长两千八百五十公里，流经十个国家。", "多瑙河有多长？"},
    };
    for (size_t i = 0; i < 2; i++)
        for (size_t place = 0; place <= 30; place += 15) {
            char *passage = bury(parts[i][0], place, parts[i][1], 30 - place);
            rag_text got = quote(passage, parts[i][2]);
            size_t size = strlen(parts[i][1]);
            char *sentence =
                strndup(parts[i][1], parts[i][1][size - 1] == ' ' ? size - 1 : size);
            assert_true(holds(got, sentence));
            assert_true(got.size <= QUOTE_BYTES);
            free(sentence);
            free(passage);
        }
}

static void with_nothing_shared_the_beginning_is_quoted(void **state)
{
    (void)state;
    char *passage = bury("Der Fluss fließt durch das Tal. ", 40, "", 0);
    rag_text got = quote(passage, "河流");
    assert_ptr_equal(got.data, passage);
    assert_true(got.size > 200 && got.size <= QUOTE_BYTES);
    free(passage);
}

static void a_quote_of_an_endless_sentence_is_cut_between_characters(void **state)
{
    (void)state;
    for (size_t shift = 0; shift < 3; shift++) {
        char *passage = bury("河", 2000, "", 0);
        memcpy(passage, "abc", shift);
        memmove(passage + shift, passage + 3, strlen(passage + 3) + 1);
        rag_text got = quote(passage, "河");
        assert_true(got.size > QUOTE_BYTES && got.size <= 2 * QUOTE_BYTES);
        assert_int_equal((got.size - shift) % 3, 0);
        free(passage);
    }
}

static void thousands_of_sentences_and_words_keep_within_the_limits(void **state)
{
    (void)state;
    struct buf statement = BUF_INIT(1 << 20);
    for (unsigned i = 0; i < 5000; i++)
        assert_true(buf_printf(&statement, "word%u ", i));
    char *passage = bury("One word17 here. ", 5000, "", 0);
    rag_text got = quote(passage, statement.data);
    assert_true(holds(got, "word17") && got.size <= QUOTE_BYTES);
    free(passage);
    buf_release(&statement);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(markers_are_the_same_wherever_the_stream_is_cut),
        cmocka_unit_test(a_reader_who_wants_to_stop_is_heeded),
        cmocka_unit_test(a_marker_stands_behind_its_sentence),
        cmocka_unit_test(a_short_passage_is_quoted_whole_without_blanks_around_it),
        cmocka_unit_test(nothing_is_quoted_of_an_empty_passage),
        cmocka_unit_test(the_sentences_that_share_the_most_are_quoted),
        cmocka_unit_test(with_nothing_shared_the_beginning_is_quoted),
        cmocka_unit_test(a_quote_of_an_endless_sentence_is_cut_between_characters),
        cmocka_unit_test(thousands_of_sentences_and_words_keep_within_the_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
