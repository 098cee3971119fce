#include "store/script.h"

#include "base/buf.h"

#include <sqlite3.h>
#include <stdlib.h>

enum { MAX_CHUNKS = 64, MAX_TEXT = 1 << 17 };

/* ---- Documents ---- */

static const char *const paths[SCRIPT_PATHS] = {"/a", "/b", "/c", "/folder/d", "/folder/e"};

/* The path of this number has as many chunks of so many bytes: few and short, but for one
 * whose text and vectors spread over pages. */
static const struct {
    size_t chunks, bytes;
} shapes[SCRIPT_PATHS] = {{3, 40}, {12, 1800}, {1, 10}, {2, 90}, {0, 0}};

struct made {
    char path[16], metadata[64];
    struct buf text;
    struct store_chunk chunks[MAX_CHUNKS];
    float vectors[MAX_CHUNKS][DIMENSION];
    char headings[MAX_CHUNKS][32];
    size_t count;
};

static struct buf words_of(size_t path, unsigned version, size_t chunk, size_t bytes)
{
    struct buf line = BUF_INIT(MAX_TEXT);
    unsigned random = (unsigned)(path * 977 + version * 131 + chunk * 17 + 1);
    while (line.size < bytes) {
        random = random * 1664525u + 1013904223u;
        assert_true(buf_printf(&line, "%sw%u %s", line.size ? " " : "", random >> 24,
                               random & 1024 ? "\xe5\xad\x97\xe8\xaf\x8d" : "text"));
    }
    return line;
}

static struct made *make(size_t path, unsigned version)
{
    struct made *made = calloc(1, sizeof *made);
    assert_non_null(made);
    made->text = BUF_INIT(MAX_TEXT);
    made->count = shapes[path].chunks ? shapes[path].chunks + version : 0;
    snprintf(made->path, sizeof made->path, "%s", paths[path]);
    snprintf(made->metadata, sizeof made->metadata, "{\"version\": %u}", version);
    for (size_t i = 0; i < made->count; i++) {
        struct buf line = words_of(path, version, i, shapes[path].bytes);
        size_t begin = made->text.size;
        assert_true(buf_append(&made->text, line.data, line.size));
        unit_vector((unsigned)(path * 1000 + version * 100 + i), made->vectors[i]);
        snprintf(made->headings[i], sizeof made->headings[i], "Part %zu > %u", i, version);
        made->chunks[i] = (struct store_chunk){
            .begin = begin,
            .end = made->text.size,
            .line = (uint32_t)i + 1,
            .last_line = (uint32_t)i + 1,
            .tokens = 1 + i,
            .heading = made->headings[i],
            .hash = text_hash(line.data, line.size),
            .vector = made->vectors[i],
        };
        assert_true(buf_append_char(&made->text, '\n'));
        buf_release(&line);
    }
    return made;
}

/* Each is made once: what a test compares with must cost it little. */
static const struct made *document(size_t path, unsigned version)
{
    enum { VERSIONS = 4 };
    static struct made *kept[SCRIPT_PATHS][VERSIONS];
    assert_true(version < VERSIONS);
    if (!kept[path][version])
        kept[path][version] = make(path, version);
    return kept[path][version];
}

static struct store_document head_of(const struct made *made, unsigned version)
{
    return (struct store_document){
        .path = made->path,
        .format = "text",
        .hash = text_hash(made->text.data, made->text.size),
        .size = made->text.size,
        .modified = version,
        .text = {made->text.data, made->text.size},
        .metadata = made->metadata,
    };
}

static rag_status put(struct store *store, size_t path, unsigned version, rag_error *error)
{
    const struct made *made = document(path, version);
    struct store_document head = head_of(made, version);
    return store_put(store, &head, made->chunks, made->count, error);
}

/* The first half of a document's chunks in a stretch that goes on for two bytes, and the
 * second.
 */
