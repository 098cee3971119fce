/* reading.h - a file on its way from the disk to chunks.
 *
 * Of the index nothing is touched but its model, which is loaded when the first file needs it;
 * so files may be read by several threads (ahead.h) while others are written. */
#ifndef RAG_PIPELINE_READING_H
#define RAG_PIPELINE_READING_H

#include "documents/stretches.h"
#include "pipeline/known.h"

/* What holds for all files of a run. */
struct reading_rules {
    rag_index *index;
    const struct known *known;
    struct chunker_options chunker;
    struct read_options read;
    bool metadata; /* the caller gives some: those of each document are needed */
    pthread_mutex_t loading;
};

enum reading_fate {
    READING_UNREADABLE, /* status and error say why */
    READING_LARGE,      /* perhaps a file for stretches.h: its bytes are not read */
    READING_SAME,       /* its bytes are those that the index knows under its path */
    READING_GONE,       /* ... under a path that is gone: it is not cut */
    READING_CUT,        /* document and chunks are there; or status and error say why not */
};

struct reading {
    const char *path;                   /* borrowed */
    const struct known_document *known; /* the document of this path; NULL: there is none */
    enum reading_fate fate;
    rag_status status; /* RAG_INPUT: the file is to be skipped */
    rag_error error;
    struct hash hash; /* of its bytes, and of how it is read (read_options.h) */
    uint64_t size;
    int64_t modified; /* nanoseconds since 1970 */
    struct buf bytes; /* those of the file, until they are parsed */
    /* Where it is READING_CUT; of the other two, if the rules ask for metadata, the document,
     * as far as it could be read. */
    struct document document;
    struct chunk_list chunks;
};

/* Reads a file of which path and known are set, the rest zero. */
void reading_run(struct reading_rules *rules, struct reading *reading);

/* The same, whatever its size. */
void reading_run_whole(struct reading_rules *rules, struct reading *reading);

/* What is known of a READING_LARGE file by its survey: it may be READING_SAME or READING_GONE
 * afterwards. RAG_INPUT: it cannot be read. */
CHECKED rag_status reading_survey(struct reading_rules *rules, struct reading *reading,
                                  struct stretches *stretches, rag_error *error);

/* Loads the model, if it was not yet needed. */
CHECKED rag_status reading_need_model(struct reading_rules *rules, rag_error *error);

/* Makes it READING_CUT, if it is READING_GONE or READING_SAME. */
void reading_cut(struct reading_rules *rules, struct reading *reading);

void reading_release(struct reading *reading);

#endif
