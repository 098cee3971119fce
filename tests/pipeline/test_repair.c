/* Whatever is damaged is named, and mended from what is whole; what is lost is taken out. */
#define _XOPEN_SOURCE 700
#include "pipeline/fixture.h"

#include "base/buf.h"
#include "base/file.h"
#include "store/lexical.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <unistd.h>

enum { MAX_FILE = 64 << 20 };

static char index_file[4096];

/* Three files and their index, which is left in index_file. */
static void make_index(void)
{
    snprintf(index_file, sizeof index_file, "%s", in_sandbox("x.rag"));
    write_text("docs/a.md", "# Garden\n\nTomatoes are planted in May.\n\n## Water\n\n"
                            "Cucumbers need water every evening.\n\n# Shed\n\n"
                            "The spade hangs behind the door.\n");
    write_text("docs/b.txt", "The deadline is the third of October.");
    write_text("docs/c.md", "# \xe5\x8e\xa8\xe6\x88\xbf\n\n\xe7\x83\xa4\xe7\xae\xb1\xe9\xa2\x84"
                            "\xe7\x83\xad\xe5\x8d\x81\xe5\x88\x86\xe9\x92\x9f\xe3\x80\x82\n");
    rag_index *index = open_index("x.rag", NULL);
    add_path(index, "docs");
    rag_index_close(index);
}

/* Runs SQL behind the index's back, with every guard off. */
static void tamper(const char *sql)
{
    sqlite3 *db;
    struct lexical *lexical;
    rag_error error;
    char *message = NULL;
    assert_int_equal(sqlite3_open(index_file, &db), SQLITE_OK);
    assert_ok(lexical_attach(db, &lexical, &error), &error);
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", sql, message);
    sqlite3_close(db);
    lexical_free(lexical);
}

/* ---- What an index holds ---- */

static int describe_document(const rag_document *document, void *user)
{
    struct buf *out = user;
    assert_true(buf_printf(out, "%s %s %s %zu\n", document->name, document->format,
                           document->metadata, document->chunks));
    assert_true(buf_append(out, document->text.data, document->text.size));
    return 0;
}

static int describe_chunk(const rag_chunk *chunk, int64_t id, const float *vector, void *user)
{
    struct buf *out = user;
    (void)id; /* what is put in anew has new ones */
    assert_true(buf_printf(out, "\n%zu %llu %llu %u %u %zu %s\n", chunk->number,
                           (unsigned long long)chunk->begin, (unsigned long long)chunk->end,
                           chunk->line, chunk->last_line, chunk->tokens, chunk->heading));
    assert_true(buf_append(out, vector, 32 * sizeof *vector));
    return 0;
}

static int describe_chunks(const rag_document *document, void *user)
{
    char **names = user;
    while (*names)
        names++;
    *names = strdup(document->name);
    return 0;
}

static struct buf describe(void)
{
    struct buf out = BUF_INIT(MAX_FILE);
    char *names[16] = {NULL};
    rag_error error;
    rag_index *index = open_index("x.rag", NULL);
    assert_ok(rag_index_each_document(index, NULL, 0, 1, describe_document, &out, &error),
              &error);
    assert_ok(rag_index_each_document(index, NULL, 0, 0, describe_chunks, names, &error),
              &error);
    for (char **name = names; *name; name++) {
        assert_ok(rag_index_each_chunk(index, NULL, *name, describe_chunk, &out, &error),
                  &error);
        free(*name);
    }
    rag_index_close(index);
    return out;
}

/* ---- Repairing ---- */

static void note(const rag_problem *problem, void *user)
{
    assert_true(buf_printf(user, "%s: %s\n", problem->kind, problem->sentence));
}

static rag_status repair(struct buf *said, rag_repair_report *report, rag_error *error)
{
    rag_index_options index_options_now = index_options(NULL);
    rag_repair_options options = RAG_REPAIR_OPTIONS_INIT;
    options.on_problem = options.on_action = note;
    options.user = said;
    buf_clear(said);
    return rag_index_repair(index_file, &index_options_now, &options, report, error);
}

/* Each damage by SQL, how many documents are put in anew, and whether the file was written
 * anew. Afterwards the index holds what it held. */
