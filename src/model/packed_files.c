#define _XOPEN_SOURCE 700 /* realpath */
#include "model/packed_files.h"

#include "base/buf.h"
#include "base/checksum.h"
#include "base/file.h"
#include "base/memory.h"
#include "model/folder.h"

#include <dirent.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>

static rag_status cache_folder(struct buf *path, rag_error *error)
{
    const char *given = environment_value("RAG_CACHE"), *home = environment_value("HOME");
    const char *cache = environment_value("XDG_CACHE_HOME");
    bool made;
    if (given)
        made = buf_append_text(path, given);
    else if (cache && *cache == '/') /* a relative one is to be ignored, says the standard */
        made = buf_printf(path, "%s/rag", cache);
    else if (home)
        made = buf_printf(path, "%s/.cache/rag", home);
    else
        return fail_with(error, RAG_NOT_FOUND,
                         "there is no folder for packed files: set RAG_CACHE, or HOME");
    return made ? RAG_OK
                : fail_with(error, RAG_USAGE, "the path of the cache folder is too long");
}

rag_status packed_folder(const char *model_folder, char **folder, rag_error *error)
{
    struct buf path = BUF_INIT(PATH_MAX);
    char *absolute;
    *folder = NULL;
    rag_status status = path_absolute(model_folder, &absolute, error);
    if (status)
        return status;
    char *real = realpath(absolute, NULL); /* NULL where there is nothing */
    if (real) {
        free(absolute);
        absolute = real;
    }
    status = cache_folder(&path, error);
    if (!status && !buf_printf(&path, "/models/%s-%016" PRIx64, path_name(absolute),
                               checksum_bytes(absolute, strlen(absolute))))
        status = fail_with(error, RAG_USAGE, "the path of the cache folder is too long");
    if (!status)
        status = path_absolute(path.data, folder, error);
    buf_release(&path);
    free(absolute);
    return status;
}

rag_status packed_path(const char *model_folder, const char *name, char **path,
                       rag_error *error)
{
    char *folder;
    *path = NULL;
    rag_status status = packed_folder(model_folder, &folder, error);
    if (!status && !(*path = path_join(folder, name)))
        status = fail_memory(error);
    free(folder);
    return status;
}

static bool is_packed_name(const char *name)
{
    static const char end[] = ".ragpack";
    size_t size = strlen(name);
    return size >= sizeof end && strcmp(name + size - (sizeof end - 1), end) == 0;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

rag_status packed_names_read(const char *model_folder, struct packed_names *names,
                             rag_error *error)
{
    char *folder;
    *names = (struct packed_names){0};
    rag_status status = packed_folder(model_folder, &folder, error);
    if (status)
        return status == RAG_NOT_FOUND ? RAG_OK : status;
    DIR *directory = opendir(folder);
    for (const struct dirent *entry; !status && directory && (entry = readdir(directory));) {
        char *path = is_packed_name(entry->d_name) ? path_join(folder, entry->d_name) : NULL;
        if (!is_packed_name(entry->d_name))
            continue;
        if (!path || !array_reserve(&names->paths, &names->capacity, names->count + 1,
                                    sizeof *names->paths)) {
            free(path);
            status = fail_memory(error);
            break;
        }
        names->paths[names->count++] = path;
    }
    if (directory)
        closedir(directory);
    free(folder);
    if (status)
        packed_names_release(names);
    else if (names->count)
        qsort(names->paths, names->count, sizeof *names->paths, by_text);
    return status;
}

void packed_names_release(struct packed_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->paths[i]);
    free(names->paths);
    *names = (struct packed_names){0};
}
