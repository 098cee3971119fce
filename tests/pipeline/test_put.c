/* Documents that are no files: what goes in, what comes back, and what is refused. */
#define _XOPEN_SOURCE 700
#include "pipeline/fixture.h"

#include "base/buf.h"
#include "base/file.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

static rag_error error;

static rag_source source(const char *name, const char *text)
{
    return (rag_source){.name = name, .text = text_of(text)};
}

static rag_add_report put(rag_index *index, const rag_source *sources, size_t count)
{
    rag_add_report report;
    assert_ok(rag_index_put(index, sources, count, NULL, &report, &error), &error);
    return report;
}

static void assert_report(rag_add_report r, size_t added, size_t updated, size_t unchanged)
{
    assert_int_equal(r.added, added);
    assert_int_equal(r.updated, updated);
    assert_int_equal(r.unchanged, unchanged);
    assert_int_equal(r.removed + r.skipped, 0);
}

static size_t documents_of(rag_index *index)
{
    const rag_index_info *info;
    assert_ok(rag_index_get_info(index, &info, &error), &error);
    return info->documents;
}

/* What is handed over, as text. */
static int note_document(const rag_document *document, void *user)
{
    assert_true(buf_printf(user, "%s %s %s %zu %llu [%.*s]\n", document->name, document->format,
                           document->metadata, document->chunks,
                           (unsigned long long)document->size, (int)document->text.size,
                           document->text.data));
    assert_true(document->modified > 0);
    return 0;
}

static void assert_documents(rag_index *index, const char *const *names, size_t count,
                             int with_text, const char *expected)
{
    struct buf said = BUF_INIT(1 << 20);
    assert_true(buf_append_text(&said, ""));
    assert_ok(
        rag_index_each_document(index, names, count, with_text, note_document, &said, &error),
        &error);
    assert_string_equal(said.data, expected);
    buf_release(&said);
}

struct seen {
    struct buf said;
    size_t dimension, count, stop_at;
    float vectors[16][32];
};

static int note_chunk(const rag_chunk *chunk, int64_t id, const float *vector, void *user)
{
    struct seen *seen = user;
    assert_true(id > 0);
    assert_true(buf_printf(&seen->said, "%s/%zu %llu-%llu %u-%u (%s) [%.*s]\n", chunk->document,
                           chunk->number, (unsigned long long)chunk->begin,
                           (unsigned long long)chunk->end, chunk->line, chunk->last_line,
                           chunk->heading, (int)chunk->text.size, chunk->text.data));
    memcpy(seen->vectors[seen->count], vector, seen->dimension * sizeof *vector);
    return ++seen->count == seen->stop_at;
}

static struct seen chunks_of(rag_index *index, const char *name, size_t dimension)
{
    struct seen seen = {.said = BUF_INIT(1 << 20), .dimension = dimension};
    assert_true(buf_append_text(&seen.said, ""));
    assert_ok(rag_index_each_chunk(index, NULL, name, note_chunk, &seen, &error), &error);
    return seen;
}

static void assert_chunks(rag_index *index, const char *name, size_t dimension,
                          const char *expected)
{
    struct seen seen = chunks_of(index, name, dimension);
    assert_string_equal(seen.said.data, expected);
    buf_release(&seen.said);
}

/* ---- In and out ---- */

static void sources_are_added_updated_and_kept(void **state)
{
    (void)state;
    rag_index *index = open_index("x.rag", NULL);
    rag_source sources[] = {source("b: an id", "the river\n"), source("a", "the stone\n")};
    sources[0].metadata = "{\"page\": 7}";
    rag_add_report first = put(index, sources, 2);
    assert_report(first, 2, 0, 0);
    assert_int_equal(first.chunks, 2);
    assert_int_equal(first.chunks_embedded, 2);
    assert_true(first.tokens > 0);
    assert_report(put(index, sources, 2), 0, 0, 2);
    assert_documents(index, NULL, 0, 1,
                     "a text {} 1 10 [the stone\n]\n"
                     "b: an id text {\"page\": 7} 1 10 [the river\n]\n");

    sources[0].metadata = "{\"page\": 8}"; /* nothing to embed */
    sources[1].text = text_of("the large stone\n");
    rag_add_report second = put(index, sources, 2);
    assert_report(second, 0, 2, 0);
    assert_int_equal(second.chunks_embedded, 1);
    sources[1].format = "markdown";
    assert_report(put(index, sources, 2), 0, 1, 1);
    assert_documents(index, NULL, 0, 0,
                     "a markdown {} 1 16 []\n"
                     "b: an id text {\"page\": 8} 1 10 []\n");
    assert_sound(index);
    rag_index_close(index);

    index = open_index("x.rag", NULL);
    assert_report(put(index, sources, 2), 0, 0, 2);
    rag_index_close(index);
}

