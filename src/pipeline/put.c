/* put.c - documents that are no files. */
#include "base/clock.h"
#include "base/memory.h"
#include "pipeline/source.h"
#include "text/utf8.h"

#include <string.h>
#include <time.h>

/* One call of rag_index_put. */
struct putting {
    struct run run;
    const rag_source *sources;
    size_t count, dimension;
    bool *again; /* [count]: an earlier source of this call has the same name */
};

static int64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* ---- Checking, before anything is written ---- */

static rag_status fail_source(const rag_source *source, size_t i, rag_status status,
                              rag_error *error)
{
    enum { SHOWN = 200 };
    const char *name = source->name ? source->name : "";
    size_t size = strnlen(name, SHOWN + 4);
    size_t shown = utf8_floor(name, size, SHOWN);
    return fail_within(error, status, "source %zu (%.*s%s)", i, (int)shown, name,
                       shown < size ? "..." : "");
}

struct named {
    const char *name;
    size_t i;
};

static int by_name(const void *a, const void *b)
{
    const struct named *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order ? order : (x->i > y->i) - (x->i < y->i);
}

static rag_status find_repeated(struct putting *putting, rag_error *error)
{
    struct named *names = alloc_array(putting->count, sizeof *names);
    putting->again = alloc_zeroed(putting->count, sizeof *putting->again);
    if (!names || !putting->again) {
        free(names);
        return fail_memory(error);
    }
    for (size_t i = 0; i < putting->count; i++)
        names[i] = (struct named){putting->sources[i].name, i};
    qsort(names, putting->count, sizeof *names, by_name);
    for (size_t i = 1; i < putting->count; i++)
        putting->again[names[i].i] = strcmp(names[i].name, names[i - 1].name) == 0;
    free(names);
    return RAG_OK;
}

static rag_status check_sources(struct putting *putting, rag_error *error)
{
    bool external = index_is_external(putting->run.index);
    for (size_t i = 0; i < putting->count; i++) {
        const rag_source *source = &putting->sources[i];
        rag_status status = source_check(source, putting->dimension, external, error);
        if (status)
            return fail_source(source, i, status, error);
        putting->run.bytes_total += source->text.size;
    }
    return find_repeated(putting, error);
}

/* ---- Putting in ---- */

/* The model is needed to cut texts, to count their tokens and to embed them: not for an index
 * whose vectors come from outside. */
static rag_status prepare_index(struct putting *putting, rag_error *error)
{
    struct run *run = &putting->run;
    rag_index *index = run->index;
    if (index_is_external(index)) {
        run->chunker = (struct chunker_options){.chunker = RAG_CHUNKER_STRUCTURE};
        putting->dimension =
            index->has_recipe ? index->recipe.dimension : index->options.dimension;
        return RAG_OK;
    }
    rag_status status = index_need_model(index, error);
    if (!status)
        status = run_resolve(run, error);
    if (!status)
        putting->dimension = index->model->config.hidden;
    return status;
}

static rag_status read_source(struct putting *putting, const rag_source *source,
                              struct job *job, rag_error *error)
{
    struct run *run = &putting->run;
    const struct tokenizer *tokenizer =
        index_is_external(run->index) ? NULL : run->index->model->tokenizer;
    rag_status status = source_read(source, tokenizer, &run->chunker, &run->read, job, error);
    if (!status)
        status = metadata_merge(job->document.metadata.data, source->metadata, &job->metadata,
                                error);
    if (!status && !run->dry)
        status = index_need_recipe(run->index, &run->chunker, error);
    if (!status)
        status = job_fill_vectors(run, job, source->vectors, error);
    return status;
}

/* One source: unchanged, or a job. */
static rag_status take_source(struct putting *putting, size_t i, rag_error *error)
{
    struct run *run = &putting->run;
    const rag_source *source = &putting->sources[i];
    struct job job = {.size = source->text.size, .modified = now()};
    struct store_file known;
    rag_status status = RAG_OK;
    if (putting->again[i]) /* it takes the place of one that may not be written yet */
        status = run_flush(run, error);
    run->file = source->name;
    if (!status)
        status = index_find_document(run->index, source->name, &known, error);
    if (!status)
        status = source_hash(source, putting->dimension, &run->read, &job.hash, error);
    if (status)
        return status;
    if (known.present && memcmp(&known.hash, &job.hash, sizeof job.hash) == 0) {
        run->report->unchanged++;
        run->bytes_done += job.size;
        return RAG_OK;
    }
    job.update = known.present;
    status = read_source(putting, source, &job, error);
    if (status == RAG_INPUT)
        status = fail_source(source, i, status, error);
    if (!status)
        status = run_push(run, &job, error);
    job_release(&job);
    return status;
}

/* How files among the sources are read. */
static rag_status choose_reading(struct putting *putting, const rag_add_options *options,
                                 rag_error *error)
{
    for (size_t i = 0; i < putting->count; i++)
        if (source_is_file(&putting->sources[i]))
            return read_options_make(options->ocr, options->notebook_outputs != 0,
                                     &putting->run.read, error);
    return RAG_OK;
}

static rag_status put_all(struct putting *putting, rag_error *error)
{
    struct run *run = &putting->run;
    rag_status status = index_look(run->index, error);
    if (!status)
        status = prepare_index(putting, error);
    if (!status)
        status = check_sources(putting, error);
    size_t taken = 0;
    while (!status && !run->stop && taken < putting->count) {
        status = take_source(putting, taken++, error);
        if (!status)
            run_progress(run, run->bytes_done);
        if (!status && (run_is_full(run) || run->stop))
            status = run_flush(run, error);
    }
    if (!status)
        status = run_flush(run, error);
    if (!status && taken < putting->count)
        status = run_fail_stopped(error);
    return status;
}

rag_status rag_index_put(rag_index *index, const rag_source *sources, size_t count,
                         const rag_add_options *options, rag_add_report *report,
                         rag_error *error)
{
    rag_add_report own;
    if (!report)
        report = &own;
    *report = (rag_add_report){0};
    rag_status status = CHECK_OPTIONS(options, error);
    if (status || !count)
        return status;
    if (!sources)
        return fail_with(error, RAG_USAGE, "%zu sources at a NULL pointer", count);
    static const rag_add_options defaults = RAG_ADD_OPTIONS_INIT;
    if (!options)
        options = &defaults;
    struct events events = {options->on_event, options->user};
    struct putting putting = {.run = {.index = index,
                                      .collection = index->options.collection,
                                      .events = &events,
                                      .on_change = options->on_change,
                                      .user = options->user,
                                      .dry = options->dry_run != 0,
                                      .report = report},
                              .sources = sources,
                              .count = count};
    double start = clock_seconds();
    status = choose_reading(&putting, options, error);
    pthread_mutex_lock(&index->lock);
    if (!status)
        status = put_all(&putting, error);
    pthread_mutex_unlock(&index->lock);
    report->seconds = clock_seconds() - start;
    run_release(&putting.run);
    free(putting.again);
    return status;
}
