/* gitignore.h compared with git itself: `git check-ignore` on written and on random
 * patterns, over a small tree. The program's argument is git's path. */
#define _XOPEN_SOURCE 700
#include "support/test.h"

#include "base/buf.h"
#include "base/file.h"
#include "documents/gitignore.h"

#include <stdlib.h>
#include <unistd.h>

static const char *git_program;
static char root[] = "/tmp/rag-test-XXXXXX";
static const char *const folders[] = {"a",   "b",     "foo",   "a/a",     "a/foo",  "b/a",
                                      "b/b", "foo/a", "a/a/b", "a/foo/a", "foo/a/b"};
static const char *const names[] = {"x.txt", "bar.c", "ab",   "abc", "a b", "[x]", "a*",
                                    "foo.c", "B",     "end ", "!x",  "#x",  "a-b", "\xC3\xA9"};

enum {
    FOLDERS = sizeof folders / sizeof *folders,
    NAMES = sizeof names / sizeof *names,
    PATHS = FOLDERS + (FOLDERS + 1) * NAMES,
    ROUNDS = 100,
};

static char *paths[PATHS]; /* relative, folders first */

static char *in_root(const char *path)
{
    char *joined = path_join(root, path);
    assert_non_null(joined);
    return joined;
}

/* Without the fsync of file_write: there are hundreds of them here. */
static void write_file(const char *path, const char *bytes, size_t size)
{
    char *full = in_root(path);
    FILE *file = fopen(full, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    free(full);
}

static void run(const char *arguments)
{
    struct buf command = BUF_INIT(1 << 16);
    assert_true(buf_printf(&command,
                           "cd %s && GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null "
                           "HOME=%s '%s' %s",
                           root, root, git_program, arguments));
    int result = system(command.data);
    /* 1: check-ignore found nothing to be ignored. */
    assert_true(result == 0 || WEXITSTATUS(result) == 1);
    buf_release(&command);
}

static int make_tree(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(root));
    run("init -q .");
    rag_error error;
    struct buf list = BUF_INIT(1 << 20);
    size_t n = 0;
    for (size_t i = 0; i < FOLDERS; i++) {
        char *full = in_root(folders[i]);
        assert_ok(directory_make(full, &error), &error);
        free(full);
        paths[n++] = strdup(folders[i]);
    }
    for (size_t i = 0; i <= FOLDERS; i++) {
        for (size_t k = 0; k < NAMES; k++) {
            paths[n] = i == FOLDERS ? strdup(names[k]) : path_join(folders[i], names[k]);
            write_file(paths[n++], "", 0);
        }
    }
    assert_int_equal(n, PATHS);
    for (size_t i = 0; i < PATHS; i++)
        assert_true(buf_append(&list, paths[i], strlen(paths[i]) + 1));
    write_file(".git/paths", list.data, list.size);
    buf_release(&list);
    return 0;
}

static int remove_tree(void **state)
{
    (void)state;
    rag_error error;
    for (size_t i = 0; i < PATHS; i++)
        free(paths[i]);
    assert_ok(directory_remove(root, &error), &error);
    return 0;
}

/* Loads the .gitignore files of the root and the folders above `path`. */
static void load(struct gitignore *list, const char *path)
{
    rag_error error;
    char *folder = strdup(root), *file = path_join(root, ".gitignore");
    assert_ok(gitignore_load(list, folder, file, &error), &error);
    for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        free(folder), free(file);
        char *relative = strndup(path, (size_t)(slash - path));
        folder = in_root(relative);
        file = path_join(folder, ".gitignore");
        assert_ok(gitignore_load(list, folder, file, &error), &error);
        free(relative);
    }
    free(folder), free(file);
}

/* As a walk sees it: what lies in an excluded folder is excluded. */
static bool excluded(const char *path)
{
    rag_error error;
    for (const char *slash = path;;) {
        slash = strchr(slash, '/');
        char *part = slash ? strndup(path, (size_t)(slash - path)) : strdup(path);
        char *full = in_root(part);
        struct gitignore list = {0};
        bool result;
        load(&list, part);
        assert_ok(gitignore_excludes(&list, full, path_is_directory(full), &result, &error),
                  &error);
        gitignore_release(&list);
        free(full), free(part);
        if (result || !slash)
            return result;
        slash++;
    }
}

static bool listed(const struct buf *list, const char *path)
{
    for (size_t i = 0; i < list->size; i += strlen(list->data + i) + 1)
        if (strcmp(list->data + i, path) == 0)
            return true;
    return false;
}

static void compare(const char *patterns, size_t size, const char *nested, size_t nested_size)
{
    write_file(".gitignore", patterns, size);
    write_file("a/.gitignore", nested, nested_size);
    run("check-ignore --no-index -z --stdin <.git/paths >.git/ignored");
    char *file = in_root(".git/ignored");
    struct buf ignored = BUF_INIT(1 << 20);
    rag_error error;
    assert_ok(file_read(file, &ignored, &error), &error);
    for (size_t i = 0; i < PATHS; i++) {
        bool ours = excluded(paths[i]), theirs = listed(&ignored, paths[i]);
        if (ours != theirs)
            fail_msg("%s: we %s it, git does not, for\n%s\nand in a/\n%s", paths[i],
                     ours ? "exclude" : "take", patterns, nested);
    }
    free(file);
    buf_release(&ignored);
}

