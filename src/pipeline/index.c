/* index.c - opening an index, and the models that belong to it. */
#include "base/file.h"
#include "base/memory.h"
#include "documents/walk.h"
#include "model/folder.h"
#include "pipeline/late.h"
#include "pipeline/pipeline.h"

#include <string.h>

static const char *const default_index = ".rag/index.rag";

/* A copy of a string that may be NULL. */
static bool copy_text(const char *text, char **copy)
{
    *copy = text ? strdup(text) : NULL;
    return !text || *copy;
}

static rag_status make_parent(const char *path, rag_error *error)
{
    const char *name = path_name(path);
    if (name == path)
        return RAG_OK;
    char *parent = strndup(path, (size_t)(name - path));
    if (!parent)
        return fail_memory(error);
    rag_status status = directory_make(parent, error);
    free(parent);
    return status;
}

/* An existing index cuts all its documents in one way: another wish is refused, not
 * forgotten. */
static rag_status check_chunker(const rag_index *index, rag_error *error)
{
    const rag_index_options *options = &index->options;
    const struct store_recipe *recipe = &index->recipe;
    if ((options->chunker == RAG_CHUNKER_AUTO || options->chunker == recipe->chunker) &&
        (options->max_tokens == RAG_AUTO || options->max_tokens == recipe->max_tokens) &&
        (options->overlap == RAG_AUTO || options->overlap == recipe->overlap))
        return RAG_OK;
    return fail_with(error, RAG_INDEX_MISMATCH,
                     "%s is cut by the %s chunker into at most %zu tokens with an overlap of "
                     "%zu; leave these options away, or make another index with --index FILE",
                     index->path,
                     recipe->chunker == RAG_CHUNKER_WINDOW ? "window" : "structure",
                     recipe->max_tokens, recipe->overlap);
}

rag_status rag_index_open(const char *path, const rag_index_options *options, rag_index **out,
                          rag_error *error)
{
    static const rag_index_options defaults = RAG_INDEX_OPTIONS_INIT;
    if (!options)
        options = &defaults;
    *out = NULL;
    if (!path)
        path = getenv("RAG_INDEX");
    if (!path || !*path)
        path = default_index;

    rag_status status = CHECK_OPTIONS(options, error);
    if (status)
        return status;
    rag_index *index = alloc_zeroed(1, sizeof *index);
    if (!index)
        return fail_memory(error);
    pthread_mutex_init(&index->lock, NULL);
    index->options = *options;
    if (!copy_text(options->model, &index->model_name) ||
        !copy_text(options->reranker, &index->reranker_name) ||
        !copy_text(options->models.models, &index->models)) {
        status = fail_memory(error);
        goto out;
    }
    index->options.model = index->model_name;
    index->options.reranker = index->reranker_name;
    index->options.models.models = index->models;
    if (options->max_tokens == 0)
        index->options.max_tokens = RAG_AUTO;

    if ((status = path_absolute(path, &index->path, error)))
        goto out;
    if (options->must_exist && !path_is_file(index->path)) {
        status = fail_with(error, RAG_INDEX,
                           "%s: there is no index; make one with: rag index PATH...", path);
        goto out;
    }
    if (!options->must_exist && (status = make_parent(index->path, error)))
        goto out;
    if ((status = store_open(index->path, !options->must_exist, &index->store, error)) ||
        (status = store_get_recipe(index->store, &index->recipe, &index->has_recipe, error)) ||
        (status = token_vectors_new(&index->token_vectors, error)))
        goto out;
    if (index->has_recipe)
        status = check_chunker(index, error);
out:
    if (status)
        rag_index_close(index);
    else
        *out = index;
    return status;
}

void rag_index_close(rag_index *index)
{
    if (!index)
        return;
    token_vectors_free(index->token_vectors);
    if (index->reranker != index->model)
        rag_model_close(index->reranker);
    rag_model_close(index->model);
    store_close(index->store);
    free(index->path);
    free(index->model_name);
    free(index->reranker_name);
    free(index->models);
    pthread_mutex_destroy(&index->lock);
    free(index);
}

static rag_status check_identity(const rag_index *index, rag_error *error)
{
    const struct store_recipe *recipe = &index->recipe;
    if (strcmp(recipe->model_identity, index->model->identity) == 0)
        return RAG_OK;
    if (strcmp(recipe->model, index->model->name) == 0)
        return fail_with(error, RAG_INDEX_MISMATCH,
                         "%s was made with other files of %s than are installed now, and their "
                         "vectors cannot be compared; install those again, or index anew into "
                         "another file with --index FILE",
                         index->path, recipe->model);
    return fail_with(error, RAG_INDEX_MISMATCH,
                     "%s was made with the model %s, and vectors of %s cannot be compared with "
                     "its; leave --model away, or index anew into another file with --index "
                     "FILE",
                     index->path, recipe->model, index->model->name);
}

rag_status index_need_model(rag_index *index, rag_error *error)
{
    if (index->model)
        return RAG_OK;
    const char *name = index->options.model;
    if (!name && index->has_recipe)
        name = index->recipe.model;
    rag_status status = rag_model_open(name, &index->options.models, &index->model, error);
    if (status)
        return status;
    if (!(index->model->info.heads & RAG_DENSE))
        status = fail_with(error, RAG_MODEL,
                           "%s is a reranker and gives no vectors to index; name an embedding "
                           "model with --model and this one with --rerank",
                           index->model->info.name);
    else if (index->has_recipe)
        status = check_identity(index, error);
    if (status) {
        rag_model_close(index->model);
        index->model = NULL;
    }
    return status;
}

