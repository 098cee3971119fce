/* maintain.c - keeping an index sound and small. */
#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "model/folder.h"
#include "pipeline/pipeline.h"
#include "pipeline/tokenizer_cache.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

rag_problem problem_of_store(const struct store_problem *problem)
{
    static const char *const kinds[] = {
#define X(name, text) [STORE_PROBLEM_##name] = text,
        STORE_PROBLEMS(X)
#undef X
    };
    return (rag_problem){.kind = kinds[problem->kind],
                         .document = problem->path,
                         .collection = problem->collection,
                         .chunk = problem->chunk,
                         .sentence = problem->sentence};
}

/* ---- Verifying ---- */

struct check {
    rag_index *index;
    const rag_verify_options *options;
    struct events events;
    size_t problems;
};

static void report(const struct store_problem *problem, void *user)
{
    struct check *check = user;
    rag_problem shown = problem_of_store(problem);
    check->problems++;
    if (check->options->on_problem)
        check->options->on_problem(&shown, check->options->user);
}

static void report_model(struct check *check, int64_t chunk, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void report_model(struct check *check, int64_t chunk, const char *format, ...)
{
    char sentence[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    struct store_problem problem = {
        .kind = STORE_PROBLEM_MODEL, .chunk = chunk, .sentence = sentence};
    report(&problem, check);
}

/* The identity of the files that are installed under the index's model's name; *installed
 * false: there are none. Weights are mapped and hardly touched: some milliseconds. */
static rag_status installed_identity(const rag_index *index, bool *installed,
                                     char identity[HASH_HEX_SIZE], rag_error *error)
{
    struct model_config config;
    struct tokenizer *tokenizer = NULL;
    struct checkpoint *checkpoint = NULL;
    struct hash hash, tokenizer_file;
    char *folder = NULL;
    rag_status status =
        model_find(index->recipe.model, index->options.models.models, &folder, error);
    *installed = !status;
    if (status)
        return RAG_OK;
    status = model_config_read(folder, &config, error);
    if (!status)
        status = tokenizer_open_cached(folder, &tokenizer, error);
    if (!status)
        status = checkpoint_open(folder, &checkpoint, error);
    if (!status)
        status = tokenizer_file_hash(tokenizer, &tokenizer_file, error);
    if (!status)
        status = model_identity(&config, checkpoint, &tokenizer_file, &hash, error);
    if (!status)
        hash_to_hex(&hash, identity);
    checkpoint_close(checkpoint);
    tokenizer_free(tokenizer);
    free(folder);
    return status;
}

static double cosine_of(const float *a, const float *b, size_t dimension)
{
    double product = 0;
    for (size_t i = 0; i < dimension; i++)
        product += (double)a[i] * (double)b[i];
    return product;
}

/* The vector of a text as the model gives it now against the one that is kept. Precisions agree
 * to 0.999, and texts that are not the same hardly reach 0.99. */
static rag_status compare_vectors(struct check *check, const struct stored_chunk *chunk,
                                  rag_text context, const float *kept, rag_error *error)
{
    static const double LEAST_COSINE = 0.99;
    rag_embeddings *embeddings = NULL;
    rag_status status = embed_texts(check->index->model, &context, 1, RAG_PASSAGE, RAG_DENSE,
                                    &check->events, &embeddings, error);
    if (status)
        return status;
    double cosine = cosine_of(rag_embeddings_get(embeddings, 0)->dense, kept,
                              check->index->recipe.dimension);
    if (!(cosine >= LEAST_COSINE))
        report_model(check, chunk->chunk_id,
                     "%s: the vector of chunk %lld is not the one that the model gives for its "
                     "text (cosine %.4f)",
                     chunk->path, (long long)chunk->chunk_id, cosine);
    rag_embeddings_free(embeddings);
    return RAG_OK;
}

static rag_status check_chunk(struct check *check, int64_t id, float *kept, rag_error *error)
{
    struct stored_chunk chunk;
    struct hash hash;
    bool found = false;
    struct buf context = BUF_INIT((size_t)TOKENIZER_MAX_TEXT);
    rag_index *index = check->index;
    struct chunker_options chunker = index_chunker(index);
    rag_status status = store_get_chunk(index->store, id, &chunk, error);
    if (status)
        return status == RAG_NOT_FOUND ? RAG_OK : status;
    if (!chunk_context(&chunker, path_name(chunk.path), chunk.heading,
                       (rag_text){chunk.header, chunk.header_size},
                       (rag_text){chunk.text, chunk.text_size}, &context))
        status = fail_memory(error);
    rag_text text = {context.data ? context.data : "", context.size};
    if (!status)
        status = hash_bytes(text.data, text.size, &hash, error);
    if (!status)
        status = store_find_vector(index->store, &hash, kept, &found, error);
    if (!status && found)
        status = compare_vectors(check, &chunk, text, kept, error);
    stored_chunk_release(&chunk);
    buf_release(&context);
    return status;
}

static rag_status check_vectors(struct check *check, rag_error *error)
{
    size_t count = 0;
    int64_t *ids = alloc_array(check->options->vectors, sizeof *ids);
    float *kept = alloc_array(check->index->recipe.dimension, sizeof *kept);
    rag_status status = ids && kept ? RAG_OK : fail_memory(error);
    if (!status)
        status = index_need_model(check->index, error);
    if (!status)
        status = store_sample_chunks(check->index->store, check->options->vectors, ids, &count,
                                     error);
    for (size_t i = 0; !status && i < count; i++) {
        if (event_progress(&check->events, "embedding", "chunks", i, count, NULL))
            status = fail_with(error, RAG_INTERRUPTED, "interrupted");
        else
            status = check_chunk(check, ids[i], kept, error);
    }
    free(ids);
    free(kept);
    return status;
}

static rag_status check_model(struct check *check, rag_error *error)
{
    char identity[HASH_HEX_SIZE];
    bool installed;
    const struct store_recipe *recipe = &check->index->recipe;
    if (!check->index->has_recipe || check->index->external)
        return RAG_OK;
    rag_status status = installed_identity(check->index, &installed, identity, error);
    if (status)
        return status;
    if (!installed)
        event_note(&check->events, "%s is not installed: its identity was not compared",
                   recipe->model);
    else if (strcmp(identity, recipe->model_identity) != 0)
        report_model(check, 0,
                     "the files of %s that are installed are not those that the index "
                     "was made with",
                     recipe->model);
    else if (check->options->vectors && !check->problems)
        status = check_vectors(check, error);
    return status;
}

static rag_status verify(struct check *check, rag_error *error)
{
    rag_index *index = check->index;
    rag_status status = index_look(index, error);
    if (status || !index->store)
        return status;
    status = store_verify(index->store, report, check, &check->events, error);
    if (status == RAG_INDEX && check->problems)
        status = RAG_OK;
    size_t before = check->problems;
    if (!status)
        status = check_model(check, error);
    if (!status && before)
        status = fail_with(error, RAG_INDEX,
                           "%s: %zu problem%s; `rag repair` mends what can be mended",
                           index->path, check->problems, check->problems == 1 ? "" : "s");
    else if (!status && check->problems)
        status = fail_with(error, RAG_INDEX,
                           "%s: it is whole, but not of the model that is installed; install "
                           "that of the index, or index again",
                           index->path);
    return status;
}

rag_status rag_index_verify(rag_index *index, const rag_verify_options *options,
                            rag_error *error)
{
    static const rag_verify_options defaults = RAG_VERIFY_OPTIONS_INIT;
    if (!options)
        options = &defaults;
    rag_status status = CHECK_OPTIONS(options, error);
    if (status)
        return status;
    struct check check = {
        .index = index, .options = options, .events = {options->on_event, options->user}};
    pthread_mutex_lock(&index->lock);
    status = verify(&check, error);
    pthread_mutex_unlock(&index->lock);
    return status;
}

/* ---- Compacting ---- */

rag_status rag_index_compact(rag_index *index, const rag_compact_options *options,
                             rag_compact_report *report, rag_error *error)
{
    static const rag_compact_options defaults = RAG_COMPACT_OPTIONS_INIT;
    rag_compact_report own;
    if (!options)
        options = &defaults;
    if (!report)
        report = &own;
    *report = (rag_compact_report){0};
    rag_status status = CHECK_OPTIONS(options, error);
    if (status)
        return status;
    struct events events = {options->on_event, options->user};
    struct store_compaction compaction = {0};
    double start = clock_seconds();
    pthread_mutex_lock(&index->lock);
    status = index_look(index, error);
    if (!status && index->store)
        status = store_compact(index->store, &events, &compaction, error);
    pthread_mutex_unlock(&index->lock);
    *report = (rag_compact_report){.bytes_before = compaction.bytes_before,
                                   .bytes_after = compaction.bytes_after,
                                   .seconds = clock_seconds() - start};
    return status;
}
