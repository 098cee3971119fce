#include "store/lexical.h"
#include "base/memory.h"
#include "store/hidden.h"
#include "store/question.h"
#include "store/scored.h"
#include "store/word_counts.h"
#include "text/utf8.h"
#include "text/words.h"

enum {
    FINGERPRINT_LAST = 0x1ffff, /* code points that the fingerprint covers */
};

struct lexical {
    fts5_tokenizer tokenizer;
    struct chunk_lengths lengths;
    struct word_counts counts;
};

/* ---- Tokenizer ---- */

typedef int token_fn(void *context, int flags, const char *token, int size, int begin, int end);

struct emission {
    token_fn *emit;
    void *context;
    int code;
};

static int emit_word(const struct word *word, void *user)
{
    struct emission *emission = user;
    emission->code =
        emission->emit(emission->context, word->colocated ? FTS5_TOKEN_COLOCATED : 0,
                       word->term, (int)word->size, (int)word->begin, (int)word->end);
    return emission->code != SQLITE_OK;
}

static int tokenize(Fts5Tokenizer *tokenizer, void *context, int flags, const char *text,
                    int size, token_fn *emit)
{
    (void)tokenizer;
    if (!text || size <= 0)
        return SQLITE_OK;
    /* A question's terms come one by one and folded already (question.c). */
    if (flags & FTS5_TOKENIZE_QUERY)
        return emit(context, 0, text, size, 0, size);
    struct emission emission = {.emit = emit, .context = context, .code = SQLITE_OK};
    if (words_each((rag_text){text, (size_t)size}, emit_word, &emission) == WORDS_NO_MEMORY &&
        emission.code == SQLITE_OK)
        return SQLITE_NOMEM;
    return emission.code;
}

static int tokenizer_create(void *context, const char **arguments, int count,
                            Fts5Tokenizer **out)
{
    (void)arguments;
    *out = context; /* it has no state: any pointer that is not NULL will do */
    return count ? SQLITE_ERROR : SQLITE_OK;
}

static void tokenizer_delete(Fts5Tokenizer *tokenizer)
{
    (void)tokenizer;
}

static int hash_word(const struct word *word, void *user)
{
    char flag = word->colocated ? 2 : 1;
    hasher_update(user, &flag, 1);
    hasher_update(user, word->term, word->size);
    return 0;
}

static rag_status take_fingerprint(struct hash *out, rag_error *error)
{
    static const char samples[] =
        " DotProductAttention attention_mechanism parseHTML5 v2.10 "
        "e-mail na\xc3\xafve C++ C++17 a++b C#. 3,14 1,000 2024-01-15 "
        "\xe6\xb3\xa8\xe2\x80\x8b\xe6\x84\x8f ";
    struct buf text = BUF_INIT(4 * (FINGERPRINT_LAST + 1) + sizeof samples);
    struct hasher *hasher = NULL;
    rag_status status = RAG_OK;
    if (!buf_append_text(&text, samples)) {
        status = fail_memory(error);
        goto out;
    }
    for (int32_t code = 0; code <= FINGERPRINT_LAST; code++) {
        char bytes[4];
        if (code >= 0xd800 && code <= 0xdfff)
            continue;
        if (!buf_append(&text, bytes, utf8_encode(code, bytes))) {
            status = fail_memory(error);
            goto out;
        }
    }
    status = hasher_new(&hasher, error);
    if (!status && words_each((rag_text){text.data, text.size}, hash_word, hasher) != 0)
        status = fail_memory(error);
out:
    if (hasher)
        hasher_finish(hasher, status ? NULL : out);
    buf_release(&text);
    return status;
}

rag_status lexical_fingerprint(struct hash *out, rag_error *error)
{
    /* It takes some 20 ms, and is the same for every store of a process. */
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static struct hash kept;
    static bool known;
    pthread_mutex_lock(&lock);
    rag_status status = known ? RAG_OK : take_fingerprint(&kept, error);
    known = !status;
    *out = kept;
    pthread_mutex_unlock(&lock);
    return status;
}

