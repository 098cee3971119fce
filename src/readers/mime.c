#include "readers/mime.h"
#include "documents/lines.h"
#include "readers/charset.h"

#include <string.h>
#include <strings.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* ---- Transfer encodings ----------------------------------------------------- */

static int base64_digit(unsigned char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* What is no digit is passed over, as mails have it: line breaks, and worse. */
static bool decode_base64(const char *from, size_t size, struct buf *out)
{
    uint32_t bits = 0;
    unsigned count = 0;
    if (!buf_reserve(out, size / 4 * 3 + 3))
        return false;
    for (size_t i = 0; i < size; i++) {
        int digit = base64_digit((unsigned char)from[i]);
        if (digit < 0)
            continue;
        bits = bits << 6 | (uint32_t)digit;
        count += 6;
        if (count >= 8) {
            count -= 8;
            if (!buf_append_char(out, (char)(bits >> count)))
                return false;
        }
    }
    return true;
}

/* in_word: "_" is a blank (RFC 2047). */
static bool decode_quoted(const char *from, size_t size, bool in_word, struct buf *out)
{
    for (size_t i = 0; i < size; i++) {
        char c = from[i];
        if (c == '=' && i + 2 < size && hex_digit(from[i + 1]) >= 0 &&
            hex_digit(from[i + 2]) >= 0) {
            c = (char)(hex_digit(from[i + 1]) * 16 + hex_digit(from[i + 2]));
            i += 2;
        } else if (c == '=' && !in_word) {
            /* A soft line break, with blanks that something has added. */
            size_t end = i + 1;
            while (end < size && (from[end] == ' ' || from[end] == '\t' || from[end] == '\r'))
                end++;
            if (end == size || from[end] == '\n') {
                i = end;
                continue;
            }
        } else if (c == '_' && in_word) {
            c = ' ';
        }
        if (!buf_append_char(out, c))
            return false;
    }
    return true;
}

bool mime_decode(const char *bytes, struct span body, const char *encoding, struct buf *out)
{
    const char *from = bytes + body.begin;
    size_t size = body.end - body.begin;
    if (strcasecmp(encoding, "base64") == 0)
        return decode_base64(from, size, out);
    if (strcasecmp(encoding, "quoted-printable") == 0)
        return decode_quoted(from, size, false, out);
    return buf_append(out, from, size);
}

/* ---- Headers ---------------------------------------------------------------- */

size_t mime_body(const char *bytes, struct span part)
{
    size_t at = part.begin;
    while (at < part.end) {
        size_t end = line_end(bytes, part.end, at);
        bool blank = is_blank(bytes, at, end);
        at = end < part.end ? end + 1 : part.end;
        if (blank)
            return at;
    }
    return part.end;
}

/* "=?charset?B?text?=" at `at`: its end, and the decoded text appended; 0: there is none. */
static size_t decode_word(const char *text, size_t at, size_t size, struct buf *out, bool *ok)
{
    if (size - at < 8 || text[at] != '=' || text[at + 1] != '?')
        return 0;
    size_t charset = at + 2, mark = charset;
    while (mark < size && text[mark] != '?' && text[mark] > ' ')
        mark++;
    if (mark + 3 >= size || text[mark] != '?' || text[mark + 2] != '?')
        return 0;
    size_t begin = mark + 3, end = begin;
    while (end + 1 < size && !(text[end] == '?' && text[end + 1] == '='))
        end++;
    if (end + 1 >= size)
        return 0;
    struct buf raw = BUF_INIT(MIME_MAX_VALUE);
    char kind = text[mark + 1] | 32;
    *ok = kind == 'b' ? decode_base64(text + begin, end - begin, &raw)
                      : decode_quoted(text + begin, end - begin, true, &raw);
    const char *star = memchr(text + charset, '*', mark - charset); /* RFC 2231: a language */
    size_t label = star ? (size_t)(star - text) - charset : mark - charset;
    const char *name = charset_of_label(text + charset, label);
    if (*ok && raw.size)
        *ok = charset_decode(name ? name : "UTF-8", raw.data, raw.size, out);
    buf_release(&raw);
    return end + 2;
}

/* A value with its words decoded; blanks between two of them are not part of it. */
static bool decode_value(const char *text, size_t size, struct buf *out)
{
    bool word_before = false, ok = true;
    size_t blanks = 0;
    struct buf raw = BUF_INIT(MIME_MAX_VALUE);
    for (size_t at = 0; at < size && ok;) {
        if (is_blank_byte(text[at])) {
            blanks = 1;
            at++;
            continue;
        }
        struct buf word = BUF_INIT(MIME_MAX_VALUE);
        size_t end = decode_word(text, at, size, &word, &ok);
        if (blanks && out->size && !(end && word_before))
            ok = ok && buf_append_char(out, ' ');
        blanks = 0;
        if (end) {
            ok = ok && buf_append(out, word.data, word.size);
            at = end;
        } else {
            size_t begin = at++;
            while (at < size && !is_blank_byte(text[at]) && text[at] != '=')
                at++;
            /* Eight bits without a label. */
            ok = ok && charset_decode_unlabelled(text + begin, at - begin, out);
        }
        word_before = end != 0;
        buf_release(&word);
    }
    buf_release(&raw);
    return ok;
}

bool mime_field(const char *bytes, struct span header, const char *name, struct buf *out)
{
    size_t length = strlen(name);
    buf_clear(out);
    for (size_t at = header.begin; at < header.end;) {
        size_t end = line_end(bytes, header.end, at);
        while (end + 1 < header.end && (bytes[end + 1] == ' ' || bytes[end + 1] == '\t'))
            end = line_end(bytes, header.end, end + 1);
        if (end - at > length && bytes[at + length] == ':' &&
            strncasecmp(bytes + at, name, length) == 0) {
            size_t begin = at + length + 1;
            size_t size = end - begin < MIME_MAX_VALUE / 4 ? end - begin : MIME_MAX_VALUE / 4;
            return decode_value(bytes + begin, size, out) && buf_reserve(out, 0);
        }
        at = end + 1;
    }
    return false;
}

bool mime_value(const char *field, struct buf *out)
{
    size_t end = strcspn(field, "; \t");
    buf_clear(out);
    for (size_t i = 0; i < end; i++) {
        char c = field[i];
        if (!buf_append_char(out, c >= 'A' && c <= 'Z' ? (char)(c | 32) : c))
            return false;
    }
    return buf_reserve(out, 0);
}

/* The value of a parameter at `at`: quoted or bare. */
static const char *read_parameter(const char *at, struct buf *out)
{
    if (*at != '"') {
        size_t n = strcspn(at, "; \t");
        return buf_append(out, at, n) ? at + n : NULL;
    }
    for (at++; *at && *at != '"'; at++) {
        if (*at == '\\' && at[1])
            at++;
        if (!buf_append_char(out, *at))
            return NULL;
    }
    return at + (*at == '"');
}

/* "UTF-8'en'na%20me" of RFC 2231. */
static bool decode_extended(struct buf *value)
{
    const char *first = memchr(value->data, '\'', value->size);
    const char *second = first ? strchr(first + 1, '\'') : NULL;
    if (!second)
        return true;
    const char *charset = charset_of_label(value->data, (size_t)(first - value->data));
    struct buf raw = BUF_INIT(MIME_MAX_VALUE), text = BUF_INIT(MIME_MAX_VALUE);
    bool ok = true;
    for (const char *c = second + 1; *c && ok; c++) {
        bool coded = *c == '%' && hex_digit(c[1]) >= 0 && hex_digit(c[2]) >= 0;
        ok = buf_append_char(&raw, coded ? (char)(hex_digit(c[1]) * 16 + hex_digit(c[2])) : *c);
        c += coded ? 2 : 0;
    }
    ok = ok &&
         charset_decode(charset ? charset : "UTF-8", raw.data ? raw.data : "", raw.size, &text);
    buf_clear(value);
    ok = ok && buf_append(value, text.data, text.size);
    buf_release(&raw);
    buf_release(&text);
    return ok;
}

bool mime_parameter(const char *field, const char *name, struct buf *out)
{
    size_t length = strlen(name);
    bool found = false;
    buf_clear(out);
    for (const char *at = strchr(field, ';'); at; at = strchr(at, ';')) {
        at += 1 + strspn(at + 1, " \t");
        if (strncasecmp(at, name, length) != 0)
            continue;
        const char *equals = at + length;
        bool extended = false;
        if (*equals == '*') { /* name*, name*0, name*0* */
            equals += 1 + strspn(equals + 1, "0123456789");
            extended = equals[-1] == '*' || *equals == '*';
            equals += *equals == '*';
        }
        if (*equals != '=')
            continue;
        size_t before = out->size;
        at = read_parameter(equals + 1, out);
        if (!at || (extended && out->size && before == 0 && !decode_extended(out)))
            return false;
        found = true;
    }
    return found && buf_reserve(out, 0);
}

/* ---- Parts ------------------------------------------------------------------ */

/* A line "--boundary" or "--boundary--". */
static bool is_delimiter(const char *bytes, size_t at, size_t end, const char *boundary,
                         bool *last)
{
    size_t n = strlen(boundary);
    if (end - at < n + 2 || memcmp(bytes + at, "--", 2) != 0 ||
        memcmp(bytes + at + 2, boundary, n) != 0)
        return false;
    size_t rest = at + 2 + n;
    *last = end - rest >= 2 && memcmp(bytes + rest, "--", 2) == 0;
    return is_blank(bytes, *last ? rest + 2 : rest, end);
}

bool mime_next_part(const char *bytes, struct span body, const char *boundary, size_t *at,
                    struct span *part)
{
    bool last, open = false;
    while (*at < body.end) {
        size_t end = line_end(bytes, body.end, *at);
        bool delimiter = is_delimiter(bytes, *at, end, boundary, &last);
        if (delimiter && open) {
            /* The line break before the delimiter is its own. */
            part->end = *at > part->begin ? *at - 1 : *at;
            if (last)
                *at = body.end;
            return true;
        }
        *at = end < body.end ? end + 1 : body.end;
        if (delimiter && last)
            return false;
        if (delimiter) {
            open = true;
            part->begin = *at;
        }
    }
    part->end = body.end;
    return open && part->end > part->begin;
}