static void documents_are_handed_over_by_name_in_order_and_once(void **state)
{
    (void)state;
    rag_index *index = open_index("x.rag", NULL);
    rag_source sources[] = {source("c", ""), source("a", ""), source("B", "")};
    put(index, sources, 3);
    const char *names[] = {"c", "none", "B", "c"};
    assert_documents(index, names, 4, 0, "B text {} 0 0 []\nc text {} 0 0 []\n");
    assert_documents(index, names, 0, 0, "");
    assert_sound(index);
    rag_index_close(index);
}

static int stop_at_once(const rag_document *document, void *user)
{
    (void)document;
    ++*(int *)user;
    return 1;
}

static void handing_over_stops_when_asked(void **state)
{
    (void)state;
    rag_index *index = open_index("x.rag", NULL);
    rag_source sources[] = {source("a", "the river\n"), source("b", "the stone\n")};
    put(index, sources, 2);
    int calls = 0;
    assert_status(RAG_INTERRUPTED,
                  rag_index_each_document(index, NULL, 0, 0, stop_at_once, &calls, &error),
                  &error);
    assert_int_equal(calls, 1);
    struct seen seen = {.said = BUF_INIT(1 << 20), .dimension = 32, .stop_at = 1};
    assert_status(RAG_INTERRUPTED,
                  rag_index_each_chunk(index, NULL, NULL, note_chunk, &seen, &error), &error);
    assert_int_equal(seen.count, 1);
    buf_release(&seen.said);
    seen = (struct seen){.said = BUF_INIT(1 << 20)};
    assert_status(RAG_NOT_FOUND,
                  rag_index_each_chunk(index, NULL, "c", note_chunk, &seen, &error), &error);
    rag_index_close(index);
}

static void an_index_without_a_file_answers_everything(void **state)
{
    (void)state;
    rag_index *index = open_index("deep/down/x.rag", NULL);
    assert_documents(index, NULL, 0, 1, "");
    assert_chunks(index, NULL, 32, "");
    struct seen seen = {.said = BUF_INIT(1)};
    assert_status(RAG_NOT_FOUND,
                  rag_index_each_chunk(index, NULL, "c", note_chunk, &seen, &error), &error);
    size_t removed = 9;
    const char *name = "a";
    assert_ok(rag_index_remove(index, &name, 1, &removed, &error), &error);
    assert_int_equal(removed, 0);
    rag_hits *hits;
    assert_ok(rag_search(index, text_of("river"), NULL, &hits, &error), &error);
    assert_int_equal(rag_hits_count(hits), 0);
    rag_hits_free(hits);
    assert_int_equal(documents_of(index), 0);
    assert_sound(index);
    const char *nowhere = in_sandbox("nowhere");
    assert_status(RAG_INPUT, rag_index_add(index, &nowhere, 1, NULL, NULL, &error), &error);
    assert_false(path_is_directory(in_sandbox("deep")));
    rag_source one = source("a", "the river\n");
    assert_report(put(index, &one, 1), 1, 0, 0);
    assert_true(path_is_file(in_sandbox("deep/down/x.rag")));
    rag_index_close(index);
}

static void a_file_that_somebody_else_makes_is_seen(void **state)
{
    (void)state;
    rag_index *one = open_index("x.rag", NULL), *other = open_index("x.rag", NULL);
    rag_source sources[] = {source("a", "the river\n"), source("b", "the stone\n")};
    put(one, &sources[0], 1);
    assert_int_equal(documents_of(other), 1);
    put(other, &sources[1], 1);
    rag_hits *hits;
    assert_ok(rag_search(one, text_of("stone"), NULL, &hits, &error), &error);
    assert_int_equal(rag_hits_count(hits), 2);
    rag_hits_free(hits);
    assert_sound(one);
    rag_index_close(one);
    rag_index_close(other);
}

/* ---- Chunks of the caller's ---- */

static const char poem[] = "first line\nsecond \xe6\xae\x8b line\n\nlast line";

