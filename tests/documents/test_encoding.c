/* The promises of encoding.h: what is text is read, what is not is refused with its
 * place. The byte strings are written out here, so that no iconv vouches for itself. */
#include "support/test.h"

#include "documents/encoding.h"

static const char sample[] = "中文测试，标题。Text 1\n";

static struct buf decode(const void *bytes, size_t size, const char *encoding)
{
    struct buf out = BUF_INIT(1 << 20);
    rag_error error;
    const char *name;
    assert_ok(encoding_to_utf8(bytes, size, &out, &name, &error), &error);
    assert_string_equal(name, encoding);
    return out;
}

#define assert_decodes(bytes, encoding, expected)                                              \
    do {                                                                                       \
        struct buf got_ = decode(bytes, sizeof bytes - 1, encoding);                           \
        assert_string_equal(got_.data, expected);                                              \
        assert_int_equal(got_.size, strlen(expected));                                         \
        buf_release(&got_);                                                                    \
    } while (0)

#define assert_refused(bytes, words)                                                           \
    do {                                                                                       \
        struct buf out_ = BUF_INIT(1 << 20);                                                   \
        rag_error error_;                                                                      \
        const char *name_;                                                                     \
        assert_true(buf_append_text(&out_, "before"));                                         \
        assert_status(RAG_INPUT,                                                               \
                      encoding_to_utf8(bytes, sizeof bytes - 1, &out_, &name_, &error_),       \
                      &error_);                                                                \
        assert_says(&error_, words);                                                           \
        assert_string_equal(out_.data, "before");                                              \
        buf_release(&out_);                                                                    \
    } while (0)

static void utf8_stays_as_it_is_with_its_mark(void **state)
{
    (void)state;
    assert_decodes("", "UTF-8", "");
    assert_decodes("plain", "UTF-8", "plain");
    assert_decodes("中文测试，标题。Text 1\n", "UTF-8", sample);
    assert_decodes("\xEF\xBB\xBFx", "UTF-8", "\xEF\xBB\xBFx");
}

static void utf16_is_known_by_its_mark(void **state)
{
    (void)state;
    assert_decodes("\xFF\xFEh\0i\0\x2D\x4E", "UTF-16LE", "hi中");
    assert_decodes("\xFE\xFF\0h\0i\x4E\x2D", "UTF-16BE", "hi中");
    /* U+1F600 as a pair of surrogates. */
    assert_decodes("\xFF\xFE\x3D\xD8\x00\xDE", "UTF-16LE", "\xF0\x9F\x98\x80");
}

static void utf16_without_a_mark_is_known_by_its_zeros(void **state)
{
    (void)state;
    assert_decodes("T\0e\0x\0t\0 \0o\0n\0e\0", "UTF-16LE", "Text one");
    assert_decodes("\0T\0e\0x\0t\0 \0o\0n\0e", "UTF-16BE", "Text one");
    /* 中文，一 1\n : the ideograph 一 is U+4E00, whose low byte is zero too. */
    assert_decodes("\x2D\x4E\x87\x65\x0C\xFF\x00\x4E\n\0", "UTF-16LE", "中文，一\n");
    assert_decodes("\x4E\x2D\x65\x87\xFF\x0C\x4E\x00\0\n", "UTF-16BE", "中文，一\n");
}

static void gb18030_of_one_two_and_four_bytes_is_read(void **state)
{
    (void)state;
    /* GB2312 */
    assert_decodes("\xD6\xD0\xCE\xC4\xB2\xE2\xCA\xD4\xA3\xAC\xB1\xEA\xCC\xE2\xA1\xA3"
                   "Text 1\n",
                   "GB18030", sample);
    /* GBK: 镕 is 0xE946, outside GB2312. */
    assert_decodes("\xD6\xEC\xE9\x46\xBB\xF9\xA1\xA3", "GB18030", "朱镕基。");
    /* Four bytes: U+1F600 is 94 39 FC 36. */
    assert_decodes("\xD6\xD0\xCE\xC4\xA3\xAC\x94\x39\xFC\x36\xB2\xE2\xCA\xD4", "GB18030",
                   "中文，\xF0\x9F\x98\x80测试");
}

