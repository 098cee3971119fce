/* The promises of packed.h to a reader: what was written is found again, and a file that is
 * damaged, cut off or of something else is refused whatever byte is wrong. */
#define _XOPEN_SOURCE 700
#include "support/test.h"

#include "base/checksum.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/packed_format.h"

#include <stdlib.h>
#include <unistd.h>

static const struct hash source = {.bytes = "the source of the tests' files.."};
static const char variant[] = "test-1";
enum { LARGE = 100000 };

/* Where the tests' file lies, and its bytes. */
static char path[1024];
static unsigned char *bytes;
static size_t size;

static void fill(unsigned char *data, size_t count)
{
    for (size_t i = 0; i < count; i++)
        data[i] = (unsigned char)(i * i >> 3 ^ i);
}

static int write_file(void **state)
{
    (void)state;
    const char *temporary = getenv("TMPDIR");
    snprintf(path, sizeof path, "%s/rag-packed-%ld", temporary ? temporary : "/tmp",
             (long)getpid());
    unsigned char *large = malloc(LARGE);
    struct packed_writer *writer;
    rag_error error;
    assert_non_null(large);
    fill(large, LARGE);
    assert_ok(packed_writer_new(path, &source, variant, &writer, &error), &error);
    assert_ok(packed_put(writer, "numbers", (const uint32_t[]){1, 2, 3}, 12, &error), &error);
    assert_ok(packed_put(writer, "empty", NULL, 0, &error), &error);
    assert_ok(packed_begin(writer, "large", &error), &error);
    for (size_t at = 0; at < LARGE; at += 1000)
        assert_ok(packed_write(writer, large + at, 1000, &error), &error);
    assert_ok(packed_end(writer, &error), &error);
    assert_ok(packed_writer_commit(writer, &error), &error);
    free(large);

    struct buf content = BUF_INIT(1 << 20);
    assert_ok(file_read(path, &content, &error), &error);
    size = content.size;
    bytes = alloc_aligned(size, 1);
    assert_non_null(bytes);
    memcpy(bytes, content.data, size);
    buf_release(&content);
    return 0;
}

static int remove_file(void **state)
{
    (void)state;
    free(bytes);
    return unlink(path);
}

/* Opens a copy that ends where the file ends, so that a sanitizer sees a read behind it. */
static rag_status parse(const unsigned char *data, size_t count, rag_error *error)
{
    struct packed *packed;
    unsigned char *copy = malloc(count ? count : 1);
    assert_non_null(copy);
    memcpy(copy, data, count);
    rag_status status = packed_parse(copy, count, &source, variant, &packed, error);
    assert_true(status ? packed == NULL : packed != NULL);
    if (!status)
        status = packed_verify(packed, error);
    packed_close(packed);
    free(copy);
    return status;
}

static void a_checksum_is_xxh3(void **state)
{
    (void)state;
    /* xxhsum 0.8.1 -H3 of these bytes. */
    assert_int_equal(checksum_bytes("", 0), 0x2d06800538d394c2);
    assert_int_equal(checksum_bytes("packed", 6), 0x5f67a2b7d2136dc0);
    struct checksum *checksum;
    rag_error error;
    unsigned char data[5000];
    fill(data, sizeof data);
    assert_ok(checksum_new(&checksum, &error), &error);
    for (size_t at = 0; at < sizeof data; at += 100)
        checksum_update(checksum, data + at, 100);
    assert_int_equal(checksum_value(checksum), checksum_bytes(data, sizeof data));
    checksum_free(checksum);
}

