/* What an index was made with. */
#include "store/hidden.h"

#include <stdio.h>
#include <string.h>

enum { CHUNKER_NAME = 32 };

static const char *chunker_name(rag_chunker chunker)
{
    return chunker == RAG_CHUNKER_WINDOW ? "window" : "structure";
}

static bool copy_text(sqlite3_stmt *statement, int column, char *to, size_t capacity)
{
    rag_text text = db_column(statement, column);
    if (text.size >= capacity || (text.size && memchr(text.data, 0, text.size)))
        return false;
    if (text.size)
        memcpy(to, text.data, text.size);
    to[text.size] = 0;
    return true;
}

static bool copy_size(sqlite3_stmt *statement, int column, size_t maximum, size_t *to)
{
    int64_t value = sqlite3_column_int64(statement, column);
    *to = (size_t)value;
    return value >= 0 && (uint64_t)value <= maximum;
}

/* Behind the chunker's name, what is embedded before its chunks, if it is not the heading path.
 */
static const char *context_suffix(rag_context context)
{
    return context == RAG_CONTEXT_NONE       ? "/none"
           : context == RAG_CONTEXT_DOCUMENT ? "/document"
                                             : "";
}

static void name_chunker(const struct store_recipe *recipe, char name[CHUNKER_NAME])
{
    snprintf(name, CHUNKER_NAME, "%s%s", chunker_name(recipe->chunker),
             context_suffix(recipe->context));
}

/* False: there is no such name. */
static bool parse_chunker(const char *name, struct store_recipe *out)
{
    static const rag_chunker chunkers[] = {RAG_CHUNKER_STRUCTURE, RAG_CHUNKER_WINDOW};
    static const rag_context contexts[] = {RAG_CONTEXT_HEADING, RAG_CONTEXT_NONE,
                                           RAG_CONTEXT_DOCUMENT};
    for (size_t i = 0; i < sizeof chunkers / sizeof *chunkers; i++)
        for (size_t j = 0; j < sizeof contexts / sizeof *contexts; j++) {
            char known[CHUNKER_NAME];
            out->chunker = chunkers[i];
            out->context = contexts[j];
            name_chunker(out, known);
            if (strcmp(known, name) == 0)
                return true;
        }
    return false;
}

static bool parse(sqlite3_stmt *statement, struct store_recipe *out)
{
    char chunker[CHUNKER_NAME];
    if (!copy_text(statement, 0, out->model, sizeof out->model) ||
        !copy_text(statement, 1, out->model_identity, sizeof out->model_identity) ||
        !copy_size(statement, 2, STORE_MAX_DIMENSION, &out->dimension) || !out->dimension ||
        !copy_text(statement, 3, chunker, sizeof chunker) ||
        !copy_size(statement, 4, STORE_MAX_TEXT, &out->max_tokens) ||
        !copy_size(statement, 5, STORE_MAX_TEXT, &out->overlap))
        return false;
    return parse_chunker(chunker, out);
}

rag_status recipe_read(struct store *store, struct store_recipe *out, bool *present,
                       rag_error *error)
{
    *out = (struct store_recipe){0};
    *present = false;
    sqlite3_stmt *statement;
    rag_status status = db_prepare(store, &statement,
                                   "SELECT model, model_identity, dimension, chunker, "
                                   "max_tokens, overlap FROM recipe",
                                   error);
    if (!status)
        status = db_step(store, statement, present, error);
    if (!status && *present && !parse(statement, out))
        status = fail_with(error, RAG_INDEX,
                           "%s: the recipe in it makes no sense; the file is damaged: restore "
                           "it from a copy, or remove it and index again",
                           store->path);
    db_finish(store, statement);
    return status;
}

void store_expect_recipe(struct store *store, const struct store_recipe *recipe)
{
    store_lock(store);
    store->expects = recipe != NULL;
    store->checked = false;
    if (recipe)
        store->expected = *recipe;
    store_unlock(store);
}

static rag_status fail_reindexed(struct store *store, const struct store_recipe *now,
                                 rag_error *error)
{
    return fail_with(
        error, RAG_INDEX_MISMATCH,
        "%s: it was re-indexed meanwhile, with the model %s and chunks by %s of at "
        "most %zu tokens; do this again, or open it again",
        store->path, now->model, chunker_name(now->chunker), now->max_tokens);
}

/* The count of changes is a read of four bytes, which a recipe of some 20 us stands behind. */
rag_status recipe_check(struct store *store, rag_error *error)
{
    struct store_recipe now;
    bool present;
    uint32_t changes;
    if (!store->expects)
        return RAG_OK;
    rag_status status = db_changes(store, &changes, error);
    if (status || (store->checked && changes == store->checked_changes))
        return status;
    status = recipe_read(store, &now, &present, error);
    if (!status && present && !store_same_recipe(&now, &store->expected))
        status = fail_reindexed(store, &now, error);
    store->checked = !status;
    store->checked_changes = changes;
    return status;
}

