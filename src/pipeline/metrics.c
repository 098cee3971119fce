#include "pipeline/metrics.h"

#include <math.h>

double recall_at(const struct ranking *ranking, size_t k)
{
    size_t found = 0;
    for (size_t i = 0; i < ranking->count && i < k; i++)
        found += ranking->grades[i] > 0;
    return ranking->relevant ? (double)found / (double)ranking->relevant : 0;
}

double reciprocal_rank_at(const struct ranking *ranking, size_t k)
{
    for (size_t i = 0; i < ranking->count && i < k; i++)
        if (ranking->grades[i] > 0)
            return 1 / (double)(i + 1);
    return 0;
}

static double discounted_gain(const double *grades, size_t count)
{
    double gain = 0;
    for (size_t i = 0; i < count; i++)
        gain += grades[i] / log2((double)i + 2);
    return gain;
}

double ndcg_at(const struct ranking *ranking, size_t k)
{
    double ideal =
        discounted_gain(ranking->ideal, ranking->relevant < k ? ranking->relevant : k);
    double gain = discounted_gain(ranking->grades, ranking->count < k ? ranking->count : k);
    return ideal > 0 ? gain / ideal : 0;
}
