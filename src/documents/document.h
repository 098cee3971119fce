/* document.h - a file as text with its structure, and the readers that make one.
 *
 * A reader is one file behind one interface (struct reader): add formats by adding a
 * file and a line in readers[] of document.c. The text of a UTF-8 file of a plain format
 * is the file's bytes themselves (a byte order mark included), so that byte ranges of
 * the text are byte ranges of the file; other encodings are converted first. */
#ifndef RAG_DOCUMENTS_DOCUMENT_H
#define RAG_DOCUMENTS_DOCUMENT_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

enum { DOCUMENT_MAX_BYTES = 1 << 30 };

enum block_kind {
    BLOCK_HEADING, /* level 1..6 */
    BLOCK_PARAGRAPH,
    BLOCK_LIST_ITEM, /* level: depth from 1 */
    BLOCK_CODE,
    BLOCK_TABLE,
    BLOCK_FORMULA,
    BLOCK_QUOTE,
    BLOCK_HTML,
    BLOCK_OTHER,
};

/* A stretch of whole lines. Blocks are in order, do not overlap, and only blank lines
 * lie outside them. */
struct block {
    enum block_kind kind;
    unsigned level;
    size_t begin, end;           /* bytes of the text; the last newline is excluded */
    size_t name_begin, name_end; /* BLOCK_HEADING: the title's bytes */
    size_t header_end; /* BLOCK_TABLE: behind the rows of its header; 0: it has none */
};

struct reader;

struct document {
    char *path;                  /* as found */
    const char *format;          /* "markdown", "text" */
    const struct reader *reader; /* what read it */
    struct buf text;             /* valid UTF-8 */
    struct block *blocks;
    size_t block_count, block_capacity;
};

void document_release(struct document *document);

/* What a person would call it: the file's name without the folders. */
const char *document_name(const struct document *document);

CHECKED bool document_push(struct document *document, struct block block);

/* Reads a file: encoding, then format, then blocks.
 * RAG_INPUT names the file and says why it is not text. */
CHECKED rag_status document_read(const char *path, struct document *out, rag_error *error);

/* The same of bytes that are in memory; `name` decides between formats. */
CHECKED rag_status document_parse(const char *name, const void *bytes, size_t size,
                                  struct document *out, rag_error *error);

/* A document of a text, valid UTF-8, that is no file. format: of a reader, such as "text".
 * RAG_INPUT: no reader has this format. */
CHECKED rag_status document_of_text(const char *name, const char *format, rag_text text,
                                    struct document *out, rag_error *error);

/* Appends the title of a BLOCK_HEADING as a person would say it: the format's markup
 * left out, in one line, at most DOCUMENT_MAX_TITLE bytes. */
enum { DOCUMENT_MAX_TITLE = 200 };
CHECKED bool document_title(const struct document *document, const struct block *heading,
                            struct buf *out);

struct reader {
    const char *format;
    const char *const *suffixes; /* NULL-terminated, lower case, with the dot */
    /* Fills document->blocks from document->text. */
    rag_status (*read)(struct document *document, rag_error *error);
    /* Appends a title without the format's markup. */
    bool (*title)(const char *name, size_t size, struct buf *out);
};

extern const struct reader markdown_reader, plain_reader;

/* True if some reader takes files of this name. */
bool document_supported(const char *path);

#endif
