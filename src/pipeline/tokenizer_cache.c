#include "pipeline/tokenizer_cache.h"

#include "base/buf.h"
#include "base/checksum.h"
#include "base/file.h"
#include "base/memory.h"
#include "model/packed_files.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    SMALL_FILE = 64 * 1024, /* a tokenizer of less is parsed within 2 ms */
    SAMPLE = 4096,
};

/* What tells a file from another without reading it. */
struct file_state {
    uint64_t size, seconds, nanoseconds; /* of its last change */
    uint64_t sample;                     /* checksum of the first, middle and last bytes */
};

/* All zero of a file that is not there. */
static rag_status read_state(const char *path, struct file_state *state, rag_error *error)
{
    char sample[3 * SAMPLE] = {0};
    struct stat st;
    *state = (struct file_state){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        return RAG_OK;
    rag_status status = RAG_OK;
    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        status = fail_errno(error, RAG_MODEL, "%s", path);
        goto out;
    }
    uint64_t size = (uint64_t)st.st_size, last = size > SAMPLE ? size - SAMPLE : 0;
    if (pread(fd, sample, SAMPLE, 0) < 0 ||
        pread(fd, sample + SAMPLE, SAMPLE, (off_t)(size / 2)) < 0 ||
        pread(fd, sample + 2 * SAMPLE, SAMPLE, (off_t)last) < 0)
        status = fail_errno(error, RAG_MODEL, "%s", path);
    *state =
        (struct file_state){size, (uint64_t)st.st_mtim.tv_sec, (uint64_t)st.st_mtim.tv_nsec,
                            checksum_bytes(sample, sizeof sample)};
out:
    if (fd >= 0)
        close(fd);
    return status;
}

/* The source of a tokenizer's packed file: of its file, and of the one that vocab_txt.c reads
 * beside it. */
static rag_status tokenizer_source(const char *file, const char *folder, struct hash *source,
                                   uint64_t *size, rag_error *error)
{
    struct file_state state, beside;
    char *config = path_join(folder, "tokenizer_config.json");
    rag_status status = config ? RAG_OK : fail_memory(error);
    if (!status)
        status = read_state(file, &state, error);
    if (!status)
        status = read_state(config, &beside, error);
    if (!status) {
        state.sample ^= checksum_bytes(&beside, sizeof beside);
        static_assert(sizeof state == HASH_SIZE, "a source has as many bytes");
        memcpy(source->bytes, &state, HASH_SIZE);
        *size = state.size;
    }
    free(config);
    return status;
}

/* A model's tokenizer and its place in the cache. */
struct cached {
    char *file, *folder, *path;
    struct hash source;
    uint64_t size; /* of the file */
};

static void cached_release(struct cached *cached)
{
    free(cached->file);
    free(cached->folder);
    free(cached->path);
}

static rag_status cached_find(const char *path, struct cached *cached, rag_error *error)
{
    *cached = (struct cached){0};
    char *absolute = NULL;
    struct buf name = BUF_INIT(PATH_MAX);
    rag_status status = tokenizer_find(path, &cached->file, error);
    if (!status)
        status = path_absolute(cached->file, &absolute, error);
    if (status)
        goto out;
    size_t folder = (size_t)(path_name(absolute) - absolute);
    if (!(cached->folder = strndup(absolute, folder)) ||
        !buf_printf(&name, "%s.ragpack", absolute + folder)) {
        status = fail_memory(error);
        goto out;
    }
    status = packed_path(cached->folder, name.data, &cached->path, error);
    if (!status)
        status = tokenizer_source(cached->file, cached->folder, &cached->source, &cached->size,
                                  error);
out:
    buf_release(&name);
    free(absolute);
    return status;
}

static rag_status open_packed(const struct cached *cached, struct tokenizer **out,
                              rag_error *error)
{
    struct packed *packed;
    rag_status status =
        packed_open(cached->path, &cached->source, TOKENIZER_PACKED, &packed, error);
    if (status)
        return status;
    status = tokenizer_unpack(packed, cached->file, out, error);
    if (status)
        packed_close(packed);
    return status;
}

static rag_status write_packed(const struct cached *cached, const struct tokenizer *tokenizer,
                               rag_error *error)
{
    struct hash now;
    uint64_t size;
    struct packed_writer *writer;
    rag_status status = tokenizer_source(cached->file, cached->folder, &now, &size, error);
    if (!status && memcmp(&now, &cached->source, sizeof now) != 0)
        status = fail_with(error, RAG_INPUT, "%s: was changed meanwhile", cached->file);
    if (!status)
        status =
            packed_writer_new(cached->path, &cached->source, TOKENIZER_PACKED, &writer, error);
    if (status)
        return status;
    if ((status = tokenizer_pack(tokenizer, writer, error))) {
        packed_writer_abort(writer);
        return status;
    }
    return packed_writer_commit(writer, error);
}

rag_status tokenizer_open_cached(const char *path, struct tokenizer **out, rag_error *error)
{
    struct cached cached;
    *out = NULL;
    if (cached_find(path, &cached, NULL) || open_packed(&cached, out, NULL)) {
        rag_status status = tokenizer_open(path, out, error);
        /* What is missing in `cached` is so because there is no cache, or no tokenizer. */
        if (!status && cached.path && cached.size >= SMALL_FILE && tokenizer_is_packable(*out))
            (void)write_packed(&cached, *out, NULL);
        cached_release(&cached);
        return status;
    }
    cached_release(&cached);
    return RAG_OK;
}

rag_status tokenizer_pack_cached(const char *model_folder, char **path, rag_error *error)
{
    struct cached cached;
    struct tokenizer *tokenizer = NULL;
    *path = NULL;
    rag_status status = cached_find(model_folder, &cached, error);
    if (!status && open_packed(&cached, &tokenizer, NULL)) {
        status = tokenizer_open(model_folder, &tokenizer, error);
        if (!status)
            status = write_packed(&cached, tokenizer, error);
    }
    tokenizer_free(tokenizer);
    if (!status) {
        *path = cached.path;
        cached.path = NULL;
    }
    cached_release(&cached);
    return status;
}
