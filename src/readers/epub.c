/* EPUB 2 and 3: the documents of the spine in their order, each read as HTML. */
#include "base/memory.h"
#include "readers/html.h"
#include "readers/office.h"
#include "readers/xml.h"

#include <string.h>
#include <strings.h>

enum { MAX_ITEMS = 1 << 16 };

struct item {
    char *id, *href;
    bool page; /* XHTML or HTML, and not the table of contents */
};

struct book {
    struct writer *w;
    const struct package *package;
    const char *base; /* the name of the package document */
    struct item *items;
    size_t count, capacity;
    uint32_t chapters;
};

/* ---- The package document --------------------------------------------------- */

static void start_container(void *user, const char *name, const char **attributes)
{
    char **path = user;
    const char *full = xml_attribute(attributes, "full-path");
    if (xml_is(name, "rootfile") && full && !*path)
        *path = strdup(full);
}

static void end_nothing(void *user, const char *name)
{
    (void)user, (void)name;
}

static void add_item(struct book *b, const char **attributes)
{
    const char *id = xml_attribute(attributes, "id"), *href = xml_attribute(attributes, "href");
    const char *type = xml_attribute(attributes, "media-type");
    const char *properties = xml_attribute(attributes, "properties");
    if (!id || !href || b->count >= MAX_ITEMS ||
        !array_reserve(&b->items, &b->capacity, b->count + 1, sizeof *b->items))
        return;
    struct item *item = &b->items[b->count];
    *item = (struct item){.id = strdup(id), .href = strdup(href)};
    item->page = (!type || strstr(type, "html")) && !(properties && strstr(properties, "nav"));
    b->count++;
}

static void read_chapter(struct book *b, const char *id)
{
    const struct item *item = NULL;
    for (size_t i = 0; i < b->count && !item; i++)
        if (b->items[i].id && strcmp(b->items[i].id, id) == 0)
            item = &b->items[i];
    const struct package_entry *entry =
        item && item->href && item->page ? package_find(b->package, b->base, item->href) : NULL;
    if (!entry)
        return;
    writer_place(b->w, PLACE_CHAPTER, ++b->chapters, NULL);
    rag_text page = package_bytes(b->package, entry);
    html_write(b->w, page.data, page.size, NULL, NULL);
}

static void start_package(void *user, const char *name, const char **attributes)
{
    struct book *b = user;
    const char *id = xml_attribute(attributes, "idref");
    if (xml_is(name, "item"))
        add_item(b, attributes);
    else if (xml_is(name, "itemref") && id)
        read_chapter(b, id);
}

static bool stop_package(void *user)
{
    return ((struct book *)user)->w->status != RAG_OK;
}

/* ---- The whole -------------------------------------------------------------- */

static bool is_wanted(const char *name)
{
    static const char *const suffixes[] = {".xml", ".opf", ".xhtml", ".html", ".htm"};
    size_t size = strlen(name);
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        size_t n = strlen(suffixes[i]);
        if (size > n && strcasecmp(name + size - n, suffixes[i]) == 0)
            return true;
    }
    return false;
}

static rag_status read_book(struct book *b, rag_error *error)
{
    static const struct xml_handler for_container = {.start = start_container,
                                                     .end = end_nothing};
    static const struct xml_handler for_package = {
        .start = start_package, .end = end_nothing, .stop = stop_package};
    const struct package_entry *container =
        package_find(b->package, NULL, "META-INF/container.xml");
    if (package_find(b->package, NULL, "META-INF/rights.xml"))
        return fail_with(error, RAG_INPUT,
                         "an EPUB that is locked by digital rights management");
    if (!container)
        return fail_with(error, RAG_INPUT, "an EPUB without META-INF/container.xml");
    char *path = NULL;
    rag_status status =
        xml_parse(package_bytes(b->package, container), &for_container, &path, error);
    const struct package_entry *main =
        path && !status ? package_find(b->package, NULL, path) : NULL;
    free(path);
    if (status)
        return status;
    if (!main)
        return fail_with(error, RAG_INPUT, "an EPUB without its package document");
    b->base = package_name(b->package, main);
    rag_text xml = package_bytes(b->package, main);
    office_dublin_core(b->w, xml);
    return xml_parse(xml, &for_package, b, error);
}

static rag_status read_epub(const struct input *input, struct document *document,
                            rag_error *error)
{
    struct package package;
    rag_status status =
        package_read(&package, input->bytes, input->size, false, is_wanted, error);
    if (status)
        return status;
    struct writer w;
    writer_init(&w, document, error);
    struct book book = {.w = &w, .package = &package};
    status = read_book(&book, error);
    for (size_t i = 0; i < book.count; i++) {
        free(book.items[i].id);
        free(book.items[i].href);
    }
    free(book.items);
    package_release(&package);
    rag_status written = writer_finish(&w);
    return status ? status : written;
}

const struct reader epub_reader = {"epub", false, read_epub};
