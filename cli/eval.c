/* rag eval: how well retrieval does on sets with known answers. */
#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_WAYS = 4 };

/* A way of searching. */
struct way {
    struct settings settings;
    char label[256];
};

struct run {
    const struct settings *settings;
    struct way ways[MOST_WAYS];
    size_t way_count;
    struct progress progress;
    FILE *queries; /* NULL: not wanted */
};

static rag_status fail(rag_error *error, rag_status status, const char *what, const char *why)
{
    error->status = status;
    snprintf(error->message, sizeof error->message, "%s%s%s", what, why ? ": " : "",
             why ? why : "");
    return status;
}

/* ---- Which ways ---- */

static void name_way(struct way *way)
{
    const struct settings *settings = &way->settings;
    static const char *const modes[] = {
        [RAG_HYBRID] = "hybrid", [RAG_MODE_DENSE] = "dense", [RAG_MODE_LEXICAL] = "lexical"};
    static const char *const precisions[] = {[RAG_PRECISION_F32] = "f32",
                                             [RAG_PRECISION_BF16] = "bf16",
                                             [RAG_PRECISION_INT8] = "int8",
                                             [RAG_PRECISION_AUTO] = "auto"};
    size_t size = sizeof way->label;
    int used = snprintf(way->label, size, "%s", modes[settings->mode]);
    if (settings->rerank && used >= 0 && (size_t)used < size)
        used +=
            snprintf(way->label + used, size - (size_t)used, ", rerank %s", settings->rerank);
    if (settings->candidates && used >= 0 && (size_t)used < size)
        used += snprintf(way->label + used, size - (size_t)used, ", candidates %zu",
                         settings->candidates);
    if (settings->precision && used >= 0 && (size_t)used < size)
        used += snprintf(way->label + used, size - (size_t)used, ", %s",
                         precisions[settings->precision]);
    if (settings->model && used >= 0 && (size_t)used < size)
        snprintf(way->label + used, size - (size_t)used, ", model %s", settings->model);
}

/* Nothing was said: both legs, their fusion, and what searching does by default. */
static void choose_all(struct run *run)
{
    static const struct {
        const char *label, *rerank;
        rag_mode mode;
    } all[MOST_WAYS] = {{"dense", "none", RAG_MODE_DENSE},
                        {"lexical", "none", RAG_MODE_LEXICAL},
                        {"hybrid", "none", RAG_HYBRID},
                        {"hybrid, reranked", "auto", RAG_HYBRID}};
    for (size_t i = 0; i < MOST_WAYS; i++) {
        struct way *way = &run->ways[run->way_count++];
        way->settings = *run->settings;
        way->settings.mode = all[i].mode;
        way->settings.rerank = all[i].rerank;
        snprintf(way->label, sizeof way->label, "%s", all[i].label);
    }
}

/* key=value,key=value on top of the settings. `spec` is cut. */
static rag_status read_spec(char *spec, struct settings *settings, rag_error *error)
{
    static const struct command keys = {.name = "eval",
                                        .options = "mode candidates rerank model precision"};
    char *rest = NULL;
    for (char *part = strtok_r(spec, ",", &rest); part; part = strtok_r(NULL, ",", &rest)) {
        char *value = strchr(part, '=');
        if (!value)
            return fail(error, RAG_USAGE, part, "not KEY=VALUE; see rag eval --help");
        *value++ = '\0';
        rag_status status = option_set(&keys, part, value, settings, error);
        if (status)
            return status;
    }
    return RAG_OK;
}

static rag_status choose_ways(struct run *run, char *spec, rag_error *error)
{
    const struct settings *settings = run->settings;
    if (!spec && !settings->mode_named && !settings->rerank && !settings->candidates) {
        choose_all(run);
        return RAG_OK;
    }
    run->ways[run->way_count++].settings = *settings;
    name_way(&run->ways[0]);
    if (!spec)
        return RAG_OK;
    run->ways[run->way_count++].settings = *settings;
    rag_status status = read_spec(spec, &run->ways[1].settings, error);
    name_way(&run->ways[1]);
    return status;
}

