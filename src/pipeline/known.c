#define _XOPEN_SOURCE 700
#include "pipeline/known.h"
#include "base/file.h"
#include "base/memory.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

void known_release(struct known *known)
{
    for (size_t i = 0; i < known->count; i++)
        free(known->documents[i].path);
    free(known->documents);
    free(known->gone);
    *known = (struct known){0};
}

/* ---- Reading ---- */

/* Takes the paths over. */
static rag_status take_list(struct known *known, struct store_list *list, rag_error *error)
{
    size_t needed;
    if (!size_add(known->count, list->count, &needed) ||
        !array_reserve(&known->documents, &known->capacity, needed, sizeof *known->documents))
        return fail_memory(error);
    for (size_t i = 0; i < list->count; i++) {
        known->documents[known->count++] =
            (struct known_document){.path = list->items[i].path, .file = list->items[i].file};
        list->items[i].path = NULL;
    }
    return RAG_OK;
}

static int by_path(const void *a, const void *b)
{
    const struct known_document *x = a, *y = b;
    return strcmp(x->path, y->path);
}

/* Paths may lie in one another: each document once. */
static void sort(struct known *known)
{
    if (known->count == 0)
        return;
    qsort(known->documents, known->count, sizeof *known->documents, by_path);
    size_t kept = 1;
    for (size_t i = 1; i < known->count; i++) {
        if (strcmp(known->documents[i].path, known->documents[kept - 1].path) == 0)
            free(known->documents[i].path);
        else
            known->documents[kept++] = known->documents[i];
    }
    known->count = kept;
}

rag_status known_read(rag_index *index, const char *collection, const struct file_list *paths,
                      struct known *out, rag_error *error)
{
    *out = (struct known){0};
    rag_status status = RAG_OK;
    for (size_t i = 0; !status && index->store && i < paths->count; i++) {
        struct store_list list;
        status = store_list_documents(index->store, collection, paths->paths[i], &list, error);
        if (status)
            break;
        status = take_list(out, &list, error);
        store_list_release(&list);
    }
    if (status)
        known_release(out);
    else
        sort(out);
    return status;
}

struct known_document *known_find(const struct known *known, const char *path)
{
    struct known_document key = {.path = (char *)(uintptr_t)path};
    return known->count ? bsearch(&key, known->documents, known->count,
                                  sizeof *known->documents, by_path)
                        : NULL;
}

/* ---- What is gone ---- */

/* Nothing is there, or a folder now. */
static bool is_gone(const char *path)
{
    struct stat st;
    if (lstat(path, &st) != 0)
        return errno == ENOENT || errno == ENOTDIR;
    return S_ISDIR(st.st_mode);
}

static int by_hash(const void *a, const void *b)
{
    const struct known_document *x = *(struct known_document *const *)a;
    const struct known_document *y = *(struct known_document *const *)b;
    int order = memcmp(&x->file.hash, &y->file.hash, sizeof x->file.hash);
    return order ? order : strcmp(x->path, y->path);
}

rag_status known_find_gone(struct known *known, const struct file_list *files, bool all_read,
                           rag_error *error)
{
    known->gone = alloc_array(known->count, sizeof *known->gone);
    if (!known->gone)
        return fail_memory(error);
    size_t next = 0; /* both lists are sorted */
    for (size_t i = 0; i < known->count; i++) {
        struct known_document *document = &known->documents[i];
        while (next < files->count && strcmp(files->paths[next], document->path) < 0)
            next++;
        if (next < files->count && strcmp(files->paths[next], document->path) == 0)
            continue;
        if (is_gone(document->path))
            document->fate = KNOWN_GONE;
        else if (all_read)
            document->fate = KNOWN_OUTSIDE;
        if (document->fate != KNOWN_HERE)
            known->gone[known->gone_count++] = document;
    }
    if (known->gone_count)
        qsort(known->gone, known->gone_count, sizeof *known->gone, by_hash);
    return RAG_OK;
}

static bool same_ending(const char *a, const char *b)
{
    const char *x = strrchr(path_name(a), '.'), *y = strrchr(path_name(b), '.');
    return strcmp(x ? x : "", y ? y : "") == 0;
}

/* The first of known->gone that is not before the hash. */
static size_t first_gone(const struct known *known, const struct hash *hash)
{
    size_t low = 0, high = known->gone_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (memcmp(&known->gone[middle]->file.hash, hash, sizeof *hash) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool known_has_gone(const struct known *known, const struct hash *hash)
{
    size_t first = first_gone(known, hash);
    return first < known->gone_count &&
           memcmp(&known->gone[first]->file.hash, hash, sizeof *hash) == 0;
}

struct known_document *known_take_moved(struct known *known, const struct hash *hash,
                                        const char *path)
{
    for (size_t i = first_gone(known, hash); i < known->gone_count; i++) {
        struct known_document *document = known->gone[i];
        if (memcmp(&document->file.hash, hash, sizeof *hash) != 0)
            return NULL;
        if (document->fate == KNOWN_GONE && same_ending(document->path, path)) {
            document->fate = KNOWN_MOVED;
            return document;
        }
    }
    return NULL;
}
