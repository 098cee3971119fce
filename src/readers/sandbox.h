/* sandbox.h - what a reader may do: compute, and answer.
 *
 * A worker loads what it needs first, then shuts itself in; there is no way back. seccomp lets
 * through memory, time, its one socket and its end; opening a file fails (libraries try to, and
 * cope), anything else ends the process. Limits bound memory and processor time, forbid core
 * dumps and files. A launched program (pdftotext) has to be loaded and to open its own data, so
 * it may open files for reading, those of the system alone where Landlock is there, and is
 * started once. */
#ifndef RAG_READERS_SANDBOX_H
#define RAG_READERS_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

/* For a worker; gives the bits of enum sandbox (documents/wire.h) that took effect. */
unsigned sandbox_worker(void);

/* Before the next file, of this size: memory in proportion, processor time anew. */
void sandbox_next_file(size_t size);

/* For a launcher: everything, then the program's start. Returns only if that failed, with
 * errno. */
void sandbox_exec(const char *program, char *const *arguments, char *const *environment);

#endif
