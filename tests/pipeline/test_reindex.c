/* An index that gets another model or chunker while it is used. */
#define _XOPEN_SOURCE 700
#include "pipeline/fixture.h"

#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

static rag_error error;

enum { FILES = 30 };

static void write_files(void)
{
    for (int i = 0; i < FILES; i++) {
        char name[32], text[256];
        snprintf(name, sizeof name, "docs/%02d.md", i);
        snprintf(text, sizeof text,
                 "# Text %d\n\nThe small river reads the stone %d and the model.\n\n"
                 "## More\n\nAn evening of tokens, %d of them, and the answer.\n",
                 i, i, i);
        write_text(name, text);
    }
}

static rag_index *open_filled(const char *name)
{
    write_files();
    rag_index *index = open_index(name, NULL);
    assert_int_equal(add_path(index, "docs").added, FILES);
    return index;
}

/* Naming nothing that it was made with. */
static rag_index *open_any(const char *name)
{
    rag_index_options options = index_options(NULL);
    options.must_exist = 1;
    return open_index(name, &options);
}

static rag_index_info info_of(rag_index *index)
{
    const rag_index_info *info;
    assert_ok(rag_index_get_info(index, &info, &error), &error);
    return *info;
}

static rag_reindex_options cut_into(size_t max_tokens)
{
    rag_reindex_options options = RAG_REINDEX_OPTIONS_INIT;
    options.max_tokens = max_tokens;
    return options;
}

static rag_reindex_report reindex(rag_index *index, const rag_reindex_options *options)
{
    rag_reindex_report report;
    assert_ok(rag_index_reindex(index, options, &report, &error), &error);
    return report;
}

static int64_t first_hit(rag_index *index, rag_mode mode, char *document)
{
    rag_search_options options = RAG_SEARCH_OPTIONS_INIT;
    rag_hits *hits;
    options.mode = mode;
    options.k = 1;
    assert_ok(rag_search(index, text_of("the stone 7"), &options, &hits, &error), &error);
    assert_int_equal(rag_hits_count(hits), 1);
    const rag_hit *hit = rag_hits_get(hits, 0);
    int64_t id = hit->chunk_id;
    if (document)
        snprintf(document, 4096, "%s", hit->chunk.document);
    rag_hits_free(hits);
    return id;
}

static bool is_there(const char *name)
{
    return access(in_sandbox(name), F_OK) == 0;
}

/* ---- Anew ---- */

static void all_is_cut_anew_from_the_stored_texts(void **state)
{
    (void)state;
    char before[4096], after[4096];
    rag_index *index = open_filled("x.rag"), *other = open_any("x.rag");
    size_t chunks = info_of(index).chunks;
    int64_t old_id = first_hit(other, RAG_MODE_LEXICAL, before);
    for (int i = 0; i < FILES; i++) { /* they are not needed */
        char name[32];
        snprintf(name, sizeof name, "docs/%02d.md", i);
        assert_int_equal(unlink(in_sandbox(name)), 0);
    }
    rag_reindex_options options = cut_into(20);
    rag_reindex_report report = reindex(index, &options);
    assert_int_equal(report.switched, 1);
    assert_int_equal(report.documents, FILES);
    assert_true(report.chunks > chunks && report.chunks_embedded > 0);
    for (int i = 0; i < 2; i++) { /* the handle that did it, and one that was open */
        rag_index *each = i ? other : index;
        assert_int_equal(info_of(each).documents, FILES);
        assert_int_equal(info_of(each).chunks, report.chunks);
        assert_int_equal(info_of(each).max_tokens, 20);
        assert_true(first_hit(each, RAG_MODE_LEXICAL, after) > old_id + (INT64_C(1) << 31));
        assert_string_equal(before, after);
        first_hit(each, RAG_MODE_DENSE, NULL);
        first_hit(each, RAG_HYBRID, NULL);
        assert_sound(each);
    }
    assert_false(is_there("x.rag-next"));
    report = reindex(other, &options);
    assert_int_equal(report.switched, 0);
    options.context = RAG_CONTEXT_DOCUMENT;
    report = reindex(other, &options);
    assert_int_equal(report.switched, 1);
    assert_int_equal(reindex(other, &options).switched, 0);
    rag_index_close(other);
    rag_index_close(index);
}

