/* front_matter.h - what a Markdown file says of itself: YAML between "---" lines at its front,
 * as static site generators read it. */
#ifndef RAG_READERS_FRONT_MATTER_H
#define RAG_READERS_FRONT_MATTER_H

#include "base/buf.h"

enum { FRONT_MATTER_MAX_DEPTH = 32 };

/* Appends a JSON object of the keys of a YAML mapping whose values are scalars or lists of
 * scalars; nothing if there are none. Plain true, false and numbers (as JSON writes them) are
 * themselves, all else is a string; null and what lies deeper is left out. Of a key that comes
 * twice the last counts. What is no such YAML, is nested deeper than FRONT_MATTER_MAX_DEPTH, or
 * has aliases, is prose to us: nothing is appended. */
CHECKED rag_status front_matter_json(rag_text yaml, struct buf *out, rag_error *error);

/* Appends the front matter of a Markdown text, if it has any, as such an object. */
CHECKED rag_status front_matter_read(rag_text text, struct buf *out, rag_error *error);

#endif
