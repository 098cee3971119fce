/* pack.c - packing a model ahead of its use, and what is packed of it. */
#include "base/file.h"
#include "base/memory.h"
#include "model/folder.h"
#include "model/packed_files.h"
#include "pipeline/pipeline.h"
#include "pipeline/tokenizer_cache.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Removes what is damaged in the middle, where opening does not look, so that it is made anew.
 */
static rag_status remove_damaged(const char *folder, rag_error *error)
{
    struct packed_names names;
    rag_status status = packed_names_read(folder, &names, error);
    for (size_t i = 0; !status && i < names.count; i++) {
        struct packed *packed;
        if (packed_open(names.paths[i], NULL, NULL, &packed, NULL))
            continue; /* opening makes it anew */
        if (packed_verify(packed, NULL) && unlink(names.paths[i]) != 0)
            status = fail_errno(error, RAG_INPUT, "%s: damaged, and cannot be removed",
                                names.paths[i]);
        packed_close(packed);
    }
    packed_names_release(&names);
    return status;
}

/* Opening packs, but takes it lightly if that cannot be kept. */
static rag_status pack_weights(const char *name, const rag_pack_options *options,
                               rag_error *error)
{
    rag_model_options model_options = RAG_MODEL_OPTIONS_INIT;
    rag_model *model;
    model_options.models = options->models;
    model_options.precision = options->precision;
    model_options.threads = options->threads;
    model_options.on_event = options->on_event;
    model_options.user = options->user;
    rag_status status = rag_model_open(name, &model_options, &model, error);
    if (status)
        return status;
    if (model->precision != RAG_PRECISION_F32 && !model->packed)
        status =
            fail_with(error, RAG_INPUT, "%s: its packed weights cannot be kept", model->name);
    rag_model_close(model);
    return status;
}

rag_status rag_model_pack(const char *name, const rag_pack_options *options, rag_error *error)
{
    static const rag_pack_options defaults = RAG_PACK_OPTIONS_INIT;
    if (!options)
        options = &defaults;
    rag_status status = CHECK_OPTIONS(options, error);
    if (status)
        return status;
    char *folder = NULL, *path = NULL;
    status = model_find(name, options->models, &folder, error);
    if (!status)
        status = remove_damaged(folder, error);
    if (!status)
        status = tokenizer_pack_cached(folder, &path, error);
    if (!status)
        status = pack_weights(name, options, error);
    free(folder);
    free(path);
    return status;
}

/* ---- What is packed ---- */

struct rag_packed_list {
    rag_packed_file *files; /* [names.count] */
    struct packed_names names;
    char **texts; /* [2 x names.count] variants and problems */
};

static rag_status describe(const char *path, bool verify, char *texts[2], rag_packed_file *file,
                           rag_error *error)
{
    struct packed *packed;
    struct packed_info info;
    struct stat st;
    rag_error problem = {0};
    *file = (rag_packed_file){.path = path};
    if (stat(path, &st) == 0)
        file->bytes = (uint64_t)st.st_size;
    rag_status status = packed_open(path, NULL, NULL, &packed, &problem);
    if (!status) {
        packed_get_info(packed, &info);
        texts[0] = strdup(info.variant);
        if (verify && (status = packed_verify(packed, &problem)))
            (void)fail_within(&problem, status, "%s", path);
        packed_close(packed);
        if (!texts[0])
            return fail_memory(error);
    }
    if (status && !(texts[1] = strdup(problem.message)))
        return fail_memory(error);
    file->variant = texts[0];
    file->problem = texts[1];
    return RAG_OK;
}

rag_status rag_packed_list_open(const char *name, const char *models, int verify,
                                rag_packed_list **out, rag_error *error)
{
    char *folder;
    *out = NULL;
    rag_status status = model_find(name, models, &folder, error);
    if (status)
        return status;
    rag_packed_list *list = alloc_zeroed(1, sizeof *list);
    if (!list)
        status = fail_memory(error);
    if (!status)
        status = packed_names_read(folder, &list->names, error);
    free(folder);
    if (status)
        goto out;
    list->files = alloc_zeroed(list->names.count, sizeof *list->files);
    list->texts = alloc_zeroed(list->names.count, 2 * sizeof *list->texts);
    if (!list->files || !list->texts)
        status = fail_memory(error);
    for (size_t i = 0; !status && i < list->names.count; i++)
        status = describe(list->names.paths[i], verify != 0, list->texts + 2 * i,
                          &list->files[i], error);
out:
    if (status)
        rag_packed_list_free(list);
    else
        *out = list;
    return status;
}

size_t rag_packed_list_count(const rag_packed_list *list)
{
    return list->names.count;
}

const rag_packed_file *rag_packed_list_get(const rag_packed_list *list, size_t i)
{
    return i < list->names.count ? &list->files[i] : NULL;
}

void rag_packed_list_free(rag_packed_list *list)
{
    if (!list)
        return;
    for (size_t i = 0; list->texts && i < 2 * list->names.count; i++)
        free(list->texts[i]);
    free(list->texts);
    free(list->files);
    packed_names_release(&list->names);
    free(list);
}
