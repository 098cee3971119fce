/* document.h - a file as text with its structure.
 *
 * Files are hostile, so what reads them is a process of its own without rights (rag-reader,
 * worker.h); what comes back is checked like any other input. The readers themselves are in
 * src/readers/. Of formats that are text (Markdown, source code, CSV ...) the document's text
 * is the file's bytes themselves, a byte order mark included, if they are UTF-8, so that byte
 * ranges and lines of the text are those of the file; other encodings are converted first. Of
 * other formats the text is made by the reader, and `places` say where in the file it was. */
#ifndef RAG_DOCUMENTS_DOCUMENT_H
#define RAG_DOCUMENTS_DOCUMENT_H

#include "base/buf.h"
#include "documents/read_options.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    DOCUMENT_MAX_BYTES = 1 << 30,
    DOCUMENT_MAX_METADATA = 1 << 20, /* bytes of the JSON text */
    DOCUMENT_MAX_WARNINGS = 1 << 16, /* bytes of lines */
};

enum block_kind {
    BLOCK_HEADING, /* level 1..6; of source code the lines that begin a function or class */
    BLOCK_PARAGRAPH,
    BLOCK_LIST_ITEM, /* level: depth from 1 */
    BLOCK_CODE,
    BLOCK_TABLE,
    BLOCK_FORMULA,
    BLOCK_QUOTE,
    BLOCK_HTML,
    BLOCK_OTHER,
    BLOCK_KINDS,
};

/* Whose markup stands in a heading's name. */
enum title_markup { TITLE_PLAIN, TITLE_MARKDOWN, TITLE_LATEX, TITLE_ORG, TITLE_MARKUPS };

/* A stretch of whole lines. Blocks are in order, do not overlap, and only blank lines
 * lie outside them. */
struct block {
    enum block_kind kind;
    unsigned level;
    size_t begin, end;           /* bytes of the text; the last newline is excluded */
    size_t name_begin, name_end; /* BLOCK_HEADING: the title's bytes; empty: it ends the
                                    sections before it and has no name */
    size_t header_end; /* BLOCK_TABLE: behind the rows of its header; 0: it has none */
    enum title_markup markup;
};

/* What a place counts, from the largest to the smallest: a mark ends those of the kinds behind
 * its own. */
enum place_kind {
    PLACE_ENTRY,      /* of an archive; name: its path */
    PLACE_MESSAGE,    /* number from 1; name: its subject */
    PLACE_ATTACHMENT, /* name */
    PLACE_CHAPTER,    /* of an EPUB, number from 1; name: its title */
    PLACE_SHEET,      /* number from 1; name */
    PLACE_SLIDE,      /* number from 1; name: its title */
    PLACE_PAGE,       /* number from 1 */
    PLACE_CELL,       /* of a sheet: name "B12"; of a notebook: number from 1 */
    PLACE_RECORD,     /* of JSON lines: number from 1 */
    PLACE_TIME,       /* of subtitles: number in milliseconds */
    PLACE_KINDS,
};

/* A mark: from this byte on the text was there. */
struct place {
    size_t begin;
    enum place_kind kind;
    uint32_t number; /* 0: it has none */
    uint32_t name;   /* an offset in document.names; 0: it has none */
    uint32_t parent; /* 1 + the index of the mark that it lies in; 0: it lies in none. Those of
                        a file in a file lie in that file's mark, whatever their kinds */
};

/* A file in the file, which its reader leaves to another one: an attachment, or an entry of an
 * archive. Its text belongs in front of `at`. */
struct part {
    size_t at;
    unsigned level;          /* its headings are so much deeper */
    size_t name, begin, end; /* in document.part_bytes: name is NUL-terminated */
};

/* The headings that a part of a larger text lies under (stretches.h), with rising levels. */
enum { HEADING_LEVELS = 6 };
struct above {
    struct {
        unsigned level;
        char *title; /* as a person would say it */
    } headings[HEADING_LEVELS];
    size_t count;
};

