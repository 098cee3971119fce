/* read_options.h - what a caller may choose of how files are read.
 *
 * An index has to know when a file is to be read again because it would be read differently
 * now. So the hash of a file of a format for which a choice makes a difference (and of what may
 * hold such files: archives, mail) is that of its bytes and of the choice. Without a choice it
 * is that of its bytes. */
#ifndef RAG_DOCUMENTS_READ_OPTIONS_H
#define RAG_DOCUMENTS_READ_OPTIONS_H

#include "base/hash.h"

#include <stdbool.h>

enum { READ_MAX_LANGUAGES = 100 /* bytes of their names */ };

struct read_options {
    char ocr[READ_MAX_LANGUAGES + 1]; /* the languages of scans, as tesseract names them
                                         ("eng+chi_sim"); "": scans are not read */
    bool notebook_outputs;            /* of Jupyter notebooks, what of them is text */
};

/* ocr: NULL: what RAG_OCR in the environment says; "none" or "": scans are not read. RAG_USAGE:
 * these are no languages. RAG_INPUT: tesseract, or one of them, is not installed. */
CHECKED rag_status read_options_make(const char *ocr, bool notebook_outputs,
                                     struct read_options *out, rag_error *error);

/* Whether a file of this name may be read differently than without options. */
bool read_options_matter(const struct read_options *options, const char *name);

/* Makes the hash of the bytes of a file of this name its hash. */
CHECKED rag_status read_options_mix(const struct read_options *options, const char *name,
                                    struct hash *hash, rag_error *error);

/* The options with which a file of this name has this hash: those that there may be, with no
 * languages but those of the environment. *found false: it has another one. */
CHECKED rag_status read_options_find(const char *name, const void *bytes, size_t size,
                                     const struct hash *hash, struct read_options *out,
                                     bool *found, rag_error *error);

#endif
