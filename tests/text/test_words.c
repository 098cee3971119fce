#include "support/test.h"
#include "text/words.h"

#include "base/buf.h"

/* The terms with a space behind each; "+" before those at the place of the one before. */
static int write_word(const struct word *word, void *user)
{
    struct buf *out = user;
    if ((word->colocated && !buf_append_char(out, '+')) ||
        !buf_append(out, word->term, word->size) || !buf_append_char(out, ' '))
        return 1;
    return 0;
}

static void assert_words(const char *text, const char *expected)
{
    struct buf out = BUF_INIT(1 << 16);
    assert_true(buf_append(&out, "", 0));
    assert_int_equal(words_each((rag_text){text, strlen(text)}, write_word, &out), 0);
    assert_string_equal(out.data, expected);
    buf_release(&out);
}

static void letters_are_compared_without_case_accents_and_width(void **state)
{
    (void)state;
    assert_words("Naïve ＧＲÖẞＥ ﬁne", "naive grosse fine ");
    assert_words("e\xCC\x81t\xC3\xA9", "ete ");
    assert_words("Ⅳ ㎞ ΑΣ ё", "iv km ασ е ");
}

static void scripts_without_spaces_give_characters_and_pairs(void **state)
{
    (void)state;
    assert_words("注意力", "注 +注意 意 +意力 力 ");
    assert_words("第3章，模", "第 3 章 模 ");
    assert_words("PyTorch框架", "pytorch +py +torch 框 +框架 架 ");
    assert_words("คน", "ค +คน น ");
    assert_words("한국", "한 +한국 국 ");
}

static void composed_and_decomposed_forms_are_one(void **state)
{
    (void)state;
    assert_words("ｶﾞ", "ガ ");
    assert_words("\xE3\x81\x8B\xE3\x82\x99", "が ");             /* か, voicing mark */
    assert_words("\xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB", "한 "); /* letters of 한 */
}

static void identifiers_are_found_whole_and_in_parts(void **state)
{
    (void)state;
    assert_words("DotProductAttention", "dotproductattention +dot +product +attention ");
    assert_words("attention_mechanism", "attention_mechanism +attention +mechanism ");
    assert_words("HTTPServer", "httpserver +http +server ");
    assert_words("resnet50", "resnet50 +resnet +50 ");
    assert_words("bge-m3", "bge-m3 +bge +m3 ");
    assert_words("__init__ self._x", "init self x ");
    assert_words("C++ and C#", "c++ +c and c# +c ");
}

static void short_names_numbers_and_contractions_stay_whole(void **state)
{
    (void)state;
    assert_words("x86", "x86 ");
    assert_words("fp16", "fp16 ");
    assert_words("3.14.", "3.14 +3 +14 ");
    assert_words("don't", "don't +don ");
    assert_words("John\xE2\x80\x99s", "john's +john ");
    assert_words("end. Next - one", "end next one ");
}

static void letters_that_people_type_plainly_are_plain(void **state)
{
    (void)state;
    assert_words("Łódź Øre œuvre Ægir þorn đường", "lodz ore oeuvre aegir thorn duong ");
    assert_words("İstanbul ISTANBUL ıstanbul Straße", "istanbul istanbul istanbul strasse ");
    assert_words("Ångström Việt Ёлка", "angstrom viet елка ");
}

static void arabic_and_hebrew_are_found_without_their_points(void **state)
{
    (void)state;
    assert_words("كِتَابٌ كـتـاب كتاب", "كتاب كتاب كتاب ");
    assert_words("ٱلْكِتَاب أحمد", "الكتاب احمد ");
    assert_words("שָׁלוֹם", "שלום ");
}

static void indic_vowel_signs_tell_words_apart(void **state)
{
    (void)state;
    assert_words("की कि", "की कि ");
    assert_words("\xe0\xa5\x98 \xe0\xa4\x95\xe0\xa4\xbc",
                 "\xe0\xa4\x95\xe0\xa4\xbc \xe0\xa4\x95\xe0\xa4\xbc "); /* qa */
}

static void digits_of_all_scripts_are_one(void **state)
{
    (void)state;
    assert_words("١٢٣ ۱۲۳ १२३ １２３", "123 123 123 123 ");
}

static void numbers_are_found_as_they_are_written(void **state)
{
    (void)state;
    assert_words("v2.10 2024-01-15", "v2.10 +v2 +10 2024-01-15 +2024 +01 +15 ");
    assert_words("1,000 1000", "1000 +1 +000 1000 ");
    assert_words("1,234,567.89", "1234567.89 +1 +234 +567 +89 ");
    assert_words("1,00 1234,567 3,1415 1,000a", "1 00 1234 567 3 1415 1000a +1 +000a ");
}

