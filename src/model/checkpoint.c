#include "model/checkpoint.h"
#include "model/json_file.h"
#include "model/tensors.h"

#include "base/buf.h"
#include "base/memory.h"

#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "tensors are used as they lie in the file, in little-endian order");

struct checkpoint {
    struct mapped_file *files;
    size_t file_count, file_capacity;
    struct tensor *tensors; /* in order of names once finished */
    size_t count, capacity;
};

typedef rag_status reader(struct checkpoint *checkpoint, const char *prefix,
                          const unsigned char *data, size_t size, rag_error *error);

static rag_status read_safetensors(struct checkpoint *checkpoint, const char *prefix,
                                   const unsigned char *data, size_t size, rag_error *error)
{
    (void)prefix;
    return safetensors_read(checkpoint, data, size, error);
}

/* The places of a folder's weights, best first. Safetensors come before pickles: they
 * need less trust, and the hub makes them from the same weights. */
static const struct source {
    const char *file, *index, *suffix;
    reader *read;
} sources[] = {
    {"model.safetensors", "model.safetensors.index.json", ".safetensors", read_safetensors},
    {"pytorch_model.bin", "pytorch_model.bin.index.json", ".bin", torch_read},
};

/* Heads that a hub's repository keeps beside the encoder (bge-m3). */
static const struct head {
    const char *file, *prefix;
} heads[] = {
    {"sparse_linear.pt", "sparse_linear."},
    {"colbert_linear.pt", "colbert_linear."},
};

rag_status checkpoint_new(struct checkpoint **out, rag_error *error)
{
    *out = alloc_zeroed(1, sizeof **out);
    return *out ? RAG_OK : fail_memory(error);
}

void checkpoint_close(struct checkpoint *checkpoint)
{
    if (!checkpoint)
        return;
    for (size_t i = 0; i < checkpoint->file_count; i++)
        mapped_file_release(&checkpoint->files[i]);
    for (size_t i = 0; i < checkpoint->count; i++)
        free((void *)(uintptr_t)checkpoint->tensors[i].name);
    free(checkpoint->files);
    free(checkpoint->tensors);
    free(checkpoint);
}

rag_status checkpoint_map(struct checkpoint *checkpoint, const char *path,
                          struct mapped_file *file, rag_error *error)
{
    static const char lfs_pointer[] = "version https://git-lfs.github.com/spec/";
    if (checkpoint->file_count == CHECKPOINT_MAX_FILES)
        return fail_with(error, RAG_MODEL, "%s: more than %d files of weights", path,
                         CHECKPOINT_MAX_FILES);
    if (!array_reserve(&checkpoint->files, &checkpoint->file_capacity,
                       checkpoint->file_count + 1, sizeof *checkpoint->files))
        return fail_memory(error);
    rag_status status = file_map(path, file, error);
    if (status)
        return fail_within(error, RAG_MODEL, "the model's weights");
    checkpoint->files[checkpoint->file_count++] = *file;
    if (file->size == 0)
        return fail_with(error, RAG_MODEL, "%s: the file is empty", path);
    if (file->size > sizeof lfs_pointer &&
        memcmp(file->data, lfs_pointer, sizeof lfs_pointer - 1) == 0)
        return fail_with(error, RAG_MODEL,
                         "%s: a Git LFS pointer in place of the weights; fetch them with "
                         "`git lfs pull`, or the model with `rag model pull`",
                         path);
    return RAG_OK;
}

/* Replaces the end `from` of a string by `to`, which is at most one byte longer. */
static void replace_end(char *name, const char *from, const char *to)
{
    size_t size = strlen(name), from_size = strlen(from);
    if (size >= from_size && strcmp(name + size - from_size, from) == 0)
        strcpy(name + size - from_size, to);
}