rag_status store_get_recipe(struct store *store, struct store_recipe *out, bool *present,
                            rag_error *error)
{
    store_lock(store);
    rag_status status = recipe_read(store, out, present, error);
    store_unlock(store);
    return status;
}

bool store_same_recipe(const struct store_recipe *a, const struct store_recipe *b)
{
    return strcmp(a->model_identity, b->model_identity) == 0 && a->dimension == b->dimension &&
           a->chunker == b->chunker && a->max_tokens == b->max_tokens &&
           a->overlap == b->overlap &&
           strcmp(context_suffix(a->context), context_suffix(b->context)) == 0;
}

/* RAG_OK: the recipe that is there, if any, may be written over. *stays: it is the same. */
static rag_status judge(struct store *store, const struct store_recipe *recipe, bool *stays,
                        int64_t *hidden, rag_error *error)
{
    struct store_recipe old;
    bool present;
    int64_t documents = 0;
    *stays = false;
    *hidden = 0;
    rag_status status = recipe_read(store, &old, &present, error);
    if (!status)
        status = db_integer(store, "SELECT count(*) FROM documents", 0, &documents, error);
    if (!status)
        status = db_integer(store, "SELECT count(*) FROM unfinished", 0, hidden, error);
    if (status || !present || !documents)
        return status;
    *stays = store_same_recipe(&old, recipe);
    if (*stays || documents == *hidden)
        return RAG_OK;
    if (strcmp(old.model_identity, recipe->model_identity) != 0)
        return fail_with(error, RAG_INDEX_MISMATCH,
                         "%s: made with the model %s (%.12s), not with %s (%.12s), and their "
                         "vectors cannot be compared; use --model %s, or make a new index with "
                         "--index",
                         store->path, old.model, old.model_identity, recipe->model,
                         recipe->model_identity, old.model);
    char name[CHUNKER_NAME];
    name_chunker(&old, name);
    return fail_with(error, RAG_INDEX_MISMATCH,
                     "%s: made with chunks by %s of at most %zu tokens and overlap %zu; use "
                     "the same, or make a new index with --index",
                     store->path, name, old.max_tokens, old.overlap);
}

static rag_status write(struct store *store, const struct store_recipe *recipe,
                        rag_error *error)
{
    sqlite3_stmt *statement;
    char chunker[CHUNKER_NAME];
    name_chunker(recipe, chunker);
    rag_status status = db_prepare(
        store, &statement, "INSERT OR REPLACE INTO recipe VALUES(1, ?, ?, ?, ?, ?, ?)", error);
    if (!status)
        status = db_run(store, statement, error, "ttitii", recipe->model,
                        recipe->model_identity, (int64_t)recipe->dimension, chunker,
                        (int64_t)recipe->max_tokens, (int64_t)recipe->overlap);
    db_finish(store, statement);
    return status;
}

/* Vectors of what is unfinished are of the recipe that is there: another one has to wait until
 * they are taken out. *waits: they were given up. */
static rag_status set_recipe(struct store *store, const struct store_recipe *recipe,
                             bool *waits, rag_error *error)
{
    bool stays;
    int64_t hidden;
    rag_status status = judge(store, recipe, &stays, &hidden, error);
    *waits = !status && !stays && hidden;
    if (status || stays)
        return status;
    return *waits ? db_execute(store, "UPDATE unfinished SET collection=NULL, path=NULL", error)
                  : write(store, recipe, error);
}

rag_status store_set_recipe(struct store *store, const struct store_recipe *recipe,
                            rag_error *error)
{
    enum { ATTEMPTS = 2 };
    if (recipe->dimension == 0 || recipe->dimension > STORE_MAX_DIMENSION ||
        recipe->max_tokens > STORE_MAX_TEXT || recipe->overlap > STORE_MAX_TEXT)
        return fail_with(error, RAG_INTERNAL,
                         "a recipe with dimension %zu, max_tokens %zu, overlap %zu",
                         recipe->dimension, recipe->max_tokens, recipe->overlap);
    for (int i = 0; i < ATTEMPTS; i++) {
        bool waits = false;
        store_lock(store);
        rag_status status = db_begin(store, DB_WRITE, error);
        if (!status)
            status = db_end(store, set_recipe(store, recipe, &waits, error), error);
        store_unlock(store);
        if (status || !waits)
            return status;
        hidden_sweep(store);
    }
    return fail_with(error, RAG_INDEX_BUSY,
                     "%s: unfinished documents of another model cannot be taken out now; try "
                     "again, or make a new index with --index",
                     store->path);
}
