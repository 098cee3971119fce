/* Where sentences.h finds their ends, as texts with "|" at each. */
#include "support/test.h"

#include "base/buf.h"
#include "documents/sentences.h"

/* Cuts the text with the bars left out, and puts them where it was cut. */
static void check(const char *expected)
{
    struct buf text = BUF_INIT(4096), cut = BUF_INIT(4096);
    for (const char *c = expected; *c; c++)
        if (*c != '|')
            assert_true(buf_append_char(&text, *c));
    for (size_t at = 0; at < text.size;) {
        size_t end = sentence_end(text.data, at, text.size);
        assert_true(end > at && end <= text.size);
        assert_true(buf_append(&cut, text.data + at, end - at));
        if (end < text.size)
            assert_true(buf_append_char(&cut, '|'));
        at = end;
    }
    assert_string_equal(cut.data, expected);
    buf_release(&text);
    buf_release(&cut);
}

static void chinese_and_japanese_sentences_end_at_their_marks(void **state)
{
    (void)state;
    check("第一句。|第二句！|第三句？|最后");
    check("他说：“好的。”|然后走了……|结束");
    check("（括号内。）|之后");
    check("真的？！|是。");
    check("これは文です。|次の文です。");
    check("数字3.14和v1.2.3不算。|下一句");
    check("吗?|是的!|好");
}

static void european_sentences_end_at_a_stop_before_a_new_one(void **state)
{
    (void)state;
    check("One. |Two! |Three? |Four");
    check("He said \"Stop.\" |Then he left. ");
    check("See Fig. 3 and e.g. Smith et al. for more. |Next.");
    check("Dr. J. Smith paid 3.50 dollars. |Ümlaut follows. |Ende");
    check("It was in 1999. |Then it ended.");
    check("a.b is code, and x.y. too");
    check("Wait... |Go on.");
    check("Привет. |Как дела?");
    check("1. An item begins. |It goes on.");
}

static void sentences_of_other_scripts_end_as_they_do_there(void **state)
{
    (void)state;
    check("안녕하세요. |오늘은 날씨가 좋습니다. |어디 가세요? |네!");
    check("이것은 3.5입니다. |끝");
    check("สวัสดีครับ |วันนี้อากาศดี |ไปไหนมา");
    check("ใช้ Python 3 กับ |โมเดล");
    check("ສະບາຍດີ |ມື້ນີ້");
    check("នេះជាប្រយោគ។ |ប្រយោគទីពីរ");
    check("ဒါပါ။ |နောက်တစ်ခု");
    check("यह वाक्य है। |दूसरा वाक्य।");
    check("هل هذا سؤال؟ |نعم.");
    check("¿Qué es? |¡Bien! |Fin.");
}

static void a_blank_line_ends_a_sentence_and_a_line_end_does_not(void **state)
{
    (void)state;
    check("no mark\n\n|next one");
    check("wrapped\nline goes on. |End");
    check("中文换行\n继续。|完");
}

static void a_text_without_any_mark_is_one_sentence(void **state)
{
    (void)state;
    check("just words");
    check("   \n");
    check("\xF0\x9F\x98\x80");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chinese_and_japanese_sentences_end_at_their_marks),
        cmocka_unit_test(european_sentences_end_at_a_stop_before_a_new_one),
        cmocka_unit_test(sentences_of_other_scripts_end_as_they_do_there),
        cmocka_unit_test(a_blank_line_ends_a_sentence_and_a_line_end_does_not),
        cmocka_unit_test(a_text_without_any_mark_is_one_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
