/* stretches.h - a large text as a row of small documents.
 *
 * A file of which the text is the bytes (plain text and Markdown in UTF-8) need not be in
 * memory as a whole: it is read in stretches that end between blocks, at a heading if there is
 * one. Which block that is does not depend on where the stretch began, as a rule: it is chosen
 * by what stands in it, so that an edit moves the ends of its neighbourhood only, and the
 * chunks behind it stay what they were. Each stretch knows the headings that it lies under. A
 * chunk reaches over the end of a stretch never; a block does only if it is itself about as
 * long as a stretch, and is then cut between lines.
 *
 * The window chunker counts from the beginning of the whole text: it cannot be used with
 * stretches. */
#ifndef RAG_DOCUMENTS_STRETCHES_H
#define RAG_DOCUMENTS_STRETCHES_H

#include "base/hash.h"
#include "documents/document.h"

enum {
    STRETCH_BYTES = 8 << 20, /* of a stretch, at most */
    STRETCHES_FROM = 4,      /* a file of fewer of them is read whole */
};

struct stretches;

/* What the file was when it was opened. */
struct survey {
    struct hash hash;         /* SHA-256 */
    uint64_t size, text_size; /* bytes of the file, and of its text: the same, if it is one */
    int64_t modified;         /* nanoseconds since 1970 */
    const char *format;       /* "text" or "markdown" */
};

struct stretch {
    struct document document; /* its byte 0 is that at `begin` of the file */
    uint64_t begin;
    uint32_t line; /* of byte 0, from 1 */
    bool last;     /* none follows */
};

/* Whether a file of this size may have to be read in stretches. */
bool stretches_suit(uint64_t size);

/* Bytes of a stretch, at most; 0: STRETCH_BYTES. For tests, before files are opened. */
void stretches_set_bytes(size_t bytes);

/* Opens a file to be read in stretches. It is read once, for its hash. *out is NULL where the
 * file is to be read whole: it is small, of another format, or not in UTF-8. RAG_INPUT: it
 * cannot be read. */
CHECKED rag_status stretches_open(const char *path, struct stretches **out, rag_error *error);

/* The same of a text that is no file. */
struct stretch_source {
    /* Bytes [offset, offset + size) of the text, which has them. */
    rag_status (*read)(void *user, uint64_t offset, char *to, size_t size, rag_error *error);
    void *user;
};
CHECKED rag_status stretches_open_source(const char *path, const struct survey *survey,
                                         const struct stretch_source *source,
                                         struct stretches **out, rag_error *error);

void stretches_close(struct stretches *stretches);
const struct survey *stretches_survey(const struct stretches *stretches);

/* The next stretch is the first again. */
void stretches_rewind(struct stretches *stretches);

/* The next stretch in *out, which is good until the next call; NULL: there is none. RAG_INPUT:
 * it cannot be read, or the file is not any more what it was when it was opened. */
CHECKED rag_status stretches_next(struct stretches *stretches, struct stretch **out,
                                  rag_error *error);

#endif
