/* charset.h - texts in any character set that pages and mails declare, to UTF-8. */
#ifndef RAG_READERS_CHARSET_H
#define RAG_READERS_CHARSET_H

#include "base/buf.h"

/* Loads all converters, before the process may no longer open files. */
void charset_load(void);

/* The converter's name for a label such as "latin1" or "gb2312" (WHATWG Encoding: a page that
 * says ISO-8859-1 means windows-1252); NULL: there is none. size: of the label. */
const char *charset_of_label(const char *label, size_t size);

/* What a text says of itself: "coding: latin-1" in its first two lines, as Emacs and Python have
 * it, or LaTeX's "\usepackage[latin1]{inputenc}". NULL: nothing. */
const char *charset_declared(const char *text, size_t size);

/* Appends the bytes as UTF-8. Bytes that are invalid are left out. `charset` is of
 * charset_of_label. False: out of memory or out's maximum. */
CHECKED bool charset_decode(const char *charset, const char *bytes, size_t size,
                            struct buf *out);

/* A text without a label: UTF-8, UTF-16 or GB18030 where encoding.h finds it, else
 * windows-1252. */
CHECKED bool charset_decode_unlabelled(const char *bytes, size_t size, struct buf *out);

#endif