static const struct {
    const char *sql;
    size_t mended;
    int salvaged;
} damages[] = {
    {"UPDATE documents SET text_hash=zeroblob(32)", 3, 0},
    {"UPDATE texts SET text=CAST(replace(text, 'e', 'i') AS BLOB)", 2, 0},
    {"UPDATE texts SET text=x'ff' WHERE document=1", 1, 0},
    {"DELETE FROM texts WHERE document=2", 1, 0},
    {"UPDATE documents SET chunks=9 WHERE id=1", 1, 0},
    {"UPDATE documents SET first_chunk=7 WHERE id=1", 0, 0},
    {"UPDATE documents SET chunks_hash=zeroblob(31) WHERE id=1", 1, 0},
    {"UPDATE chunks SET begin_byte=100000 WHERE id=1", 1, 0},
    {"UPDATE chunks SET begin_byte=-1 WHERE id=1", 1, 0},
    {"UPDATE chunks SET end_byte=begin_byte-1 WHERE id=2", 1, 0},
    {"UPDATE chunks SET line=0 WHERE id=1", 1, 0},
    {"UPDATE chunks SET heading='Other' WHERE id=1", 1, 0},
    {"UPDATE chunks SET hash=zeroblob(2) WHERE id=1", 1, 0},
    {"UPDATE chunks SET number=77 WHERE id=1", 1, 0},
    {"UPDATE vectors SET vector=zeroblob(15) WHERE chunk=2", 1, 0},
    {"UPDATE vectors SET vector=zeroblob(128) WHERE chunk=2", 1, 0},
    {"UPDATE vectors SET vector=(SELECT vector FROM vectors WHERE chunk=1) WHERE chunk=2", 1,
     0},
    {"DELETE FROM vectors", 3, 0},
    {"DELETE FROM vectors WHERE chunk=1; DELETE FROM chunks WHERE id=1", 1, 0},
    {"PRAGMA foreign_keys=OFF; INSERT INTO vectors VALUES(77, zeroblob(128))", 0, 0},
    {"PRAGMA foreign_keys=OFF; INSERT INTO texts VALUES(77, 77, 0, x'41')", 0, 0},
    {"DELETE FROM state", 0, 0},
    {"UPDATE state SET removals_from=generation+5", 0, 0},
    {"INSERT INTO removals VALUES(9999, 1, 2)", 0, 0},
    {"DELETE FROM sqlite_sequence", 0, 0},
    {"INSERT INTO words(words, rowid, heading, text) VALUES('delete', 1, '', 'alpha')", 0, 0},
    {"INSERT INTO words(rowid, heading, text) VALUES(99, 'Chapter', 'stray')", 0, 0},
    {"DELETE FROM words_data WHERE id=1", 0, 0},
    {"DELETE FROM words_docsize WHERE id=2", 0, 0},
    {"DELETE FROM words_data", 0, 1},
    {"PRAGMA writable_schema=ON; UPDATE sqlite_schema SET rootpage=(SELECT rootpage FROM "
     "sqlite_schema WHERE name='removals') WHERE name='chunks_by_hash'",
     0, 1},
};

static void each_damage_is_mended(void **state)
{
    (void)state;
    struct buf whole = BUF_INIT(MAX_FILE), said = BUF_INIT(1 << 20);
    rag_error error;
    make_index();
    assert_ok(file_read(index_file, &whole, &error), &error);
    struct buf before = describe();
    bool missed = false;
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        rag_repair_report report;
        assert_ok(file_write(index_file, whole.data, whole.size, &error), &error);
        tamper(damages[i].sql);
        rag_status status = repair(&said, &report, &error);
        bool good = !status && report.problems && !report.lost && !report.left &&
                    report.mended == damages[i].mended &&
                    report.salvaged == damages[i].salvaged;
        struct buf after = BUF_INIT(MAX_FILE);
        if (!status) {
            after = describe();
            good &=
                after.size == before.size && memcmp(after.data, before.data, before.size) == 0;
        }
        if (!good)
            print_error("%s: status %d (%s), %zu problems, %zu mended, %zu lost, %zu left, "
                        "salvaged %d\n%s\n",
                        damages[i].sql, (int)status, status ? error.message : "",
                        report.problems, report.mended, report.lost, report.left,
                        report.salvaged, said.data ? said.data : "");
        missed |= !good;
        buf_release(&after);
    }
    buf_release(&whole);
    buf_release(&before);
    buf_release(&said);
    assert_false(missed);
}

/* ---- What cannot be mended ---- */

