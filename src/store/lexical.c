#include "store/lexical.h"
#include "base/buf.h"
#include "base/memory.h"
#include "store/scored.h"
#include "store/sqlite.h"
#include "text/utf8.h"
#include "text/words.h"

#include <math.h>
#include <string.h>

/* BM25's parameters. K1 0.9 instead of the usual 1.2: nDCG@10 on xquad-zh, xquad-en,
 * cmrc2018-trial and drcd-dev rises by 0.0006 to 0.0009, 1.5 is lower on each, and B 0.4 with
 * it better on none. A smaller weight for single Han characters gains up to 0.0006 on two
 * sets and loses as much or more on drcd-dev, the largest. A term that a chunk of average
 * length holds once counts idf, so that the sum of all idf is the ceiling. */
static const double K1 = 0.9, B = 0.75;

enum {
    MAX_TERMS = 512,            /* distinct terms of one question; the rest is ignored */
    MAX_QUERY_BYTES = 64 << 10, /* of these terms */
    FINGERPRINT_LAST = 0x1ffff, /* code points that the fingerprint covers */
};

struct lexical {
    fts5_tokenizer tokenizer;
    /* Of the query in hand; `ready` once its first row was seen. */
    size_t terms;
    double idf[MAX_TERMS], ceiling, average;
    bool ready;
    const struct id_ranges *within; /* NULL: all chunks */
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
    /* A question's terms come one by one and folded already (expression_add). */
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
    static const char samples[] = " DotProductAttention attention_mechanism parseHTML5 v2.10 "
                                  "e-mail na\xc3\xafve C++ 3,14 ";
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
    /* It takes some milliseconds, and is the same for every store of a process. */
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
    sqlite3_finalize(statement);
    return status;
}

/* ---- BM25 ---- */

static int count_row(const Fts5ExtensionApi *api, Fts5Context *fts, void *user)
{
    (void)api;
    (void)fts;
    ++*(sqlite3_int64 *)user;
    return SQLITE_OK;
}

static int prepare(struct lexical *lexical, const Fts5ExtensionApi *api, Fts5Context *fts)
{
    sqlite3_int64 rows = 0, tokens = 0;
    int code = api->xRowCount(fts, &rows);
    if (code == SQLITE_OK)
        code = api->xColumnTotalSize(fts, -1, &tokens);
    lexical->average = rows > 0 && tokens > 0 ? (double)tokens / (double)rows : 1;
    lexical->ceiling = 0;
    for (size_t i = 0; i < lexical->terms && code == SQLITE_OK; i++) {
        sqlite3_int64 found = 0;
        code = api->xQueryPhrase(fts, (int)i, &found, count_row);
        double n = (double)rows, df = (double)(found < rows ? found : rows);
        lexical->idf[i] = log1p((n - df + 0.5) / (df + 0.5));
        lexical->ceiling += lexical->idf[i];
    }
    lexical->ready = code == SQLITE_OK;
    return code;
}

static int count_phrase(const Fts5ExtensionApi *api, Fts5Context *fts, int phrase, int *count)
{
    Fts5PhraseIter iterator;
    int column, offset;
    *count = 0;
    int code = api->xPhraseFirst(fts, phrase, &iterator, &column, &offset);
    for (; code == SQLITE_OK && column >= 0; api->xPhraseNext(fts, &iterator, &column, &offset))
        ++*count;
    return code;
}

static void bm25(const Fts5ExtensionApi *api, Fts5Context *fts, sqlite3_context *context,
                 int count, sqlite3_value **values)
{
    (void)count;
    (void)values;
    struct lexical *lexical = api->xUserData(fts);
    int length = 0;
    double score = 0;
    int code = lexical->ready ? SQLITE_OK : prepare(lexical, api, fts);
    if (code == SQLITE_OK)
        code = api->xColumnSize(fts, -1, &length);
    double norm = K1 * (1 - B + B * length / lexical->average);
    for (size_t i = 0; i < lexical->terms && code == SQLITE_OK; i++) {
        int tf;
        code = count_phrase(api, fts, (int)i, &tf);
        score += lexical->idf[i] * tf * (K1 + 1) / (tf + norm);
    }
    if (code == SQLITE_OK)
        sqlite3_result_double(context, score);
    else
        sqlite3_result_error_code(context, code);
}

/* rag_within(rowid): whether the search in hand may find this chunk. */
static void is_within(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    const struct lexical *lexical = sqlite3_user_data(context);
    sqlite3_result_int(context,
                       id_ranges_have(lexical->within, sqlite3_value_int64(values[0])));
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
        api->xCreateFunction(api, "rag_bm25", lexical, bm25, NULL) != SQLITE_OK ||
        sqlite3_create_function_v2(db, "rag_within", 1, SQLITE_UTF8 | SQLITE_DIRECTONLY,
                                   lexical, is_within, NULL, NULL, NULL) != SQLITE_OK) {
        free(lexical);
        return fail_memory(error);
    }
    *out = lexical;
    return RAG_OK;
}

