/* contents.c - what an index holds: counted, handed over, taken out. */
#include "base/file.h"
#include "base/memory.h"
#include "documents/walk.h"
#include "pipeline/pipeline.h"

#include <string.h>

/* What the index's last info points to. */
static rag_status note_collections(rag_index *index, rag_error *error)
{
    struct store_collections listed;
    rag_status status = store_list_collections(index->store, &listed, error);
    if (status)
        return status;
    store_collections_release(&index->collections);
    free(index->info_collections);
    index->collections = listed;
    index->info_collections = alloc_array(listed.count, sizeof *index->info_collections);
    if (!index->info_collections)
        return fail_memory(error);
    for (size_t i = 0; i < listed.count; i++)
        index->info_collections[i] = (rag_collection_info){
            listed.items[i].name, listed.items[i].documents, listed.items[i].chunks};
    return RAG_OK;
}

rag_status rag_index_get_info(rag_index *index, const rag_index_info **info, rag_error *error)
{
    pthread_mutex_lock(&index->lock);
    struct store_counts counts = {0};
    rag_status status = index_look(index, error);
    if (!status && index->store)
        status = store_count(index->store, &counts, error);
    if (!status && index->store)
        status = note_collections(index, error);
    if (!status)
        index->info = (rag_index_info){
            .path = index->path,
            .model = index->recipe.model,
            .model_identity = index->recipe.model_identity,
            .chunker = !index->has_recipe || index->external         ? ""
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
            .collections = index->info_collections,
            .collection_count = index->collections.count,
        };
    *info = &index->info;
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

rag_status stored_paths(rag_index *index, const char *collection, const char *path,
                        struct file_list *out, rag_error *error)
{
    struct collector collector = {.list = out};
    if (!index->store)
        return RAG_OK;
    rag_status status =
        store_each_document(index->store, collection, path, collect_path, &collector, error);
    return !status && collector.out_of_memory ? fail_memory(error) : status;
}

/* A document's name; any other is a path, and stands for what lies at or below it. */
static rag_status collect_named(rag_index *index, const char *name, struct file_list *list,
                                rag_error *error)
{
    if (!*name)
        return fail_with(error, RAG_USAGE, "an empty name is no document's");
    struct collector collector = {.list = list};
    struct store_file known;
    rag_status status = index_find_document(index, name, &known, error);
    if (status)
        return status;
    if (known.present)
        return collect_path(name, &collector) ? fail_memory(error) : RAG_OK;
    char *absolute = NULL;
    status = path_absolute(name, &absolute, error);
    if (!status)
        status = stored_paths(index, index->options.collection, absolute, list, error);
    free(absolute);
    return status;
}

static rag_status remove_named(rag_index *index, const char *const *names, size_t count,
                               size_t *removed, rag_error *error)
{
    struct file_list list = {0};
    const char *collection = index->options.collection;
    rag_status status = index_look(index, error);
    if (!status && !names && !collection)
        status = fail_with(error, RAG_USAGE, "nothing says what is to be taken out");
    else if (!status && !names)
        status = stored_paths(index, collection, NULL, &list, error);
    for (size_t i = 0; !status && names && i < count; i++)
        status = collect_named(index, names[i], &list, error);
    if (!status && index->store)
        status = store_remove(index->store, collection, (const char *const *)list.paths,
                              list.count, removed, error);
    file_list_release(&list);
    return status;
}

rag_status rag_index_remove(rag_index *index, const char *const *paths, size_t count,
                            size_t *removed, rag_error *error)
{
    size_t taken = 0;
    pthread_mutex_lock(&index->lock);
    rag_status status = remove_named(index, paths, count, &taken, error);
    pthread_mutex_unlock(&index->lock);
    if (removed)
        *removed = taken;
    return status;
}

/* ---- Handing over ---- */

static rag_status fail_stopped(rag_error *error)
{
    return fail_with(error, RAG_INTERRUPTED, "stopped by the caller");
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Appends copies of the names, in the order of their bytes. */
static rag_status copy_names(const char *const *names, size_t count, struct file_list *out,
                             rag_error *error)
{
    struct collector collector = {.list = out};
    for (size_t i = 0; i < count; i++)
        if (collect_path(names[i], &collector))
            return fail_memory(error);
    if (out->count)
        qsort(out->paths, out->count, sizeof *out->paths, by_bytes);
    return RAG_OK;
}

/* To whom documents are handed over. */
struct receiver {
    rag_index *index;
    rag_document_fn each;
    void *user;
    bool with_text;
};

static rag_status hand_over(const struct receiver *to, const char *collection, const char *name,
                            rag_error *error)
{
    struct stored_document stored;
    rag_status status =
        store_get_document(to->index->store, collection, name, to->with_text, &stored, error);
    if (status)
        return status == RAG_NOT_FOUND ? RAG_OK : status;
    rag_document document = {
        .name = stored.path,
        .format = stored.format,
        .metadata = stored.metadata,
        .text = {stored.text ? stored.text : "", stored.text_size},
        .size = stored.size,
        .modified = stored.modified,
        .chunks = stored.chunks,
        .collection = stored.collection,
    };
    bool stop = to->each(&document, to->user);
    stored_document_release(&stored);
    return stop ? fail_stopped(error) : RAG_OK;
}

/* The named documents of a collection, or (names NULL) all. */
static rag_status hand_over_collection(const struct receiver *to, const char *collection,
                                       const char *const *names, size_t count, rag_error *error)
{
    struct file_list list = {0};
    rag_status status = names ? copy_names(names, count, &list, error)
                              : stored_paths(to->index, collection, NULL, &list, error);
    for (size_t i = 0; !status && i < list.count; i++)
        if (i == 0 || strcmp(list.paths[i], list.paths[i - 1]) != 0)
            status = hand_over(to, collection, list.paths[i], error);
    file_list_release(&list);
    return status;
}

/* Calls back with each collection that is there, or with the index's own. */
typedef rag_status (*collection_fn)(const char *collection, void *user, rag_error *error);

static rag_status each_collection(rag_index *index, collection_fn each, void *user,
                                  rag_error *error)
{
    if (index->options.collection)
        return each(index->options.collection, user, error);
    struct store_collections all;
    rag_status status = store_list_collections(index->store, &all, error);
    for (size_t i = 0; !status && i < all.count; i++)
        status = each(all.items[i].name, user, error);
    store_collections_release(&all);
    return status;
}

static rag_status hand_over_all(const char *collection, void *user, rag_error *error)
{
    return hand_over_collection(user, collection, NULL, 0, error);
}

rag_status rag_index_each_document(rag_index *index, const char *const *names, size_t count,
                                   int with_text, rag_document_fn each, void *user,
                                   rag_error *error)
{
    struct receiver to = {index, each, user, with_text};
    pthread_mutex_lock(&index->lock);
    rag_status status = index_look(index, error);
    if (!status && index->store && names)
        status = hand_over_collection(&to, index->options.collection, names, count, error);
    else if (!status && index->store)
        status = each_collection(index, hand_over_all, &to, error);
    pthread_mutex_unlock(&index->lock);
    return status;
}

rag_chunk chunk_of_stored(const struct stored_chunk *chunk)
{
    return (rag_chunk){.document = chunk->path,
                       .heading = chunk->heading,
                       .number = chunk->number,
                       .begin = chunk->begin,
                       .end = chunk->end,
                       .line = chunk->line,
                       .last_line = chunk->last_line,
                       .tokens = chunk->tokens,
                       .text = {chunk->text, chunk->text_size},
                       .header = {chunk->header, chunk->header_size},
                       .place = chunk->place ? chunk->place : ""};
}

struct vector_relay {
    rag_index *index;
    rag_vector_fn each;
    void *user;
    bool stopped;
};

static int relay_chunk(const struct stored_chunk *stored, const float *vector, void *user)
{
    struct vector_relay *relay = user;
    rag_chunk chunk = chunk_of_stored(stored);
    relay->stopped = relay->each(&chunk, stored->chunk_id, vector, relay->user);
    return relay->stopped;
}

static rag_status relay_chunks(const char *collection, void *user, rag_error *error)
{
    struct vector_relay *relay = user;
    if (relay->stopped)
        return RAG_OK;
    return store_each_chunk(relay->index->store, collection, NULL, relay_chunk, relay, error);
}

rag_status rag_index_each_chunk(rag_index *index, const char *collection, const char *name,
                                rag_vector_fn each, void *user, rag_error *error)
{
    struct vector_relay relay = {index, each, user, false};
    if (!collection)
        collection = index->options.collection;
    pthread_mutex_lock(&index->lock);
    rag_status status = index_look(index, error);
    if (!status && index->store && (name || collection))
        status = store_each_chunk(index->store, collection, name, relay_chunk, &relay, error);
    else if (!status && index->store)
        status = each_collection(index, relay_chunks, &relay, error);
    else if (!status && name)
        status =
            fail_with(error, RAG_NOT_FOUND, "%s: there is no document %s", index->path, name);
    pthread_mutex_unlock(&index->lock);
    return relay.stopped && !status ? fail_stopped(error) : status;
}
