/* Sequences into packed batches, batches onto threads.
 *
 * Where there are enough batches, each thread takes its own through all layers without ever
 * waiting for another. What is left over, and what is too long for that, is computed batch by
 * batch by all threads together. The results are the same. */
#include "base/clock.h"
#include "base/memory.h"
#include "encoder/parts.h"

#include <omp.h>
#include <string.h>
#include <time.h>

#define REPORT_SECONDS 0.2

enum {
    BATCH_TOKENS = 1024, /* products gain nothing from more rows, and caches lose */
    BATCH_LEAST = 128,
};

struct batch {
    size_t first, count; /* items */
    size_t tokens;
};

struct plan {
    struct item *items;    /* [run->count], the longest sequence first */
    struct batch *batches; /* the largest first, as far as sequences allow */
    size_t count;          /* batches */
    size_t *offsets;       /* [run->count] */
};

static void plan_release(struct plan *plan)
{
    free(plan->items);
    free(plan->batches);
    free(plan->offsets);
}

static rag_status check_sequence(const struct model_config *c, const struct sequence *s,
                                 size_t index, rag_error *error)
{
    if (s->count == 0 || s->count > c->max_tokens)
        return fail_with(error, RAG_INPUT,
                         "text %zu has %zu tokens; the model takes 1 to %u: cut it", index + 1,
                         s->count, c->max_tokens);
    for (size_t t = 0; t < s->count; t++) {
        if (s->ids[t] < 0 || (uint32_t)s->ids[t] >= c->vocabulary)
            return fail_with(
                error, RAG_INPUT,
                "text %zu, token %zu: id %d is not in the model's vocabulary of %u; "
                "the tokenizer is another model's",
                index + 1, t + 1, (int)s->ids[t], c->vocabulary);
        if (s->types && s->types[t] >= c->token_types)
            return fail_with(error, RAG_INPUT,
                             "text %zu, token %zu: type %u, where the model has %u", index + 1,
                             t + 1, s->types[t], c->token_types);
    }
    return RAG_OK;
}

/* Stable, so that a run is the same each time: longest first, then in the order given. */
static void sort_by_length(struct item *items, struct item *spare, size_t n,
                           const struct sequence *sequences)
{
    for (size_t width = 1; width < n; width *= 2) {
        for (size_t i = 0; i < n; i += 2 * width) {
            size_t a = i, middle = i + width < n ? i + width : n, b = middle;
            size_t end = i + 2 * width < n ? i + 2 * width : n;
            for (size_t out = i; out < end; out++) {
                bool left = a < middle && (b == end || sequences[items[a].index].count >=
                                                           sequences[items[b].index].count);
                spare[out] = items[left ? a++ : b++];
            }
        }
        memcpy(items, spare, n * sizeof *items);
    }
}

/* Batches small enough to give each thread one. */
static size_t budget(const struct run *run)
{
    size_t share = run->total / run->encoder->threads;
    return share < BATCH_LEAST ? BATCH_LEAST : share > BATCH_TOKENS ? BATCH_TOKENS : share;
}

static void cut_batches(const struct run *run, struct plan *plan)
{
    size_t limit = budget(run);
    struct batch *batch = NULL;
    for (size_t i = 0; i < run->count; i++) {
        size_t tokens = run->sequences[plan->items[i].index].count;
        if (!batch || batch->tokens + tokens > limit) {
            batch = &plan->batches[plan->count++];
            *batch = (struct batch){.first = i};
        }
        plan->items[i].row = batch->tokens;
        batch->tokens += tokens;
        batch->count++;
    }
}

static rag_status plan_make(struct run *run, struct plan *plan, rag_error *error)
{
    size_t n = run->count;
    struct item *spare = alloc_array(n, sizeof *spare);
    plan->items = alloc_array(n, sizeof *plan->items);
    plan->batches = alloc_array(n, sizeof *plan->batches);
    plan->offsets = alloc_array(n, sizeof *plan->offsets);
    rag_status status = RAG_OK;
    if (!spare || !plan->items || !plan->batches || !plan->offsets)
        status = fail_memory(error);
    for (size_t i = 0; i < n && !status; i++) {
        status = check_sequence(&run->encoder->config, &run->sequences[i], i, error);
        plan->items[i].index = i;
        plan->offsets[i] = run->total;
        run->total += run->sequences[i].count;
    }
    if (!status) {
        sort_by_length(plan->items, spare, n, run->sequences);
        cut_batches(run, plan);
        run->offsets = plan->offsets;
    }
    free(spare);
    return status;
}

