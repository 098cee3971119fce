/* pull.c - rag_model_pull: a model from a hub.
 *
 * The hub's interface, as huggingface_hub uses it:
 *
 *   GET BASE/api/models/NAME/revision/REVISION?blobs=true
 *       {"sha": COMMIT, "siblings": [{"rfilename": PATH, "size": BYTES,
 *        "lfs": {"sha256": HEX, "size": BYTES}}, ...]}; "lfs" for large files only
 *   GET BASE/NAME/resolve/COMMIT/PATH
 *       the file, mostly by a redirect to another host; Range is understood
 *
 * A model is gathered in MODELS/.partial/NAME/. A file with a known SHA-256 is downloaded
 * under that hash as its name: what is left of a broken download can thus only be continued
 * by the same content, whatever the repository has become meanwhile, and its hash is checked
 * when it is whole. Small files are downloaded each time. The model moves to MODELS/NAME
 * only once config and weights have been opened. */
#include "base/event.h"
#include "base/file.h"
#include "base/memory.h"
#include "model/checkpoint.h"
#include "model/config.h"
#include "model/folder.h"
#include "model/hub.h"
#include "model/install.h"
#include "model/json_file.h"
#include "model/model_files.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    MAX_LISTING = 32 << 20,
    MAX_SIBLINGS = 1 << 16,
    MAX_REVISION = 200,
    MAX_SMALL_FILE = 256 << 20,
    HASH_BLOCK = 1 << 20,
};

static const uint64_t MAX_WEIGHTS_FILE = (uint64_t)1 << 40;

struct wanted_file {
    char *name;
    uint64_t size;              /* 0: the hub does not say */
    char sha256[HASH_HEX_SIZE]; /* "" likewise */
    bool weights;
};

struct pull {
    const char *name;
    const struct events *events;
    struct hub *hub;
    char *root, *partial, *staged;
    int lock;
    char commit[MAX_REVISION * 3 + 1]; /* or the revision, as a part of a URL */
    struct wanted_file *files;
    size_t count;
    uint64_t done, total; /* bytes */
};

/* "refs/pr/1" as one part of a URL's path. False: not a revision's name. */
static CHECKED bool escape_revision(const char *revision, char out[MAX_REVISION * 3 + 1])
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/";
    size_t size = strlen(revision);
    if (size == 0 || size > MAX_REVISION || strspn(revision, allowed) != size ||
        *revision == '.' || *revision == '/')
        return false;
    for (; *revision; revision++)
        out += *revision == '/' ? sprintf(out, "%%2F") : sprintf(out, "%c", *revision);
    return true;
}

static bool is_hex(const char *text, size_t size)
{
    return text && strlen(text) == size && strspn(text, "0123456789abcdef") == size;
}

static rag_status read_sibling(const json_t *sibling, struct wanted_file *file,
                               rag_error *error)
{
    const uint64_t whole = (uint64_t)1 << 53;
    const json_t *lfs = json_object_get(sibling, "lfs");
    const char *name = json_string_value(json_object_get(sibling, "rfilename"));
    const char *sha256 = json_string_value(json_object_get(lfs, "sha256"));
    *file = (struct wanted_file){.weights = model_file_is_weights(name)};
    if (!json_whole(json_object_get(lfs, "size"), whole, &file->size) &&
        !json_whole(json_object_get(sibling, "size"), whole, &file->size))
        file->size = 0;
    if (is_hex(sha256, HASH_HEX_SIZE - 1))
        memcpy(file->sha256, sha256, HASH_HEX_SIZE);
    if (file->size > (file->weights ? MAX_WEIGHTS_FILE : MAX_SMALL_FILE))
        return fail_with(error, RAG_MODEL, "%s has %" PRIu64 " bytes, more than rag takes",
                         name, file->size);
    file->name = strdup(name);
    return file->name ? RAG_OK : fail_memory(error);
}

/* Small files first: a model that rag does not support is known before its weights come. */
static int by_weight(const void *a, const void *b)
{
    const struct wanted_file *x = a, *y = b;
    if (x->weights != y->weights)
        return x->weights ? 1 : -1;
    return strcmp(x->name, y->name);
}

static rag_status choose_files(struct pull *pull, const json_t *siblings, rag_error *error)
{
    size_t listed = json_array_size(siblings);
    if (listed > MAX_SIBLINGS)
        return fail_with(error, RAG_NETWORK, "the hub lists %zu files", listed);
    rag_status status = RAG_OK;
    const char **names = alloc_array(listed, sizeof *names);
    bool *wanted = alloc_zeroed(listed, sizeof *wanted);
    pull->files = alloc_zeroed(listed, sizeof *pull->files);
    if (!names || !wanted || !pull->files) {
        status = fail_memory(error);
        goto out;
    }
    for (size_t i = 0; i < listed; i++) {
        const json_t *sibling = json_array_get(siblings, i);
        const char *name = json_string_value(json_object_get(sibling, "rfilename"));
        names[i] = name ? name : "";
    }
    status = model_files_choose(names, listed, wanted, error);
    for (size_t i = 0; i < listed && !status; i++) {
        if (!wanted[i])
            continue;
        status = read_sibling(json_array_get(siblings, i), &pull->files[pull->count], error);
        pull->total += pull->files[pull->count].size;
        pull->count += !status;
    }
    if (pull->count)
        qsort(pull->files, pull->count, sizeof *pull->files, by_weight);
out:
    free(names);
    free(wanted);
    return status;
}

