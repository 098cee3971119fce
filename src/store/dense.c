#include "store/dense.h"
#include "base/memory.h"
#include "store/dot.h"
#include "store/scored.h"
#include "store/sqlite.h"

#include <math.h>
#include <string.h>

/* Below this many multiplications starting threads costs more than it saves. */
enum { PARALLEL_WORK = 1 << 20 };

void vector_from_file(const void *bytes, size_t dimension, float *vector)
{
    const unsigned char *p = bytes;
    for (size_t i = 0; i < dimension; i++, p += 4) {
        uint32_t bits =
            p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
        memcpy(&vector[i], &bits, sizeof bits);
    }
}

void vector_to_file(const float *vector, size_t dimension, unsigned char *bytes)
{
    for (size_t i = 0; i < dimension; i++) {
        uint32_t bits;
        memcpy(&bits, &vector[i], sizeof bits);
        for (size_t j = 0; j < 4; j++)
            *bytes++ = (unsigned char)(bits >> 8 * j);
    }
}

void matrix_release(struct matrix *matrix)
{
    free(matrix->rows);
    free(matrix->scores);
    free(matrix->ids);
    free(matrix->query);
    *matrix = (struct matrix){0};
}

static rag_status matrix_reserve(struct matrix *matrix, size_t count, size_t dimension,
                                 rag_error *error)
{
    size_t floats, stride = (dimension + DOT_BLOCK - 1) / DOT_BLOCK * DOT_BLOCK;
    if (!size_mul(count, stride, &floats))
        return fail_memory(error);
    *matrix = (struct matrix){
        .rows = alloc_aligned(floats, sizeof(float)),
        .scores = alloc_array(count, sizeof(float)),
        .ids = alloc_array(count, sizeof(int64_t)),
        .query = alloc_aligned(stride, sizeof(float)),
        .dimension = dimension,
        .stride = stride,
    };
    if (!matrix->rows || !matrix->scores || !matrix->ids || !matrix->query) {
        matrix_release(matrix);
        return fail_memory(error);
    }
    return RAG_OK;
}

static rag_status add_row(struct store *store, struct matrix *matrix, sqlite3_stmt *statement,
                          dot_fn *dot, rag_error *error)
{
    int64_t id = sqlite3_column_int64(statement, 0);
    rag_text bytes = db_column(statement, 1);
    float *row = matrix->rows + matrix->count * matrix->stride;
    if (bytes.size == matrix->dimension * sizeof(float)) {
        vector_from_file(bytes.data, matrix->dimension, row);
        memset(row + matrix->dimension, 0,
               (matrix->stride - matrix->dimension) * sizeof(float));
        if (isfinite(dot(row, row, matrix->stride))) {
            matrix->ids[matrix->count++] = id;
            return RAG_OK;
        }
    }
    return fail_with(error, RAG_INDEX,
                     "%s: the vector of chunk %lld is damaged; `rag verify` lists what is "
                     "wrong: restore the file from a copy, or remove it and index again",
                     store->path, (long long)id);
}

static rag_status read_rows(struct store *store, struct matrix *matrix, size_t count,
                            rag_error *error)
{
    sqlite3_stmt *statement;
    rag_status status = db_prepare(store, &statement,
                                   "SELECT chunk, vector FROM vectors ORDER BY chunk", error);
    dot_fn *dot = dot_best();
    while (!status && matrix->count < count) {
        bool row;
        status = db_step(store, statement, &row, error);
        if (status || !row)
            break;
        status = add_row(store, matrix, statement, dot, error);
    }
    sqlite3_finalize(statement);
    return status;
}

static rag_status load(struct store *store, int64_t generation, rag_error *error)
{
    struct matrix *matrix = &store->matrix;
    matrix_release(matrix);
    struct store_recipe recipe;
    bool present;
    int64_t count;
    rag_status status = recipe_read(store, &recipe, &present, error);
    if (!status)
        status = db_integer(store, "SELECT count(*) FROM vectors", 0, &count, error);
    if (status || !present)
        return status;
    status = matrix_reserve(matrix, (size_t)count, recipe.dimension, error);
    if (!status)
        status = read_rows(store, matrix, (size_t)count, error);
    matrix->generation = generation;
    matrix->loaded = !status;
    return status;
}

static rag_status refresh(struct store *store, rag_error *error)
{
    rag_status status = db_begin(store, DB_READ, error);
    if (status)
        return status;
    int64_t generation;
    status = db_integer(store, "SELECT generation FROM state", 0, &generation, error);
    if (!status && (!store->matrix.loaded || store->matrix.generation != generation))
        status = load(store, generation, error);
    return db_end(store, status, error);
}

static rag_status set_query(struct matrix *matrix, const float *query, rag_error *error)
{
    memset(matrix->query, 0, matrix->stride * sizeof(float));
    memcpy(matrix->query, query, matrix->dimension * sizeof(float));
    if (!isfinite(dot_plain(matrix->query, matrix->query, matrix->stride)))
        return fail_with(error, RAG_INTERNAL, "the query's vector is not finite");
    return RAG_OK;
}

/* Scores the rows from `begin` to `end`, exclusive. */
static void scan(struct matrix *matrix, size_t begin, size_t end, struct scored_list *out)
{
    dot_fn *dot = dot_best();
    bool parallel = end - begin > PARALLEL_WORK / matrix->stride;
#pragma omp parallel for schedule(static) if (parallel)
    for (size_t i = begin; i < end; i++)
        matrix->scores[i] =
            dot(matrix->query, matrix->rows + i * matrix->stride, matrix->stride);
    for (size_t i = begin; i < end; i++)
        scored_list_offer(out, matrix->ids[i], (double)matrix->scores[i]);
}

