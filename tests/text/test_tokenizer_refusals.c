/* Files that are missing, cut off or damaged: refused with a sentence that names the file,
 * or read as something that still works; never a crash (run this under sanitizers). */
#define _XOPEN_SOURCE 700
#include "support/test.h"
#include "text/tokenizer.h"

#include "base/file.h"
#include "base/memory.h"

#include <stdlib.h>
#include <unistd.h>

static char folder[4096];

static int make_folder(void **state)
{
    (void)state;
    const char *parent = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/rag-text-XXXXXX", parent ? parent : "/tmp");
    return mkdtemp(folder) ? 0 : 1;
}

static int remove_folder(void **state)
{
    (void)state;
    rag_error error;
    return directory_remove(folder, &error) != RAG_OK;
}

static void write_file(const char *name, const void *data, size_t size, char path[4200])
{
    snprintf(path, 4200, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void read_sample(const char *name, struct buf *file)
{
    char path[4200];
    rag_error error;
    snprintf(path, sizeof path, "%s/text/%s", TEST_DATA, name);
    *file = BUF_INIT(1 << 22);
    assert_ok(file_read(path, file, &error), &error);
}

static void assert_refused(const char *name, const char *content, const char *words)
{
    char path[4200];
    rag_error error;
    struct tokenizer *tokenizer;
    write_file(name, content, strlen(content), path);
    assert_status(RAG_MODEL, tokenizer_open(path, &tokenizer, &error), &error);
    assert_null(tokenizer);
    assert_says(&error, path);
    assert_says(&error, words);
}

static void what_is_no_tokenizer_is_refused_by_name(void **state)
{
    (void)state;
    rag_error error;
    struct tokenizer *tokenizer;
    assert_status(RAG_MODEL, tokenizer_open("/nowhere/tokenizer.json", &tokenizer, &error),
                  &error);
    assert_says(&error, "/nowhere/tokenizer.json");
    char empty[4300];
    snprintf(empty, sizeof empty, "%s/empty", folder);
    assert_ok(directory_make(empty, &error), &error);
    assert_status(RAG_MODEL, tokenizer_open(empty, &tokenizer, &error), &error);
    assert_says(&error, "no tokenizer.json");
    assert_refused("weights.bin", "x", "not a tokenizer");
    assert_refused("empty.json", "", "line");
    assert_refused("empty.model", "", "empty");
    assert_refused("empty.txt", "", "[UNK]");
    assert_refused("array.json", "[]", "(none)");
    assert_refused("bpe.json", "{\"model\":{\"type\":\"BPE\"}}", "BPE");
}

static void settings_that_would_give_other_ids_are_refused(void **state)
{
    (void)state;
    assert_refused("bytes.json",
                   "{\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"byte_fallback\":true,"
                   "\"vocab\":[[\"<unk>\",0]]}}",
                   "byte_fallback");
    assert_refused("unk.json",
                   "{\"model\":{\"type\":\"Unigram\",\"unk_id\":7,\"vocab\":[[\"<unk>\",0]]}}",
                   "unk_id");
    assert_refused("lower.json",
                   "{\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"<unk>\",0]]},"
                   "\"normalizer\":{\"type\":\"Lowercase\"}}",
                   "Lowercase");
    assert_refused("split.json",
                   "{\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"<unk>\",0]]},"
                   "\"pre_tokenizer\":{\"type\":\"Digits\"}}",
                   "Digits");
    assert_refused("charsmap.json",
                   "{\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"<unk>\",0]]},"
                   "\"normalizer\":{\"type\":\"Precompiled\","
                   "\"precompiled_charsmap\":\"////////\"}}",
                   "charsmap");
}

/* Opens, and uses what opens. */
static void try_file(const char *path)
{
    static const char text[] = "The ﬁrst 水 <mask> naïve e\xCC\x81 [SEP]  x";
    rag_error error;
    struct tokenizer *tokenizer;
    struct token_list list = {0};
    rag_status status = tokenizer_open(path, &tokenizer, &error);
    if (status) {
        assert_int_equal(status, RAG_MODEL);
        assert_says(&error, path);
        return;
    }
    rag_text whole = {text, sizeof text - 1};
    assert_ok(tokenizer_encode_single(tokenizer, whole, &list, &error), &error);
    for (size_t i = 0; i < list.count; i++) {
        assert_in_range(list.ids[i], 0, tokenizer_vocabulary(tokenizer) - 1);
        assert_true(list.begin[i] <= list.end[i] && list.end[i] <= whole.size);
    }
    token_list_release(&list);
    tokenizer_free(tokenizer);
}

static void check_damage(const char *sample, const char *name)
{
    struct buf file;
    char path[4200];
    read_sample(sample, &file);
    for (size_t i = 0; i < 40; i++) {
        write_file(name, file.data, file.size * i / 40, path);
        try_file(path);
    }
    uint32_t random = 1;
    for (size_t i = 0; i < 120; i++) {
        struct buf damaged = BUF_INIT(1 << 22);
        assert_true(buf_append(&damaged, file.data, file.size));
        for (size_t j = 0; j < 1 + i % 4; j++) {
            random = random * 1664525 + 1013904223;
            /* Half of them near the beginning, where the structure is. */
            size_t within = i % 2 ? file.size : file.size < 3000 ? file.size : 3000;
            damaged.data[random % within] = (char)(random >> 24);
        }
        write_file(name, damaged.data, damaged.size, path);
        try_file(path);
        buf_release(&damaged);
    }
    buf_release(&file);
}

static void a_damaged_tokenizer_json_does_no_harm(void **state)
{
    (void)state;
    check_damage("unigram/tokenizer.json", "tokenizer.json");
    check_damage("wordpiece/tokenizer.json", "tokenizer.json");
}

static void a_damaged_sentencepiece_model_does_no_harm(void **state)
{
    (void)state;
    check_damage("unigram.model", "damaged.model");
}

static void a_damaged_vocabulary_does_no_harm(void **state)
{
    (void)state;
    check_damage("wordpiece/vocab.txt", "vocab.txt");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_tokenizer_is_refused_by_name),
        cmocka_unit_test(settings_that_would_give_other_ids_are_refused),
        cmocka_unit_test(a_damaged_tokenizer_json_does_no_harm),
        cmocka_unit_test(a_damaged_sentencepiece_model_does_no_harm),
        cmocka_unit_test(a_damaged_vocabulary_does_no_harm),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
