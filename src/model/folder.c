#include "model/folder.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/memory.h"
#include "model/list.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

const char *const model_weight_files[] = {"model.safetensors", "model.safetensors.index.json",
                                          "pytorch_model.bin", "pytorch_model.bin.index.json",
                                          NULL};
const char *const model_tokenizer_files[] = {"tokenizer.json", "sentencepiece.bpe.model",
                                             "vocab.txt", NULL};

const char *environment_value(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

rag_status models_folder(const char *given, char **folder, rag_error *error)
{
    struct buf path = BUF_INIT(PATH_MAX);
    const char *data = environment_value("XDG_DATA_HOME"), *home = environment_value("HOME");
    if (!given || !*given)
        given = environment_value("RAG_MODELS");
    rag_status status = RAG_OK;
    bool made;
    if (given)
        made = buf_append_text(&path, given);
    else if (data && *data == '/') /* a relative one is to be ignored, says the standard */
        made = buf_printf(&path, "%s/rag/models", data);
    else if (home)
        made = buf_printf(&path, "%s/.local/share/rag/models", home);
    else
        return fail_with(error, RAG_USAGE,
                         "there is no folder of models: set RAG_MODELS, or HOME");
    if (!made)
        status = fail_with(error, RAG_USAGE, "the path of the folder of models is too long");
    else
        status = path_absolute(path.data, folder, error);
    buf_release(&path);
    return status;
}

/* The size of the valid part of a name that begins here; 0 if there is none. */
static size_t valid_part(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    return *name == '.' || *name == '-' ? 0 : strspn(name, allowed);
}

bool model_name_is_valid(const char *name)
{
    if (strlen(name) > MODEL_MAX_NAME)
        return false;
    size_t size = valid_part(name);
    if (size == 0)
        return false;
    name += size;
    if (*name == '/') {
        size = valid_part(++name);
        if (size == 0)
            return false;
        name += size;
    }
    return *name == '\0';
}

bool model_is_in(const char *folder)
{
    char *config = path_join(folder, "config.json");
    bool is = config && path_is_file(config);
    free(config);
    return is;
}

rag_status model_name_of(const char *folder, const char *models, char **name, rag_error *error)
{
    char *root = NULL, *absolute = NULL;
    *name = NULL;
    rag_status status = models_folder(models, &root, error);
    if (!status)
        status = path_absolute(folder, &absolute, error);
    if (status)
        goto out;
    size_t size = strlen(root);
    const char *rest = absolute + size;
    if (strncmp(absolute, root, size) == 0 && *rest == '/' && model_name_is_valid(rest + 1) &&
        !(*name = strdup(rest + 1)))
        status = fail_memory(error);
out:
    free(root);
    free(absolute);
    return status;
}

/* ROOT/NAME if a model is there, else NULL in *folder. */
static rag_status find_exact(const char *root, const char *name, char **folder,
                             rag_error *error)
{
    *folder = path_join(root, name);
    if (!*folder)
        return fail_memory(error);
    if (!model_is_in(*folder)) {
        free(*folder);
        *folder = NULL;
    }
    return RAG_OK;
}

/* The model whose last part is `name`, in whatever organisation; NULL if there is none. */
static rag_status find_by_last_part(const char *root, const char *name, char **folder,
                                    rag_error *error)
{
    struct model_names names;
    rag_status status = model_names_read(root, &names, error);
    if (status)
        return status;
    const char *found = NULL;
    for (size_t i = 0; i < names.count && !status; i++) {
        if (strcasecmp(path_name(names.names[i]), name) != 0)
            continue;
        if (found)
            status =
                fail_with(error, RAG_USAGE, "%s may be %s or %s: name it with its organisation",
                          name, found, names.names[i]);
        found = names.names[i];
    }
    if (!status && found)
        status = find_exact(root, found, folder, error);
    model_names_release(&names);
    return status;
}

static rag_status missing(const char *name, const char *root, rag_error *error)
{
    return fail_with(error, RAG_MODEL_MISSING,
                     "no model %s in %s: download it with `rag model pull %s`, or install a "
                     "folder that you have with `rag model add FOLDER`",
                     name, root, strchr(name, '/') ? name : "ORGANISATION/NAME");
}

/* What can only be meant as a path. */
static bool is_path(const char *name)
{
    return *name == '/' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
           strncmp(name, "./", 2) == 0 || strncmp(name, "../", 3) == 0;
}

rag_status model_find(const char *name, const char *models, char **folder, rag_error *error)
{
    *folder = NULL;
    if (!name || !*name)
        name = environment_value("RAG_MODEL");
    if (!name)
        name = MODEL_DEFAULT;
    if (is_path(name)) {
        if (!model_is_in(name))
            return fail_with(error, RAG_MODEL_MISSING,
                             "%s: no model: there is no config.json in it", name);
        return path_absolute(name, folder, error);
    }
    char *root;
    rag_status status = models_folder(models, &root, error);
    if (status)
        return status;
    bool valid = model_name_is_valid(name);
    if (valid)
        status = find_exact(root, name, folder, error);
    if (!status && !*folder && valid && !strchr(name, '/'))
        status = find_by_last_part(root, name, folder, error);
    if (!status && !*folder && model_is_in(name))
        status = path_absolute(name, folder, error);
    if (!status && !*folder)
        status = valid ? missing(name, root, error)
                       : fail_with(error, RAG_USAGE,
                                   "%s is neither the name of a model, such "
                                   "as BAAI/bge-m3, nor a model's folder",
                                   name);
    free(root);
    return status;
}
