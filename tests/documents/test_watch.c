/* The promises of watch.h, on Linux: what is told of changes in folders that are watched. */
#define _XOPEN_SOURCE 700
#include "support/test.h"

#include "base/file.h"
#include "documents/walk.h"
#include "documents/watch.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/rag-test-XXXXXX";
static struct watch *watched;
static rag_error error;

static const char *in_folder(const char *name)
{
    static char paths[4][4096];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static int make_folder(void **state)
{
    (void)state;
    memcpy(folder + sizeof folder - 7, "XXXXXX", 6);
    assert_non_null(mkdtemp(folder));
    assert_ok(watch_new(&watched, &error), &error);
    assert_ok(watch_folder(watched, folder, &error), &error);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    watch_free(watched);
    assert_ok(directory_remove(folder, &error), &error);
    return 0;
}

static rag_status note(const char *path, bool is_folder, void *user, rag_error *trouble)
{
    (void)trouble;
    char *noted = path_join(path, is_folder ? "" : "/");
    assert_non_null(noted);
    assert_true(file_list_add(user, is_folder ? noted : path));
    free(noted);
    return RAG_OK;
}

/* All that is told in a while; whether any was lost. */
static bool tell(struct file_list *changed)
{
    bool lost = false;
    *changed = (struct file_list){0};
    for (size_t before = SIZE_MAX; before != changed->count;) {
        before = changed->count;
        assert_ok(watch_wait(watched, 50, note, changed, &lost, &error), &error);
    }
    file_list_sort(changed);
    return lost;
}

/* A folder is told with a slash at its end. */
static void expect(size_t count, const char *const *names)
{
    struct file_list changed;
    assert_false(tell(&changed));
    assert_int_equal(changed.count, count);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(changed.paths[i], in_folder(names[i]));
    file_list_release(&changed);
}
#define EXPECT(...)                                                                            \
    expect(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *),                             \
           (const char *[]){__VA_ARGS__})

static void write_file(const char *name)
{
    FILE *file = fopen(in_folder(name), "w");
    assert_non_null(file);
    fputs("x", file);
    assert_int_equal(fclose(file), 0);
}

static void files_that_come_change_move_and_go_are_told(void **state)
{
    (void)state;
    write_file("a");
    EXPECT("a");
    write_file("a");
    EXPECT("a");
    assert_int_equal(rename(in_folder("a"), in_folder("b")), 0);
    EXPECT("a", "b");
    assert_int_equal(chmod(in_folder("b"), 0600), 0);
    EXPECT("b");
    assert_int_equal(unlink(in_folder("b")), 0);
    EXPECT("b");
    expect(0, NULL);
}

static void a_folder_is_watched_by_itself_and_under_its_new_path(void **state)
{
    (void)state;
    assert_int_equal(mkdir(in_folder("d"), 0700), 0);
    EXPECT("d/");
    write_file("d/a");
    expect(0, NULL);
    assert_ok(watch_folder(watched, in_folder("d"), &error), &error);
    assert_ok(watch_folder(watched, in_folder("d"), &error), &error);
    assert_int_equal(watch_count(watched), 2);
    write_file("d/b");
    EXPECT("d/b");
    assert_int_equal(rename(in_folder("d"), in_folder("e")), 0);
    EXPECT("d/", "e/");
    assert_int_equal(watch_count(watched), 1);
    write_file("e/c");
    expect(0, NULL);
    assert_ok(watch_folder(watched, in_folder("e"), &error), &error);
    write_file("e/d");
    EXPECT("e/d");
    assert_ok(directory_remove(in_folder("e"), &error), &error);
    struct file_list changed;
    assert_false(tell(&changed));
    assert_true(file_list_covers(&changed, in_folder("e/")));
    file_list_release(&changed);
    assert_int_equal(watch_count(watched), 1);
    assert_ok(watch_folder(watched, in_folder("gone"), &error), &error);
    assert_int_equal(watch_count(watched), 1);
}

static size_t queue_limit(void)
{
    unsigned long limit = 16384;
    FILE *file = fopen("/proc/sys/fs/inotify/max_queued_events", "r");
    if (file) {
        assert_int_equal(fscanf(file, "%lu", &limit), 1);
        assert_int_equal(fclose(file), 0);
    }
    return limit;
}

static void more_than_the_system_keeps_is_told_as_lost(void **state)
{
    (void)state;
    size_t limit = queue_limit();
    if (limit > 200000)
        skip();
    for (size_t i = 0; i < limit; i++) { /* two events each */
        write_file(i % 2 ? "a" : "b");
        assert_int_equal(unlink(in_folder(i % 2 ? "a" : "b")), 0);
    }
    struct file_list changed;
    assert_true(tell(&changed));
    file_list_release(&changed);
    write_file("after");
    EXPECT("after");
}

int main(void)
{
#define WATCH_TEST(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        WATCH_TEST(files_that_come_change_move_and_go_are_told),
        WATCH_TEST(a_folder_is_watched_by_itself_and_under_its_new_path),
        WATCH_TEST(more_than_the_system_keeps_is_told_as_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