static void names_of_languages_end_where_they_end(void **state)
{
    (void)state;
    assert_words("C++. C++17, C++-Code F#", "c++ +c c++ +c 17 c++ +c code f# +f ");
    assert_words("a++b a+++ .NET node.js", "a b a net node js ");
}

static void scripts_mix(void **state)
{
    (void)state;
    assert_words("GPU加速", "gpu 加 +加速 速 ");
    assert_words("5G网络", "5g 网 +网络 络 ");
    assert_words("nn.Linear模块", "nn linear 模 +模块 块 ");
    assert_words("kebab-case HTTPServer2",
                 "kebab-case +kebab +case httpserver2 +http +server +2 ");
}

static void particles_leave_the_word_that_they_follow(void **state)
{
    (void)state;
    assert_words("한국어는", "한 +한국 국 +국어 어 +어는 는 ");
    assert_words("日本語の", "日 +日本 本 +本語 語 +語の の ");
    assert_words("ไทย", "ไ +ไท ท +ทย ย ");
}

static void invisible_characters_say_nothing(void **state)
{
    (void)state;
    assert_words("soft\xC2\xADhyphen zero\xE2\x80\x8Djoiner", "softhyphen zerojoiner ");
    assert_words("zero\xE2\x80\x8Bwidth", "zero width "); /* a place for a line break */
    assert_words("注\xE2\x80\x8B意", "注 +注意 意 ");
    assert_words("👍🏽 👨\xE2\x80\x8D👩 ❤\xEF\xB8\x8F", "");
}

static void rare_han_characters_are_characters(void **state)
{
    (void)state;
    assert_words("𠮷野", "𠮷 +𠮷野 野 ");
    assert_words("𠀀𠀁", "𠀀 +𠀀𠀁 𠀁 ");
}

static void traditional_characters_are_other_ones(void **state)
{
    (void)state;
    assert_words("發展", "發 +發展 展 ");
    assert_words("发展", "发 +发展 展 ");
}

struct place {
    size_t begin, end;
};

static int keep_place(const struct word *word, void *user)
{
    struct place *place = user;
    place->begin = word->begin;
    place->end = word->end;
    return 0;
}

static void a_word_knows_its_bytes(void **state)
{
    (void)state;
    struct place place;
    const char text[] = " «Größe» ";
    assert_int_equal(words_each((rag_text){text, sizeof text - 1}, keep_place, &place), 0);
    assert_int_equal(place.begin, 3);
    assert_int_equal(place.end, 10);
}

static void invalid_bytes_part_words(void **state)
{
    (void)state;
    assert_words("ab\xFF"
                 "cd\xE6\xB0",
                 "ab cd ");
}

static int stop(const struct word *word, void *user)
{
    (void)word;
    return ++*(int *)user == 2 ? 7 : 0;
}

static void the_caller_can_stop(void **state)
{
    (void)state;
    int calls = 0;
    assert_int_equal(words_each((rag_text){"a b c d", 7}, stop, &calls), 7);
    assert_int_equal(calls, 2);
}

static int check_size(const struct word *word, void *user)
{
    *(size_t *)user += 1;
    return word->size > 600 || word->end <= word->begin;
}

static void a_word_without_end_is_parted(void **state)
{
    (void)state;
    static char text[100000];
    size_t words = 0;
    memset(text, 'x', sizeof text);
    assert_int_equal(words_each((rag_text){text, sizeof text}, check_size, &words), 0);
    assert_in_range(words, sizeof text / 200, sizeof text / 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(letters_are_compared_without_case_accents_and_width),
        cmocka_unit_test(scripts_without_spaces_give_characters_and_pairs),
        cmocka_unit_test(composed_and_decomposed_forms_are_one),
        cmocka_unit_test(identifiers_are_found_whole_and_in_parts),
        cmocka_unit_test(short_names_numbers_and_contractions_stay_whole),
        cmocka_unit_test(letters_that_people_type_plainly_are_plain),
        cmocka_unit_test(arabic_and_hebrew_are_found_without_their_points),
        cmocka_unit_test(indic_vowel_signs_tell_words_apart),
        cmocka_unit_test(digits_of_all_scripts_are_one),
        cmocka_unit_test(numbers_are_found_as_they_are_written),
        cmocka_unit_test(names_of_languages_end_where_they_end),
        cmocka_unit_test(scripts_mix),
        cmocka_unit_test(particles_leave_the_word_that_they_follow),
        cmocka_unit_test(invisible_characters_say_nothing),
        cmocka_unit_test(rare_han_characters_are_characters),
        cmocka_unit_test(traditional_characters_are_other_ones),
        cmocka_unit_test(a_word_knows_its_bytes),
        cmocka_unit_test(invalid_bytes_part_words),
        cmocka_unit_test(the_caller_can_stop),
        cmocka_unit_test(a_word_without_end_is_parted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