bool run_report(struct run *run, size_t done)
{
    run->reported = done;
    return event_progress(run->events, "embedding", "tokens", done, run->total, NULL);
}

/* Takes a batch through the model with a team of threads. */
static void run_batch(struct run *run, const struct plan *plan, const struct batch *batch,
                      struct worker *workers, size_t threads)
{
    struct pass pass = {
        .run = run,
        .items = plan->items + batch->first,
        .count = batch->count,
        .tokens = batch->tokens,
        .workers = workers,
        .rows = batch->tokens,
    };
    if (atomic_load(&run->failed) || atomic_load(&run->interrupted))
        return;
#pragma omp parallel num_threads((int)threads)
    {
        pass_forward(&pass);
        if (!pass.stop)
            pass_heads(&pass);
    }
}

/* The batches [0, *alone) are computed by single threads; the rest by all together. The
 * buffers for it are made ready. */
static rag_status share_out(struct run *run, const struct plan *plan, size_t *alone,
                            rag_error *error)
{
    struct encoder *e = run->encoder;
    size_t longest = run->sequences[plan->items[0].index].count;
    size_t most = 0;
    for (size_t i = 0; i < plan->count; i++)
        most = plan->batches[i].tokens > most ? plan->batches[i].tokens : most;
    *alone = most <= BATCH_TOKENS ? plan->count - plan->count % e->threads : 0;
    rag_status status = RAG_OK;
    for (size_t i = 0; i < e->threads && !status; i++)
        status = worker_reserve(e, &e->workers[i], i == 0 || *alone ? most : 0, longest, error);
    return status;
}

/* At the end of a thread's batches. The caller's thread goes on telling him of the others'
 * progress, and asking whether to stop. */
static void wait_for_others(struct run *run)
{
    static const struct timespec millisecond = {.tv_nsec = 1000000};
    double next = clock_seconds() + REPORT_SECONDS;
    atomic_fetch_add(&run->waiting, 1);
    if (omp_get_thread_num() != 0)
        return;
    while (atomic_load(&run->waiting) < (size_t)omp_get_num_threads()) {
        nanosleep(&millisecond, NULL);
        if (clock_seconds() < next)
            continue;
        next += REPORT_SECONDS;
        if (run_report(run, atomic_load(&run->done) / run->encoder->config.layers))
            atomic_store(&run->interrupted, true);
    }
}

static rag_status run_batches(struct run *run, const struct plan *plan, rag_error *error)
{
    struct encoder *e = run->encoder;
    size_t alone;
    rag_status status = share_out(run, plan, &alone, error);
    if (status)
        return status;
#pragma omp parallel num_threads((int)e->threads) if (alone > 0)
    {
#pragma omp for schedule(dynamic) nowait
        for (size_t i = 0; i < alone; i++)
            run_batch(run, plan, &plan->batches[i], &e->workers[omp_get_thread_num()], 1);
        wait_for_others(run);
    }
    for (size_t i = alone; i < plan->count; i++)
        run_batch(run, plan, &plan->batches[i], e->workers, e->threads);

    if (run->not_finite < run->count)
        return fail_with(error, RAG_MODEL,
                         "text %zu: the model's result is not a finite number; its weights are "
                         "damaged or not made for this precision",
                         run->not_finite + 1);
    bool stop = atomic_load(&run->interrupted);
    if (!stop && run->reported < run->total)
        stop = run_report(run, run->total);
    if (stop)
        return fail_with(error, RAG_INTERRUPTED, "stopped while embedding");
    return RAG_OK;
}

rag_status encoder_run(struct encoder *encoder, const struct sequence *sequences, size_t n,
                       const struct encoder_output *out, const struct events *events,
                       rag_error *error)
{
    static const struct events silent = {0};
    struct run run = {
        .encoder = encoder,
        .sequences = sequences,
        .count = n,
        .out = out,
        .events = events ? events : &silent,
        .not_finite = n,
    };
    struct plan plan = {0};
    if (n == 0)
        return RAG_OK;
    if (out->sparse && !encoder->sparse)
        return fail_with(error, RAG_USAGE, "the model has no sparse head (sparse_linear.pt)");
    if (out->logits && !encoder->classifier.dense)
        return fail_with(error, RAG_USAGE, "the model is no cross-encoder: it gives no logits");
    rag_status status = plan_make(&run, &plan, error);
    if (!status)
        status = run_batches(&run, &plan, error);
    plan_release(&plan);
    return status;
}
