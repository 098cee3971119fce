#include "store/matrix.h"
#include "base/memory.h"
#include "store/dot.h"
#include "store/hidden.h"

#include <string.h>

/* Below this many multiplications starting threads costs more than it saves. */
enum { PARALLEL_WORK = 1 << 20 };

void matrix_release(struct matrix *matrix)
{
    free(matrix->rows);
    free(matrix->scores);
    free(matrix->ids);
    *matrix = (struct matrix){0};
}

static bool reserve(struct matrix *matrix, size_t count, size_t dimension)
{
    size_t floats, stride = (dimension + DOT_BLOCK - 1) / DOT_BLOCK * DOT_BLOCK;
    if (!size_mul(count, stride, &floats))
        return false;
    *matrix = (struct matrix){
        .rows = alloc_aligned(floats, sizeof(float)),
        .scores = alloc_array(count, sizeof(float)),
        .ids = alloc_array(count, sizeof(int64_t)),
        .dimension = dimension,
        .stride = stride,
    };
    return matrix->rows && matrix->scores && matrix->ids;
}

static rag_status read_rows(struct store *store, struct matrix *matrix, size_t count,
                            rag_error *error)
{
    struct vector_walk walk;
    size_t padding = (matrix->stride - matrix->dimension) * sizeof(float);
    rag_status status = vector_walk_begin(store, 0, &walk, error);
    while (!status && matrix->count < count) {
        bool more;
        status = vector_walk_step(&walk, &more, error);
        if (status || !more)
            break;
        float *row = matrix->rows + matrix->count * matrix->stride;
        int64_t id = sqlite3_column_int64(walk.statement, 0);
        memset(row + matrix->dimension, 0, padding);
        matrix->ids[matrix->count] = id;
        status = vector_read(store, walk.statement, 1, id, matrix->dimension, row, error);
        matrix->count += !status;
    }
    vector_walk_end(&walk);
    return status;
}

rag_status matrix_load(struct store *store, struct matrix *matrix, size_t count,
                       size_t dimension, rag_error *error)
{
    rag_status status = reserve(matrix, count, dimension)
                            ? read_rows(store, matrix, count, error)
                            : fail_memory(error);
    if (status)
        matrix_release(matrix);
    return status;
}

/* Scores the rows from `begin` to `end`, exclusive. */
static void scan(struct matrix *matrix, const float *query, size_t begin, size_t end,
                 struct scored_list *out)
{
    dot_fn *dot = dot_best();
    bool parallel = end - begin > PARALLEL_WORK / matrix->stride;
#pragma omp parallel for schedule(static) if (parallel)
    for (size_t i = begin; i < end; i++)
        matrix->scores[i] = dot(query, matrix->rows + i * matrix->stride, matrix->stride);
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

void matrix_search(struct matrix *matrix, const float *query, const struct id_ranges *within,
                   struct scored_list *out)
{
    if (!within) {
        scan(matrix, query, 0, matrix->count, out);
        return;
    }
    size_t row = 0;
    for (size_t i = 0; i < within->count && row < matrix->count; i++) {
        size_t begin = first_row(matrix, row, within->items[i].first);
        row = begin;
        while (row < matrix->count && matrix->ids[row] <= within->items[i].last)
            row++;
        scan(matrix, query, begin, row, out);
    }
}

const float *matrix_find(const struct matrix *matrix, int64_t id)
{
    size_t row = first_row(matrix, 0, id);
    return row < matrix->count && matrix->ids[row] == id ? matrix->rows + row * matrix->stride
                                                         : NULL;
}
