/* The blocks that the readers find, written as "KIND level|bytes" lines; for Markdown
 * the promises of markdown.c: pieces make no difference, hostile texts take time in
 * proportion to their size. */
#include "support/test.h"

#include "base/clock.h"
#include "documents/lines.h"
#include "documents/markdown.h"

#include <stdlib.h>

static const char *const kinds[] = {"H", "P", "I", "C", "T", "F", "Q", "X", "O"};

/* What holds for every document: order, whole lines, nothing but blank lines outside. */
static void check_blocks(const struct document *d)
{
    size_t at = byte_order_mark(d->text.data, d->text.size);
    for (size_t i = 0; i <= d->block_count; i++) {
        size_t begin = i < d->block_count ? d->blocks[i].begin : d->text.size;
        assert_true(begin >= at);
        if (!is_white(d->text.data, at, begin))
            fail_msg("bytes %zu to %zu are in no block", at, begin);
        if (i == d->block_count)
            break;
        const struct block *b = &d->blocks[i];
        assert_true(b->begin < b->end && b->end <= d->text.size);
        assert_true(b->begin == byte_order_mark(d->text.data, d->text.size) ||
                    d->text.data[b->begin - 1] == '\n');
        assert_true(line_end(d->text.data, d->text.size, b->end) ==
                    line_end(d->text.data, d->text.size, b->end - 1));
        assert_true(
            is_white(d->text.data, b->end, line_end(d->text.data, d->text.size, b->end)));
        if (b->kind == BLOCK_HEADING) {
            assert_true(b->level >= 1 && b->level <= 6);
            assert_true(b->begin <= b->name_begin && b->name_begin <= b->name_end &&
                        b->name_end <= b->end);
        }
        at = b->end;
    }
}

static void append_blocks(const struct document *d, struct buf *out)
{
    for (size_t i = 0; i < d->block_count; i++) {
        const struct block *b = &d->blocks[i];
        assert_true(buf_printf(out, "%s%u|", kinds[b->kind], b->level));
        assert_true(buf_append(out, d->text.data + b->begin, b->end - b->begin));
        assert_true(buf_append_text(out, "\n"));
    }
}

static void check(const char *name, const char *text, const char *expected)
{
    struct document d;
    rag_error error;
    struct buf got = BUF_INIT(1 << 20);
    assert_true(buf_reserve(&got, 0));
    assert_ok(document_parse(name, text, strlen(text), NULL, &d, &error), &error);
    check_blocks(&d);
    append_blocks(&d, &got);
    assert_string_equal(got.data, expected);
    buf_release(&got);
    document_release(&d);
}

static void check_title(const char *name, const char *text, const char *expected)
{
    struct document d;
    rag_error error;
    struct buf got = BUF_INIT(1 << 20);
    assert_ok(document_parse(name, text, strlen(text), NULL, &d, &error), &error);
    assert_true(buf_reserve(&got, 0));
    assert_true(d.block_count > 0 && d.blocks[0].kind == BLOCK_HEADING);
    assert_true(document_title(&d, &d.blocks[0], &got));
    assert_string_equal(got.data, expected);
    buf_release(&got);
    document_release(&d);
}

static void markdown_blocks_are_whole_lines_of_each_kind(void **state)
{
    (void)state;
    check("x.md",
          "# A #\n\nText\nmore\n- - -\n> quote\nlazy\n\n    "
          "indented\n\nB\n---\n<div>\nx\n</div>\n",
          "H1|# A #\nP0|Text\nmore\nO0|- - -\nQ0|> quote\nlazy\nC0|    indented\nH2|B\n---\n"
          "X0|<div>\nx\n</div>\n");
    check("x.md", "", "");
    check("x.md", "\n \n\t\n", "");
    check("x.MD", "no newline", "P0|no newline\n");
    check("x.md", "\xEF\xBB\xBF# A\nb", "H1|# A\nP0|b\n");
    check("x.md", "# A\r\n\r\ntext\r\nmore\r\n\r\n- a\r\n",
          "H1|# A\nP0|text\r\nmore\nI1|- a\n");
}

