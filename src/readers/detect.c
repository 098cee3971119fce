/* What a file is, by its first bytes before its name: names lie, and bytes hardly do. */
#include "documents/formats.h"
#include "documents/lines.h"
#include "readers/reader.h"

#include <string.h>
#include <strings.h>

enum {
    HEAD = 4096,        /* bytes that are looked at */
    TAR_MARK_AT = 257,  /* POSIX ustar */
    MAIL_LINES = 40,    /* of a header that are looked at */
    MAIL_FIELDS = 3,    /* known ones that make a mail of a file of any name */
    ZIP_TAIL = 1 << 16, /* bytes at the end of a zip that hold the last names */
    ZIP_END = 22,       /* bytes of its last record, without a comment */
};

static bool begins(const char *bytes, size_t size, const char *mark)
{
    size_t n = strlen(mark);
    return size >= n && memcmp(bytes, mark, n) == 0;
}

static bool begins_any_case(const char *bytes, size_t size, const char *mark)
{
    size_t n = strlen(mark);
    return size >= n && strncasecmp(bytes, mark, n) == 0;
}

static bool contains(const char *bytes, size_t size, const char *word)
{
    return memmem(bytes, size, word, strlen(word)) != NULL;
}

/* ---- Archives and what is made of them -------------------------------------- */

/* The type that ODF and EPUB keep as their first entry, "mimetype", stored as it is. */
static const char *format_of_mimetype(const char *bytes, size_t size)
{
    static const struct {
        const char *type, *format;
    } types[] = {
        {"application/epub+zip", "epub"},
        {"application/vnd.oasis.opendocument.text", "odt"},
        {"application/vnd.oasis.opendocument.presentation", "odp"},
        {"application/vnd.oasis.opendocument.spreadsheet", "ods"},
    };
    size_t within = size < 256 ? size : 256;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (contains(bytes, within, types[i].type))
            return types[i].format;
    return NULL;
}

/* The last names of a zip's directory. What is before it may be another zip, if the entries are
 * not compressed. */
static rag_text last_names(const char *bytes, size_t size)
{
    size_t tail = size < ZIP_TAIL ? size : ZIP_TAIL;
    for (size_t back = ZIP_END; back <= tail; back++) {
        const unsigned char *end = (const unsigned char *)bytes + size - back;
        if (memcmp(end, "PK\5\6", 4) != 0)
            continue;
        size_t directory = (size_t)end[12] | (size_t)end[13] << 8 | (size_t)end[14] << 16 |
                           (size_t)end[15] << 24;
        if (directory <= tail - back)
            tail = back + directory;
        break;
    }
    return (rag_text){bytes + size - tail, tail};
}

static const char *format_of_zip(const char *name, const char *bytes, size_t size)
{
    if (size > 38 && memcmp(bytes + 30, "mimetype", 8) == 0) {
        const char *format = format_of_mimetype(bytes, size);
        if (format)
            return format;
    }
    static const struct {
        const char *name, *format;
    } names[] = {{"word/document.xml", "docx"},
                 {"ppt/presentation.xml", "pptx"},
                 {"xl/workbook.xml", "xlsx"},
                 {"META-INF/container.xml", "epub"}};
    rag_text last = last_names(bytes, size);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (contains(last.data, last.size, names[i].name))
            return names[i].format;
    /* An OpenDocument file whose first entry is another one, as some programs write it. */
    const char *named = format_of_name(name);
    bool open_document =
        named && contains(last.data, last.size, "content.xml") &&
        (strcmp(named, "odt") == 0 || strcmp(named, "ods") == 0 || strcmp(named, "odp") == 0);
    return open_document ? named : "zip";
}

static const char *format_of_compressed(const char *name)
{
    const char *format = format_of_name(name);
    return format && strcmp(format, "tar") == 0 ? "tar" : "gzip";
}

/* ---- Texts ------------------------------------------------------------------ */

/* Behind a byte order mark, blanks and XML's first line. */
static const char *html_format(const char *bytes, size_t size)
{
    size_t at = byte_order_mark(bytes, size);
    at = skip_blanks(bytes, at, size);
    if (begins(bytes + at, size - at, "<?xml")) {
        const char *end = memchr(bytes + at, '>', size - at);
        at = end ? skip_blanks(bytes, (size_t)(end - bytes) + 1, size) : size;
    }
    while (begins(bytes + at, size - at, "<!--")) {
        const char *end = memmem(bytes + at, size - at, "-->", 3);
        at = end ? skip_blanks(bytes, (size_t)(end - bytes) + 3, size) : size;
    }
    return begins_any_case(bytes + at, size - at, "<!doctype html") ||
                   begins_any_case(bytes + at, size - at, "<html")
               ? "html"
               : NULL;
}