static int note_metadata(const rag_document *document, void *user)
{
    snprintf(user, 256, "%s %s %s", document->name, document->format, document->metadata);
    return 0;
}

static void what_is_no_file_keeps_its_name_and_metadata(void **state)
{
    (void)state;
    char seen[256];
    rag_index *index = open_index("x.rag", NULL);
    rag_source source = {.name = "tea/green",
                         .text = text_of("# Tea\n\nthe river\n"),
                         .format = "markdown",
                         .metadata = "{\"author\":\"Li\"}"};
    assert_ok(rag_index_put(index, &source, 1, NULL, NULL, &error), &error);
    rag_reindex_options options = cut_into(20);
    reindex(index, &options);
    assert_ok(rag_index_each_document(index, NULL, 0, 0, note_metadata, seen, &error), &error);
    assert_string_equal(seen, "tea/green markdown {\"author\":\"Li\"}");
    rag_add_report report;
    assert_ok(rag_index_put(index, &source, 1, NULL, &report, &error), &error);
    assert_int_equal(report.unchanged, 1);
    assert_sound(index);
    rag_index_close(index);
}

static void with_another_model_whoever_named_the_old_one_is_refused(void **state)
{
    (void)state;
    make_model("models/first", "bge-m3-like", 0, NULL);
    make_model("models/second", "bge-m3-like", 0, E5_PROMPTS);
    write_files();
    rag_index_options named = index_options("first");
    rag_index *index = open_index("x.rag", &named);
    assert_int_equal(add_path(index, "docs").added, FILES);
    rag_index *other = open_any("x.rag");
    assert_string_equal(info_of(other).model, "first");
    first_hit(other, RAG_HYBRID, NULL);
    rag_index *stubborn = open_index("x.rag", &named);
    first_hit(stubborn, RAG_HYBRID, NULL);

    rag_reindex_options options = RAG_REINDEX_OPTIONS_INIT;
    options.model = "second";
    rag_reindex_report report = reindex(index, &options);
    assert_int_equal(report.chunks_embedded, report.chunks);
    assert_string_equal(info_of(index).model, "second");
    first_hit(index, RAG_HYBRID, NULL);
    assert_string_equal(info_of(other).model, "second");
    first_hit(other, RAG_HYBRID, NULL);
    write_text("docs/new.md", "the new stone\n");
    assert_int_equal(add_path(other, "docs").added, 1);

    rag_hits *hits;
    rag_status status = rag_search(stubborn, text_of("stone"), NULL, &hits, &error);
    assert_int_equal(status, RAG_INDEX_MISMATCH);
    assert_says(&error, "second");
    const char *path = in_sandbox("docs");
    status = rag_index_add(stubborn, &path, 1, NULL, NULL, &error);
    assert_int_equal(status, RAG_INDEX_MISMATCH);
    assert_sound(index);
    rag_index_close(stubborn);
    rag_index_close(other);
    rag_index_close(index);
}

/* ---- Meanwhile ---- */

struct meddler {
    rag_index *index; /* another handle on the same file */
    int times;
    void (*meddle)(rag_index *index, int time);
};

static int meddle(const rag_event *event, void *user)
{
    struct meddler *meddler = user;
    if (event->kind == RAG_EVENT_PROGRESS && strcmp(event->stage, "re-indexing") == 0 &&
        meddler->times > 0)
        meddler->meddle(meddler->index, --meddler->times);
    return 0;
}

/* Each time something else, until all kinds of changes were made. */
static void change_something(rag_index *index, int time)
{
    switch (time % 5) {
    case 0:
        write_text("docs/new.md", "a new stone\n");
        break;
    case 1:
        write_text("docs/03.md", "# Text 3\n\nanother answer\n");
        break;
    case 2:
        assert_int_equal(unlink(in_sandbox("docs/05.md")), 0);
        break;
    case 3:
        assert_int_equal(rename(in_sandbox("docs/06.md"), in_sandbox("docs/zz.md")), 0);
        break;
    default:
        write_text("docs/07.md", "# Text 7\n\nThe small river reads the stone 7.\n");
    }
    add_path(index, "docs");
}

