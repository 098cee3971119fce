/* zip_directory.c - the directory of a zip whose files are stored without compression, as
 * torch.save writes them. libzip reads zips too, but does not tell where in the file an
 * entry's bytes lie: through it, gigabytes of weights would be copied that can be mapped.
 *
 * From the end (PKWARE's APPNOTE 6.3, all little-endian; offsets of fields in brackets):
 *
 *   end of central directory  "PK\5\6": [4] disk [6] disk of the directory, u16; [8] [10]
 *       entries, u16; [12] size, [16] offset of the directory, u32; [20] comment size, u16;
 *       22 bytes and the comment, then the file ends
 *   ZIP64 locator, the 20 bytes before it  "PK\6\7": [8] offset of the next, u64
 *   ZIP64 end of central directory  "PK\6\6": [24] [32] entries, [40] size, [48] offset, u64
 *   directory, an entry  "PK\1\2": [8] flags, [10] method, u16; [20] compressed, [24] plain
 *       size, u32; [28] name, [30] extra, [32] comment size, u16; [42] local header, u32;
 *       46 bytes, name, extra, comment. A field of 0xffffffff stands in extra block 1
 *       instead, in the order plain size, compressed size, local header, u64
 *   local header  "PK\3\4": [26] name, [28] extra size, u16; 30 bytes, name, extra, data
 */
#include "model/zip_directory.h"

#include "base/memory.h"

#include <string.h>

enum {
    END_SIZE = 22,
    END64_LOCATOR_SIZE = 20,
    END64_SIZE = 56,
    ENTRY_SIZE = 46,
    LOCAL_SIZE = 30,
    EXTRA_ZIP64 = 1,
    FLAG_ENCRYPTED = 1,
    MAX_COMMENT = 65535,
};

static const uint32_t END_SIGNATURE = 0x06054b50, END64_LOCATOR_SIGNATURE = 0x07064b50,
                      END64_SIGNATURE = 0x06064b50, ENTRY_SIGNATURE = 0x02014b50,
                      LOCAL_SIGNATURE = 0x04034b50, IN_EXTRA = 0xffffffff;

static uint16_t u16(const unsigned char *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}

static uint32_t u32(const unsigned char *at)
{
    return u16(at) | (uint32_t)u16(at + 2) << 16;
}

static uint64_t u64(const unsigned char *at)
{
    return u32(at) | (uint64_t)u32(at + 4) << 32;
}

/* The directory: `count` entries within [begin, end) of the file. */
struct place {
    uint64_t count, begin, end;
};

static const unsigned char *find_end(const unsigned char *data, size_t size)
{
    for (size_t comment = 0; comment <= MAX_COMMENT && comment + END_SIZE <= size; comment++) {
        const unsigned char *at = data + size - END_SIZE - comment;
        if (u32(at) == END_SIGNATURE && u16(at + 20) == comment)
            return at;
    }
    return NULL;
}

static rag_status find_directory(const unsigned char *data, size_t size, struct place *place,
                                 rag_error *error)
{
    const unsigned char *end = find_end(data, size);
    if (!end)
        return fail_with(error, RAG_MODEL, "not a zip, or cut short: it has no directory");
    if (u16(end + 4) != u16(end + 6) || u16(end + 8) != u16(end + 10))
        return fail_with(error, RAG_MODEL, "the zip is split into several files");
    size_t end_offset = (size_t)(end - data);
    uint64_t directory_size = u32(end + 12);
    place->count = u16(end + 10);
    place->begin = u32(end + 16);
    uint64_t limit = end_offset;
    const unsigned char *locator = end - END64_LOCATOR_SIZE;
    if (end_offset >= END64_LOCATOR_SIZE && u32(locator) == END64_LOCATOR_SIGNATURE) {
        uint64_t offset = u64(locator + 8);
        if (end_offset < END64_LOCATOR_SIZE + END64_SIZE ||
            offset > end_offset - END64_LOCATOR_SIZE - END64_SIZE ||
            u32(data + offset) != END64_SIGNATURE)
            return fail_with(error, RAG_MODEL, "the zip's ZIP64 record is not where it says");
        place->count = u64(data + offset + 32);
        directory_size = u64(data + offset + 40);
        place->begin = u64(data + offset + 48);
        limit = offset;
    }
    if (place->begin > limit || directory_size > limit - place->begin)
        return fail_with(error, RAG_MODEL, "the zip's directory lies outside the file");
    place->end = place->begin + directory_size;
    if (place->count > ZIP_MAX_ENTRIES || place->count > directory_size / ENTRY_SIZE)
        return fail_with(error, RAG_MODEL, "a zip of %llu files in a directory of %llu bytes",
                         (unsigned long long)place->count, (unsigned long long)directory_size);
    return RAG_OK;
}

