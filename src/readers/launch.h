/* launch.h - programs that rag does not link with, run on a file in a sandbox. */
#ifndef RAG_READERS_LAUNCH_H
#define RAG_READERS_LAUNCH_H

/* Becomes the program of this name, which reads its input and prints. parameter: NULL or
 * letters, digits, "_" and "+", for the "%" of its arguments. Returns an exit status
 * (documents/reader_program.h) if there is none, or it does not start. */
int launch(const char *program, const char *parameter);

#endif
