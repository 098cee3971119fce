#define _GNU_SOURCE
#include "documents/pdf.h"
#include "documents/lines.h"
#include "documents/worker.h"

#include <stdio.h>
#include <string.h>

enum { MAX_PAGE_PICTURE = 1 << 27 /* bytes */ };

/* ---- Recognising ------------------------------------------------------------ */

/* Where what pdftotext printed has its text: between "<pre>" and "</pre>". */
static bool find_text(const struct buf *printed, size_t *begin, size_t *end)
{
    const char *open = printed->size ? memmem(printed->data, printed->size, "<pre>", 5) : NULL;
    if (!open)
        return false;
    *begin = (size_t)(open - printed->data) + 5;
    const char *close = memmem(printed->data + *begin, printed->size - *begin, "</pre>", 6);
    *end = close ? (size_t)(close - printed->data) : printed->size;
    return true;
}

static size_t count_pages(const struct buf *printed, size_t begin, size_t end)
{
    size_t pages = 0;
    for (size_t i = begin; i < end; i++)
        pages += printed->data[i] == '\f';
    return pages;
}

/* Appends a text as it stands in HTML. */
static bool append_escaped(struct buf *out, const struct buf *text)
{
    for (size_t i = 0; i < text->size; i++) {
        char c = text->data[i];
        bool ok = c == '<'   ? buf_append_text(out, "&lt;")
                  : c == '>' ? buf_append_text(out, "&gt;")
                  : c == '&' ? buf_append_text(out, "&amp;")
                             : buf_append_char(out, c == '\f' ? '\n' : c);
        if (!ok)
            return false;
    }
    return buf_append_char(out, '\f');
}

static rag_status recognise_page(rag_text bytes, size_t number, const char *languages,
                                 struct buf *out, rag_error *error)
{
    char page[24];
    struct buf picture = BUF_INIT(MAX_PAGE_PICTURE), text = BUF_INIT(MAX_PAGE_PICTURE);
    snprintf(page, sizeof page, "%zu", number);
    rag_status status = worker_run("pdftoppm", page, bytes, &picture, error);
    if (!status)
        status = worker_run("tesseract", languages,
                            (rag_text){picture.data ? picture.data : "", picture.size}, &text,
                            error);
    if (!status && !append_escaped(out, &text))
        status = fail_memory(error);
    buf_release(&picture);
    buf_release(&text);
    return status;
}

/* Puts the text of the pages' pictures in the place of the empty one. */
static rag_status recognise(rag_text bytes, const char *languages, struct buf *printed,
                            size_t begin, size_t end, rag_error *error)
{
    size_t pages = count_pages(printed, begin, end);
    if (pages > PDF_MAX_OCR_PAGES)
        return fail_with(error, RAG_INPUT,
                         "a PDF without a text layer, of %zu pages: the text of at most %d is "
                         "recognised",
                         pages, PDF_MAX_OCR_PAGES);
    printed->size = begin;
    rag_status status = RAG_OK;
    for (size_t i = 1; i <= pages && !status; i++)
        status = recognise_page(bytes, i, languages, printed, error);
    if (!status && !buf_append_text(printed, "</pre>"))
        status = fail_memory(error);
    return status;
}

/* ---- Reading ---------------------------------------------------------------- */

static rag_status print_text(rag_text bytes, const char *languages, struct buf *printed,
                             rag_error *error)
{
    rag_status status = worker_run("pdftotext", NULL, bytes, printed, error);
    if (status == RAG_INPUT && memmem(bytes.data, bytes.size, "/Encrypt", 8))
        return fail_with(error, RAG_INPUT,
                         "a PDF with a password; save it without one, for instance with "
                         "qpdf --decrypt");
    size_t begin, end;
    if (status || !*languages || !find_text(printed, &begin, &end) ||
        !is_blank(printed->data, begin, end))
        return status;
    return recognise(bytes, languages, printed, begin, end, error);
}

rag_status pdf_read(const char *name, rag_text bytes, const struct read_options *options,
                    struct document *out, rag_error *error)
{
    struct buf printed = BUF_INIT(DOCUMENT_MAX_BYTES);
    rag_status status = print_text(bytes, options->ocr, &printed, error);
    /* What it means, a worker says, as of all others. */
    if (!status)
        status = worker_read(name, "pdf", options,
                             (rag_text){printed.data ? printed.data : "", printed.size}, NULL,
                             out, error);
    buf_release(&printed);
    return status;
}
