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

static void scan(struct matrix *matrix)
{
    dot_fn *dot = dot_best();
    bool parallel = matrix->count > PARALLEL_WORK / matrix->stride;
#pragma omp parallel for schedule(static) if (parallel)
    for (size_t i = 0; i < matrix->count; i++)
        matrix->scores[i] =
            dot(matrix->query, matrix->rows + i * matrix->stride, matrix->stride);
}

static rag_status search(struct store *store, const float *query, size_t k,
                         struct scored_list *out, rag_error *error)
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
    scan(matrix);
    for (size_t i = 0; i < matrix->count; i++)
        scored_list_offer(out, matrix->ids[i], (double)matrix->scores[i]);
    scored_list_sort(out);
    return RAG_OK;
}

rag_status store_search_dense(struct store *store, const float *query, size_t k,
                              struct scored_list *out, rag_error *error)
{
    *out = (struct scored_list){0};
    store_lock(store);
    rag_status status = search(store, query, k, out, error);
    store_unlock(store);
    return status;
}

static int by_id(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
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
        const int64_t *found = NULL;
        if (matrix->count)
            found = bsearch(&ids[i], matrix->ids, matrix->count, sizeof *ids, by_id);
        scores[i] = NAN;
        if (found)
            scores[i] = (double)dot(
                matrix->query, matrix->rows + (size_t)(found - matrix->ids) * matrix->stride,
                matrix->stride);
    }
    store_unlock(store);
    return status;
}
