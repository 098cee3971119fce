/* The promises of a packed tokenizer: it says the same of itself as the parsed one, and one
 * that someone damaged on purpose is refused or gives wrong tokens, but reads nothing outside.
 * (That its tokens are the reference's is tested where those of the parsed one are.) */
#include "support/test.h"
#include "text/packed_copy.h"

#include "base/packed_format.h"

#include <stdlib.h>

static const char *folder;

enum { TOKENIZERS = 8 };
static const char *const names[TOKENIZERS] = {"unigram.model", "unigram",    "metaspace-split",
                                              "strip",         "normalized", "first",
                                              "wordpiece",     "cased"};

static const char *path_of(size_t i)
{
    static char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, names[i]);
    return path;
}

static void it_is_the_same_tokenizer_as_the_parsed_one(void **state)
{
    (void)state;
    for (size_t i = 0; i < TOKENIZERS; i++) {
        struct tokenizer *parsed, *packed;
        struct hash parsed_hash, packed_hash;
        rag_error error;
        assert_ok(tokenizer_open(path_of(i), &parsed, &error), &error);
        assert_ok(packed_copy(tokenizer_path(parsed), &packed, &error), &error);
        assert_true(tokenizer_is_packed(packed));
        assert_false(tokenizer_is_packed(parsed));
        assert_string_equal(tokenizer_kind(packed), tokenizer_kind(parsed));
        assert_string_equal(tokenizer_path(packed), tokenizer_path(parsed));
        assert_int_equal(tokenizer_vocabulary(packed), tokenizer_vocabulary(parsed));
        assert_ok(tokenizer_file_hash(parsed, &parsed_hash, &error), &error);
        assert_ok(tokenizer_file_hash(packed, &packed_hash, &error), &error);
        assert_memory_equal(&parsed_hash, &packed_hash, sizeof packed_hash);
        for (int32_t id = -1; id <= (int32_t)tokenizer_vocabulary(parsed); id++) {
            const char *a = tokenizer_piece(parsed, id), *b = tokenizer_piece(packed, id);
            assert_true(a && b ? strcmp(a, b) == 0 : a == b);
            assert_int_equal(tokenizer_is_special(parsed, id),
                             tokenizer_is_special(packed, id));
            float x = tokenizer_information(parsed, id), y = tokenizer_information(packed, id);
            assert_memory_equal(&x, &y, sizeof x);
        }
        assert_int_equal(tokenizer_specials_before(packed), tokenizer_specials_before(parsed));
        assert_int_equal(tokenizer_specials_after(packed), tokenizer_specials_after(parsed));
        assert_int_equal(tokenizer_specials_pair(packed), tokenizer_specials_pair(parsed));
        tokenizer_free(parsed);
        tokenizer_free(packed);
    }
}

static const char text[] =
    " The \xEF\xAC\x81rst  \xE6\xB0\xB4\xE6\xB2\xB3 <mask> na\xC3\xAFve "
    "e\xCC\x81 [SEP] a<s>ab \xC2\xAD\xC2\xBD don't\n"
    "\xE1\x84\x80\xE1\x85\xA1 \xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x92\xBB "
    "a\xCC\xA3\xCC\x87 \xC4\xB0stanbul caf\xC3\xA9";

/* Opens a copy of the bytes and uses it. Whether it was refused. */
static bool use(const unsigned char *bytes, size_t size)
{
    struct packed *packed;
    struct tokenizer *tokenizer;
    struct token_list list = {0};
    rag_error error;
    rag_status status = packed_parse(bytes, size, NULL, NULL, &packed, &error);
    assert_true(status == RAG_OK || status == RAG_MODEL || status == RAG_NOT_FOUND);
    if (status)
        return true;
    status = tokenizer_unpack(packed, "tokenizer", &tokenizer, &error);
    if (status) {
        assert_true(status == RAG_MODEL || status == RAG_MEMORY);
        packed_close(packed);
        return true;
    }
    rag_text whole = {text, sizeof text - 1};
    assert_ok(tokenizer_encode_single(tokenizer, whole, &list, &error), &error);
    for (size_t i = 0; i < list.count; i++) {
        assert_true(list.ids[i] >= 0 && (size_t)list.ids[i] < tokenizer_vocabulary(tokenizer));
        assert_true(list.begin[i] <= list.end[i] && list.end[i] <= whole.size);
        const char *piece = tokenizer_piece(tokenizer, list.ids[i]);
        assert_true(!piece || strlen(piece) < size);
    }
    token_list_clear(&list);
    size_t most = tokenizer_specials_pair(tokenizer) + 5;
    assert_ok(tokenizer_encode_pair(tokenizer, whole, whole, most, &list, NULL, &error),
              &error);
    token_list_release(&list);
    tokenizer_free(tokenizer);
    return false;
}

