/* html_content.h - what of a page's tree is content, written as blocks. */
#ifndef RAG_READERS_HTML_CONTENT_H
#define RAG_READERS_HTML_CONTENT_H

#include "readers/writer.h"

#include <gumbo.h>

/* Writes a tree of any depth. title: NULL or where the page's title is appended. */
void html_content(struct writer *w, const GumboNode *root, struct buf *title);

#endif
