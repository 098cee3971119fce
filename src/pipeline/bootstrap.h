/* bootstrap.h - how far a mean over queries can be trusted.
 *
 * The queries are taken for a sample of all that could be asked. Samples of the same size are
 * drawn from them with replacement, and the spread of the samples' means is that of the mean
 * (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993). */
#ifndef RAG_PIPELINE_BOOTSTRAP_H
#define RAG_PIPELINE_BOOTSTRAP_H

#include "base/error.h"

/* values: [rows x columns], a query each row and a measure each column. Fills, a column each,
 * the bounds that hold the given share of the samples' means, the same on both sides; and, if
 * `chances` is not NULL, the share of samples, of values less their mean, whose mean is at
 * least as far from 0 as that of the values. rows >= 1, samples >= 1, 0 < confidence < 1. */
CHECKED rag_status bootstrap(const double *values, size_t rows, size_t columns,
                             const rag_bootstrap_options *options, rag_interval *intervals,
                             double *chances, rag_error *error);

#endif
