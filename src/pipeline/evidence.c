#include "pipeline/evidence.h"

#include <math.h>

static double logistic(double slope, double offset, double value)
{
    return 1 / (1 + exp(-(slope * value + offset)));
}

double evidence_estimate(const double *late, const double *words, size_t count)
{
    if (count < EVIDENCE_MIN_CANDIDATES)
        return NAN;
    double best = late[0], sum = 0, best_words = 0;
    for (size_t i = 0; i < count; i++) {
        best = fmax(best, late[i]);
        best_words = fmax(best_words, words[i]);
        sum += late[i];
    }
    double margin = best - (sum - best) / (double)(count - 1);
    double by_margin = logistic(106.0, -5.35, margin);
    double by_words = logistic(18.2, -11.1, best_words);
    return 1 - (1 - by_margin) * (1 - by_words);
}
