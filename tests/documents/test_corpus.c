/* The chunkers on a real book, d2l-zh, with the real XLM-RoBERTa vocabulary, and the
 * window arithmetic against the windows of the system that rag replaces
 * (windows.tsv and d2l-manifest.tsv; the shared folder's README says who made them). The
 * program's argument is the shared folder. */
#include "chunk_checks.h"

#include "base/file.h"
#include "base/hash.h"
#include "documents/walk.h"
#include "documents/window.h"

#include <stdlib.h>

static const char *shared;

static struct buf read_shared(const char *name)
{
    char *path = path_join(shared, name);
    struct buf text = BUF_INIT(1 << 26);
    rag_error error;
    assert_ok(file_read(path, &text, &error), &error);
    free(path);
    return text;
}

static void the_windows_are_those_of_the_original(void **state)
{
    (void)state;
    struct buf manifest = read_shared("seed/d2l-manifest.tsv");
    struct buf windows = read_shared("seed/windows.tsv");
    char *expected = strchr(windows.data, '\n') + 1;
    size_t total = 0;
    for (char *line = strchr(manifest.data, '\n') + 1; *line; line = strchr(line, '\n') + 1) {
        char path[256];
        size_t tokens;
        assert_int_equal(sscanf(line, "%255[^\t]\t%*u\t%*u\t%*[^\t]\t%zu", path, &tokens), 2);
        size_t count = window_count(tokens, 1024, 256);
        for (size_t i = 0; i < count; i++, total++) {
            char theirs[256];
            size_t number, start, end;
            assert_int_equal(
                sscanf(expected, "%255[^\t]\t%zu\t%zu\t%zu", theirs, &number, &start, &end), 4);
            expected = strchr(expected, '\n') + 1;
            struct window w = window_at(tokens, 1024, 256, i);
            assert_string_equal(theirs, path);
            assert_int_equal(number, i);
            assert_int_equal(w.start, start);
            assert_int_equal(w.end, end);
        }
    }
    assert_int_equal(*expected, 0);
    assert_int_equal(total, 1682);
    buf_release(&manifest);
    buf_release(&windows);
}

/* SHA-256 over the ids as 32-bit numbers, little-endian. */
static void hash_ids(const struct token_list *tokens, char hex[HASH_HEX_SIZE])
{
    struct buf bytes = BUF_INIT(1 << 26);
    struct hash hash;
    rag_error error;
    for (size_t i = 0; i < tokens->count; i++)
        for (int shift = 0; shift < 32; shift += 8)
            assert_true(buf_append_char(&bytes, (char)((uint32_t)tokens->ids[i] >> shift)));
    assert_ok(hash_bytes(bytes.data, bytes.size, &hash, &error), &error);
    hash_to_hex(&hash, hex);
    buf_release(&bytes);
}

/* The chunks of one cleaned text are the windows of its tokens, each to the byte. */
static size_t check_original_windows(const struct document *document,
                                     const struct tokenizer *tokenizer,
                                     const struct token_list *tokens)
{
    static const struct chunker_options options = {RAG_CHUNKER_WINDOW, 1024, 256,
                                                   RAG_CONTEXT_NONE};
    struct chunk_list list = {0};
    rag_error error;
    const char *text = document->text.data;
    assert_ok(chunk_document(document, tokenizer, &options, &list, &error), &error);
    assert_int_equal(list.count, window_count(tokens->count, 1024, 256));
    for (size_t i = 0; i < list.count; i++) {
        struct window w = window_at(tokens->count, 1024, 256, i);
        const struct chunk *chunk = &list.chunks[i];
        size_t size = document->text.size;
        assert_int_equal(chunk->tokens, w.end - w.start);
        assert_int_equal(chunk->begin, utf8_floor(text, size, tokens->begin[w.start]));
        assert_int_equal(chunk->end, utf8_floor(text, size, tokens->end[w.end - 1]));
    }
    size_t count = list.count;
    chunk_list_release(&list);
    return count;
}

