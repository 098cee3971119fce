/* Byte-level BPE against the reference: the files that tests/data/text/make_byte_pair.py made.
 * What is no such vocabulary is refused. */
#define _XOPEN_SOURCE 700
#include "text/reference.h"

#include "base/file.h"

#include <stdlib.h>
#include <unistd.h>

#define SMALL TEST_DATA "/text/byte-pair.tiktoken"

static struct tokenizer *open_small(void)
{
    rag_error error;
    struct tokenizer *tokenizer;
    assert_ok(tokenizer_open(SMALL, &tokenizer, &error), &error);
    return tokenizer;
}

struct comparison {
    struct tokenizer *tokenizer;
    size_t wrong;
};

static void compare(const json_t *line, void *user)
{
    struct comparison *comparison = user;
    struct token_list tokens = {0};
    rag_error error;
    rag_text text = reference_text(line, "text");
    assert_ok(tokenizer_encode_single(comparison->tokenizer, text, &tokens, &error), &error);
    long at = reference_difference(&tokens, json_object_get(line, "ids"));
    if (at >= 0 && comparison->wrong++ < 5)
        print_error("token %ld differs in: %s\n", at, text.data);
    /* The tokens' bytes are the text's, without a gap. */
    size_t end = 0;
    for (size_t i = 0; i < tokens.count; end = tokens.end[i++])
        assert_int_equal(tokens.begin[i], end);
    assert_int_equal(end, text.size);
    token_list_release(&tokens);
}

static void every_text_gets_the_ids_of_the_reference(void **state)
{
    (void)state;
    struct comparison comparison = {open_small(), 0};
    size_t lines = reference_lines(TEST_DATA "/text/byte-pair.jsonl", compare, &comparison);
    assert_int_equal(comparison.wrong, 0);
    assert_true(lines > 400);
    tokenizer_free(comparison.tokenizer);
}

static void it_says_what_it_is(void **state)
{
    (void)state;
    struct tokenizer *tokenizer = open_small();
    assert_string_equal(tokenizer_kind(tokenizer), "byte-pair");
    assert_int_equal(tokenizer_vocabulary(tokenizer), 756);
    assert_int_equal(tokenizer_specials_before(tokenizer), 0);
    assert_int_equal(tokenizer_specials_after(tokenizer), 0);
    assert_int_equal(tokenizer_specials_pair(tokenizer), 0);
    assert_string_equal(tokenizer_piece(tokenizer, 'a'), "a");
    assert_string_equal(tokenizer_piece(tokenizer, ' '), "\u0120");
    assert_string_equal(tokenizer_piece(tokenizer, 0), "\u0100");
    assert_string_equal(tokenizer_piece(tokenizer, 0xad), "\u0143");
    assert_string_equal(tokenizer_piece(tokenizer, 0xff), "\u00ff");
    assert_false(tokenizer_is_packable(tokenizer));
    tokenizer_free(tokenizer);
}

/* The number of tokens of a text of one part. */
static size_t count_tokens(const struct tokenizer *tokenizer, char letter, size_t size)
{
    struct token_list tokens = {0};
    rag_error error;
    char *text = malloc(size);
    assert_non_null(text);
    memset(text, letter, size);
    assert_ok(tokenizer_encode(tokenizer, (rag_text){text, size}, &tokens, &error), &error);
    size_t count = tokens.count;
    token_list_release(&tokens);
    free(text);
    return count;
}

/* One part of a million bytes: joining in it must not be quadratic, which would take hours. */
static void a_very_long_part_is_no_trap(void **state)
{
    (void)state;
    struct tokenizer *tokenizer = open_small();
    assert_int_equal(count_tokens(tokenizer, 'q', 1 << 20), 1 << 20);
    assert_in_range(count_tokens(tokenizer, 'e', 1 << 20), 1 << 17, 1 << 20);
    tokenizer_free(tokenizer);
}

static void refuse(const char *content, size_t size, const char *words)
{
    const char *parent = getenv("TMPDIR");
    char path[4096];
    rag_error error;
    struct tokenizer *tokenizer;
    snprintf(path, sizeof path, "%s/rag-byte-pair-%ld.tiktoken", parent ? parent : "/tmp",
             (long)getpid());
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(content, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    assert_status(RAG_MODEL, tokenizer_open(path, &tokenizer, &error), &error);
    assert_null(tokenizer);
    assert_says(&error, path);
    assert_says(&error, words);
    unlink(path);
}

static void what_is_no_such_vocabulary_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *content, *words;
    } files[] = {
        {"", "byte 0x00 is no token"},
        {"IQ== 0\n", "byte 0x00 is no token"},
        {"IQ== 0\nIg==\n", "line 2: it is not a token"},
        {"IQ== 0\nIg== \n", "line 2: it is not a token"},
        {" 0\n", "line 1: it is not a token"},
        {"IQ== 0x\n", "line 1: its rank is not a number"},
        {"IQ== -1\n", "line 1: its rank is not a number"},
        {"IQ== 123456789\n", "line 1: it is not a token"},
        {"IQ== 99999999\n", "line 1: a rank of 99999999"},
        {"I*== 0\n", "line 1: its token is not base64"},
        {"=IQ= 0\n", "line 1: its token is not base64"},
        {"IQ= 0\n", "line 1: its token is not base64"},
        {"IQ== 0\nIQ== 1\n", "the tokens of ranks 0 and 1 are the same"},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        refuse(files[i].content, strlen(files[i].content), files[i].words);
    /* A whole vocabulary, and then a rank a second time. */
    struct buf file = BUF_INIT(1 << 20);
    rag_error error;
    assert_ok(file_read(SMALL, &file, &error), &error);
    assert_true(buf_append_text(&file, "enpxcQ== 17\n"));
    refuse(file.data, file.size, "two tokens have the rank 17");
    buf_release(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_text_gets_the_ids_of_the_reference),
        cmocka_unit_test(it_says_what_it_is),
        cmocka_unit_test(a_very_long_part_is_no_trap),
        cmocka_unit_test(what_is_no_such_vocabulary_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
