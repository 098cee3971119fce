#include "readers/charset.h"
#include "documents/encoding.h"
#include "documents/lines.h"
#include "text/utf8.h"

#include <errno.h>
#include <iconv.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

/* labels: separated by blanks. */
static struct {
    const char *charset, *labels;
    iconv_t converter;
    bool loaded;
} sets[] = {
    {.charset = "UTF-8", .labels = "utf-8 utf8 unicode-1-1-utf-8 us-utf8"},
    {.charset = "CP1252",
     .labels = "windows-1252 cp1252 iso-8859-1 iso8859-1 iso_8859-1 latin1 latin-1 l1 ansinew "
               "us-ascii ascii "
               "ansi_x3.4-1968 iso646-us"},
    {.charset = "GB18030",
     .labels = "gb18030 gbk gb2312 gb_2312-80 x-gbk cp936 euc-cn hz-gb-2312"},
    {.charset = "BIG5-HKSCS", .labels = "big5 big5-hkscs cn-big5 x-x-big5 cp950"},
    {.charset = "CP932",
     .labels = "shift_jis shift-jis sjis x-sjis ms_kanji windows-31j cp932"},
    {.charset = "EUC-JP", .labels = "euc-jp x-euc-jp"},
    {.charset = "ISO-2022-JP", .labels = "iso-2022-jp csiso2022jp"},
    {.charset = "UHC",
     .labels = "euc-kr ks_c_5601-1987 ksc5601 ks_c_5601-1989 windows-949 cp949 uhc korean"},
    {.charset = "UTF-16LE", .labels = "utf-16 utf-16le unicode"},
    {.charset = "UTF-16BE", .labels = "utf-16be"},
    {.charset = "CP1250", .labels = "windows-1250 cp1250"},
    {.charset = "CP1251", .labels = "windows-1251 cp1251"},
    {.charset = "CP1253", .labels = "windows-1253 cp1253"},
    {.charset = "CP1254", .labels = "windows-1254 cp1254 iso-8859-9 latin5"},
    {.charset = "CP1255", .labels = "windows-1255 cp1255"},
    {.charset = "CP1256", .labels = "windows-1256 cp1256"},
    {.charset = "CP1257", .labels = "windows-1257 cp1257"},
    {.charset = "CP1258", .labels = "windows-1258 cp1258"},
    {.charset = "CP874", .labels = "windows-874 tis-620 iso-8859-11 cp874"},
    {.charset = "ISO-8859-2", .labels = "iso-8859-2 latin2"},
    {.charset = "ISO-8859-3", .labels = "iso-8859-3 latin3"},
    {.charset = "ISO-8859-4", .labels = "iso-8859-4 latin4"},
    {.charset = "ISO-8859-5", .labels = "iso-8859-5 cyrillic"},
    {.charset = "ISO-8859-6", .labels = "iso-8859-6 arabic"},
    {.charset = "ISO-8859-7", .labels = "iso-8859-7 greek"},
    {.charset = "ISO-8859-8", .labels = "iso-8859-8 iso-8859-8-i hebrew"},
    {.charset = "ISO-8859-10", .labels = "iso-8859-10 latin6"},
    {.charset = "ISO-8859-13", .labels = "iso-8859-13"},
    {.charset = "ISO-8859-14", .labels = "iso-8859-14"},
    {.charset = "ISO-8859-15", .labels = "iso-8859-15 latin9"},
    {.charset = "ISO-8859-16", .labels = "iso-8859-16"},
    {.charset = "KOI8-R", .labels = "koi8-r koi8"},
    {.charset = "KOI8-U", .labels = "koi8-u koi8-ru"},
    {.charset = "CP866", .labels = "ibm866 cp866 866"},
    {.charset = "CP437", .labels = "ibm437 cp437 437"},
    {.charset = "CP850", .labels = "ibm850 cp850 850"},
    {.charset = "MACINTOSH", .labels = "macintosh mac x-mac-roman applemac 10000"},
};

enum {
    SETS = sizeof sets / sizeof *sets,
    LATEX_WITHIN = 1 << 16, /* bytes; packages are used at the beginning */
};

static void load(size_t i)
{
    if (sets[i].loaded)
        return;
    sets[i].converter = iconv_open("UTF-8", sets[i].charset);
    sets[i].loaded = sets[i].converter != (iconv_t)-1;
}

void charset_load(void)
{
    for (size_t i = 0; i < SETS; i++)
        load(i);
}

