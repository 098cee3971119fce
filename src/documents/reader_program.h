/* reader_program.h - where rag-reader is, and starting it. */
#ifndef RAG_DOCUMENTS_READER_PROGRAM_H
#define RAG_DOCUMENTS_READER_PROGRAM_H

#include "base/error.h"

#include <sys/types.h>

enum {
    /* Exit status of the launcher when it could not start its program. */
    READER_EXIT_NOT_INSTALLED = 127,
    READER_EXIT_FAILED = 126,
};

/* What the program gets as its input and output; output -1: none. */
struct reader_ends {
    int input, output;
};

/* Starts rag-reader as a worker (program NULL) or as the launcher of a program, with a
 * parameter for it or NULL. It gets nothing of this process but the ends: no other file, and of
 * the environment only what a program needs to be loaded. It is looked for where RAG_READER
 * says, beside the library or the program, in
 * ../libexec/rag from there, and where it was to be installed. RAG_INTERNAL: it is not there.
 */
CHECKED rag_status reader_program_start(const char *program, const char *parameter,
                                        struct reader_ends ends, pid_t *pid, rag_error *error);

/* What the exit status of a launched program says. RAG_INPUT. */
rag_status reader_program_fail(const char *program, int exit_status, rag_error *error);

#endif
