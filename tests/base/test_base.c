/* The promises of src/base: bounded buffers, whole files, paths, hashes, messages. */
#define _XOPEN_SOURCE 700
#include "support/test.h"

#include "base/buf.h"
#include "base/event.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"

#include <stdlib.h>
#include <unistd.h>

static void a_buffer_never_grows_past_its_maximum(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(10);
    assert_true(buf_append_text(&b, "12345"));
    assert_false(buf_append_text(&b, "678901"));
    assert_string_equal(b.data, "12345");
    assert_true(buf_printf(&b, "%d", 67890));
    assert_int_equal(b.size, 10);
    assert_false(buf_append_char(&b, '!'));
    assert_string_equal(b.data, "1234567890");
    buf_release(&b);
}

static void a_detached_buffer_is_a_string_even_when_empty(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(10);
    char *text = buf_detach(&b);
    assert_non_null(text);
    assert_string_equal(text, "");
    assert_null(b.data);
    free(text);
}

static void sizes_that_overflow_are_refused(void **state)
{
    (void)state;
    assert_null(alloc_array(SIZE_MAX / 2, 4));
    void *items = NULL;
    size_t capacity = 0;
    assert_false(array_reserve(&items, &capacity, SIZE_MAX / 2, 8));
    assert_null(items);
}

static void paths_become_absolute_without_dots(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"/a/b/../c", "/a/c"}, {"/", "/"},           {"/..", "/"},   {"//a//./b/", "/a/b"},
        {"/a/../../b", "/b"},  {"/a/..b", "/a/..b"}, {"/a/.", "/a"},
    };
    rag_error error;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *absolute;
        assert_ok(path_absolute(cases[i][0], &absolute, &error), &error);
        assert_string_equal(absolute, cases[i][1]);
        free(absolute);
    }
    char *relative, working[4096];
    assert_non_null(getcwd(working, sizeof working));
    assert_ok(path_absolute("x/../.", &relative, &error), &error);
    assert_string_equal(relative, working);
    free(relative);
}

static void files_come_back_as_they_were_written(void **state)
{
    (void)state;
    char folder[] = "/tmp/rag-test-XXXXXX";
    assert_non_null(mkdtemp(folder));
    rag_error error;
    char *deep = path_join(folder, "a/b/c");
    assert_ok(directory_make(deep, &error), &error);
    char *file = path_join(deep, "f"), *copy = path_join(deep, "g");
    static const char bytes[] = "one\0two";
    assert_ok(file_write(file, bytes, sizeof bytes, &error), &error);
    assert_ok(file_copy(file, copy, &error), &error);

    struct buf read = BUF_INIT(100);
    assert_ok(file_read(copy, &read, &error), &error);
    assert_int_equal(read.size, sizeof bytes);
    assert_memory_equal(read.data, bytes, sizeof bytes);
    struct buf small = BUF_INIT(4);
    assert_status(RAG_INPUT, file_read(copy, &small, &error), &error);
    assert_says(&error, copy);

    struct mapped_file map;
    assert_ok(file_map(file, &map, &error), &error);
    assert_int_equal(map.size, sizeof bytes);
    assert_memory_equal(map.data, bytes, sizeof bytes);
    mapped_file_release(&map);

    struct hash of_file, of_bytes;
    assert_ok(hash_file(file, &of_file, &error), &error);
    assert_ok(hash_bytes(bytes, sizeof bytes, &of_bytes, &error), &error);
    assert_memory_equal(&of_file, &of_bytes, sizeof of_file);

    assert_status(RAG_INPUT, file_read(deep, &read, &error), &error);
    assert_says(&error, "not a regular file");
    assert_ok(directory_remove(folder, &error), &error);
    assert_false(path_is_directory(folder));
    assert_ok(directory_remove(folder, &error), &error);
    buf_release(&read);
    free(deep), free(file), free(copy);
}

static void a_known_text_has_its_published_sha256(void **state)
{
    (void)state;
    /* FIPS 180-4's example "abc". */
    rag_error error;
    struct hash h;
    char hex[HASH_HEX_SIZE];
    assert_ok(hash_bytes("abc", 3, &h, &error), &error);
    hash_to_hex(&h, hex);
    assert_string_equal(hex,
                        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void a_long_message_is_cut_at_a_whole_character(void **state)
{
    (void)state;
    char text[3001];
    for (size_t i = 0; i < 1000; i++)
        memcpy(text + 3 * i, "中", 3);
    text[3000] = '\0';
    rag_error error;
    assert_int_equal(fail_with(&error, RAG_INPUT, "%s", text), RAG_INPUT);
    assert_int_equal(strlen(error.message) % 3, 0);
    fail_within(&error, RAG_INPUT, "x");
    assert_int_equal((strlen(error.message) - strlen("x: ")) % 3, 0);
    assert_says(&error, "x: 中");
}

static int stop_at_once(const rag_event *event, void *user)
{
    *(rag_event_kind *)user = event->kind;
    return 1;
}

static void an_event_tells_whether_to_stop(void **state)
{
    (void)state;
    rag_event_kind kind = RAG_EVENT_NOTE;
    struct events heard = {stop_at_once, &kind};
    assert_true(event_progress(&heard, "stage", "bytes", 1, 2, NULL));
    assert_int_equal(kind, RAG_EVENT_PROGRESS);
    event_warning(&heard, "%d", 1);
    assert_int_equal(kind, RAG_EVENT_WARNING);
    assert_false(event_progress(NULL, "stage", "bytes", 1, 2, NULL));
}

static void every_status_has_texts_and_numbers(void **state)
{
    (void)state;
    assert_int_equal(rag_status_exit(RAG_OK), 0);
    assert_int_equal(rag_status_exit(RAG_INTERRUPTED), 130);
    assert_int_equal(rag_status_http(RAG_NOT_FOUND), 404);
    for (int s = RAG_OK; s <= RAG_INTERRUPTED; s++) {
        assert_string_not_equal(rag_status_text((rag_status)s), "unknown status");
        assert_in_range(rag_status_http((rag_status)s), 200, 599);
    }
    assert_string_equal(rag_status_text((rag_status)999), "unknown status");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_buffer_never_grows_past_its_maximum),
        cmocka_unit_test(a_detached_buffer_is_a_string_even_when_empty),
        cmocka_unit_test(sizes_that_overflow_are_refused),
        cmocka_unit_test(paths_become_absolute_without_dots),
        cmocka_unit_test(files_come_back_as_they_were_written),
        cmocka_unit_test(a_known_text_has_its_published_sha256),
        cmocka_unit_test(a_long_message_is_cut_at_a_whole_character),
        cmocka_unit_test(an_event_tells_whether_to_stop),
        cmocka_unit_test(every_status_has_texts_and_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
