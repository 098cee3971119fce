/* passage.c - a chunk in its surroundings, and what has become of its file. */
#include "base/file.h"
#include "base/memory.h"
#include "documents/formats.h"
#include "documents/lines.h"
#include "pipeline/pipeline.h"
#include "text/utf8.h"

#include <string.h>
#include <sys/stat.h>

enum {
    DEFAULT_LINES = 3,
    MAX_LINES = 10000,
    LINE_BYTES = 4096, /* that are read for each line: one may be as long as the text */
};

/* `passage` is first, so that it is what the caller frees. */
struct kept_passage {
    rag_passage passage;
    struct stored_passage stored;
};

/* ---- Surroundings ---- */

/* Where the last `lines` lines of a text begin, blank ones not counted. `cut`: the text begins
 * within another one, perhaps within a character. */
static size_t last_lines(const char *text, size_t size, size_t lines, bool cut)
{
    size_t found = size;
    for (size_t at = size; lines && at > 0;) {
        size_t end = at - (text[at - 1] == '\n'), begin = end;
        while (begin > 0 && text[begin - 1] != '\n')
            begin--;
        if (!is_blank(text, begin, end)) {
            found = begin;
            lines--;
        }
        at = begin;
    }
    while (cut && found < size && ((unsigned char)text[found] & 0xc0) == 0x80)
        found++;
    return found;
}

/* Where the first `lines` lines of a text end, likewise. */
static size_t first_lines(const char *text, size_t size, size_t lines)
{
    size_t found = 0;
    for (size_t at = 0; lines && at < size;) {
        size_t end = line_end(text, size, at);
        if (!is_blank(text, at, end)) {
            found = end;
            lines--;
        }
        at = end + 1;
    }
    return utf8_valid_prefix(text, found); /* the last character may be cut off */
}

static size_t lines_of(size_t option)
{
    return option == RAG_AUTO ? DEFAULT_LINES : option;
}

/* ---- The file ---- */

/* The bytes decide where the time of change is another one. A source under an absolute path has
 * a hash that no file has. */
static rag_file_state judge_file(const char *path, const struct store_file *known)
{
    struct stat st;
    struct hash hash;
    if (*path != '/')
        return RAG_FILE_NONE;
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return RAG_FILE_GONE;
    if ((uint64_t)st.st_size != known->size)
        return RAG_FILE_CHANGED;
    if (file_modified(&st) == known->modified)
        return RAG_FILE_SAME;
    if (hash_file(path, &hash, NULL))
        return RAG_FILE_GONE;
    return memcmp(&hash, &known->hash, sizeof hash) == 0 ? RAG_FILE_SAME : RAG_FILE_CHANGED;
}

/* ---- Passages ---- */

static rag_passage passage_of_stored(const struct stored_passage *stored, size_t before,
                                     size_t after)
{
    bool cut = stored->before_size < stored->chunk.begin;
    size_t begin = last_lines(stored->before, stored->before_size, before, cut);
    size_t end = first_lines(stored->after, stored->after_size, after);
    return (rag_passage){.chunk_id = stored->chunk.chunk_id,
                         .chunk = chunk_of_stored(&stored->chunk),
                         .before = {stored->before + begin, stored->before_size - begin},
                         .after = {stored->after, end},
                         .format = stored->format,
                         .metadata = stored->chunk.metadata,
                         .collection = stored->chunk.collection,
                         .is_text = format_is_text(stored->format),
                         .file = judge_file(stored->chunk.path, &stored->file)};
}

static rag_status check_passage_options(const rag_passage_options *options, rag_error *error)
{
    rag_status status = CHECK_OPTIONS(options, error);
    if (!status &&
        (lines_of(options->before) > MAX_LINES || lines_of(options->after) > MAX_LINES))
        status = fail_with(error, RAG_USAGE, "at most %d lines can be shown around a passage",
                           MAX_LINES);
    return status;
}