static void what_was_written_is_found_aligned(void **state)
{
    (void)state;
    struct packed *packed;
    rag_error error;
    const void *data;
    size_t found;
    assert_ok(packed_open(path, &source, variant, &packed, &error), &error);
    assert_ok(packed_array(packed, "numbers", 3, 4, &data, &error), &error);
    assert_memory_equal(data, ((const uint32_t[]){1, 2, 3}), 12);
    assert_int_equal((uintptr_t)data % PACKED_ALIGNMENT, 0);
    assert_true(packed_section(packed, "empty", &data, &found));
    assert_int_equal(found, 0);
    assert_true(packed_section(packed, "large", &data, &found));
    assert_int_equal(found, LARGE);
    assert_int_equal((uintptr_t)data % PACKED_ALIGNMENT, 0);
    unsigned char *large = malloc(LARGE);
    assert_non_null(large);
    fill(large, LARGE);
    assert_memory_equal(data, large, LARGE);
    free(large);
    assert_ok(packed_verify(packed, &error), &error);

    struct packed_info info;
    packed_get_info(packed, &info);
    assert_string_equal(info.rag_version, RAG_VERSION);
    assert_string_equal(info.variant, variant);
    assert_memory_equal(info.source.bytes, source.bytes, HASH_SIZE);
    assert_int_equal(info.sections, 3);
    assert_int_equal(info.bytes, size);
    packed_close(packed);
}

static void a_section_of_another_size_or_name_is_refused(void **state)
{
    (void)state;
    struct packed *packed;
    rag_error error;
    const void *data;
    size_t found;
    assert_ok(packed_open(path, &source, variant, &packed, &error), &error);
    assert_false(packed_section(packed, "number", &data, &found));
    assert_false(packed_section(packed, "zzz", &data, &found));
    assert_status(RAG_MODEL, packed_array(packed, "numbers", 4, 4, &data, &error), &error);
    assert_says(&error, "12 bytes, not 4 x 4");
    assert_status(RAG_MODEL, packed_array(packed, "numbers", SIZE_MAX / 2, 4, &data, &error),
                  &error);
    assert_status(RAG_MODEL, packed_array(packed, "absent", 0, 4, &data, &error), &error);
    assert_says(&error, "no section absent");
    packed_close(packed);
}

static void another_source_variant_or_version_means_pack_again(void **state)
{
    (void)state;
    struct packed *packed;
    rag_error error;
    struct hash other = source;
    other.bytes[31] ^= 1;
    assert_status(RAG_NOT_FOUND, packed_open(path, &other, variant, &packed, &error), &error);
    assert_says(&error, path);
    assert_says(&error, "something else");
    assert_status(RAG_NOT_FOUND, packed_open(path, &source, "test-2", &packed, &error), &error);
    assert_says(&error, "packed as test-1, not test-2");
    assert_status(RAG_NOT_FOUND, packed_open("/nowhere/x", &source, variant, &packed, &error),
                  &error);
    assert_ok(packed_open(path, NULL, NULL, &packed, &error), &error);
    packed_close(packed);

    struct packed_header *header = (void *)bytes;
    header->version++;
    assert_status(RAG_NOT_FOUND, parse(bytes, size, &error), &error);
    assert_says(&error, "format 2, not 1");
    header->version--;
}

static void a_file_that_is_cut_off_anywhere_is_refused(void **state)
{
    (void)state;
    struct packed_header *header = (void *)bytes;
    rag_error error;
    for (size_t end = 0; end < size;
         end += end >= sizeof *header && end + 1000 < header->table_offset ? 997 : 1)
        assert_status(RAG_MODEL, parse(bytes, end, &error), &error);
}

static void every_byte_of_header_and_table_counts(void **state)
{
    (void)state;
    struct packed_header *header = (void *)bytes;
    rag_error error;
    assert_ok(parse(bytes, size, &error), &error);
    for (size_t at = 0; at < size; at++) {
        if (at == sizeof *header)
            at = header->table_offset;
        for (unsigned bit = 0; bit < 8; bit++) {
            bytes[at] ^= (unsigned char)(1u << bit);
            rag_status status = parse(bytes, size, &error);
            assert_true(status == RAG_MODEL || (status == RAG_NOT_FOUND && at >= 8 && at < 12));
            bytes[at] ^= (unsigned char)(1u << bit);
        }
    }
}

