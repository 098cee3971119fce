#include "store/scored.h"
#include "base/memory.h"

static bool better(const struct scored *a, const struct scored *b)
{
    return a->score > b->score || (a->score == b->score && a->chunk_id < b->chunk_id);
}

void scored_list_release(struct scored_list *list)
{
    free(list->items);
    *list = (struct scored_list){0};
}

bool scored_list_reserve(struct scored_list *list, size_t k, size_t count)
{
    size_t capacity = k < count ? k : count;
    *list = (struct scored_list){.items = alloc_array(capacity, sizeof *list->items),
                                 .capacity = capacity};
    return list->items;
}

/* A heap with the worst item on top: a parent is never better than its children. */
static void sift_down(struct scored *items, size_t count, size_t i)
{
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= count)
            return;
        if (child + 1 < count && better(&items[child], &items[child + 1]))
            child++;
        if (!better(&items[i], &items[child]))
            return;
        struct scored item = items[i];
        items[i] = items[child];
        items[child] = item;
        i = child;
    }
}

void scored_list_offer(struct scored_list *list, int64_t chunk_id, double score)
{
    scored_list_offer_item(list, (struct scored){.chunk_id = chunk_id, .score = score});
}

void scored_list_offer_item(struct scored_list *list, struct scored item)
{
    if (list->count < list->capacity) {
        size_t i = list->count++;
        for (; i && better(&list->items[(i - 1) / 2], &item); i = (i - 1) / 2)
            list->items[i] = list->items[(i - 1) / 2];
        list->items[i] = item;
    } else if (list->count && better(&item, &list->items[0])) {
        list->items[0] = item;
        sift_down(list->items, list->count, 0);
    }
}

static int by_rank(const void *a, const void *b)
{
    return better(b, a) - better(a, b);
}

void scored_list_sort(struct scored_list *list)
{
    if (list->count) /* of an empty one there may be no items to point to */
        qsort(list->items, list->count, sizeof *list->items, by_rank);
}