static rag_status read_listing(struct pull *pull, rag_error *error)
{
    struct buf url = BUF_INIT(4096), text = BUF_INIT(MAX_LISTING);
    json_t *listing = NULL;
    rag_status status = RAG_OK;
    if (!buf_printf(&url, "%s/api/models/%s/revision/%s?blobs=true", hub_base(pull->hub),
                    pull->name, pull->commit)) {
        status = fail_memory(error);
        goto out;
    }
    if ((status = hub_get(pull->hub, url.data, pull->events, &text, error)))
        goto out;
    json_error_t where;
    listing =
        json_loadb(text.data ? text.data : "", text.size, JSON_DECODE_INT_AS_REAL, &where);
    if (!listing) {
        status =
            fail_with(error, RAG_NETWORK, "%s: not a hub's answer: %s", url.data, where.text);
        goto out;
    }
    const char *commit = json_string_value(json_object_get(listing, "sha"));
    enum { COMMIT_SIZE = 40 };
    if (is_hex(commit, COMMIT_SIZE))
        memcpy(pull->commit, commit, COMMIT_SIZE + 1);
    status = choose_files(pull, json_object_get(listing, "siblings"), error);
    if (status)
        status = fail_within(error, status, "%s on %s", pull->name, hub_base(pull->hub));
out:
    json_decref(listing);
    buf_release(&url);
    buf_release(&text);
    return status;
}

/* Hashes a file in steps, for it may take seconds. */
static rag_status check_hash(const struct pull *pull, const struct wanted_file *file,
                             const char *path, const char *sha256, bool *same, rag_error *error)
{
    struct hasher *hasher = NULL;
    struct hash hash;
    char hex[HASH_HEX_SIZE];
    rag_status status = RAG_OK;
    *same = false;
    char *block = malloc(HASH_BLOCK);
    FILE *in = fopen(path, "rbe");
    if (!block) {
        status = fail_memory(error);
        goto out;
    }
    if (!in) {
        status = fail_errno(error, RAG_INPUT, "%s", path);
        goto out;
    }
    if ((status = hasher_new(&hasher, error)))
        goto out;
    uint64_t done = 0;
    size_t got;
    while (!status && (got = fread(block, 1, HASH_BLOCK, in)) > 0) {
        hasher_update(hasher, block, got);
        done += got;
        if (event_progress(pull->events, "checking", "bytes", done, file->size, file->name))
            status =
                fail_with(error, RAG_INTERRUPTED, "interrupted while checking %s", file->name);
    }
    if (!status && ferror(in))
        status = fail_errno(error, RAG_INPUT, "%s", path);
    hasher_finish(hasher, status ? NULL : &hash);
    if (!status) {
        hash_to_hex(&hash, hex);
        *same = strcmp(hex, sha256) == 0;
    }
out:
    if (in)
        fclose(in);
    free(block);
    return status;
}

/* The same file of the model that is installed already, linked to `path`, saves its
 * download. Any failure here just means to download it. */
static void reuse_installed(const struct pull *pull, const struct wanted_file *file,
                            const char *path)
{
    struct stat st;
    bool same = false;
    char *model = path_join(pull->root, pull->name);
    char *installed = model ? path_join(model, file->name) : NULL;
    if (installed && stat(installed, &st) == 0 && (uint64_t)st.st_size == file->size &&
        !check_hash(pull, file, installed, file->sha256, &same, NULL) && same &&
        unlink(path) != 0 && errno != ENOENT)
        same = false;
    if (same && link(installed, path) != 0)
        event_note(pull->events, "%s is downloaded again, for it cannot be linked", file->name);
    free(model);
    free(installed);
}

/* What the file must hash to: by the listing, else by the answer's header. A file that
 * differs is removed, so that the next call begins it anew. */
static rag_status check_download(const struct pull *pull, const struct wanted_file *file,
                                 const struct download *download, rag_error *error)
{
    const char *sha256 = *file->sha256 ? file->sha256 : download->sha256;
    if (!*sha256) {
        if (file->weights)
            event_warning(pull->events,
                          "%s: the hub gives no SHA-256: its size alone was "
                          "checked",
                          file->name);
        return RAG_OK;
    }
    bool same;
    rag_status status = check_hash(pull, file, download->path, sha256, &same, error);
    if (!status && !same) {
        unlink(download->path);
        status = fail_with(error, RAG_NETWORK,
                           "%s came damaged: its SHA-256 is not %s; it was removed, try again",
                           file->name, sha256);
    }
    return status;
}

