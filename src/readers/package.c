#include "readers/package.h"
#include "base/memory.h"

#include <archive.h>
#include <archive_entry.h>
#include <string.h>

void package_release(struct package *package)
{
    free(package->entries);
    buf_release(&package->names);
    buf_release(&package->bytes);
    *package = (struct package){0};
}

const char *package_name(const struct package *package, const struct package_entry *entry)
{
    return package->names.data + entry->name;
}

rag_text package_bytes(const struct package *package, const struct package_entry *entry)
{
    return (rag_text){package->bytes.data + entry->begin, entry->size};
}

/* ---- Names ------------------------------------------------------------------ */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Appends the steps of a path to those that are there; ".." takes one away. False: it leads
 * out, or is too long. */
static bool append_path(struct buf *out, const char *path, bool is_address)
{
    while (*path && !(is_address && *path == '#')) {
        size_t before = out->size;
        if (before && out->data[before - 1] != '/' && !buf_append_char(out, '/'))
            return false;
        size_t begin = out->size;
        for (; *path && *path != '/' && *path != '\\' && !(is_address && *path == '#');
             path++) {
            char c = *path;
            if (is_address && c == '%' && hex_digit(path[1]) >= 0 && hex_digit(path[2]) >= 0) {
                c = (char)(hex_digit(path[1]) * 16 + hex_digit(path[2]));
                path += 2;
            }
            if (c == 0 || !buf_append_char(out, c))
                return false;
        }
        path += *path == '/' || *path == '\\';
        size_t step = out->size - begin;
        const char *text = out->data ? out->data + begin : "";
        bool up = step == 2 && memcmp(text, "..", 2) == 0;
        if (up && before == 0)
            return false;
        if (step == 0 || up || (step == 1 && *text == '.'))
            out->size = before;
        while (up && out->size && out->data[out->size - 1] != '/')
            out->size--;
        if (up && out->size)
            out->size--;
        if (out->data)
            out->data[out->size] = 0;
    }
    return true;
}

const struct package_entry *package_find(const struct package *package, const char *base,
                                         const char *name)
{
    struct buf path = BUF_INIT(PACKAGE_MAX_NAME);
    const char *slash = base && *name != '/' ? strrchr(base, '/') : NULL;
    bool ok = buf_reserve(&path, 0) &&
              (!slash || buf_append(&path, base, (size_t)(slash - base))) &&
              append_path(&path, name, base != NULL);
    const struct package_entry *found = NULL;
    for (size_t i = 0; ok && i < package->count && !found; i++)
        if (strcmp(package_name(package, &package->entries[i]), path.data) == 0)
            found = &package->entries[i];
    buf_release(&path);
    return found;
}

/* ---- Reading ---------------------------------------------------------------- */

struct unpacking {
    struct package *package;
    struct archive *archive;
    size_t size;  /* of the input */
    size_t total; /* bytes out */
    size_t entries;
    bool (*wanted)(const char *name);
};

static rag_status fail_archive(const struct unpacking *u, rag_error *error)
{
    const char *why = archive_error_string(u->archive);
    return fail_with(error, RAG_INPUT, "a damaged archive: %s",
                     why ? why : "it cannot be read");
}

/* Appends the data of the entry in hand. */
static rag_status read_data(struct unpacking *u, rag_error *error)
{
    struct buf *bytes = &u->package->bytes;
    size_t before = bytes->size;
    for (;;) {
        if (!buf_reserve(bytes, 65536))
            return fail_with(error, RAG_INPUT, "an archive with more than %zu bytes in it",
                             bytes->max);
        la_ssize_t got = archive_read_data(u->archive, bytes->data + bytes->size, 65536);
        if (got < 0)
            return fail_archive(u, error);
        if (got == 0)
            return RAG_OK;
        bytes->size += (size_t)got;
        bytes->data[bytes->size] = 0;
        u->total += (size_t)got;
        if (bytes->size - before > PACKAGE_MAX_ENTRY)
            return fail_with(error, RAG_INPUT, "an archive with a file of more than %d bytes",
                             PACKAGE_MAX_ENTRY);
        if (u->total > PACKAGE_FREE && u->total / PACKAGE_MAX_RATIO > u->size)
            return fail_with(error, RAG_INPUT,
                             "an archive that unpacks to more than %d times its size",
                             PACKAGE_MAX_RATIO);
    }
}

