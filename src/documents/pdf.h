/* pdf.h - PDFs: their text comes from pdftotext, or from their pages' pictures by tesseract. */
#ifndef RAG_DOCUMENTS_PDF_H
#define RAG_DOCUMENTS_PDF_H

#include "documents/document.h"

enum { PDF_MAX_OCR_PAGES = 2000 /* whose text is recognised */ };

/* Reads a PDF. Where it has no text at all and the options name languages, the text is
 * recognised, page by page; both programs run in a sandbox. RAG_INPUT: it is encrypted,
 * damaged, or without text. */
CHECKED rag_status pdf_read(const char *name, rag_text bytes,
                            const struct read_options *options, struct document *out,
                            rag_error *error);

#endif
