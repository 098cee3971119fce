/* A real model's tokenizer against the corpora of reference ids:
 *
 *   test_tokenizer_oracle TOKENIZER ORACLES [packed]
 *
 * as it is parsed from its file, or as it comes out of a packed one.
 *
 * ORACLES-tokens.jsonl.gz has {"text", "ids"}, the ids with special tokens;
 * ORACLES-spans.jsonl.gz, where it is, {"text", "ids", "char_spans"}, without;
 * ORACLES-pairs.jsonl.gz, where it is, {"a", "b", "ids", "max_length" perhaps}. */
#include "text/packed_copy.h"
#include "text/reference.h"

#include "base/file.h"

static const char *tokenizer_file, *oracles;
static rag_status (*open_tokenizer)(const char *, struct tokenizer **, rag_error *);

struct comparison {
    struct tokenizer *tokenizer;
    struct token_list tokens;
    size_t wrong;
};

static void start(struct comparison *comparison)
{
    rag_error error;
    *comparison = (struct comparison){0};
    assert_ok(open_tokenizer(tokenizer_file, &comparison->tokenizer, &error), &error);
}

static void finish(struct comparison *comparison, size_t lines)
{
    tokenizer_free(comparison->tokenizer);
    token_list_release(&comparison->tokens);
    assert_true(lines > 100);
    assert_int_equal(comparison->wrong, 0);
}

static void note_wrong(struct comparison *comparison, rag_text text, long at)
{
    if (comparison->wrong++ < 5)
        print_error("token %ld differs in: %.200s\n", at, text.data);
}

static void compare_ids(const json_t *line, void *user)
{
    struct comparison *comparison = user;
    rag_error error;
    rag_text text = reference_text(line, "text");
    token_list_clear(&comparison->tokens);
    assert_ok(tokenizer_encode_single(comparison->tokenizer, text, &comparison->tokens, &error),
              &error);
    long at = reference_difference(&comparison->tokens, json_object_get(line, "ids"));
    if (at >= 0)
        note_wrong(comparison, text, at);
}

static void every_text_gets_the_ids_of_the_reference(void **state)
{
    (void)state;
    char path[4096];
    struct comparison comparison;
    start(&comparison);
    snprintf(path, sizeof path, "%s-tokens.jsonl.gz", oracles);
    finish(&comparison, reference_lines(path, compare_ids, &comparison));
}

static size_t characters_before(rag_text text, size_t byte)
{
    size_t count = 0;
    for (size_t i = 0; i < byte && i < text.size; i++)
        count += ((unsigned char)text.data[i] & 0xC0) != 0x80;
    return count;
}

static void compare_spans(const json_t *line, void *user)
{
    struct comparison *comparison = user;
    struct token_list *tokens = &comparison->tokens;
    rag_error error;
    rag_text text = reference_text(line, "text");
    const json_t *spans = json_object_get(line, "char_spans");
    token_list_clear(tokens);
    assert_ok(tokenizer_encode(comparison->tokenizer, text, tokens, &error), &error);
    long at = reference_difference(tokens, json_object_get(line, "ids"));
    for (size_t i = 0; at < 0 && i < tokens->count; i++) {
        const json_t *span = json_array_get(spans, i);
        if (json_integer_value(json_array_get(span, 0)) !=
                (json_int_t)characters_before(text, tokens->begin[i]) ||
            json_integer_value(json_array_get(span, 1)) !=
                (json_int_t)characters_before(text, tokens->end[i]))
            at = (long)i;
    }
    if (at >= 0)
        note_wrong(comparison, text, at);
}

static void every_token_knows_its_place_as_in_the_reference(void **state)
{
    (void)state;
    char path[4096];
    struct comparison comparison;
    start(&comparison);
    snprintf(path, sizeof path, "%s-spans.jsonl.gz", oracles);
    finish(&comparison, reference_lines(path, compare_spans, &comparison));
}

static void compare_pairs(const json_t *line, void *user)
{
    struct comparison *comparison = user;
    rag_error error;
    rag_text a = reference_text(line, "a"), b = reference_text(line, "b");
    size_t most = (size_t)json_integer_value(json_object_get(line, "max_length"));
    token_list_clear(&comparison->tokens);
    assert_ok(tokenizer_encode_pair(comparison->tokenizer, a, b, most, &comparison->tokens,
                                    NULL, &error),
              &error);
    long at = reference_difference(&comparison->tokens, json_object_get(line, "ids"));
    if (at >= 0)
        note_wrong(comparison, a, at);
}

static void every_pair_gets_the_ids_of_the_reference(void **state)
{
    (void)state;
    char path[4096];
    struct comparison comparison;
    start(&comparison);
    snprintf(path, sizeof path, "%s-pairs.jsonl.gz", oracles);
    finish(&comparison, reference_lines(path, compare_pairs, &comparison));
}

int main(int argc, char **argv)
{
    if (argc < 3 || argc > 4) {
        print_error("usage: test_tokenizer_oracle TOKENIZER ORACLES [packed]\n");
        return 2;
    }
    open_tokenizer = argc == 4 ? packed_copy : tokenizer_open;
    tokenizer_file = argv[1];
    oracles = argv[2];
    const struct CMUnitTest texts[] = {
        cmocka_unit_test(every_text_gets_the_ids_of_the_reference),
    };
    const struct CMUnitTest more[] = {
        cmocka_unit_test(every_token_knows_its_place_as_in_the_reference),
        cmocka_unit_test(every_pair_gets_the_ids_of_the_reference),
    };
    char spans[4096];
    snprintf(spans, sizeof spans, "%s-spans.jsonl.gz", oracles);
    int failed = cmocka_run_group_tests(texts, NULL, NULL);
    if (path_is_file(spans))
        failed += cmocka_run_group_tests(more, NULL, NULL);
    return failed;
}
