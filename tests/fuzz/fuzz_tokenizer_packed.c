/* A packed tokenizer that was damaged on purpose, with checksums that match, is refused or
 * gives tokens within their limits. The first byte chooses a tokenizer of the tests; then come
 * damages of nine bytes: the section, the place within it (u32) and the word that is put there
 * (u32). */
#include "text/packed_copy.h"

#include "base/memory.h"
#include "base/packed_format.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TOKENIZERS = 5, DAMAGE = 9 };

static const char text[] = " The \xEF\xAC\x81rst  \xE6\xB0\xB4\xE6\xB2\xB3 <mask> na\xC3\xAFve "
                           "e\xCC\x81 [SEP] a<s>ab \xC2\xAD\xC2\xBD don't\n";

static unsigned char *files[TOKENIZERS];
static size_t sizes[TOKENIZERS];

static void make_files(void)
{
    static const char *const paths[TOKENIZERS] = {
        TEST_DATA "/text/unigram", TEST_DATA "/text/metaspace-split", TEST_DATA "/text/strip",
        TEST_DATA "/text/normalized", TEST_DATA "/text/wordpiece"};
    for (size_t i = 0; i < TOKENIZERS; i++)
        if (packed_bytes(paths[i], &files[i], &sizes[i], NULL))
            abort();
}

static void damage(unsigned char *file, const uint8_t *how)
{
    const struct packed_header *header = (const void *)file;
    const struct packed_entry *entries = (const void *)(file + header->table_offset);
    const struct packed_entry *entry = &entries[how[0] % header->section_count];
    uint32_t at;
    memcpy(&at, how + 1, sizeof at);
    if (entry->size >= 4)
        memcpy(file + entry->offset + at % (entry->size - 3), how + 5, 4);
}

static void use(const struct tokenizer *tokenizer)
{
    struct token_list list = {0};
    rag_text whole = {text, sizeof text - 1};
    if (tokenizer_encode_single(tokenizer, whole, &list, NULL) != RAG_OK)
        abort();
    for (size_t i = 0; i < list.count; i++)
        if (list.ids[i] < 0 || (size_t)list.ids[i] >= tokenizer_vocabulary(tokenizer) ||
            list.begin[i] > list.end[i] || list.end[i] > whole.size)
            abort();
    token_list_release(&list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct packed *packed;
    struct tokenizer *tokenizer;
    if (size < 1)
        return 0;
    if (!files[0])
        make_files();
    size_t chosen = data[0] % TOKENIZERS;
    unsigned char *file = alloc_aligned(sizes[chosen], 1);
    if (!file)
        abort();
    memcpy(file, files[chosen], sizes[chosen]);
    for (size_t at = 1; at + DAMAGE <= size; at += DAMAGE)
        damage(file, data + at);
    packed_sign(file, sizes[chosen]);
    rag_status status = packed_parse(file, sizes[chosen], NULL, NULL, &packed, NULL);
    if (status)
        abort();
    status = tokenizer_unpack(packed, "tokenizer", &tokenizer, NULL);
    if (status) {
        if (status != RAG_MODEL)
            abort();
        packed_close(packed);
    } else {
        use(tokenizer);
        tokenizer_free(tokenizer);
    }
    free(file);
    return 0;
}
