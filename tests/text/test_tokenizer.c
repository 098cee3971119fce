#include "support/test.h"
#include "text/tokenizer.h"

#include "base/memory.h"

static struct tokenizer *open_one(const char *name)
{
    char path[4096];
    rag_error error;
    struct tokenizer *tokenizer;
    snprintf(path, sizeof path, "%s/text/%s", TEST_DATA, name);
    assert_ok(tokenizer_open(path, &tokenizer, &error), &error);
    return tokenizer;
}

static void a_tokenizer_says_what_it_is(void **state)
{
    (void)state;
    struct tokenizer *unigram = open_one("unigram"), *bert = open_one("wordpiece");
    assert_string_equal(tokenizer_kind(unigram), "unigram");
    assert_string_equal(tokenizer_kind(bert), "wordpiece");
    assert_non_null(strstr(tokenizer_path(unigram), "/unigram/tokenizer.json"));
    assert_int_equal(tokenizer_specials_before(unigram), 1);
    assert_int_equal(tokenizer_specials_after(unigram), 1);
    assert_int_equal(tokenizer_specials_pair(unigram), 4);
    assert_int_equal(tokenizer_specials_pair(bert), 3);
    assert_string_equal(tokenizer_piece(unigram, 0), "<s>");
    assert_string_equal(tokenizer_piece(bert, 0), "[PAD]");
    assert_null(tokenizer_piece(unigram, -1));
    assert_null(tokenizer_piece(unigram, (int32_t)tokenizer_vocabulary(unigram)));
    assert_true(tokenizer_is_special(unigram, 2));
    assert_false(tokenizer_is_special(unigram, 10));
    assert_false(tokenizer_is_special(unigram, -1));
    tokenizer_free(unigram);
    tokenizer_free(bert);
}

static void rarer_pieces_carry_more_information(void **state)
{
    (void)state;
    struct tokenizer *unigram = open_one("unigram"), *bert = open_one("wordpiece");
    int32_t last = (int32_t)tokenizer_vocabulary(unigram) - 2; /* sorted; then <mask> */
    assert_true(tokenizer_information(unigram, 4) > 0);
    assert_true(tokenizer_information(unigram, last) > tokenizer_information(unigram, 4));
    assert_true(tokenizer_information(unigram, 0) == 0);
    assert_true(tokenizer_information(unigram, -1) == 0);
    assert_true(tokenizer_information(bert, 50) == 0);
    tokenizer_free(unigram);
    tokenizer_free(bert);
}

static void a_wrapped_window_is_a_single_text(void **state)
{
    (void)state;
    struct tokenizer *tokenizer = open_one("unigram");
    struct token_list plain = {0}, single = {0}, wrapped = {0};
    rag_error error;
    rag_text text = {"river stone", 11};
    assert_ok(tokenizer_encode(tokenizer, text, &plain, &error), &error);
    assert_ok(tokenizer_encode_single(tokenizer, text, &single, &error), &error);
    assert_true(tokenizer_wrap(tokenizer, plain.ids, plain.count, &wrapped));
    assert_int_equal(wrapped.count, single.count);
    assert_memory_equal(wrapped.ids, single.ids, single.count * sizeof *single.ids);
    assert_int_equal(single.begin[0], 0);
    assert_int_equal(single.end[0], 0);
    token_list_release(&plain);
    token_list_release(&single);
    token_list_release(&wrapped);
    tokenizer_free(tokenizer);
}

static void tokens_are_appended(void **state)
{
    (void)state;
    struct tokenizer *tokenizer = open_one("wordpiece");
    struct token_list list = {0};
    rag_error error;
    assert_ok(tokenizer_encode(tokenizer, (rag_text){"river", 5}, &list, &error), &error);
    size_t first = list.count;
    assert_ok(tokenizer_encode(tokenizer, (rag_text){"river", 5}, &list, &error), &error);
    assert_int_equal(list.count, 2 * first);
    assert_memory_equal(list.ids, list.ids + first, first * sizeof *list.ids);
    token_list_release(&list);
    tokenizer_free(tokenizer);
}

