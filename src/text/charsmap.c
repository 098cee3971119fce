/* SentencePiece's precompiled_charsmap (normalizer.cc of github.com/google/sentencepiece):
 *
 *   u32 little-endian   bytes of the trie
 *   the trie            a Darts-clone double array of u32 little-endian units
 *   the rest            replacements in UTF-8, each with a NUL behind
 *
 * A rule's text is a key of the trie, its value the offset of its replacement. A unit of
 * the double array (darts.h of github.com/s-yata/darts-clone):
 *
 *   of an inner node    bits 0-7 label, bit 8 a leaf follows, bit 9 the offset counts in
 *                       units of 256, bits 10-30 offset to the children, bit 31 clear
 *   of a leaf           bits 0-30 the value, bit 31 set
 *
 * The child of the node at unit i by byte b is at i ^ offset(i) ^ b, its leaf at
 * i ^ offset(i). The root is unit 0. */
#include "text/charsmap.h"

#include "base/memory.h"
#include "text/utf8.h"

#include <string.h>

static uint32_t read_u32(const unsigned char *bytes)
{
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
           (uint32_t)bytes[3] << 24;
}

static size_t unit_offset(uint32_t unit)
{
    return (size_t)(unit >> 10) << ((unit & 1 << 9) >> 6);
}

static uint32_t unit_label(uint32_t unit)
{
    return unit & (UINT32_C(1) << 31 | 0xFF);
}

rag_status charsmap_check(const char *strings, size_t size, rag_error *error)
{
    if (utf8_valid_prefix(strings, size) != size)
        return fail_with(error, RAG_MODEL, "the charsmap's replacements are not UTF-8");
    for (size_t at = 0; at < size;) {
        const char *end = memchr(strings + at, 0, size - at);
        size_t length = end ? (size_t)(end - strings) - at : size - at;
        if (length > CHARSMAP_MAX_REPLACEMENT)
            return fail_with(error, RAG_MODEL, "a charsmap's replacement of %zu bytes", length);
        at += length + 1;
    }
    return RAG_OK;
}

rag_status charsmap_parse(const void *data, size_t size, struct charsmap *map, rag_error *error)
{
    const unsigned char *bytes = data;
    *map = (struct charsmap){0};
    if (size == 0)
        return RAG_OK;
    if (size < 8 || size > CHARSMAP_MAX_SIZE)
        return fail_with(error, RAG_MODEL, "a charsmap of %zu bytes", size);
    size_t trie_size = read_u32(bytes);
    if (trie_size == 0 || trie_size % 4 || trie_size > size - 4)
        return fail_with(error, RAG_MODEL,
                         "the charsmap's trie of %zu bytes does not fit into its %zu bytes",
                         trie_size, size);
    const char *strings = (const char *)bytes + 4 + trie_size;
    size_t strings_size = size - 4 - trie_size;
    rag_status status = charsmap_check(strings, strings_size, error);
    if (status)
        return status;
    map->unit_count = trie_size / 4;
    map->units = alloc_array(map->unit_count, sizeof *map->units);
    map->strings = alloc_array(strings_size + 1, 1);
    if (!map->units || !map->strings) {
        charsmap_release(map);
        return fail_memory(error);
    }
    for (size_t i = 0; i < map->unit_count; i++)
        map->units[i] = read_u32(bytes + 4 + 4 * i);
    memcpy(map->strings, strings, strings_size);
    map->strings[strings_size] = '\0';
    map->strings_size = strings_size;
    return RAG_OK;
}

void charsmap_release(struct charsmap *map)
{
    free(map->units);
    free(map->strings);
    *map = (struct charsmap){0};
}

/* Steps from the node whose children lie at *at ^ byte. */
static bool step(const struct charsmap *map, size_t *at, unsigned char byte, uint32_t *unit)
{
    size_t child = *at ^ byte;
    if (child >= map->unit_count || unit_label(map->units[child]) != byte)
        return false;
    *unit = map->units[child];
    *at = child ^ unit_offset(*unit);
    return true;
}

const char *charsmap_find(const struct charsmap *map, const char *text, size_t text_size,
                          size_t *size)
{
    if (!map->unit_count)
        return NULL;
    size_t at = unit_offset(map->units[0]);
    for (size_t i = 0; i < text_size && text[i]; i++) {
        uint32_t unit;
        if (!step(map, &at, (unsigned char)text[i], &unit))
            return NULL;
        if (!(unit >> 8 & 1))
            continue;
        if (at >= map->unit_count)
            return NULL;
        size_t value = map->units[at] & ~(UINT32_C(1) << 31);
        if (value >= map->strings_size || ((unsigned char)map->strings[value] & 0xC0) == 0x80)
            return NULL;
        *size = strlen(map->strings + value);
        return map->strings + value;
    }
    return NULL;
}

bool charsmap_has_prefix(const struct charsmap *map, const char *text, size_t size)
{
    if (!map->unit_count)
        return false;
    size_t at = unit_offset(map->units[0]);
    for (size_t i = 0; i < size; i++) {
        uint32_t unit;
        if (!text[i] || !step(map, &at, (unsigned char)text[i], &unit))
            return false;
    }
    return true;
}
