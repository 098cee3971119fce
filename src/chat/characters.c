#include "chat/characters.h"
#include "text/utf8.h"

#include <string.h>

enum { ESCAPE = 0x10FF00 };

static const char replacement[] = "\xef\xbf\xbd";

/* Appends the valid stretches of text, and each byte between them by `invalid`. */
static bool copy(const char *text, size_t size, struct buf *out,
                 bool (*invalid)(unsigned char byte, struct buf *out))
{
    size_t at = 0;
    while (at < size) {
        size_t valid = utf8_valid_prefix(text + at, size - at);
        if (!buf_append(out, text + at, valid))
            return false;
        at += valid;
        if (at < size && !invalid((unsigned char)text[at++], out))
            return false;
    }
    return buf_reserve(out, 0);
}

static bool append_escaped(unsigned char byte, struct buf *out)
{
    char bytes[4];
    return buf_append(out, bytes, utf8_encode(ESCAPE + byte, bytes));
}

static bool append_replacement(unsigned char byte, struct buf *out)
{
    (void)byte;
    return buf_append_text(out, replacement);
}

bool characters_escape(const char *text, size_t size, struct buf *out)
{
    return copy(text, size, out, append_escaped);
}

bool characters_repair(const char *text, size_t size, struct buf *out)
{
    return copy(text, size, out, append_replacement);
}

/* How many bytes the character has that begins with this byte; 0: none does. */
static size_t character_size(unsigned char first)
{
    if (first >= 0xc2 && first <= 0xdf)
        return 2;
    if (first >= 0xe0 && first <= 0xef)
        return 3;
    return first >= 0xf0 && first <= 0xf4 ? 4 : 0;
}

bool characters_finish(struct characters *c, struct buf *out)
{
    bool held = c->size > 0;
    c->size = 0;
    return !held || buf_append_text(out, replacement);
}

static bool feed_byte(struct characters *c, unsigned char byte, struct buf *out)
{
    bool continues = (byte & 0xc0) == 0x80;
    if (!continues && !characters_finish(c, out))
        return false;
    if (c->size == 0 && character_size(byte) == 0)
        return buf_append_text(out, replacement);
    c->held[c->size++] = (char)byte;
    if (c->size < character_size((unsigned char)c->held[0]))
        return true;
    size_t size = c->size;
    if (utf8_valid_prefix(c->held, size) != size)
        return characters_finish(c, out);
    c->size = 0;
    return buf_append(out, c->held, size);
}

bool characters_feed(struct characters *c, const char *text, size_t size, struct buf *out)
{
    size_t length;
    for (size_t at = 0; at < size; at += length) {
        int32_t code = utf8_decode(text + at, size - at, &length);
        bool ok;
        if (code >= ESCAPE + 0x80)
            ok = feed_byte(c, (unsigned char)(code - ESCAPE), out);
        else if (!characters_finish(c, out))
            ok = false;
        else if (code <= 0)
            ok = buf_append_text(out, replacement);
        else
            ok = buf_append(out, text + at, length);
        if (!ok)
            return false;
    }
    return true;
}
