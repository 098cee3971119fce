/* reindex.c - all documents anew, with another model or chunker, while the index is used.
 *
 * A second index, NAME.rag-next, is filled from the texts of the first. It holds what each
 * document was made from, so that comparing the two lists says what is left to do: at the
 * beginning everything, after an interruption the rest, in the end what was changed meanwhile.
 * When nothing is left it is written over the first one, unless that has been changed since the
 * lists were compared (store_write_over); then they are compared again. */
#define _DEFAULT_SOURCE
#include "base/clock.h"
#include "base/file.h"
#include "pipeline/again.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct reindexing {
    rag_index *index;
    const rag_reindex_options *options;
    struct events events;
    rag_reindex_report *report;
    char *path, *next_path;
    struct store_recipe old; /* recipe */
    struct store *source;    /* the index, by a connection of our own */
    rag_model *model;
    bool owns_model;
    struct chunker_options chunker;
    int lock;        /* NAME.rag-next, so that one process at a time fills it; -1: none */
    rag_index *next; /* what is filled */
    struct run run;  /* on it */
    rag_add_report added;
    size_t changes; /* of the comparison in hand */
};

/* ---- What is wished for ---- */

static rag_status read_index(struct reindexing *r, rag_error *error)
{
    rag_index *index = r->index;
    pthread_mutex_lock(&index->lock);
    rag_status status = index_look(index, error);
    if (!status && !index->has_recipe)
        status = fail_with(error, RAG_INDEX,
                           "%s: there is nothing in it to be re-indexed; fill it with: rag "
                           "index PATH...",
                           index->path);
    else if (!status && index->external)
        status =
            fail_with(error, RAG_USAGE,
                      "%s holds vectors of %s from outside, which rag cannot make: put its "
                      "documents into another index",
                      index->path, index->recipe.model);
    r->old = index->recipe;
    pthread_mutex_unlock(&index->lock);
    return status;
}

static rag_status open_model(struct reindexing *r, rag_error *error)
{
    const char *name = r->options->model ? r->options->model : r->old.model;
    r->model = r->options->open_model;
    if (r->model)
        return RAG_OK;
    r->owns_model = true;
    return rag_model_open(name, &r->index->options.models, &r->model, error);
}

/* What is not asked for stays as it is, as far as the model allows. */
static rag_status resolve(struct reindexing *r, rag_error *error)
{
    const rag_reindex_options *options = r->options;
    rag_chunker chunker = options->chunker ? options->chunker : r->old.chunker;
    rag_context context = options->context ? options->context : r->old.context;
    size_t max_tokens = options->max_tokens, overlap = options->overlap, room = 0;
    rag_status status = passage_room(r->model, &room, error);
    if (status)
        return status;
    if (chunker == r->old.chunker && max_tokens == RAG_AUTO)
        max_tokens = r->old.max_tokens < room ? r->old.max_tokens : room;
    if (chunker == r->old.chunker && overlap == RAG_AUTO && r->old.overlap < max_tokens)
        overlap = r->old.overlap;
    return resolve_chunker(chunker, max_tokens, overlap, context, room, &r->chunker, error);
}

/* Whether an index is made as it is wished for. */
static bool is_as_wished(const struct reindexing *r, const struct store_recipe *recipe)
{
    return strcmp(recipe->model_identity, r->model->identity) == 0 &&
           recipe->chunker == r->chunker.chunker &&
           recipe->max_tokens == r->chunker.max_tokens &&
           recipe->context == r->chunker.context && recipe->overlap == r->chunker.overlap;
}

/* ---- The next file ---- */

/* The lock is on the file itself: one that was removed meanwhile is not the one that counts. */
static rag_status lock_next(struct reindexing *r, rag_error *error)
{
    for (;;) {
        struct stat ours, there;
        int fd = open(r->next_path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        if (fd < 0)
            return fail_errno(error, RAG_INDEX, "%s: it cannot be made", r->next_path);
        if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
            rag_status status =
                errno == EWOULDBLOCK
                    ? fail_with(error, RAG_INDEX_BUSY,
                                "%s: another process is re-indexing it already", r->path)
                    : fail_errno(error, RAG_INDEX, "%s: it cannot be locked", r->next_path);
            close(fd);
            return status;
        }
        if (fstat(fd, &ours) == 0 && stat(r->next_path, &there) == 0 &&
            ours.st_ino == there.st_ino && ours.st_dev == there.st_dev) {
            r->lock = fd;
            return RAG_OK;
        }
        close(fd);
    }
}

static rag_status open_next(struct reindexing *r, rag_error *error)
{
    rag_index_options options = RAG_INDEX_OPTIONS_INIT;
    options.open_model = r->model;
    options.models = r->index->options.models;
    options.reranker = "none";
    options.chunker = r->chunker.chunker;
    options.max_tokens = r->chunker.max_tokens;
    options.overlap = r->chunker.overlap;
    options.context = r->chunker.context;
    return rag_index_open(r->next_path, &options, &r->next, error);
}

