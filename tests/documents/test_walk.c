/* The promises of walk.h: which files are found below a path, and in which order. */
#define _XOPEN_SOURCE 700
#include "support/test.h"

#include "base/file.h"
#include "documents/walk.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/rag-test-XXXXXX";

static char *in_folder(const char *path)
{
    char *joined = path_join(folder, path);
    assert_non_null(joined);
    return joined;
}

static void put(const char *path, const char *text)
{
    rag_error error;
    char *full = in_folder(path), *parent = strdup(full);
    *strrchr(parent, '/') = 0;
    assert_ok(directory_make(parent, &error), &error);
    assert_ok(file_write(full, text, strlen(text), &error), &error);
    free(full), free(parent);
}

static void link_to(const char *target, const char *path)
{
    char *full = in_folder(path);
    assert_int_equal(symlink(target, full), 0);
    free(full);
}

static int make_folder(void **state)
{
    (void)state;
    memcpy(folder + sizeof folder - 7, "XXXXXX", 6);
    assert_non_null(mkdtemp(folder));
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    rag_error error;
    assert_ok(directory_remove(folder, &error), &error);
    return 0;
}

/* The files found below `path`, one a line, relative to the test's folder. */
static struct buf found(const char *path, const struct events *events, size_t *skipped)
{
    char *full = in_folder(path);
    const char *const paths[] = {full};
    struct file_list list;
    rag_error error;
    assert_ok(walk_paths(paths, 1, events, &list, skipped, &error), &error);
    struct buf text = BUF_INIT(1 << 20);
    assert_true(buf_reserve(&text, 0));
    for (size_t i = 0; i < list.count; i++)
        assert_true(buf_printf(&text, "%s\n", list.paths[i] + strlen(folder) + 1));
    file_list_release(&list);
    free(full);
    return text;
}

#define assert_found(path, expected)                                                           \
    do {                                                                                       \
        size_t skipped_;                                                                       \
        struct buf text_ = found(path, NULL, &skipped_);                                       \
        assert_string_equal(text_.data, expected);                                             \
        assert_int_equal(skipped_, 0);                                                         \
        buf_release(&text_);                                                                   \
    } while (0)

static void files_are_sorted_by_bytes_and_hidden_or_unknown_ones_left_out(void **state)
{
    (void)state;
    put("b.md", ""), put("a.txt", ""), put("B.MD", ""), put("a/z.md", ""), put("a-b.md", "");
    put(".hidden.md", ""), put(".git-like/x.md", ""), put("picture.png", ""), put("none", "");
    put("中.md", ""), put("sub/deep/er/y.markdown", "");
    assert_found(".", "B.MD\na-b.md\na.txt\na/z.md\nb.md\nsub/deep/er/y.markdown\n中.md\n");
}

static void a_file_named_outright_is_taken_whatever_its_name(void **state)
{
    (void)state;
    put(".gitignore", "*\n"), put(".hidden", ""), put("x.md", "");
    assert_found(".hidden", ".hidden\n");
    assert_found("x.md", "x.md\n");
    assert_found(".", "");
}

static void each_file_is_found_once_whatever_paths_lead_to_it(void **state)
{
    (void)state;
    put("a/x.md", ""), put("a/y.md", "");
    char *file = in_folder("a/../a/x.md"), *sub = in_folder("a//");
    const char *const paths[] = {file, folder, sub, file};
    struct file_list list;
    rag_error error;
    size_t skipped;
    assert_ok(walk_paths(paths, 4, NULL, &list, &skipped, &error), &error);
    assert_int_equal(list.count, 2);
    assert_true(strcmp(list.paths[0], list.paths[1]) < 0);
    file_list_release(&list);
    free(file), free(sub);
}

static void links_to_files_are_taken_and_links_to_folders_are_not_followed(void **state)
{
    (void)state;
    put("real/x.md", "");
    link_to("real/x.md", "link.md");
    link_to("real", "folder-link");
    link_to("nowhere.md", "broken.md");
    link_to(".", "real/loop");
    link_to("loop.md", "loop.md");
    assert_found(".", "link.md\nreal/x.md\n");
    assert_found("folder-link", "folder-link/x.md\n");
}

static void patterns_of_the_folder_and_of_the_repository_around_it_count(void **state)
{
    (void)state;
    put("repo/.git/info/exclude", "excluded.md\n");
    put("repo/.gitignore", "*.txt\n/docs/top.md\nbuild/\n");
    put("repo/docs/.gitignore", "!keep.txt\nsub/*.md\n!sub/kept.md\n");
    put("repo/docs/sub/.gitignore", "/own.txt\n");
    put("repo/docs/top.md", ""), put("repo/docs/keep.txt", ""), put("repo/docs/no.txt", "");
    put("repo/docs/excluded.md", ""), put("repo/docs/build/x.md", "");
    put("repo/docs/sub/a.md", ""), put("repo/docs/sub/kept.md", "");
    put("repo/docs/sub/own.txt", ""), put("repo/docs/sub/keep.txt", "");
    put("repo/other/a.md", ""), put(".gitignore", "*.md\n");
    assert_found("repo/docs", "repo/docs/keep.txt\nrepo/docs/sub/keep.txt\n"
                              "repo/docs/sub/kept.md\n");
    assert_found("repo/docs/sub", "repo/docs/sub/keep.txt\nrepo/docs/sub/kept.md\n");
    assert_found("repo/other", "repo/other/a.md\n");
    /* An excluded folder that is named is walked. */
    assert_found("repo/docs/build", "repo/docs/build/x.md\n");
}