static void the_callers_chunks_are_kept_in_their_order(void **state)
{
    (void)state;
    rag_index *index = open_index("x.rag", NULL);
    rag_source one = source("poem", poem);
    rag_chunk chunks[] = {
        {.begin = 11, .end = 27, .heading = "Second > Line"},
        {.begin = 0, .end = 21, .line = 1, .last_line = 3}, /* they may overlap */
        {.begin = 28, .end = sizeof poem - 1},
        {.begin = 5, .end = 5},
        {.begin = 0, .end = 11},
        {.begin = sizeof poem - 1, .end = sizeof poem - 1},
    };
    one.chunks = chunks;
    one.chunk_count = 6;
    rag_add_report report = put(index, &one, 1);
    assert_int_equal(report.chunks, 6);
    assert_chunks(index, "poem", 32,
                  "poem/0 11-27 2-2 (Second > Line) [second \xe6\xae\x8b line\n]\n"
                  "poem/1 0-21 1-3 () [first line\nsecond \xe6\xae\x8b]\n"
                  "poem/2 28-37 4-4 () [last line]\n"
                  "poem/3 5-5 1-1 () []\n"
                  "poem/4 0-11 1-1 () [first line\n]\n"
                  "poem/5 37-37 4-4 () []\n");
    assert_report(put(index, &one, 1), 0, 0, 1);
    chunks[2].heading = "Last";
    rag_add_report again = put(index, &one, 1);
    assert_report(again, 0, 1, 0);
    assert_int_equal(again.chunks_embedded, 1);
    one.chunk_count = 0; /* a document without chunks is one, too */
    assert_report(put(index, &one, 1), 0, 1, 0);
    assert_chunks(index, "poem", 32, "");
    assert_sound(index);
    rag_index_close(index);
}

static void tokens_of_the_callers_chunks_are_counted(void **state)
{
    (void)state;
    rag_index *index = open_index("x.rag", NULL);
    rag_model *model = open_model(small_model("bge-m3-like"));
    rag_tokenizer *tokenizer;
    assert_ok(rag_tokenizer_open(small_model("bge-m3-like"), NULL, &tokenizer, &error), &error);
    rag_tokens tokens;
    assert_ok(rag_tokenize(tokenizer, text_of("the river"), &tokens, &error), &error);
    rag_source one = source("a", "the river");
    one.chunks = &(rag_chunk){.end = 9};
    one.chunk_count = 1;
    put(index, &one, 1);
    const rag_index_info *info;
    assert_ok(rag_index_get_info(index, &info, &error), &error);
    assert_int_equal(info->tokens, tokens.count - 2);
    rag_tokens_release(&tokens);
    rag_tokenizer_close(tokenizer);
    rag_model_close(model);
    rag_index_close(index);
}

static void a_source_is_cut_as_a_file_of_its_text(void **state)
{
    (void)state;
    static const char text[] = "# River\n\nThe small river.\n\n# Stone\n\nThe large stone.\n";
    write_text("a.md", text);
    rag_index *index = open_index("x.rag", NULL);
    add_path(index, "a.md");
    rag_source one = source("a", text);
    one.format = "markdown";
    rag_add_report report = put(index, &one, 1);
    assert_int_equal(report.chunks_embedded, 0); /* the file has the same chunks */
    struct seen file = chunks_of(index, in_sandbox("a.md"), 32);
    struct seen other = chunks_of(index, "a", 32);
    assert_int_equal(file.count, other.count);
    assert_memory_equal(file.vectors, other.vectors, file.count * sizeof file.vectors[0]);
    assert_string_equal(strstr(file.said.data, "a.md/") + 4, strstr(other.said.data, "a/") + 1);
    buf_release(&file.said);
    buf_release(&other.said);
    rag_index_close(index);
}

static void a_text_is_taken_as_it_is(void **state)
{
    (void)state;
    rag_index *index = open_index("x.rag", NULL);
    static const char bytes[] = "zero\0byte \xef\xbb\xbf and mark";
    rag_source one = {.name = "n", .text = {bytes, sizeof bytes - 1}};
    put(index, &one, 1);
    rag_search_options options = RAG_SEARCH_OPTIONS_INIT;
    options.mode = RAG_MODE_LEXICAL;
    rag_hits *hits;
    assert_ok(rag_search(index, text_of("byte"), &options, &hits, &error), &error);
    assert_int_equal(rag_hits_count(hits), 1);
    rag_text text = rag_hits_get(hits, 0)->chunk.text;
    assert_int_equal(text.size, sizeof bytes - 1);
    assert_memory_equal(text.data, bytes, text.size);
    assert_string_equal(rag_hits_get(hits, 0)->metadata, "{}");
    rag_hits_free(hits);
    assert_sound(index);
    rag_index_close(index);
}

static void a_hit_carries_the_metadata_of_its_document(void **state)
{
    (void)state;
    rag_index *index = open_index("x.rag", NULL);
    rag_source one = source("a", "the river");
    one.metadata = "{\"url\": \"https://example.org\", \"n\": 12345678901234567890}";
    put(index, &one, 1);
    rag_hits *hits;
    assert_ok(rag_search(index, text_of("river"), NULL, &hits, &error), &error);
    assert_int_equal(rag_hits_count(hits), 1);
    assert_string_equal(rag_hits_get(hits, 0)->metadata, one.metadata);
    assert_string_equal(rag_hits_get(hits, 0)->chunk.document, "a");
    rag_hits_free(hits);
    rag_index_close(index);
}

