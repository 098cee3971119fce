/* repair.c - a damaged index is made whole from what is whole of it.
 *
 * Where SQLite's structure is sound, in place: first the tables (store/mend.c), then document
 * by document. Where it is not, into a new index beside it from a copy of the file, whose
 * contents then take the place of the damaged ones in one transaction. */
#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "pipeline/jobs.h"
#include "pipeline/mend.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct repair {
    const rag_repair_options *options;
    const rag_index_options *index_options;
    rag_repair_report *report;
    struct events events;
    char *path, *copy, *fresh; /* the index; a copy of it; the one that is made anew */
    struct mender mender;
    bool structural;
    int64_t *damaged; /* documents that something is wrong with */
    size_t damaged_count, damaged_capacity;
    bool out_of_memory;
    struct buf how; /* scratch */
};

/* ---- What is wrong ---- */

static void note_problem(const struct store_problem *problem, void *user)
{
    struct repair *repair = user;
    repair->report->problems++;
    if (repair->options->on_problem) {
        rag_problem shown = problem_of_store(problem);
        repair->options->on_problem(&shown, repair->options->user);
    }
    repair->structural |= problem->kind == STORE_PROBLEM_PAGES ||
                          problem->kind == STORE_PROBLEM_RECIPE ||
                          problem->kind == STORE_PROBLEM_DOCUMENT;
    size_t last = repair->damaged_count;
    if (!problem->document || (last && repair->damaged[last - 1] == problem->document))
        return;
    if (array_reserve(&repair->damaged, &repair->damaged_capacity, last + 1,
                      sizeof *repair->damaged))
        repair->damaged[repair->damaged_count++] = problem->document;
    else
        repair->out_of_memory = true;
}

/* A file whose tables are not ours to the letter is one whose pages are damaged. */
static rag_status find_problems(struct repair *repair, rag_error *error)
{
    struct store *store;
    rag_error why;
    rag_status opened = store_open(repair->path, false, &store, &why);
    if (opened && opened != RAG_INDEX)
        return fail_with(error, opened, "%s", why.message);
    rag_status status = RAG_OK;
    if (opened) {
        struct store_problem problem = {.kind = STORE_PROBLEM_PAGES, .sentence = why.message};
        status = store_open_damaged(repair->path, &store, error);
        if (!status)
            note_problem(&problem, repair);
    }
    if (!status)
        status = store_verify(store, note_problem, repair, &repair->events, error);
    store_close(store);
    if (repair->out_of_memory)
        return fail_memory(error);
    return status == RAG_INDEX && repair->report->problems ? RAG_OK : status;
}

/* ---- Documents ---- */

static rag_status act(struct repair *repair, const char *kind,
                      const struct damaged_document *document, const char *sentence,
                      rag_error *error)
{
    rag_problem action = {.kind = kind, .sentence = sentence};
    char *whole = NULL;
    if (!repair->options->on_action)
        return RAG_OK;
    if (document && document->path) {
        size_t size = strlen(document->path) + strlen(sentence) + 3;
        whole = malloc(size);
        if (!whole)
            return fail_memory(error);
        snprintf(whole, size, "%s: %s", document->path, sentence);
        action.document = document->path;
        action.collection = document->collection;
        action.sentence = whole;
    }
    repair->options->on_action(&action, repair->options->user);
    free(whole);
    return RAG_OK;
}

static rag_status take_out(struct repair *repair, const struct damaged_document *document,
                           rag_error *error)
{
    const char *path = document->path;
    repair->report->lost++;
    if (repair->mender.copying)
        return RAG_OK;
    return store_remove(repair->mender.target->store, document->collection, &path, 1, NULL,
                        error);
}

static rag_status mend_one(struct repair *repair, int64_t id, rag_error *error)
{
    struct damaged_document document = {0};
    enum mend_result result;
    char unknown[64];
    rag_error why;
    buf_clear(&repair->how);
    rag_status status =
        mend_document(&repair->mender, id, &document, &result, &repair->how, &why);
    if (status == RAG_NOT_FOUND) {
        snprintf(unknown, sizeof unknown, "document %lld: its row cannot be read",
                 (long long)id);
        repair->report->lost++;
        return act(repair, "lost", NULL, unknown, error);
    }
    if (status)
        status = fail_with(error, status, "%s", why.message);
    else if (result == MEND_LOST || (result == MEND_NO_MODEL && repair->mender.copying))
        status = take_out(repair, &document, error);
    repair->report->mended += !status && result == MEND_MENDED;
    static const char *const kinds[] = {
        [MEND_MENDED] = "mended", [MEND_LOST] = "lost", [MEND_NO_MODEL] = "left"};
    if (!status && result != MEND_WHOLE)
        status = act(repair, kinds[result], &document, repair->how.data, error);
    damaged_document_release(&document);
    return status;
}