static void damage_at_an_end_is_found_on_opening_and_all_by_verify(void **state)
{
    (void)state;
    struct packed *packed;
    rag_error error;
    const void *data;
    size_t found;
    assert_ok(packed_parse(bytes, size, NULL, NULL, &packed, &error), &error);
    assert_true(packed_section(packed, "large", &data, &found));
    size_t begin = (size_t)((const unsigned char *)data - bytes);
    packed_close(packed);
    for (size_t at = 0; at < LARGE; at += 61) {
        bytes[begin + at] ^= 0x10;
        rag_status status = packed_parse(bytes, size, NULL, NULL, &packed, &error);
        bool sampled = at < PACKED_SAMPLE || at >= LARGE - PACKED_SAMPLE;
        assert_int_equal(status, sampled ? RAG_MODEL : RAG_OK);
        if (!status)
            assert_status(RAG_MODEL, packed_verify(packed, &error), &error);
        assert_says(&error, "section large does not match");
        packed_close(packed);
        bytes[begin + at] ^= 0x10;
    }
}

/* Someone who makes a file on purpose can make its checksums match. */
static void sign(unsigned char *data, size_t count)
{
    struct packed_header *header = (void *)data;
    header->table_checksum =
        checksum_bytes(data + header->table_offset, count - header->table_offset);
    header->checksum = checksum_bytes(header, offsetof(struct packed_header, checksum));
}

static void offsets_that_lead_outside_are_refused_with_right_checksums(void **state)
{
    (void)state;
    struct packed_header *header = (void *)bytes, old_header = *header;
    struct packed_entry *entries = (void *)(bytes + header->table_offset);
    struct packed_entry old = entries[1];
    static const uint64_t telling[] = {0,          1,         64,         128,
                                       UINT64_MAX, INT64_MAX, UINT32_MAX, UINT64_MAX - 63,
                                       2 * LARGE,  1u << 31,  1ull << 40, UINT64_MAX - 95};
    rag_error error;
    for (size_t i = 0; i < sizeof telling / sizeof *telling; i++) {
        entries[1].offset = telling[i];
        sign(bytes, size);
        assert_status(RAG_MODEL, parse(bytes, size, &error), &error);
        entries[1] = old;
        entries[1].size = telling[i];
        sign(bytes, size);
        assert_status(RAG_MODEL, parse(bytes, size, &error), &error);
        entries[1] = old;
        header->table_offset = telling[i];
        header->checksum = checksum_bytes(header, offsetof(struct packed_header, checksum));
        assert_status(RAG_MODEL, parse(bytes, size, &error), &error);
        *header = old_header;
        header->section_count = (uint32_t)telling[i];
        header->checksum = checksum_bytes(header, offsetof(struct packed_header, checksum));
        assert_status(RAG_MODEL, parse(bytes, size, &error), &error);
        *header = old_header;
    }
    memset(entries[1].name, 'a', sizeof entries[1].name); /* no zero at its end */
    sign(bytes, size);
    assert_status(RAG_MODEL, parse(bytes, size, &error), &error);
    memcpy(entries[1].name, entries[0].name, sizeof entries[1].name); /* twice */
    sign(bytes, size);
    assert_status(RAG_MODEL, parse(bytes, size, &error), &error);
    entries[1] = old;
    *header = old_header;
    assert_ok(parse(bytes, size, &error), &error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_checksum_is_xxh3),
        cmocka_unit_test(what_was_written_is_found_aligned),
        cmocka_unit_test(a_section_of_another_size_or_name_is_refused),
        cmocka_unit_test(another_source_variant_or_version_means_pack_again),
        cmocka_unit_test(a_file_that_is_cut_off_anywhere_is_refused),
        cmocka_unit_test(every_byte_of_header_and_table_counts),
        cmocka_unit_test(damage_at_an_end_is_found_on_opening_and_all_by_verify),
        cmocka_unit_test(offsets_that_lead_outside_are_refused_with_right_checksums),
    };
    return cmocka_run_group_tests(tests, write_file, remove_file);
}
