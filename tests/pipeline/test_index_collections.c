/* An index opened on a collection writes, lists, removes and searches within it alone. */
#include "pipeline/fixture.h"

#include <stdlib.h>

static rag_error error;

static rag_index *open_collection(const char *collection)
{
    rag_index_options options = index_options(small_model("bge-m3-like"));
    options.collection = collection;
    return open_index("x.rag", &options);
}

static int note_name(const rag_document *document, void *user)
{
    char *said = user;
    const char *slash = strrchr(document->name, '/');
    strcat(strcat(strcat(said, document->collection), slash ? slash : document->name), " ");
    return 0;
}

static void assert_documents(rag_index *index, const char *expected)
{
    char said[256] = "";
    assert_ok(rag_index_each_document(index, NULL, 0, 0, note_name, said, &error), &error);
    assert_string_equal(said, expected);
}

static int count_chunk(const rag_chunk *chunk, int64_t id, const float *vector, void *user)
{
    assert_true(id > 0 && vector && chunk->text.size);
    ++*(size_t *)user;
    return 0;
}

static size_t count_chunks(rag_index *index, const char *name)
{
    size_t count = 0;
    assert_ok(rag_index_each_chunk(index, NULL, name, count_chunk, &count, &error), &error);
    return count;
}

/* The collections of all hits, in order of rank. */
static void assert_hits(rag_index *index, const rag_filter *filter, const char *expected)
{
    char said[256] = "";
    rag_hits *hits;
    rag_search_options options = RAG_SEARCH_OPTIONS_INIT;
    if (filter)
        options.filter = *filter;
    options.mode = RAG_MODE_LEXICAL;
    assert_ok(rag_search(index, text_of("river"), &options, &hits, &error), &error);
    for (size_t i = 0; i < rag_hits_count(hits); i++)
        strcat(strcat(said, rag_hits_get(hits, i)->collection), " ");
    rag_hits_free(hits);
    assert_string_equal(said, expected);
    options.mode = RAG_MODE_DENSE; /* finds as many, whatever the words */
    assert_ok(rag_search(index, text_of("river"), &options, &hits, &error), &error);
    size_t spaces = 0;
    for (const char *at = expected; *at; at++)
        spaces += *at == ' ';
    assert_int_equal(rag_hits_count(hits), spaces);
    rag_hits_free(hits);
}

static void the_same_files_lie_in_two_collections(void **state)
{
    (void)state;
    write_text("docs/a.md", "The river is long.\n");
    write_text("docs/b.txt", "The river is cold.\n");
    rag_index *all = open_collection(NULL), *work = open_collection("work");
    assert_int_equal(add_path(all, "docs").added, 2);
    rag_add_report report = add_path(work, "docs/a.md");
    assert_int_equal(report.added, 1);
    assert_int_equal(report.chunks_embedded, 0); /* the text is known */
    assert_int_equal(add_path(work, "docs/a.md").unchanged, 1);
    assert_documents(all, "default/a.md default/b.txt work/a.md ");
    assert_documents(work, "work/a.md ");
    assert_int_equal(count_chunks(all, NULL), 3);
    assert_int_equal(count_chunks(work, NULL), 1);
    assert_int_equal(count_chunks(work, in_sandbox("docs/a.md")), 1);

    const rag_index_info *info;
    assert_ok(rag_index_get_info(all, &info, &error), &error);
    assert_int_equal(info->documents, 3);
    assert_int_equal(info->collection_count, 2);
    assert_string_equal(info->collections[0].name, "default");
    assert_int_equal(info->collections[0].documents, 2);
    assert_string_equal(info->collections[1].name, "work");
    assert_int_equal(info->collections[1].chunks, 1);

    assert_hits(all, NULL, "default default work ");
    assert_hits(work, NULL, "work ");
    const char *names[] = {"work", "default"};
    assert_hits(all, &(rag_filter){.collections = names, .collection_count = 1}, "work ");
    assert_hits(work, &(rag_filter){.collections = names + 1, .collection_count = 1},
                "default default ");

    write_text("docs/a.md", "The river is wide.\n");
    assert_int_equal(add_path(all, "docs").updated, 1);
    assert_int_equal(add_path(work, "docs/a.md").updated, 1);
    assert_sound(all);
    rag_index_close(all);
    rag_index_close(work);
}

static void a_collection_goes_as_a_whole(void **state)
{
    (void)state;
    write_text("docs/a.md", "The river is long.\n");
    write_text("docs/b.md", "The river is cold.\n");
    rag_index *all = open_collection(NULL), *work = open_collection("work");
    add_path(all, "docs");
    add_path(work, "docs");
    size_t removed;
    assert_status(RAG_USAGE, rag_index_remove(all, NULL, 0, &removed, &error), &error);
    const char *path = in_sandbox("docs/b.md");
    assert_ok(rag_index_remove(all, &path, 1, &removed, &error), &error);
    assert_int_equal(removed, 1);
    assert_documents(all, "default/a.md work/a.md work/b.md ");
    assert_ok(rag_index_remove(work, NULL, 0, &removed, &error), &error);
    assert_int_equal(removed, 2);
    assert_documents(all, "default/a.md ");
    const rag_index_info *info;
    assert_ok(rag_index_get_info(all, &info, &error), &error);
    assert_int_equal(info->collection_count, 1);
    assert_sound(all);
    rag_index_close(all);
    rag_index_close(work);
}

static void a_name_that_is_none_is_told(void **state)
{
    (void)state;
    rag_index_options options = index_options(small_model("bge-m3-like"));
    rag_index *index;
    options.collection = "a\nb";
    assert_status(RAG_USAGE, rag_index_open(in_sandbox("x.rag"), &options, &index, &error),
                  &error);
    assert_says(&error, "1 to 255 bytes");
}

static void a_filter_chooses_documents(void **state)
{
    (void)state;
    rag_index *index = open_collection(NULL);
    rag_source sources[] = {
        {.name = "a", .text = text_of("The river is long."), .metadata = "{\"year\": 2020}"},
        {.name = "b", .text = text_of("The river is cold."), .metadata = "{\"year\": 2024}"},
    };
    assert_ok(rag_index_put(index, sources, 2, NULL, NULL, &error), &error);
    const char *where[] = {"year>2020"};
    rag_filter newer = {.where = where, .where_count = 1};
    assert_hits(index, &newer, "default ");
    assert_hits(index, &(rag_filter){.since = "1h"}, "default default ");
    assert_hits(index, &(rag_filter){.until = "2000-01-01"}, "");
    where[0] = "year";
    rag_search_options options = RAG_SEARCH_OPTIONS_INIT;
    options.filter = newer;
    rag_hits *hits;
    assert_status(RAG_USAGE, rag_search(index, text_of("river"), &options, &hits, &error),
                  &error);
    assert_says(&error, "\"year\" is no condition");
    rag_index_close(index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SANDBOX(the_same_files_lie_in_two_collections),
        IN_SANDBOX(a_collection_goes_as_a_whole),
        IN_SANDBOX(a_name_that_is_none_is_told),
        IN_SANDBOX(a_filter_chooses_documents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
