/* The header alone, without the library: nothing more to install at run time, and its inner
 * loop is compiled for this machine's vectors. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/checksum.h"
#include "base/memory.h"

struct checksum {
    XXH3_state_t state;
};

uint64_t checksum_bytes(const void *data, size_t size)
{
    return XXH3_64bits(data, size);
}

rag_status checksum_new(struct checksum **out, rag_error *error)
{
    *out = alloc_aligned(1, sizeof **out); /* the state asks for 64 bytes */
    if (!*out)
        return fail_memory(error);
    XXH3_INITSTATE(&(*out)->state);
    checksum_reset(*out);
    return RAG_OK;
}

void checksum_free(struct checksum *checksum)
{
    free(checksum);
}

void checksum_reset(struct checksum *checksum)
{
    XXH3_64bits_reset(&checksum->state);
}

void checksum_update(struct checksum *checksum, const void *data, size_t size)
{
    XXH3_64bits_update(&checksum->state, data, size);
}

uint64_t checksum_value(const struct checksum *checksum)
{
    return XXH3_64bits_digest(&checksum->state);
}