static void what_changes_meanwhile_is_in_the_new_index(void **state)
{
    (void)state;
    rag_index *index = open_filled("x.rag"), *other = open_any("x.rag");
    struct meddler meddler = {other, 5, change_something};
    rag_reindex_options options = cut_into(20);
    options.on_event = meddle;
    options.user = &meddler;
    rag_reindex_report report = reindex(index, &options);
    assert_int_equal(meddler.times, 0);
    assert_int_equal(report.documents, FILES); /* one new, one gone */
    assert_int_equal(info_of(other).max_tokens, 20);
    rag_add_report rest = add_path(other, "docs");
    assert_int_equal(rest.unchanged, FILES);
    assert_int_equal(rest.added + rest.updated + rest.renamed + rest.removed, 0);
    assert_sound(index);
    rag_index_close(other);
    rag_index_close(index);
}

static void reindex_in_between(rag_index *index, int time)
{
    rag_reindex_options options = cut_into(20 + (size_t)time);
    reindex(index, &options);
}

static int meddle_with_adding(const rag_event *event, void *user)
{
    struct meddler *meddler = user;
    if (event->kind == RAG_EVENT_PROGRESS && strcmp(event->stage, "indexing") == 0 &&
        event->done && meddler->times > 0)
        meddler->meddle(meddler->index, --meddler->times);
    return 0;
}

/* What was cut for the old index does not go into the new one. */
static void a_run_that_is_overtaken_is_refused_and_the_next_one_goes_on(void **state)
{
    (void)state;
    rag_index *index = open_filled("x.rag"), *other = open_any("x.rag");
    struct meddler meddler = {index, 1, reindex_in_between};
    rag_add_options options = RAG_ADD_OPTIONS_INIT;
    options.on_event = meddle_with_adding;
    options.user = &meddler;
    write_text("docs/00.md", "a new stone\n");
    write_text("docs/zz.md", "another new stone\n");
    const char *path = in_sandbox("docs");
    rag_status status = rag_index_add(other, &path, 1, &options, NULL, &error);
    assert_int_equal(status, RAG_INDEX_MISMATCH);
    assert_says(&error, "re-indexed meanwhile");
    rag_add_report report = add_path(other, "docs");
    assert_int_equal(report.added, 1);
    assert_int_equal(report.updated, 1);
    assert_sound(other);
    rag_index_close(other);
    rag_index_close(index);
}

/* ---- Interrupted ---- */

struct stopper {
    size_t events, stop_at;
};

static int stop_at(const rag_event *event, void *user)
{
    struct stopper *stopper = user;
    return event->kind == RAG_EVENT_PROGRESS && ++stopper->events >= stopper->stop_at;
}

static void interrupted_it_goes_on_where_it_was(void **state)
{
    (void)state;
    rag_index *index = open_filled("x.rag"), *at_once = open_filled("y.rag");
    rag_reindex_options options = cut_into(20);
    size_t embedded = 0, resumed = 0;
    size_t all = reindex(at_once, &options).chunks_embedded;
    rag_index_close(at_once);
    rag_reindex_report report = {0};
    rag_status status = RAG_INTERRUPTED;
    for (size_t n = 1; status == RAG_INTERRUPTED; n++) {
        struct stopper stopper = {0, 4 * n};
        options.on_event = stop_at;
        options.user = &stopper;
        status = rag_index_reindex(index, &options, &report, &error);
        embedded += report.chunks_embedded;
        if (status == RAG_INTERRUPTED) {
            assert_int_not_equal(info_of(index).max_tokens, 20);
            assert_true(is_there("x.rag-next"));
            assert_says(&error, "x.rag-next");
            assert_true(report.documents_resumed >= resumed);
            resumed = report.documents_resumed;
        }
        assert_sound(index);
    }
    assert_int_equal(status, RAG_OK);
    assert_true(report.documents_resumed > 0);
    assert_int_equal(embedded, all); /* each once */
    assert_false(is_there("x.rag-next"));
    rag_index_close(index);
}

