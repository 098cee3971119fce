/* The sparse leg: an inner product over the tokens that a question and a chunk share, as
 * FlagEmbedding's lexical matching score. */
#include "store/sparse.h"
#include "base/memory.h"
#include "store/hidden.h"
#include "store/scored.h"

#include <math.h>
#include <string.h>

enum { MAX_QUERY_TOKENS = 512 /* of a longer question the weightiest */ };

/* ---- The blob ---- */

void token_weights_get(rag_text weights, size_t i, uint32_t *token, float *weight)
{
    const unsigned char *bytes = (const unsigned char *)weights.data + i * TOKEN_WEIGHT_SIZE;
    *token = (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
             (uint32_t)bytes[3] << 24;
    vector_from_file(bytes + 4, 1, weight);
}

bool token_weights_fit(rag_text weights)
{
    uint32_t token, before = 0;
    float weight;
    if (weights.size % TOKEN_WEIGHT_SIZE)
        return false;
    for (size_t i = 0; i < weights.size / TOKEN_WEIGHT_SIZE; i++) {
        token_weights_get(weights, i, &token, &weight);
        if ((i && token <= before) || !(weight > 0) || !isfinite(weight))
            return false;
        before = token;
    }
    return true;
}

char *token_weights_pack(const struct token_weights *weights, size_t *size)
{
    *size = weights->count * TOKEN_WEIGHT_SIZE;
    unsigned char *bytes = alloc_array(weights->count, TOKEN_WEIGHT_SIZE);
    for (size_t i = 0; bytes && i < weights->count; i++) {
        unsigned char *pair = bytes + i * TOKEN_WEIGHT_SIZE;
        for (int j = 0; j < 4; j++)
            pair[j] = (unsigned char)(weights->tokens[i] >> 8 * j);
        vector_to_file(&weights->weights[i], 1, pair + 4);
    }
    return (char *)bytes;
}

/* ---- Writing ---- */

rag_status weight_inserts_prepare(struct store *store, struct weight_inserts *inserts,
                                  rag_error *error)
{
    rag_status status =
        db_prepare(store, &inserts->weights, "INSERT INTO token_weights VALUES(?, ?)", error);
    return status ? status
                  : db_prepare(store, &inserts->posting, "INSERT INTO postings VALUES(?, ?, ?)",
                               error);
}

void weight_inserts_finish(struct store *store, struct weight_inserts *inserts)
{
    db_finish(store, inserts->weights);
    db_finish(store, inserts->posting);
}

static rag_status insert_postings(struct store *store, sqlite3_stmt *insert, int64_t chunk,
                                  rag_text weights, rag_error *error)
{
    rag_status status = RAG_OK;
    for (size_t i = 0; i < weights.size / TOKEN_WEIGHT_SIZE && !status; i++) {
        uint32_t token;
        float weight;
        bool row;
        token_weights_get(weights, i, &token, &weight);
        sqlite3_bind_int64(insert, 1, token);
        sqlite3_bind_int64(insert, 2, chunk);
        sqlite3_bind_double(insert, 3, (double)weight);
        status = db_step(store, insert, &row, error);
        sqlite3_reset(insert);
    }
    return status;
}

rag_status weights_insert(struct store *store, struct weight_inserts *inserts, int64_t chunk,
                          rag_text weights, rag_error *error)
{
    if (!weights.data)
        return RAG_OK;
    rag_status status = db_run(store, inserts->weights, error, "ib", chunk,
                               (const void *)weights.data, weights.size);
    return status ? status : insert_postings(store, inserts->posting, chunk, weights, error);
}

static rag_status remove_postings(struct store *store, sqlite3_stmt *change, int64_t chunk,
                                  rag_text weights, rag_error *error)
{
    rag_status status = RAG_OK;
    for (size_t i = 0; i < weights.size / TOKEN_WEIGHT_SIZE && !status; i++) {
        uint32_t token;
        float weight;
        token_weights_get(weights, i, &token, &weight);
        status = db_run(store, change, error, "ii", (int64_t)token, chunk);
    }
    return status;
}

rag_status weights_remove(struct store *store, int64_t document, int64_t first,
                          rag_error *error)
{
    sqlite3_stmt *change = NULL, *weights = NULL;
    rag_status status =
        db_prepare(store, &change, "DELETE FROM postings WHERE token=? AND chunk=?", error);
    if (!status)
        status = db_prepare(store, &weights,
                            "SELECT chunk, weights FROM chunks JOIN token_weights ON "
                            "chunk=chunks.id WHERE document=? AND number>=?",
                            error);
    if (!status)
        status = db_bind(store, weights, error, "ii", document, first);
    while (!status) {
        bool row;
        status = db_step(store, weights, &row, error);
        if (status || !row)
            break;
        status = remove_postings(store, change, sqlite3_column_int64(weights, 0),
                                 db_column(weights, 1), error);
    }
    db_finish(store, change);
    db_finish(store, weights);
    if (status)
        return status;
    status = db_prepare(store, &change,
                        "DELETE FROM token_weights WHERE chunk IN "
                        "(SELECT id FROM chunks WHERE document=? AND number>=?)",
                        error);
    if (!status)
        status = db_run(store, change, error, "ii", document, first);
    db_finish(store, change);
    return status;
}

rag_status postings_rebuild(struct store *store, rag_error *error)
{
    sqlite3_stmt *insert = NULL, *weights = NULL;
    rag_status status = db_execute(store, "DELETE FROM postings", error);
    if (!status)
        status = db_prepare(store, &insert, "INSERT INTO postings VALUES(?, ?, ?)", error);
    if (!status)
        status = db_prepare(store, &weights, "SELECT chunk, weights FROM token_weights", error);
    while (!status) {
        bool row;
        status = db_step(store, weights, &row, error);
        if (status || !row)
            break;
        if (token_weights_fit(db_column(weights, 1)))
            status = insert_postings(store, insert, sqlite3_column_int64(weights, 0),
                                     db_column(weights, 1), error);
    }
    db_finish(store, insert);
    db_finish(store, weights);
    return status;
}

/* ---- Known weights ---- */

rag_status store_find_weights(struct store *store, const struct hash *hash, char **weights,
                              size_t *size, rag_error *error)
{
    sqlite3_stmt *statement = NULL;
    bool row = false;
    *weights = NULL;
    *size = 0;
    store_lock(store);
    rag_status status = db_begin(store, DB_READ, error);
    if (!status) {
        status = db_prepare(store, &statement,
                            "SELECT weights FROM chunks JOIN token_weights ON chunk=id "
                            "WHERE hash=? LIMIT 1",
                            error);
        if (!status)
            status = db_bind(store, statement, error, "b", (const void *)hash->bytes,
                             sizeof hash->bytes);
        if (!status)
            status = db_step(store, statement, &row, error);
        if (!status && row && token_weights_fit(db_column(statement, 0))) {
            *size = db_column(statement, 0).size;
            *weights = copy_column(statement, 0);
            if (!*weights)
                status = fail_memory(error);
        }
        db_finish(store, statement);
        status = db_end(store, status, error);
    }
    store_unlock(store);
    return status;
}

/* ---- Search ---- */

/* A token of the question, and the postings that it stands on. */
struct lane {
    uint32_t token;
    float weight;
    sqlite3_stmt *postings;
    int64_t chunk; /* INT64_MAX: there are no more */
    double product;
};

static rag_status lane_step(struct store *store, struct lane *lane, rag_error *error)
{
    bool row;
    rag_status status = db_step(store, lane->postings, &row, error);
    lane->chunk = !status && row ? sqlite3_column_int64(lane->postings, 0) : INT64_MAX;
    if (lane->chunk != INT64_MAX)
        lane->product = (double)lane->weight * sqlite3_column_double(lane->postings, 1);
    return status;
}

static rag_status lane_open(struct store *store, struct lane *lane,
                            const struct id_ranges *within, rag_error *error)
{
    int64_t first = within ? within->items[0].first : 0;
    int64_t last = within ? within->items[within->count - 1].last : INT64_MAX;
    rag_status status = db_prepare(store, &lane->postings,
                                   "SELECT chunk, weight FROM postings WHERE token=? AND "
                                   "chunk BETWEEN ? AND ? ORDER BY chunk",
                                   error);
    if (!status)
        status =
            db_bind(store, lane->postings, error, "iii", (int64_t)lane->token, first, last);
    return status ? status : lane_step(store, lane, error);
}

/* The next chunk that any of the lanes has, and its score: sums go in the order of tokens. */
static rag_status next_score(struct store *store, struct lane *lanes, size_t count,
                             struct scored *out, rag_error *error)
{
    *out = (struct scored){.chunk_id = INT64_MAX};
    for (size_t i = 0; i < count; i++)
        if (lanes[i].chunk < out->chunk_id)
            out->chunk_id = lanes[i].chunk;
    if (out->chunk_id == INT64_MAX)
        return RAG_OK;
    for (size_t i = 0; i < count; i++) {
        if (lanes[i].chunk != out->chunk_id)
            continue;
        out->score += lanes[i].product;
        rag_status status = lane_step(store, &lanes[i], error);
        if (status)
            return status;
    }
    return RAG_OK;
}

static rag_status merge(struct store *store, struct lane *lanes, size_t count,
                        const struct id_ranges *within, size_t k, struct scored_list *out,
                        rag_error *error)
{
    int64_t chunks;
    struct id_ranges visible = {0};
    rag_status status =
        db_integer(store, "SELECT count(*) FROM token_weights", 0, &chunks, error);
    if (!status && !within)
        status = visible_chunks(store, &visible, &within, error);
    for (size_t i = 0; i < count && !status; i++)
        status = lane_open(store, &lanes[i], within, error);
    if (!status && !scored_list_reserve(out, k, (size_t)chunks))
        status = fail_memory(error);
    while (!status) {
        struct scored found;
        status = next_score(store, lanes, count, &found, error);
        if (status || found.chunk_id == INT64_MAX)
            break;
        if (isfinite(found.score) && (!within || id_ranges_have(within, found.chunk_id)))
            scored_list_offer(out, found.chunk_id, found.score);
    }
    for (size_t i = 0; i < count; i++)
        db_finish(store, lanes[i].postings);
    id_ranges_release(&visible);
    if (!status)
        scored_list_sort(out);
    return status;
}

static int by_weight(const void *a, const void *b)
{
    const struct lane *x = a, *y = b;
    if (x->weight != y->weight)
        return x->weight < y->weight ? 1 : -1;
    return (x->token > y->token) - (x->token < y->token);
}

static int by_token(const void *a, const void *b)
{
    const struct lane *x = a, *y = b;
    return (x->token > y->token) - (x->token < y->token);
}

static struct lane *make_lanes(const struct token_weights *query, size_t *count)
{
    struct lane *lanes = alloc_zeroed(query->count, sizeof *lanes);
    for (size_t i = 0; lanes && i < query->count; i++)
        lanes[i] = (struct lane){.token = query->tokens[i], .weight = query->weights[i]};
    *count = query->count;
    if (lanes && *count > MAX_QUERY_TOKENS) {
        qsort(lanes, *count, sizeof *lanes, by_weight);
        *count = MAX_QUERY_TOKENS;
        qsort(lanes, *count, sizeof *lanes, by_token);
    }
    return lanes;
}

rag_status store_search_sparse(struct store *store, const struct token_weights *query, size_t k,
                               const struct id_ranges *within, struct scored_list *out,
                               rag_error *error)
{
    size_t count;
    *out = (struct scored_list){0};
    if (!query->count || !k || (within && !within->count))
        return RAG_OK;
    struct lane *lanes = make_lanes(query, &count);
    if (!lanes)
        return fail_memory(error);
    store_lock(store);
    rag_status status = db_begin(store, DB_READ, error);
    if (!status)
        status = db_end(store, merge(store, lanes, count, within, k, out, error), error);
    store_unlock(store);
    if (status)
        scored_list_release(out);
    free(lanes);
    return status;
}

/* ---- Scores of chunks that others have found ---- */

static double inner_product(const struct token_weights *query, rag_text weights)
{
    double sum = 0;
    size_t i = 0, count = weights.size / TOKEN_WEIGHT_SIZE;
    for (size_t j = 0; j < query->count && i < count;) {
        uint32_t token;
        float weight;
        token_weights_get(weights, i, &token, &weight);
        if (token == query->tokens[j])
            sum += (double)query->weights[j] * (double)weight;
        i += token <= query->tokens[j];
        j += token >= query->tokens[j];
    }
    return sum;
}

static rag_status score(struct store *store, const struct token_weights *query,
                        const int64_t *ids, size_t count, double *scores, rag_error *error)
{
    sqlite3_stmt *statement;
    rag_status status =
        db_prepare(store, &statement, "SELECT weights FROM token_weights WHERE chunk=?", error);
    for (size_t i = 0; i < count && !status; i++) {
        bool row = false;
        status = db_bind(store, statement, error, "i", ids[i]);
        if (!status)
            status = db_step(store, statement, &row, error);
        rag_text weights = {0};
        if (!status && row)
            weights = db_column(statement, 0);
        scores[i] = row && token_weights_fit(weights) ? inner_product(query, weights) : NAN;
        sqlite3_reset(statement);
    }
    db_finish(store, statement);
    return status;
}

rag_status store_score_sparse(struct store *store, const struct token_weights *query,
                              const int64_t *ids, size_t count, double *scores,
                              rag_error *error)
{
    store_lock(store);
    rag_status status = db_begin(store, DB_READ, error);
    if (!status)
        status = db_end(store, score(store, query, ids, count, scores, error), error);
    store_unlock(store);
    return status;
}