static rag_status fail_unknown(const rag_index *index, int64_t id, rag_error *error)
{
    return fail_with(error, RAG_NOT_FOUND,
                     "%s: there is no chunk %lld%s%s; its document may have changed since: "
                     "search again",
                     index->path, (long long)id,
                     index->options.collection ? " in the collection " : "",
                     index->options.collection ? index->options.collection : "");
}

static bool is_outside(const rag_index *index, const char *collection)
{
    return index->options.collection && strcmp(index->options.collection, collection) != 0;
}

static rag_status get_passage(rag_index *index, int64_t id, const rag_passage_options *options,
                              rag_passage **out, rag_error *error)
{
    size_t before = lines_of(options->before), after = lines_of(options->after);
    struct kept_passage *kept = alloc_zeroed(1, sizeof *kept);
    if (!kept)
        return fail_memory(error);
    rag_status status = index->store
                            ? store_get_passage(index->store, id, before * LINE_BYTES,
                                                after * LINE_BYTES, &kept->stored, error)
                            : RAG_NOT_FOUND;
    if (status == RAG_NOT_FOUND ||
        (!status && is_outside(index, kept->stored.chunk.collection)))
        status = fail_unknown(index, id, error);
    if (status) {
        rag_passage_free(&kept->passage);
        return status;
    }
    kept->passage = passage_of_stored(&kept->stored, before, after);
    *out = &kept->passage;
    return RAG_OK;
}

/* A document's name is looked for as it is, then as a path. */
static rag_status find_chunk(rag_index *index, const char *document, uint32_t line, int64_t *id,
                             rag_error *error)
{
    const char *collection = index->options.collection;
    char *absolute = NULL;
    bool known = false;
    if (!*document)
        return fail_with(error, RAG_USAGE, "an empty name is no document's");
    rag_status status = path_absolute(document, &absolute, error);
    if (!status && index->store)
        status = store_find_chunk(index->store, collection, document, line, &known, id, error);
    if (!status && index->store && !known)
        status = store_find_chunk(index->store, collection, absolute, line, &known, id, error);
    free(absolute);
    if (!status && !known)
        status = fail_with(error, RAG_NOT_FOUND,
                           "%s: there is no document %s%s%s; it must be named as a search "
                           "names it",
                           index->path, document, collection ? " in the collection " : "",
                           collection ? collection : "");
    return status;
}

/* The passage of a chunk; document: NULL, or that of whose line it is, whatever the id. */
static rag_status open_passage(rag_index *index, const char *document, uint32_t line,
                               int64_t id, const rag_passage_options *options,
                               rag_passage **passage, rag_error *error)
{
    static const rag_passage_options defaults = RAG_PASSAGE_OPTIONS_INIT;
    if (!options)
        options = &defaults;
    *passage = NULL;
    pthread_mutex_lock(&index->lock);
    rag_status status = check_passage_options(options, error);
    if (!status)
        status = index_look(index, error);
    if (!status && document)
        status = find_chunk(index, document, line, &id, error);
    if (!status)
        status = get_passage(index, id, options, passage, error);
    pthread_mutex_unlock(&index->lock);
    return status;
}

rag_status rag_index_get_passage(rag_index *index, int64_t chunk_id,
                                 const rag_passage_options *options, rag_passage **passage,
                                 rag_error *error)
{
    return open_passage(index, NULL, 0, chunk_id, options, passage, error);
}

rag_status rag_index_find_passage(rag_index *index, const char *document, uint32_t line,
                                  const rag_passage_options *options, rag_passage **passage,
                                  rag_error *error)
{
    return open_passage(index, document, line, 0, options, passage, error);
}

void rag_passage_free(rag_passage *passage)
{
    struct kept_passage *kept = (struct kept_passage *)passage;
    if (!kept)
        return;
    stored_passage_release(&kept->stored);
    free(kept);
}