static void for_something_else_it_begins_anew(void **state)
{
    (void)state;
    rag_index *index = open_filled("x.rag");
    struct stopper stopper = {0, 20};
    rag_reindex_options options = cut_into(20);
    options.on_event = stop_at;
    options.user = &stopper;
    assert_int_equal(rag_index_reindex(index, &options, NULL, &error), RAG_INTERRUPTED);
    options = cut_into(30);
    rag_reindex_report report = reindex(index, &options);
    assert_int_equal(report.documents_resumed, 0);
    assert_int_equal(info_of(index).max_tokens, 30);
    assert_sound(index);
    /* A file that is none of ours in its place is no hindrance, nor one that is left over. */
    write_text("x.rag-next", "this is no index, but long enough to be taken for one"
                             "                                                        ");
    options = cut_into(25);
    report = reindex(index, &options);
    assert_int_equal(report.switched, 1);
    write_text("x.rag-next", "");
    report = reindex(index, &options);
    assert_int_equal(report.switched, 0);
    assert_false(is_there("x.rag-next"));
    assert_sound(index);
    rag_index_close(index);
}

static void reindex_as_well(rag_index *index, int time)
{
    (void)time;
    rag_reindex_options options = cut_into(30);
    assert_int_equal(rag_index_reindex(index, &options, NULL, &error), RAG_INDEX_BUSY);
    assert_says(&error, "already");
}

static void two_at_once_are_refused(void **state)
{
    (void)state;
    rag_index *index = open_filled("x.rag"), *other = open_any("x.rag");
    struct meddler meddler = {other, 1, reindex_as_well};
    rag_reindex_options options = cut_into(20);
    options.on_event = meddle;
    options.user = &meddler;
    reindex(index, &options);
    assert_int_equal(meddler.times, 0);
    assert_sound(index);
    rag_index_close(other);
    rag_index_close(index);
}

/* ---- What cannot be ---- */

static void what_cannot_be_reindexed_is_told(void **state)
{
    (void)state;
    rag_index *index = open_index("x.rag", NULL);
    assert_int_equal(rag_index_reindex(index, NULL, NULL, &error), RAG_INDEX);
    rag_index_close(index);
    assert_false(is_there("x.rag"));

    float vector[] = {1, 0};
    rag_chunk chunk = {.end = 5};
    rag_source source = {.name = "a",
                         .text = text_of("stone"),
                         .chunks = &chunk,
                         .chunk_count = 1,
                         .vectors = vector};
    rag_index_options outside = index_options("text-embedding-3-large");
    outside.dimension = 2;
    index = open_index("y.rag", &outside);
    assert_ok(rag_index_put(index, &source, 1, NULL, NULL, &error), &error);
    rag_reindex_options options = RAG_REINDEX_OPTIONS_INIT;
    options.model = small_model("bge-m3-like");
    assert_int_equal(rag_index_reindex(index, &options, NULL, &error), RAG_USAGE);
    assert_says(&error, "from outside");
    rag_index_close(index);

    index = open_filled("z.rag");
    options.model = small_model("xlmr-reranker");
    assert_int_equal(rag_index_reindex(index, &options, NULL, &error), RAG_MODEL);
    options.model = "no/such-model";
    assert_int_equal(rag_index_reindex(index, &options, NULL, &error), RAG_MODEL_MISSING);
    options = cut_into(20);
    options.overlap = 20;
    assert_int_equal(rag_index_reindex(index, &options, NULL, &error), RAG_USAGE);
    assert_false(is_there("z.rag-next"));
    first_hit(index, RAG_HYBRID, NULL);
    rag_index_close(index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SANDBOX(all_is_cut_anew_from_the_stored_texts),
        IN_SANDBOX(what_is_no_file_keeps_its_name_and_metadata),
        IN_SANDBOX(with_another_model_whoever_named_the_old_one_is_refused),
        IN_SANDBOX(what_changes_meanwhile_is_in_the_new_index),
        IN_SANDBOX(a_run_that_is_overtaken_is_refused_and_the_next_one_goes_on),
        IN_SANDBOX(interrupted_it_goes_on_where_it_was),
        IN_SANDBOX(for_something_else_it_begins_anew),
        IN_SANDBOX(two_at_once_are_refused),
        IN_SANDBOX(what_cannot_be_reindexed_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
