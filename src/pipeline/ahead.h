/* ahead.h - files are read and cut before it is their turn, by threads of their own, so that
 * the encoder does not wait for them.
 *
 * They are taken in the order in which they were pushed. How far ahead is bounded in files and
 * bytes. One thread pushes and takes. */
#ifndef RAG_PIPELINE_AHEAD_H
#define RAG_PIPELINE_AHEAD_H

#include "pipeline/reading.h"

struct ahead;

/* The rules must outlive it. */
CHECKED rag_status ahead_start(struct reading_rules *rules, struct ahead **out,
                               rag_error *error);

/* Waits for the files in hand; what was not taken is lost. NULL: nothing. */
void ahead_stop(struct ahead *ahead);

/* Whether a file may be pushed. */
bool ahead_has_room(const struct ahead *ahead);

/* path is borrowed until the file is taken; size: about how many bytes it has. */
void ahead_push(struct ahead *ahead, const char *path, const struct known_document *known,
                uint64_t size);

/* Whether some were pushed and not taken. */
bool ahead_has_more(const struct ahead *ahead);

/* The next file, of which there must be one, when it has been read. It is good until the next
 * call of a function here, and the caller's to release before. */
struct reading *ahead_take(struct ahead *ahead);

#endif