static void a_hash_in_a_fence_is_no_heading_and_the_fence_stays_whole(void **state)
{
    (void)state;
    check("x.md", "```python\n# no heading\n\n## none\n```\n# A\n",
          "C0|```python\n# no heading\n\n## none\n```\nH1|# A\n");
    check("x.md", "~~~~\n```\n# x\n~~~\n~~~~\nb\n", "C0|~~~~\n```\n# x\n~~~\n~~~~\nP0|b\n");
    check("x.md", "``` `x`\n# A\n", "P0|``` `x`\nH1|# A\n");
    check("x.md", "```\nnever closed\n# x\n", "C0|```\nnever closed\n# x\n");
}

static void list_items_are_blocks_with_their_depth(void **state)
{
    (void)state;
    check("x.md", "- a\n  more\n  - b\n    - c\n\n  after\n- d\n1. e\n2. f\n",
          "I1|- a\n  more\nI2|  - b\nI3|    - c\nI1|  after\nI1|- d\nI1|1. e\nI1|2. f\n");
    check("x.md", "- a\n\n  ```\n  code\n\n  more\n  ```\n\n  text\n- b\n",
          "I1|- a\nC0|  ```\n  code\n\n  more\n  ```\nI1|  text\nI1|- b\n");
}

static void tables_are_split_from_the_paragraph_before(void **state)
{
    (void)state;
    check("x.md", "| a | b |\n|---|:-:|\n| 1 | 2 |\n\ntext\n",
          "T0|| a | b |\n|---|:-:|\n| 1 | 2 |\nP0|text\n");
    check("x.md", "words\na|b\n-|-\n1|2\n", "P0|words\nT0|a|b\n-|-\n1|2\n");
    check("x.md", "a | b\n--- | --- | ---\n", "P0|a | b\n--- | --- | ---\n");
    check("x.md", "a \\| b\n---|---\n", "P0|a \\| b\n---|---\n");
}

static void formulas_are_blocks_whatever_stands_in_them(void **state)
{
    (void)state;
    check("x.md", "text\n$$x = 1$$\nmore\n", "P0|text\nF0|$$x = 1$$\nP0|more\n");
    check("x.md", "$$\na\n\n= b\n=\n- c\n$$\n:eqlabel:`eq`\n\nd\n",
          "F0|$$\na\n\n= b\n=\n- c\n$$\n:eqlabel:`eq`\nP0|d\n");
    check("x.md", "\\begin{align}\n\\begin{split}\n- a\n\n\\end{split}\n\\end{align}\nx\n",
          "F0|\\begin{align}\n\\begin{split}\n- a\n\n\\end{split}\n\\end{align}\nP0|x\n");
    check("x.md", "\\[\n# not a heading? it is\n\\]\n",
          "P0|\\[\nH1|# not a heading? it is\nP0|\\]\n");
    check("x.md", "$$a$$ begins a sentence\n", "P0|$$a$$ begins a sentence\n");
    check("x.md", "$$ never closed\n\n# A\n", "P0|$$ never closed\nH1|# A\n");
    check("x.md", "```\n$$\n```\n$$\n", "C0|```\n$$\n```\nP0|$$\n");
    check("x.md", "- item\n\n  $$\n  a\n  $$\n- next\n",
          "I1|- item\nF0|  $$\n  a\n  $$\nI1|- next\n");
}

static void front_matter_is_one_block(void **state)
{
    (void)state;
    check("x.md", "---\ntitle: A\n\n# not a heading\n---\n# A\n",
          "O0|---\ntitle: A\n\n# not a heading\n---\nH1|# A\n");
    check("x.md", "+++\ntitle = 'A'\n+++\nb\n", "O0|+++\ntitle = 'A'\n+++\nP0|b\n");
    check("x.md", "---\n\ntext\n\n---\nb\n", "O0|---\nP0|text\nO0|---\nP0|b\n");
    check("x.md", "---\nkey: never closed\n\nb\n", "O0|---\nP0|key: never closed\nP0|b\n");
}