/* Fills the fields that are IN_EXTRA from the entry's extra blocks. */
static bool read_extra(const unsigned char *extra, size_t size, uint64_t *fields[3])
{
    while (size >= 4) {
        uint16_t id = u16(extra), block = u16(extra + 2);
        extra += 4;
        size -= 4;
        if (block > size)
            return false;
        const unsigned char *at = extra;
        for (int i = 0; id == EXTRA_ZIP64 && i < 3; i++) {
            if (*fields[i] != IN_EXTRA)
                continue;
            if (extra + block - at < 8)
                return false;
            *fields[i] = u64(at);
            at += 8;
        }
        extra += block;
        size -= block;
    }
    return true;
}

/* Reads the entry at `at`; *entry_size is its size in the directory. */
static rag_status read_entry(const unsigned char *data, const struct place *place, uint64_t at,
                             struct zip_entry *entry, uint64_t *entry_size, rag_error *error)
{
    const unsigned char *header = data + at;
    if (place->end - at < ENTRY_SIZE || u32(header) != ENTRY_SIGNATURE)
        goto damaged;
    uint16_t name_size = u16(header + 28), extra_size = u16(header + 30);
    *entry_size = (uint64_t)ENTRY_SIZE + name_size + extra_size + u16(header + 32);
    if (*entry_size > place->end - at)
        goto damaged;
    entry->name = (const char *)header + ENTRY_SIZE;
    entry->name_size = name_size;
    if (u16(header + 8) & FLAG_ENCRYPTED || u16(header + 10) != 0)
        return fail_with(error, RAG_MODEL, "%.*s is compressed or encrypted in the zip",
                         (int)name_size, entry->name);
    uint64_t stored = u32(header + 20), plain = u32(header + 24), local = u32(header + 42);
    uint64_t *fields[] = {&plain, &stored, &local};
    if (!read_extra(header + ENTRY_SIZE + name_size, extra_size, fields) || stored != plain)
        goto damaged;
    if (local > place->begin || place->begin - local < LOCAL_SIZE ||
        u32(data + local) != LOCAL_SIGNATURE || u16(data + local + 26) != name_size)
        goto damaged;
    uint64_t begin = local + LOCAL_SIZE + name_size + u16(data + local + 28);
    if (begin > place->begin || plain > place->begin - begin ||
        memcmp(data + local + LOCAL_SIZE, entry->name, name_size) != 0)
        goto damaged;
    entry->data = data + begin;
    entry->size = plain;
    return RAG_OK;
damaged:
    return fail_with(error, RAG_MODEL, "the zip's directory is damaged at byte %llu",
                     (unsigned long long)at);
}

static int by_name(const void *a, const void *b)
{
    const struct zip_entry *x = a, *y = b;
    size_t common = x->name_size < y->name_size ? x->name_size : y->name_size;
    int order = memcmp(x->name, y->name, common);
    if (order)
        return order;
    return x->name_size < y->name_size ? -1 : x->name_size > y->name_size;
}

rag_status zip_directory_read(const unsigned char *data, size_t size, struct zip_directory *out,
                              rag_error *error)
{
    *out = (struct zip_directory){0};
    struct place place = {0};
    rag_status status = find_directory(data, size, &place, error);
    if (status)
        return status;
    out->entries = alloc_array(place.count, sizeof *out->entries);
    if (!out->entries)
        return fail_memory(error);
    uint64_t at = place.begin, entry_size = 0;
    for (; out->count < place.count; out->count++, at += entry_size)
        if ((status =
                 read_entry(data, &place, at, &out->entries[out->count], &entry_size, error)))
            goto out;
    qsort(out->entries, out->count, sizeof *out->entries, by_name);
    for (size_t i = 1; i < out->count && !status; i++)
        if (by_name(&out->entries[i - 1], &out->entries[i]) == 0)
            status = fail_with(error, RAG_MODEL, "two files in the zip are named %.*s",
                               (int)out->entries[i].name_size, out->entries[i].name);
out:
    if (status)
        zip_directory_release(out);
    return status;
}

void zip_directory_release(struct zip_directory *directory)
{
    free(directory->entries);
    *directory = (struct zip_directory){0};
}

const struct zip_entry *zip_directory_find(const struct zip_directory *directory,
                                           const char *name, size_t name_size)
{
    struct zip_entry key = {.name = name, .name_size = name_size};
    return bsearch(&key, directory->entries, directory->count, sizeof key, by_name);
}