/* The first row from `begin` on whose chunk is `id` or a later one. */
static size_t first_row(const struct matrix *matrix, size_t begin, int64_t id)
{
    size_t end = matrix->count;
    while (begin < end) {
        size_t middle = begin + (end - begin) / 2;
        if (matrix->ids[middle] < id)
            begin = middle + 1;
        else
            end = middle;
    }
    return begin;
}

static void scan_within(struct matrix *matrix, const struct id_ranges *within,
                        struct scored_list *out)
{
    size_t row = 0;
    for (size_t i = 0; i < within->count && row < matrix->count; i++) {
        size_t begin = first_row(matrix, row, within->items[i].first);
        row = begin;
        while (row < matrix->count && matrix->ids[row] <= within->items[i].last)
            row++;
        scan(matrix, begin, row, out);
    }
}

static rag_status search(struct store *store, const float *query, size_t k,
                         const struct id_ranges *within, struct scored_list *out,
                         rag_error *error)
{
    struct matrix *matrix = &store->matrix;
    rag_status status = refresh(store, error);
    if (status || !matrix->count)
        return status;
    status = set_query(matrix, query, error);
    if (status)
        return status;
    if (!scored_list_reserve(out, k, matrix->count))
        return fail_memory(error);
    if (within)
        scan_within(matrix, within, out);
    else
        scan(matrix, 0, matrix->count, out);
    scored_list_sort(out);
    return RAG_OK;
}

rag_status store_search_dense(struct store *store, const float *query, size_t k,
                              const struct id_ranges *within, struct scored_list *out,
                              rag_error *error)
{
    *out = (struct scored_list){0};
    store_lock(store);
    rag_status status = search(store, query, k, within, out, error);
    store_unlock(store);
    return status;
}

static int by_id(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* The row of a chunk; NULL if it has none. */
static const float *find_row(const struct matrix *matrix, int64_t id)
{
    if (!matrix->count)
        return NULL;
    const int64_t *found = bsearch(&id, matrix->ids, matrix->count, sizeof id, by_id);
    return found ? matrix->rows + (size_t)(found - matrix->ids) * matrix->stride : NULL;
}

rag_status store_score_dense(struct store *store, const float *query, const int64_t *ids,
                             size_t count, double *scores, rag_error *error)
{
    store_lock(store);
    struct matrix *matrix = &store->matrix;
    rag_status status = refresh(store, error);
    if (!status && matrix->count)
        status = set_query(matrix, query, error);
    dot_fn *dot = dot_best();
    for (size_t i = 0; !status && i < count; i++) {
        const float *row = find_row(matrix, ids[i]);
        scores[i] = row ? (double)dot(matrix->query, row, matrix->stride) : NAN;
    }
    store_unlock(store);
    return status;
}

/* The cosine of the query with the sum of a document's vectors; NaN if it has but one. sum:
 * [stride]. */
static rag_status document_cosine(struct store *store, sqlite3_stmt *chunks, int64_t document,
                                  float *sum, double *cosine, rag_error *error)
{
    const struct matrix *matrix = &store->matrix;
    size_t rows = 0;
    bool row = true;
    memset(sum, 0, matrix->stride * sizeof *sum);
    rag_status status = db_bind(store, chunks, error, "i", document);
    while (!status && !(status = db_step(store, chunks, &row, error)) && row) {
        const float *vector = find_row(matrix, sqlite3_column_int64(chunks, 0));
        for (size_t i = 0; vector && i < matrix->stride; i++)
            sum[i] += vector[i];
        rows += vector != NULL;
    }
    sqlite3_reset(chunks);
    double norm = sqrt((double)dot_best()(sum, sum, matrix->stride));
    double product = (double)dot_best()(matrix->query, sum, matrix->stride);
    *cosine = rows > 1 && norm > 0 ? product / norm : NAN;
    return status;
}

static rag_status score_documents(struct store *store, const int64_t *ids, size_t count,
                                  int64_t *documents, float *sum, double *scores,
                                  rag_error *error)
{
    sqlite3_stmt *document = NULL, *chunks = NULL;
    rag_status status =
        db_prepare(store, &document, "SELECT document FROM chunks WHERE id=?", error);
    if (!status)
        status = db_prepare(store, &chunks, "SELECT id FROM chunks WHERE document=?", error);
    for (size_t i = 0; !status && i < count; i++) {
        bool row = false;
        status = db_bind(store, document, error, "i", ids[i]);
        if (!status)
            status = db_step(store, document, &row, error);
        documents[i] = row ? sqlite3_column_int64(document, 0) : 0;
        sqlite3_reset(document);
        scores[i] = NAN;
        size_t same = 0;
        while (same < i && documents[same] != documents[i])
            same++;
        if (!status && same < i)
            scores[i] = scores[same];
        else if (!status && row)
            status = document_cosine(store, chunks, documents[i], sum, &scores[i], error);
    }
    sqlite3_finalize(document);
    sqlite3_finalize(chunks);
    return status;
}

rag_status store_score_documents(struct store *store, const float *query, const int64_t *ids,
                                 size_t count, double *scores, rag_error *error)
{
    store_lock(store);
    struct matrix *matrix = &store->matrix;
    int64_t *documents = NULL;
    float *sum = NULL;
    rag_status status = refresh(store, error);
    for (size_t i = 0; i < count; i++)
        scores[i] = NAN;
    if (status || !matrix->count || (status = set_query(matrix, query, error)))
        goto out;
    documents = alloc_array(count, sizeof *documents);
    sum = alloc_aligned(matrix->stride, sizeof *sum);
    if (documents && sum)
        status = score_documents(store, ids, count, documents, sum, scores, error);
    else
        status = fail_memory(error);
out:
    free(documents);
    free(sum);
    store_unlock(store);
    return status;
}
