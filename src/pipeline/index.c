/* index.c - opening an index, and the models that belong to it. */
#include "base/file.h"
#include "base/memory.h"
#include "model/folder.h"
#include "pipeline/late.h"
#include "pipeline/pipeline.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

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
        (options->overlap == RAG_AUTO || options->overlap == recipe->overlap) &&
        (options->context == RAG_CONTEXT_AUTO || options->context == recipe->context))
        return RAG_OK;
    return fail_with(error, RAG_INDEX_MISMATCH,
                     "%s is cut by the %s chunker into at most %zu tokens with an overlap of "
                     "%zu; leave these options away, or make another index with --index FILE",
                     index->path,
                     recipe->chunker == RAG_CHUNKER_WINDOW ? "window" : "structure",
                     recipe->max_tokens, recipe->overlap);
}

/* ---- Vectors from outside ---- */

rag_status external_identity(const char *name, char identity[HASH_HEX_SIZE], rag_error *error)
{
    static const char prefix[] = "rag: vectors from outside: ";
    struct hash hash;
    struct hasher *hasher;
    rag_status status = hasher_new(&hasher, error);
    if (status)
        return status;
    hasher_update(hasher, prefix, sizeof prefix - 1);
    hasher_update(hasher, name, strlen(name));
    hasher_finish(hasher, &hash);
    hash_to_hex(&hash, identity);
    return RAG_OK;
}

/* The wish for vectors from outside, before it meets a file. */
static rag_status check_external(const rag_index_options *options, rag_error *error)
{
    if (!options->dimension)
        return RAG_OK;
    if (!options->model || !*options->model)
        return fail_with(error, RAG_USAGE,
                         "vectors from outside need the name of their model in options.model");
    if (options->open_model)
        return fail_with(error, RAG_USAGE,
                         "an open model and vectors from outside exclude each other");
    if (options->dimension > STORE_MAX_DIMENSION)
        return fail_with(error, RAG_USAGE, "vectors have at most %d dimensions, not %zu",
                         STORE_MAX_DIMENSION, options->dimension);
    return RAG_OK;
}

/* The same held against the recipe; index->external is known afterwards. */
static rag_status judge_external(rag_index *index, rag_error *error)
{
    const struct store_recipe *recipe = &index->recipe;
    const rag_index_options *options = &index->options;
    char identity[HASH_HEX_SIZE];
    rag_status status = external_identity(recipe->model, identity, error);
    if (status)
        return status;
    index->external = strcmp(identity, recipe->model_identity) == 0;
    if (!index->external && options->dimension)
        return fail_with(error, RAG_INDEX_MISMATCH,
                         "%s was made with rag's own model %s, and vectors of %s cannot be "
                         "compared with its; make another index",
                         index->path, recipe->model, options->model);
    if (index->external &&
        (options->open_model || (options->model && strcmp(options->model, recipe->model) != 0)))
        return fail_with(
            error, RAG_INDEX_MISMATCH,
            "%s holds vectors of %s, and those of %s cannot be compared with them; "
            "make another index",
            index->path, recipe->model,
            options->open_model ? options->open_model->name : options->model);
    if (index->external && options->dimension && options->dimension != recipe->dimension)
        return fail_with(error, RAG_INDEX_MISMATCH,
                         "%s holds vectors of %zu dimensions, not of %zu; make another index",
                         index->path, recipe->dimension, options->dimension);
    return RAG_OK;
}

bool index_is_external(const rag_index *index)
{
    return index->has_recipe ? index->external : index->options.dimension != 0;
}