/* Takes the entry in hand if it is a file that is wanted. */
static rag_status take_entry(struct unpacking *u, struct archive_entry *entry, rag_error *error)
{
    struct package *package = u->package;
    struct buf name = BUF_INIT(PACKAGE_MAX_NAME);
    const char *path = archive_entry_pathname_utf8(entry);
    if (!path)
        path = archive_entry_pathname(entry);
    if (++u->entries > PACKAGE_MAX_ENTRIES)
        return fail_with(error, RAG_INPUT, "an archive of more than %d files",
                         PACKAGE_MAX_ENTRIES);
    bool file = archive_entry_filetype(entry) == AE_IFREG || archive_entry_filetype(entry) == 0;
    bool ok = path && file && buf_reserve(&name, 0) && append_path(&name, path, false) &&
              name.size && (!u->wanted || u->wanted(name.data));
    rag_status status = RAG_OK;
    if (!ok) {
        package->left_out += file;
        goto out;
    }
    struct package_entry taken = {.name = package->names.size, .begin = package->bytes.size};
    status = read_data(u, error);
    taken.size = package->bytes.size - taken.begin;
    /* A NUL behind each, for those who look for marks. */
    if (!status && (!buf_append_char(&package->bytes, 0) ||
                    !buf_append(&package->names, name.data, name.size + 1) ||
                    !array_reserve(&package->entries, &package->capacity, package->count + 1,
                                   sizeof *package->entries)))
        status = fail_memory(error);
    if (!status)
        package->entries[package->count++] = taken;
out:
    buf_release(&name);
    return status;
}

static void support(struct archive *archive, bool raw)
{
    archive_read_support_format_zip_seekable(archive);
    archive_read_support_format_tar(archive);
    archive_read_support_filter_gzip(archive);
    archive_read_support_filter_bzip2(archive);
    archive_read_support_filter_xz(archive);
    archive_read_support_filter_zstd(archive);
    if (raw)
        archive_read_support_format_raw(archive);
}

rag_status package_read(struct package *package, const char *bytes, size_t size, bool raw,
                        bool (*wanted)(const char *name), rag_error *error)
{
    *package = (struct package){.names = BUF_INIT((size_t)PACKAGE_MAX_TOTAL),
                                .bytes = BUF_INIT((size_t)PACKAGE_MAX_TOTAL)};
    struct unpacking u = {
        .package = package, .archive = archive_read_new(), .size = size, .wanted = wanted};
    if (!u.archive || !buf_reserve(&package->bytes, 0) || !buf_reserve(&package->names, 0)) {
        archive_read_free(u.archive);
        return fail_memory(error);
    }
    support(u.archive, raw);
    rag_status status = RAG_OK;
    if (archive_read_open_memory(u.archive, bytes, size) != ARCHIVE_OK)
        status = fail_archive(&u, error);
    while (!status) {
        struct archive_entry *entry;
        int got = archive_read_next_header(u.archive, &entry);
        if (got == ARCHIVE_EOF)
            break;
        if (got != ARCHIVE_OK && got != ARCHIVE_WARN)
            status = fail_archive(&u, error);
        else if (archive_entry_is_encrypted(entry))
            status = fail_with(error, RAG_INPUT, "an archive with a password");
        else
            status = take_entry(&u, entry, error);
    }
    archive_read_free(u.archive);
    if (status)
        package_release(package);
    return status;
}
