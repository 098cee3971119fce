/* What the lexical leg makes of a question. */
#include "support/test.h"

#include "store/question.h"

/* The items with a space behind each: words as they are, what is listed in <>, with the sign of
 * a gate before it. */
static void assert_asks(const char *text, bool operators, const char *expected)
{
    struct buf out = BUF_INIT(1 << 16);
    struct question *question;
    rag_error error;
    assert_true(buf_append(&out, "", 0));
    assert_ok(question_read((rag_text){text, strlen(text)}, operators, &question, &error),
              &error);
    for (size_t i = 0; i < question->count; i++) {
        const struct wanted *item = &question->items[i];
        rag_text wanted = wanted_text(question, item);
        if (item->kind == WANTED_WORD)
            assert_true(buf_printf(&out, "%.*s ", (int)wanted.size, wanted.data));
        else
            assert_true(buf_printf(&out, "%s<%.*s> ",
                                   item->role == UNIT_REQUIRED   ? "+"
                                   : item->role == UNIT_EXCLUDED ? "-"
                                                                 : "",
                                   (int)wanted.size, wanted.data));
    }
    assert_string_equal(out.data, expected);
    question_free(question);
    buf_release(&out);
}

static void each_word_is_asked_for_once(void **state)
{
    (void)state;
    assert_asks("The the THE cat", false, "the cat ");
    assert_asks("", false, "");
    assert_asks("?!", false, "");
}

static void a_quotation_is_a_phrase_too(void **state)
{
    (void)state;
    assert_asks("what is \"scaled dot product\"?", false,
                "what is scaled dot product <\"scaled\" + \"dot\" + \"product\"> ");
    assert_asks("“a b” and „c d”", false, "a b <\"a\" + \"b\"> and c d ");
    assert_asks("\"single\"", false, "single ");
    assert_asks("\"nn.Linear\"", false, "nn linear <\"nn\" + \"linear\"> ");
    assert_asks("\"dot_product attention\"", false,
                "dot_product dot product attention <\"dot_product\" + \"attention\"> ");
}

static void a_chinese_phrase_goes_by_pairs(void **state)
{
    (void)state;
    assert_asks("「注意力」", false, "注 注意 意 意力 力 <\"注意\" + \"意力\" + \"力\"> ");
    assert_asks("「力」", false, "力 ");
    assert_asks("\"GPU加速\"", false, "gpu 加 加速 速 <\"gpu\" + \"加速\" + \"速\"> ");
}

static void what_opens_no_quotation_is_text(void **state)
{
    (void)state;
    assert_asks("a 5\" disk and a 3\" disk", false, "a 5 disk and 3 ");
    assert_asks("\"not closed at all", false, "not closed at all ");
    assert_asks("“not closed \" at all", false, "not closed at all ");
    assert_asks("\"\" x", false, "x ");
}

static void a_star_asks_for_a_beginning(void **state)
{
    (void)state;
    assert_asks("attent* heads", false, "<\"attent\" *> heads ");
    assert_asks("DotProd* x", false, "<\"dotprod\" *> dot x ");
    assert_asks("2*3 **bold** *.c f*.c a* 注意* *", false, "2 3 bold c f a 注 注意 意 ");
}

static void signs_are_operators_only_where_asked_for(void **state)
{
    (void)state;
    assert_asks("+\"a b\" -\"c d\"", false, "a b <\"a\" + \"b\"> c d <\"c\" + \"d\"> ");
    assert_asks("+\"a b\" -\"c d\" e", true, "a b +<\"a\" + \"b\"> -<\"c\" + \"d\"> e ");
    assert_asks("x -\"y\"", true, "x -<\"y\"> ");
    assert_asks("the option -v and +w, x-\"y z\"", true,
                "the option v and w x y z <\"y\" + \"z\"> ");
}

static void a_question_without_end_is_read_in_time(void **state)
{
    (void)state;
    static char text[1 << 20];
    static const char *const patterns[] = {"\xe2\x80\x9c", "\"", "\"a ", "a* ", "「", "a b c "};
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        size_t size = 0, length = strlen(patterns[i]);
        for (; size + length <= sizeof text; size += length)
            memcpy(text + size, patterns[i], length);
        struct question *question;
        rag_error error;
        assert_ok(question_read((rag_text){text, size}, true, &question, &error), &error);
        assert_true(question->count <= QUESTION_MAX_ITEMS);
        question_free(question);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_word_is_asked_for_once),
        cmocka_unit_test(a_quotation_is_a_phrase_too),
        cmocka_unit_test(a_chinese_phrase_goes_by_pairs),
        cmocka_unit_test(what_opens_no_quotation_is_text),
        cmocka_unit_test(a_star_asks_for_a_beginning),
        cmocka_unit_test(signs_are_operators_only_where_asked_for),
        cmocka_unit_test(a_question_without_end_is_read_in_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
