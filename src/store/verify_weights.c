/* The weights of tokens, and their postings against them: for each pair a hash of token, chunk
 * and weight, all of them added up, once over the chunks and once over the postings. */
#include "store/sparse.h"
#include "store/verify.h"

#include <string.h>

static uint64_t hash_pair(uint64_t token, uint64_t chunk, double weight)
{
    uint64_t x;
    memcpy(&x, &weight, sizeof x);
    x ^= chunk * 0x9e3779b97f4a7c15u ^ token << 32;
    /* The finaliser of MurmurHash3 (Appleby): every bit reaches every bit. */
    x = (x ^ x >> 33) * 0xff51afd7ed558ccdu;
    x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53u;
    return x ^ x >> 33;
}

bool verify_weights_expect(struct verification *v, int64_t chunk, rag_text weights)
{
    if (!token_weights_fit(weights))
        return false;
    for (size_t i = 0; i < weights.size / TOKEN_WEIGHT_SIZE; i++) {
        uint32_t token;
        float weight;
        token_weights_get(weights, i, &token, &weight);
        v->postings_sum += hash_pair(token, (uint64_t)chunk, (double)weight);
        v->postings++;
    }
    return true;
}

rag_status verify_postings_compare(struct verification *v, rag_error *error)
{
    sqlite3_stmt *statement;
    rag_status status =
        db_prepare(v->store, &statement, "SELECT token, chunk, weight FROM postings", error);
    while (!status) {
        bool row;
        status = db_step(v->store, statement, &row, error);
        if (status || !row)
            break;
        v->postings_sum -= hash_pair((uint64_t)sqlite3_column_int64(statement, 0),
                                     (uint64_t)sqlite3_column_int64(statement, 1),
                                     sqlite3_column_double(statement, 2));
        v->postings--;
    }
    db_finish(v->store, statement);
    if (status)
        return verification_absorb(v, status, STORE_PROBLEM_WORDS, "the postings of tokens",
                                   error);
    if (v->postings || v->postings_sum)
        verification_report(v, STORE_PROBLEM_WORDS, 0,
                            "the postings of tokens are not those of the chunks' weights");
    return RAG_OK;
}