bool tensor_normalise_name(const char *prefix, const char *name, size_t name_size,
                           char out[CHECKPOINT_MAX_NAME + 1])
{
    static const char *const wrappers[] = {"roberta.", "bert.", "model."};
    for (size_t i = 0; i < sizeof wrappers / sizeof *wrappers; i++) {
        size_t size = strlen(wrappers[i]);
        if (name_size > size && memcmp(name, wrappers[i], size) == 0) {
            name += size;
            name_size -= size;
            break;
        }
    }
    size_t prefix_size = strlen(prefix);
    /* One byte less: "gamma" grows into "weight". */
    if (name_size >= CHECKPOINT_MAX_NAME - prefix_size || memchr(name, '\0', name_size))
        return false;
    memcpy(out, prefix, prefix_size);
    memcpy(out + prefix_size, name, name_size);
    out[prefix_size + name_size] = '\0';
    replace_end(out, "LayerNorm.gamma", "LayerNorm.weight");
    replace_end(out, "LayerNorm.beta", "LayerNorm.bias");
    return true;
}

bool tensor_measure(struct tensor *tensor, uint64_t element_bytes)
{
    tensor->elements = 1;
    for (unsigned i = 0; i < tensor->dimensions; i++)
        if (__builtin_mul_overflow(tensor->elements, tensor->shape[i], &tensor->elements))
            return false;
    return !__builtin_mul_overflow(tensor->elements, element_bytes, &tensor->bytes);
}

rag_status checkpoint_add(struct checkpoint *checkpoint, const char *prefix, const char *name,
                          size_t name_size, const struct tensor *tensor, rag_error *error)
{
    char normal[CHECKPOINT_MAX_NAME + 1];
    if (!tensor_normalise_name(prefix, name, name_size, normal))
        return fail_with(error, RAG_MODEL, "a tensor's name has %zu bytes, or a NUL in it",
                         name_size);
    if (checkpoint->count == CHECKPOINT_MAX_TENSORS)
        return fail_with(error, RAG_MODEL, "more than %d tensors", CHECKPOINT_MAX_TENSORS);
    if (!array_reserve(&checkpoint->tensors, &checkpoint->capacity, checkpoint->count + 1,
                       sizeof *checkpoint->tensors))
        return fail_memory(error);
    char *kept = strdup(normal);
    if (!kept)
        return fail_memory(error);
    struct tensor *added = &checkpoint->tensors[checkpoint->count++];
    *added = *tensor;
    added->name = kept;
    return RAG_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct tensor *)a)->name, ((const struct tensor *)b)->name);
}

rag_status checkpoint_finish(struct checkpoint *checkpoint, rag_error *error)
{
    if (checkpoint->count == 0)
        return fail_with(error, RAG_MODEL, "no tensors");
    qsort(checkpoint->tensors, checkpoint->count, sizeof *checkpoint->tensors, by_name);
    for (size_t i = 1; i < checkpoint->count; i++)
        if (by_name(&checkpoint->tensors[i - 1], &checkpoint->tensors[i]) == 0)
            return fail_with(error, RAG_MODEL, "two tensors are named %s",
                             checkpoint->tensors[i].name);
    return RAG_OK;
}

static rag_status read_file(struct checkpoint *checkpoint, const char *path, const char *prefix,
                            reader *read, rag_error *error)
{
    struct mapped_file file;
    rag_status status = checkpoint_map(checkpoint, path, &file, error);
    if (status)
        return status;
    status = read(checkpoint, prefix, file.data, file.size, error);
    if (status)
        status = fail_within(error, status, "%s", path);
    return status;
}

/* A shard is a plain file of this folder: an index must not reach outside. */
static bool shard_name_is_safe(const char *name, const char *suffix)
{
    size_t size = strlen(name), suffix_size = strlen(suffix);
    return name[0] != '.' && !strchr(name, '/') && size > suffix_size &&
           strcmp(name + size - suffix_size, suffix) == 0;
}

/* Reads each shard that the index's "weight_map" (tensor name to file name) names. */
static rag_status read_shards(struct checkpoint *checkpoint, const char *folder,
                              const struct source *source, const json_t *map, rag_error *error)
{
    rag_status status = RAG_OK;
    json_t *seen = json_object();
    char *path = NULL;
    if (!seen)
        return fail_memory(error);
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)map, name, value)
    {
        const char *shard = json_string_value(value);
        if (!shard || !shard_name_is_safe(shard, source->suffix)) {
            status = fail_with(error, RAG_MODEL,
                               "%s/%s: tensor %s is not in a %s file of this folder", folder,
                               source->index, name, source->suffix);
            goto out;
        }
        if (json_object_get(seen, shard))
            continue;
        if (json_object_set_new(seen, shard, json_true()) != 0 ||
            !(path = path_join(folder, shard))) {
            status = fail_memory(error);
            goto out;
        }
        if ((status = read_file(checkpoint, path, "", source->read, error)))
            goto out;
        free(path);
        path = NULL;
    }
