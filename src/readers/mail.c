/* Mail: one message (.eml) or many (.mbox: RFC 4155, lines ">From " with their mark taken off).
 * Of a message its subject as a heading, who wrote to whom and when, the text, preferably the
 * plain one, and the attachments, which are files for other readers. */
#include "documents/formats.h"
#include "documents/lines.h"
#include "readers/charset.h"
#include "readers/html.h"
#include "readers/mime.h"
#include "readers/reader.h"
#include "readers/writer.h"
#include "text/utf8.h"

#include <stdio.h>
#include <string.h>

enum {
    MAX_DEPTH = 16,   /* parts in parts */
    MAX_PARTS = 1000, /* of a message */
    MAX_MESSAGES = 1 << 20,
};

struct mail {
    struct writer *w;
    const char *bytes;
    unsigned level; /* of a message's heading; its attachments are one deeper */
    unsigned parts;
};

/* What a part's header says. */
struct part_header {
    struct buf field, type, boundary, charset, encoding, name;
    bool attachment;
};

static void header_release(struct part_header *h)
{
    buf_release(&h->field);
    buf_release(&h->type);
    buf_release(&h->boundary);
    buf_release(&h->charset);
    buf_release(&h->encoding);
    buf_release(&h->name);
}

static bool header_read(struct part_header *h, const char *bytes, struct span header)
{
    *h = (struct part_header){.field = BUF_INIT(MIME_MAX_VALUE),
                              .type = BUF_INIT(MIME_MAX_VALUE),
                              .boundary = BUF_INIT(MIME_MAX_VALUE),
                              .charset = BUF_INIT(MIME_MAX_VALUE),
                              .encoding = BUF_INIT(MIME_MAX_VALUE),
                              .name = BUF_INIT(MIME_MAX_VALUE)};
    bool ok = buf_reserve(&h->name, 0) && buf_reserve(&h->charset, 0) &&
              buf_reserve(&h->boundary, 0) && buf_reserve(&h->encoding, 0);
    if (mime_field(bytes, header, "Content-Disposition", &h->field)) {
        ok = ok && mime_value(h->field.data, &h->type);
        h->attachment = h->type.data && strcmp(h->type.data, "attachment") == 0;
        (void)mime_parameter(h->field.data, "filename", &h->name);
    }
    if (mime_field(bytes, header, "Content-Transfer-Encoding", &h->field))
        ok = ok && mime_value(h->field.data, &h->encoding);
    bool typed = mime_field(bytes, header, "Content-Type", &h->field);
    ok = ok && mime_value(typed && *h->field.data ? h->field.data : "text/plain", &h->type);
    if (typed) {
        (void)mime_parameter(h->field.data, "boundary", &h->boundary);
        (void)mime_parameter(h->field.data, "charset", &h->charset);
        if (h->name.size == 0)
            (void)mime_parameter(h->field.data, "name", &h->name);
    }
    return ok && h->type.data && buf_reserve(&h->name, 0);
}

/* ---- Texts ------------------------------------------------------------------ */

/* Paragraphs as they are written: lines, and what is quoted apart. */
static void write_plain(struct writer *w, const char *text, size_t size)
{
    bool quoted = false;
    writer_end(w);
    for (size_t at = 0; at < size && !w->status;) {
        size_t end = line_end(text, size, at);
        bool from = end - at >= 6 && memcmp(text + at, ">From ", 6) == 0; /* of an mbox */
        bool quote = at < end && text[at] == '>' && !from;
        at += from;
        if (end - at == 3 && memcmp(text + at, "-- ", 3) == 0)
            break; /* a signature */
        if (is_blank(text, at, end)) {
            writer_end(w);
        } else {
            if (!w->open || quote != quoted)
                writer_begin(w, quote ? BLOCK_QUOTE : BLOCK_PARAGRAPH, 0);
            else
                writer_break(w);
            quoted = quote;
            writer_text(w, text + at, end - at);
        }
        at = end + 1;
    }
    writer_end(w);
}

/* Whether a part that says otherwise is UTF-8: no other set gives as many sequences of three
 * bytes by chance, with not one that is invalid. */
