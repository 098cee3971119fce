/* Bringing an index up to date with files: what is embedded, kept, taken out and refused. */
#define _XOPEN_SOURCE 700
#include "pipeline/fixture.h"

#include "base/buf.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static rag_error error;

static void assert_report(rag_add_report r, size_t added, size_t updated, size_t unchanged,
                          size_t removed, size_t skipped)
{
    assert_int_equal(r.added, added);
    assert_int_equal(r.updated, updated);
    assert_int_equal(r.unchanged, unchanged);
    assert_int_equal(r.removed, removed);
    assert_int_equal(r.skipped, skipped);
}

static rag_index_info info_of(rag_index *index)
{
    const rag_index_info *info;
    assert_ok(rag_index_get_info(index, &info, &error), &error);
    return *info;
}

/* Four sections that do not fit into one chunk of 30 tokens. */
#define SECTION(title, text)                                                                   \
    "# " title "\n\n" text " the river reads the stone and the stone.\n\n"
static const char four_sections[] =
    SECTION("River", "The small river:") SECTION("Stone", "The large stone:")
        SECTION("Model", "A model of tokens:") SECTION("水", "早晨 河流 检索:");
static const char one_changed[] =
    SECTION("River", "The small river:") SECTION("Stone", "The brown stone:")
        SECTION("Model", "A model of tokens:") SECTION("水", "早晨 河流 检索:");

static rag_index *open_small_chunks(const char *name)
{
    rag_index_options options = index_options(small_model("bge-m3-like"));
    options.max_tokens = 36;
    return open_index(name, &options);
}

/* ---- Up to date ---- */

static void files_are_added_updated_kept_and_removed(void **state)
{
    (void)state;
    write_text("docs/a.md", "# A\n\nthe river\n");
    write_text("docs/b/b.txt", "the stone\n");
    write_text("docs/c.md", "a small question\n");
    rag_index *index = open_index("x.rag", NULL);
    rag_add_report first = add_path(index, "docs");
    assert_report(first, 3, 0, 0, 0, 0);
    assert_int_equal(first.chunks, 3);
    assert_int_equal(first.chunks_embedded, 3);
    assert_true(first.tokens >= 9 && first.seconds >= 0);
    assert_report(add_path(index, "docs"), 0, 0, 3, 0, 0);

    write_text("docs/a.md", "# A\n\nthe large river\n");
    write_text("docs/d.txt", "the answer\n");
    write_text("docs/b/b.txt", "the stone\n"); /* the same again, with a new time */
    assert_int_equal(unlink(in_sandbox("docs/c.md")), 0);
    rag_add_report second = add_path(index, "docs");
    assert_report(second, 1, 1, 1, 1, 0);
    assert_int_equal(second.chunks_embedded, 2);
    assert_int_equal(info_of(index).documents, 3);
    assert_int_equal(info_of(index).chunks, 3);
    assert_sound(index);
    rag_index_close(index);

    index = open_index("x.rag", NULL); /* also for one who comes later */
    assert_report(add_path(index, "docs"), 0, 0, 3, 0, 0);
    assert_int_equal(info_of(index).dimension, 32);
    assert_string_equal(info_of(index).chunker, "structure");
    rag_index_close(index);
}

static void files_outside_the_given_paths_are_left_alone(void **state)
{
    (void)state;
    write_text("docs/a/x.md", "the river\n");
    write_text("docs/ab/x.md", "the stone\n");
    rag_index *index = open_index("x.rag", NULL);
    assert_report(add_path(index, "docs"), 2, 0, 0, 0, 0);
    assert_int_equal(unlink(in_sandbox("docs/a/x.md")), 0);
    assert_int_equal(unlink(in_sandbox("docs/ab/x.md")), 0);
    assert_report(add_path(index, "docs/a"), 0, 0, 0, 1, 0);
    assert_int_equal(info_of(index).documents, 1);
    size_t removed;
    const char *path = in_sandbox("docs");
    assert_ok(rag_index_remove(index, &path, 1, &removed, &error), &error);
    assert_int_equal(removed, 1);
    assert_int_equal(info_of(index).chunks, 0);
    assert_sound(index);
    rag_index_close(index);
}