static bool is_field(const char *line, size_t size)
{
    size_t n = 0;
    while (n < size && line[n] > ' ' && line[n] < 0x7F && line[n] != ':')
        n++;
    return n > 0 && n < size && line[n] == ':';
}

/* How many fields of a mail's header, of those that most have, begin the text; 0: it begins
 * with something else. */
static unsigned mail_fields(const char *bytes, size_t size)
{
    static const char *const known[] = {
        "Received:", "Return-Path:", "From:",         "To:",          "Subject:",
        "Date:",     "Message-ID:",  "MIME-Version:", "Delivered-To:"};
    unsigned count = 0;
    size_t at = 0;
    for (unsigned lines = 0; lines < MAIL_LINES && at < size; lines++) {
        size_t end = line_end(bytes, size, at), length = end - at;
        if (is_blank(bytes, at, end))
            break;
        bool folded = lines && (bytes[at] == ' ' || bytes[at] == '\t');
        if (!folded && !is_field(bytes + at, length))
            return end < size ? 0 : count; /* cut off in a line */
        for (size_t i = 0; i < sizeof known / sizeof *known; i++)
            count += begins_any_case(bytes + at, length, known[i]);
        at = end + 1;
    }
    return count;
}

/* "nbformat": 4; a schema of notebooks has the word with something else behind it. */
static bool has_nbformat(const char *bytes, size_t size)
{
    static const char word[] = "\"nbformat\"";
    for (size_t at = 0; at < size;) {
        const char *found = memmem(bytes + at, size - at, word, sizeof word - 1);
        if (!found)
            return false;
        at = skip_blanks(bytes, (size_t)(found - bytes) + sizeof word - 1, size);
        if (at < size && bytes[at] == ':') {
            at = skip_blanks(bytes, at + 1, size);
            if (at < size && bytes[at] >= '1' && bytes[at] <= '9')
                return true;
        }
    }
    return false;
}

static const char *mail_format(const char *bytes, size_t size)
{
    if (begins(bytes, size, "From ")) {
        size_t next = line_end(bytes, size, 0) + 1;
        return next < size && mail_fields(bytes + next, size - next) ? "mbox" : NULL;
    }
    return mail_fields(bytes, size) >= MAIL_FIELDS ? "mail" : NULL;
}

static const char *format_of_text(const char *bytes, size_t size)
{
    size_t at = byte_order_mark(bytes, size);
    if (begins(bytes + at, size - at, "WEBVTT"))
        return "vtt";
    const char *format = html_format(bytes, size);
    if (!format)
        format = mail_format(bytes, size);
    at = skip_blanks(bytes, at, size);
    if (!format && at < size && bytes[at] == '{' && has_nbformat(bytes, size))
        format = "notebook";
    return format;
}

/* A page or a mail may be what a file of these formats is about, or begins with. */
static bool name_decides(const char *format)
{
    static const char *const any[] = {NULL, "text", "html", "mail", "mbox", "json"};
    for (size_t i = 0; i < sizeof any / sizeof *any; i++)
        if (format == any[i] || (format && any[i] && strcmp(format, any[i]) == 0))
            return false;
    return true;
}

/* Formats that are told by their bytes alone: a file that is only named so is none. */
static bool needs_its_bytes(const char *format)
{
    static const char *const binary[] = {"pdf", "docx", "pptx", "xlsx", "odt", "odp",
                                         "ods", "epub", "rtf",  "zip",  "tar", "gzip"};
    for (size_t i = 0; i < sizeof binary / sizeof *binary; i++)
        if (strcmp(format, binary[i]) == 0)
            return true;
    return false;
}

const char *readers_detect(const char *name, const char *bytes, size_t size)
{
    size_t head = size < HEAD ? size : HEAD;
    if (begins(bytes, size, "PK\3\4") || begins(bytes, size, "PK\5\6"))
        return format_of_zip(name, bytes, size);
    if (begins(bytes, size, "{\\rtf"))
        return "rtf";
    if (begins(bytes, size, "\x1F\x8B") || begins(bytes, size, "BZh") ||
        begins(bytes, size,
               "\xFD"
               "7zXZ") ||
        begins(bytes, size, "\x28\xB5\x2F\xFD"))
        return format_of_compressed(name);
    if (size > TAR_MARK_AT + 5 && memcmp(bytes + TAR_MARK_AT, "ustar", 5) == 0)
        return "tar";
    const char *named = format_of_name(name);
    if (named && name_decides(named) && !needs_its_bytes(named))
        return named;
    const char *format = format_of_text(bytes, head);
    if (format)
        return format;
    if (!named || needs_its_bytes(named))
        return "text";
    return named;
}