static void a_text_that_is_nowhere_is_lost_and_named(void **state)
{
    (void)state;
    struct buf said = BUF_INIT(1 << 20);
    rag_error error;
    rag_repair_report report;
    make_index();
    tamper("UPDATE texts SET text=CAST(text||'x' AS BLOB)");
    assert_int_equal(unlink(in_sandbox("docs/b.txt")), 0);
    write_text("docs/c.md", "# Another text\n");
    assert_ok(repair(&said, &report, &error), &error);
    assert_int_equal(report.mended, 1);
    assert_int_equal(report.lost, 2);
    assert_non_null(strstr(said.data, "lost: "));
    assert_non_null(strstr(said.data, "docs/b.txt: its text is lost"));
    rag_index *index = open_index("x.rag", NULL);
    const rag_index_info *info;
    assert_ok(rag_index_get_info(index, &info, &error), &error);
    assert_int_equal(info->documents, 1);
    /* What has changed since is indexed as ever. */
    assert_int_equal(add_path(index, "docs").added, 1);
    assert_sound(index);
    rag_index_close(index);
    buf_release(&said);
}

static void lost_metadata_are_named_and_the_file_is_read_again_by_the_next_run(void **state)
{
    (void)state;
    struct buf said = BUF_INIT(1 << 20);
    rag_error error;
    rag_repair_report report;
    make_index();
    tamper("UPDATE documents SET metadata='{\"year\":1}' WHERE id=2");
    assert_ok(repair(&said, &report, &error), &error);
    assert_int_equal(report.mended, 1);
    assert_int_equal(report.chunks_embedded, 0);
    assert_non_null(strstr(said.data, "without its metadata"));
    rag_index *index = open_index("x.rag", NULL);
    assert_sound(index);
    rag_add_report added = add_path(index, "docs");
    assert_int_equal(added.updated, 1);
    assert_int_equal(added.chunks_embedded, 0);
    rag_index_close(index);
    buf_release(&said);
}

static void vectors_from_outside_are_left_and_named(void **state)
{
    (void)state;
    struct buf said = BUF_INIT(1 << 20);
    rag_error error;
    rag_repair_report report;
    static const float vectors[2][4] = {{1, 0, 0, 0}, {0, 1, 0, 0}};
    static const rag_chunk chunks[] = {{.begin = 0, .end = 3}, {.begin = 4, .end = 7}};
    rag_source sources[] = {
        {.name = "a",
         .text = text_of("one two"),
         .chunks = chunks,
         .chunk_count = 2,
         .vectors = vectors[0]},
        {.name = "b",
         .text = text_of("six ten"),
         .chunks = chunks,
         .chunk_count = 2,
         .vectors = vectors[0]},
    };
    rag_index_options options = RAG_INDEX_OPTIONS_INIT;
    options.model = "outside";
    options.dimension = 4;
    snprintf(index_file, sizeof index_file, "%s", in_sandbox("x.rag"));
    rag_index *index = open_index("x.rag", &options);
    assert_ok(rag_index_put(index, sources, 2, NULL, NULL, &error), &error);
    rag_index_close(index);
    tamper("UPDATE vectors SET vector=zeroblob(16) WHERE chunk=2");
    assert_status(RAG_INDEX, repair(&said, &report, &error), &error);
    assert_int_equal(report.left, 1);
    assert_int_equal(report.lost, 0);
    assert_non_null(strstr(said.data, "left: a: "));
    assert_non_null(strstr(said.data, "outside"));
    /* Put in again it is whole. */
    index = open_index("x.rag", &options);
    sources[0].metadata = "{\"again\": true}";
    assert_ok(rag_index_put(index, sources, 2, NULL, NULL, &error), &error);
    assert_sound(index);
    rag_index_close(index);
    buf_release(&said);
}

static void a_lost_recipe_is_made_of_the_model_that_is_named(void **state)
{
    (void)state;
    struct buf said = BUF_INIT(1 << 20);
    rag_error error;
    rag_repair_report report;
    make_index();
    struct buf before = describe();
    tamper("UPDATE recipe SET dimension=0");
    assert_status(RAG_INDEX, repair(&said, &report, &error), &error);
    assert_says(&error, "--model");
    rag_index_options options = index_options(small_model("bge-m3-like"));
    assert_ok(rag_index_repair(index_file, &options, NULL, &report, &error), &error);
    assert_int_equal(report.lost, 0);
    assert_int_equal(report.salvaged, 1);
    struct buf after = describe();
    assert_int_equal(after.size, before.size);
    assert_memory_equal(after.data, before.data, before.size);
    buf_release(&before);
    buf_release(&after);
    buf_release(&said);
}

