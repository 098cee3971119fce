/* What an index is brought up to date with at the least cost: renamed, replaced, vanishing and
 * changing files, the same text in many files, dry runs. */
#define _XOPEN_SOURCE 700
#include "pipeline/fixture.h"

#include "pipeline/add.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static rag_error error;

static void assert_report(rag_add_report r, size_t added, size_t updated, size_t renamed,
                          size_t unchanged, size_t removed, size_t skipped)
{
    assert_int_equal(r.added, added);
    assert_int_equal(r.updated, updated);
    assert_int_equal(r.renamed, renamed);
    assert_int_equal(r.unchanged, unchanged);
    assert_int_equal(r.removed, removed);
    assert_int_equal(r.skipped, skipped);
}

static size_t document_count(rag_index *index)
{
    const rag_index_info *info;
    assert_ok(rag_index_get_info(index, &info, &error), &error);
    return info->documents;
}

static void move_file(const char *from, const char *to)
{
    assert_int_equal(rename(in_sandbox(from), in_sandbox(to)), 0);
}

struct changes {
    size_t count;
    rag_change_kind last;
    char path[4096], from[4096];
};

static void note_change(const rag_change *change, void *user)
{
    struct changes *changes = user;
    changes->count++;
    changes->last = change->kind;
    assert_non_null(change->reason);
    snprintf(changes->path, sizeof changes->path, "%s", change->path);
    snprintf(changes->from, sizeof changes->from, "%s", change->from ? change->from : "");
}

static rag_add_report add_noting(rag_index *index, const char *name, struct changes *changes,
                                 bool dry)
{
    rag_add_options options = RAG_ADD_OPTIONS_INIT;
    rag_add_report report;
    const char *path = in_sandbox(name);
    options.on_change = note_change;
    options.user = changes;
    options.dry_run = dry;
    *changes = (struct changes){0};
    assert_ok(rag_index_add(index, &path, 1, &options, &report, &error), &error);
    return report;
}

/* ---- Renamed ---- */

static int note_id(const rag_chunk *chunk, int64_t id, const float *vector, void *user)
{
    (void)chunk, (void)vector;
    *(int64_t *)user = id;
    return 0;
}

static int64_t chunk_id_of(rag_index *index, const char *name)
{
    int64_t id = 0;
    assert_ok(rag_index_each_chunk(index, NULL, in_sandbox(name), note_id, &id, &error),
              &error);
    return id;
}

static void a_renamed_file_keeps_its_chunks_and_their_ids(void **state)
{
    (void)state;
    struct changes changes;
    write_text("docs/a.md", "the river\n");
    write_text("docs/b.md", "the stone\n");
    rag_index *index = open_index("x.rag", NULL);
    assert_report(add_path(index, "docs"), 2, 0, 0, 0, 0, 0);
    int64_t id = chunk_id_of(index, "docs/a.md");
    move_file("docs/a.md", "docs/z.md");
    assert_report(add_noting(index, "docs", &changes, false), 0, 0, 1, 1, 0, 0);
    assert_int_equal(changes.count, 1);
    assert_int_equal(changes.last, RAG_RENAMED);
    assert_string_equal(changes.path, in_sandbox("docs/z.md"));
    assert_string_equal(changes.from, in_sandbox("docs/a.md"));
    assert_int_equal(chunk_id_of(index, "docs/z.md"), id);
    assert_report(add_path(index, "docs"), 0, 0, 0, 2, 0, 0);
    assert_sound(index);
    rag_index_close(index);
}

static void a_renamed_folder_is_renamed_files(void **state)
{
    (void)state;
    write_text("docs/old/a.md", "the river\n");
    write_text("docs/old/b/c.md", "the stone\n");
    rag_index *index = open_index("x.rag", NULL);
    assert_report(add_path(index, "docs"), 2, 0, 0, 0, 0, 0);
    move_file("docs/old", "docs/new");
    assert_report(add_path(index, "docs"), 0, 0, 2, 0, 0, 0);
    assert_int_equal(document_count(index), 2);
    assert_sound(index);
    rag_index_close(index);
}

