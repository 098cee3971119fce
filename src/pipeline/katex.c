#include "pipeline/katex.h"

#ifdef KATEX_FILE
/* .incbin, for a C array of the same bytes takes the compiler seconds. */
__asm__(".pushsection .rodata\n"
        ".hidden rag_katex_begin\n"
        ".hidden rag_katex_end\n"
        ".globl rag_katex_begin\n"
        ".globl rag_katex_end\n"
        "rag_katex_begin:\n"
        ".incbin \"" KATEX_FILE "\"\n"
        "rag_katex_end:\n"
        ".byte 0\n"
        ".popsection\n");
extern const char rag_katex_begin[] __attribute__((visibility("hidden")));
extern const char rag_katex_end[] __attribute__((visibility("hidden")));

rag_text katex(void)
{
    return (rag_text){rag_katex_begin, (size_t)(rag_katex_end - rag_katex_begin)};
}
#else
rag_text katex(void)
{
    return (rag_text){"", 0};
}
#endif
