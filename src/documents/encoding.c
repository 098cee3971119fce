/* Which encoding the bytes of a file are in.
 *
 * UTF-8 is RFC 3629, UTF-16 is RFC 2781, GB18030 is GB 18030-2005: a byte below 0x80 is
 * ASCII; 0x81..0xFE begins a character of two bytes (second 0x40..0x7E or 0x80..0xFE, the
 * range of GBK, in which GB2312 has both bytes from 0xA1) or of four (digits 0x30..0x39 in
 * the second and fourth place, 0x81..0xFE in the third).
 *
 * Many files in other encodings are valid GB18030 by chance, so that validity alone is no
 * evidence: "naïve" in Latin-1 reads as a rare ideograph. The characters of real Chinese
 * texts are those of GB2312 mostly, and a few dozen of them make up a fifth of any text;
 * the bytes of other encodings are spread over the table. */
#include "documents/encoding.h"
#include "text/utf8.h"

#include <errno.h>
#include <iconv.h>
#include <stdint.h>
#include <string.h>
#include <uchar.h>

enum {
    SAMPLE = 1 << 16,      /* bytes looked at to tell UTF-16 from binary data */
    CONTROL_SHARE = 64,    /* more than one control byte in so many is binary data */
    ZERO_SHARE = 64,       /* UTF-16 without a mark has ASCII once in so many units */
    FEW_CHARACTERS = 40,   /* below it the frequency of characters says nothing */
    COMMON_PERCENT = 5,    /* of the characters, at least, are common ones */
    GB2312_PERCENT = 60,   /* of the characters, at least, lie in GB2312 */
    UTF16_PERCENT = 95,    /* of the units, at least, lie in the scripts in use */
    DAMAGED_UTF8_RATIO = 4 /* so many valid sequences for one invalid: it was UTF-8 */
};

static bool begins_with(const unsigned char *bytes, size_t size, const char *mark, size_t n)
{
    return size >= n && memcmp(bytes, mark, n) == 0;
}

static bool is_control(unsigned char c)
{
    return (c < 0x20 && !(c >= '\b' && c <= '\r') && c != 0x1B) || c == 0x7F;
}

/* True if there are more control bytes than texts have; *first is where they begin. */
static bool looks_binary(const unsigned char *bytes, size_t size, size_t *first)
{
    size_t controls = 0;
    for (size_t i = 0; i < size; i++)
        if (is_control(bytes[i]) && controls++ == 0)
            *first = i;
    return controls > 1 + size / CONTROL_SHARE;
}

/* ---- UTF-16 without a mark -------------------------------------------------- */

