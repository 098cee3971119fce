/* The promises of chunker.h, with a small WordPiece vocabulary (make_vocab.py). */
#include "chunk_checks.h"

#include "base/clock.h"
#include "base/memory.h"
#include "documents/window.h"

#include <stdlib.h>

static struct tokenizer *tokenizer;

static int open_tokenizer(void **state)
{
    (void)state;
    rag_error error;
    assert_ok(tokenizer_open(TEST_DATA "/documents/vocab.txt", &tokenizer, &error), &error);
    return 0;
}

static int close_tokenizer(void **state)
{
    (void)state;
    tokenizer_free(tokenizer);
    return 0;
}

struct made {
    struct document document;
    struct chunk_list list;
};

static struct made make(const char *name, const char *text, size_t size, rag_chunker chunker,
                        size_t max_tokens, size_t overlap, rag_context context)
{
    struct made made = {0};
    struct chunker_options options = {chunker, max_tokens, overlap, context};
    rag_error error;
    assert_ok(document_parse(name, text, size, NULL, &made.document, &error), &error);
    assert_ok(chunk_document(&made.document, tokenizer, &options, &made.list, &error), &error);
    check_chunks(&made.document, &made.list);
    if (chunker == RAG_CHUNKER_STRUCTURE)
        check_sizes(&made.document, tokenizer, &made.list, context, max_tokens);
    return made;
}

static void made_release(struct made *made)
{
    chunk_list_release(&made->list);
    document_release(&made->document);
}

/* The chunks as "[heading] text" lines; a table's header, where it is repeated, before the text
 * in braces. */
static void check_in(rag_context context, const char *name, const char *text, size_t max_tokens,
                     size_t overlap, const char *expected)
{
    struct made made =
        make(name, text, strlen(text), RAG_CHUNKER_STRUCTURE, max_tokens, overlap, context);
    struct buf got = BUF_INIT(1 << 20);
    assert_true(buf_reserve(&got, 0));
    for (size_t i = 0; i < made.list.count; i++) {
        const struct chunk *c = &made.list.chunks[i];
        assert_true(buf_printf(&got, "[%s] ", c->heading));
        if (c->header_end > c->header_begin)
            assert_true(buf_printf(&got, "{%.*s} ", (int)(c->header_end - c->header_begin),
                                   made.document.text.data + c->header_begin));
        assert_true(buf_append(&got, made.document.text.data + c->begin, c->end - c->begin));
        assert_true(buf_append_text(&got, "\n"));
    }
    assert_string_equal(got.data, expected);
    buf_release(&got);
    made_release(&made);
}

/* What is cut where, whatever is embedded before it. */
static void check(const char *name, const char *text, size_t max_tokens, size_t overlap,
                  const char *expected)
{
    check_in(RAG_CONTEXT_NONE, name, text, max_tokens, overlap, expected);
}

/* ---- structure --------------------------------------------------------------- */

static void a_section_that_fits_is_one_chunk(void **state)
{
    (void)state;
    check("x.md", "# one\n\na b\n\n- c\n- d\n", 30, 0, "[one] # one\n\na b\n\n- c\n- d\n");
    check("x.md", "", 30, 0, "");
    check("x.md", " \n\n", 30, 0, "");
    check("x.txt", "\xEF\xBB\xBFtext", 30, 0, "[] text\n");
}

static void a_heading_goes_with_the_text_that_follows_it(void **state)
{
    (void)state;
    check("x.md", "# one\n\n## two\n\na b c d e f g h\n\n# three\n\ni j k l m n o p q\n", 14, 0,
          "[one > two] # one\n\n## two\n\na b c d e f g h\n"
          "[three] # three\n\ni j k l m n o p q\n");
}

static void small_sections_of_one_parent_are_joined_and_carry_its_path(void **state)
{
    (void)state;
    check("x.md",
          "# one\n\n## two\n\na\n\n## three\n\nb\n\n## text\n\na b c d e f g h i j k l m n\n",
          18, 0,
          "[one] # one\n\n## two\n\na\n\n## three\n\nb\n"
          "[one > text] ## text\n\na b c d e f g h i j k l m n\n");
}