/* ---- A set ---- */

/* The last part of a path, which may end in slashes. */
static rag_text last_part(const char *path)
{
    size_t end = strlen(path);
    while (end > 1 && path[end - 1] == '/')
        end--;
    size_t begin = end;
    while (begin && path[begin - 1] != '/')
        begin--;
    return (rag_text){path + begin, end - begin};
}

/* The file in the folder --cache for the passages of a set as this model embeds them; NULL: out
 * of memory. */
static char *cache_file(const struct settings *settings, const char *set)
{
    static const char *const precisions[] = {[RAG_PRECISION_F32] = "-f32",
                                             [RAG_PRECISION_BF16] = "-bf16",
                                             [RAG_PRECISION_INT8] = "-int8",
                                             [RAG_PRECISION_AUTO] = "-auto"};
    rag_text name = last_part(set);
    rag_text model = last_part(settings->model ? settings->model : "");
    size_t size = strlen(settings->cache) + name.size + model.size + 16;
    char *path = malloc(size);
    if (path)
        snprintf(path, size, "%s/%.*s%s%.*s%s.rag", settings->cache, (int)name.size, name.data,
                 model.size ? "-" : "", (int)model.size, model.data,
                 settings->precision ? precisions[settings->precision] : "");
    return path;
}

static rag_status open_set(struct run *run, const struct settings *settings, const char *set,
                           rag_eval **eval, rag_error *error)
{
    rag_eval_options options = RAG_EVAL_OPTIONS_INIT;
    options.model = settings->model;
    options.models = model_options(settings);
    options.search = search_options(settings, &run->progress);
    char *cache = settings->cache ? cache_file(settings, set) : NULL;
    *eval = NULL;
    if (settings->cache && !cache)
        return out_of_memory(error);
    options.cache = cache ? cache : settings->index;
    rag_status status = rag_eval_open(set, &options, eval, error);
    free(cache);
    return status;
}

static bool same_vectors(const struct settings *a, const struct settings *b)
{
    bool same_model =
        a->model == b->model || (a->model && b->model && strcmp(a->model, b->model) == 0);
    return same_model && a->precision == b->precision;
}

static rag_status show(struct run *run, const char *set, size_t number,
                       const rag_eval_result *result, rag_error *error)
{
    const struct way *way = &run->ways[number];
    bool first = set == run->settings->arguments[0];
    progress_finish(&run->progress);
    if (!run->settings->json && number == 0)
        eval_print_heading(set, rag_eval_result_report(result), first);
    rag_status status = eval_print_result(&way->settings, set, way->label, result, error);
    if (!status && run->queries)
        status = eval_write_queries(run->queries, set, way->label, result, error);
    return status ? status : flush_output(error);
}

static rag_status compare(struct run *run, const char *set, rag_eval_result *const *results,
                          rag_error *error)
{
    const char *const labels[2] = {run->ways[0].label, run->ways[1].label};
    return eval_print_comparison(run->settings, set, labels, results[0], results[1], error);
}

static rag_status evaluate_set(struct run *run, const char *set, rag_error *error)
{
    rag_eval *evals[MOST_WAYS] = {NULL};
    rag_eval_result *results[MOST_WAYS] = {NULL};
    rag_status status = RAG_OK;
    for (size_t i = 0; i < run->way_count && !status; i++) {
        const struct settings *settings = &run->ways[i].settings;
        rag_search_options options = search_options(settings, &run->progress);
        bool shared = i && same_vectors(settings, &run->ways[0].settings);
        if (!shared)
            status = open_set(run, settings, set, &evals[i], error);
        if (!status)
            status = rag_eval_run(shared ? evals[0] : evals[i], &options, settings->rerank,
                                  &results[i], error);
        if (!status)
            status = show(run, set, i, results[i], error);
    }
    if (!status && run->settings->versus)
        status = compare(run, set, results, error);
    for (size_t i = 0; i < run->way_count; i++)
        rag_eval_result_free(results[i]);
    for (size_t i = 0; i < run->way_count; i++)
        rag_eval_close(evals[i]);
    return status;
}