static bool is_utf8_after_all(const struct buf *body)
{
    enum { ENOUGH = 4 };
    size_t long_ones = 0;
    for (size_t i = 0; i < body->size && long_ones < ENOUGH; i++)
        long_ones += (unsigned char)body->data[i] >= 0xE0;
    return long_ones == ENOUGH && utf8_valid_prefix(body->data, body->size) == body->size;
}

static void write_text(struct mail *m, const struct part_header *h, const struct buf *body)
{
    struct buf text = BUF_INIT(DOCUMENT_MAX_BYTES);
    const char *charset = charset_of_label(h->charset.data, h->charset.size);
    if (charset && strncmp(charset, "UTF-16", 6) != 0 && is_utf8_after_all(body))
        charset = "UTF-8";
    if (strcmp(h->type.data, "text/html") == 0) {
        html_write(m->w, body->data, body->size, charset, NULL);
        return;
    }
    bool ok = charset ? charset_decode(charset, body->data, body->size, &text)
                      : charset_decode_unlabelled(body->data, body->size, &text);
    if (ok && buf_reserve(&text, 0))
        write_plain(m->w, text.data, text.size);
    else
        writer_fail(m->w, RAG_MEMORY, "out of memory");
    buf_release(&text);
}

/* ---- Parts ------------------------------------------------------------------ */

static void write_part(struct mail *m, struct span part, unsigned depth);

/* Of alternatives the plain text, if it has any, else the last that can be read. */
static bool is_plain(const char *bytes, struct span part)
{
    struct part_header h;
    size_t body = mime_body(bytes, part);
    bool plain = header_read(&h, bytes, (struct span){part.begin, body}) &&
                 strcmp(h.type.data, "text/plain") == 0 && !is_blank(bytes, body, part.end);
    header_release(&h);
    return plain;
}

static void write_multipart(struct mail *m, const struct part_header *h, struct span body,
                            unsigned depth)
{
    bool alternative = strcmp(h->type.data, "multipart/alternative") == 0;
    struct span part, chosen = {0};
    bool found = false;
    for (size_t at = body.begin;
         mime_next_part(m->bytes, body, h->boundary.data, &at, &part) && !m->w->status;) {
        if (!alternative) {
            write_part(m, part, depth + 1);
            continue;
        }
        chosen = part;
        found = true;
        if (is_plain(m->bytes, part))
            break;
    }
    if (found)
        write_part(m, chosen, depth + 1);
}

static void write_message(struct mail *m, struct span message, unsigned depth);

static void write_attachment(struct mail *m, const struct part_header *h,
                             const struct buf *body)
{
    const char *name = h->name.size ? h->name.data : "attachment";
    if (!format_of_name(name) && strncmp(h->type.data, "text/", 5) != 0)
        return; /* a picture, a signature: no text, and no trouble */
    writer_end(m->w);
    writer_place(m->w, PLACE_ATTACHMENT, 0, name);
    writer_begin(m->w, BLOCK_HEADING, m->level + 1);
    writer_string(m->w, name);
    writer_part(m->w, name, body->data, body->size, m->level + 1);
}

static void write_part(struct mail *m, struct span part, unsigned depth)
{
    struct part_header h;
    struct buf body = BUF_INIT(DOCUMENT_MAX_BYTES);
    size_t at = mime_body(m->bytes, part);
    struct span rest = {at, part.end};
    if (depth > MAX_DEPTH || ++m->parts > MAX_PARTS) {
        if (m->parts <= MAX_PARTS + 1)
            writer_warn(m->w, "a message with more than %d parts, or parts %d deep in parts",
                        MAX_PARTS, MAX_DEPTH);
        return;
    }
    bool ok = header_read(&h, m->bytes, (struct span){part.begin, at});
    if (!ok) {
        writer_fail(m->w, RAG_MEMORY, "out of memory");
    } else if (strncmp(h.type.data, "multipart/", 10) == 0 && h.boundary.size) {
        write_multipart(m, &h, rest, depth);
    } else if (strcmp(h.type.data, "message/rfc822") == 0 && h.encoding.size == 0) {
        m->level++;
        write_message(m, rest, depth + 1);
        m->level--;
    } else if (!mime_decode(m->bytes, rest, h.encoding.data, &body) || !buf_reserve(&body, 0)) {
        writer_fail(m->w, RAG_MEMORY, "out of memory");
    } else if (h.attachment || (h.name.size && strncmp(h.type.data, "text/", 5) != 0)) {
        write_attachment(m, &h, &body);
    } else if (strncmp(h.type.data, "text/", 5) == 0) {
        write_text(m, &h, &body);
    }
    buf_release(&body);
    header_release(&h);
}

