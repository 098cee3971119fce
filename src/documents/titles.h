/* titles.h - headings without the markup of their format. */
#ifndef RAG_DOCUMENTS_TITLES_H
#define RAG_DOCUMENTS_TITLES_H

#include "base/buf.h"

/* Each appends a title's words; white space is left as it is found. */
CHECKED bool markdown_title(const char *name, size_t size, struct buf *out);
CHECKED bool latex_title(const char *name, size_t size, struct buf *out);
CHECKED bool org_title(const char *name, size_t size, struct buf *out);
/* All kinds of spaces become blanks. */
CHECKED bool plain_title(const char *name, size_t size, struct buf *out);

#endif
