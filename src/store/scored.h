/* scored.h - the best k of many. */
#ifndef RAG_STORE_SCORED_H
#define RAG_STORE_SCORED_H

#include "store/store.h"

/* Makes room for min(k, count) items in an empty list. */
CHECKED bool scored_list_reserve(struct scored_list *list, size_t k, size_t count);

/* Offers an item to the best `capacity` seen so far. Equal scores: the smaller id wins.
 * The score must not be NaN. */
void scored_list_offer(struct scored_list *list, int64_t chunk_id, double score);
void scored_list_offer_item(struct scored_list *list, struct scored item);

/* Puts the items in order, best first; nothing may be offered afterwards. */
void scored_list_sort(struct scored_list *list);

#endif
