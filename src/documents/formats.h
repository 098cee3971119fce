/* formats.h - the formats by name, and which file names stand for them. */
#ifndef RAG_DOCUMENTS_FORMATS_H
#define RAG_DOCUMENTS_FORMATS_H

#include <stdbool.h>
#include <stddef.h>

/* The format that a file's name stands for, NULL if it stands for none. */
const char *format_of_name(const char *path);

/* The static string of this format, NULL if there is none. */
const char *format_named(const char *name);

/* Whether a document of this format has the text of its file (document.h): its lines are those
 * of the file then. */
bool format_is_text(const char *format);

/* Whether a file is a PDF: other than all else, its text comes from a program of its own. */
bool format_is_pdf(const char *path, const void *bytes, size_t size);

#endif