/* Another reader would read it, or the old path is taken: then it is not the same document. */
static void what_only_looks_renamed_is_read(void **state)
{
    (void)state;
    write_text("docs/a.md", "# The river\n");
    write_text("docs/b.md", "the stone\n");
    rag_index *index = open_index("x.rag", NULL);
    add_path(index, "docs");
    move_file("docs/a.md", "docs/a.txt");
    assert_report(add_path(index, "docs"), 1, 0, 0, 1, 1, 0);
    move_file("docs/a.txt", "docs/b.md"); /* over another one */
    assert_report(add_path(index, "docs"), 0, 1, 0, 0, 1, 0);
    write_text("docs/c.md", "# The river\n"); /* a copy: the first is there still */
    assert_report(add_path(index, "docs"), 1, 0, 0, 1, 0, 0);
    assert_int_equal(document_count(index), 2);
    assert_sound(index);
    rag_index_close(index);
}

static void of_two_copies_one_is_the_renamed_file(void **state)
{
    (void)state;
    write_text("docs/a.md", "the river\n");
    rag_index *index = open_index("x.rag", NULL);
    add_path(index, "docs");
    assert_int_equal(unlink(in_sandbox("docs/a.md")), 0);
    write_text("docs/b.md", "the river\n");
    write_text("docs/c.md", "the river\n");
    rag_add_report report = add_path(index, "docs");
    assert_report(report, 1, 0, 1, 0, 0, 0);
    assert_int_equal(report.chunks_embedded, 0);
    assert_sound(index);
    rag_index_close(index);
}

/* ---- Replaced, vanishing, changing ---- */

static void a_file_and_a_folder_may_take_each_other_s_place(void **state)
{
    (void)state;
    write_text("docs/a.md", "the river\n");
    write_text("docs/b.md/c.md", "the stone\n");
    rag_index *index = open_index("x.rag", NULL);
    assert_report(add_path(index, "docs"), 2, 0, 0, 0, 0, 0);
    assert_int_equal(unlink(in_sandbox("docs/a.md")), 0);
    write_text("docs/a.md/x.md", "the evening\n");
    assert_int_equal(unlink(in_sandbox("docs/b.md/c.md")), 0);
    assert_int_equal(rmdir(in_sandbox("docs/b.md")), 0);
    write_text("docs/b.md", "the model\n");
    assert_report(add_path(index, "docs"), 2, 0, 0, 0, 2, 0);
    assert_int_equal(document_count(index), 2);
    assert_sound(index);
    rag_index_close(index);
}

static void links_in_a_circle_are_passed_over(void **state)
{
    (void)state;
    write_text("docs/a.md", "the river\n");
    rag_index *index = open_index("x.rag", NULL);
    add_path(index, "docs");
    assert_int_equal(unlink(in_sandbox("docs/a.md")), 0);
    assert_int_equal(symlink("b.md", in_sandbox("docs/a.md")), 0);
    assert_int_equal(symlink("a.md", in_sandbox("docs/b.md")), 0);
    assert_int_equal(symlink("..", in_sandbox("docs/up")), 0);
    assert_report(add_path(index, "docs"), 0, 0, 0, 0, 1, 0);
    rag_index_close(index);
}

/* Does something to a file in the middle of a run, when another one is in hand. */
struct meddler {
    const char *when, *what;
    bool remove, done;
};

static int meddle(const rag_event *event, void *user)
{
    struct meddler *meddler = user;
    if (meddler->done || event->kind != RAG_EVENT_PROGRESS || !event->message ||
        strcmp(event->message, in_sandbox(meddler->when)) != 0 ||
        strcmp(event->stage, "indexing") != 0)
        return 0;
    meddler->done = true;
    if (meddler->remove)
        assert_int_equal(unlink(in_sandbox(meddler->what)), 0);
    else
        write_text(meddler->what, "a text that came in between\n");
    return 0;
}

