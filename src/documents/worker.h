/* worker.h - rag-reader: files are parsed in processes that can do nothing else.
 *
 * A worker is started when there is none to spare, reads one file after the other, and is
 * replaced when it dies, hangs or takes too much memory. It gets the bytes of a file, opens
 * nothing, and is bounded in memory, time and output (src/readers/sandbox.h). Idle workers are
 * kept; they end when this process does. All functions may be called from several threads. */
#ifndef RAG_DOCUMENTS_WORKER_H
#define RAG_DOCUMENTS_WORKER_H

#include "documents/document.h"

/* Has a worker read the bytes. format: NULL, or one that is known already, such as "pdf".
 * RAG_INPUT: they cannot be read, or were what killed the worker. The path of `out` stays NULL;
 * it may have parts. owner: NULL, or the
 * buffer whose bytes these are: it may be empty afterwards, for the document has them. */
CHECKED rag_status worker_read(const char *name, const char *format,
                               const struct read_options *options, rag_text bytes,
                               struct buf *owner, struct document *out, rag_error *error);

/* Runs a program of the launcher's table (src/readers/launch.h) on the bytes, in a sandbox of
 * its own, and appends what it prints. parameter: NULL or what the table has a place for.
 * RAG_INPUT: it failed, or is not installed. */
CHECKED rag_status worker_run(const char *program, const char *parameter, rag_text bytes,
                              struct buf *out, rag_error *error);

/* How the last worker that was started is kept from doing harm: bits of enum sandbox (wire.h);
 * -1: none was started yet. */
int worker_sandbox(void);

/* Ends the idle workers. */
void worker_end_all(void);

/* Seconds for a file of no size; 0: the default. For tests of what hangs. */
void worker_set_patience(double seconds);

#endif
