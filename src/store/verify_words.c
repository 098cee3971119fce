/* The lexical index against the text, chunk by chunk: for each term of a chunk a hash of the
 * term, its column and its position, all of them added up, once over the text and once over
 * what FTS5 has stored. */
#include "base/memory.h"
#include "store/verify.h"
#include "text/words.h"

#include <string.h>

/* The columns of the table "words". */
enum { COLUMN_HEADING, COLUMN_TEXT };

static uint64_t mix(uint64_t x)
{
    /* The finaliser of MurmurHash3 (Appleby): every bit reaches every bit. */
    x = (x ^ x >> 33) * 0xff51afd7ed558ccdu;
    x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53u;
    return x ^ x >> 33;
}

static uint64_t hash_term(const char *term, size_t size, uint64_t column, uint64_t position)
{
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ (unsigned char)term[i]) * 0x100000001b3u;
    return mix(hash ^ mix(column << 32 ^ position));
}

struct tally {
    uint64_t sum, column, positions;
};

/* Positions count as FTS5 counts them: a colocated word shares the one before it. */
static int tally_word(const struct word *word, void *user)
{
    struct tally *tally = user;
    if (!word->colocated || !tally->positions)
        tally->positions++;
    tally->sum += hash_term(word->term, word->size, tally->column, tally->positions - 1);
    return 0;
}

rag_status verify_words_expect(struct verification *v, int64_t chunk, rag_text heading,
                               rag_text text, rag_error *error)
{
    struct tally in_heading = {.column = COLUMN_HEADING}, in_text = {.column = COLUMN_TEXT};
    if (words_each(heading, tally_word, &in_heading) != 0 ||
        words_each(text, tally_word, &in_text) != 0 ||
        !array_reserve(&v->sums, &v->sum_capacity, v->sum_count + 1, sizeof *v->sums))
        return fail_memory(error);
    v->sums[v->sum_count++] =
        (struct word_sum){.chunk = chunk, .sum = in_heading.sum + in_text.sum};
    return RAG_OK;
}

static int by_chunk(const void *a, const void *b)
{
    int64_t x = ((const struct word_sum *)a)->chunk, y = ((const struct word_sum *)b)->chunk;
    return (x > y) - (x < y);
}

/* Takes what the index holds from the sums: zero is left where both are the same. */
static rag_status subtract_index(struct verification *v, size_t *strays, rag_error *error)
{
    sqlite3_stmt *statement;
    rag_status status =
        db_prepare(v->store, &statement,
                   "SELECT term, doc, col='text', \"offset\" FROM temp.word_places", error);
    while (!status) {
        bool row;
        status = db_step(v->store, statement, &row, error);
        if (status || !row)
            break;
        rag_text term = db_column(statement, 0);
        struct word_sum key = {.chunk = sqlite3_column_int64(statement, 1)};
        struct word_sum *sum = NULL;
        if (v->sum_count)
            sum = bsearch(&key, v->sums, v->sum_count, sizeof key, by_chunk);
        if (sum)
            sum->sum -=
                hash_term(term.data, term.size, (uint64_t)sqlite3_column_int64(statement, 2),
                          (uint64_t)sqlite3_column_int64(statement, 3));
        else
            ++*strays;
    }
    status = verification_absorb(v, status, STORE_PROBLEM_WORDS, "the lexical index", error);
    db_finish(v->store, statement);
    return status;
}

rag_status verify_words_compare(struct verification *v, rag_error *error)
{
    size_t strays = 0;
    if (v->sum_count)
        qsort(v->sums, v->sum_count, sizeof *v->sums, by_chunk);
    rag_status status = db_execute(v->store,
                                   "CREATE VIRTUAL TABLE IF NOT EXISTS temp.word_places "
                                   "USING fts5vocab(main, 'words', 'instance')",
                                   error);
    if (!status)
        status = subtract_index(v, &strays, error);
    if (status)
        return verification_absorb(v, status, STORE_PROBLEM_WORDS, "the lexical index", error);
    if (strays)
        verification_report(v, STORE_PROBLEM_WORDS, 0,
                            "the lexical index has %zu words of chunks that are not there",
                            strays);
    for (size_t i = 0; i < v->sum_count; i++)
        if (v->sums[i].sum)
            verification_report(v, STORE_PROBLEM_WORDS, v->sums[i].chunk,
                                "chunk %lld: its words in the lexical index are not those of "
                                "its text",
                                (long long)v->sums[i].chunk);
    return RAG_OK;
}
