/* Any file makes a tokenizer whose tokens keep within their limits, or is refused. The
 * first byte says what the rest is: j tokenizer.json, m *.model, t vocab.txt, k *.tiktoken. */
#define _XOPEN_SOURCE 700
#include "text/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char text[] = " The \xEF\xAC\x81rst  \xE6\xB0\xB4\xE6\xB2\xB3 <mask> na\xC3\xAFve "
                           "e\xCC\x81 [SEP] a<s>ab \xC2\xAD\xC2\xBD don't\n";

static char path[128];

static void remove_file(void)
{
    remove(path);
}

static void check(const struct tokenizer *tokenizer)
{
    struct token_list list = {0};
    rag_text whole = {text, sizeof text - 1};
    if (tokenizer_encode_single(tokenizer, whole, &list, NULL) != RAG_OK)
        abort();
    for (size_t i = 0; i < list.count; i++)
        if (list.ids[i] < 0 || (size_t)list.ids[i] >= tokenizer_vocabulary(tokenizer) ||
            list.begin[i] > list.end[i] || list.end[i] > whole.size)
            abort();
    size_t most = tokenizer_specials_pair(tokenizer) + 5;
    token_list_clear(&list);
    if (tokenizer_encode_pair(tokenizer, whole, whole, most, &list, NULL, NULL) != RAG_OK ||
        list.count > most)
        abort();
    token_list_release(&list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const char *end = data[0] == 'j'   ? "json"
                      : data[0] == 'm' ? "model"
                      : data[0] == 'k' ? "tiktoken"
                                       : "txt";
    const char *folder = getenv("TMPDIR");
    if (path[0] == '\0')
        atexit(remove_file);
    else
        remove_file();
    snprintf(path, sizeof path, "%.64s/rag-fuzz-%ld.%s", folder ? folder : "/tmp",
             (long)getpid(), end);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(data + 1, 1, size - 1, file) != size - 1 || fclose(file) != 0)
        abort();
    struct tokenizer *tokenizer;
    rag_error error;
    rag_status status = tokenizer_open(path, &tokenizer, &error);
    if (status != RAG_OK && status != RAG_MODEL && status != RAG_MEMORY)
        abort();
    if (!status)
        check(tokenizer);
    tokenizer_free(tokenizer);
    return 0;
}