static void titles_lose_their_markup(void **state)
{
    (void)state;
    check_title("x.md", "# A *b* `c_d` __e__ ##\n", "A b c_d e");
    check_title("x.md", "## [**掩蔽softmax操作**]\n", "掩蔽softmax操作");
    check_title("x.md", "# [Text](http://x.y/z) and ![image](i.png) {#id .class}\n",
                "Text and image");
    check_title("x.md", "# <a name=\"x\"></a>A :label:`sec_a`\n", "A");
    check_title("x.md", "# a_b\\_c \\# 1 < 2 [open\n", "a_b_c # 1 < 2 open");
    check_title("x.md", "Two\nlines\n===\n", "Two lines");
    check_title("x.md", "#\n", "");
    struct buf longest = BUF_INIT(4096);
    assert_true(buf_append_text(&longest, "# "));
    for (unsigned i = 0; i < 300; i++)
        assert_true(buf_append_text(&longest, "长"));
    struct document d;
    rag_error error;
    struct buf title = BUF_INIT(4096);
    assert_ok(document_parse("x.md", longest.data, longest.size, NULL, &d, &error), &error);
    assert_true(document_title(&d, &d.blocks[0], &title));
    assert_int_equal(title.size, DOCUMENT_MAX_TITLE / 3 * 3);
    document_release(&d);
    buf_release(&longest);
    buf_release(&title);
}

static void titles_of_latex_are_what_is_printed(void **state)
{
    (void)state;
    check_title("x.tex", "\\section{A \\emph{b} \\LaTeX{} and $x_1$}\n", "A b LaTeX and $x_1$");
    check_title("x.tex", "\\section{Orchard%\n  \\label{sec:o}%\n}\n", "Orchard");
    check_title("x.tex", "\\section[short]{Long\\footnote{Not {deep}.} \\& so~on}\n",
                "Long & so on");
    check_title("x.tex", "\\section*{\\texorpdfstring{$\\alpha$}{Alpha} \\href{u}{there}}\n",
                "Alpha there");
    check_title("x.tex", "\\section{\\\"Apfel, caf\\'{e}, \\c cedille, Stra\\ss e, \\'\\i}\n",
                "Äpfel, café, çedille, Straße, í");
    check_title("x.tex", "\\section{\\(a + b\\) 100\\% \\^{} x}\n", "\\(a + b\\) 100% ^ x");
    check_title("x.tex", "\\clearpage\\section{New}\n", "New");
    check_title("x.tex", "\\begin{frame}[fragile]{Slide}\n", "Slide");
    check_title("x.tex", "\\doxysubsection*{Of a \\mbox{program}}\n", "Of a program");
    check_title("x.tex", "\\section{ends with \\}\n}\n", "ends with }");
}

static void latex_has_comments_lists_and_words_behind_a_begin(void **state)
{
    (void)state;
    check("x.tex", "% one\n% two\nText % why\n% not\nmore\n",
          "O0|% one\n% two\nP0|Text % why\n% not\nmore\n");
    check("x.tex", "\\begin{lemma}[a] Words\nfollow.\n\\end{lemma}\n",
          "P0|\\begin{lemma}[a] Words\nfollow.\nO0|\\end{lemma}\n");
    check("x.tex", "\\begin{figure}[ht] % here\nx\n", "O0|\\begin{figure}[ht] % here\nP0|x\n");
    check("x.tex", "\\begin{DoxyItemize}\n\\item a\n\\bibitem b\n\\end{DoxyItemize}\n",
          "O0|\\begin{DoxyItemize}\nI1|\\item a\nI1|\\bibitem b\nO0|\\end{DoxyItemize}\n");
    check("x.tex", "a\n\\newpage \\subsection{B}\nc\n",
          "P0|a\nH4|\\newpage \\subsection{B}\nP0|c\n");
}

static void titles_of_org_are_what_is_shown(void **state)
{
    (void)state;
    check_title("x.org", "** TODO [#A] See [[https://x.y][the *page*]] :tag:\n",
                "See the *page*");
    check_title("x.org", "* [[file:a.org]] and =code= or ~more~ of /it/\n",
                "file:a.org and code or more of it");
    check_title("x.org", "* TODOs and a_b * c /d, [[open\n", "TODOs and a_b * c /d, [[open");
    check_title("x.org", "* DONE\n", "DONE");
}