static void long_paragraphs_are_cut_at_sentences(void **state)
{
    (void)state;
    check("x.md", "One is it. Two is that. Three is this. Text is a list.\n", 9, 0,
          "[] One is it. Two is that.\n[] Three is this. Text is a list.\n");
    check("x.md", "一是不了在。人有我他中。大来上个国。\n", 8, 0,
          "[] 一是不了在。\n[] 人有我他中。\n[] 大来上个国。\n");
}

static void code_is_whole_where_it_fits_and_cut_at_lines_where_not(void **state)
{
    (void)state;
    check("x.md", "a b c d e f g h\n\n```\na\n    b\n```\n\nc d e f g h i\n", 15, 0,
          "[] a b c d e f g h\n[] ```\na\n    b\n```\n\nc d e f g h i\n");
    check("x.md", "```\na b c\n    d e f\ng h i\n    j k l\n```\n", 10, 0,
          "[] ```\na b c\n    d e f\n[] g h i\n    j k l\n```\n");
}

static void a_lead_in_stays_with_what_it_leads_to(void **state)
{
    (void)state;
    check("x.md", "a b c d e f\n\ng h:\n\n- i j k\n- l m n\n", 12, 0,
          "[] a b c d e f\n[] g h:\n\n- i j k\n- l m n\n");
}

static void overlap_is_made_of_whole_sentences(void **state)
{
    (void)state;
    check("x.md", "One is it. Two is that. On this line. For that word. It is text.\n", 12, 4,
          "[] One is it. Two is that.\n"
          "[] Two is that. On this line. For that word.\n"
          "[] For that word. It is text.\n");
    /* Never over a heading into another section. */
    check("x.md", "# one\n\nA b c d e f g h.\n\n# two\n\nI j k l m n o p q.\n", 14, 6,
          "[one] # one\n\nA b c d e f g h.\n[two] # two\n\nI j k l m n o p q.\n");
}

static void a_document_of_headings_alone_keeps_them_all(void **state)
{
    (void)state;
    check("x.md", "# one\n\n## two\n", 30, 0, "[one] # one\n\n## two\n");
    struct buf text = BUF_INIT(1 << 20);
    for (unsigned i = 0; i < 2000; i++)
        assert_true(buf_printf(&text, "%.*s one two\n", (int)(1 + i % 6), "######"));
    struct made made =
        make("x.md", text.data, text.size, RAG_CHUNKER_STRUCTURE, 20, 0, RAG_CONTEXT_NONE);
    assert_true(made.list.count > 100);
    made_release(&made);
    buf_release(&text);
}

static void a_limit_below_one_character_is_an_error_that_says_so(void **state)
{
    (void)state;
    struct document d;
    struct chunk_list list = {0};
    struct chunker_options options = {RAG_CHUNKER_STRUCTURE, 0, 0, RAG_CONTEXT_HEADING};
    rag_error error;
    assert_ok(document_parse("x.md", "a", 1, NULL, &d, &error), &error);
    assert_status(RAG_USAGE, chunk_document(&d, tokenizer, &options, &list, &error), &error);
    options.max_tokens = 1;
    assert_ok(chunk_document(&d, tokenizer, &options, &list, &error), &error);
    assert_int_equal(list.count, 1);
    chunk_list_release(&list);
    document_release(&d);
}

/* ---- Random documents -------------------------------------------------------- */

static uint32_t next_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    return *seed ^= *seed << 5;
}

/* A random document and what it knows of itself: the section of each line. */
struct sample {
    struct buf text;
    struct {
        size_t parent;
        unsigned level;
        char title[32];
    } sections[64];
    size_t section_count;
    struct {
        size_t begin, section;
        bool heading;
    } lines[4096];
    size_t line_count;
};

