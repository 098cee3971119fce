/* header.h - the first bytes of an index file and of the journal beside it, before SQLite
 * touches either.
 *
 * They are read through SQLite's own file layer: closing a descriptor of our own would drop the
 * POSIX locks that another connection of this process holds on the file. */
#ifndef RAG_STORE_HEADER_H
#define RAG_STORE_HEADER_H

#include "store/schema.h"

/* Fills up with zeros what a shorter file does not have. */
CHECKED rag_status header_read(const char *path, unsigned char header[SCHEMA_HEADER_SIZE],
                               uint64_t *size, bool *missing, rag_error *error);

/* Whether the journal beside the file says that the file was empty before: its creation was
 * interrupted, by a power loss perhaps, and it may hold anything until SQLite takes that back.
 * (The journal's format: sqlite.org/fileformat2.html, "The Rollback Journal".) */
bool header_is_of_a_creation(const char *path);

#endif