static rag_add_report add_meddling(rag_index *index, struct meddler *meddler)
{
    rag_add_options options = RAG_ADD_OPTIONS_INIT;
    rag_add_report report;
    const char *path = in_sandbox("docs");
    options.on_event = meddle;
    options.user = meddler;
    assert_ok(rag_index_add(index, &path, 1, &options, &report, &error), &error);
    assert_true(meddler->done);
    return report;
}

/* More files than are read ahead, all of one text, between a.md and b.md; new times when they
 * are written again. */
enum { BETWEEN = 150 };

static void write_files_between(void)
{
    for (int i = 0; i < BETWEEN; i++) {
        char name[32];
        snprintf(name, sizeof name, "docs/ab%03d.md", i);
        write_text(name, "the bank\n");
    }
}

static void a_file_that_vanishes_before_it_is_read_is_skipped_or_removed(void **state)
{
    (void)state;
    write_text("docs/a.md", "the river\n");
    write_text("docs/b.md", "the stone\n");
    write_files_between();
    rag_index *index = open_index("x.rag", NULL);
    struct meddler meddler = {"docs/a.md", "docs/b.md", true, false};
    assert_report(add_meddling(index, &meddler), 1 + BETWEEN, 0, 0, 0, 0, 1);
    write_text("docs/b.md", "the stone\n");
    assert_report(add_path(index, "docs"), 1, 0, 0, 1 + BETWEEN, 0, 0);
    write_text("docs/a.md", "the large river\n");
    write_files_between();
    meddler.done = false;
    assert_report(add_meddling(index, &meddler), 0, 1, 0, BETWEEN, 1, 0);
    assert_int_equal(document_count(index), 1 + BETWEEN);
    assert_sound(index);
    rag_index_close(index);
}

static void a_file_that_changes_during_a_run_is_seen_in_that_run_or_the_next(void **state)
{
    (void)state;
    write_text("docs/a.md", "the river\n");
    write_text("docs/b.md", "the stone\n");
    rag_index *index = open_index("x.rag", NULL);
    struct meddler meddler = {"docs/b.md", "docs/a.md", false, false};
    assert_report(add_meddling(index, &meddler), 2, 0, 0, 0, 0, 0);
    assert_report(add_path(index, "docs"), 0, 1, 0, 1, 0, 0);
    assert_sound(index);
    rag_index_close(index);
}

/* A file that another process writes to all the time is not taken in half. */
static void a_file_that_is_being_changed_is_skipped(void **state)
{
    (void)state;
    write_text("docs/a.md", "the river\n");
    rag_index *index = open_index("x.rag", NULL);
    pid_t child = fork();
    if (child == 0)
        for (unsigned long i = 0;; i++) {
            FILE *file = fopen(in_sandbox("docs/a.md"), "w");
            fprintf(file, "the river %lu\n", i);
            fclose(file);
        }
    nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    rag_add_report report = add_path(index, "docs");
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(report.added + report.skipped, 1);
    write_text("docs/a.md", "the last river\n");
    add_path(index, "docs");
    assert_int_equal(document_count(index), 1);
    assert_report(add_path(index, "docs"), 0, 0, 0, 1, 0, 0);
    assert_sound(index);
    rag_index_close(index);
}

/* ---- At the least cost ---- */

/* Nothing is written, though the file may be: not a transaction for 300 unchanged files. */
static void an_unchanged_file_costs_a_stat(void **state)
{
    (void)state;
    struct stat before, after;
    char name[32];
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "docs/%03d.md", i);
        write_text(name, "the river\n");
    }
    rag_index *index = open_index("x.rag", NULL);
    rag_add_report report = add_path(index, "docs");
    assert_report(report, 300, 0, 0, 0, 0, 0);
    assert_int_equal(report.chunks_embedded, 1); /* one text, however often it is there */
    assert_sound(index);
    assert_int_equal(stat(in_sandbox("x.rag"), &before), 0);
    /* Without their bytes: what is not opened need not be readable. */
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "docs/%03d.md", i);
        assert_int_equal(chmod(in_sandbox(name), 0), 0);
    }
    assert_report(add_path(index, "docs"), 0, 0, 0, 300, 0, 0);
    assert_int_equal(stat(in_sandbox("x.rag"), &after), 0);
    assert_memory_equal(&before.st_mtim, &after.st_mtim, sizeof before.st_mtim);
    rag_index_close(index);
}