rag_status index_need_recipe(rag_index *index, const struct chunker_options *chunker,
                             rag_error *error)
{
    rag_status status = index_need_model(index, error);
    if (status || index->has_recipe)
        return status;
    const rag_model *model = index->model;
    struct store_recipe recipe = {.dimension = model->config.hidden,
                                  .chunker = chunker->chunker,
                                  .max_tokens = chunker->max_tokens,
                                  .overlap = chunker->overlap};
    if (strlen(model->name) >= sizeof recipe.model)
        return fail_with(error, RAG_MODEL, "%s: the path is too long to be kept in an index",
                         model->name);
    memcpy(recipe.model, model->name, strlen(model->name) + 1);
    memcpy(recipe.model_identity, model->identity, sizeof recipe.model_identity);
    status = store_set_recipe(index->store, &recipe, error);
    if (!status) {
        index->recipe = recipe;
        index->has_recipe = true;
    }
    return status;
}

/* Cross-encoders that are used without being named, best first. */
static const char *const known_rerankers[] = {
    "BAAI/bge-reranker-v2-m3",
    "BAAI/bge-reranker-large",
    "BAAI/bge-reranker-base",
};

/* The first of the known cross-encoders that is installed, NULL if there is none. */
static const char *installed_reranker(const rag_index *index)
{
    for (size_t i = 0; i < sizeof known_rerankers / sizeof *known_rerankers; i++) {
        char *folder;
        if (model_find(known_rerankers[i], index->options.models.models, &folder, NULL))
            continue;
        free(folder);
        return known_rerankers[i];
    }
    return NULL;
}

rag_status index_need_reranker(rag_index *index, rag_error *error)
{
    if (index->rerank_known)
        return RAG_OK;
    const char *name = index->options.reranker;
    if (name && strcmp(name, "none") == 0) {
        index->rerank = RERANK_NONE;
        index->rerank_known = true;
        return RAG_OK;
    }
    if (!name || strcmp(name, "auto") == 0)
        name = installed_reranker(index);
    rag_status status = RAG_OK;
    if (!name) {
        if ((status = index_need_model(index, error)))
            return status;
        index->reranker = index->model;
    } else {
        status = rag_model_open(name, &index->options.models, &index->reranker, error);
    }
    if (status)
        return status;
    index->rerank = index->reranker->info.heads & RAG_LOGIT ? RERANK_CROSS_ENCODER
                                                            : RERANK_LATE_INTERACTION;
    index->rerank_known = true;
    return RAG_OK;
}

rag_status rag_index_get_info(rag_index *index, const rag_index_info **info, rag_error *error)
{
    pthread_mutex_lock(&index->lock);
    struct store_counts counts;
    rag_status status = store_count(index->store, &counts, error);
    if (!status)
        index->info = (rag_index_info){
            .path = index->path,
            .model = index->recipe.model,
            .model_identity = index->recipe.model_identity,
            .chunker = !index->has_recipe                            ? ""
                       : index->recipe.chunker == RAG_CHUNKER_WINDOW ? "window"
                                                                     : "structure",
            .format = counts.format,
            .dimension = index->recipe.dimension,
            .max_tokens = index->recipe.max_tokens,
            .overlap = index->recipe.overlap,
            .documents = counts.documents,
            .chunks = counts.chunks,
            .tokens = counts.tokens,
            .bytes = counts.bytes,
        };
    *info = &index->info;
    pthread_mutex_unlock(&index->lock);
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
    struct events events = {options->on_event, options->user};
    pthread_mutex_lock(&index->lock);
    status = store_verify(index->store, options->on_problem, options->user, &events, error);
    pthread_mutex_unlock(&index->lock);
    return status;
}

struct collector {
    struct file_list *list;
    bool out_of_memory;
};

static int collect_path(const char *path, void *user)
{
    struct collector *collector = user;
    struct file_list *list = collector->list;
    char *copy = strdup(path);
    collector->out_of_memory = !copy || !array_reserve(&list->paths, &list->capacity,
                                                       list->count + 1, sizeof *list->paths);
    if (collector->out_of_memory) {
        free(copy);
        return 1;
    }
    list->paths[list->count++] = copy;
    return 0;
}

rag_status stored_paths(rag_index *index, const char *path, struct file_list *out,
                        rag_error *error)
{
    struct collector collector = {.list = out};
    rag_status status =
        store_each_document(index->store, path, collect_path, &collector, error);
    return !status && collector.out_of_memory ? fail_memory(error) : status;
}

rag_status rag_index_remove(rag_index *index, const char *const *paths, size_t count,
                            size_t *removed, rag_error *error)
{
    struct file_list list = {0};
    rag_status status = RAG_OK;
    size_t taken = 0;
    pthread_mutex_lock(&index->lock);
    for (size_t i = 0; !status && i < count; i++) {
        char *absolute = NULL;
        if (!(status = path_absolute(paths[i], &absolute, error)))
            status = stored_paths(index, absolute, &list, error);
        free(absolute);
    }
    if (!status)
        status = store_remove(index->store, (const char *const *)list.paths, list.count, &taken,
                              error);
    pthread_mutex_unlock(&index->lock);
    if (removed)
        *removed = taken;
    file_list_release(&list);
    return status;
}