static void of_equal_names_in_one_call_the_last_one_stays(void **state)
{
    (void)state;
    rag_index *index = open_index("x.rag", NULL);
    rag_source sources[] = {source("a", "the river"), source("b", "the stone"),
                            source("a", "the evening"), source("a", "the river")};
    assert_report(put(index, sources, 4), 2, 2, 0);
    const char *name = "a";
    assert_documents(index, &name, 1, 1, "a text {} 1 9 [the river]\n");
    assert_report(put(index, sources, 3), 0, 1, 2); /* a is there, b too; then another a */
    assert_documents(index, &name, 1, 1, "a text {} 1 11 [the evening]\n");
    assert_sound(index);
    rag_index_close(index);
}

/* ---- Beside files ---- */

static void clearing_up_after_files_leaves_sources_alone(void **state)
{
    (void)state;
    write_text("docs/a.md", "the river\n");
    write_text("docs/b.md", "the stone\n");
    rag_index *index = open_index("x.rag", NULL);
    add_path(index, "docs");
    char below[4096], beside[4096];
    snprintf(below, sizeof below, "%s", in_sandbox("docs/note"));
    snprintf(beside, sizeof beside, "%s", in_sandbox("docs-of-mine"));
    rag_source sources[] = {source("a.md", "one"), source("docs/a.md", "two"),
                            source(beside, "three"), source(below, "four")};
    put(index, sources, 4);
    assert_int_equal(unlink(in_sandbox("docs/b.md")), 0);
    rag_add_report report = add_path(index, "docs");
    /* A name below the path is the path's: rag.h says so. */
    assert_int_equal(report.removed, 2);
    assert_int_equal(documents_of(index), 4);
    /* From the root on: names that are no absolute paths lie nowhere. */
    size_t removed;
    const char *root = "/";
    assert_ok(rag_index_remove(index, &root, 1, &removed, &error), &error);
    assert_int_equal(removed, 2);
    assert_documents(index, NULL, 0, 1,
                     "a.md text {} 1 3 [one]\ndocs/a.md text {} 1 3 [two]\n");
    rag_index_close(index);
}

static void a_source_of_a_files_name_is_replaced_by_the_file(void **state)
{
    (void)state;
    write_text("a.md", "the river\n");
    rag_index *index = open_index("x.rag", NULL);
    add_path(index, "a.md");
    rag_source one = source(in_sandbox("a.md"), "the river\n");
    assert_report(put(index, &one, 1), 0, 1, 0);
    assert_int_equal(add_path(index, "a.md").updated, 1);
    assert_int_equal(documents_of(index), 1);
    assert_sound(index);
    rag_index_close(index);
}

static void documents_are_removed_by_their_exact_name(void **state)
{
    (void)state;
    rag_index *index = open_index("x.rag", NULL);
    rag_source sources[] = {source("wiki", "one"), source("wiki/page", "two"),
                            source("http://x/../y", "three"), source(" ", "four")};
    put(index, sources, 4);
    size_t removed;
    const char *names[] = {"wiki", "http://x/../y", "none", "wiki"};
    assert_ok(rag_index_remove(index, names, 4, &removed, &error), &error);
    assert_int_equal(removed, 2);
    assert_documents(index, NULL, 0, 0, "  text {} 1 4 []\nwiki/page text {} 1 3 []\n");
    /* Not what lies below it, were it a path. */
    char above[4096], below[4096];
    snprintf(above, sizeof above, "%s", in_sandbox("wiki"));
    snprintf(below, sizeof below, "%s", in_sandbox("wiki/page"));
    rag_source nested[] = {source(above, "five"), source(below, "six")};
    put(index, nested, 2);
    const char *name = above;
    assert_ok(rag_index_remove(index, &name, 1, &removed, &error), &error);
    assert_int_equal(removed, 1);
    assert_ok(rag_index_remove(index, &name, 1, &removed, &error), &error);
    assert_int_equal(removed, 1);
    assert_int_equal(documents_of(index), 2);
    const char *empty = "";
    assert_status(RAG_USAGE, rag_index_remove(index, &empty, 1, &removed, &error), &error);
    assert_int_equal(removed, 0);
    rag_index_close(index);
}

/* ---- Progress ---- */

struct watch {
    size_t calls, stop_at;
    uint64_t done, total;
};

