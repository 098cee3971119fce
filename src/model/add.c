/* add.c - rag_model_add: a folder from elsewhere, checked and copied. */
#include "base/event.h"
#include "base/file.h"
#include "base/memory.h"
#include "model/checkpoint.h"
#include "model/config.h"
#include "model/folder.h"
#include "model/install.h"
#include "model/model_files.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { COPY_BLOCK = 1 << 20, MAX_FILES = 1 << 14 };

struct names {
    char **names;
    size_t count, capacity;
};

static void names_release(struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->names[i]);
    free(names->names);
}

/* Takes over `name`. */
static rag_status names_add(struct names *names, char *name, rag_error *error)
{
    if (!name || names->count == MAX_FILES ||
        !array_reserve(&names->names, &names->capacity, names->count + 1,
                       sizeof *names->names)) {
        free(name);
        return names->count == MAX_FILES
                   ? fail_with(error, RAG_MODEL, "more than %d files", MAX_FILES)
                   : fail_memory(error);
    }
    names->names[names->count++] = name;
    return RAG_OK;
}

/* The files of a folder, and x/config.json of its folders x. */
static rag_status list_files(const char *folder, struct names *names, rag_error *error)
{
    DIR *directory = opendir(folder);
    if (!directory)
        return fail_errno(error, RAG_MODEL, "%s", folder);
    rag_status status = RAG_OK;
    const struct dirent *entry;
    while (!status && (entry = readdir(directory))) {
        if (entry->d_name[0] == '.')
            continue;
        char *path = path_join(folder, entry->d_name);
        if (!path)
            status = fail_memory(error);
        else if (path_is_file(path))
            status = names_add(names, strdup(entry->d_name), error);
        else if (model_is_in(path))
            status = names_add(names, path_join(entry->d_name, "config.json"), error);
        free(path);
    }
    closedir(directory);
    return status;
}

/* What is copied, and how far it has come. */
struct copying {
    const char *from, *to; /* folders */
    const struct events *events;
    uint64_t done, total;
};

static rag_status copy_bytes(struct copying *copying, const char *name, FILE *in, FILE *out,
                             rag_error *error)
{
    char *block = malloc(COPY_BLOCK);
    if (!block)
        return fail_memory(error);
    rag_status status = RAG_OK;
    size_t got;
    while (!status && (got = fread(block, 1, COPY_BLOCK, in)) > 0) {
        copying->done += got;
        if (fwrite(block, 1, got, out) != got)
            status =
                fail_errno(error, RAG_INPUT, "%s/%s: cannot be written", copying->to, name);
        else if (event_progress(copying->events, "copying", "bytes", copying->done,
                                copying->total, name))
            status = fail_with(error, RAG_INTERRUPTED, "interrupted; no model was added");
    }
    if (!status && ferror(in))
        status = fail_errno(error, RAG_INPUT, "%s/%s", copying->from, name);
    free(block);
    return status;
}

static rag_status copy_one(struct copying *copying, const char *name, rag_error *error)
{
    rag_status status = RAG_OK;
    FILE *in = NULL, *out = NULL;
    char *from = path_join(copying->from, name), *to = path_join(copying->to, name);
    if (!from || !to) {
        status = fail_memory(error);
        goto out;
    }
    char *slash = strrchr(to, '/');
    *slash = '\0';
    status = directory_make(to, error);
    *slash = '/';
    if (status)
        goto out;
    if (!(in = fopen(from, "rbe"))) {
        status = fail_errno(error, RAG_INPUT, "%s", from);
        goto out;
    }
    if (!(out = fopen(to, "wbe"))) {
        status = fail_errno(error, RAG_INPUT, "%s: cannot be created", to);
        goto out;
    }
    status = copy_bytes(copying, name, in, out, error);
    if (!status && (fflush(out) != 0 || fsync(fileno(out)) != 0))
        status = fail_errno(error, RAG_INPUT, "%s: cannot be written", to);
out:
    if (in)
        fclose(in);
    if (out && fclose(out) != 0 && !status)
        status = fail_errno(error, RAG_INPUT, "%s: cannot be written", to);
    free(from);
    free(to);
    return status;
}

static uint64_t total_size(const char *folder, const struct names *names, const bool *wanted)
{
    uint64_t total = 0;
    for (size_t i = 0; i < names->count; i++) {
        struct stat st;
        char *path = wanted[i] ? path_join(folder, names->names[i]) : NULL;
        if (path && stat(path, &st) == 0)
            total += (uint64_t)st.st_size;
        free(path);
    }
    return total;
}

static rag_status copy_model(const char *folder, const char *staged,
                             const struct events *events, rag_error *error)
{
    struct names names = {0};
    bool *wanted = NULL;
    rag_status status = list_files(folder, &names, error);
    if (status)
        goto out;
    if (!(wanted = alloc_zeroed(names.count, sizeof *wanted))) {
        status = fail_memory(error);
        goto out;
    }
    status = model_files_choose((const char *const *)names.names, names.count, wanted, error);
    if (status) {
        status = fail_within(error, status, "%s", folder);
        goto out;
    }
    struct copying copying = {folder, staged, events, 0, total_size(folder, &names, wanted)};
    for (size_t i = 0; i < names.count && !status; i++)
        if (wanted[i])
            status = copy_one(&copying, names.names[i], error);
out:
    free(wanted);
    names_release(&names);
    return status;
}

/* A model that can be opened: its config and weights are read as they will be later. */
static rag_status check_model(const char *folder, struct model_config *config, rag_error *error)
{
    struct checkpoint *checkpoint;
    rag_status status = model_config_read(folder, config, error);
    if (!status)
        status = checkpoint_open(folder, &checkpoint, error);
    if (!status)
        checkpoint_close(checkpoint);
    return status;
}

static rag_status check_target(const char *root, const char *name, rag_error *error)
{
    if (!model_name_is_valid(name))
        return fail_with(error, RAG_USAGE,
                         "%s cannot be a model's name: give one such as BAAI/bge-m3", name);
    char *target = path_join(root, name);
    if (!target)
        return fail_memory(error);
    rag_status status = RAG_OK;
    if (path_is_directory(target))
        status =
            fail_with(error, RAG_USAGE,
                      "%s is already there: remove it first, or give another name", target);
    free(target);
    return status;
}

rag_status rag_model_add(const char *folder, const char *name, const char *models,
                         rag_event_fn on_event, void *user, rag_error *error)
{
    const struct events events = {on_event, user};
    struct model_config config;
    char *root = NULL, *partial = NULL, *staged = NULL;
    rag_status status = models_folder(models, &root, error);
    if (!status)
        status = check_model(folder, &config, error);
    if (status)
        goto out;
    if (!name || !*name)
        name = config.name;
    if ((status = check_target(root, name, error)))
        goto out;
    if ((status = install_partial_folder(root, name, &partial, error)))
        goto out;
    if (!(staged = path_join(partial, "added"))) {
        status = fail_memory(error);
        goto out;
    }
    if ((status = directory_remove(staged, error)))
        goto out;
    status = copy_model(folder, staged, &events, error);
    if (!status)
        status = install_staged(staged, root, name, error);
    /* A download that was broken off may lie beside it: only this is removed. */
    if (status && directory_remove(staged, NULL))
        event_warning(&events, "%s could not be removed", staged);
    install_prune(root, partial);
out:
    free(root);
    free(partial);
    free(staged);
    return status;
}