static void only_chunks_with_a_new_text_are_embedded(void **state)
{
    (void)state;
    write_text("a.md", four_sections);
    rag_index *index = open_small_chunks("x.rag");
    rag_add_report report = add_path(index, "a.md");
    assert_int_equal(report.chunks, 4);
    assert_int_equal(report.chunks_embedded, 4);
    write_text("a.md", one_changed);
    report = add_path(index, "a.md");
    assert_report(report, 0, 1, 0, 0, 0);
    assert_int_equal(report.chunks, 4);
    assert_int_equal(report.chunks_embedded, 1);
    /* What another document holds already is known too. */
    write_text("b.md", four_sections);
    report = add_path(index, "b.md");
    assert_int_equal(report.chunks, 4);
    assert_int_equal(report.chunks_embedded, 1);
    assert_sound(index);
    rag_index_close(index);
}

static void a_renamed_file_is_not_embedded_again(void **state)
{
    (void)state;
    write_text("docs/a.md", four_sections);
    write_text("docs/b.md", "the evening\n");
    rag_index *index = open_small_chunks("x.rag");
    assert_report(add_path(index, "docs"), 2, 0, 0, 0, 0);
    static const char *const names[] = {"docs/z.md", "docs/0.md"}; /* behind, and before */
    const char *old = "docs/a.md";
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(rename(in_sandbox(old), in_sandbox(names[i])), 0);
        rag_add_report report = add_path(index, "docs");
        assert_report(report, 0, 0, 1, 0, 0);
        assert_int_equal(report.renamed, 1);
        assert_int_equal(report.chunks_embedded, 0);
        assert_int_equal(report.tokens, 0);
        old = names[i];
    }
    assert_sound(index);
    rag_index_close(index);
}

static void an_empty_file_is_a_document_without_chunks(void **state)
{
    (void)state;
    write_text("docs/empty.md", "");
    write_text("docs/blank.txt", " \n\n");
    rag_index *index = open_index("x.rag", NULL);
    rag_add_report report = add_path(index, "docs");
    assert_report(report, 2, 0, 0, 0, 0);
    assert_int_equal(report.chunks, 0);
    assert_report(add_path(index, "docs"), 0, 0, 2, 0, 0);
    write_text("docs/empty.md", "the river");
    report = add_path(index, "docs");
    assert_report(report, 0, 1, 1, 0, 0);
    assert_int_equal(report.chunks, 1);
    assert_sound(index);
    rag_index_close(index);
}

/* ---- What cannot be read ---- */

struct warnings {
    size_t count;
    char last[1024];
};

static int note_warnings(const rag_event *event, void *user)
{
    struct warnings *warnings = user;
    if (event->kind == RAG_EVENT_WARNING) {
        warnings->count++;
        snprintf(warnings->last, sizeof warnings->last, "%s", event->message);
    }
    return 0;
}

static void a_bad_file_is_skipped_with_a_warning_and_counted(void **state)
{
    (void)state;
    write_text("docs/a.md", "the river\n");
    write_bytes("docs/b.md",
                "\x7f"
                "ELF\0\1\2\0\0\0\xff\xfe\0\0\0",
                16);
    write_text("docs/c.md", "the stone\n");
    rag_index *index = open_index("x.rag", NULL);
    struct warnings warnings = {0};
    rag_add_options options = RAG_ADD_OPTIONS_INIT;
    options.on_event = note_warnings;
    options.user = &warnings;
    const char *path = in_sandbox("docs");
    rag_add_report report;
    for (size_t i = 1; i <= 2; i++) { /* it is looked at again in the next run */
        assert_ok(rag_index_add(index, &path, 1, &options, &report, &error), &error);
        assert_report(report, i == 1 ? 2 : 0, 0, i == 1 ? 0 : 2, 0, 1);
        assert_int_equal(warnings.count, i);
        assert_non_null(strstr(warnings.last, "docs/b.md"));
    }
    assert_int_equal(info_of(index).documents, 2);
    assert_sound(index);
    rag_index_close(index);
}