static void plain_text_has_paragraphs_and_counted_headings(void **state)
{
    (void)state;
    check("x.txt", "one\ntwo\n\nthree\n", "P0|one\ntwo\nP0|three\n");
    check("x.txt", "Title\n=====\ntext\n\nSub\n---\n\n",
          "H1|Title\n=====\nP0|text\nH2|Sub\n---\n");
    check("x.txt", "第 1 章 教程\n\n1.1. 基础\n\n文字。\n\n1.1.2. Shell\n\nx\n",
          "H1|第 1 章 教程\nH2|1.1. 基础\nP0|文字。\nH3|1.1.2. Shell\nP0|x\n");
    check("x.txt", "Chapter 2.\xC2\xA0Packages\n\nx\n",
          "H1|Chapter 2.\xC2\xA0Packages\nP0|x\n");
    check_title("x.txt", "Chapter 2.\xC2\xA0Packages\n", "Chapter 2. Packages");
    /* A line of such spaces alone is blank, and in no block. */
    check("x.txt", "a\n\xC2\xA0\xC2\xA0\nb\n\n\xE3\x80\x80\n", "P0|a\nP0|b\n");
    /* A list, a number, a date and a sentence are none. */
    check("x.txt",
          "1. Item\n\n1.5 million\n\n2021.12.24. Day\n\n1.1. It ends.\n\n1.1. A\n1.2. B\n",
          "P0|1. Item\nP0|1.5 million\nP0|2021.12.24. Day\nP0|1.1. It ends.\nP0|1.1. A\n1.2. "
          "B\n");
    check("x.unknown", "# a\n\n  \nb", "P0|# a\nP0|b\n");
}

/* ---- Random and hostile texts ---------------------------------------------- */

static uint32_t next_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    return *seed ^= *seed << 5;
}

/* One of the words that has none of the bytes in `without`. */
static const char *pick(const char *const *words, size_t count, const char *without,
                        uint32_t *seed)
{
    for (;;) {
        const char *word = words[next_random(seed) % count];
        if (!strpbrk(word, without))
            return word;
    }
}

static void append_random_lines(struct buf *out, uint32_t *seed, const char *without)
{
    static const char *const starts[] = {
        "",           "",       "# ",     "### ", "- ",    "  - ", "1. ",        "> ",
        "    ",       "```",    "~~~",    "$$",   "---",   "===",  "|-|-|",      "a|b",
        "<div>",      "</div>", "<!--",   "-->",  "***",   "\t",   "\\begin{a}", "\\end{a}",
        ":label:`x`", "[a]: b", "* * *",  "  ",   "   $$", "\\[",  "\\]",        "+ ",
        "10) ",       "<pre>",  "</pre>", "#"};
    static const char *const ends[] = {"",   "",  "word", "字 x", "$$", "`a` *b*", "| c",
                                       "\r", " ", "<b>",  "**",   ":",  "```"};
    for (unsigned lines = 1 + next_random(seed) % 60; lines > 0; lines--) {
        if (next_random(seed) % 4 == 0)
            assert_true(buf_append_text(out, "\n"));
        for (unsigned n = next_random(seed) % 3; n > 0; n--)
            assert_true(buf_append_text(
                out, pick(starts, sizeof starts / sizeof *starts, without, seed)));
        assert_true(
            buf_append_text(out, pick(ends, sizeof ends / sizeof *ends, without, seed)));
        assert_true(buf_append_text(out, "\n"));
    }
}

static void random_markdown_loses_no_line_and_pieces_make_no_difference(void **state)
{
    (void)state;
    uint32_t seed = 42;
    for (unsigned round = 0; round < 1000; round++) {
        struct buf text = BUF_INIT(1 << 20), whole = BUF_INIT(1 << 20), cut = BUF_INIT(1 << 20);
        append_random_lines(&text, &seed, round % 2 ? "`~<" : "$\\");
        struct document d;
        rag_error error;
        assert_ok(document_parse("x.md", text.data, text.size, NULL, &d, &error), &error);
        check_blocks(&d);
        append_blocks(&d, &whole);
        d.block_count = 0;
        assert_ok(markdown_read(&d, 1 + next_random(&seed) % 64, &error), &error);
        check_blocks(&d);
        append_blocks(&d, &cut);
        if (whole.size != cut.size || (whole.size && strcmp(whole.data, cut.data) != 0))
            fail_msg("whole:\n%s\nin pieces:\n%s", whole.data, cut.data);
        document_release(&d);
        buf_release(&text), buf_release(&whole), buf_release(&cut);
    }
}

