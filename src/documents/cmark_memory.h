/* cmark_memory.h - memory for one run of cmark.
 *
 * cmark ends the program when its allocator gives NULL, and frees a tree node by node.
 * Here all memory of a run comes from slabs that go at once, and where there is none the
 * run is left by longjmp:
 *
 *   struct cmark_memory memory;
 *   if (setjmp(*cmark_memory_begin(&memory)) == 0)
 *       ... cmark_parser_new_with_mem(options, cmark_memory_functions()) ...
 *   else
 *       ... out of memory ...
 *   cmark_memory_end(&memory);
 *
 * cmark's functions have no context argument, so that a thread has one run at a time. */
#ifndef RAG_DOCUMENTS_CMARK_MEMORY_H
#define RAG_DOCUMENTS_CMARK_MEMORY_H

#include <cmark-gfm.h>
#include <setjmp.h>

struct slab;

struct cmark_memory {
    struct slab *slabs; /* the newest first */
    jmp_buf failed;
};

jmp_buf *cmark_memory_begin(struct cmark_memory *memory);
void cmark_memory_end(struct cmark_memory *memory);
cmark_mem *cmark_memory_functions(void);

#endif
