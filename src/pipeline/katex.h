/* katex.h - KaTeX (katex.org, MIT), the script that renders formulas in a page, as it was found
 * when rag was built. */
#ifndef RAG_PIPELINE_KATEX_H
#define RAG_PIPELINE_KATEX_H

#include "rag.h"

/* Empty if rag was built without it: formulas then stay as they are written. */
rag_text katex(void);

#endif
