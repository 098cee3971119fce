/* mime.h - the parts of a mail: RFC 5322 (headers), 2045 and 2046 (parts and their encodings),
 * 2047 (words in other character sets), 2231 (names of files). */
#ifndef RAG_READERS_MIME_H
#define RAG_READERS_MIME_H

#include "base/buf.h"

enum {
    MIME_MAX_HEADER = 1 << 20,
    MIME_MAX_VALUE = 1 << 16,
};

/* A stretch of the mail's bytes. */
struct span {
    size_t begin, end;
};

/* Where a part's header ends and its body begins: behind the first blank line. */
size_t mime_body(const char *bytes, struct span part);

/* A header field's value as UTF-8 in one line; false: there is none. `header` ends where the
 * body begins. */
bool mime_field(const char *bytes, struct span header, const char *name, struct buf *out);

/* The value before the first ";", in lower case: "text/html". */
bool mime_value(const char *field, struct buf *out);

/* A parameter of a field's value: the boundary of "multipart/mixed; boundary=x". */
bool mime_parameter(const char *field, const char *name, struct buf *out);

/* The next part of a multipart body between delimiters "--boundary": `*at` is moved behind it.
 * False: there are no more. */
bool mime_next_part(const char *bytes, struct span body, const char *boundary, size_t *at,
                    struct span *part);

/* Appends a body without its transfer encoding (base64, quoted-printable, or none). */
CHECKED bool mime_decode(const char *bytes, struct span body, const char *encoding,
                         struct buf *out);

#endif
