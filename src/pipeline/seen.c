#include "pipeline/seen.h"
#include "base/memory.h"

#include <string.h>

enum { SEEN_FIRST_CAPACITY = 64 };

void seen_release(struct seen *seen)
{
    free(seen->entries);
    *seen = (struct seen){0};
}

void seen_clear(struct seen *seen)
{
    if (seen->count)
        memset(seen->entries, 0, seen->capacity * sizeof *seen->entries);
    seen->count = 0;
}

/* The entry of this hash, or the free one that it would take. */
static struct seen_entry *find(const struct seen *seen, const struct hash *hash)
{
    size_t start;
    memcpy(&start, hash->bytes, sizeof start);
    for (size_t i = start;; i++) {
        struct seen_entry *entry = &seen->entries[i & (seen->capacity - 1)];
        if (!entry->used || memcmp(&entry->hash, hash, sizeof *hash) == 0)
            return entry;
    }
}

static bool grow(struct seen *seen)
{
    struct seen larger = {.count = seen->count,
                          .capacity =
                              seen->capacity ? seen->capacity * 2 : SEEN_FIRST_CAPACITY};
    if (larger.capacity < seen->capacity ||
        !(larger.entries = alloc_zeroed(larger.capacity, sizeof *larger.entries)))
        return false;
    for (size_t i = 0; i < seen->capacity; i++)
        if (seen->entries[i].used)
            *find(&larger, &seen->entries[i].hash) = seen->entries[i];
    free(seen->entries);
    *seen = larger;
    return true;
}

rag_status seen_look(struct seen *seen, const struct hash *hash, struct embedded place,
                     struct embedded *first, bool *is_new, rag_error *error)
{
    if (seen->count >= seen->capacity / 2 && !grow(seen))
        return fail_memory(error);
    struct seen_entry *entry = find(seen, hash);
    *is_new = !entry->used;
    if (*is_new) {
        *entry = (struct seen_entry){*hash, place, true};
        seen->count++;
    }
    *first = entry->place;
    return RAG_OK;
}