bool index_gives_weights(const rag_index *index)
{
    return !index_is_external(index) && index->model && index->model->info.heads & RAG_SPARSE;
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

/* ---- The file ---- */

static void close_model(rag_index *index)
{
    if (index->model != index->options.open_model)
        rag_model_close(index->model);
    index->model = NULL;
}

static rag_status read_recipe(rag_index *index, rag_error *error)
{
    struct store_recipe recipe;
    bool present;
    rag_status status = store_get_recipe(index->store, &recipe, &present, error);
    if (status || !present)
        return status;
    index->recipe = recipe;
    if (!(status = judge_external(index, error)) && !index->external)
        status = check_chunker(index, error);
    if (!status && index->model)
        status = check_identity(index, error);
    index->has_recipe = !status;
    if (!status)
        store_expect_recipe(index->store, &index->recipe);
    return status;
}

void index_forget_recipe(rag_index *index)
{
    index->has_recipe = false;
    if (index->store)
        store_expect_recipe(index->store, NULL);
    if (index->reranker == index->model)
        index->reranker = NULL;
    if (!index->reranker)
        index->rerank_known = false;
    close_model(index);
}

/* The index may have been re-indexed: it goes on with what it is made with now. Which model
 * that is to be has the caller said, or not. */
static rag_status follow_recipe(rag_index *index, rag_error *error)
{
    struct store_recipe now;
    bool present;
    struct token_vectors *fresh;
    rag_status status = store_get_recipe(index->store, &now, &present, error);
    if (status || !present || store_same_recipe(&now, &index->recipe))
        return status;
    if ((status = token_vectors_new(&fresh, error)))
        return status;
    token_vectors_free(index->token_vectors);
    index->token_vectors = fresh;
    index_forget_recipe(index);
    return read_recipe(index, error);
}

static rag_status attach(rag_index *index, rag_error *error)
{
    rag_status status =
        store_open(index->path, !index->options.must_exist, &index->store, error);
    return status ? status : read_recipe(index, error);
}

/* Nothing of this name: no file, no folder, no link. */
static bool is_missing(const char *path)
{
    struct stat st;
    return lstat(path, &st) != 0 && errno == ENOENT;
}

rag_status index_look(rag_index *index, rag_error *error)
{
    if (index->has_recipe)
        return follow_recipe(index, error);
    if (index->store)
        return read_recipe(index, error);
    return is_missing(index->path) ? RAG_OK : attach(index, error);
}

rag_status index_need_store(rag_index *index, rag_error *error)
{
    if (index->store)
        return RAG_OK;
    rag_error why;
    if (make_parent(index->path, &why))
        return fail_with(error, RAG_INDEX, "%s: no index can be made here: %s", index->path,
                         why.message);
    return attach(index, error);
}

bool index_names_model(const rag_index *index)
{
    return index->options.model || index->options.open_model || index_is_external(index);
}

rag_status index_find_document(rag_index *index, const char *path, struct store_file *out,
                               rag_error *error)
{
    *out = (struct store_file){0};
    return index->store
               ? store_find_document(index->store, index->options.collection, path, out, error)
               : RAG_OK;
}

/* ---- Opening and closing ---- */

const char *index_path(const char *path)
{
    if (!path || !*path)
        path = getenv("RAG_INDEX");
    return path && *path ? path : default_index;
}

static rag_status check_collection(const char *name, rag_error *error)
{
    rag_error why;
    if (!name || !collection_check(name, &why))
        return RAG_OK;
    return fail_with(error, RAG_USAGE, "%s", why.message);
}

rag_status rag_index_open(const char *path, const rag_index_options *options, rag_index **out,
                          rag_error *error)
{
    static const rag_index_options defaults = RAG_INDEX_OPTIONS_INIT;
    if (!options)
        options = &defaults;
    *out = NULL;
    path = index_path(path);
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
        !copy_text(options->models.models, &index->models) ||
        !copy_text(options->collection, &index->collection)) {
        status = fail_memory(error);
        goto out;
    }
    index->options.model = index->model_name;
    index->options.reranker = index->reranker_name;
    index->options.models.models = index->models;
    index->options.collection = index->collection;
    if (options->max_tokens == 0)
        index->options.max_tokens = RAG_AUTO;

    if ((status = check_collection(index->collection, error)))
        goto out;
    if ((status = path_absolute(path, &index->path, error)) ||
        (status = check_external(&index->options, error)))
        goto out;
    if (options->must_exist && !path_is_file(index->path)) {
        status = fail_with(error, RAG_INDEX,
                           "%s: there is no index; make one with: rag index PATH...", path);
        goto out;
    }
    if (!is_missing(index->path) && (status = attach(index, error)))
        goto out;
    status = token_vectors_new(&index->token_vectors, error);
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
    close_model(index);
    store_close(index->store);
    free(index->path);
    free(index->model_name);
    free(index->reranker_name);
    free(index->models);
    free(index->collection);
    store_collections_release(&index->collections);
    free(index->info_collections);
    pthread_mutex_destroy(&index->lock);
    free(index);
}