static void a_work_tree_finds_the_excludes_of_its_repository(void **state)
{
    (void)state;
    put("main/.git/info/exclude", "no.md\n");
    put("main/.git/worktrees/tree/commondir", "../..\n");
    put("tree/.git", "gitdir: ../main/.git/worktrees/tree\n");
    put("tree/no.md", ""), put("tree/yes.md", "");
    assert_found("tree", "tree/yes.md\n");
}

static int count_warnings(const rag_event *event, void *user)
{
    *(unsigned *)user += event->kind == RAG_EVENT_WARNING;
    return 0;
}

static void a_path_deeper_than_the_system_allows_is_skipped_with_a_warning(void **state)
{
    (void)state;
    /* Folders made one in the other reach beyond PATH_MAX. */
    put("x.md", "");
    char name[200], *working = getcwd(NULL, 0);
    memset(name, 'd', sizeof name - 1);
    name[sizeof name - 1] = 0;
    assert_int_equal(chdir(folder), 0);
    unsigned depth = 0;
    for (; depth < 25; depth++) {
        assert_int_equal(mkdir(name, 0777), 0);
        assert_int_equal(chdir(name), 0);
    }
    unsigned warnings = 0;
    struct events events = {count_warnings, &warnings};
    size_t skipped;
    struct buf text = found(".", &events, &skipped);
    assert_string_equal(text.data, "x.md\n");
    buf_release(&text);
    assert_int_equal(skipped, 1);
    assert_int_equal(warnings, 1);
    for (; depth > 0; depth--) {
        assert_int_equal(chdir(".."), 0);
        assert_int_equal(rmdir(name), 0);
    }
    assert_int_equal(chdir(working), 0);
    free(working);
}

static void what_is_not_there_is_an_error_that_names_it(void **state)
{
    (void)state;
    const char *const paths[] = {folder, "/no/such/folder"};
    struct file_list list;
    rag_error error;
    size_t skipped;
    assert_status(RAG_INPUT, walk_paths(paths, 2, NULL, &list, &skipped, &error), &error);
    assert_says(&error, "/no/such/folder");
    assert_int_equal(list.count, 0);
}

static rag_status count_folder(const char *path, void *user, rag_error *error)
{
    (void)path, (void)error;
    ++*(size_t *)user;
    return RAG_OK;
}

/* With the rules of all folders on the way, and without a look at what lies elsewhere. */
static void a_walk_within_some_paths_finds_what_a_whole_one_finds_there(void **state)
{
    (void)state;
    put("docs/.gitignore", "secret.md\n");
    put("docs/a/b/x.md", "");
    put("docs/a/b/secret.md", "");
    put("docs/a/b.md", "");
    put("docs/a.b/y.md", "");
    put("docs/c/z.md", "");
    put("docs/c/d/z.md", "");
    char *root = in_folder("docs");
    const char *const roots[] = {root};
    static const char *const within[] = {"docs/a/b", "docs/c/z.md", "docs/gone"};
    static const char *const expected[] = {"docs/a/b/x.md", "docs/c/z.md"};
    struct file_list parts = {0}, list;
    for (size_t i = 0; i < 3; i++) {
        char *full = in_folder(within[i]);
        assert_true(file_list_add(&parts, full));
        free(full);
    }
    file_list_sort(&parts);
    size_t folders = 0, skipped;
    rag_error error;
    struct walk_hooks hooks = {.within = &parts, .on_folder = count_folder, .user = &folders};
    assert_ok(walk_paths_with(roots, 1, NULL, &hooks, &list, &skipped, &error), &error);
    assert_int_equal(list.count, 2);
    for (size_t i = 0; i < 2; i++)
        assert_string_equal(list.paths[i] + strlen(folder) + 1, expected[i]);
    assert_int_equal(folders, 4); /* docs, docs/a, docs/a/b, docs/c */
    assert_true(file_list_covers(&parts, list.paths[0]));
    assert_false(file_list_covers(&parts, root));
    file_list_release(&list);
    file_list_release(&parts);
    free(root);
}

static int stop(const rag_event *event, void *user)
{
    (void)user;
    return event->kind == RAG_EVENT_PROGRESS;
}

static void a_walk_can_be_interrupted(void **state)
{
    (void)state;
    put("x.md", "");
    const char *const paths[] = {folder};
    struct events events = {stop, NULL};
    struct file_list list;
    rag_error error;
    size_t skipped;
    assert_status(RAG_INTERRUPTED, walk_paths(paths, 1, &events, &list, &skipped, &error),
                  &error);
}

int main(void)
{
#define WALK_TEST(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        WALK_TEST(files_are_sorted_by_bytes_and_hidden_or_unknown_ones_left_out),
        WALK_TEST(a_file_named_outright_is_taken_whatever_its_name),
        WALK_TEST(each_file_is_found_once_whatever_paths_lead_to_it),
        WALK_TEST(links_to_files_are_taken_and_links_to_folders_are_not_followed),
        WALK_TEST(patterns_of_the_folder_and_of_the_repository_around_it_count),
        WALK_TEST(a_work_tree_finds_the_excludes_of_its_repository),
        WALK_TEST(a_path_deeper_than_the_system_allows_is_skipped_with_a_warning),
        WALK_TEST(what_is_not_there_is_an_error_that_names_it),
        WALK_TEST(a_walk_within_some_paths_finds_what_a_whole_one_finds_there),
        WALK_TEST(a_walk_can_be_interrupted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