rag_status lexical_is_current(struct store *store, struct hash *now, bool *current,
                              rag_error *error)
{
    sqlite3_stmt *statement;
    bool row;
    *current = false;
    rag_status status = lexical_fingerprint(now, error);
    if (status)
        return status;
    status = db_prepare(store, &statement, "SELECT words_hash=? FROM state", error);
    if (!status)
        status =
            db_bind(store, statement, error, "b", (const void *)now->bytes, sizeof now->bytes);
    if (!status)
        status = db_step(store, statement, &row, error);
    if (!status)
        *current = row && sqlite3_column_int(statement, 0);
    db_finish(store, statement);
    return status;
}

/* ---- How often a phrase stands in a chunk ---- */

static void count_phrase(const Fts5ExtensionApi *api, Fts5Context *fts,
                         sqlite3_context *context, int argument_count, sqlite3_value **values)
{
    (void)argument_count;
    (void)values;
    Fts5PhraseIter iterator;
    int column, offset, count = 0;
    int code = api->xPhraseFirst(fts, 0, &iterator, &column, &offset);
    for (; code == SQLITE_OK && column >= 0; api->xPhraseNext(fts, &iterator, &column, &offset))
        count++;
    if (code == SQLITE_OK)
        sqlite3_result_int(context, count);
    else
        sqlite3_result_error_code(context, code);
}

/* ---- Registration ---- */

static fts5_api *find_api(sqlite3 *db)
{
    fts5_api *api = NULL;
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(db, "SELECT fts5(?)", -1, &statement, NULL) == SQLITE_OK) {
        sqlite3_bind_pointer(statement, 1, &api, "fts5_api_ptr", NULL);
        sqlite3_step(statement);
    }
    sqlite3_finalize(statement);
    return api;
}

rag_status lexical_attach(sqlite3 *db, struct lexical **out, rag_error *error)
{
    fts5_api *api = find_api(db);
    if (!api || api->iVersion < 2)
        return fail_with(error, RAG_INTERNAL, "this SQLite (%s) was built without FTS5",
                         sqlite3_libversion());
    struct lexical *lexical = calloc(1, sizeof *lexical);
    if (!lexical)
        return fail_memory(error);
    lexical->tokenizer = (fts5_tokenizer){tokenizer_create, tokenizer_delete, tokenize};
    if (api->xCreateTokenizer(api, "rag_words", lexical, &lexical->tokenizer, NULL) !=
            SQLITE_OK ||
        api->xCreateFunction(api, "rag_count", lexical, count_phrase, NULL) != SQLITE_OK) {
        free(lexical);
        return fail_memory(error);
    }
    *out = lexical;
    return RAG_OK;
}

void lexical_free(struct lexical *lexical)
{
    if (lexical) {
        chunk_lengths_release(&lexical->lengths);
        word_counts_release(&lexical->counts);
    }
    free(lexical);
}

/* ---- Search ---- */

/* A question on its way: the units of what it asks for, as far as there are chunks with them.
 */
struct asked {
    struct word_index index;
    struct unit units[QUESTION_MAX_ITEMS];
    size_t count;
    double ceiling;
};

/* All chunks that an expression of FTS5's matches, and how often. */
static rag_status list_matches(struct store *store, rag_text expression, struct unit *unit,
                               rag_error *error)
{
    sqlite3_stmt *statement;
    size_t capacity = 0;
    rag_status status = db_prepare(store, &statement,
                                   "SELECT rowid, rag_count(words) FROM words "
                                   "WHERE words MATCH ? ORDER BY rowid",
                                   error);
    if (!status)
        status = db_bind(store, statement, error, "s", (const void *)expression.data,
                         expression.size);
    while (!status) {
        bool row;
        if (!array_reserve(&unit->list, &capacity, unit->list_count + 1, sizeof *unit->list))
            status = fail_memory(error);
        if (!status)
            status = db_step(store, statement, &row, error);
        if (status || !row)
            break;
        unit->list[unit->list_count++] =
            (struct posting){.chunk = sqlite3_column_int64(statement, 0),
                             .count = (uint32_t)sqlite3_column_int(statement, 1)};
    }
    db_finish(store, statement);
    unit->chunks = unit->list_count;
    return status;
}