/* ---- Messages --------------------------------------------------------------- */

static void write_field(struct mail *m, struct span header, const char *name, struct buf *value)
{
    if (!mime_field(m->bytes, header, name, value) || !value->size)
        return;
    if (m->w->open)
        writer_break(m->w);
    writer_string(m->w, name);
    writer_string(m->w, ": ");
    writer_text(m->w, value->data, value->size);
}

static void write_message(struct mail *m, struct span message, unsigned depth)
{
    struct buf value = BUF_INIT(MIME_MAX_VALUE);
    struct span header = {message.begin, mime_body(m->bytes, message)};
    writer_begin(m->w, BLOCK_HEADING, m->level);
    if (mime_field(m->bytes, header, "Subject", &value) && value.size)
        writer_text(m->w, value.data, value.size);
    else
        writer_string(m->w, "(no subject)");
    writer_begin(m->w, BLOCK_PARAGRAPH, 0);
    write_field(m, header, "From", &value);
    write_field(m, header, "To", &value);
    write_field(m, header, "Cc", &value);
    write_field(m, header, "Date", &value);
    writer_end(m->w);
    buf_release(&value);
    write_part(m, message, depth);
}

static void write_metadata(struct mail *m, struct span header)
{
    static const struct {
        const char *field, *key;
    } known[] = {{"Subject", "title"},
                 {"From", "author"},
                 {"To", "to"},
                 {"Date", "date"},
                 {"Message-ID", "message_id"}};
    struct buf value = BUF_INIT(MIME_MAX_VALUE);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (mime_field(m->bytes, header, known[i].field, &value))
            writer_metadata(m->w, known[i].key, value.data, value.size);
    buf_release(&value);
}

/* The end of the message of an mbox that begins at `at`: the next "From " behind a blank line,
 * with a header behind it. */
static size_t mbox_end(const char *bytes, size_t size, size_t at)
{
    for (;;) {
        const char *found = at < size ? memmem(bytes + at, size - at, "\nFrom ", 6) : NULL;
        if (!found)
            return size;
        size_t line = (size_t)(found - bytes) + 1, before = line - 1;
        bool blank = before > 0 && (bytes[before - 1] == '\n' || bytes[before - 1] == '\r');
        size_t next = line_end(bytes, size, line) + 1;
        size_t colon = next;
        while (colon < size && bytes[colon] > ' ' && bytes[colon] != ':')
            colon++;
        if (blank && colon < size && colon > next && bytes[colon] == ':')
            return line;
        at = line;
    }
}

static void write_mbox(struct mail *m, size_t size)
{
    uint32_t number = 0;
    for (size_t at = 0; at < size && number < MAX_MESSAGES && !m->w->status;) {
        size_t begin = line_end(m->bytes, size, at) + 1;
        size_t end = mbox_end(m->bytes, size, at + 1);
        if (begin < end) {
            writer_end(m->w);
            writer_place(m->w, PLACE_MESSAGE, ++number, NULL);
            m->parts = 0;
            write_message(m, (struct span){begin, end}, 0);
        }
        at = end;
    }
}

static rag_status read_mail(const struct input *input, struct document *document,
                            rag_error *error)
{
    struct writer w;
    writer_init(&w, document, error);
    struct mail mail = {.w = &w, .bytes = input->bytes, .level = 1};
    if (strcmp(input->format, "mbox") == 0) {
        write_mbox(&mail, input->size);
    } else {
        struct span whole = {0, input->size};
        write_metadata(&mail, (struct span){0, mime_body(input->bytes, whole)});
        write_message(&mail, whole, 0);
    }
    return writer_finish(&w);
}

const struct reader mail_reader = {"mail mbox", false, read_mail};
