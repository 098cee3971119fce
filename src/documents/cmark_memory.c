#include "documents/cmark_memory.h"
#include "base/memory.h"

#include <string.h>

enum {
    SLAB_BYTES = 1 << 20,
    ALIGNMENT = 16, /* of every allocation; its size stands in the 16 bytes before it */
};

struct slab {
    struct slab *older;
    size_t used, capacity;
    _Alignas(16) unsigned char bytes[];
};

static _Thread_local struct cmark_memory *current;

jmp_buf *cmark_memory_begin(struct cmark_memory *memory)
{
    memory->slabs = NULL;
    current = memory;
    return &memory->failed;
}

void cmark_memory_end(struct cmark_memory *memory)
{
    while (memory->slabs) {
        struct slab *older = memory->slabs->older;
        free(memory->slabs);
        memory->slabs = older;
    }
    current = NULL;
}

static _Noreturn void give_up(void)
{
    longjmp(current->failed, 1);
}

static void *allocate(size_t size)
{
    size_t padded, needed;
    if (!size_add(size, 2 * ALIGNMENT - 1, &padded))
        give_up();
    padded &= ~(size_t)(ALIGNMENT - 1);
    struct slab *slab = current->slabs;
    if (!slab || slab->capacity - slab->used < padded) {
        size_t capacity = padded > SLAB_BYTES ? padded : SLAB_BYTES;
        if (!size_add(capacity, sizeof *slab, &needed) || !(slab = malloc(needed)))
            give_up();
        *slab = (struct slab){.older = current->slabs, .capacity = capacity};
        current->slabs = slab;
    }
    unsigned char *at = slab->bytes + slab->used;
    memcpy(at, &size, sizeof size);
    slab->used += padded;
    return at + ALIGNMENT;
}

static void *cmark_calloc(size_t count, size_t size)
{
    size_t bytes;
    if (!size_mul(count, size, &bytes))
        give_up();
    return memset(allocate(bytes), 0, bytes);
}

static void *cmark_realloc(void *old, size_t size)
{
    if (!old)
        return allocate(size);
    size_t old_size;
    memcpy(&old_size, (unsigned char *)old - ALIGNMENT, sizeof old_size);
    if (size <= old_size)
        return old;
    return memcpy(allocate(size), old, old_size);
}

static void cmark_free(void *memory)
{
    (void)memory; /* goes with its slab */
}

cmark_mem *cmark_memory_functions(void)
{
    static cmark_mem functions = {cmark_calloc, cmark_realloc, cmark_free};
    return &functions;
}