static int watch(const rag_event *event, void *user)
{
    struct watch *watch = user;
    if (event->kind != RAG_EVENT_PROGRESS)
        return 0;
    assert_string_equal(event->stage, "indexing");
    assert_true(event->done >= watch->done && event->done <= event->total);
    watch->done = event->done;
    watch->total = event->total;
    return ++watch->calls == watch->stop_at;
}

static void progress_is_told_and_a_stop_loses_nothing(void **state)
{
    (void)state;
    rag_index *index = open_index("x.rag", NULL);
    rag_source sources[] = {source("a", "the river"), source("b", "the stone"),
                            source("c", "the evening")};
    struct watch seen = {.stop_at = 1};
    rag_add_options options = RAG_ADD_OPTIONS_INIT;
    options.on_event = watch;
    options.user = &seen;
    rag_add_report report;
    assert_status(RAG_INTERRUPTED, rag_index_put(index, sources, 3, &options, &report, &error),
                  &error);
    assert_int_equal(report.added, 1);
    assert_int_equal(documents_of(index), 1);
    seen = (struct watch){0};
    assert_ok(rag_index_put(index, sources, 3, &options, &report, &error), &error);
    assert_report(report, 2, 0, 1);
    assert_int_equal(seen.done, 29);
    assert_int_equal(seen.total, 29);
    assert_sound(index);
    rag_index_close(index);
}

/* ---- What is refused ---- */

static void assert_refused(rag_index *index, rag_source bad, const char *words)
{
    rag_source sources[] = {source("good", "the river"), bad};
    rag_add_report report;
    assert_status(RAG_INPUT, rag_index_put(index, sources, 2, NULL, &report, &error), &error);
    assert_says(&error, "source 1");
    assert_says(&error, words);
    assert_report(report, 0, 0, 0);
    assert_int_equal(documents_of(index), 0);
}

static void a_bad_source_is_named_and_nothing_is_put_in(void **state)
{
    (void)state;
    static char long_name[6000];
    memset(long_name, 'n', sizeof long_name - 1);
    rag_index *index = open_index("x.rag", NULL);
    assert_refused(index, source(NULL, "x"), "empty");
    assert_refused(index, source("", "x"), "empty");
    assert_refused(index, source("a\nb", "x"), "control character at byte 1");
    assert_refused(index, source("\x7f", "x"), "control character");
    assert_refused(index, source("\xff", "x"), "not UTF-8");
    assert_refused(index, source(long_name, "x"), "more than 4096");
    long_name[4096] = '\0';
    assert_refused(index, source(long_name, "\xff"), "byte 0 of its text is not UTF-8");
    assert_refused(index, source("a", "ok \xe6\xae"), "byte 3 of its text");
    assert_refused(index, (rag_source){.name = "a", .text = {NULL, 3}}, "NULL");
    assert_refused(index, (rag_source){.name = "a", .text = {"", (size_t)1 << 40}}, "at most");
    rag_source one = source("the name", "some text");
    one.format = "pdf";
    assert_refused(index, one, "(the name): there is no format \"pdf\"");
    one.format = NULL;
    static const char *const metadata[] = {"", "[]", "null", "{\"a\"", "{} x", "{\"a\": \xff}"};
    for (size_t i = 0; i < sizeof metadata / sizeof *metadata; i++) {
        one.metadata = metadata[i];
        assert_refused(index, one, "the name): its metadata");
    }
    one.metadata = NULL;
    one.chunk_count = 1;
    assert_refused(index, one, "no chunks");
    assert_false(path_is_file(in_sandbox("x.rag")));
    assert_status(RAG_USAGE, rag_index_put(index, NULL, 1, NULL, NULL, &error), &error);
    assert_ok(rag_index_put(index, NULL, 0, NULL, NULL, &error), &error);
    rag_index_close(index);
}

static void a_bad_chunk_is_named(void **state)
{
    (void)state;
    static char heading[5000];
    memset(heading, 'h', sizeof heading - 1);
    static const struct {
        rag_chunk chunk;
        const char *says;
    } bad[] = {
        {{.begin = 4, .end = 3}, "bytes 4 to 3"},
        {{.begin = 0, .end = 38}, "37 bytes of the text"},
        {{.begin = 1, .end = UINT64_MAX}, "do not lie within"},
        {{.begin = UINT64_MAX, .end = UINT64_MAX}, "do not lie within"},
        {{.begin = 19, .end = 30}, "cut a character"},
        {{.begin = 0, .end = 19}, "cut a character"},
        {{.end = 3, .line = 2, .last_line = 1}, "lines 2 to 1"},
        {{.end = 3, .line = 1, .last_line = 5}, "4 lines of the text"},
        {{.end = 3, .line = 1}, "lines 1 to 0"},
        {{.end = 3, .heading = "\xc3"}, "heading is not UTF-8"},
        {{.end = 3, .heading = heading}, "heading has more than"},
    };
    rag_index *index = open_index("x.rag", NULL);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        rag_chunk chunks[] = {{.end = 3}, bad[i].chunk};
        rag_source one = source("poem", poem);
        one.chunks = chunks;
        one.chunk_count = 2;
        assert_refused(index, one, bad[i].says);
        assert_says(&error, "(poem): chunk 1: ");
    }
    rag_index_close(index);
}

