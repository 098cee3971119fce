#include "readers/office.h"
#include "base/file.h"
#include "base/memory.h"
#include "readers/xml.h"

#include <string.h>
#include <strings.h>

enum { MAX_RELATIONS = 1 << 20 };

/* ---- Relationships ---------------------------------------------------------- */

void relations_release(struct relations *r)
{
    for (size_t i = 0; i < r->count; i++) {
        free(r->list[i].id);
        free(r->list[i].type);
        free(r->list[i].target);
    }
    free(r->list);
    free(r->part);
    *r = (struct relations){0};
}

static void start_relation(void *user, const char *name, const char **attributes)
{
    struct relations *r = user;
    const char *id = xml_attribute(attributes, "Id"), *type = xml_attribute(attributes, "Type");
    const char *target = xml_attribute(attributes, "Target");
    if (!xml_is(name, "Relationship") || !id || !type || !target || r->count >= MAX_RELATIONS ||
        !array_reserve(&r->list, &r->capacity, r->count + 1, sizeof *r->list))
        return;
    struct relation relation = {strdup(id), strdup(path_name(type)), strdup(target)};
    r->list[r->count++] = relation;
    if (!relation.id || !relation.type || !relation.target) {
        r->count--;
        free(relation.id);
        free(relation.type);
        free(relation.target);
    }
}

static void end_nothing(void *user, const char *name)
{
    (void)user, (void)name;
}

rag_status relations_read(struct relations *r, const struct package *package, const char *part,
                          rag_error *error)
{
    static const struct xml_handler handler = {.start = start_relation, .end = end_nothing};
    *r = (struct relations){.package = package, .part = strdup(part)};
    struct buf path = BUF_INIT(PACKAGE_MAX_NAME);
    int folder = (int)(path_name(part) - part);
    if (!r->part || !buf_printf(&path, "%.*s_rels/%s.rels", folder, part, path_name(part))) {
        buf_release(&path);
        return fail_memory(error);
    }
    const struct package_entry *entry = package_find(package, NULL, path.data);
    buf_release(&path);
    return entry ? xml_parse(package_bytes(package, entry), &handler, r, error) : RAG_OK;
}

const struct package_entry *relations_find(const struct relations *r, const char *id,
                                           const char *type)
{
    for (size_t i = 0; i < r->count; i++)
        if (id ? strcmp(r->list[i].id, id) == 0 : strcmp(r->list[i].type, type) == 0)
            return package_find(r->package, r->part, r->list[i].target);
    return NULL;
}

/* ---- The package ------------------------------------------------------------ */

static bool is_xml(const char *name)
{
    size_t n = strlen(name);
    return (n > 4 && strcasecmp(name + n - 4, ".xml") == 0) ||
           (n > 5 && strcasecmp(name + n - 5, ".rels") == 0);
}

rag_status office_open(struct package *package, const struct input *input,
                       const struct package_entry **main, rag_error *error)
{
    rag_status status = package_read(package, input->bytes, input->size, false, is_xml, error);
    if (status)
        return status;
    struct relations relations;
    status = relations_read(&relations, package, "", error);
    if (!status) {
        *main = relations_find(&relations, NULL, "officeDocument");
        if (!*main)
            status = fail_with(error, RAG_INPUT, "it has no main part");
    }
    relations_release(&relations);
    if (status)
        package_release(package);
    return status;
}

/* ---- Metadata --------------------------------------------------------------- */

struct core {
    struct writer *w;
    const char *key; /* of the element in hand */
    struct buf value;
};

static void start_core(void *user, const char *name, const char **attributes)
{
    static const struct {
        const char *name, *key;
    } known[] = {{"title", "title"},       {"creator", "author"},
                 {"subject", "subject"},   {"keywords", "keywords"},
                 {"keyword", "keywords"},  {"description", "description"},
                 {"language", "language"}, {"modified", "date"},
                 {"date", "date"},         {"publisher", "publisher"}};
    (void)attributes;
    struct core *c = user;
    c->key = NULL;
    buf_clear(&c->value);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (xml_is(name, known[i].name))
            c->key = known[i].key;
}

static void text_core(void *user, const char *text, size_t size)
{
    struct core *c = user;
    /* A value beyond the buffer's maximum is not worth keeping. */
    if (c->key && !buf_append(&c->value, text, size))
        c->key = NULL;
}

static void end_core(void *user, const char *name)
{
    (void)name;
    struct core *c = user;
    if (c->key && c->value.size)
        writer_metadata(c->w, c->key, c->value.data, c->value.size);
    c->key = NULL;
}

void office_dublin_core(struct writer *w, rag_text xml)
{
    static const struct xml_handler handler = {
        .start = start_core, .end = end_core, .text = text_core};
    struct core core = {.w = w, .value = BUF_INIT(1 << 16)};
    rag_status ignored = xml_parse(xml, &handler, &core, NULL);
    (void)ignored;
    buf_release(&core.value);
}

void office_metadata(struct writer *w, const struct package *package)
{
    const struct package_entry *core = package_find(package, NULL, "docProps/core.xml");
    if (core)
        office_dublin_core(w, package_bytes(package, core));
}