static void its_texts_give_the_tokens_and_windows_of_the_original(void **state)
{
    (void)state;
    struct buf manifest = read_shared("seed/d2l-manifest.tsv");
    char *ranks = path_join(shared, "seed/cl100k_base.tiktoken");
    char *folder = path_join(shared, "seed/clean");
    struct tokenizer *tokenizer;
    rag_error error;
    size_t files = 0, windows = 0;
    assert_ok(tokenizer_open(ranks, &tokenizer, &error), &error);
    for (char *line = strchr(manifest.data, '\n') + 1; *line; line = strchr(line, '\n') + 1) {
        char path[256 + sizeof ".txt"], expected[HASH_HEX_SIZE], hex[HASH_HEX_SIZE];
        size_t count;
        assert_int_equal(
            sscanf(line, "%255[^\t]\t%*u\t%*u\t%*s\t%zu\t%64s", path, &count, expected), 3);
        memcpy(strrchr(path, '.'), ".txt", sizeof ".txt"); /* as they are named in clean/ */
        char *file = path_join(folder, path);
        struct document document;
        struct token_list tokens = {0};
        assert_ok(document_read(file, NULL, &document, &error), &error);
        rag_text text = {document.text.data, document.text.size};
        assert_ok(tokenizer_encode(tokenizer, text, &tokens, &error), &error);
        assert_int_equal(tokens.count, count);
        hash_ids(&tokens, hex);
        assert_string_equal(hex, expected);
        windows += check_original_windows(&document, tokenizer, &tokens);
        files++;
        token_list_release(&tokens);
        document_release(&document);
        free(file);
    }
    assert_int_equal(files, 278);
    assert_int_equal(windows, 1682);
    tokenizer_free(tokenizer);
    buf_release(&manifest);
    free(ranks), free(folder);
}

static void every_chapter_is_read_and_no_chunk_passes_its_limit(void **state)
{
    (void)state;
    char *folder = path_join(shared, "corpus/d2l-zh");
    char *vocabulary = path_join(shared, "oracles/xlmr.sentencepiece.bpe.model");
    const char *const paths[] = {folder};
    struct tokenizer *tokenizer;
    struct file_list files;
    rag_error error;
    size_t skipped, chunks = 0, headings = 0;
    assert_ok(tokenizer_open(vocabulary, &tokenizer, &error), &error);
    assert_ok(walk_paths(paths, 1, NULL, &files, &skipped, &error), &error);
    assert_int_equal(files.count, 278);
    assert_int_equal(skipped, 0);
    static const struct chunker_options options[] = {
        {RAG_CHUNKER_STRUCTURE, 400, 0, RAG_CONTEXT_HEADING},
        {RAG_CHUNKER_STRUCTURE, 128, 32, RAG_CONTEXT_DOCUMENT},
        {RAG_CHUNKER_WINDOW, 1024, 256, RAG_CONTEXT_NONE}};
    for (size_t i = 0; i < files.count; i++) {
        struct document d;
        assert_ok(document_read(files.paths[i], NULL, &d, &error), &error);
        for (size_t k = 0; k < sizeof options / sizeof *options; k++) {
            struct chunk_list list = {0};
            assert_ok(chunk_document(&d, tokenizer, &options[k], &list, &error), &error);
            check_chunks(&d, &list);
            if (options[k].chunker == RAG_CHUNKER_STRUCTURE)
                check_sizes(&d, tokenizer, &list, options[k].context, options[k].max_tokens);
            for (size_t c = 0; c < list.count; c++, chunks++)
                headings += *list.chunks[c].heading != 0;
            chunk_list_release(&list);
        }
        document_release(&d);
    }
    /* Each chapter begins with a title: nearly every chunk has a heading. */
    assert_true(chunks > 10000);
    assert_true(headings * 100 > chunks * 99);
    file_list_release(&files);
    tokenizer_free(tokenizer);
    free(folder), free(vocabulary);
}

int main(int count, char **arguments)
{
    if (count < 2)
        return 2;
    shared = arguments[1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_windows_are_those_of_the_original),
        cmocka_unit_test(its_texts_give_the_tokens_and_windows_of_the_original),
        cmocka_unit_test(every_chapter_is_read_and_no_chunk_passes_its_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
