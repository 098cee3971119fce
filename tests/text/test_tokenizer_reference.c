/* Small tokenizers of every kind and setting against the reference: the files that
 * tests/data/text/make_tokenizers.py made, in the folder given. With a second argument they
 * come out of packed files. */
#include "text/packed_copy.h"
#include "text/reference.h"

#include <stdlib.h>

static const char *folder;
static rag_status (*open_tokenizer)(const char *, struct tokenizer **, rag_error *);

enum { TOKENIZERS = 8 };
static const char *const names[TOKENIZERS] = {"unigram.model", "unigram",    "metaspace-split",
                                              "strip",         "normalized", "first",
                                              "wordpiece",     "cased"};
static struct tokenizer *tokenizers[TOKENIZERS];

static int open_all(void **state)
{
    (void)state;
    for (size_t i = 0; i < TOKENIZERS; i++) {
        char path[4096];
        rag_error error;
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        if (open_tokenizer(path, &tokenizers[i], &error)) {
            print_error("%s\n", error.message);
            return 1;
        }
    }
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    for (size_t i = 0; i < TOKENIZERS; i++)
        tokenizer_free(tokenizers[i]);
    return 0;
}

static bool same(const struct token_list *tokens, const json_t *expected)
{
    if (tokens->count != json_array_size(expected))
        return false;
    for (size_t i = 0; i < tokens->count; i++) {
        const json_t *token = json_array_get(expected, i);
        if (tokens->ids[i] != json_integer_value(json_array_get(token, 0)) ||
            tokens->begin[i] != json_integer_value(json_array_get(token, 1)) ||
            tokens->end[i] != json_integer_value(json_array_get(token, 2)))
            return false;
    }
    return true;
}

static void compare_texts(const json_t *line, void *user)
{
    size_t *wrong = user;
    rag_text text = reference_text(line, "text");
    for (size_t i = 0; i < TOKENIZERS; i++) {
        struct token_list tokens = {0};
        rag_error error;
        assert_ok(tokenizer_encode(tokenizers[i], text, &tokens, &error), &error);
        if (!same(&tokens, json_object_get(line, names[i]))) {
            print_error("%s differs for: %.200s\n", names[i], text.data);
            ++*wrong;
        }
        token_list_release(&tokens);
    }
}

static void ids_and_places_are_those_of_the_reference(void **state)
{
    (void)state;
    char path[4096];
    size_t wrong = 0;
    snprintf(path, sizeof path, "%s/texts.jsonl", folder);
    assert_true(reference_lines(path, compare_texts, &wrong) > 150);
    assert_int_equal(wrong, 0);
}

static struct tokenizer *by_name(const char *name)
{
    for (size_t i = 0; i < TOKENIZERS; i++)
        if (strcmp(names[i], name) == 0)
            return tokenizers[i];
    fail_msg("no tokenizer %s", name);
    return NULL;
}

static void compare_pair(const json_t *line, void *user)
{
    size_t *wrong = user;
    const json_t *types_expected = json_object_get(line, "types");
    rag_text a = reference_text(line, "a"), b = reference_text(line, "b");
    size_t most = (size_t)json_integer_value(json_object_get(line, "max"));
    const char *name = reference_text(line, "tokenizer").data;
    struct token_list tokens = {0};
    uint8_t *types;
    rag_error error;
    assert_ok(tokenizer_encode_pair(by_name(name), a, b, most, &tokens, &types, &error),
              &error);
    bool right = reference_difference(&tokens, json_object_get(line, "ids")) < 0;
    for (size_t i = 0; right && i < tokens.count; i++)
        right = types[i] == json_integer_value(json_array_get(types_expected, i));
    if (!right) {
        print_error("%s, cut to %zu, differs for: %.200s | %.200s\n", name, most, a.data,
                    b.data);
        ++*wrong;
    }
    free(types);
    token_list_release(&tokens);
}

static void pairs_are_cut_longest_first_as_in_the_reference(void **state)
{
    (void)state;
    char path[4096];
    size_t wrong = 0;
    snprintf(path, sizeof path, "%s/pairs.jsonl", folder);
    assert_true(reference_lines(path, compare_pair, &wrong) > 150);
    assert_int_equal(wrong, 0);
}

static void vocab_txt_is_the_same_tokenizer_as_tokenizer_json(void **state)
{
    (void)state;
    const char *kinds[] = {"wordpiece", "cased"};
    const char text[] = "The Größe of a naïve café: 水, Москва don't <x> [MASK] GARÇON's";
    for (size_t i = 0; i < 2; i++) {
        char path[4096];
        struct tokenizer *tokenizer;
        struct token_list a = {0}, b = {0};
        rag_error error;
        snprintf(path, sizeof path, "%s/%s/vocab.txt", folder, kinds[i]);
        assert_ok(open_tokenizer(path, &tokenizer, &error), &error);
        rag_text whole = {text, sizeof text - 1};
        assert_ok(tokenizer_encode_single(tokenizer, whole, &a, &error), &error);
        assert_ok(tokenizer_encode_single(by_name(kinds[i]), whole, &b, &error), &error);
        assert_int_equal(a.count, b.count);
        assert_memory_equal(a.ids, b.ids, a.count * sizeof *a.ids);
        assert_memory_equal(a.begin, b.begin, a.count * sizeof *a.begin);
        token_list_release(&a);
        token_list_release(&b);
        tokenizer_free(tokenizer);
    }
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 3) {
        print_error("usage: test_tokenizer_reference FOLDER [packed]\n");
        return 2;
    }
    open_tokenizer = argc == 3 ? packed_copy : tokenizer_open;
    folder = argv[1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_and_places_are_those_of_the_reference),
        cmocka_unit_test(pairs_are_cut_longest_first_as_in_the_reference),
        cmocka_unit_test(vocab_txt_is_the_same_tokenizer_as_tokenizer_json),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
