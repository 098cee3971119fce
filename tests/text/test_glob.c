/* Patterns for paths take what text/glob.h says, in bounded time. */
#include "support/test.h"

#include "text/glob.h"

#include <stdlib.h>

static bool matches(const char *pattern, const char *path)
{
    struct glob glob;
    rag_error error;
    assert_ok(glob_parse(pattern, &glob, &error), &error);
    bool found = glob_matches(&glob, path, strlen(path));
    assert_true(found == glob_matches(&glob, path, strlen(path))); /* nothing is left behind */
    glob_release(&glob);
    return found;
}

static const struct {
    const char *pattern, *path;
    bool match;
} cases[] = {
    {"/a/b.md", "/a/b.md", true},
    {"/a/b.md", "/x/a/b.md", false},
    {"a/b.md", "/x/a/b.md", true},
    {"b.md", "/x/a/b.md", true},
    {"b.md", "/x/a/cb.md", false},
    {"b.md", "b.md", true},
    {"a", "/x/a/b.md", false},
    {"a/", "/x/a/b.md", true},
    {"/x/", "/x/a/b.md", true},
    {"/a/", "/x/a/b.md", false},
    {"*.md", "/x/a/b.md", true},
    {"/*.md", "/x/b.md", false},
    {"/*/b.md", "/x/b.md", true},
    {"x/*.md", "/x/a/b.md", false},
    {"x/**.md", "/x/a/b.md", true},
    {"x/**/b.md", "/x/b.md", true},
    {"x/**/b.md", "/x/a/c/b.md", true},
    {"x/**/b.md", "/x/a/cb.md", false},
    {"x/**", "/x/a/b.md", true},
    {"**", "/x/a/b.md", true},
    {"/**/b.md", "/b.md", true},
    {"**/b.md", "/x/b.md", true},
    {"*", "wiki page", true},
    {"?.md", "/x/b.md", true},
    {"?.md", "/x/\xe4\xb9\xa6.md", true},
    {"??.md", "/x/\xe4\xb9\xa6.md", false},
    {"x?b.md", "/x/b.md", false},
    {"[a-c].md", "/x/b.md", true},
    {"[!a-c].md", "/x/b.md", false},
    {"[^a-c].md", "/x/d.md", true},
    {"x[!a]b.md", "/x/b.md", false},
    {"[\xe4\xb8\x80-\xe9\xbf\xbf].md", "/x/\xe4\xb9\xa6.md", true},
    {"[]-].md", "/x/].md", true},
    {"[]-].md", "/x/-.md", true},
    {"[a\\]].md", "/x/].md", true},
    {"\\*.md", "/x/*.md", true},
    {"\\*.md", "/x/b.md", false},
    {"a\\[b", "a[b", true},
    {"B.md", "b.md", false},
    {"?\xff", "\xfe\xff", true},
    {"\xff", "\xfe", false},
    {"notes/2024-*/**/[0-9]?.md", "/home/ann/notes/2024-05/a/b/1x.md", true},
};

static void each_pattern_takes_what_it_should(void **state)
{
    (void)state;
    bool missed = false;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (matches(cases[i].pattern, cases[i].path) != cases[i].match) {
            print_error("%s %s %s\n", cases[i].pattern,
                        cases[i].match ? "does not take" : "takes", cases[i].path);
            missed = true;
        }
    assert_false(missed);
}

static void what_is_no_pattern_is_refused(void **state)
{
    (void)state;
    char longest[GLOB_MAX + 2];
    memset(longest, 'a', sizeof longest);
    longest[GLOB_MAX + 1] = 0;
    const char *const bad[] = {"",    longest, "[",   "[a",   "[]",
                               "[!]", "[a-",   "a\\", "[a\\", "[a\\]"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct glob glob;
        rag_error error;
        assert_status(RAG_USAGE, glob_parse(bad[i], &glob, &error), &error);
    }
    longest[GLOB_MAX] = 0;
    assert_true(matches(longest, longest));
}

/* With backtracking this would take longer than anybody waits. */
static void many_stars_take_no_time(void **state)
{
    (void)state;
    enum { SIZE = 4096 };
    char pattern[GLOB_MAX + 1] = "", *path = malloc(SIZE + 1);
    assert_non_null(path);
    memset(path, 'a', SIZE);
    path[SIZE] = 0;
    for (size_t i = 0; i + 6 < GLOB_MAX; i += 3)
        strcpy(pattern + i, "*a*");
    assert_true(matches(pattern, path));
    strcat(pattern, "b");
    assert_false(matches(pattern, path));
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_pattern_takes_what_it_should),
        cmocka_unit_test(what_is_no_pattern_is_refused),
        cmocka_unit_test(many_stars_take_no_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