/* Empties the file, whose lock stays. A journal must never meet another file. */
static rag_status empty_next(struct reindexing *r, rag_error *error)
{
    static const char ending[] = "-journal";
    size_t size = strlen(r->next_path) + sizeof ending;
    rag_index_close(r->next);
    r->next = NULL;
    char *journal = malloc(size);
    if (!journal)
        return fail_memory(error);
    snprintf(journal, size, "%s%s", r->next_path, ending);
    rag_status status = RAG_OK;
    if ((unlink(journal) != 0 && errno != ENOENT) || ftruncate(r->lock, 0) != 0)
        status = fail_errno(error, RAG_INDEX, "%s: it cannot be emptied", r->next_path);
    free(journal);
    return status;
}

/* Whether it can go on: made as is wished for, and its ids are no older ones of the index, as
 * they are when the switch was done and its file not removed. */
static rag_status judge_next(struct reindexing *r, const struct store_state *source,
                             bool *usable, rag_error *error)
{
    struct store_state state;
    *usable = false;
    if (!r->next || !r->next->has_recipe || !is_as_wished(r, &r->next->recipe))
        return RAG_OK;
    rag_status status = store_get_state(r->next->store, &state, error);
    if (status)
        return status;
    *usable = state.last_chunk > source->last_chunk;
    if (*usable)
        r->report->documents_resumed = state.count;
    store_state_release(&state);
    return RAG_OK;
}

static rag_status prepare_next(struct reindexing *r, const struct store_state *source,
                               rag_error *error)
{
    bool usable;
    rag_error trouble;
    rag_status status = open_next(r, &trouble);
    if (status == RAG_INDEX_BUSY || status == RAG_MEMORY)
        return fail_with(error, status, "%s", trouble.message);
    status = judge_next(r, source, &usable, error);
    if (!status && !usable) {
        status = empty_next(r, error);
        if (!status)
            status = open_next(r, error);
        if (!status)
            status = index_need_store(r->next, error);
        if (!status)
            status = store_begin_behind(r->next->store, source, error);
        if (!status)
            status = index_need_recipe(r->next, &r->chunker, error);
    }
    if (!status)
        status = index_need_model(r->next, error);
    return status;
}

/* ---- Catching up ---- */

static int compare(const struct store_content *a, const struct store_content *b)
{
    int order = strcmp(a->collection, b->collection);
    return order ? order : strcmp(a->path, b->path);
}