static void a_path_that_is_not_there_is_refused(void **state)
{
    (void)state;
    rag_index *index = open_index("x.rag", NULL);
    rag_add_report report;
    const char *path = in_sandbox("nowhere");
    assert_status(RAG_INPUT, rag_index_add(index, &path, 1, NULL, &report, &error), &error);
    assert_says(&error, "nowhere");
    assert_report(report, 0, 0, 0, 0, 0);
    rag_index_close(index);
}

/* ---- What an index was made with ---- */

static void another_model_is_refused_naming_both(void **state)
{
    (void)state;
    write_text("a.md", "the river\n");
    make_model("models/first", "bge-m3-like", 0, NULL);
    make_model("models/second", "bge-m3-like", 0, E5_PROMPTS);
    rag_index_options options = index_options("first");
    rag_index *index = open_index("x.rag", &options);
    add_path(index, "a.md");
    assert_string_equal(info_of(index).model, "first");
    rag_index_close(index);

    options.model = "second";
    index = open_index("x.rag", &options);
    const char *path = in_sandbox("a.md");
    rag_hits *hits;
    assert_status(RAG_INDEX_MISMATCH, rag_index_add(index, &path, 1, NULL, NULL, &error),
                  &error);
    assert_says(&error, "the model first");
    assert_says(&error, "second");
    assert_says(&error, "--index");
    assert_status(RAG_INDEX_MISMATCH, rag_search(index, text_of("river"), NULL, &hits, &error),
                  &error);
    assert_null(hits);
    assert_sound(index);
    rag_index_close(index);

    options.model = NULL; /* the one that it was made with */
    index = open_index("x.rag", &options);
    assert_report(add_path(index, "a.md"), 0, 0, 1, 0, 0);
    assert_ok(rag_search(index, text_of("river"), NULL, &hits, &error), &error);
    assert_int_equal(rag_hits_count(hits), 1);
    rag_hits_free(hits);
    rag_index_close(index);
}

static void other_files_of_the_same_model_are_refused(void **state)
{
    (void)state;
    write_text("a.md", "the river\n");
    static const char *const folders[] = {"models/first", "elsewhere/first"};
    for (size_t i = 0; i < 2; i++) {
        char index_name[16];
        snprintf(index_name, sizeof index_name, "%zu.rag", i);
        make_model(folders[i], "bge-m3-like", 0, NULL);
        rag_index_options options = index_options(in_sandbox(folders[i]));
        rag_index *index = open_index(index_name, &options);
        add_path(index, "a.md");
        rag_index_close(index);
        char prompts[64];
        snprintf(prompts, sizeof prompts, "%s/config_sentence_transformers.json", folders[i]);
        write_text(prompts, E5_PROMPTS);
        options.model = NULL;
        index = open_index(index_name, &options);
        rag_hits *hits;
        assert_status(RAG_INDEX_MISMATCH,
                      rag_search(index, text_of("river"), NULL, &hits, &error), &error);
        assert_says(&error, "other files of");
        assert_says(&error, "first");
        rag_index_close(index);
    }
}

static void a_reranker_is_refused_as_the_model_of_an_index(void **state)
{
    (void)state;
    write_text("a.md", "the river\n");
    rag_index_options options = index_options(small_model("xlmr-reranker"));
    rag_index *index = open_index("x.rag", &options);
    const char *path = in_sandbox("a.md");
    assert_status(RAG_MODEL, rag_index_add(index, &path, 1, NULL, NULL, &error), &error);
    assert_says(&error, "xlmr-reranker is a reranker");
    rag_index_close(index);
}

