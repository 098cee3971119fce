/* cache_file.h - NAME.rag-cache: what dense search scans, memory-mapped, beside the index.
 * docs/format.md has it to the byte.
 *
 * Everything in it is made of the index and may be deleted at any time. Two headers, each with
 * a sequence number and a checksum, take turns: what a header counts is written and on disk
 * before the header is, so a writer that is cut off leaves the other one, which is still right.
 * Room for more rows is reserved as holes, so that adding rows writes these and nothing else;
 * nothing is ever cut short, and a file that is made anew replaces the old one by a rename, so
 * that whoever has that mapped goes on with it.
 *
 * Where no file can be written the same lies in private memory.
 *
 * Caveat: a file that someone else cuts short while it is mapped raises SIGBUS. */
#ifndef RAG_STORE_CACHE_FILE_H
#define RAG_STORE_CACHE_FILE_H

#include "store/scan.h"

#include <stdbool.h>

/* What a header says. */
struct cache_state {
    uint64_t sequence;
    int64_t generation, mark; /* of the index that it knows */
    int64_t last_chunk;       /* the greatest id of a chunk that it has seen */
    uint64_t rows, live;      /* ever written; not taken out since */
};

/* Offsets of the sections. */
struct cache_layout {
    size_t centre, blocks, rest, lower, residuals, ids, size;
};

struct cache_file {
    char *path; /* where it is, or is to be; NULL: private memory */
    char *made; /* where it lies while it is made; else NULL */
    int fd;     /* -1: private memory */
    bool writable;
    unsigned char *map; /* [layout.size]; NULL: not open */
    size_t capacity;    /* rows */
    struct coder sizes; /* of the codes: coder_measure */
    struct cache_layout layout;
    struct cache_state state;
};

/* Opens the file with the vectors of `dimension`. RAG_NOT_FOUND: there is none that can be
 * used. */
CHECKED rag_status cache_file_open(struct cache_file *file, const char *path, size_t dimension,
                                   rag_error *error);

/* Begins a new file with room for `rows`, and locks it; one that another process is making is
 * waited for, and then *made is false, for there is a new one to be opened. path NULL: in
 * private memory. RAG_INPUT: it cannot be written, and why. */
CHECKED rag_status cache_file_create(struct cache_file *file, const char *path,
                                     size_t dimension, size_t rows, bool *made,
                                     rag_error *error);

/* Puts the new file in its place, and unlocks it. */
CHECKED rag_status cache_file_publish(struct cache_file *file, rag_error *error);

/* Waits until no other process changes the file. *same false: it has been replaced since it was
 * opened; it is not locked then. */
CHECKED rag_status cache_file_lock(struct cache_file *file, bool *same, rag_error *error);
void cache_file_unlock(struct cache_file *file);

/* Reads the headers again, which another process may have written. False: none can be used. */
CHECKED bool cache_file_read_state(struct cache_file *file);

CHECKED rag_status cache_file_write(struct cache_file *file, size_t offset, const void *data,
                                    size_t size, rag_error *error);

/* Waits until what was written is on disk and writes the next header: sequence is set here. */
CHECKED rag_status cache_file_commit(struct cache_file *file, const struct cache_state *state,
                                     rag_error *error);

/* Also removes what was being made. */
void cache_file_close(struct cache_file *file);

static inline const int64_t *cache_file_ids(const struct cache_file *file)
{
    return (const int64_t *)(const void *)(file->map + file->layout.ids);
}

#endif
