/* fusion.h - one ranking out of two.
 *
 * Reciprocal rank fusion (Cormack, Clarke, Buettcher, SIGIR 2009) is blind to how strong
 * each leg's evidence is, and ruins a good leg when the other sees nothing. So scores are
 * fused: docs/quality.md has the comparison. */
#ifndef RAG_STORE_FUSION_H
#define RAG_STORE_FUSION_H

#include "store/store.h"

/* dense: cosines, best first; lexical: BM25, best first, with its ceiling. */
CHECKED rag_status fuse(const struct scored_list *dense, const struct scored_list *lexical,
                        double lexical_ceiling, size_t k, struct scored_list *out,
                        rag_error *error);

#endif
