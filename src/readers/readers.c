#include "documents/encoding.h"
#include "documents/formats.h"
#include "documents/markdown.h"
#include "documents/plain.h"
#include "readers/charset.h"
#include "readers/front_matter.h"
#include "readers/reader.h"

#include <string.h>

static rag_status read_markdown(const struct input *input, struct document *document,
                                rag_error *error)
{
    (void)input;
    rag_text text = {document->text.data, document->text.size};
    rag_status status = front_matter_read(text, &document->metadata, error);
    return status ? status : markdown_read(document, MARKDOWN_PIECE, error);
}

const struct reader markdown_reader = {"markdown", true, read_markdown};

static rag_status read_plain(const struct input *input, struct document *document,
                             rag_error *error)
{
    (void)input;
    return plain_read(document, error);
}

const struct reader plain_reader = {"text", true, read_plain};

static const struct reader *const readers[] = {
    &archive_reader,  &asciidoc_reader, &code_reader, &csv_reader,   &docx_reader,
    &epub_reader,     &html_reader,     &json_reader, &latex_reader, &mail_reader,
    &markdown_reader, &notebook_reader, &odf_reader,  &org_reader,   &pdf_reader,
    &plain_reader,    &pptx_reader,     &rst_reader,  &rtf_reader,   &subtitles_reader,
    &xlsx_reader,
};

enum { READERS = sizeof readers / sizeof *readers };

static bool lists(const char *formats, const char *format)
{
    size_t size = strlen(format);
    for (const char *at = formats; *at;) {
        size_t n = strcspn(at, " ");
        if (n == size && memcmp(at, format, n) == 0)
            return true;
        at += n + (at[n] == ' ');
    }
    return false;
}

static const struct reader *reader_of(const char *format)
{
    for (size_t i = 0; i < READERS; i++)
        if (lists(readers[i]->formats, format))
            return readers[i];
    return NULL;
}

/* Lines that end with "\r" alone, as spreadsheets for the Mac write them, end with "\n". */
static bool mend_lines(struct buf *text)
{
    if (memchr(text->data, '\n', text->size) || !memchr(text->data, '\r', text->size))
        return false;
    for (size_t i = 0; i < text->size; i++)
        if (text->data[i] == '\r')
            text->data[i] = '\n';
    return true;
}

/* The input as UTF-8 in document->text; the bytes are taken over if they are that already. */
static rag_status take_text(struct buf *bytes, struct document *document, bool *text_is_input,
                            rag_error *error)
{
    const char *encoding, *declared;
    rag_status status = encoding_detect(bytes->data, bytes->size, &encoding, error);
    *text_is_input = !status && strcmp(encoding, "UTF-8") == 0;
    if (*text_is_input) {
        buf_release(&document->text);
        document->text = *bytes;
        *bytes = BUF_INIT(bytes->max);
    } else if ((declared = charset_declared(bytes->data, bytes->size)) &&
               strcmp(declared, "UTF-8") != 0) {
        status = charset_decode(declared, bytes->data, bytes->size, &document->text)
                     ? RAG_OK
                     : fail_memory(error);
        buf_release(bytes);
    } else if (!status) {
        status = encoding_to_utf8(bytes->data, bytes->size, &document->text, &encoding, error);
        buf_release(bytes);
    }
    if (!status && !buf_reserve(&document->text, 0))
        status = fail_memory(error);
    if (!status && mend_lines(&document->text))
        *text_is_input = false;
    return status;
}

rag_status readers_read(const char *name, const char *format,
                        const struct read_options *options, struct buf *bytes,
                        struct document *out, bool *text_is_input, rag_error *error)
{
    *out = DOCUMENT_INIT;
    *text_is_input = false;
    if (!buf_reserve(bytes, 0))
        return fail_memory(error);
    out->format =
        format ? format_named(format) : readers_detect(name, bytes->data, bytes->size);
    const struct reader *reader = out->format ? reader_of(out->format) : NULL;
    if (!reader)
        return fail_with(error, RAG_INPUT, "no reader takes this format");
    struct input input = {name, out->format, bytes->data, bytes->size, options};
    rag_status status = RAG_OK;
    if (reader->is_text) {
        status = take_text(bytes, out, text_is_input, error);
        input.bytes = out->text.data;
        input.size = out->text.size;
    }
    if (!status)
        status = reader->read(&input, out, error);
    if (status)
        document_release(out);
    return status;
}