static void latin_1_is_refused_although_it_may_be_valid_gb18030(void **state)
{
    (void)state;
    /* ï and é with the letter behind them are characters of GBK. */
    assert_refused("na\xEFve r\xE9sum\xE9s", "0xEF at offset 2");
    assert_refused("caf\xE9 ol\xE9", "iconv -f LATIN1 -t UTF-8");
    assert_refused("na\xEFve", "not UTF-8");
}

static void other_encodings_are_not_taken_for_chinese(void **state)
{
    (void)state;
    /* KOI8-R: "привет мир" */
    assert_refused("\xD0\xD2\xC9\xD7\xC5\xD4 \xCD\xC9\xD2\n", "not UTF-8");
    /* EUC-KR, 60 syllables: every pair is an ideograph of GB2312, and none is common. */
    char korean[121] = "";
    for (size_t i = 0; i < 60; i++) {
        korean[2 * i] = (char)(0xC8 - i % 5);
        korean[2 * i + 1] = (char)(0xF0 + i % 11);
    }
    assert_refused(korean, "not UTF-8");
}

static void binary_data_is_refused_with_its_place(void **state)
{
    (void)state;
    assert_refused("\x7F"
                   "ELF\2\1\1\0\0\0\0\0\0\0\0\0",
                   "binary data");
    assert_refused("\x89PNG\r\n\x1A\n\0\0\0\rIHDR\0\0\1\0\0\0", "at offset");
    assert_refused("text\1\2\3\4\5\6", "0x01 at offset 4");
    assert_refused("\xFF\xFE\0\0T\0\0\0", "UTF-32");
}

static void damaged_text_is_refused_with_its_place(void **state)
{
    (void)state;
    assert_refused("中文测试\xE6\x96", "damaged UTF-8: byte 0xE6 at offset 12");
    assert_refused("\xEF\xBB\xBF"
                   "abc\xFF",
                   "offset 6");
    assert_refused("surrogate: 中文\xED\xA0\x80 in UTF-8", "offset 17");
    assert_refused("\xFF\xFEh\0i", "incomplete UTF-16LE sequence at offset 2");
    assert_refused("\xFF\xFEh\0\x00\xDCi\0", "invalid UTF-16LE sequence at offset 2");
    assert_refused("\xFE\xFF\0h\xD8\x3D", "UTF-16BE");
    /* GB18030 that is cut off, after enough characters to be known for it. */
    char chinese[2 * 50 + 2];
    for (size_t i = 0; i < 50; i++)
        memcpy(chinese + 2 * i, "\xD6\xD0", 2);
    memcpy(chinese + 100, "\xD6", 2);
    assert_refused(chinese, "GB18030 up to byte 0xD6 at offset 100");
}

static void a_text_may_not_grow_past_the_buffer(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(8);
    rag_error error;
    const char *name;
    assert_status(RAG_INPUT, encoding_to_utf8("123456789", 9, &out, &name, &error), &error);
    assert_says(&error, "more than 8 bytes");
    assert_status(RAG_INPUT,
                  encoding_to_utf8("\xD6\xD0\xCE\xC4\xB2\xE2", 6, &out, &name, &error), &error);
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8_stays_as_it_is_with_its_mark),
        cmocka_unit_test(utf16_is_known_by_its_mark),
        cmocka_unit_test(utf16_without_a_mark_is_known_by_its_zeros),
        cmocka_unit_test(gb18030_of_one_two_and_four_bytes_is_read),
        cmocka_unit_test(latin_1_is_refused_although_it_may_be_valid_gb18030),
        cmocka_unit_test(other_encodings_are_not_taken_for_chinese),
        cmocka_unit_test(binary_data_is_refused_with_its_place),
        cmocka_unit_test(damaged_text_is_refused_with_its_place),
        cmocka_unit_test(a_text_may_not_grow_past_the_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
