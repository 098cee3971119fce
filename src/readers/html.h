/* html.h - HTML as it is read for pages, chapters of EPUB and parts of mails. */
#ifndef RAG_READERS_HTML_H
#define RAG_READERS_HTML_H

#include "readers/writer.h"

/* Writes the main content of a page: scripts, navigation and forms stay out. `charset` is that
 * of a header outside of it, NULL: it says itself. If `title` is not NULL, the page's title is
 * appended there. */
void html_write(struct writer *w, const char *bytes, size_t size, const char *charset,
                struct buf *title);

#endif
