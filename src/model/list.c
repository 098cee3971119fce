#include "model/list.h"

#include "base/file.h"
#include "base/memory.h"
#include "model/config.h"
#include "model/folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_MODELS = 1 << 16 };

static rag_status add_name(struct model_names *names, const char *name, rag_error *error)
{
    if (names->count == MAX_MODELS)
        return fail_with(error, RAG_MODEL, "more than %d models in the folder of models",
                         MAX_MODELS);
    if (!array_reserve(&names->names, &names->capacity, names->count + 1, sizeof *names->names))
        return fail_memory(error);
    char *copy = strdup(name);
    if (!copy)
        return fail_memory(error);
    names->names[names->count++] = copy;
    return RAG_OK;
}

/* Adds ROOT/ORGANISATION/x for each x (ROOT/x if the organisation is ""). */
static rag_status read_level(const char *root, const char *organisation,
                             struct model_names *names, rag_error *error)
{
    rag_status status = RAG_OK;
    char *level = *organisation ? path_join(root, organisation) : strdup(root);
    if (!level)
        return fail_memory(error);
    DIR *directory = opendir(level);
    if (!directory) {
        if (errno != ENOENT)
            status = fail_errno(error, RAG_MODEL, "%s", level);
        goto out;
    }
    const struct dirent *entry;
    while (!status && (entry = readdir(directory))) {
        char name[MODEL_MAX_NAME + 1];
        int size = snprintf(name, sizeof name, "%s%s%s", organisation, *organisation ? "/" : "",
                            entry->d_name);
        if (size > MODEL_MAX_NAME || !model_name_is_valid(name))
            continue;
        char *folder = path_join(root, name);
        if (!folder)
            status = fail_memory(error);
        else if (model_is_in(folder))
            status = add_name(names, name, error);
        else if (!*organisation && path_is_directory(folder))
            status = read_level(root, name, names, error);
        free(folder);
    }
out:
    if (directory)
        closedir(directory);
    free(level);
    return status;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

rag_status model_names_read(const char *root, struct model_names *names, rag_error *error)
{
    *names = (struct model_names){0};
    rag_status status = read_level(root, "", names, error);
    if (status)
        model_names_release(names);
    else if (names->count)
        qsort(names->names, names->count, sizeof *names->names, by_text);
    return status;
}

void model_names_release(struct model_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->names[i]);
    free(names->names);
    *names = (struct model_names){0};
}

struct listed_model {
    char *name, *folder;
    uint64_t bytes;
};

struct rag_model_list {
    struct listed_model *models;
    size_t count;
};

static bool has_one_of(const char *folder, const char *const *files)
{
    bool has = false;
    for (; *files && !has; files++) {
        char *path = path_join(folder, *files);
        has = path && path_is_file(path);
        free(path);
    }
    return has;
}

/* The sizes of the regular files right in the folder; what lies deeper is a few hundred
 * bytes. */
static uint64_t bytes_in(const char *folder)
{
    uint64_t bytes = 0;
    DIR *directory = opendir(folder);
    const struct dirent *entry;
    while (directory && (entry = readdir(directory))) {
        struct stat st;
        char *path = path_join(folder, entry->d_name);
        if (path && stat(path, &st) == 0 && S_ISREG(st.st_mode))
            bytes += (uint64_t)st.st_size;
        free(path);
    }
    if (directory)
        closedir(directory);
    return bytes;
}

/* Adds the model unless it is broken. */
static rag_status add_model(rag_model_list *list, const char *root, char **name,
                            rag_error *error)
{
    struct model_config config;
    char *folder = path_join(root, *name);
    if (!folder)
        return fail_memory(error);
    rag_status status = model_config_read(folder, &config, NULL);
    if (status || !has_one_of(folder, model_weight_files) ||
        !has_one_of(folder, model_tokenizer_files)) {
        free(folder);
        return status == RAG_MEMORY ? fail_memory(error) : RAG_OK;
    }
    list->models[list->count++] =
        (struct listed_model){.name = *name, .folder = folder, .bytes = bytes_in(folder)};
    *name = NULL;
    return RAG_OK;
}

rag_status rag_model_list_open(const char *models, rag_model_list **out, rag_error *error)
{
    struct model_names names = {0};
    rag_model_list *list = NULL;
    char *root = NULL;
    *out = NULL;
    rag_status status = models_folder(models, &root, error);
    if (!status)
        status = model_names_read(root, &names, error);
    if (status)
        goto out;
    list = alloc_zeroed(1, sizeof *list);
    if (!list || !(list->models = alloc_array(names.count, sizeof *list->models))) {
        status = fail_memory(error);
        goto out;
    }
    for (size_t i = 0; i < names.count && !status; i++)
        status = add_model(list, root, &names.names[i], error);
out:
    free(root);
    model_names_release(&names);
    if (status)
        rag_model_list_free(list);
    else
        *out = list;
    return status;
}

size_t rag_model_list_count(const rag_model_list *list)
{
    return list->count;
}

const char *rag_model_list_get(const rag_model_list *list, size_t i, const char **folder,
                               uint64_t *bytes)
{
    if (i >= list->count)
        return NULL;
    if (folder)
        *folder = list->models[i].folder;
    if (bytes)
        *bytes = list->models[i].bytes;
    return list->models[i].name;
}

void rag_model_list_free(rag_model_list *list)
{
    if (!list)
        return;
    for (size_t i = 0; i < list->count; i++) {
        free(list->models[i].name);
        free(list->models[i].folder);
    }
    free(list->models);
    free(list);
}