static void add_line(struct sample *s, bool heading, const char *line)
{
    if (*line) {
        assert_true(s->line_count < sizeof s->lines / sizeof *s->lines);
        s->lines[s->line_count].begin = s->text.size;
        s->lines[s->line_count].section = s->section_count - 1;
        s->lines[s->line_count++].heading = heading;
    }
    assert_true(buf_append_text(&s->text, line) && buf_append_char(&s->text, '\n'));
}

static void add_heading(struct sample *s, uint32_t *seed)
{
    unsigned level = 1 + next_random(seed) % 4;
    size_t parent = s->section_count - 1, n = s->section_count++;
    while (parent != 0 && s->sections[parent].level >= level)
        parent = s->sections[parent].parent;
    s->sections[n].parent = parent;
    s->sections[n].level = level;
    snprintf(s->sections[n].title, sizeof s->sections[n].title, "s%zu", n);
    char line[64];
    snprintf(line, sizeof line, "%.*s *%s* {#id}", (int)level, "####", s->sections[n].title);
    add_line(s, true, line);
    add_line(s, false, "");
}

static void add_words(struct buf *line, uint32_t *seed)
{
    static const char *const words[] = {"word", "of",       "text.", "一是不。",
                                        "x_y",  "sentence", "abc,",  "在人，",
                                        "Go!",  "🙂",     "1.5",   "unknownword"};
    for (unsigned n = 1 + next_random(seed) % 12; n > 0; n--)
        assert_true(
            buf_printf(line, "%s ", words[next_random(seed) % (sizeof words / sizeof *words)]));
}

static void add_block(struct sample *s, uint32_t *seed)
{
    static const char *const marks[] = {"", "- ", "> ", "    ", "1. "};
    unsigned kind = next_random(seed) % 8;
    const char *mark = kind < 5 ? marks[kind] : "";
    if (kind == 5)
        add_line(s, false, "```");
    if (kind == 6)
        add_line(s, false, "a | b\n--|--");
    if (kind == 7)
        add_line(s, false, "$$");
    for (unsigned n = 1 + next_random(seed) % 9; n > 0; n--) {
        struct buf line = BUF_INIT(1 << 16);
        assert_true(buf_append_text(&line, kind == 6 ? "c | " : kind == 5 ? "# " : mark));
        add_words(&line, seed);
        add_line(s, false, line.data);
        buf_release(&line);
    }
    if (kind == 5)
        add_line(s, false, "```");
    if (kind == 7)
        add_line(s, false, "$$");
    add_line(s, false, "");
}

static size_t common(const struct sample *s, size_t a, size_t b)
{
    while (a != b)
        if (a > b)
            a = s->sections[a].parent;
        else
            b = s->sections[b].parent;
    return a;
}

static void append_path(const struct sample *s, size_t section, struct buf *out)
{
    if (section == 0)
        return;
    append_path(s, s->sections[section].parent, out);
    assert_true(buf_printf(out, "%s%s", out->size ? " > " : "", s->sections[section].title));
}

/* The path of the section around all of the chunk's lines but headings, and no heading
 * at its end. */
static void check_headings(const struct sample *s, const struct chunk *chunk)
{
    size_t section[2] = {0, 0};
    bool any[2] = {false, false}, heading_last = false;
    for (size_t i = 0; i < s->line_count; i++) {
        size_t end = i + 1 < s->line_count ? s->lines[i + 1].begin : s->text.size;
        if (s->lines[i].begin >= chunk->end || end <= chunk->begin)
            continue;
        bool h = s->lines[i].heading;
        section[h] = any[h] ? common(s, section[h], s->lines[i].section) : s->lines[i].section;
        any[h] = true;
        heading_last = h;
    }
    struct buf path = BUF_INIT(4096);
    assert_true(buf_reserve(&path, 0));
    append_path(s, section[!any[0]], &path);
    assert_string_equal(chunk->heading, path.data);
    buf_release(&path);
    /* A heading without text may end a chunk, but not leave its text to the next. */
    if (heading_last)
        for (size_t i = 0; i + 1 < s->line_count; i++)
            if (s->lines[i].heading && s->lines[i + 1].begin >= chunk->end &&
                s->lines[i].begin < chunk->end)
                assert_true(s->lines[i + 1].heading);
}

