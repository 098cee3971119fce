#include "store/store.h"

#include <stdlib.h>

void id_ranges_release(struct id_ranges *ranges)
{
    free(ranges->items);
    *ranges = (struct id_ranges){0};
}

bool id_ranges_have(const struct id_ranges *ranges, int64_t id)
{
    size_t low = 0, high = ranges->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ranges->items[middle].last < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < ranges->count && ranges->items[low].first <= id;
}