/* ---- Vectors ---- */

static void the_callers_vectors_of_rags_own_model_are_taken(void **state)
{
    (void)state;
    rag_index *index = open_index("x.rag", NULL);
    float vectors[2][32] = {{[3] = 1}, {[4] = -1}};
    rag_chunk chunks[] = {{.end = 9}, {.begin = 10, .end = 19}};
    rag_source one = source("a", "the river the stone");
    one.chunks = chunks;
    one.chunk_count = 2;
    one.vectors = vectors[0];
    rag_add_report report = put(index, &one, 1);
    assert_int_equal(report.chunks, 2);
    assert_int_equal(report.chunks_embedded, 0);
    struct seen seen = chunks_of(index, NULL, 32);
    assert_memory_equal(seen.vectors, vectors, sizeof vectors);
    buf_release(&seen.said);
    assert_report(put(index, &one, 1), 0, 0, 1);
    vectors[1][4] = 1;
    assert_report(put(index, &one, 1), 0, 1, 0);

    rag_search_options options = RAG_SEARCH_OPTIONS_INIT;
    options.mode = RAG_MODE_DENSE;
    options.k = 1;
    float question[32] = {[4] = 1};
    options.vector = question;
    rag_hits *hits;
    assert_ok(rag_search(index, text_of("anything"), &options, &hits, &error), &error);
    /* Late interaction ranks, but the cosines are those of the vector. */
    rag_text text = rag_hits_get(hits, 0)->chunk.text;
    double expected = memcmp(text.data, "the stone", text.size) == 0 ? 1 : 0;
    assert_true(rag_hits_get(hits, 0)->dense == expected);
    rag_hits_free(hits);
    assert_sound(index);
    rag_index_close(index);
}

static rag_index_options external_options(const char *model, size_t dimension)
{
    rag_index_options options = index_options(model);
    options.dimension = dimension;
    return options;
}

static rag_index *open_external(void)
{
    rag_index_options options = external_options("text-embedding-3-large", 3);
    return open_index("outside.rag", &options);
}

static const rag_chunk two_chunks[] = {{.end = 9}, {.begin = 10, .end = 19}};
static const float two_vectors[2][3] = {{1, 0, 0}, {0, 0.6F, 0.8F}};

static rag_source two_vector_source(const char *name)
{
    rag_source one = source(name, "the river the stone");
    one.chunks = two_chunks;
    one.chunk_count = 2;
    one.vectors = two_vectors[0];
    return one;
}

static void vectors_from_outside_are_stored_and_searched(void **state)
{
    (void)state;
    rag_index *index = open_external();
    rag_source one = two_vector_source("a");
    rag_add_report report = put(index, &one, 1);
    assert_report(report, 1, 0, 0);
    assert_int_equal(report.chunks_embedded + report.tokens, 0);
    rag_source empty = source("empty", "");
    put(index, &empty, 1);
    const rag_index_info *info;
    assert_ok(rag_index_get_info(index, &info, &error), &error);
    assert_string_equal(info->model, "text-embedding-3-large");
    assert_int_equal(info->dimension, 3);
    assert_int_equal(info->tokens, 0);
    assert_string_equal(info->chunker, "");
    assert_sound(index);
    rag_index_close(index);

    /* One who comes later need not say what it is. */
    rag_index_options plain = index_options(NULL);
    index = open_index("outside.rag", &plain);
    rag_search_options options = RAG_SEARCH_OPTIONS_INIT;
    static const float question[3] = {0, 1, 0};
    options.vector = question;
    static const rag_mode modes[] = {RAG_HYBRID, RAG_MODE_DENSE};
    for (size_t i = 0; i < 2; i++) {
        rag_hits *hits;
        options.mode = modes[i];
        assert_ok(rag_search(index, text_of("stone"), &options, &hits, &error), &error);
        assert_int_equal(rag_hits_count(hits), 2);
        const rag_hit *best = rag_hits_get(hits, 0);
        assert_memory_equal(best->chunk.text.data, "the stone", 9);
        assert_true(fabs(best->dense - 0.6) < 1e-6);
        assert_true(isnan(best->rerank));
        rag_hits_free(hits);
    }
    rag_index_close(index);
}