void lexical_free(struct lexical *lexical)
{
    free(lexical);
}

/* ---- Search ---- */

struct expression {
    struct buf terms, text; /* the distinct terms one after another; FTS5's syntax */
    size_t ends[MAX_TERMS], count;
};

static bool expression_has(const struct expression *expression, const struct word *word)
{
    size_t begin = 0;
    for (size_t i = 0; i < expression->count; begin = expression->ends[i++])
        if (expression->ends[i] - begin == word->size &&
            memcmp(expression->terms.data + begin, word->term, word->size) == 0)
            return true;
    return false;
}

/* Every term is a quoted string with its quotes doubled, so that nothing in a question is
 * ever an operator. Returns 1 when no more terms fit. */
static int expression_add(const struct word *word, void *user)
{
    struct expression *expression = user;
    if (expression_has(expression, word) || memchr(word->term, 0, word->size))
        return 0;
    if (expression->count == MAX_TERMS ||
        !buf_append(&expression->terms, word->term, word->size))
        return 1;
    bool fits = buf_append_text(&expression->text, expression->count ? " OR \"" : "\"");
    for (size_t i = 0; i < word->size && fits; i++)
        fits = (word->term[i] != '"' || buf_append_char(&expression->text, '"')) &&
               buf_append_char(&expression->text, word->term[i]);
    expression->ends[expression->count++] = expression->terms.size;
    return fits && buf_append_char(&expression->text, '"') ? 0 : WORDS_NO_MEMORY;
}

/* The rows that may be found are told from the others before they are scored. */
static rag_status select_rows(struct store *store, const char *expression,
                              sqlite3_stmt **statement, rag_error *error)
{
    const struct id_ranges *within = store->lexical->within;
    rag_status status =
        db_prepare(store, statement,
                   within ? "SELECT rowid, rag_bm25(words) FROM words WHERE words MATCH ? AND "
                            "rowid BETWEEN ? AND ? AND rag_within(rowid)"
                          : "SELECT rowid, rag_bm25(words) FROM words WHERE words MATCH ?",
                   error);
    if (status || !within)
        return status ? status : db_bind(store, *statement, error, "t", expression);
    return db_bind(store, *statement, error, "tii", expression, within->items[0].first,
                   within->items[within->count - 1].last);
}

static rag_status rank(struct store *store, const char *expression, size_t k,
                       struct scored_list *out, rag_error *error)
{
    sqlite3_stmt *statement = NULL;
    int64_t chunks;
    rag_status status = db_integer(store, "SELECT count(*) FROM chunks", 0, &chunks, error);
    if (!status)
        status = select_rows(store, expression, &statement, error);
    if (!status && !scored_list_reserve(out, k, (size_t)chunks))
        status = fail_memory(error);
    while (!status) {
        bool row;
        status = db_step(store, statement, &row, error);
        if (status || !row)
            break;
        scored_list_offer(out, sqlite3_column_int64(statement, 0),
                          sqlite3_column_double(statement, 1));
    }
    sqlite3_finalize(statement);
    if (!status)
        scored_list_sort(out);
    return status;
}

static rag_status search(struct store *store, const struct expression *expression, size_t k,
                         const struct id_ranges *within, struct scored_list *out,
                         double *ceiling, rag_error *error)
{
    store_lock(store);
    store->lexical->within = within;
    store->lexical->terms = expression->count;
    store->lexical->ready = false;
    rag_status status = db_begin(store, DB_READ, error);
    if (!status)
        status = db_end(store, rank(store, expression->text.data, k, out, error), error);
    if (ceiling && !status && store->lexical->ready)
        *ceiling = store->lexical->ceiling;
    store_unlock(store);
    return status;
}

rag_status store_search_lexical(struct store *store, rag_text question, size_t k,
                                const struct id_ranges *within, struct scored_list *out,
                                double *ceiling, rag_error *error)
{
    *out = (struct scored_list){0};
    if (ceiling)
        *ceiling = 0;
    struct expression *expression = calloc(1, sizeof *expression);
    if (!expression)
        return fail_memory(error);
    expression->terms = BUF_INIT(MAX_QUERY_BYTES);
    expression->text = BUF_INIT(2 * MAX_QUERY_BYTES + 8 * MAX_TERMS);
    rag_status status = RAG_OK;
    if (words_each(question, expression_add, expression) == WORDS_NO_MEMORY)
        status = fail_memory(error);
    else if (expression->count && k && (!within || within->count))
        status = search(store, expression, k, within, out, ceiling, error);
    if (status)
        scored_list_release(out);
    buf_release(&expression->terms);
    buf_release(&expression->text);
    free(expression);
    return status;
}
