/* The promises of tokenizer_cache.h and packed_files.h: where packed files lie, that a
 * tokenizer comes out of its packed file exactly while that is the one of its file, and that no
 * failure to keep one matters. */
#define _XOPEN_SOURCE 700
#include "model/files.h"
#include "support/test.h"

#include "base/file.h"
#include "model/packed_files.h"
#include "pipeline/tokenizer_cache.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char *model, *cache;

enum { WORDS = 20000 }; /* enough that the file is worth packing */

/* A vocab.txt in which `word` has the last id. */
static void put_vocabulary(const char *word)
{
    struct buf text = BUF_INIT(1 << 20);
    assert_true(buf_append_text(&text, "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n"));
    for (size_t i = 0; i < WORDS; i++)
        assert_true(buf_printf(&text, "w%05zu\n", i));
    assert_true(buf_printf(&text, "%s\n", word));
    put_bytes(model, "vocab.txt", text.data, text.size);
    buf_release(&text);
}

static int make_folders(void **state)
{
    (void)state;
    model = folder_make();
    cache = folder_make();
    put_vocabulary("apple");
    return setenv("RAG_CACHE", cache, 1);
}

static int drop_folders(void **state)
{
    (void)state;
    folder_drop(model);
    folder_drop(cache);
    return unsetenv("RAG_CACHE");
}

/* Opens, and tells whether it came packed and which id `word` has. */
static bool open_it(const char *word, int32_t *id)
{
    struct tokenizer *tokenizer;
    struct token_list tokens = {0};
    rag_error error;
    assert_ok(tokenizer_open_cached(model, &tokenizer, &error), &error);
    assert_ok(tokenizer_encode(tokenizer, (rag_text){word, strlen(word)}, &tokens, &error),
              &error);
    *id = tokens.count == 1 ? tokens.ids[0] : -1;
    bool packed = tokenizer_is_packed(tokenizer);
    assert_string_equal(tokenizer_path(tokenizer), in(model, "vocab.txt"));
    token_list_release(&tokens);
    tokenizer_free(tokenizer);
    return packed;
}

static char *only_packed_file(void)
{
    struct packed_names names;
    rag_error error;
    assert_ok(packed_names_read(model, &names, &error), &error);
    assert_int_equal(names.count, 1);
    char *path = strdup(names.paths[0]);
    assert_non_null(path);
    packed_names_release(&names);
    return path;
}

static void the_cache_is_where_the_environment_says(void **state)
{
    (void)state;
    char *folder, *home = strdup(getenv("HOME") ? getenv("HOME") : "/");
    rag_error error;
    assert_ok(packed_folder("/models/BAAI/bge-m3", &folder, &error), &error);
    assert_int_equal(strncmp(folder, cache, strlen(cache)), 0);
    assert_non_null(strstr(folder, "/models/bge-m3-"));
    char *other;
    assert_ok(packed_folder("/elsewhere/bge-m3", &other, &error), &error);
    assert_string_not_equal(folder, other);
    free(other);
    assert_ok(packed_folder("/models/./BAAI/../BAAI/bge-m3/", &other, &error), &error);
    assert_string_equal(folder, other);
    free(other);
    free(folder);

    assert_int_equal(symlink(model, in(cache, "link")), 0);
    assert_ok(packed_folder(model, &folder, &error), &error);
    assert_ok(packed_folder(in(cache, "link"), &other, &error), &error);
    assert_string_equal(folder, other);
    free(other);
    free(folder);

    setenv("RAG_CACHE", "", 1);
    setenv("XDG_CACHE_HOME", "/xdg", 1);
    assert_ok(packed_folder("/m", &folder, &error), &error);
    assert_int_equal(strncmp(folder, "/xdg/rag/models/m-", 18), 0);
    free(folder);
    setenv("XDG_CACHE_HOME", "relative", 1);
    setenv("HOME", "/home/x", 1);
    assert_ok(packed_path("/m", "a.ragpack", &folder, &error), &error);
    assert_int_equal(strncmp(folder, "/home/x/.cache/rag/models/m-", 28), 0);
    assert_non_null(strstr(folder, "/a.ragpack"));
    free(folder);
    unsetenv("HOME");
    assert_status(RAG_NOT_FOUND, packed_folder("/m", &folder, &error), &error);
    int32_t id;
    assert_false(open_it("apple", &id)); /* works all the same */
    assert_int_equal(id, WORDS + 5);
    unsetenv("XDG_CACHE_HOME");
    setenv("HOME", home, 1);
    free(home);
}

static void the_second_time_it_comes_packed(void **state)
{
    (void)state;
    int32_t id;
    assert_false(open_it("apple", &id));
    assert_int_equal(id, WORDS + 5);
    assert_true(open_it("apple", &id));
    assert_int_equal(id, WORDS + 5);
    char *path = only_packed_file();
    assert_non_null(strstr(path, "/vocab.txt.ragpack"));
    free(path);
}

static void a_small_file_is_packed_only_when_asked_to(void **state)
{
    (void)state;
    int32_t id;
    char *path;
    rag_error error;
    put(model, "vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\napple\n");
    assert_false(open_it("apple", &id));
    assert_false(open_it("apple", &id));
    assert_ok(tokenizer_pack_cached(model, &path, &error), &error);
    assert_true(path_is_file(path));
    free(path);
    assert_true(open_it("apple", &id));
    assert_int_equal(id, 5);
}