static void without_the_vector_only_words_are_searched(void **state)
{
    (void)state;
    rag_index *index = open_external();
    rag_source one = two_vector_source("a");
    put(index, &one, 1);
    rag_hits *hits;
    assert_status(RAG_USAGE, rag_search(index, text_of("stone"), NULL, &hits, &error), &error);
    assert_says(&error, "text-embedding-3-large");
    assert_says(&error, "lexical");
    rag_search_options options = RAG_SEARCH_OPTIONS_INIT;
    options.mode = RAG_MODE_LEXICAL;
    assert_ok(rag_search(index, text_of("stone"), &options, &hits, &error), &error);
    assert_int_equal(rag_hits_count(hits), 1);
    rag_hits_free(hits);
    options.mode = RAG_HYBRID;
    static const float bad[][3] = {{0, 0, 0}, {1, 1, 0}, {NAN, 0, 0}, {INFINITY, 0, 0}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        options.vector = bad[i];
        assert_status(RAG_INPUT, rag_search(index, text_of("stone"), &options, &hits, &error),
                      &error);
        assert_says(&error, "norm 1");
    }
    /* Files would have to be embedded; and nothing is cleared up, either. */
    write_text("docs/a.md", "the river\n");
    const char *path = in_sandbox("docs");
    assert_status(RAG_USAGE, rag_index_add(index, &path, 1, NULL, NULL, &error), &error);
    assert_int_equal(documents_of(index), 1);
    rag_index_close(index);
}

static void a_named_cross_encoder_reranks_vectors_from_outside(void **state)
{
    (void)state;
    rag_index_options open = external_options("text-embedding-3-large", 3);
    open.reranker = small_model("xlmr-reranker");
    rag_index *index = open_index("outside.rag", &open);
    rag_source one = two_vector_source("a");
    put(index, &one, 1);
    rag_search_options options = RAG_SEARCH_OPTIONS_INIT;
    options.vector = two_vectors[0];
    rag_hits *hits;
    assert_ok(rag_search(index, text_of("stone"), &options, &hits, &error), &error);
    assert_int_equal(rag_hits_count(hits), 2);
    assert_false(isnan(rag_hits_get(hits, 0)->rerank));
    assert_true(rag_hits_get(hits, 0)->rerank >= rag_hits_get(hits, 1)->rerank);
    rag_hits_free(hits);
    rag_index_close(index);
}

static void a_bad_vector_is_named(void **state)
{
    (void)state;
    static const float bad[][3] = {{0, 0, 0},   {1.01F, 0, 0},     {0.99F, 0, 0},
                                   {NAN, 1, 0}, {-INFINITY, 0, 0}, {3e38F, 3e38F, 0}};
    rag_index *index = open_external();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        float vectors[2][3] = {{1, 0, 0}};
        memcpy(vectors[1], bad[i], sizeof bad[i]);
        rag_source sources[] = {two_vector_source("good"), two_vector_source("bad")};
        sources[1].vectors = vectors[0];
        assert_status(RAG_INPUT, rag_index_put(index, sources, 2, NULL, NULL, &error), &error);
        assert_says(&error, "source 1 (bad): chunk 1: its vector");
        assert_int_equal(documents_of(index), 0);
    }
    rag_source one = two_vector_source("a");
    one.vectors = NULL;
    assert_status(RAG_INPUT, rag_index_put(index, &one, 1, NULL, NULL, &error), &error);
    assert_says(&error, "from outside");
    one = source("a", "the river");
    assert_status(RAG_INPUT, rag_index_put(index, &one, 1, NULL, NULL, &error), &error);
    assert_says(&error, "from outside");
    one.vectors = two_vectors[0];
    assert_status(RAG_INPUT, rag_index_put(index, &one, 1, NULL, NULL, &error), &error);
    assert_says(&error, "no chunks");
    rag_index_close(index);
}

