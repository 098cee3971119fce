/* reader.h - the readers: one file a format, behind one interface.
 *
 * They run in rag-reader (main.c), a process without rights, but are written as if they did
 * not: no byte of the input is trusted. What they make is checked by who asked
 * (document_check). To add a format: a file here with a struct reader, a line in readers.c, a
 * line with its suffixes in documents/formats.c, a fuzz corpus, and a row in docs/guide.md. */
#ifndef RAG_READERS_READER_H
#define RAG_READERS_READER_H

#include "documents/document.h"

/* What a file is read from. */
struct input {
    const char *name; /* of the file, without any folder that matters */
    const char *format;
    const char *bytes;
    size_t size;
    const struct read_options *options;
};

struct reader {
    const char *formats; /* separated by blanks */
    /* Formats that are text: document->text is the file's bytes as UTF-8 already, and the
     * reader finds their blocks. Else it is empty, and the reader makes it. */
    bool is_text;
    rag_status (*read)(const struct input *input, struct document *document, rag_error *error);
};

extern const struct reader asciidoc_reader, archive_reader, code_reader, csv_reader,
    docx_reader, epub_reader, html_reader, json_reader, latex_reader, mail_reader,
    markdown_reader, notebook_reader, odf_reader, org_reader, pdf_reader, plain_reader,
    pptx_reader, rst_reader, rtf_reader, subtitles_reader, xlsx_reader;

/* Reads a file. format: NULL: it is found by content before name. *text_is_input becomes true
 * if the text is the input's bytes: these are then taken out of `bytes`, not copied. RAG_INPUT:
 * it cannot be read. */
CHECKED rag_status readers_read(const char *name, const char *format,
                                const struct read_options *options, struct buf *bytes,
                                struct document *out, bool *text_is_input, rag_error *error);

/* The format of a file by its content, else by its name, else "text". */
const char *readers_detect(const char *name, const char *bytes, size_t size);

#endif