static void written_patterns_exclude_what_git_excludes(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"*.txt\n", ""},
        {"*.txt\n!x.txt\n", ""},
        {"*.txt\n", "!x.txt\n"},
        {"/x.txt\n", "/a\n"},
        {"a/\n", "!x.txt\n"},
        {"a/a\n", "a/b\n"},
        {"foo\n!foo/x.txt\n", ""},
        {"/*\n!/foo\n/foo/*\n!/foo/a\n", ""},
        {"**/foo\n", ""},
        {"**/a/b\n", ""},
        {"a/**\n", ""},
        {"a/**/b\n", ""},
        {"**\n!**/\n!*.c\n", ""},
        {"# comment\n\\#x\n\\!x\n", ""},
        {"end \nend\\ \nabc   \n", ""},
        {"x.txt\r\nbar.c\r\n", "ab"},
        {"\xEF\xBB\xBFx.txt\n", ""},
        {"[a]*\n[!a-f]*\n", ""},
        {"[]x]\n[x\n\\[x\\]\n", ""},
        {"[[:upper:]]\n[[:nosuch:]]\n", ""},
        {"?.txt\n??\n", ""},
        {"a\\*\n", ""},
        {"foo\\\n", ""},
        {"/\n//\n!\n\n   \n", ""},
        {"a**\n**b\na**/x.txt\n", ""},
        {"foo/*/b\nfoo/**b\n", ""},
        {"***/b\n", ""},
        {"[a-]b\n[b-a]\n[--a]b\n", ""},
        {"[a\\-z]-b\n[^a]\n", ""},
        {"[a/b]b\na[/]a\na?a\n", ""},
        {"**/\n", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        compare(cases[i][0], strlen(cases[i][0]), cases[i][1], strlen(cases[i][1]));
}

static uint32_t next_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    return *seed ^= *seed << 5;
}

static void append_pattern(struct buf *out, uint32_t *seed)
{
    static const char *const pieces[] = {
        "a", "b",    "foo", "x.txt",  ".c",     "*",    "*",           "?",   "**", "/",
        "/", "**/",  "/**", "[ab]",   "[!a]",   "[a-c", "[[:alpha:]]", "\\*", "\\", " ",
        "!", "\xC3", "]",   "[^x-z]", "[a-f]*", "-",    "B",           "#",   "\t", "c"};
    if (next_random(seed) % 4 == 0)
        assert_true(buf_append_char(out, '!'));
    for (unsigned n = 1 + next_random(seed) % 5; n > 0; n--)
        assert_true(
            buf_append_text(out, pieces[next_random(seed) % (sizeof pieces / sizeof *pieces)]));
    assert_true(buf_append_text(out, next_random(seed) % 3 == 0 ? "/\n" : "\n"));
}

static void random_patterns_exclude_what_git_excludes(void **state)
{
    (void)state;
    uint32_t seed = 20240229;
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct buf patterns = BUF_INIT(1 << 16), nested = BUF_INIT(1 << 16);
        for (unsigned n = 1 + next_random(&seed) % 4; n > 0; n--)
            append_pattern(&patterns, &seed);
        append_pattern(&nested, &seed);
        compare(patterns.data, patterns.size, nested.data, nested.size);
        buf_release(&patterns);
        buf_release(&nested);
    }
}

static void a_pattern_of_many_stars_takes_no_longer_than_its_size(void **state)
{
    (void)state;
    /* A matcher that tries one alternative after the other needs 2^40 steps here. */
    struct buf pattern = BUF_INIT(1 << 16), path = BUF_INIT(1 << 16);
    assert_true(buf_append_text(&path, "/root/"));
    for (unsigned i = 0; i < 1000; i++) {
        assert_true(buf_append_text(&pattern, "**/a*"));
        assert_true(buf_append_text(&path, "aaa/"));
    }
    assert_true(buf_append_text(&pattern, "b\n") && buf_append_text(&path, "aaa"));
    struct gitignore list = {0};
    rag_error error;
    bool result = true;
    assert_ok(gitignore_add(&list, "/root", pattern.data, pattern.size, &error), &error);
    assert_ok(gitignore_excludes(&list, path.data, false, &result, &error), &error);
    assert_false(result);
    gitignore_release(&list);
    buf_release(&pattern);
    buf_release(&path);
}

int main(int count, char **arguments)
{
    if (count < 2)
        return 2;
    git_program = arguments[1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(written_patterns_exclude_what_git_excludes),
        cmocka_unit_test(random_patterns_exclude_what_git_excludes),
        cmocka_unit_test(a_pattern_of_many_stars_takes_no_longer_than_its_size),
    };
    return cmocka_run_group_tests(tests, make_tree, remove_tree);
}
