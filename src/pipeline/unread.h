/* unread.h - telling the caller what of a document could not be read: an attachment, an entry
 * of an archive, a line of JSON. The rest of it goes its way. */
#ifndef RAG_PIPELINE_UNREAD_H
#define RAG_PIPELINE_UNREAD_H

#include "base/event.h"
#include "documents/document.h"

enum { UNREAD_MAX_TOLD = 10 }; /* of a document, one by one; of the others how many they are */

/* A warning event for each, with the document's name; and a change, RAG_PARTIAL, if on_change
 * is not NULL. */
void unread_tell(const struct document *document, const struct events *events,
                 rag_change_fn on_change, void *user);

#endif