static rag_status add_halves(const struct made *made, struct store_growing *growing,
                             size_t halves, rag_error *error)
{
    enum { BEYOND = 2 };
    size_t half = made->count / 2, middle = made->chunks[half].begin;
    rag_text text = {made->text.data, made->text.size};
    rag_status status = store_grow_add(growing, (rag_text){text.data, middle + BEYOND}, BEYOND,
                                       made->chunks, half, error);
    return status || halves < 2
               ? status
               : store_grow_add(growing, (rag_text){text.data + middle, text.size - middle}, 0,
                                made->chunks + half, made->count - half, error);
}

/* The same stretch by stretch; halves 1: it is left unfinished. */
static rag_status grow(struct store *store, size_t path, unsigned version, size_t halves,
                       rag_error *error)
{
    const struct made *made = document(path, version);
    struct store_document head = head_of(made, version);
    struct store_growing *growing;
    rag_status status = store_grow_begin(store, &head, made->count, &growing, error);
    if (!status)
        status = add_halves(made, growing, halves, error);
    if (!status && halves == 2)
        status = store_grow_finish(growing, error);
    store_grow_free(growing);
    return status;
}

static rag_status compact(struct store *store, rag_error *error)
{
    struct events events = {0};
    struct store_compaction compaction;
    return store_compact(store, &events, &compaction, error);
}

/* What the index holds that takes this one's place; nothing else is left. */
static const struct {
    size_t path;
    unsigned version;
} replaced[] = {{0, 3}, {3, 2}};
enum { REPLACED = sizeof replaced / sizeof *replaced };

/* Its journal first, which must not meet another file. */
static rag_status remove_next(const char *next, rag_error *error)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    char journal[64];
    snprintf(journal, sizeof journal, "%s-journal", next);
    const char *const both[] = {journal, next};
    for (size_t i = 0; i < 2; i++) {
        int code = vfs->xDelete(vfs, both[i], 1);
        if (code != SQLITE_OK && code != SQLITE_IOERR_DELETE_NOENT)
            return fail_with(error, RAG_INDEX, "%s: not removed", both[i]);
    }
    return RAG_OK;
}

static rag_status fill_next(struct store *next, const struct store_state *state,
                            rag_error *error)
{
    rag_status status = store_begin_behind(next, state, error);
    if (!status)
        status = store_set_recipe(next, &fixture_recipe, error);
    for (size_t i = 0; !status && i < REPLACED; i++)
        status = put(next, replaced[i].path, replaced[i].version, error);
    return status;
}

/* Another index is made and takes the place of this one. */
static rag_status replace(struct store *store, rag_error *error)
{
    static const char path[] = "/fault/index.rag-next";
    struct events events = {0};
    struct store *next = NULL;
    struct store_state state;
    bool stale = false;
    rag_status status = store_get_state(store, &state, error);
    if (status)
        return status;
    status = remove_next(path, error);
    if (!status)
        status = store_open(path, true, &next, error);
    if (!status)
        status = fill_next(next, &state, error);
    if (!status)
        status = store_write_over(store, next, &state, &events, &stale, error);
    store_close(next);
    store_state_release(&state);
    assert_false(stale);
    return status;
}

/* ---- Steps ---- */

enum action { OPEN, RECIPE, PUT, GROW, LEAVE, REMOVE, TOUCH, COMPACT, REPLACE };

static const struct step {
    const char *name;
    enum action action;
    size_t path;
    unsigned version;
} steps[] = {
    {"making the file", OPEN, 0, 0},
    {"writing the recipe", RECIPE, 0, 0},
    {"the first document", PUT, 0, 1},
    {"a long document", PUT, 1, 1},
    {"another document", PUT, 2, 1},
    {"an update", PUT, 0, 2},
    {"a removal", REMOVE, 2, 0},
    {"a document that grows in the place of the long one", GROW, 1, 3},
    {"one that is left unfinished", LEAVE, 3, 2},
    {"a document without chunks", PUT, 4, 1},
    {"a document into freed pages", PUT, 3, 1},
    {"a new time of change", TOUCH, 3, 0},
    {"the removal of the long document", REMOVE, 1, 0},
    {"a compaction", COMPACT, 0, 0},
    {"another index in its place", REPLACE, 0, 0},
    {"the long document again", PUT, 1, 2},
};