static void hostile_markdown_takes_time_in_proportion_to_its_size(void **state)
{
    (void)state;
    /* Each repeated to 256 kB; what is quadratic in any takes minutes, what is not some
     * tenths of a second, also under sanitizers. */
    static const char *const patterns[] = {
        "[",         ">",         "*",        "* ",      ">\n",   "_a ",          "*a **a ",
        "[a](<b",    "<!--",      "a <!--\n", "`",       "` `` ", "\\begin{a}\n", "$$\n",
        "$$ a\n\n",  "|",         "|-",       "|\n",     "```\n", "<a b=\"\n",    "[a]: b\n",
        "# a\n",     "###### \n", "a\n---\n", "- a\n\n", "- ",    "1. ",          "> - ",
        "\t",        " \n",       "<",        "&",       "]",     "![",           "<?",
        "<![CDATA[", "\\[\n",     "a\n",      "~~~",     "-\n",   "\r",           "\\",
        "</a\n",     "  - a\n",   "\n"};
    enum { SIZE = 1 << 18 };
    double begin = clock_seconds();
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        struct buf text = BUF_INIT(SIZE + 64);
        while (text.size < SIZE)
            assert_true(buf_append_text(&text, patterns[i]));
        struct document d;
        rag_error error;
        assert_ok(document_parse("x.md", text.data, text.size, NULL, &d, &error), &error);
        check_blocks(&d);
        document_release(&d);
        buf_release(&text);
    }
    /* Lists nested by indentation, and blank lines that each of them might take. */
    struct buf text = BUF_INIT(1 << 22);
    for (unsigned depth = 0; depth < 500; depth++)
        assert_true(buf_printf(&text, "%*s- a\n", (int)(2 * depth), ""));
    for (unsigned i = 0; i < SIZE; i++)
        assert_true(buf_append_char(&text, '\n'));
    struct document d;
    rag_error error;
    assert_ok(document_parse("x.md", text.data, text.size, NULL, &d, &error), &error);
    check_blocks(&d);
    document_release(&d);
    buf_release(&text);
    assert_true(clock_seconds() - begin < 120);
}

static void what_is_no_text_is_an_error_that_names_the_file(void **state)
{
    (void)state;
    struct document d;
    rag_error error;
    assert_status(RAG_INPUT, document_parse("dir/x.md", "\0\1\2\3\4\5", 6, NULL, &d, &error),
                  &error);
    assert_says(&error, "dir/x.md: binary data");
    assert_status(RAG_INPUT, document_read("/no/such/file.md", NULL, &d, &error), &error);
    assert_says(&error, "/no/such/file.md");
    assert_true(document_supported("A.Md") && document_supported("/x/y.txt"));
    assert_false(document_supported("x.png") || document_supported("/a.md/x"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(markdown_blocks_are_whole_lines_of_each_kind),
        cmocka_unit_test(a_hash_in_a_fence_is_no_heading_and_the_fence_stays_whole),
        cmocka_unit_test(list_items_are_blocks_with_their_depth),
        cmocka_unit_test(tables_are_split_from_the_paragraph_before),
        cmocka_unit_test(formulas_are_blocks_whatever_stands_in_them),
        cmocka_unit_test(front_matter_is_one_block),
        cmocka_unit_test(titles_lose_their_markup),
        cmocka_unit_test(titles_of_latex_are_what_is_printed),
        cmocka_unit_test(latex_has_comments_lists_and_words_behind_a_begin),
        cmocka_unit_test(titles_of_org_are_what_is_shown),
        cmocka_unit_test(plain_text_has_paragraphs_and_counted_headings),
        cmocka_unit_test(random_markdown_loses_no_line_and_pieces_make_no_difference),
        cmocka_unit_test(hostile_markdown_takes_time_in_proportion_to_its_size),
        cmocka_unit_test(what_is_no_text_is_an_error_that_names_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
