/* memory.h - allocation with checked sizes. NULL means out of memory or overflow. */
#ifndef RAG_BASE_MEMORY_H
#define RAG_BASE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

static inline bool size_add(size_t a, size_t b, size_t *sum)
{
    return !__builtin_add_overflow(a, b, sum);
}

static inline bool size_mul(size_t a, size_t b, size_t *product)
{
    return !__builtin_mul_overflow(a, b, product);
}

/* An uninitialised array; never NULL for count 0 on success. */
static inline void *alloc_array(size_t count, size_t size)
{
    size_t bytes;
    if (!size_mul(count, size, &bytes))
        return NULL;
    return malloc(bytes ? bytes : 1);
}

static inline void *alloc_zeroed(size_t count, size_t size)
{
    return calloc(count ? count : 1, size ? size : 1);
}

/* For vectors and weights: 64-byte aligned, freed with free. */
static inline void *alloc_aligned(size_t count, size_t size)
{
    size_t bytes;
    if (!size_mul(count, size, &bytes) || !size_add(bytes, 63, &bytes))
        return NULL;
    bytes &= ~(size_t)63;
    return aligned_alloc(64, bytes ? bytes : 64);
}

/* Makes room for `needed` items of `size` bytes in a growing array: *items is
 * reallocated by doubling, *capacity updated. False: nothing has changed. */
static inline bool array_reserve(void *items_pointer, size_t *capacity, size_t needed,
                                 size_t size)
{
    void **items = items_pointer;
    if (needed <= *capacity && *items)
        return true;
    size_t grown = *capacity > 8 ? *capacity : 8;
    while (grown < needed)
        if (!size_mul(grown, 2, &grown))
            return false;
    size_t bytes;
    if (!size_mul(grown, size, &bytes))
        return false;
    void *moved = realloc(*items, bytes);
    if (!moved)
        return false;
    *items = moved;
    *capacity = grown;
    return true;
}

#endif