size_t script_steps(void)
{
    return sizeof steps / sizeof *steps;
}

const char *script_name(size_t step)
{
    return steps[step].name;
}

struct script_state script_before(size_t step)
{
    struct script_state state = {{SCRIPT_ABSENT}};
    for (size_t i = 0; i < step; i++) {
        if (steps[i].action == PUT || steps[i].action == GROW || steps[i].action == REMOVE)
            state.version[steps[i].path] = steps[i].version;
        if (steps[i].action == REPLACE) {
            state = (struct script_state){{SCRIPT_ABSENT}};
            for (size_t j = 0; j < REPLACED; j++)
                state.version[replaced[j].path] = replaced[j].version;
        }
    }
    return state;
}

bool script_equal(const struct script_state *a, const struct script_state *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

rag_status script_run(size_t step, const char *path, struct store **store, rag_error *error)
{
    const struct step *what = &steps[step];
    switch (what->action) {
    case OPEN:
        return store_open(path, true, store, error);
    case RECIPE:
        return store_set_recipe(*store, &fixture_recipe, error);
    case PUT:
        return put(*store, what->path, what->version, error);
    case GROW:
        return grow(*store, what->path, what->version, 2, error);
    case LEAVE:
        return grow(*store, what->path, what->version, 1, error);
    case REMOVE:
        return store_remove(*store, NULL, &paths[what->path], 1, NULL, error);
    case TOUCH:
        return store_touch(*store, NULL, &(struct store_stamp){paths[what->path], 7, 77}, 1,
                           error);
    case COMPACT:
        return compact(*store, error);
    case REPLACE:
        return replace(*store, error);
    }
    return fail_with(error, RAG_INTERNAL, "no such step");
}

/* ---- Looking ---- */

struct looking {
    struct script_state state;
    struct store *store;
    const struct made *made;
    size_t chunks;
};

static int look_at_chunk(const struct stored_chunk *chunk, const float *vector, void *user)
{
    struct looking *looking = user;
    const struct made *made = looking->made;
    size_t i = looking->chunks++;
    assert_true(i < made->count);
    const struct store_chunk *put = &made->chunks[i];
    assert_int_equal(chunk->begin, put->begin);
    assert_int_equal(chunk->end, put->end);
    assert_int_equal(chunk->line, put->line);
    assert_int_equal(chunk->last_line, put->last_line);
    assert_int_equal(chunk->tokens, put->tokens);
    assert_string_equal(chunk->heading, put->heading);
    assert_memory_equal(chunk->text, made->text.data + put->begin, chunk->text_size);
    assert_memory_equal(vector, put->vector, DIMENSION * sizeof *vector);
    return 0;
}

static size_t number_of(const char *path)
{
    size_t number = 0;
    while (number < SCRIPT_PATHS && strcmp(paths[number], path) != 0)
        number++;
    assert_true(number < SCRIPT_PATHS);
    return number;
}

static int look_at_document(const char *path, void *user)
{
    struct looking *looking = user;
    rag_error error;
    struct stored_document found;
    unsigned version = 0;
    size_t number = number_of(path);
    assert_ok(store_get_document(looking->store, NULL, path, true, &found, &error), &error);
    assert_int_equal(sscanf(found.metadata, "{\"version\": %u}", &version), 1);
    const struct made *made = looking->made = document(number, version);
    looking->state.version[number] = version;
    assert_string_equal(found.metadata, made->metadata);
    assert_int_equal(found.text_size, made->text.size);
    if (found.text_size)
        assert_memory_equal(found.text, made->text.data, found.text_size);
    assert_int_equal(found.chunks, made->count);
    stored_document_release(&found);
    looking->chunks = 0;
    assert_ok(store_each_chunk(looking->store, NULL, path, look_at_chunk, looking, &error),
              &error);
    assert_int_equal(looking->chunks, made->count);
    return 0;
}

struct script_state script_look(struct store *store)
{
    rag_error error;
    struct looking looking = {.store = store};
    assert_whole(store);
    assert_ok(store_each_document(store, NULL, NULL, look_at_document, &looking, &error),
              &error);
    return looking.state;
}