static void random_documents_keep_every_promise(void **state)
{
    (void)state;
    uint32_t seed = 7;
    struct sample *s = malloc(sizeof *s);
    assert_non_null(s);
    for (unsigned round = 0; round < 300; round++) {
        *s = (struct sample){.text = BUF_INIT(1 << 20), .section_count = 1};
        for (unsigned n = next_random(&seed) % 30; n > 0; n--)
            if (next_random(&seed) % 3 == 0)
                add_heading(s, &seed);
            else
                add_block(s, &seed);
        assert_true(buf_reserve(&s->text, 0));
        size_t max = 16 + next_random(&seed) % 100;
        size_t overlap = round % 2 ? 0 : next_random(&seed) % max;
        struct made made = make("x.md", s->text.data, s->text.size, RAG_CHUNKER_STRUCTURE, max,
                                overlap, RAG_CONTEXT_NONE);
        /* Of a few headings that fill a chunk no more is promised than that they are there. */
        for (size_t i = 0; overlap == 0 && max >= 64 && i < made.list.count; i++)
            check_headings(s, &made.list.chunks[i]);
        made_release(&made);
        made = make("x.md", s->text.data, s->text.size, RAG_CHUNKER_WINDOW, max, overlap,
                    RAG_CONTEXT_NONE);
        made_release(&made);
        buf_release(&s->text);
    }
    free(s);
}

static void random_bytes_of_text_keep_the_limit(void **state)
{
    (void)state;
    uint32_t seed = 99;
    static const char *const pieces[] = {
        "a",     "b ", "\n", "\n\n", "# ", "。",   "中", ". ",
        "```\n", "- ", "\t", "|",    "é",  "🙂", "$$", "wordwithmanypieces"};
    for (unsigned round = 0; round < 200; round++) {
        struct buf text = BUF_INIT(1 << 20);
        for (unsigned n = next_random(&seed) % 800; n > 0; n--)
            assert_true(buf_append_text(
                &text, pieces[next_random(&seed) % (sizeof pieces / sizeof *pieces)]));
        assert_true(buf_reserve(&text, 0));
        size_t max = 1 + next_random(&seed) % 40;
        struct made made =
            make(round % 2 ? "x.md" : "x.txt", text.data, text.size, RAG_CHUNKER_STRUCTURE, max,
                 next_random(&seed) % max, RAG_CONTEXT_NONE);
        made_release(&made);
        buf_release(&text);
    }
}

static void chunking_takes_time_in_proportion_to_the_text(void **state)
{
    (void)state;
    static const char *const patterns[] = {"# a\n",  "a\n---\n", "a ",     "一",
                                           "a.\n\n", "```\n",    "- a\n",  "a\n",
                                           "|a|\n",  "一是。",   "#\n#\n", "$$\n"};
    double begin = clock_seconds();
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        struct buf text = BUF_INIT(1 << 20);
        while (text.size < 1 << 18)
            assert_true(buf_append_text(&text, patterns[i]));
        struct made made =
            make("x.md", text.data, text.size, RAG_CHUNKER_STRUCTURE, 100, 0, RAG_CONTEXT_NONE);
        made_release(&made);
        buf_release(&text);
    }
    assert_true(clock_seconds() - begin < 120);
}

/* ---- context ----------------------------------------------------------------- */

static void the_heading_path_takes_its_part_of_a_chunk(void **state)
{
    (void)state;
    const char *text = "# one\n\na b c d e f g h i j k l m n o p q r\n";
    check_in(RAG_CONTEXT_NONE, "x.md", text, 20, 0,
             "[one] # one\n\na b c d e f g h i j k l m n o p q r\n");
    check_in(RAG_CONTEXT_HEADING, "x.md", text, 20, 0,
             "[one] # one\n\na b c d e f g h i\n[one] j k l m n o p q r\n");
    check_in(RAG_CONTEXT_HEADING, "x.md", text, 21, 0,
             "[one] # one\n\na b c d e f g h i j k l m n o p q r\n");
}

