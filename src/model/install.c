#include "model/install.h"

#include "base/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

rag_status install_partial_folder(const char *root, const char *name, char **partial,
                                  rag_error *error)
{
    char *hidden = path_join(root, ".partial");
    *partial = hidden ? path_join(hidden, name) : NULL;
    free(hidden);
    if (!*partial)
        return fail_memory(error);
    rag_status status = directory_make(*partial, error);
    if (status) {
        free(*partial);
        *partial = NULL;
    }
    return status;
}

static rag_status make_parent(const char *path, rag_error *error)
{
    char *parent = strdup(path);
    if (!parent)
        return fail_memory(error);
    *strrchr(parent, '/') = '\0';
    rag_status status = directory_make(parent, error);
    free(parent);
    return status;
}

/* A folder cannot be renamed over a full one: the old one first goes beside the new, and
 * comes back if that then fails. */
rag_status install_staged(const char *staged, const char *root, const char *name,
                          rag_error *error)
{
    struct buf replaced = BUF_INIT(1 << 16);
    rag_status status = RAG_OK;
    char *target = path_join(root, name);
    if (!target || !buf_printf(&replaced, "%s.replaced", staged)) {
        status = fail_memory(error);
        goto out;
    }
    if ((status = make_parent(target, error)) ||
        (status = directory_remove(replaced.data, error)))
        goto out;
    bool was_there = path_is_directory(target);
    if (was_there && rename(target, replaced.data) != 0) {
        status = fail_errno(error, RAG_INPUT, "%s: cannot be replaced", target);
        goto out;
    }
    if (rename(staged, target) != 0) {
        status = fail_errno(error, RAG_INPUT, "%s: cannot be made", target);
        if (was_there && rename(replaced.data, target) != 0)
            status =
                fail_within(error, status, "the model before it is now in %s", replaced.data);
        goto out;
    }
    if (was_there)
        status = directory_remove(replaced.data, error);
out:
    buf_release(&replaced);
    free(target);
    return status;
}

void install_prune(const char *root, const char *partial)
{
    char *folder = strdup(partial);
    size_t root_size = strlen(root);
    while (folder && strlen(folder) > root_size && (rmdir(folder) == 0 || errno == ENOENT))
        *strrchr(folder, '/') = '\0';
    free(folder);
}