/* A file known by its hash stays where it is too, for the case that a later one fails. */
static rag_status stage(const struct pull *pull, const struct wanted_file *file,
                        const char *from, rag_error *error)
{
    char *to = path_join(pull->staged, file->name);
    if (!to)
        return fail_memory(error);
    char *slash = strrchr(to, '/');
    *slash = '\0';
    rag_status status = directory_make(to, error);
    *slash = '/';
    bool linked = !status && *file->sha256 && link(from, to) == 0;
    if (!status && !linked && rename(from, to) != 0)
        status = fail_errno(error, RAG_INPUT, "%s: cannot be made", to);
    free(to);
    return status;
}

static rag_status fetch(struct pull *pull, const struct wanted_file *file, rag_error *error)
{
    struct buf url = BUF_INIT(4096);
    rag_status status = RAG_OK;
    char *path = path_join(pull->partial, *file->sha256 ? file->sha256 : "download");
    if (!path || !buf_printf(&url, "%s/%s/resolve/%s/%s", hub_base(pull->hub), pull->name,
                             pull->commit, file->name)) {
        status = fail_memory(error);
        goto out;
    }
    if (*file->sha256)
        reuse_installed(pull, file, path);
    else
        unlink(path);
    struct download download = {.url = url.data,
                                .path = path,
                                .name = file->name,
                                .size = file->size,
                                .done = pull->done,
                                .total = pull->total};
    if ((status = hub_download(pull->hub, &download, pull->events, error)))
        goto out;
    if ((status = check_download(pull, file, &download, error)))
        goto out;
    if ((status = stage(pull, file, path, error)))
        goto out;
    pull->done += file->size;
    if (event_progress(pull->events, "downloading", "bytes", pull->done, pull->total,
                       file->name))
        status = fail_with(error, RAG_INTERRUPTED, "interrupted; the same call goes on");
out:
    free(path);
    buf_release(&url);
    return status;
}

/* Two processes must not write one file; the lock ends with the process. */
static rag_status lock_partial(struct pull *pull, rag_error *error)
{
    char *path = path_join(pull->partial, "lock");
    if (!path)
        return fail_memory(error);
    rag_status status = RAG_OK;
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    pull->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (pull->lock < 0)
        status = fail_errno(error, RAG_INPUT, "%s", path);
    else if (fcntl(pull->lock, F_SETLK, &whole) != 0)
        status = fail_with(error, RAG_INPUT, "another process is downloading %s", pull->name);
    free(path);
    return status;
}

static rag_status prepare(struct pull *pull, rag_error *error)
{
    rag_status status = install_partial_folder(pull->root, pull->name, &pull->partial, error);
    if (status)
        return status;
    if ((status = lock_partial(pull, error)))
        return status;
    pull->staged = path_join(pull->partial, path_name(pull->name));
    return pull->staged ? directory_remove(pull->staged, error) : fail_memory(error);
}

static rag_status fetch_all(struct pull *pull, rag_error *error)
{
    struct model_config config;
    struct checkpoint *checkpoint;
    rag_status status = RAG_OK;
    bool checked = false;
    for (size_t i = 0; i < pull->count && !status; i++) {
        if (pull->files[i].weights && !checked) {
            checked = true;
            if ((status = model_config_read(pull->staged, &config, error)))
                break;
        }
        status = fetch(pull, &pull->files[i], error);
    }
    if (!status)
        status = checkpoint_open(pull->staged, &checkpoint, error);
    if (!status)
        checkpoint_close(checkpoint);
    return status;
}

static void pull_release(struct pull *pull)
{
    for (size_t i = 0; i < pull->count; i++)
        free(pull->files[i].name);
    free(pull->files);
    free(pull->root);
    free(pull->partial);
    free(pull->staged);
    hub_close(pull->hub);
    if (pull->lock >= 0)
        close(pull->lock);
}

rag_status rag_model_pull(const char *name, const rag_pull_options *options, rag_error *error)
{
    rag_pull_options chosen = RAG_PULL_OPTIONS_INIT;
    if (options)
        memcpy(&chosen, options, options->size < sizeof chosen ? options->size : sizeof chosen);
    const struct events events = {chosen.on_event, chosen.user};
    struct pull pull = {.name = name, .events = &events, .lock = -1};
    const char *revision = chosen.revision && *chosen.revision ? chosen.revision : "main";
    if (!name || !model_name_is_valid(name))
        return fail_with(error, RAG_USAGE,
                         "%s is not the name of a model on a hub, such as BAAI/bge-m3",
                         name ? name : "nothing");
    if (!escape_revision(revision, pull.commit))
        return fail_with(error, RAG_USAGE, "%.200s is not the name of a revision", revision);
    rag_status status = models_folder(chosen.models, &pull.root, error);
    if (!status)
        status = hub_open(chosen.hub, &pull.hub, error);
    if (!status)
        status = read_listing(&pull, error);
    if (!status)
        status = prepare(&pull, error);
    if (!status)
        status = fetch_all(&pull, error);
    if (!status)
        status = install_staged(pull.staged, pull.root, name, error);
    if (!status)
        status = directory_remove(pull.partial, error);
    if (!status)
        install_prune(pull.root, pull.partial);
    pull_release(&pull);
    return status;
}