static void check_context(rag_context context, size_t max_tokens, const char *header,
                          const char *expected)
{
    struct buf text = BUF_INIT(1 << 10);
    assert_true(buf_reserve(&text, 0));
    assert_true(context_append(context, max_tokens, "the name.md", "one > two > three",
                               (rag_text){header, strlen(header)}, &text));
    assert_string_equal(text.data, expected);
    buf_release(&text);
}

static void context_is_a_line_each_and_keeps_to_its_part(void **state)
{
    (void)state;
    check_context(RAG_CONTEXT_NONE, 100, "", "");
    check_context(RAG_CONTEXT_NONE, 100, "|a|", "|a|\n");
    check_context(RAG_CONTEXT_HEADING, 100, "", "one > two > three\n");
    check_context(RAG_CONTEXT_HEADING, 67, "|a|", "two > three\n|a|\n");
    check_context(RAG_CONTEXT_HEADING, 20, "", "three\n");
    check_context(RAG_CONTEXT_HEADING, 16, "", "");
    check_context(RAG_CONTEXT_DOCUMENT, 100, "", "the name.md\none > two > three\n");
    check_context(RAG_CONTEXT_DOCUMENT, 64, "", "the name\ntwo > three\n");
}

static void a_context_of_many_tokens_leaves_room_for_the_text(void **state)
{
    (void)state;
    /* One character that normalises to eighteen. */
    for (size_t max = 1; max < 40; max++) {
        struct made made = {0};
        const char *text = "# \xEF\xB7\xBA\n\na b c d e f g h i j k l m n o p\n";
        struct chunker_options options = {RAG_CHUNKER_STRUCTURE, max, max / 2,
                                          RAG_CONTEXT_DOCUMENT};
        rag_error error;
        assert_ok(document_parse("x.md", text, strlen(text), NULL, &made.document, &error),
                  &error);
        rag_status status =
            chunk_document(&made.document, tokenizer, &options, &made.list, &error);
        assert_true(status == RAG_OK || status == RAG_USAGE);
        if (!status)
            check_chunks(&made.document, &made.list);
        made_release(&made);
    }
}

static void the_documents_name_takes_its_part_too(void **state)
{
    (void)state;
    const char *text = "a b c d e f g h i j k l m n o p\n";
    check_in(RAG_CONTEXT_HEADING, "one", text, 16, 0, "[] a b c d e f g h i j k l m n o p\n");
    check_in(RAG_CONTEXT_DOCUMENT, "one", text, 16, 0,
             "[] a b c d e f g h i\n[] j k l m n o p\n");
    check_in(RAG_CONTEXT_DOCUMENT, "/two/one", text, 17, 0,
             "[] a b c d e f g h i j k l m n o p\n");
}

static void later_rows_of_a_table_get_its_header(void **state)
{
    (void)state;
    const char *text = "| a | b |\n|---|---|\n| c | d |\n| e | f |\n| g | h |\n| i | j |\n"
                       "| k | l |\n| m | n |\n| o | p |\n";
    check("x.md", text, 44, 0,
          "[] | a | b |\n|---|---|\n| c | d |\n| e | f |\n"
          "[] {| a | b |\n|---|---|} | g | h |\n| i | j |\n| k | l |\n| m | n |\n| o | p |\n");
    /* A header that would fill the chunks is not repeated. */
    check("x.md", text, 30, 0,
          "[] | a | b |\n|---|---|\n| c | d |\n| e | f |\n"
          "[] | g | h |\n| i | j |\n| k | l |\n| m | n |\n| o | p |\n");
}

/* ---- window ------------------------------------------------------------------- */