/* What is changed, when it was changed, and what lies beside it. */
static void another_file_is_parsed_and_replaces_the_packed_one(void **state)
{
    (void)state;
    int32_t id;
    assert_false(open_it("apple", &id));
    put_vocabulary("pears"); /* as many bytes */
    assert_false(open_it("pears", &id));
    assert_int_equal(id, WORDS + 5);
    assert_true(open_it("pears", &id));
    assert_int_equal(id, WORDS + 5);
    free(only_packed_file());

    assert_true(open_it("PEARS", &id));
    assert_int_equal(id, WORDS + 5); /* lower case is the default */
    put(model, "tokenizer_config.json", "{\"do_lower_case\": false}");
    assert_false(open_it("PEARS", &id));
    assert_int_equal(id, 1);
    assert_true(open_it("PEARS", &id));
    assert_int_equal(id, 1);

    struct stat st;
    assert_int_equal(stat(in(model, "vocab.txt"), &st), 0);
    const struct timespec times[] = {st.st_mtim, {.tv_sec = st.st_mtim.tv_sec + 1}};
    assert_int_equal(utimensat(AT_FDCWD, in(model, "vocab.txt"), times, 0), 0);
    assert_false(open_it("pears", &id));
}

static void a_damaged_packed_file_is_made_anew(void **state)
{
    (void)state;
    int32_t id;
    assert_false(open_it("apple", &id));
    char *path = only_packed_file();
    struct buf content = BUF_INIT(1 << 26);
    rag_error error;
    assert_ok(file_read(path, &content, &error), &error);
    for (size_t at = 5; at < content.size; at = at * 3 + 11) {
        /* As an update in place would be: a new file of the same name. */
        content.data[at] ^= 0x40;
        assert_ok(file_write(path, content.data, content.size, &error), &error);
        content.data[at] ^= 0x40;
        (void)open_it("apple", &id);
        assert_int_equal(id, WORDS + 5);
    }
    assert_ok(file_write(path, content.data, content.size / 2, &error), &error);
    assert_false(open_it("apple", &id));
    assert_true(open_it("apple", &id));
    assert_int_equal(id, WORDS + 5);
    buf_release(&content);
    free(path);
}

static void a_cache_that_cannot_be_written_does_no_harm(void **state)
{
    (void)state;
    int32_t id;
    char *path;
    rag_error error;
    put(cache, "file", "");
    setenv("RAG_CACHE", in(cache, "file"), 1);
    assert_false(open_it("apple", &id));
    assert_int_equal(id, WORDS + 5);
    assert_false(open_it("apple", &id));
    assert_status(RAG_INPUT, tokenizer_pack_cached(model, &path, &error), &error);
    assert_says(&error, "file");
}

static void a_full_disk_does_no_harm(void **state)
{
    (void)state;
    int32_t id;
    struct rlimit old, small;
    struct packed_names names;
    rag_error error;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = 100000;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    assert_false(open_it("apple", &id));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, SIG_DFL);
    assert_int_equal(id, WORDS + 5);
    assert_ok(packed_names_read(model, &names, &error), &error);
    assert_int_equal(names.count, 0);
    packed_names_release(&names);
    assert_false(open_it("apple", &id));
    assert_true(open_it("apple", &id));
}

static void processes_that_pack_at_once_all_succeed(void **state)
{
    (void)state;
    enum { PROCESSES = 4 };
    pid_t children[PROCESSES];
    for (size_t i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0) {
            char *path;
            rag_error error;
            _exit(tokenizer_pack_cached(model, &path, &error) ? 1 : 0);
        }
    }
    for (size_t i = 0; i < PROCESSES; i++) {
        int result;
        assert_int_equal(waitpid(children[i], &result, 0), children[i]);
        assert_int_equal(result, 0);
    }
    int32_t id;
    assert_true(open_it("apple", &id));
    assert_int_equal(id, WORDS + 5);
    free(only_packed_file());
}

static void what_is_no_tokenizer_is_the_same_error_as_without_a_cache(void **state)
{
    (void)state;
    struct tokenizer *tokenizer;
    rag_error error;
    assert_status(RAG_MODEL, tokenizer_open_cached("/nowhere/vocab.txt", &tokenizer, &error),
                  &error);
    assert_says(&error, "/nowhere/vocab.txt");
    assert_status(RAG_MODEL, tokenizer_open_cached(cache, &tokenizer, &error), &error);
    assert_says(&error, "no tokenizer.json");
    put(model, "tokenizer.json", "{");
    assert_status(RAG_MODEL, tokenizer_open_cached(model, &tokenizer, &error), &error);
    assert_says(&error, "tokenizer.json: line 1");
}

#define WITH_FOLDERS(test) cmocka_unit_test_setup_teardown(test, make_folders, drop_folders)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FOLDERS(the_cache_is_where_the_environment_says),
        WITH_FOLDERS(the_second_time_it_comes_packed),
        WITH_FOLDERS(a_small_file_is_packed_only_when_asked_to),
        WITH_FOLDERS(another_file_is_parsed_and_replaces_the_packed_one),
        WITH_FOLDERS(a_damaged_packed_file_is_made_anew),
        WITH_FOLDERS(a_cache_that_cannot_be_written_does_no_harm),
        WITH_FOLDERS(a_full_disk_does_no_harm),
        WITH_FOLDERS(processes_that_pack_at_once_all_succeed),
        WITH_FOLDERS(what_is_no_tokenizer_is_the_same_error_as_without_a_cache),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