/* ---- The command ---- */

static rag_status check_places(const struct run *run, rag_error *error)
{
    const struct settings *settings = run->settings;
    if (settings->index && settings->cache)
        return fail(error, RAG_USAGE, "--index and --cache exclude each other", NULL);
    if (settings->index && settings->argument_count > 1)
        return fail(error, RAG_USAGE,
                    "--index is for the passages of one set; for several there is --cache",
                    NULL);
    if (settings->index && run->way_count > 1 &&
        !same_vectors(&run->ways[0].settings, &run->ways[1].settings))
        return fail(error, RAG_USAGE,
                    "--index is for the vectors of one model; for two there is --cache", NULL);
    return RAG_OK;
}

static rag_status evaluate_all(struct run *run, rag_error *error)
{
    const struct settings *settings = run->settings;
    if (settings->per_query && !(run->queries = fopen(settings->per_query, "w")))
        return fail(error, RAG_INPUT, settings->per_query, strerror(errno));
    rag_status status = RAG_OK;
    for (size_t i = 0; i < settings->argument_count && !status; i++)
        status = evaluate_set(run, settings->arguments[i], error);
    if (run->queries && fclose(run->queries) != 0 && !status)
        status = fail(error, RAG_INPUT, settings->per_query, strerror(errno));
    return status;
}

static rag_status run(const struct settings *settings, rag_error *error)
{
    struct run *run = calloc(1, sizeof *run);
    char *spec = settings->versus ? strdup(settings->versus) : NULL;
    if (!run || (settings->versus && !spec)) {
        free(run);
        free(spec);
        return out_of_memory(error);
    }
    run->settings = settings;
    progress_start(&run->progress, settings);
    rag_status status = choose_ways(run, spec, error);
    if (!status)
        status = check_places(run, error);
    interrupt_catch();
    if (!status)
        status = evaluate_all(run, error);
    progress_finish(&run->progress);
    free(spec);
    free(run);
    return status;
}

const struct command eval_command = {
    .name = "eval",
    .arguments = "SET...",
    .summary = "Measure retrieval on sets with known answers",
    .options = "index cache model models mode candidates rerank precision vs per-query seed "
               "threads json quiet",
    .help =
        "SET is a folder that holds passages.jsonl and queries.jsonl ({\"id\", \"text\"} a "
        "line) "
        "and\n"
        "qrels.tsv (query id, passage id, grade, with tabs). Out come recall@1/5/10/50, "
        "MRR@10\n"
        "and nDCG@10, each with the interval that holds it with 95 % confidence (bootstrap "
        "over\n"
        "the queries): of dense and lexical search, hybrid, and hybrid reranked, or of what\n"
        "--mode, --rerank and --candidates say.\n\n"
        "With --vs the same queries are asked in two ways, and the difference comes with its\n"
        "interval, the probability of one as great by chance alone (p), and how many queries\n"
        "do better and worse.\n\n"
        "With --index (for one set) or --cache (for several) the embedded passages are kept "
        "for\n"
        "the next time. With --json each way of searching is an object, and each "
        "comparison.\n\n"
        "examples:\n"
        "  rag eval sets/xquad-zh sets/xquad-en --cache kept\n"
        "  rag eval sets/xquad-zh --mode dense --rerank none --json\n"
        "  rag eval sets/xquad-zh --rerank none --vs mode=dense\n"
        "  rag eval sets/xquad-zh --precision f32 --vs precision=int8\n",
    .min_arguments = 1,
    .max_arguments = 1 << 20,
    .run = run,
};