static void window_arithmetic_keeps_its_quirks(void **state)
{
    (void)state;
    static const struct {
        size_t tokens, size, overlap, count;
        struct window windows[6];
    } cases[] = {
        {0, 1024, 256, 0, {{0}}},
        {1, 1024, 256, 1, {{0, 1}}},
        {768, 1024, 256, 1, {{0, 768}}},
        /* Two identical windows. */
        {1000, 1024, 256, 2, {{0, 1000}, {0, 1000}}},
        /* The first overlap is twice as long, the last window pulled back. */
        {2986, 1024, 256, 4, {{0, 1024}, {512, 1536}, {1280, 2304}, {1962, 2986}}},
        {10, 4, 0, 3, {{0, 4}, {4, 8}, {6, 10}}},
        {3, 2, 9, 3, {{0, 2}, {0, 2}, {1, 3}}},
        {2, 1, 0, 2, {{0, 1}, {1, 2}}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t n = window_count(cases[i].tokens, cases[i].size, cases[i].overlap);
        assert_int_equal(n, cases[i].count);
        for (size_t k = 0; k < n; k++) {
            struct window w = window_at(cases[i].tokens, cases[i].size, cases[i].overlap, k);
            assert_int_equal(w.start, cases[i].windows[k].start);
            assert_int_equal(w.end, cases[i].windows[k].end);
        }
    }
}

static void window_chunks_are_the_text_of_their_tokens(void **state)
{
    (void)state;
    static const char text[] = "# one\n\na b c d e\n\n# two\n\nf g 一二 h i j k";
    struct made made =
        make("x.md", text, sizeof text - 1, RAG_CHUNKER_WINDOW, 6, 2, RAG_CONTEXT_NONE);
    struct token_list tokens = {0};
    rag_error error;
    assert_ok(tokenizer_encode(tokenizer, (rag_text){text, sizeof text - 1}, &tokens, &error),
              &error);
    assert_int_equal(made.list.count, window_count(tokens.count, 6, 2));
    for (size_t i = 0; i < made.list.count; i++) {
        struct window w = window_at(tokens.count, 6, 2, i);
        assert_int_equal(made.list.chunks[i].begin, tokens.begin[w.start]);
        assert_int_equal(made.list.chunks[i].end, tokens.end[w.end - 1]);
        assert_int_equal(made.list.chunks[i].tokens, w.end - w.start);
    }
    assert_string_equal(made.list.chunks[0].heading, "one");
    assert_string_equal(made.list.chunks[made.list.count - 1].heading, "two");
    token_list_release(&tokens);
    made_release(&made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_section_that_fits_is_one_chunk),
        cmocka_unit_test(a_heading_goes_with_the_text_that_follows_it),
        cmocka_unit_test(small_sections_of_one_parent_are_joined_and_carry_its_path),
        cmocka_unit_test(long_paragraphs_are_cut_at_sentences),
        cmocka_unit_test(code_is_whole_where_it_fits_and_cut_at_lines_where_not),
        cmocka_unit_test(a_lead_in_stays_with_what_it_leads_to),
        cmocka_unit_test(overlap_is_made_of_whole_sentences),
        cmocka_unit_test(a_document_of_headings_alone_keeps_them_all),
        cmocka_unit_test(a_limit_below_one_character_is_an_error_that_says_so),
        cmocka_unit_test(random_documents_keep_every_promise),
        cmocka_unit_test(random_bytes_of_text_keep_the_limit),
        cmocka_unit_test(chunking_takes_time_in_proportion_to_the_text),
        cmocka_unit_test(the_heading_path_takes_its_part_of_a_chunk),
        cmocka_unit_test(context_is_a_line_each_and_keeps_to_its_part),
        cmocka_unit_test(a_context_of_many_tokens_leaves_room_for_the_text),
        cmocka_unit_test(the_documents_name_takes_its_part_too),
        cmocka_unit_test(later_rows_of_a_table_get_its_header),
        cmocka_unit_test(window_arithmetic_keeps_its_quirks),
        cmocka_unit_test(window_chunks_are_the_text_of_their_tokens),
    };
    return cmocka_run_group_tests(tests, open_tokenizer, close_tokenizer);
}