static bool lists(const char *labels, const char *label, size_t size)
{
    for (const char *at = labels; *at;) {
        size_t n = strcspn(at, " ");
        if (n == size && strncasecmp(at, label, n) == 0)
            return true;
        at += n + (at[n] == ' ');
    }
    return false;
}

const char *charset_of_label(const char *label, size_t size)
{
    for (size_t i = 0; i < SETS; i++)
        if (lists(sets[i].labels, label, size) ||
            (strlen(sets[i].charset) == size && strncasecmp(sets[i].charset, label, size) == 0))
            return sets[i].charset;
    return NULL;
}

static bool is_label_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           strchr("-_.", c);
}

/* What stands behind "coding:" or "coding=" in a line. */
static const char *label_in_line(const char *line, size_t size)
{
    static const char word[] = "coding";
    const char *found = memmem(line, size, word, sizeof word - 1);
    size_t at = found ? (size_t)(found - line) + sizeof word - 1 : size;
    if (at >= size || (line[at] != ':' && line[at] != '='))
        return NULL;
    at = skip_blanks(line, at + 1, size);
    size_t end = at;
    while (end < size && is_label_byte(line[end]))
        end++;
    return charset_of_label(line + at, end - at);
}

/* What stands in the brackets before "{inputenc}". */
static const char *label_of_latex(const char *text, size_t size)
{
    static const char mark[] = "]{inputenc}";
    const char *end =
        memmem(text, size < LATEX_WITHIN ? size : LATEX_WITHIN, mark, sizeof mark - 1);
    const char *begin = end;
    while (begin && begin > text && is_label_byte(begin[-1]))
        begin--;
    return begin ? charset_of_label(begin, (size_t)(end - begin)) : NULL;
}

const char *charset_declared(const char *text, size_t size)
{
    const char *charset = NULL;
    size_t at = 0;
    for (unsigned line = 0; line < 2 && at < size && !charset; line++) {
        size_t end = line_end(text, size, at);
        charset = label_in_line(text + at, end - at);
        at = end + 1;
    }
    return charset ? charset : label_of_latex(text, size);
}

/* UTF-8 needs no converter: what is valid is copied. */
static bool copy_valid(const char *bytes, size_t size, struct buf *out)
{
    for (size_t at = 0; at < size;) {
        size_t valid = utf8_valid_prefix(bytes + at, size - at);
        if (!buf_append(out, bytes + at, valid))
            return false;
        at += valid + (at + valid < size);
    }
    return true;
}

static bool convert(iconv_t converter, const char *bytes, size_t size, struct buf *out)
{
    char *in = (char *)(uintptr_t)bytes;
    iconv(converter, NULL, NULL, NULL, NULL);
    while (size) {
        char block[16384];
        char *to = block;
        size_t room = sizeof block;
        size_t got = iconv(converter, &in, &size, &to, &room);
        int reason = got == (size_t)-1 ? errno : 0;
        if (!buf_append(out, block, sizeof block - room))
            return false;
        if (reason == EILSEQ && size) {
            in++;
            size--;
            iconv(converter, NULL, NULL, NULL, NULL);
        } else if (reason && reason != E2BIG) {
            break; /* cut off within a character */
        }
    }
    return true;
}

bool charset_decode(const char *charset, const char *bytes, size_t size, struct buf *out)
{
    if (strcmp(charset, "UTF-8") == 0)
        return copy_valid(bytes, size, out);
    for (size_t i = 0; i < SETS; i++) {
        if (strcmp(sets[i].charset, charset) != 0)
            continue;
        load(i);
        return sets[i].loaded ? convert(sets[i].converter, bytes, size, out)
                              : copy_valid(bytes, size, out);
    }
    return copy_valid(bytes, size, out);
}

bool charset_decode_unlabelled(const char *bytes, size_t size, struct buf *out)
{
    const char *encoding;
    size_t before = out->size;
    if (encoding_to_utf8(bytes, size, out, &encoding, NULL) == RAG_OK)
        return true;
    if (out->data)
        out->data[out->size = before] = 0;
    /* Damaged UTF-8 is still UTF-8. */
    size_t valid = utf8_valid_prefix(bytes, size), n;
    bool damaged = valid > 0 && valid < size &&
                   utf8_decode(bytes + utf8_floor(bytes, size, valid - 1),
                               size - utf8_floor(bytes, size, valid - 1), &n) >= 0x80;
    return charset_decode(damaged ? "UTF-8" : "CP1252", bytes, size, out);
}