/* The postings of a word; where their number is not known they are counted first. */
static rag_status open_word(struct store *store, struct word_index *index, rag_text word,
                            struct unit *unit, rag_error *error)
{
    struct word_counts *counts = &store->lexical->counts;
    bool known = word_counts_find(counts, word, &unit->chunks);
    if (known && !unit->chunks)
        return RAG_OK;
    rag_status status = postings_open(index, word, &unit->postings, error);
    if (status || known)
        return status;
    status = postings_count(&unit->postings, &unit->chunks, error);
    if (!status && !word_counts_add(counts, word, unit->chunks))
        status = fail_memory(error);
    postings_close(&unit->postings);
    if (!status && unit->chunks)
        status = postings_open(index, word, &unit->postings, error);
    return status;
}

/* Units that no chunk has count for the ceiling, and a phrase that is required for all. */
static rag_status open_units(struct store *store, const struct question *question,
                             struct asked *asked, rag_error *error)
{
    for (size_t i = 0; i < question->count; i++) {
        const struct wanted *wanted = &question->items[i];
        struct unit *unit = &asked->units[asked->count];
        rag_text text = wanted_text(question, wanted);
        unit->role = wanted->role;
        rag_status status = wanted->kind == WANTED_WORD
                                ? open_word(store, &asked->index, text, unit, error)
                                : list_matches(store, text, unit, error);
        asked->count += status || unit->chunks || unit->role == UNIT_REQUIRED;
        if (status)
            return status;
        unit->idf = unit_idf(unit->chunks, asked->index.rows);
        if (unit->role != UNIT_EXCLUDED)
            asked->ceiling += unit->idf;
        if (!unit->chunks && unit->role != UNIT_REQUIRED)
            unit_release(unit);
    }
    return RAG_OK;
}

static rag_status rank(struct store *store, const struct question *question,
                       struct asked *asked, size_t k, const struct id_ranges *within,
                       struct scored_list *out, rag_error *error)
{
    struct lexical *lexical = store->lexical;
    struct id_ranges visible = {0};
    rag_status status = chunk_lengths_begin(store, &lexical->lengths, error);
    if (!status && !within)
        status = visible_chunks(store, &visible, &within, error);
    if (!status)
        status = word_counts_begin(store, &lexical->counts, error);
    if (!status)
        status = word_index_open(store, &asked->index, error);
    if (!status)
        status = open_units(store, question, asked, error);
    if (!status && !scored_list_reserve(out, k, (size_t)asked->index.rows))
        status = fail_memory(error);
    if (!status)
        status = rank_units(&asked->index, &lexical->lengths, asked->units, asked->count,
                            within, out, error);
    for (size_t i = 0; i < asked->count; i++)
        unit_release(&asked->units[i]);
    word_index_close(&asked->index);
    id_ranges_release(&visible);
    for (size_t i = 0; i < out->count && !status; i++)
        out->items[i].share /= asked->ceiling;
    if (!status)
        scored_list_sort(out);
    return status;
}

static rag_status search(struct store *store, const struct question *question, size_t k,
                         const struct id_ranges *within, struct scored_list *out,
                         double *ceiling, rag_error *error)
{
    struct asked *asked = calloc(1, sizeof *asked);
    if (!asked)
        return fail_memory(error);
    store_lock(store);
    rag_status status = db_begin(store, DB_READ, error);
    if (!status)
        status = db_end(store, rank(store, question, asked, k, within, out, error), error);
    store_unlock(store);
    if (ceiling && !status && asked->count)
        *ceiling = asked->ceiling;
    free(asked);
    return status;
}

static rag_status search_text(struct store *store, rag_text text, bool operators, size_t k,
                              const struct id_ranges *within, struct scored_list *out,
                              double *ceiling, rag_error *error)
{
    struct question *question;
    *out = (struct scored_list){0};
    if (ceiling)
        *ceiling = 0;
    rag_status status = question_read(text, operators, &question, error);
    if (!status && question->count && k && (!within || within->count))
        status = search(store, question, k, within, out, ceiling, error);
    if (status)
        scored_list_release(out);
    question_free(question);
    return status;
}

rag_status store_search_lexical(struct store *store, rag_text question, size_t k,
                                const struct id_ranges *within, struct scored_list *out,
                                double *ceiling, rag_error *error)
{
    return search_text(store, question, false, k, within, out, ceiling, error);
}

rag_status store_search_query(struct store *store, rag_text query, size_t k,
                              const struct id_ranges *within, struct scored_list *out,
                              double *ceiling, rag_error *error)
{
    return search_text(store, query, true, k, within, out, ceiling, error);
}
