#include "support/test.h"
#include "text/utf8.h"

static void every_character_is_read_as_it_is_written(void **state)
{
    (void)state;
    for (int32_t code = 0; code < 0x110000; code++) {
        if (code == 0xD800)
            code = 0xE000;
        char bytes[4];
        size_t length, size = utf8_encode(code, bytes);
        assert_int_equal(utf8_decode(bytes, size, &length), code);
        assert_int_equal(length, size);
        assert_int_equal(utf8_valid_prefix(bytes, size), size);
        if (size > 1) {
            assert_int_equal(utf8_decode(bytes, size - 1, &length), -1);
            assert_int_equal(length, 1);
        }
    }
}

static void what_rfc_3629_forbids_is_invalid(void **state)
{
    (void)state;
    const char *const invalid[] = {"\x80",
                                   "\xC0\x80",
                                   "\xC1\xBF",
                                   "\xE0\x80\x80",
                                   "\xED\xA0\x80",
                                   "\xED\xBF\xBF",
                                   "\xF0\x80\x80\x80",
                                   "\xF4\x90\x80\x80",
                                   "\xF5\x80\x80\x80",
                                   "\xFF",
                                   "\xE2\x28\xA1",
                                   "\xF0\x9F\x98"};
    for (size_t i = 0; i < sizeof invalid / sizeof *invalid; i++) {
        size_t length;
        assert_int_equal(utf8_decode(invalid[i], strlen(invalid[i]), &length), -1);
        assert_int_equal(length, 1);
        assert_int_equal(utf8_valid_prefix(invalid[i], strlen(invalid[i])), 0);
    }
}

static void the_first_invalid_byte_is_found(void **state)
{
    (void)state;
    char text[64];
    for (size_t at = 0; at < sizeof text; at++) {
        memset(text, 'a', sizeof text);
        text[at] = '\xFE';
        assert_int_equal(utf8_valid_prefix(text, sizeof text), at);
    }
}

static void a_cut_never_falls_into_a_character(void **state)
{
    (void)state;
    const char text[] = "a\xC3\xA9\xE6\xB0\xB4\xF0\x9F\x98\x80z"; /* a é 水 😀 z */
    const size_t expected[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11};
    for (size_t offset = 0; offset < sizeof expected / sizeof *expected; offset++)
        assert_int_equal(utf8_floor(text, 11, offset), expected[offset]);
    assert_int_equal(utf8_floor(text, 11, 50), 11);
}

static void stray_bytes_are_characters_of_their_own(void **state)
{
    (void)state;
    const char text[] = "\x80\x80\x80\x80";
    for (size_t offset = 0; offset <= 4; offset++)
        assert_int_equal(utf8_floor(text, 4, offset), offset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_character_is_read_as_it_is_written),
        cmocka_unit_test(what_rfc_3629_forbids_is_invalid),
        cmocka_unit_test(the_first_invalid_byte_is_found),
        cmocka_unit_test(a_cut_never_falls_into_a_character),
        cmocka_unit_test(stray_bytes_are_characters_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
