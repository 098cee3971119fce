/* Front matter becomes metadata; what is no such YAML is prose, and nothing in it takes long.
 */
#include "support/test.h"

#include "readers/front_matter.h"

#include <stdlib.h>

/* The metadata of a text, "" if there are none. */
static const char *metadata(const char *text)
{
    static char said[4096];
    struct buf out = BUF_INIT(1 << 20);
    rag_error error;
    assert_ok(front_matter_read((rag_text){text, strlen(text)}, &out, &error), &error);
    snprintf(said, sizeof said, "%s", out.size ? out.data : "");
    buf_release(&out);
    return said;
}

static const struct {
    const char *yaml, *json;
} cases[] = {
    {"title: A page\n", "{\"title\":\"A page\"}"},
    {"title: \"A \\\"page\\\"\"\nyear: 2024\nshare: -0.5\n",
     "{\"title\":\"A \\\"page\\\"\",\"year\":2024,\"share\":-0.5}"},
    {"a: true\nb: false\nc: null\nd: ~\ne:\nf: yes\n",
     "{\"a\":true,\"b\":false,\"f\":\"yes\"}"},
    {"a: '1'\nb: !!str 1\nc: 007\nd: 1_000\ne: 99999999999999999999\n",
     "{\"a\":\"1\",\"b\":\"1\",\"c\":\"007\",\"d\":\"1_000\",\"e\":\"99999999999999999999\"}"},
    {"date: 2024-05-01\n", "{\"date\":\"2024-05-01\"}"},
    {"tags: [tea, 7, null, \"x, y\"]\n", "{\"tags\":[\"tea\",7,\"x, y\"]}"},
    {"tags:\n  - \xe8\x8c\xb6\n  - work\nempty: []\n",
     "{\"tags\":[\"\xe8\x8c\xb6\",\"work\"],\"empty\":[]}"},
    {"a: 1\nb:\n  c: 2\n  d: [3]\ne: 4\n", "{\"a\":1,\"e\":4}"},
    {"a: [1, [2, 3], {b: 4}, 5]\nc: 6\n", "{\"a\":[1,5],\"c\":6}"},
    {"a: |\n  two\n  lines\n", "{\"a\":\"two\\nlines\\n\"}"},
    {"a: 1\na: 2\n", "{\"a\":2}"},
    {"# only a comment\n", ""},
    {"a: &x 1\nb: *x\n", ""},
    {"a: [1\n", ""},
    {"a: \"\\0\"\n", ""},
    {"? [a]\n: 1\n", ""},
    {"a: 1\n\tb: 2\n", ""},
};

static void each_value_becomes_what_it_says(void **state)
{
    (void)state;
    bool missed = false;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[512];
        snprintf(text, sizeof text, "---\n%s---\n\n# Prose\n", cases[i].yaml);
        const char *said = metadata(text);
        if (strcmp(said, cases[i].json) != 0) {
            print_error("%s: %s instead of %s\n", cases[i].yaml, said, cases[i].json);
            missed = true;
        }
    }
    assert_false(missed);
}

static void only_what_stands_at_the_front_between_rules_counts(void **state)
{
    (void)state;
    assert_string_equal(metadata("\xef\xbb\xbf---\r\na: 1\r\n---\r\nprose"), "{\"a\":1}");
    assert_string_equal(metadata("---\na: 1\n..."), "{\"a\":1}");
    assert_string_equal(metadata("---\na: 1\n---"), "{\"a\":1}");
    assert_string_equal(metadata("---\na: 1\n"), "");
    assert_string_equal(metadata("\n---\na: 1\n---\n"), "");
    assert_string_equal(metadata("---\nprose\n---\n"), "");
    assert_string_equal(metadata("+++\na = 1\n+++\n"), "");
    assert_string_equal(metadata(""), "");
}

static void what_is_nested_deeply_is_prose(void **state)
{
    (void)state;
    struct buf text = BUF_INIT(1 << 20);
    assert_true(buf_append_text(&text, "---\na: "));
    for (size_t i = 0; i + 1 < FRONT_MATTER_MAX_DEPTH; i++)
        assert_true(buf_append_char(&text, '['));
    for (size_t i = 0; i + 1 < FRONT_MATTER_MAX_DEPTH; i++)
        assert_true(buf_append_char(&text, ']'));
    assert_true(buf_append_text(&text, "\n---\n"));
    assert_string_equal(metadata(text.data), "{\"a\":[]}");
    buf_clear(&text);
    assert_true(buf_append_text(&text, "---\na: "));
    for (size_t i = 0; i < 60000; i++)
        assert_true(buf_append_char(&text, '['));
    assert_true(buf_append_text(&text, "\n---\n"));
    assert_string_equal(metadata(text.data), "");
    buf_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_value_becomes_what_it_says),
        cmocka_unit_test(only_what_stands_at_the_front_between_rules_counts),
        cmocka_unit_test(what_is_nested_deeply_is_prose),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