static void vectors_of_two_models_do_not_meet(void **state)
{
    (void)state;
    rag_index *index = open_external();
    rag_source one = two_vector_source("a");
    put(index, &one, 1);
    rag_index_close(index);
    rag_model *model = open_model(small_model("bge-m3-like"));
    rag_index_options wrong[] = {
        external_options("another", 3), external_options("text-embedding-3-large", 4),
        index_options(small_model("bge-m3-like")), index_options(NULL)};
    wrong[3].open_model = model;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_status(RAG_INDEX_MISMATCH,
                      rag_index_open(in_sandbox("outside.rag"), &wrong[i], &index, &error),
                      &error);
        assert_says(&error, "another index");
    }
    index = open_index("own.rag", NULL);
    rag_source own = source("a", "the river");
    put(index, &own, 1);
    rag_index_close(index);
    /* Neither does the name of rag's own model make its vectors. */
    rag_index_options outside = external_options(small_model("bge-m3-like"), 32);
    assert_status(RAG_INDEX_MISMATCH,
                  rag_index_open(in_sandbox("own.rag"), &outside, &index, &error), &error);
    rag_index_options bad[] = {external_options(NULL, 3), external_options("", 3),
                               external_options("m", (size_t)1 << 40),
                               external_options("m", 3)};
    bad[3].open_model = model;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_status(RAG_USAGE, rag_index_open(in_sandbox("n.rag"), &bad[i], &index, &error),
                      &error);
    static char name[300];
    memset(name, 'm', sizeof name - 1);
    outside = external_options(name, 3);
    index = open_index("n.rag", &outside);
    assert_status(RAG_USAGE, rag_index_put(index, &one, 1, NULL, NULL, &error), &error);
    rag_index_close(index);
    rag_model_close(model);
}

/* ---- A model that is open already ---- */

static void an_open_model_is_used_and_left_open(void **state)
{
    (void)state;
    rag_model *model = open_model(small_model("bge-m3-like"));
    rag_index_options options = index_options(NULL);
    options.open_model = model;
    rag_index *index = open_index("x.rag", &options);
    rag_source one = source("a", "the river");
    put(index, &one, 1);
    rag_hits *hits;
    assert_ok(rag_search(index, text_of("river"), NULL, &hits, &error), &error);
    assert_int_equal(rag_hits_count(hits), 1);
    assert_false(isnan(rag_hits_get(hits, 0)->rerank));
    rag_hits_free(hits);
    rag_index_close(index);
    rag_text text = text_of("still open");
    rag_embeddings *embeddings;
    assert_ok(rag_embed(model, &text, 1, NULL, &embeddings, &error), &error);
    rag_embeddings_free(embeddings);
    rag_model_close(model);

    rag_model *reranker = open_model(small_model("xlmr-reranker"));
    options.open_model = reranker;
    index = open_index("x.rag", &options);
    assert_status(RAG_MODEL, rag_index_put(index, &one, 1, NULL, NULL, &error), &error);
    assert_status(RAG_MODEL, rag_search(index, text_of("x"), NULL, &hits, &error), &error);
    rag_index_close(index);
    rag_model_close(reranker);

    rag_model *other = open_model(make_model("other", "bge-m3-like", 20, NULL));
    options.open_model = other;
    index = open_index("x.rag", &options);
    assert_status(RAG_INDEX_MISMATCH, rag_index_put(index, &one, 1, NULL, NULL, &error),
                  &error);
    rag_index_close(index);
    rag_model_close(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SANDBOX(sources_are_added_updated_and_kept),
        IN_SANDBOX(documents_are_handed_over_by_name_in_order_and_once),
        IN_SANDBOX(handing_over_stops_when_asked),
        IN_SANDBOX(an_index_without_a_file_answers_everything),
        IN_SANDBOX(a_file_that_somebody_else_makes_is_seen),
        IN_SANDBOX(the_callers_chunks_are_kept_in_their_order),
        IN_SANDBOX(tokens_of_the_callers_chunks_are_counted),
        IN_SANDBOX(a_source_is_cut_as_a_file_of_its_text),
        IN_SANDBOX(a_text_is_taken_as_it_is),
        IN_SANDBOX(a_hit_carries_the_metadata_of_its_document),
        IN_SANDBOX(of_equal_names_in_one_call_the_last_one_stays),
        IN_SANDBOX(clearing_up_after_files_leaves_sources_alone),
        IN_SANDBOX(a_source_of_a_files_name_is_replaced_by_the_file),
        IN_SANDBOX(documents_are_removed_by_their_exact_name),
        IN_SANDBOX(progress_is_told_and_a_stop_loses_nothing),
        IN_SANDBOX(a_bad_source_is_named_and_nothing_is_put_in),
        IN_SANDBOX(a_bad_chunk_is_named),
        IN_SANDBOX(the_callers_vectors_of_rags_own_model_are_taken),
        IN_SANDBOX(vectors_from_outside_are_stored_and_searched),
        IN_SANDBOX(without_the_vector_only_words_are_searched),
        IN_SANDBOX(a_named_cross_encoder_reranks_vectors_from_outside),
        IN_SANDBOX(a_bad_vector_is_named),
        IN_SANDBOX(vectors_of_two_models_do_not_meet),
        IN_SANDBOX(an_open_model_is_used_and_left_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
