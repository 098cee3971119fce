/* Whether the passages that an answer cites bear out what it says. */
#include "support/test.h"

#include "pipeline/support.h"

static const char *const passages[] = {
    "Rivers\nThe Danube flows for 2,850 kilometres through ten countries and reaches the Black "
    "Sea "
    "in Romania. Its source lies in the Black Forest, where the Breg and the Brigach meet.",
    "注意力机制\n注意力机制由 Bahdanau "
    "等人在2014年提出，它使解码器在每一步都能查看编码器的全部隐状态。"
    "自注意力的计算复杂度是 O(n^2)，其中 n 是序列的长度。",
    "nn.Linear\nThe class DotProductAttention takes queries, keys and values; dropout is 0.5 "
    "by "
    "default, and resnet50 is not needed.",
};
enum { PASSAGES = sizeof passages / sizeof *passages };

/* The answer as it comes out of the filter for markers; statements point into it. */
static struct citer citer;

static void check_all(const char *answer, struct statements *out)
{
    rag_text texts[PASSAGES];
    rag_error error;
    citer_release(&citer);
    citer_init(&citer, PASSAGES, NULL, NULL);
    assert_true(citer_feed(&citer, (rag_text){answer, strlen(answer)}));
    assert_true(citer_finish(&citer));
    for (size_t i = 0; i < PASSAGES; i++)
        texts[i] = (rag_text){passages[i], strlen(passages[i])};
    *out = (struct statements){0};
    rag_text text = {citer.text.data, citer.text.size};
    assert_ok(
        support_check(text, citer.markers, citer.marker_count, texts, PASSAGES, out, &error),
        &error);
}

/* An answer of one sentence. */
static void check(const char *answer, rag_support support, const char *missing)
{
    struct statements statements;
    check_all(answer, &statements);
    if (statements.count != 1)
        fail_msg("%zu statements in: %s", statements.count, answer);
    const rag_statement *one = &statements.items[0];
    if (one->support != support)
        fail_msg("%s: %d, not %d (coverage %.2f, missing \"%.*s\")", answer, one->support,
                 support, one->coverage, (int)one->missing.size,
                 one->missing.size ? one->missing.data : "");
    assert_int_equal(one->missing.size, strlen(missing));
    if (one->missing.size) {
        assert_memory_equal(one->missing.data, missing, one->missing.size);
        assert_true(one->missing.data > citer.text.data);
        assert_true(one->missing.data + one->missing.size <= citer.text.data + citer.text.size);
    }
    assert_true(one->coverage >= 0 && one->coverage <= 1);
    statements_release(&statements);
}

static void what_the_passage_says_is_supported(void **state)
{
    (void)state;
    check("The Danube flows through ten countries to the Black Sea [1].", RAG_SUPPORTED, "");
    check("The Danube is 2850 kilometres long and reaches the Black Sea.[1]", RAG_SUPPORTED,
          "");
    check("注意力机制由Bahdanau等人于2014年提出[2]。", RAG_SUPPORTED, "");
    check("注意力机制使解码器能查看编码器的全部隐状态 [2]。", RAG_SUPPORTED, "");
    check("DotProductAttention takes queries, keys and values [3]", RAG_SUPPORTED, "");
    check("The source lies in the Black Forest [3][1].", RAG_SUPPORTED, "");
}

static void a_number_that_is_not_there_is_found(void **state)
{
    (void)state;
    check("The Danube flows for 2,580 kilometres to the Black Sea [1].", RAG_UNSUPPORTED,
          "2,580");
    check("注意力机制由Bahdanau等人于2015年提出[2]。", RAG_UNSUPPORTED, "2015");
    check("注意力机制由Bahdanau等人于２０１４年提出[2]。", RAG_SUPPORTED, "");
    /* What is counted is not quoted, and an item's number says nothing. */
    check("Both of the 2 rivers, the Breg and the Brigach, meet in the Black Forest [1].",
          RAG_SUPPORTED, "");
    check("17. The Breg and the Brigach meet in the Black Forest [1].", RAG_SUPPORTED, "");
    /* Another script: numbers are compared all the same. */
    check("多瑙河全长2850公里，流经十个国家[1]。", RAG_UNCHECKED, "");
    check("多瑙河全长3000公里，流经十个国家[1]。", RAG_UNSUPPORTED, "3000");
}

static void a_quote_must_be_there_word_by_word(void **state)
{
    (void)state;
    check("It says \"reaches the Black Sea in Romania\" [1].", RAG_SUPPORTED, "");
    check("The passage says that “the source lies in the White Forest of Romania” [1].",
          RAG_UNSUPPORTED, "the source lies in the White Forest of Romania");
    /* One word in ten or more may differ. */
    check("The Danube “flows for 2,850 kilometers through ten countries and reaches the Black "
          "Sea” [1].",
          RAG_SUPPORTED, "");
    check("文中说“它使解码器在每一步都能查看编码器的全部隐状态”[2]。", RAG_SUPPORTED, "");
    check("文中说“它使编码器在开始时就能查看解码器的输出结果”[2]。", RAG_UNSUPPORTED,
          "它使编码器在开始时就能查看解码器的输出结果");
}