static void other_chunker_options_are_refused(void **state)
{
    (void)state;
    write_text("a.md", "the river\n");
    rag_index_options options = index_options(small_model("bge-m3-like"));
    options.chunker = RAG_CHUNKER_WINDOW;
    options.max_tokens = 40;
    options.overlap = 7;
    rag_index *index = open_index("x.rag", &options);
    add_path(index, "a.md");
    rag_index_close(index);
    index = open_index("x.rag", &options);
    assert_int_equal(info_of(index).max_tokens, 40);
    assert_int_equal(info_of(index).overlap, 7);
    assert_string_equal(info_of(index).chunker, "window");
    rag_index_close(index);

    rag_index_options others[3] = {options, options, options};
    others[0].chunker = RAG_CHUNKER_STRUCTURE;
    others[1].max_tokens = 41;
    others[2].overlap = 0;
    for (size_t i = 0; i < 3; i++) {
        assert_status(RAG_INDEX_MISMATCH,
                      rag_index_open(in_sandbox("x.rag"), &others[i], &index, &error), &error);
        assert_null(index);
        assert_says(&error, "window chunker into at most 40 tokens with an overlap of 7");
    }
}

struct notes {
    size_t count;
    char last[1024];
};

static int keep_notes(const rag_event *event, void *user)
{
    struct notes *notes = user;
    if (event->kind == RAG_EVENT_NOTE) {
        notes->count++;
        snprintf(notes->last, sizeof notes->last, "%s", event->message);
    }
    return 0;
}

static void chunks_longer_than_the_model_takes_are_noted_and_taken(void **state)
{
    (void)state;
    struct buf text = BUF_INIT(1 << 16);
    for (size_t i = 0; i < 60; i++)
        assert_true(buf_append_text(&text, "the river reads the stone. "));
    write_bytes("a.txt", text.data, text.size);
    buf_release(&text);
    rag_index_options options = index_options(small_model("bge-m3-like"));
    options.chunker = RAG_CHUNKER_WINDOW;
    options.max_tokens = 200; /* of a model for 130 */
    rag_index *index = open_index("x.rag", &options);
    struct notes notes = {0};
    rag_add_options add = RAG_ADD_OPTIONS_INIT;
    add.on_event = keep_notes;
    add.user = &notes;
    rag_add_report report;
    const char *path = in_sandbox("a.txt");
    assert_ok(rag_index_add(index, &path, 1, &add, &report, &error), &error);
    assert_int_equal(notes.count, 1);
    assert_non_null(strstr(notes.last, "130 tokens"));
    assert_int_equal(report.chunks_embedded, report.chunks);
    assert_true(report.tokens >= report.chunks * 130);
    assert_sound(index);
    rag_index_close(index);
}

static void an_overlap_that_leaves_nothing_is_refused(void **state)
{
    (void)state;
    write_text("a.md", "the river\n");
    rag_index_options options = index_options(small_model("bge-m3-like"));
    options.max_tokens = options.overlap = 10;
    rag_index *index = open_index("x.rag", &options);
    const char *path = in_sandbox("a.md");
    assert_status(RAG_USAGE, rag_index_add(index, &path, 1, NULL, NULL, &error), &error);
    assert_says(&error, "--overlap");
    rag_index_close(index);
}

static void a_missing_index_is_refused_if_it_must_exist(void **state)
{
    (void)state;
    rag_index *index;
    rag_index_options options = index_options(NULL);
    options.must_exist = 1;
    assert_status(RAG_INDEX, rag_index_open(in_sandbox("no.rag"), &options, &index, &error),
                  &error);
    assert_says(&error, "rag index");
    assert_int_equal(access(in_sandbox("no.rag"), F_OK), -1);
}

static void a_file_of_another_program_is_refused_and_left_as_it_is(void **state)
{
    (void)state;
    static const char text[] = "These are notes, and no index.\n";
    rag_index *index;
    write_text("x.rag", text);
    assert_status(RAG_INDEX, rag_index_open(in_sandbox("x.rag"), NULL, &index, &error), &error);
    size_t size;
    char *data = read_file(in_sandbox("x.rag"), &size);
    assert_string_equal(data, text);
    free(data);
}

/* ---- Interruption ---- */

enum { FILES = 12 };

static void write_files(void)
{
    char name[32];
    for (unsigned i = 0; i < FILES; i++) {
        snprintf(name, sizeof name, "docs/%02u.md", i);
        write_text(name, i == FILES - 1 ? "" : i % 2 ? one_changed : four_sections);
    }
}

struct stopper {
    size_t calls, stop_at;
};