static bool in_living_script(unsigned unit)
{
    static const uint16_t ranges[][2] = {
        {0x0009, 0x000D}, {0x0020, 0x007E}, {0x00A0, 0x024F}, {0x0370, 0x052F},
        {0x0590, 0x06FF}, {0x0900, 0x0DFF}, {0x0E00, 0x0E7F}, {0x1E00, 0x1EFF},
        {0x2010, 0x2044}, {0x20A0, 0x20BF}, {0x2190, 0x21FF}, {0x2200, 0x22FF},
        {0x2500, 0x25FF}, {0x3000, 0x30FF}, {0x4E00, 0x9FFF}, {0xAC00, 0xD7A3},
        {0xD800, 0xDFFF}, {0xFF00, 0xFFEF},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (unit >= ranges[i][0] && unit <= ranges[i][1])
            return true;
    return false;
}

/* How likely the bytes are UTF-16 with the high byte at place `high` of each pair: the
 * percentage of units in living scripts, 0 if too few of them are ASCII. */
static unsigned utf16_percent(const unsigned char *bytes, size_t size, unsigned high)
{
    size_t units = (size < SAMPLE ? size : SAMPLE) / 2, ascii = 0, living = 0;
    if (units == 0)
        return 0;
    for (size_t i = 0; i < units; i++) {
        unsigned char top = bytes[2 * i + high], low = bytes[2 * i + 1 - high];
        ascii += top == 0 && low != 0;
        living += in_living_script((unsigned)top << 8 | low);
    }
    if (ascii == 0 || ascii < units / ZERO_SHARE)
        return 0;
    return (unsigned)(living * 100 / units);
}

static const char *utf16_without_mark(const unsigned char *bytes, size_t size)
{
    if (!memchr(bytes, 0, size < SAMPLE ? size : SAMPLE))
        return NULL;
    unsigned little = utf16_percent(bytes, size, 1), big = utf16_percent(bytes, size, 0);
    if (little < UTF16_PERCENT && big < UTF16_PERCENT)
        return NULL;
    return little >= big ? "UTF-16LE" : "UTF-16BE";
}

/* ---- GB18030 ---------------------------------------------------------------- */

/* Bytes of the character at the front, 0 if there is no valid one. */
static size_t gb18030_length(const unsigned char *p, size_t size)
{
    if (p[0] < 0x80)
        return 1;
    if (p[0] == 0x80 || p[0] == 0xFF || size < 2)
        return 0;
    if (p[1] >= 0x40 && p[1] != 0x7F && p[1] != 0xFF)
        return 2;
    if (size >= 4 && p[1] >= 0x30 && p[1] <= 0x39 && p[2] >= 0x81 && p[2] <= 0xFE &&
        p[3] >= 0x30 && p[3] <= 0x39)
        return 4;
    return 0;
}

/* The most frequent characters of Chinese texts, simplified and traditional, and their
 * punctuation. */
static bool is_common(int32_t code)
{
    static const char16_t common[] = u"，。、：；（）“”？！《》　的一是不了在有人我他这中大来上"
                                     u"个国到说们为子和你地出道也时年得就那要下以"
                                     u"生会自着去之过家学对可里后小么心多天而能好都然没日于起还"
                                     u"发成事只作当想看文无开手用主行方又如前所"
                                     u"本见经头面公同三已老从动两长這來個國說們為時會過學對裡後"
                                     u"麼沒於還發當無開經頭動兩長與數據字第第章";
    for (size_t i = 0; i < sizeof common / sizeof *common - 1; i++)
        if (common[i] == code)
            return true;
    return false;
}

/* Where the bytes stop being GB18030 (size: nowhere), how many characters of several
 * bytes come before, and whether they are mostly those of GB2312. */
static size_t gb18030_check(const unsigned char *bytes, size_t size, size_t *count,
                            bool *mostly_gb2312)
{
    size_t characters = 0, gb2312 = 0, i = 0;
    while (i < size) {
        size_t n = gb18030_length(bytes + i, size - i);
        if (n == 0)
            break;
        if (n > 1) {
            characters++;
            gb2312 += n == 2 && bytes[i] >= 0xA1 && bytes[i] <= 0xF7 && bytes[i + 1] >= 0xA1;
        }
        i += n;
    }
    *count = characters;
    *mostly_gb2312 = characters > 0 && gb2312 * 100 >= characters * GB2312_PERCENT;
    return i;
}

static bool has_common_characters(const char *text, size_t size)
{
    size_t characters = 0, common = 0;
    for (size_t i = 0; i < size && characters < SAMPLE;) {
        size_t n;
        int32_t code = utf8_decode(text + i, size - i, &n);
        i += n;
        if (code < 0x80)
            continue;
        characters++;
        common += is_common(code);
    }
    return characters < FEW_CHARACTERS || common * 100 >= characters * COMMON_PERCENT;
}

/* ---- Detection -------------------------------------------------------------- */

/* A text that was UTF-8 but is damaged has many valid sequences and few others. A run of
 * invalid bytes counts once: it is one place of damage. */
static bool was_utf8(const char *bytes, size_t size)
{
    size_t valid = 0, invalid = 0;
    bool before = true;
    for (size_t i = 0, n; i < size; i += n) {
        int32_t code = utf8_decode(bytes + i, size - i, &n);
        valid += code >= 0x80;
        invalid += code < 0 && before;
        before = code >= 0;
    }
    return valid > 0 && valid >= invalid * DAMAGED_UTF8_RATIO;
}

static rag_status fail_binary(const unsigned char *bytes, size_t offset, rag_error *error)
{
    return fail_with(error, RAG_INPUT, "binary data, not text (byte 0x%02X at offset %zu)",
                     bytes[offset], offset);
}

static rag_status fail_utf8(const unsigned char *bytes, size_t offset, rag_error *error)
{
    return fail_with(error, RAG_INPUT,
                     "damaged UTF-8: byte 0x%02X at offset %zu is invalid there; restore the "
                     "file, or clean it with iconv -c",
                     bytes[offset], offset);
}

static rag_status fail_unknown(const unsigned char *bytes, size_t offset, rag_error *error)
{
    return fail_with(error, RAG_INPUT,
                     "byte 0x%02X at offset %zu is not UTF-8, and the text is neither UTF-16 "
                     "nor GB18030; convert it to UTF-8 first, for instance with iconv -f "
                     "LATIN1 -t UTF-8",
                     bytes[offset], offset);
}

rag_status encoding_detect(const void *data, size_t size, const char **name, rag_error *error)
{
    const unsigned char *bytes = data;
    *name = "UTF-8";
    if (size == 0)
        return RAG_OK;
    if (begins_with(bytes, size, "\xFF\xFE\0\0", 4) ||
        begins_with(bytes, size, "\0\0\xFE\xFF", 4))
        return fail_with(error, RAG_INPUT,
                         "UTF-32 is not read; convert it with iconv -f UTF-32 -t UTF-8");
    if (begins_with(bytes, size, "\xFF\xFE", 2) || begins_with(bytes, size, "\xFE\xFF", 2)) {
        *name = bytes[0] == 0xFF ? "UTF-16LE" : "UTF-16BE";
        return RAG_OK;
    }
    /* UTF-16 of ASCII text is valid UTF-8 with a zero at every second place. */
    const char *utf16 = utf16_without_mark(bytes, size);
    if (utf16) {
        *name = utf16;
        return RAG_OK;
    }
    size_t control = 0;
    if (looks_binary(bytes, size, &control))
        return fail_binary(bytes, control, error);
    size_t valid = utf8_valid_prefix(data, size);
    if (valid == size)
        return RAG_OK;
    if (begins_with(bytes, size, "\xEF\xBB\xBF", 3) || was_utf8(data, size))
        return fail_utf8(bytes, valid, error);
    bool mostly_gb2312;
    size_t characters, gb = gb18030_check(bytes, size, &characters, &mostly_gb2312);
    if (gb == size && mostly_gb2312) {
        *name = "GB18030";
        return RAG_OK;
    }
    if (gb < size && mostly_gb2312 && characters >= FEW_CHARACTERS)
        return fail_with(error, RAG_INPUT,
                         "GB18030 up to byte 0x%02X at offset %zu, which is invalid there; "
                         "restore the file, or convert it to UTF-8",
                         bytes[gb], gb);
    return fail_unknown(bytes, valid, error);
}

/* ---- Conversion ------------------------------------------------------------- */

static rag_status convert(const char *encoding, const char *bytes, size_t size, struct buf *out,
                          rag_error *error)
{
    iconv_t converter = iconv_open("UTF-8", encoding);
    if (converter == (iconv_t)-1)
        return fail_errno(error, RAG_INPUT, "the system's iconv does not know %s", encoding);
    rag_status status = RAG_OK;
    char *in = (char *)(uintptr_t)bytes;
    size_t left = size;
    while (left) {
        char block[16384];
        char *to = block;
        size_t room = sizeof block;
        size_t got = iconv(converter, &in, &left, &to, &room);
        size_t made = sizeof block - room;
        int reason = got == (size_t)-1 ? errno : 0;
        if (made > out->max - out->size) {
            status = fail_with(error, RAG_INPUT, "more than %zu bytes as UTF-8", out->max);
            break;
        }
        if (!buf_append(out, block, made)) {
            status = fail_memory(error);
            break;
        }
        if (reason && reason != E2BIG) {
            size_t offset = (size_t)(in - bytes);
            status = fail_with(error, RAG_INPUT, "%s %s sequence at offset %zu (byte 0x%02X)",
                               reason == EINVAL ? "an incomplete" : "an invalid", encoding,
                               offset, (unsigned char)bytes[offset]);
            break;
        }
    }
    iconv_close(converter);
    return status;
}

rag_status encoding_to_utf8(const void *bytes, size_t size, struct buf *out, const char **name,
                            rag_error *error)
{
    rag_status status = encoding_detect(bytes, size, name, error);
    if (status)
        return status;
    if (strcmp(*name, "UTF-8") == 0) {
        if (size > out->max - out->size)
            return fail_with(error, RAG_INPUT, "more than %zu bytes", out->max);
        return buf_append(out, bytes, size) ? RAG_OK : fail_memory(error);
    }
    size_t before = out->size;
    const char *from = bytes;
    bool utf16 = strncmp(*name, "UTF-16", 6) == 0;
    if (utf16 &&
        (begins_with(bytes, size, "\xFF\xFE", 2) || begins_with(bytes, size, "\xFE\xFF", 2))) {
        from += 2;
        size -= 2;
    }
    status = convert(*name, from, size, out, error);
    if (!status && !utf16 && !has_common_characters(out->data + before, out->size - before))
        status = fail_unknown(bytes, utf8_valid_prefix(bytes, size), error);
    if (status && out->data) {
        out->size = before;
        out->data[before] = 0;
    }
    return status;
}