static bool same_hash(const struct hash *a, const struct hash *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

/* A pair of the two lists: either may be NULL, where the other has no such document. */
struct pair {
    const struct store_content *old, *new;
};

static bool needs_chunks(const struct pair *pair)
{
    return pair->old && (!pair->new || !same_hash(&pair->old->content, &pair->new->content));
}

static bool needs_stamp(const struct pair *pair)
{
    return pair->old && pair->new &&
           (pair->old->size != pair->new->size || pair->old->modified != pair->new->modified);
}

typedef rag_status (*pair_fn)(struct reindexing *r, const struct pair *pair, rag_error *error);

/* Both lists are sorted. */
static rag_status each_pair(struct reindexing *r, const struct store_state *old,
                            const struct store_state *new, pair_fn each, rag_error *error)
{
    rag_status status = RAG_OK;
    for (size_t i = 0, j = 0; !status && !r->run.stop && (i < old->count || j < new->count);) {
        int order = i == old->count   ? 1
                    : j == new->count ? -1
                                      : compare(&old->contents[i], &new->contents[j]);
        struct pair pair = {order <= 0 ? &old->contents[i++] : NULL,
                            order >= 0 ? &new->contents[j++] : NULL};
        status = each(r, &pair, error);
    }
    return status;
}

static rag_status count_bytes(struct reindexing *r, const struct pair *pair, rag_error *error)
{
    (void)error;
    if (needs_chunks(pair))
        r->run.bytes_total += pair->old->text_size;
    return RAG_OK;
}

static rag_status remove_document(struct reindexing *r, const struct store_content *content,
                                  rag_error *error)
{
    const char *path = content->path;
    return store_remove(r->next->store, content->collection, &path, 1, NULL, error);
}

static rag_status bring_pair(struct reindexing *r, const struct pair *pair, rag_error *error)
{
    struct run *run = &r->run;
    const struct store_content *content = pair->old ? pair->old : pair->new;
    rag_status status = RAG_OK;
    if (run->collection && strcmp(run->collection, content->collection) != 0)
        status = run_flush(run, error);
    run->collection = content->collection;
    if (status || (!needs_chunks(pair) && !needs_stamp(pair) && pair->old))
        return status;
    r->changes++;
    if (!pair->old)
        return remove_document(r, content, error);
    if (needs_chunks(pair)) {
        run->file = content->path;
        status = again_take(run, r->source, content, error);
    } else {
        struct store_stamp stamp = {content->path, content->size, content->modified};
        status = run_push_stamp(run, &stamp, error);
    }
    if (!status)
        run_progress(run, run->bytes_done);
    return !status && (run_is_full(run) || run->stop) ? run_flush(run, error) : status;
}

/* *done: how many documents had to be changed. */
static rag_status catch_up(struct reindexing *r, const struct store_state *old, size_t *done,
                           rag_error *error)
{
    struct store_state new;
    rag_status status = store_get_state(r->next->store, &new, error);
    if (status)
        return status;
    r->changes = 0;
    r->run.bytes_total = r->run.bytes_done;
    status = each_pair(r, old, &new, count_bytes, error);
    if (!status)
        status = each_pair(r, old, &new, bring_pair, error);
    if (!status)
        status = run_flush(&r->run, error);
    r->run.collection = NULL;
    store_state_release(&new);
    *done = r->changes;
    if (!status && r->run.stop)
        status =
            fail_with(error, RAG_INTERRUPTED,
                      "stopped; the index is as it was, what was made ready is kept in %s, "
                      "and the same command goes on from here",
                      r->next_path);
    return status;
}

/* ---- The whole ---- */

static rag_status switch_over(struct reindexing *r, const struct store_state *state,
                              bool *switched, rag_error *error)
{
    bool stale;
    double start = clock_seconds();
    rag_status status =
        store_write_over(r->source, r->next->store, state, &r->events, &stale, error);
    *switched = !status && !stale;
    if (*switched) {
        r->report->documents = state->count;
        r->report->switched = 1;
        r->report->switch_seconds = clock_seconds() - start;
    }
    return status;
}

static rag_status fill(struct reindexing *r, rag_error *error)
{
    struct store_state state;
    bool switched = false;
    rag_status status = store_get_state(r->source, &state, error);
    if (status)
        return status;
    status = prepare_next(r, &state, error);
    store_state_release(&state);
    r->run = (struct run){.index = r->next,
                          .events = &r->events,
                          .report = &r->added,
                          .chunker = r->chunker,
                          .stage = "re-indexing"};
    if (!status && strcmp(r->old.model_identity, r->model->identity) == 0)
        r->run.same_model = r->source;
    while (!status && !switched) {
        size_t done = 0;
        if ((status = store_get_state(r->source, &state, error)))
            break;
        status = catch_up(r, &state, &done, error);
        if (!status && !done)
            status = switch_over(r, &state, &switched, error);
        store_state_release(&state);
    }
    run_release(&r->run);
    return status;
}

/* The handle goes on with what the index is now, whatever it was opened with. */
static void adopt(rag_index *index)
{
    pthread_mutex_lock(&index->lock);
    index_forget_recipe(index);
    free(index->model_name);
    index->options.open_model = NULL;
    index->options.model = index->model_name = NULL;
    index->options.chunker = RAG_CHUNKER_AUTO;
    index->options.context = RAG_CONTEXT_AUTO;
    index->options.max_tokens = index->options.overlap = RAG_AUTO;
    pthread_mutex_unlock(&index->lock);
}

static rag_status reindex(struct reindexing *r, rag_error *error)
{
    rag_status status = read_index(r, error);
    if (!status)
        status = open_model(r, error);
    if (!status && !(r->model->info.heads & RAG_DENSE))
        status = fail_with(error, RAG_MODEL,
                           "%s is a reranker and gives no vectors to index; name an embedding "
                           "model",
                           r->model->info.name);
    if (!status)
        status = resolve(r, error);
    if (!status && !(r->next_path = store_next_path(r->path)))
        status = fail_memory(error);
    if (status)
        return status;
    bool as_wished = is_as_wished(r, &r->old);
    if (as_wished && !path_is_file(r->next_path))
        return RAG_OK;
    status = lock_next(r, error);
    if (!status && !as_wished)
        status = store_open(r->path, false, &r->source, error);
    if (!status && !as_wished) {
        store_expect_recipe(r->source, &r->old);
        status = fill(r, error);
    }
    if (!status)
        status = empty_next(r, error);
    if (!status && unlink(r->next_path) != 0)
        status = fail_errno(error, RAG_INDEX, "%s: it cannot be removed", r->next_path);
    if (r->report->switched)
        adopt(r->index);
    return status;
}

static void release(struct reindexing *r)
{
    rag_index_close(r->next);
    store_close(r->source);
    if (r->owns_model)
        rag_model_close(r->model);
    if (r->lock >= 0)
        close(r->lock);
    free(r->next_path);
}

rag_status rag_index_reindex(rag_index *index, const rag_reindex_options *options,
                             rag_reindex_report *report, rag_error *error)
{
    static const rag_reindex_options defaults = RAG_REINDEX_OPTIONS_INIT;
    rag_reindex_report own;
    if (!report)
        report = &own;
    *report = (rag_reindex_report){0};
    rag_status status = CHECK_OPTIONS(options, error);
    if (status)
        return status;
    if (!options)
        options = &defaults;
    struct reindexing r = {.index = index,
                           .options = options,
                           .events = {options->on_event, options->user},
                           .report = report,
                           .path = index->path,
                           .lock = -1};
    double start = clock_seconds();
    status = reindex(&r, error);
    release(&r);
    report->chunks = r.added.chunks;
    report->chunks_embedded = r.added.chunks_embedded;
    report->tokens = r.added.tokens;
    report->seconds = clock_seconds() - start;
    return status;
}