static uint32_t random_state = 1;

static uint32_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state;
}

/* In a section at random, small and large ones alike, a word becomes one that leads astray. */
static void damage(unsigned char *bytes)
{
    static const uint32_t telling[] = {0,          1,          2,          0x7FFFFFFF,
                                       0x80000000, 0x80000001, UINT32_MAX, UINT32_MAX - 1,
                                       0x40000000, 0x20000000, 0x10000000, 0x08000000,
                                       0x7FF00000, 0x7FF80000, 0xFFF00000, 0xFFFF};
    struct packed_header *header = (void *)bytes;
    const struct packed_entry *entries = (void *)(bytes + header->table_offset);
    const struct packed_entry *entry = &entries[next_random() % header->section_count];
    if (entry->size < 4)
        return;
    size_t at = entry->offset + next_random() % (entry->size - 3);
    if (next_random() % 4)
        at &= ~(size_t)3;
    uint32_t value = next_random() % 4 ? telling[next_random() % 16] : next_random();
    memcpy(bytes + at, &value, sizeof value);
}

static void one_made_to_do_harm_reads_nothing_outside(void **state)
{
    (void)state;
    enum { ROUNDS = 400 };
    size_t refused = 0, taken = 0;
    for (size_t i = 0; i < TOKENIZERS; i++) {
        unsigned char *whole, *bytes;
        size_t size;
        rag_error error;
        assert_ok(packed_bytes(path_of(i), &whole, &size, &error), &error);
        assert_false(use(whole, size));
        for (size_t round = 0; round < ROUNDS; round++) {
            bytes = aligned_alloc(PACKED_ALIGNMENT, (size + 63) / 64 * 64);
            assert_non_null(bytes);
            memcpy(bytes, whole, size);
            for (uint32_t damages = next_random() % 8 + 1; damages; damages--)
                damage(bytes);
            packed_sign(bytes, size);
            if (use(bytes, size))
                refused++;
            else
                taken++;
            free(bytes);
        }
        free(whole);
    }
    assert_true(refused > 100 && taken > 100);
}

/* Without checksums that were made to match, all that encoding uses is refused. */
static void damage_by_accident_is_refused(void **state)
{
    (void)state;
    unsigned char *bytes;
    size_t size;
    rag_error error;
    assert_ok(packed_bytes(path_of(1), &bytes, &size, &error), &error);
    const struct packed_header *header = (void *)bytes;
    const struct packed_entry *entries = (void *)(bytes + header->table_offset);
    for (size_t i = 0; i < header->section_count; i++) {
        if (strncmp(entries[i].name, "pieces.", 7) == 0)
            continue;
        for (size_t at = 0; at < entries[i].size; at += entries[i].size / 50 + 1) {
            bytes[entries[i].offset + at] ^= 4;
            assert_true(use(bytes, size));
            bytes[entries[i].offset + at] ^= 4;
        }
    }
    assert_false(use(bytes, size));
    free(bytes);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        print_error("usage: test_tokenizer_packed FOLDER\n");
        return 2;
    }
    folder = argv[1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_the_same_tokenizer_as_the_parsed_one),
        cmocka_unit_test(one_made_to_do_harm_reads_nothing_outside),
        cmocka_unit_test(damage_by_accident_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