void above_release(struct above *above);

struct document {
    char *path;         /* as found */
    const char *format; /* of formats.h: "markdown", "text", "pdf" ... */
    struct buf text;    /* valid UTF-8 */
    struct block *blocks;
    size_t block_count, block_capacity;
    struct place *places; /* in the order of the text */
    size_t place_count, place_capacity;
    struct buf names;     /* of places: NUL-terminated strings, the first of them empty */
    struct buf metadata;  /* a JSON object as text, or empty: title, author, date ... */
    struct buf warnings;  /* lines: parts of it that could not be read, and why */
    size_t warning_count; /* of these lines, and of those for which there was no room */
    struct above above;   /* of a whole document: none */
    /* While it is put together only (compose.h). */
    struct part *parts;
    size_t part_count, part_capacity;
    struct buf part_bytes;
};

#define DOCUMENT_INIT                                                                          \
    ((struct document){.text = BUF_INIT(DOCUMENT_MAX_BYTES),                                   \
                       .names = BUF_INIT(DOCUMENT_MAX_BYTES),                                  \
                       .metadata = BUF_INIT(DOCUMENT_MAX_METADATA),                            \
                       .warnings = BUF_INIT(DOCUMENT_MAX_WARNINGS),                            \
                       .part_bytes = BUF_INIT(DOCUMENT_MAX_BYTES)})

void document_release(struct document *document);

/* What a person would call it: the file's name without the folders. */
const char *document_name(const struct document *document);

CHECKED bool document_push(struct document *document, struct block block);
/* name: NULL or a string that is copied. */
CHECKED bool document_push_place(struct document *document, size_t begin, enum place_kind kind,
                                 uint32_t number, const char *name);

/* Notes what could not be read: a line without control characters, after the name ("": none) of
 * the part that it is about. */
CHECKED bool document_push_warning(struct document *document, const char *name,
                                   const char *line, size_t size);

/* The next line of the warnings, without its end; *at begins with 0. false: there is none. */
bool document_next_warning(const struct document *document, size_t *at, rag_text *line);

/* Reads a file: encoding, then format, then blocks. options: NULL: none.
 * RAG_INPUT names the file and says why it is not text. */
CHECKED rag_status document_read(const char *path, const struct read_options *options,
                                 struct document *out, rag_error *error);

/* The same of bytes that are in memory; `name` decides between formats where the bytes do
 * not. */
CHECKED rag_status document_parse(const char *name, const void *bytes, size_t size,
                                  const struct read_options *options, struct document *out,
                                  rag_error *error);

/* The same, which may take the bytes over: they are the document's text then, and `bytes` is
 * empty. */
CHECKED rag_status document_take(const char *name, struct buf *bytes,
                                 const struct read_options *options, struct document *out,
                                 rag_error *error);

/* A document of a text, valid UTF-8, that is no file. format: "text" or "markdown".
 * RAG_INPUT: no reader has this format. */
CHECKED rag_status document_of_text(const char *name, const char *format, rag_text text,
                                    struct document *out, rag_error *error);

/* Appends the title of a BLOCK_HEADING as a person would say it: the format's markup
 * left out, in one line, at most DOCUMENT_MAX_TITLE bytes. */
enum { DOCUMENT_MAX_TITLE = 200 };
CHECKED bool document_title(const struct document *document, const struct block *heading,
                            struct buf *out);

/* Appends where in the file the text at `byte` was: "page 3", "report.pdf, page 3",
 * "sheet Sales, cell B12", "slide 4", "00:01:05"; nothing if there are no marks. */
CHECKED bool document_place(const struct document *document, size_t byte, struct buf *out);

/* True if some reader takes files of this name. */
bool document_supported(const char *path);

/* Whether a document holds what this header promises; a reader's answer is checked with it.
 * RAG_INTERNAL says what is wrong. */
CHECKED rag_status document_check(const struct document *document, rag_error *error);

#endif