/* More documents than one transaction takes. */
static void many_documents_go_in_and_are_renamed_at_once(void **state)
{
    (void)state;
    enum { MANY = GATHER_DOCUMENTS + 100 };
    char name[32];
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "docs/a/%05d.txt", i);
        write_text(name, i % 2 ? "the river\n" : "");
    }
    rag_index *index = open_index("x.rag", NULL);
    assert_report(add_path(index, "docs"), MANY, 0, 0, 0, 0, 0);
    move_file("docs/a", "docs/b");
    assert_report(add_path(index, "docs"), 0, 0, MANY, 0, 0, 0);
    assert_report(add_path(index, "docs"), 0, 0, 0, MANY, 0, 0);
    assert_sound(index);
    rag_index_close(index);
}

/* ---- Dry runs ---- */

static void a_dry_run_counts_and_changes_nothing(void **state)
{
    (void)state;
    struct changes changes;
    write_text("docs/a.md", "the river\n");
    write_text("docs/b.md", "the river\n");
    rag_index *index = open_index("x.rag", NULL);
    rag_add_report said = add_noting(index, "docs", &changes, true);
    assert_report(said, 2, 0, 0, 0, 0, 0);
    assert_int_equal(said.chunks_embedded, 1);
    assert_true(said.tokens > 0 && said.tokens_per_second > 0 && said.estimated_seconds > 0);
    assert_string_equal(said.speed_from, "a sample");
    assert_int_equal(changes.count, 2);
    assert_int_not_equal(access(in_sandbox("x.rag"), F_OK), 0);

    add_path(index, "docs");
    write_text("docs/a.md", "the large river\n");
    move_file("docs/b.md", "docs/c.md");
    assert_report(add_noting(index, "docs", &changes, true), 0, 1, 1, 0, 0, 0);
    assert_report(add_noting(index, "docs", &changes, true), 0, 1, 1, 0, 0, 0);
    assert_report(add_path(index, "docs"), 0, 1, 1, 0, 0, 0);
    said = add_noting(index, "docs", &changes, true);
    assert_report(said, 0, 0, 0, 2, 0, 0);
    assert_true(said.estimated_seconds == 0);
    rag_index_close(index);
}

static void sources_can_be_tried_too(void **state)
{
    (void)state;
    rag_index *index = open_index("x.rag", NULL);
    rag_source source = {.name = "tea", .text = text_of("the river")};
    rag_add_options options = RAG_ADD_OPTIONS_INIT;
    rag_add_report report;
    options.dry_run = 1;
    assert_ok(rag_index_put(index, &source, 1, &options, &report, &error), &error);
    assert_report(report, 1, 0, 0, 0, 0, 0);
    assert_int_not_equal(access(in_sandbox("x.rag"), F_OK), 0);
    rag_index_close(index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SANDBOX(a_renamed_file_keeps_its_chunks_and_their_ids),
        IN_SANDBOX(a_renamed_folder_is_renamed_files),
        IN_SANDBOX(what_only_looks_renamed_is_read),
        IN_SANDBOX(of_two_copies_one_is_the_renamed_file),
        IN_SANDBOX(a_file_and_a_folder_may_take_each_other_s_place),
        IN_SANDBOX(links_in_a_circle_are_passed_over),
        IN_SANDBOX(a_file_that_vanishes_before_it_is_read_is_skipped_or_removed),
        IN_SANDBOX(a_file_that_changes_during_a_run_is_seen_in_that_run_or_the_next),
        IN_SANDBOX(a_file_that_is_being_changed_is_skipped),
        IN_SANDBOX(an_unchanged_file_costs_a_stat),
        IN_SANDBOX(many_documents_go_in_and_are_renamed_at_once),
        IN_SANDBOX(a_dry_run_counts_and_changes_nothing),
        IN_SANDBOX(sources_can_be_tried_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