static rag_status mend_all(struct repair *repair, const int64_t *ids, size_t count,
                           rag_error *error)
{
    rag_status status = RAG_OK;
    for (size_t i = 0; !status && i < count; i++) {
        if (event_progress(&repair->events, "repairing", "documents", i, count, NULL))
            status = fail_with(error, RAG_INTERRUPTED,
                               "stopped; what was mended is safe, and repairing again goes on");
        else
            status = mend_one(repair, ids[i], error);
    }
    repair->report->chunks_embedded = repair->mender.embedded;
    return status;
}

/* ---- In place ---- */

static rag_status open_target(struct repair *repair, const char *path, bool must_exist,
                              rag_error *error)
{
    rag_index_options options = *repair->index_options;
    options.must_exist = must_exist;
    return rag_index_open(path, &options, &repair->mender.target, error);
}

static rag_status mend_tables(const struct repair *repair, rag_error *error)
{
    struct store *store;
    rag_status status = store_open(repair->path, false, &store, error);
    if (!status)
        status = store_mend_tables(store, error);
    store_close(store);
    return status;
}

static rag_status repair_in_place(struct repair *repair, rag_error *error)
{
    rag_status status = open_target(repair, repair->path, true, error);
    if (status)
        return status;
    repair->mender.source = repair->mender.target->store;
    status = mend_all(repair, repair->damaged, repair->damaged_count, error);
    repair->mender.source = NULL;
    return status;
}

/* ---- Into a new file ---- */

/* A name of which there is no file yet: NAME.rag.damaged, then with a number. */
static rag_status name_copy(struct repair *repair, rag_error *error)
{
    enum { MOST = 100 };
    size_t size = strlen(repair->path) + 16;
    repair->copy = malloc(size);
    if (!repair->copy)
        return fail_memory(error);
    for (int i = 1; i < MOST; i++) {
        snprintf(repair->copy, size, i == 1 ? "%s.damaged" : "%s.damaged-%d", repair->path, i);
        if (access(repair->copy, F_OK) != 0 && errno == ENOENT)
            return RAG_OK;
    }
    return fail_with(error, RAG_INDEX,
                     "%s.damaged: there are damaged copies enough; move them away first",
                     repair->path);
}

static rag_status remove_fresh(struct repair *repair, rag_error *error)
{
    char *journal = NULL;
    size_t size = strlen(repair->fresh) + sizeof "-journal";
    if (!(journal = malloc(size)))
        return fail_memory(error);
    snprintf(journal, size, "%s-journal", repair->fresh);
    unlink(journal); /* before the file that it belongs to */
    unlink(repair->fresh);
    free(journal);
    return RAG_OK;
}

/* The new index has the recipe of the damaged one; if that is lost, it is made of the model,
 * which must have been named. */
static rag_status give_recipe(struct repair *repair, rag_error *error)
{
    struct store_recipe recipe;
    bool present = false;
    rag_index *target = repair->mender.target;
    rag_error why;
    rag_status read = store_get_recipe(repair->mender.source, &recipe, &present, &why);
    rag_status status = index_need_store(target, error);
    if (status)
        return status;
    if (!read && present)
        status = store_set_recipe(target->store, &recipe, error);
    else if (!index_names_model(target))
        return fail_with(error, RAG_INDEX,
                         "%s: which model it was made with cannot be read; name it (--model M)",
                         repair->path);
    else {
        struct run run = {.index = target, .events = &repair->events};
        run.chunker = (struct chunker_options){.chunker = RAG_CHUNKER_STRUCTURE};
        status = index_is_external(target) ? RAG_OK : run_resolve(&run, error);
        if (!status)
            status = index_need_recipe(target, &run.chunker, error);
    }
    return status ? status : index_look(target, error);
}

static rag_status copy_documents(struct repair *repair, rag_error *error)
{
    int64_t *ids = NULL;
    size_t count = 0;
    struct mender *mender = &repair->mender;
    rag_status status = store_open_damaged(repair->copy, &mender->source, error);
    if (!status)
        status = open_target(repair, repair->fresh, false, error);
    if (!status)
        status = give_recipe(repair, error);
    if (!status)
        status = store_continue(mender->target->store, mender->source, error);
    if (!status)
        status = store_list_damaged(mender->source, &ids, &count, error);
    if (!status)
        status = mend_all(repair, ids, count, error);
    free(ids);
    store_close(mender->source);
    mender->source = NULL;
    return status;
}