static void invalid_utf8_is_refused_with_its_place(void **state)
{
    (void)state;
    struct tokenizer *tokenizer = open_one("unigram");
    struct token_list list = {0};
    rag_error error;
    assert_status(RAG_INPUT,
                  tokenizer_encode(tokenizer, (rag_text){"abc\xFFz", 5}, &list, &error),
                  &error);
    assert_says(&error, "byte 3");
    assert_int_equal(list.count, 0);
    tokenizer_free(tokenizer);
}

static void a_pair_that_has_no_room_is_refused(void **state)
{
    (void)state;
    struct tokenizer *tokenizer = open_one("unigram");
    struct token_list list = {0};
    rag_error error;
    rag_text text = {"river", 5};
    assert_status(RAG_USAGE,
                  tokenizer_encode_pair(tokenizer, text, text, 3, &list, NULL, &error), &error);
    assert_ok(tokenizer_encode_pair(tokenizer, text, text, 4, &list, NULL, &error), &error);
    assert_int_equal(list.count, 4);
    token_list_release(&list);
    tokenizer_free(tokenizer);
}

/* Whole texts against the same text cut where words end: blocks must not show. */
static void long_texts_are_cut_as_short_ones(void **state)
{
    (void)state;
    const char *kinds[] = {"unigram", "wordpiece", "normalized"};
    const char *units[] = {" river\u3000stone  的原理 naïve", " 检索文档向量",
                           " <mask>水 x<new>", " e\u0301\u0301\u00AD½\u00AD"};
    enum { REPEATS = 3000 };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        for (size_t j = 0; j < sizeof units / sizeof *units; j++) {
            struct tokenizer *tokenizer = open_one(kinds[i]);
            struct token_list once = {0}, all = {0};
            rag_error error;
            size_t size = strlen(units[j]);
            char *text = alloc_array(size, REPEATS);
            assert_non_null(text);
            for (size_t k = 0; k < REPEATS; k++)
                memcpy(text + k * size, units[j], size);
            assert_ok(tokenizer_encode(tokenizer, (rag_text){text, 3 * size}, &once, &error),
                      &error);
            assert_ok(
                tokenizer_encode(tokenizer, (rag_text){text, size * REPEATS}, &all, &error),
                &error);
            size_t count = once.count / 3;
            assert_int_equal(all.count, REPEATS * count);
            for (size_t k = count; k < all.count; k++) {
                assert_int_equal(all.ids[k], all.ids[k - count]);
                assert_int_equal(all.begin[k], all.begin[k - count] + size);
                assert_int_equal(all.end[k], all.end[k - count] + size);
            }
            free(text);
            token_list_release(&once);
            token_list_release(&all);
            tokenizer_free(tokenizer);
        }
}

/* Without a space for megabytes: linear in time, and every byte is covered. */
static void long_runs_without_spaces_are_tokenized(void **state)
{
    (void)state;
    const char *kinds[] = {"unigram", "wordpiece"};
    const char *units[] = {"a", "水", "\u0301", "的原理", "\U0001F600"};
    enum { BYTES = 1 << 21 };
    char *text = alloc_array(BYTES, 1);
    assert_non_null(text);
    for (size_t i = 0; i < 2; i++)
        for (size_t j = 0; j < sizeof units / sizeof *units; j++) {
            struct tokenizer *tokenizer = open_one(kinds[i]);
            struct token_list list = {0};
            rag_error error;
            size_t size = strlen(units[j]), whole = BYTES / size * size;
            for (size_t at = 0; at < whole; at += size)
                memcpy(text + at, units[j], size);
            assert_ok(tokenizer_encode(tokenizer, (rag_text){text, whole}, &list, &error),
                      &error);
            for (size_t k = 1; k < list.count; k++)
                assert_true(list.begin[k] >= list.begin[k - 1] && list.end[k] <= whole);
            if (list.count)
                assert_int_equal(list.end[list.count - 1], whole);
            token_list_release(&list);
            tokenizer_free(tokenizer);
        }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tokenizer_says_what_it_is),
        cmocka_unit_test(rarer_pieces_carry_more_information),
        cmocka_unit_test(a_wrapped_window_is_a_single_text),
        cmocka_unit_test(tokens_are_appended),
        cmocka_unit_test(invalid_utf8_is_refused_with_its_place),
        cmocka_unit_test(a_pair_that_has_no_room_is_refused),
        cmocka_unit_test(long_texts_are_cut_as_short_ones),
        cmocka_unit_test(long_runs_without_spaces_are_tokenized),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
