/* Any text is tokenized, or refused exactly where it is not UTF-8; places are in order and
 * within the text. Words of any bytes keep their promises too. */
#include "text/tokenizer.h"
#include "text/utf8.h"
#include "text/words.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { KINDS = 5 };
static struct tokenizer *tokenizers[KINDS];

static void close_all(void)
{
    for (size_t i = 0; i < KINDS; i++)
        tokenizer_free(tokenizers[i]);
}

static void open_all(void)
{
    static const char *const names[KINDS] = {"unigram", "normalized", "strip",
                                             "metaspace-split", "wordpiece"};
    atexit(close_all);
    for (size_t i = 0; i < KINDS; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/text/%s", TEST_DATA, names[i]);
        if (tokenizer_open(path, &tokenizers[i], NULL))
            abort();
    }
}

static void check_tokens(const struct tokenizer *tokenizer, rag_text text)
{
    struct token_list list = {0};
    rag_status status = tokenizer_encode(tokenizer, text, &list, NULL);
    bool valid = utf8_valid_prefix(text.data, text.size) == text.size;
    if (status != (valid ? RAG_OK : RAG_INPUT))
        abort();
    for (size_t i = 0; i < list.count; i++)
        if (list.ids[i] < 0 || (size_t)list.ids[i] >= tokenizer_vocabulary(tokenizer) ||
            list.begin[i] > list.end[i] || list.end[i] > text.size ||
            (i && list.begin[i] < list.begin[i - 1]))
            abort();
    token_list_release(&list);
}

static int check_word(const struct word *word, void *user)
{
    const rag_text *text = user;
    if (word->size == 0 || word->begin >= word->end || word->end > text->size ||
        utf8_valid_prefix(word->term, word->size) != word->size)
        abort();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rag_text text = {(const char *)data, size};
    if (!tokenizers[0])
        open_all();
    for (size_t i = 0; i < KINDS; i++)
        check_tokens(tokenizers[i], text);
    if (words_each(text, check_word, &text) != 0)
        abort();
    return 0;
}
