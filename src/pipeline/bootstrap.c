#include "pipeline/bootstrap.h"
#include "base/memory.h"

#include <math.h>

/* splitmix64 (Steele, Lea and Flood, OOPSLA 2014). */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

/* Below count < 2^32, from the upper bits; its bias is below count / 2^32. */
static size_t draw(uint64_t *state, size_t count)
{
    return (size_t)((next_random(state) >> 32) * (uint64_t)count >> 32);
}

static void add_row(double *sums, const double *row, size_t columns)
{
    for (size_t c = 0; c < columns; c++)
        sums[c] += row[c];
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* means: [count], sorted. */
static rag_interval interval_of(const double *means, size_t count, double confidence)
{
    size_t out = (size_t)((1 - confidence) / 2 * (double)count);
    if (out > (count - 1) / 2)
        out = (count - 1) / 2;
    return (rag_interval){means[out], means[count - 1 - out]};
}

/* The values themselves count as one sample, so that no chance is 0. */
static double chance_of(const double *means, size_t count, double mean)
{
    const double rounding = 1e-12;
    size_t far = 1;
    for (size_t i = 0; i < count; i++)
        far += fabs(means[i] - mean) >= fabs(mean) - rounding;
    return (double)far / (double)(count + 1);
}

rag_status bootstrap(const double *values, size_t rows, size_t columns,
                     const rag_bootstrap_options *options, rag_interval *intervals,
                     double *chances, rag_error *error)
{
    size_t samples = options->samples;
    rag_status status = RAG_OK;
    double *means = NULL, *sums = alloc_array(columns, sizeof *sums);
    if (samples <= SIZE_MAX / sizeof *means / columns)
        means = alloc_array(samples * columns, sizeof *means); /* [columns x samples] */
    if (!means || !sums) {
        status = fail_memory(error);
        goto out;
    }
    uint64_t state = options->seed;
    for (size_t s = 0; s < samples; s++) {
        for (size_t c = 0; c < columns; c++)
            sums[c] = 0;
        for (size_t r = 0; r < rows; r++)
            add_row(sums, values + draw(&state, rows) * columns, columns);
        for (size_t c = 0; c < columns; c++)
            means[c * samples + s] = sums[c] / (double)rows;
    }
    for (size_t c = 0; c < columns; c++) {
        double mean = 0, *own = means + c * samples;
        for (size_t r = 0; r < rows; r++)
            mean += values[r * columns + c] / (double)rows;
        if (chances)
            chances[c] = chance_of(own, samples, mean);
        qsort(own, samples, sizeof *own, by_value);
        intervals[c] = interval_of(own, samples, options->confidence);
    }
out:
    free(means);
    free(sums);
    return status;
}