static void a_dry_run_changes_nothing(void **state)
{
    (void)state;
    struct buf before = BUF_INIT(MAX_FILE), after = BUF_INIT(MAX_FILE);
    rag_error error;
    rag_repair_report report;
    rag_repair_options options = RAG_REPAIR_OPTIONS_INIT;
    options.dry_run = 1;
    make_index();
    assert_ok(rag_index_repair(index_file, NULL, &options, &report, &error), &error);
    tamper("DELETE FROM vectors");
    assert_ok(file_read(index_file, &before, &error), &error);
    assert_status(RAG_INDEX, rag_index_repair(index_file, NULL, &options, &report, &error),
                  &error);
    assert_int_equal(report.left, report.problems);
    assert_true(report.problems >= 3);
    assert_ok(file_read(index_file, &after, &error), &error);
    assert_int_equal(after.size, before.size);
    assert_memory_equal(after.data, before.data, before.size);
    buf_release(&before);
    buf_release(&after);
}

/* ---- Damaged pages ---- */

static int64_t greatest_chunk(void)
{
    sqlite3 *db;
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_open(index_file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT max(id) FROM chunks", -1, &statement, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t id = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return id;
}

/* Each page but the first, which holds the tables' names, is overwritten in turn: what is on it
 * is found again in other tables, in the files, and by the model. */
static void any_page_but_the_first_may_be_lost(void **state)
{
    (void)state;
    enum { PAGE = 16384 };
    struct buf whole = BUF_INIT(MAX_FILE), said = BUF_INIT(1 << 20), kept = BUF_INIT(MAX_FILE);
    char copy[4096 + 16];
    rag_error error;
    make_index();
    snprintf(copy, sizeof copy, "%s.damaged", index_file);
    assert_ok(file_read(index_file, &whole, &error), &error);
    int64_t last = greatest_chunk();
    size_t pages = whole.size / PAGE, salvaged = 0;
    struct buf before = describe();
    for (size_t page = 1; page < pages; page++) {
        rag_repair_report report;
        char *damaged = malloc(whole.size);
        assert_non_null(damaged);
        memcpy(damaged, whole.data, whole.size);
        memset(damaged + page * PAGE, page % 2 ? 0 : 0xa5, PAGE);
        assert_ok(file_write(index_file, damaged, whole.size, &error), &error);
        rag_status status = repair(&said, &report, &error);
        if (status && strstr(error.message, "--model")) { /* it held the recipe */
            rag_index_options options = index_options(small_model("bge-m3-like"));
            status = rag_index_repair(index_file, &options, NULL, &report, &error);
        }
        if (status || report.lost > 3)
            print_error("page %zu: %s\n", page + 1, said.data);
        assert_ok(status, &error);
        struct buf after = describe();
        if (!report.lost) {
            assert_int_equal(after.size, before.size);
            assert_memory_equal(after.data, before.data, before.size);
        }
        if (report.salvaged) {
            salvaged++;
            buf_clear(&kept);
            assert_ok(file_read(copy, &kept, &error), &error);
            assert_int_equal(kept.size, whole.size);
            assert_memory_equal(kept.data, damaged, whole.size);
            assert_int_equal(unlink(copy), 0);
            if (after.size == before.size) /* no id is given a second time */
                assert_true(greatest_chunk() > last);
        }
        buf_release(&after);
        free(damaged);
    }
    assert_true(salvaged > 5);
    buf_release(&whole);
    buf_release(&said);
    buf_release(&kept);
    buf_release(&before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SANDBOX(each_damage_is_mended),
        IN_SANDBOX(a_text_that_is_nowhere_is_lost_and_named),
        IN_SANDBOX(lost_metadata_are_named_and_the_file_is_read_again_by_the_next_run),
        IN_SANDBOX(vectors_from_outside_are_left_and_named),
        IN_SANDBOX(a_lost_recipe_is_made_of_the_model_that_is_named),
        IN_SANDBOX(a_dry_run_changes_nothing),
        IN_SANDBOX(any_page_but_the_first_may_be_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
