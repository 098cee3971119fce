/* How files are read is part of their hash where it makes a difference, and only there; what
 * tesseract could not understand is refused. */
#include "support/test.h"

#include "documents/read_options.h"

#include <stdlib.h>

static const char bytes[] = "the bytes of a file";
enum { SIZE = sizeof bytes - 1 };

static struct hash plain_hash(void)
{
    struct hash hash;
    rag_error error;
    assert_ok(hash_bytes(bytes, SIZE, &hash, &error), &error);
    return hash;
}

static struct hash hash_as(const struct read_options *options, const char *name)
{
    struct hash hash = plain_hash();
    rag_error error;
    assert_ok(read_options_mix(options, name, &hash, &error), &error);
    return hash;
}

static bool same(struct hash a, struct hash b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

static void an_option_is_in_the_hash_of_what_it_makes_a_difference_for(void **state)
{
    (void)state;
    static const char *const others[] = {"a.md", "a.docx", "a.html", "a.py", "a.ipynb"};
    static const char *const scans[] = {"a.pdf", "a.zip",  "a.tar.gz",
                                        "a.eml", "a.mbox", "stdin"};
    const struct read_options none = {0}, english = {.ocr = "eng"}, french = {.ocr = "fra"};
    const struct read_options outputs = {.notebook_outputs = true};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_false(read_options_matter(&english, others[i]));
        assert_true(same(hash_as(&english, others[i]), plain_hash()));
    }
    for (size_t i = 0; i < sizeof scans / sizeof *scans; i++) {
        assert_true(read_options_matter(&english, scans[i]));
        assert_false(read_options_matter(&none, scans[i]));
        assert_true(same(hash_as(&none, scans[i]), plain_hash()));
        assert_false(same(hash_as(&english, scans[i]), plain_hash()));
        assert_false(same(hash_as(&english, scans[i]), hash_as(&french, scans[i])));
    }
    assert_true(read_options_matter(&outputs, "a.ipynb"));
    assert_true(read_options_matter(&outputs, "a.zip"));
    assert_false(read_options_matter(&outputs, "a.pdf"));
    assert_false(same(hash_as(&outputs, "a.ipynb"), plain_hash()));
    assert_false(same(hash_as(&outputs, "a.zip"), hash_as(&english, "a.zip")));
}

static bool find(const char *name, struct hash hash, struct read_options *out)
{
    bool found;
    rag_error error;
    assert_ok(read_options_find(name, bytes, SIZE, &hash, out, &found, &error), &error);
    return found;
}

static void the_options_of_a_hash_are_found(void **state)
{
    (void)state;
    const struct read_options english = {.ocr = "eng"}, french = {.ocr = "fra"};
    struct read_options found;
    assert_int_equal(setenv("RAG_OCR", "eng", 1), 0);
    assert_true(find("a.pdf", hash_as(&english, "a.pdf"), &found));
    assert_string_equal(found.ocr, "eng");
    assert_true(find("a.pdf", plain_hash(), &found));
    assert_string_equal(found.ocr, "");
    const struct read_options both = {.ocr = "eng", .notebook_outputs = true};
    assert_true(find("a.ipynb", hash_as(&both, "a.ipynb"), &found));
    assert_true(found.notebook_outputs);
    assert_true(find("a.zip", hash_as(&both, "a.zip"), &found));
    assert_true(found.notebook_outputs);
    assert_string_equal(found.ocr, "eng");
    assert_false(find("a.pdf", hash_as(&french, "a.pdf"), &found));
    assert_int_equal(setenv("RAG_OCR", "no; language", 1), 0);
    assert_false(find("a.pdf", hash_as(&english, "a.pdf"), &found));
    assert_int_equal(unsetenv("RAG_OCR"), 0);
    assert_false(find("a.pdf", hash_as(&english, "a.pdf"), &found));
}

static void what_are_no_names_of_languages_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"eng+",    "+",      "+eng", "eng++fra",
                                      "eng fra", "../eng", "-l"};
    struct read_options options;
    rag_error error;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_status(RAG_USAGE, read_options_make(bad[i], false, &options, &error), &error);
        assert_says(&error, "--ocr");
    }
    char longest[READ_MAX_LANGUAGES + 2];
    memset(longest, 'e', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    assert_status(RAG_USAGE, read_options_make(longest, false, &options, &error), &error);
    assert_int_equal(setenv("RAG_OCR", "a b", 1), 0);
    assert_status(RAG_USAGE, read_options_make(NULL, false, &options, &error), &error);
    assert_says(&error, "RAG_OCR");
    assert_ok(read_options_make("none", true, &options, &error), &error);
    assert_string_equal(options.ocr, "");
    assert_true(options.notebook_outputs);
    assert_ok(read_options_make("", false, &options, &error), &error);
    assert_int_equal(unsetenv("RAG_OCR"), 0);
    assert_ok(read_options_make(NULL, false, &options, &error), &error);
    assert_string_equal(options.ocr, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_option_is_in_the_hash_of_what_it_makes_a_difference_for),
        cmocka_unit_test(the_options_of_a_hash_are_found),
        cmocka_unit_test(what_are_no_names_of_languages_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
