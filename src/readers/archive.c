/* Archives: zip and tar, compressed or not, and single compressed files. Each entry whose name
 * is of a format that is read is a file for another reader, in the order of their names; the
 * others are passed over as they are in a folder. */
#include "documents/formats.h"
#include "readers/package.h"
#include "readers/reader.h"
#include "readers/writer.h"

#include <string.h>
#include <strings.h>

/* Hidden files and the leavings of archivers are not read, as in folders. */
static bool is_hidden(const char *name)
{
    for (const char *at = name; at; at = strchr(at, '/')) {
        at += *at == '/';
        if (*at == '.')
            return true;
    }
    return strncmp(name, "__MACOSX/", 9) == 0;
}

static bool is_wanted(const char *name)
{
    return format_of_name(name) && !is_hidden(name);
}

static int by_name(const void *a, const void *b, void *user)
{
    const struct package *package = user;
    return strcmp(package_name(package, a), package_name(package, b));
}

static void write_entries(struct writer *w, struct package *package)
{
    qsort_r(package->entries, package->count, sizeof *package->entries, by_name, package);
    for (size_t i = 0; i < package->count && !w->status; i++) {
        const char *name = package_name(package, &package->entries[i]);
        rag_text bytes = package_bytes(package, &package->entries[i]);
        writer_place(w, PLACE_ENTRY, 0, name);
        writer_begin(w, BLOCK_HEADING, 1);
        writer_string(w, name);
        writer_part(w, name, bytes.data, bytes.size, 1);
    }
}

/* "notes.txt" of "notes.txt.gz". */
static void write_single(struct writer *w, struct package *package, const char *name)
{
    const char *slash = strrchr(name, '/'), *base = slash ? slash + 1 : name;
    char inner[256];
    size_t n = strlen(base) < sizeof inner ? strlen(base) : sizeof inner - 1;
    memcpy(inner, base, n);
    inner[n] = 0;
    char *dot = strrchr(inner, '.');
    if (dot)
        *dot = 0;
    rag_text bytes = package_bytes(package, &package->entries[0]);
    writer_part(w, inner, bytes.data, bytes.size, 0);
}

static rag_status read_archive(const struct input *input, struct document *document,
                               rag_error *error)
{
    bool single = strcmp(input->format, "gzip") == 0;
    struct package package;
    rag_status status = package_read(&package, input->bytes, input->size, single,
                                     single ? NULL : is_wanted, error);
    if (status)
        return status;
    struct writer w;
    writer_init(&w, document, error);
    if (package.count == 0)
        writer_fail(&w, RAG_INPUT, "an archive without a file that is read");
    else if (single && package.count == 1)
        write_single(&w, &package, input->name);
    else
        write_entries(&w, &package);
    package_release(&package);
    return writer_finish(&w);
}

const struct reader archive_reader = {"zip tar gzip", false, read_archive};