/* The copy is made while no connection of this process is open: closing a file drops the locks
 * that the process holds on it. */
static rag_status salvage(struct repair *repair, rag_error *error)
{
    repair->mender.copying = true;
    rag_status status = name_copy(repair, error);
    if (!status)
        status = file_copy(repair->path, repair->copy, error);
    if (!status)
        status = remove_fresh(repair, error);
    if (!status)
        status = copy_documents(repair, error);
    rag_index_close(repair->mender.target);
    repair->mender.target = NULL;
    if (!status)
        status = store_replace(repair->path, repair->copy, repair->fresh, error);
    repair->report->salvaged = !status;
    if (!status)
        status = act(repair, "kept", NULL, repair->copy, error);
    else if (repair->copy)
        unlink(repair->copy); /* the index is what it was */
    rag_error trouble;
    return remove_fresh(repair, &trouble) && !status ? fail_memory(error) : status;
}

/* ---- The whole ---- */

static rag_status verify_again(struct repair *repair, rag_error *error)
{
    struct store *store;
    rag_repair_options silent = RAG_REPAIR_OPTIONS_INIT;
    rag_repair_report report = *repair->report;
    struct repair after = {.options = &silent, .report = &report, .events = repair->events};
    report.problems = 0;
    rag_status status = store_open(repair->path, false, &store, error);
    if (!status)
        status = store_verify(store, note_problem, &after, &repair->events, error);
    store_close(store);
    free(after.damaged);
    repair->report->left = report.problems;
    if (status == RAG_INDEX && report.problems)
        status =
            fail_with(error, RAG_INDEX, "%s: %zu problem%s left; `rag verify` names %s",
                      repair->path, report.problems, report.problems == 1 ? " is" : "s are",
                      report.problems == 1 ? "it" : "them");
    return status;
}

static rag_status run(struct repair *repair, rag_error *error)
{
    rag_status status = find_problems(repair, error);
    if (status || !repair->report->problems)
        return status;
    if (repair->options->dry_run) {
        repair->report->left = repair->report->problems;
        return fail_with(error, RAG_INDEX, "%s: %zu problem%s", repair->path,
                         repair->report->problems, repair->report->problems == 1 ? "" : "s");
    }
    rag_error why;
    if (!repair->structural) {
        status = mend_tables(repair, &why);
        /* Rows that contradict each other, which no index over them can hold. */
        repair->structural = status == RAG_INDEX;
        if (status && !repair->structural)
            return fail_with(error, status, "%s", why.message);
    }
    status = repair->structural ? salvage(repair, error) : repair_in_place(repair, error);
    rag_index_close(repair->mender.target);
    repair->mender.target = NULL;
    return status ? status : verify_again(repair, error);
}

static void repair_release(struct repair *repair)
{
    free(repair->path);
    free(repair->copy);
    free(repair->fresh);
    free(repair->damaged);
    buf_release(&repair->how);
}

static rag_status prepare(struct repair *repair, const char *path, rag_error *error)
{
    enum { MOST_WORDS = 1 << 16 };
    repair->how = BUF_INIT(MOST_WORDS);
    repair->mender.events = &repair->events;
    rag_status status = path_absolute(index_path(path), &repair->path, error);
    if (status)
        return status;
    size_t size = strlen(repair->path) + sizeof "-repair";
    repair->fresh = malloc(size);
    if (!repair->fresh)
        return fail_memory(error);
    snprintf(repair->fresh, size, "%s-repair", repair->path);
    return RAG_OK;
}

rag_status rag_index_repair(const char *path, const rag_index_options *index_options,
                            const rag_repair_options *options, rag_repair_report *report,
                            rag_error *error)
{
    static const rag_index_options index_defaults = RAG_INDEX_OPTIONS_INIT;
    static const rag_repair_options defaults = RAG_REPAIR_OPTIONS_INIT;
    rag_repair_report own;
    report = report ? report : &own;
    *report = (rag_repair_report){0};
    rag_status status = CHECK_OPTIONS(options, error);
    if (!status)
        status = CHECK_OPTIONS(index_options, error);
    if (status)
        return status;
    struct repair repair = {.options = options ? options : &defaults,
                            .index_options = index_options ? index_options : &index_defaults,
                            .report = report};
    repair.events = (struct events){repair.options->on_event, repair.options->user};
    double start = clock_seconds();
    status = prepare(&repair, path, error);
    if (!status)
        status = run(&repair, error);
    repair_release(&repair);
    report->seconds = clock_seconds() - start;
    return status;
}