static int stop_at(const rag_event *event, void *user)
{
    struct stopper *stopper = user;
    return event->kind == RAG_EVENT_PROGRESS && ++stopper->calls >= stopper->stop_at;
}

/* Stopped at its n-th event a run has reported just what is in the file, whole; the next one
 * does the rest. */
static void what_was_reported_before_an_interruption_is_in_the_index(void **state)
{
    (void)state;
    write_files();
    const char *path = in_sandbox("docs");
    size_t interrupted = 0;
    for (size_t n = 1;; n++) {
        char name[32];
        snprintf(name, sizeof name, "%zu.rag", n);
        rag_index *index = open_small_chunks(name);
        struct stopper stopper = {.stop_at = n};
        rag_add_options options = RAG_ADD_OPTIONS_INIT;
        options.on_event = stop_at;
        options.user = &stopper;
        rag_add_report report;
        rag_status status = rag_index_add(index, &path, 1, &options, &report, &error);
        assert_int_equal(info_of(index).documents, report.added);
        assert_int_equal(info_of(index).chunks, report.chunks);
        assert_sound(index);
        if (status == RAG_INTERRUPTED) {
            interrupted++;
            assert_true(report.added < FILES);
        } else {
            assert_int_equal(status, RAG_OK);
            assert_int_equal(report.added, FILES);
        }
        rag_add_report rest = add_path(index, "docs");
        assert_report(rest, FILES - report.added, 0, report.added, 0, 0);
        assert_int_equal(info_of(index).chunks, 4 * (FILES - 1));
        assert_sound(index);
        rag_index_close(index);
        if (stopper.calls < n)
            break; /* there were no more events */
    }
    assert_true(interrupted >= FILES - 1);
}

static void nothing_is_taken_out_by_a_run_that_is_stopped(void **state)
{
    (void)state;
    write_text("docs/a.md", four_sections);
    write_text("docs/b.md", "the river\n");
    rag_index *index = open_small_chunks("x.rag");
    add_path(index, "docs");
    assert_int_equal(rename(in_sandbox("docs/a.md"), in_sandbox("docs/z.md")), 0);
    write_text("docs/b.md", "the stone\n");
    struct stopper stopper = {.stop_at = 1};
    rag_add_options options = RAG_ADD_OPTIONS_INIT;
    options.on_event = stop_at;
    options.user = &stopper;
    rag_add_report report;
    const char *path = in_sandbox("docs");
    assert_status(RAG_INTERRUPTED, rag_index_add(index, &path, 1, &options, &report, &error),
                  &error);
    assert_int_equal(report.removed, 0);
    report = add_path(index, "docs");
    assert_int_equal(report.renamed, 1);
    assert_int_equal(report.chunks_embedded, report.updated);
    assert_int_equal(info_of(index).documents, 2);
    assert_sound(index);
    rag_index_close(index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SANDBOX(files_are_added_updated_kept_and_removed),
        IN_SANDBOX(files_outside_the_given_paths_are_left_alone),
        IN_SANDBOX(only_chunks_with_a_new_text_are_embedded),
        IN_SANDBOX(a_renamed_file_is_not_embedded_again),
        IN_SANDBOX(an_empty_file_is_a_document_without_chunks),
        IN_SANDBOX(a_bad_file_is_skipped_with_a_warning_and_counted),
        IN_SANDBOX(a_path_that_is_not_there_is_refused),
        IN_SANDBOX(another_model_is_refused_naming_both),
        IN_SANDBOX(other_files_of_the_same_model_are_refused),
        IN_SANDBOX(a_reranker_is_refused_as_the_model_of_an_index),
        IN_SANDBOX(other_chunker_options_are_refused),
        IN_SANDBOX(chunks_longer_than_the_model_takes_are_noted_and_taken),
        IN_SANDBOX(an_overlap_that_leaves_nothing_is_refused),
        IN_SANDBOX(a_missing_index_is_refused_if_it_must_exist),
        IN_SANDBOX(a_file_of_another_program_is_refused_and_left_as_it_is),
        IN_SANDBOX(what_was_reported_before_an_interruption_is_in_the_index),
        IN_SANDBOX(nothing_is_taken_out_by_a_run_that_is_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
