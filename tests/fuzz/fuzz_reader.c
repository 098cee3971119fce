/* Any bytes as a file of a format give a sound document or an error that says why. The first
 * byte chooses among the formats of the reader (FUZZ_FORMATS). Of formats that are archives of
 * XML (FUZZ_PACKAGE) the input is the entries, behind lines "--- NAME": damage is to reach the
 * reader, not the checksums. */
#include "readers/reader.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- An archive without compression ----------------------------------------- */

#ifdef FUZZ_PACKAGE
/* Little-endian; more bytes than a value has are zero. */
static void put(struct buf *out, uint32_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (!buf_append_char(out, i < sizeof value ? (char)(value >> 8 * i) : 0))
            abort();
}

static uint32_t crc32_of(const char *data, size_t size)
{
    uint32_t crc = ~0u;
    for (size_t i = 0; i < size; i++) {
        crc ^= (unsigned char)data[i];
        for (int k = 0; k < 8; k++)
            crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
    }
    return ~crc;
}

struct zip {
    struct buf local, central;
    uint32_t count;
};

static void add_entry(struct zip *zip, const char *name, size_t name_size, const char *data,
                      size_t size)
{
    uint32_t offset = (uint32_t)zip->local.size, crc = crc32_of(data, size);
    for (int directory = 0; directory < 2; directory++) {
        struct buf *out = directory ? &zip->central : &zip->local;
        put(out, directory ? 0x02014B50 : 0x04034B50, 4);
        put(out, 20, directory ? 4 : 2);
        put(out, 0, 8); /* flags, stored, time, date */
        put(out, crc, 4);
        put(out, (uint32_t)size, 4);
        put(out, (uint32_t)size, 4);
        put(out, (uint32_t)name_size, 2);
        put(out, 0, directory ? 14 : 2);
        if (directory)
            put(out, offset, 4);
        if (!buf_append(out, name, name_size) || (!directory && !buf_append(out, data, size)))
            abort();
    }
    zip->count++;
}

static void zip_of(const char *data, size_t size, struct buf *out)
{
    struct zip zip = {BUF_INIT(1 << 26), BUF_INIT(1 << 26), 0};
    for (size_t at = 0; at < size;) {
        const char *line = memchr(data + at, '\n', size - at);
        size_t end = line ? (size_t)(line - data) : size;
        if (end - at < 5 || memcmp(data + at, "--- ", 4) != 0) {
            at = end + 1;
            continue;
        }
        size_t begin = end < size ? end + 1 : size;
        const char *next = memmem(data + begin, size - begin, "\n--- ", 5);
        size_t stop = next ? (size_t)(next - data) : size;
        add_entry(&zip, data + at + 4, end - at - 4, data + begin, stop - begin);
        at = next ? stop + 1 : size;
    }
    uint32_t directory = (uint32_t)zip.local.size;
    if (!buf_append(out, zip.local.data, zip.local.size) ||
        !buf_append(out, zip.central.data, zip.central.size))
        abort();
    put(out, 0x06054B50, 4);
    put(out, 0, 4);
    put(out, zip.count, 2);
    put(out, zip.count, 2);
    put(out, (uint32_t)zip.central.size, 4);
    put(out, directory, 4);
    put(out, 0, 2);
    buf_release(&zip.local);
    buf_release(&zip.central);
}
#else
static void zip_of(const char *data, size_t size, struct buf *out)
{
    if (!buf_append(out, data, size))
        abort();
}
#endif

/* ---- The reader ------------------------------------------------------------- */

/* The format number `i`, counted around. */
static const char *choose(unsigned i, char out[32])
{
    static const char formats[] = FUZZ_FORMATS;
    unsigned count = 1;
    for (const char *c = formats; *c; c++)
        count += *c == ' ';
    const char *at = formats;
    for (i %= count; i; i--)
        at = strchr(at, ' ') + 1;
    size_t n = strcspn(at, " ");
    memcpy(out, at, n);
    out[n] = 0;
    return out;
}

/* Titles are made of what the reader found by who asked it. */
static void read_titles(const struct document *document)
{
    struct buf title = BUF_INIT(1 << 28);
    for (size_t i = 0; i < document->block_count; i++) {
        buf_clear(&title);
        if (document->blocks[i].kind == BLOCK_HEADING &&
            (!document_title(document, &document->blocks[i], &title) ||
             title.size > DOCUMENT_MAX_TITLE))
            abort();
    }
    buf_release(&title);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    char format[32];
    struct buf bytes = BUF_INIT(1 << 28);
    struct document document;
    const struct read_options options = {.notebook_outputs = true}; /* reads more */
    bool text_is_input;
    rag_error error = {0};
    zip_of((const char *)data + 1, size - 1, &bytes);
    rag_status status = readers_read("name.x", choose(data[0], format), &options, &bytes,
                                     &document, &text_is_input, &error);
    if (status == RAG_OK) {
        if (document_check(&document, &error) != RAG_OK)
            abort();
        read_titles(&document);
        document_release(&document);
    } else if (status != RAG_INPUT || !*error.message) {
        abort();
    }
    buf_release(&bytes);
    return 0;
}
