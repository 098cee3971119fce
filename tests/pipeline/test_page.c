/* The parts of an answer's page: nothing of a text becomes markup but what is meant. */
#include "support/test.h"

#include "pipeline/katex.h"
#include "pipeline/page.h"

static rag_text text_of(const char *text)
{
    return (rag_text){text, strlen(text)};
}

static void check_markdown(const char *text, const struct page_note *notes, size_t count,
                           const char *expected)
{
    struct buf out = BUF_INIT(1 << 20);
    bool formulas = false;
    rag_error error;
    assert_true(buf_reserve(&out, 0));
    assert_ok(page_markdown(&out, text_of(text), notes, count, &formulas, &error), &error);
    assert_string_equal(out.data, expected);
    assert_int_equal(formulas, strstr(expected, "class=\"math\"") != NULL);
    buf_release(&out);
}

static void text_is_escaped(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(1 << 10);
    assert_true(page_text(&out, (rag_text){"<a href=\"x\">&\t\n\x01\x1b[31m\x7f中", 26}));
    assert_string_equal(out.data, "&lt;a href=&quot;x&quot;&gt;&amp;\t\n[31m中");
    buf_release(&out);
}

static void markdown_becomes_html_without_raw_html_and_scripts(void **state)
{
    (void)state;
    check_markdown("*a* `b<c`\n\n- d", NULL, 0,
                   "<p><em>a</em> <code>b&lt;c</code></p>\n<ul>\n<li>d</li>\n</ul>\n");
    check_markdown("<script>alert(1)</script>", NULL, 0, "<!-- raw HTML omitted -->\n");
    check_markdown("a <img src=x onerror=y> b", NULL, 0,
                   "<p>a <!-- raw HTML omitted --> b</p>\n");
    check_markdown("[x](javascript:alert(1))", NULL, 0, "<p><a href=\"\">x</a></p>\n");
    check_markdown("", NULL, 0, "");
}

static void notes_stand_where_they_belong(void **state)
{
    (void)state;
    static const struct page_note notes[] = {
        {.position = 9, .size = 3, .number = 2},
        {.position = 12, .why = "no <\"x\">"},
    };
    check_markdown(
        "It *is*. [2] And.", notes, 2,
        "<p>It <em>is</em>. <a class=\"cite\" href=\"#p2\">[2]</a> <span class=\"doubt\" "
        "title=\"no &lt;&quot;x&quot;&gt;\">?</span> And.</p>\n");
    static const struct page_note last = {.position = 1, .why = "w"};
    check_markdown("x", &last, 1, "<p>x <span class=\"doubt\" title=\"w\">?</span></p>\n");
    /* A text cannot bring in a note of its own. */
    check_markdown("\xEE\x80\x80n0\xEE\x80\x81 [1]", NULL, 0, "<p>n0 [1]</p>\n");
    check_markdown("\xEE\x80\x80", &last, 0, "");
}

static void formulas_are_kept_from_markdown(void **state)
{
    (void)state;
    check_markdown("so $a_1 < b_2$ and\n\n$$x*y*z$$", NULL, 0,
                   "<p>so <span class=\"math\">a_1 &lt; b_2</span> and</p>\n<p><span "
                   "class=\"math\" data-display>x*y*z</span></p>\n");
    check_markdown("\\(a*b\\) \\[c*d\\]", NULL, 0,
                   "<p><span class=\"math\">a*b</span> <span class=\"math\" "
                   "data-display>c*d</span></p>\n");
    check_markdown("$5 and $6, `$x$`, ``a`$y$``", NULL, 0,
                   "<p>$5 and $6, <code>$x$</code>, <code>a`$y$</code></p>\n");
    check_markdown("```\n$x$\n```\n$ a$ $$ $", NULL, 0,
                   "<pre><code>$x$\n</code></pre>\n<p>$ a$ $$ $</p>\n");
    struct buf out = BUF_INIT(1 << 10);
    bool formulas = false;
    assert_true(page_text_with_formulas(&out, text_of("<b> $x<y$ $"), &formulas));
    assert_string_equal(out.data, "&lt;b&gt; <span class=\"math\">x&lt;y</span> $");
    assert_true(formulas);
    buf_release(&out);
}

static void any_text_is_rendered_without_harm(void **state)
{
    (void)state;
    static const char *const pieces[] = {
        "$",      "$$", "\\(", "\\]", "`",  "```\n",          "[1]",          "\n\n",
        "*",      "<",  "a",   "中",  "\\", "\xEE\x80\x80n7", "\xEE\x80\x81", "|-|\n",
        "![x](y)"};
    uint32_t seed = 1;
    for (size_t round = 0; round < 2000; round++) {
        struct buf text = BUF_INIT(1 << 10), out = BUF_INIT(1 << 20);
        bool formulas = false;
        rag_error error;
        for (size_t i = 0; i < 12; i++) {
            seed = seed * 1664525 + 1013904223;
            assert_true(buf_append_text(
                &text, pieces[(seed >> 16) % (sizeof pieces / sizeof *pieces)]));
        }
        struct page_note note = {.position = text.size / 2, .why = "<"};
        assert_ok(
            page_markdown(&out, (rag_text){text.data, text.size}, &note, 1, &formulas, &error),
            &error);
        assert_null(out.data ? strstr(out.data, "\xEE\x80\x80") : NULL);
        buf_release(&text);
        buf_release(&out);
    }
}

static void a_page_allows_only_itself(void **state)
{
    (void)state;
    struct buf page = BUF_INIT(1 << 20);
    rag_error error;
    assert_ok(page_begin(&page, text_of("<q>"), false, &error), &error);
    assert_true(page_end(&page, false));
    assert_non_null(strstr(page.data, "default-src 'none'"));
    assert_non_null(strstr(page.data, "<title>&lt;q&gt;</title>"));
    assert_null(strstr(page.data, "script"));
    assert_null(strstr(page.data, "http:"));
    buf_clear(&page);
    assert_ok(page_begin(&page, text_of("q"), true, &error), &error);
    assert_true(page_end(&page, true));
    assert_int_equal(strstr(page.data, "script-src 'sha256-") != NULL, katex().size != 0);
    buf_release(&page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_escaped),
        cmocka_unit_test(markdown_becomes_html_without_raw_html_and_scripts),
        cmocka_unit_test(notes_stand_where_they_belong),
        cmocka_unit_test(formulas_are_kept_from_markdown),
        cmocka_unit_test(any_text_is_rendered_without_harm),
        cmocka_unit_test(a_page_allows_only_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