out:
    free(path);
    json_decref(seen);
    return status;
}

static rag_status check_index(const struct checkpoint *checkpoint, const char *folder,
                              const struct source *source, const json_t *map, rag_error *error)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)map, name, value)
    {
        char normal[CHECKPOINT_MAX_NAME + 1];
        if (!tensor_normalise_name("", name, strlen(name), normal) ||
            !checkpoint_find(checkpoint, normal))
            return fail_with(error, RAG_MODEL, "%s/%s: tensor %s is in none of the files",
                             folder, source->index, name);
    }
    return RAG_OK;
}

static rag_status read_heads(struct checkpoint *checkpoint, const char *folder,
                             rag_error *error)
{
    rag_status status = RAG_OK;
    for (size_t i = 0; i < sizeof heads / sizeof *heads && !status; i++) {
        char *path = path_join(folder, heads[i].file);
        if (!path)
            return fail_memory(error);
        if (path_is_file(path))
            status = read_file(checkpoint, path, heads[i].prefix, torch_read, error);
        free(path);
    }
    return status;
}

/* Reads the source if the folder has it; *found says so. */
static rag_status read_source(struct checkpoint *checkpoint, const char *folder,
                              const struct source *source, bool *found, json_t **map,
                              rag_error *error)
{
    char *path = path_join(folder, source->file);
    if (!path)
        return fail_memory(error);
    rag_status status = RAG_OK;
    json_t *index = NULL;
    if (path_is_file(path)) {
        *found = true;
        status = read_file(checkpoint, path, "", source->read, error);
        goto out;
    }
    if ((status = json_file_read(folder, source->index, CHECKPOINT_MAX_HEADER, &index, error)))
        goto out;
    if (index) {
        *found = true;
        *map = json_incref(json_object_get(index, "weight_map"));
        if (json_is_object(*map))
            status = read_shards(checkpoint, folder, source, *map, error);
        else
            status = fail_with(error, RAG_MODEL, "%s/%s: no weight_map", folder, source->index);
    }
out:
    json_decref(index);
    free(path);
    return status;
}

rag_status checkpoint_open(const char *folder, struct checkpoint **out, rag_error *error)
{
    struct checkpoint *checkpoint = NULL;
    json_t *map = NULL;
    rag_status status = checkpoint_new(&checkpoint, error);
    if (status)
        return status;
    bool found = false;
    const struct source *source = sources;
    for (size_t i = 0; i < sizeof sources / sizeof *sources && !found; i++) {
        source = &sources[i];
        if ((status = read_source(checkpoint, folder, source, &found, &map, error)))
            goto out;
    }
    if (!found) {
        status = fail_with(error, RAG_MODEL,
                           "%s: no weights: there is neither model.safetensors nor "
                           "pytorch_model.bin",
                           folder);
        goto out;
    }
    if ((status = read_heads(checkpoint, folder, error)))
        goto out;
    if ((status = checkpoint_finish(checkpoint, error))) {
        status = fail_within(error, status, "%s", folder);
        goto out;
    }
    if (map)
        status = check_index(checkpoint, folder, source, map, error);
out:
    json_decref(map);
    if (status)
        checkpoint_close(checkpoint);
    *out = status ? NULL : checkpoint;
    return status;
}

size_t checkpoint_count(const struct checkpoint *checkpoint)
{
    return checkpoint->count;
}

const struct tensor *checkpoint_at(const struct checkpoint *checkpoint, size_t i)
{
    return &checkpoint->tensors[i];
}

const struct tensor *checkpoint_find(const struct checkpoint *checkpoint, const char *name)
{
    struct tensor key = {.name = name};
    return bsearch(&key, checkpoint->tensors, checkpoint->count, sizeof key, by_name);
}

const char *tensor_type_name(enum tensor_type type)
{
    static const char *const names[] = {"f32", "f16", "bf16", "i64", "other"};
    return names[type];
}