static void a_name_that_is_not_there_makes_it_weak(void **state)
{
    (void)state;
    check("The Danube reaches the Black Sea in Bulgaria, through ten countries [1].", RAG_WEAK,
          "Bulgaria");
    check("The class DotProductAttention takes keys and values, unlike resnet18 [3].", RAG_WEAK,
          "resnet18");
    check("DotProductAttention takes queries; resnet50 is not needed [3].", RAG_SUPPORTED, "");
}

static void what_has_nothing_in_common_is_unsupported(void **state)
{
    (void)state;
    check("Photosynthesis turns carbon dioxide into sugar [1].", RAG_UNSUPPORTED, "");
    check("光合作用把二氧化碳变成糖分[2]。", RAG_UNSUPPORTED, "");
}

static void sentences_rest_on_the_markers_of_their_paragraph(void **state)
{
    (void)state;
    struct statements statements;
    check_all(
        "The Danube flows through ten countries. It reaches the Black Sea in Romania [1].\n"
        "\n"
        "Nobody says this.\n",
        &statements);
    assert_int_equal(statements.count, 3);
    assert_int_equal(statements.items[0].support, RAG_SUPPORTED);
    assert_int_equal(statements.items[1].support, RAG_SUPPORTED);
    assert_int_equal(statements.items[2].support, RAG_UNCITED);
    statements_release(&statements);
}

static void sentences_end_behind_their_markers(void **state)
{
    (void)state;
    struct statements statements;
    const char *answer = "The Danube reaches the Black Sea.[1] DotProductAttention takes "
                         "values.[3] 注意力机制由Bahdanau提出。[2] 下一句。\n"
                         "```\nint a[1];\n```\n- an item with queries and keys [3]\n";
    static const char *const texts[] = {
        "The Danube reaches the Black Sea.[1]", "DotProductAttention takes values.[3]",
        "注意力机制由Bahdanau提出。[2]",        "下一句。",
        "- an item with queries and keys [3]",
    };
    check_all(answer, &statements);
    assert_int_equal(statements.count, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(statements.items[i].text.size, strlen(texts[i]));
        assert_memory_equal(statements.items[i].text.data, texts[i], strlen(texts[i]));
    }
    assert_int_equal(statements.items[0].support, RAG_SUPPORTED);
    assert_int_equal(statements.items[1].support, RAG_SUPPORTED);
    assert_int_equal(statements.items[2].support, RAG_SUPPORTED);
    assert_int_equal(statements.items[4].support, RAG_SUPPORTED);
    statements_release(&statements);
}

/* What stands in code is no marker, here as in the stream. */
static void brackets_in_code_cite_nothing(void **state)
{
    (void)state;
    check("The first element of the list is `a[1]`, and so on.", RAG_UNCITED, "");
}

/* Repetitions that a search for pairs, or a comparison of all with all, would take hours for.
 */
static void a_long_answer_takes_no_longer_than_it_is(void **state)
{
    (void)state;
    static const char *const pieces[] = {"«a ", "word ", "[1]", "\"", "1.", "a\n\n", "中文"};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        struct buf text = BUF_INIT(1 << 24);
        struct statements statements;
        while (text.size < 4 << 20)
            assert_true(buf_append_text(&text, pieces[i]));
        check_all(text.data, &statements);
        statements_release(&statements);
        buf_release(&text);
    }
}

static void any_bytes_are_looked_at_without_harm(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "",
        "[",
        "[1",
        "[1]",
        "[1][",
        "\"",
        "“",
        "\n\n[2]\n\n",
        "```",
        "```\n",
        "[99999999999]",
        "1",
        "1.",
        "1.1.1.1",
        "１",
        "9999999999999999999999999999999999999999999999999999 [1]",
        "\"\" [1]",
        "「」[1]",
        "\xEF\xBC\x91\xEF\xBC\x8C[2]",
        "a\r\nb [1]\r\n",
    };
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct statements statements;
        check_all(answers[i], &statements);
        size_t end = 0;
        for (size_t k = 0; k < statements.count; k++) {
            size_t begin = (size_t)(statements.items[k].text.data - citer.text.data);
            assert_true(begin >= end);
            end = begin + statements.items[k].text.size;
            assert_true(end <= citer.text.size);
        }
        statements_release(&statements);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_passage_says_is_supported),
        cmocka_unit_test(a_number_that_is_not_there_is_found),
        cmocka_unit_test(a_quote_must_be_there_word_by_word),
        cmocka_unit_test(a_name_that_is_not_there_makes_it_weak),
        cmocka_unit_test(what_has_nothing_in_common_is_unsupported),
        cmocka_unit_test(sentences_rest_on_the_markers_of_their_paragraph),
        cmocka_unit_test(sentences_end_behind_their_markers),
        cmocka_unit_test(brackets_in_code_cite_nothing),
        cmocka_unit_test(a_long_answer_takes_no_longer_than_it_is),
        cmocka_unit_test(any_bytes_are_looked_at_without_harm),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    citer_release(&citer);
    return failed;
}
