#include "text/utf8.h"

#include <string.h>

static int continuation(const char *text, size_t size, size_t at)
{
    if (at >= size)
        return -1;
    unsigned char byte = (unsigned char)text[at];
    return (byte & 0xC0) == 0x80 ? byte & 0x3F : -1;
}

int32_t utf8_decode(const char *text, size_t size, size_t *length)
{
    *length = 1;
    unsigned char lead = (unsigned char)text[0];
    if (lead < 0x80)
        return lead;
    if (lead < 0xC2 || lead > 0xF4)
        return -1;
    int32_t b = continuation(text, size, 1);
    if (b < 0)
        return -1;
    if (lead < 0xE0) {
        *length = 2;
        return (lead & 0x1F) << 6 | b;
    }
    int32_t c = continuation(text, size, 2);
    if (c < 0)
        return -1;
    if (lead < 0xF0) {
        int32_t code = (lead & 0x0F) << 12 | b << 6 | c;
        if (code < 0x800 || (code >= 0xD800 && code <= 0xDFFF))
            return -1;
        *length = 3;
        return code;
    }
    int32_t d = continuation(text, size, 3);
    if (d < 0)
        return -1;
    int32_t code = (lead & 0x07) << 18 | b << 12 | c << 6 | d;
    if (code < 0x10000 || code > 0x10FFFF)
        return -1;
    *length = 4;
    return code;
}

size_t utf8_encode(int32_t code, char bytes[4])
{
    if (code < 0x80) {
        bytes[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        bytes[0] = (char)(0xC0 | code >> 6);
        bytes[1] = (char)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        bytes[0] = (char)(0xE0 | code >> 12);
        bytes[1] = (char)(0x80 | (code >> 6 & 0x3F));
        bytes[2] = (char)(0x80 | (code & 0x3F));
        return 3;
    }
    bytes[0] = (char)(0xF0 | code >> 18);
    bytes[1] = (char)(0x80 | (code >> 12 & 0x3F));
    bytes[2] = (char)(0x80 | (code >> 6 & 0x3F));
    bytes[3] = (char)(0x80 | (code & 0x3F));
    return 4;
}

size_t utf8_valid_prefix(const char *text, size_t size)
{
    size_t at = 0;
    while (at < size) {
        uint64_t word;
        if (size - at >= sizeof word) {
            memcpy(&word, text + at, sizeof word);
            if (!(word & UINT64_C(0x8080808080808080))) {
                at += sizeof word;
                continue;
            }
        }
        size_t length;
        if (utf8_decode(text + at, size - at, &length) < 0)
            return at;
        at += length;
    }
    return size;
}

size_t utf8_floor(const char *text, size_t size, size_t offset)
{
    if (offset >= size)
        return size;
    size_t at = offset;
    while (at > 0 && offset - at < 3 && ((unsigned char)text[at] & 0xC0) == 0x80)
        at--;
    /* A stray continuation byte is a character of its own. */
    size_t length;
    if (at < offset && utf8_decode(text + at, size - at, &length) >= 0 && at + length > offset)
        return at;
    return offset;
}