rag_status index_need_model(rag_index *index, rag_error *error)
{
    if (index->model)
        return RAG_OK;
    if (index_is_external(index))
        return fail_with(error, RAG_USAGE,
                         "%s holds vectors of %s from outside, which rag cannot make: give the "
                         "vectors of questions and texts, or search by words alone (lexical)",
                         index->path,
                         index->has_recipe ? index->recipe.model : index->options.model);
    const char *name = index->options.model;
    if (!name && index->has_recipe)
        name = index->recipe.model;
    index->model = index->options.open_model;
    rag_status status = RAG_OK;
    if (!index->model)
        status = rag_model_open(name, &index->options.models, &index->model, error);
    if (status)
        return status;
    if (!(index->model->info.heads & RAG_DENSE))
        status = fail_with(error, RAG_MODEL,
                           "%s is a reranker and gives no vectors to index; name an embedding "
                           "model with --model and this one with --rerank",
                           index->model->info.name);
    else if (index->has_recipe)
        status = check_identity(index, error);
    if (status)
        close_model(index);
    return status;
}

struct chunker_options index_chunker(const rag_index *index)
{
    return (struct chunker_options){index->recipe.chunker, index->recipe.max_tokens,
                                    index->recipe.overlap, index->recipe.context};
}

/* What an index that is still empty is to be made with. */
static rag_status make_recipe(rag_index *index, const struct chunker_options *chunker,
                              struct store_recipe *recipe, rag_error *error)
{
    bool external = index_is_external(index);
    const char *name = external ? index->options.model : index->model->name;
    *recipe = (struct store_recipe){.dimension = external ? index->options.dimension
                                                          : index->model->config.hidden,
                                    .chunker = chunker->chunker,
                                    .max_tokens = chunker->max_tokens,
                                    .overlap = chunker->overlap,
                                    .context = chunker->context};
    if (strlen(name) >= sizeof recipe->model)
        return fail_with(error, external ? RAG_USAGE : RAG_MODEL,
                         "%s: the model's name is too long to be kept in an index", name);
    memcpy(recipe->model, name, strlen(name) + 1);
    if (external)
        return external_identity(name, recipe->model_identity, error);
    memcpy(recipe->model_identity, index->model->identity, sizeof recipe->model_identity);
    return RAG_OK;
}

rag_status index_need_recipe(rag_index *index, const struct chunker_options *chunker,
                             rag_error *error)
{
    rag_status status = index_is_external(index) ? RAG_OK : index_need_model(index, error);
    if (status || index->has_recipe)
        return status;
    /* Should somebody else just have made the file, the store judges the recipe that is there.
     */
    struct store_recipe recipe;
    if ((status = index_need_store(index, error)))
        return status;
    status = make_recipe(index, chunker, &recipe, error);
    if (!status)
        status = store_set_recipe(index->store, &recipe, error);
    return status ? status : read_recipe(index, error);
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
    if (!name && index_is_external(index)) {
        index->rerank = RERANK_NONE; /* token vectors need the model */
        index->rerank_known = true;
        return RAG_OK;
    }
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
