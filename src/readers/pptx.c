/* PPTX: PresentationML (ECMA-376 part 1, 19). The slides in their order, each with its title as
 * a heading, its lists and tables, and the speaker's notes. */
#include "documents/lines.h"
#include "readers/office.h"
#include "readers/xml.h"

#include <string.h>

/* ---- Which slides ----------------------------------------------------------- */

struct slides {
    struct writer *w;
    const struct relations *relations;
    const struct package_entry *list[10000];
    size_t count;
};

enum { MAX_SLIDES = sizeof((struct slides *)0)->list / sizeof(struct package_entry *) };

static void start_slides(void *user, const char *name, const char **attributes)
{
    struct slides *s = user;
    if (!xml_is(name, "sldId") || s->count == MAX_SLIDES)
        return;
    /* Two attributes have the local name "id": the relationship's has a prefix. */
    for (; *attributes; attributes += 2) {
        const char *colon = strchr(attributes[0], ':');
        const struct package_entry *slide =
            colon && strcmp(colon, ":id") == 0
                ? relations_find(s->relations, attributes[1], NULL)
                : NULL;
        if (slide) {
            s->list[s->count++] = slide;
            break;
        }
    }
}

static void end_nothing(void *user, const char *name)
{
    (void)user, (void)name;
}

/* ---- One slide -------------------------------------------------------------- */

enum holder { HOLDER_TEXT, HOLDER_TITLE, HOLDER_LIST, HOLDER_NONE };

struct slide {
    struct writer *w;
    bool notes; /* these are notes: only their body counts */
    enum holder holder;
    unsigned skip;
    unsigned depth; /* of the paragraph's list */
    bool plain;     /* the paragraph says that it has no bullet */
    bool in_text, begun;
};

static bool is_title(const char *type)
{
    return type && (strcmp(type, "title") == 0 || strcmp(type, "ctrTitle") == 0);
}

static enum holder holder_of(const struct slide *s, const char **attributes)
{
    const char *type = xml_attribute(attributes, "type");
    if (s->notes)
        return type && strcmp(type, "body") == 0 ? HOLDER_TEXT : HOLDER_NONE;
    if (!type || strcmp(type, "body") == 0 || strcmp(type, "obj") == 0)
        return HOLDER_LIST;
    if (is_title(type))
        return HOLDER_TITLE;
    bool around = strcmp(type, "dt") == 0 || strcmp(type, "ftr") == 0 ||
                  strcmp(type, "sldNum") == 0 || strcmp(type, "hdr") == 0;
    return around ? HOLDER_NONE : HOLDER_TEXT;
}

static void begin_paragraph(struct slide *s)
{
    if (s->begun)
        return;
    s->begun = true;
    if (s->holder == HOLDER_TITLE)
        writer_begin(s->w, BLOCK_HEADING, 1);
    else if (s->holder == HOLDER_LIST && !s->plain)
        writer_item(s->w, s->depth + 1, "-");
    else
        writer_begin(s->w, BLOCK_PARAGRAPH, 0);
}

static void start_slide(void *user, const char *name, const char **attributes)
{
    struct slide *s = user;
    if (s->skip || xml_is(name, "Fallback")) {
        s->skip++;
        return;
    }
    if (xml_is(name, "sp") || xml_is(name, "graphicFrame")) {
        s->holder = s->notes ? HOLDER_NONE : HOLDER_TEXT;
    } else if (xml_is(name, "ph")) {
        s->holder = holder_of(s, attributes);
    } else if (xml_is(name, "p")) {
        s->begun = s->plain = false;
        s->depth = 0;
    } else if (xml_is(name, "pPr")) {
        s->depth = (unsigned)(xml_number(attributes, "lvl", 0) % 10);
    } else if (xml_is(name, "buNone")) {
        s->plain = true;
    } else if (xml_is(name, "t")) {
        s->in_text = true;
    } else if (xml_is(name, "br")) {
        if (s->holder == HOLDER_TITLE)
            writer_space(s->w);
        else
            writer_break(s->w);
    } else if (xml_is(name, "tbl")) {
        writer_table_begin(s->w);
    } else if (xml_is(name, "tr")) {
        writer_row(s->w);
    } else if (xml_is(name, "tc")) {
        writer_cell(s->w);
    }
}

static void end_slide(void *user, const char *name)
{
    struct slide *s = user;
    if (s->skip) {
        s->skip--;
        return;
    }
    if (xml_is(name, "t"))
        s->in_text = false;
    else if (xml_is(name, "p"))
        writer_end(s->w);
    else if (xml_is(name, "tbl"))
        writer_table_end(s->w);
}

static void text_slide(void *user, const char *text, size_t size)
{
    struct slide *s = user;
    if (!s->in_text || s->skip || s->holder == HOLDER_NONE)
        return;
    begin_paragraph(s);
    writer_text(s->w, text, size);
}

static bool stop_slide(void *user)
{
    return ((struct slide *)user)->w->status != RAG_OK;
}

/* ---- Whether it has a title ------------------------------------------------- */

struct title_search {
    bool title, in_text; /* where the parser is */
    bool found;
};

static void start_search(void *user, const char *name, const char **attributes)
{
    struct title_search *s = user;
    if (xml_is(name, "sp"))
        s->title = false;
    else if (xml_is(name, "ph"))
        s->title = is_title(xml_attribute(attributes, "type"));
    else if (xml_is(name, "t"))
        s->in_text = true;
}

static void end_search(void *user, const char *name)
{
    struct title_search *s = user;
    if (xml_is(name, "t"))
        s->in_text = false;
}

static void text_search(void *user, const char *text, size_t size)
{
    struct title_search *s = user;
    s->found |= s->title && s->in_text && !is_blank(text, 0, size);
}

static bool stop_search(void *user)
{
    return ((struct title_search *)user)->found;
}

static rag_status find_title(rag_text xml, bool *found, rag_error *error)
{
    static const struct xml_handler handler = {
        .start = start_search, .end = end_search, .text = text_search, .stop = stop_search};
    struct title_search search = {0};
    rag_status status = xml_parse(xml, &handler, &search, error);
    *found = search.found;
    return status;
}

/* ---- The whole -------------------------------------------------------------- */

static rag_status read_slide(struct writer *w, const struct package *package,
                             const struct package_entry *entry, size_t number, rag_error *error)
{
    static const struct xml_handler handler = {
        .start = start_slide, .end = end_slide, .text = text_slide, .stop = stop_slide};
    rag_text xml = package_bytes(package, entry);
    bool titled;
    rag_status status = find_title(xml, &titled, error);
    if (status)
        return status;
    writer_end(w);
    writer_place(w, PLACE_SLIDE, (uint32_t)number, NULL);
    /* Without a title of its own it would seem to belong to the slide before. */
    if (!titled) {
        writer_begin(w, BLOCK_HEADING, 1);
        writer_format(w, "%zu", number);
        writer_end(w);
    }
    struct slide slide = {.w = w};
    status = xml_parse(xml, &handler, &slide, error);
    struct relations relations;
    if (status)
        return status;
    status = relations_read(&relations, package, package_name(package, entry), error);
    const struct package_entry *notes =
        status ? NULL : relations_find(&relations, NULL, "notesSlide");
    if (notes) {
        slide = (struct slide){.w = w, .notes = true, .holder = HOLDER_NONE};
        status = xml_parse(package_bytes(package, notes), &handler, &slide, error);
    }
    relations_release(&relations);
    return status;
}

static rag_status read_slides(struct writer *w, const struct package *package,
                              const struct package_entry *main, rag_error *error)
{
    static const struct xml_handler handler = {.start = start_slides, .end = end_nothing};
    struct relations relations;
    struct slides *slides = calloc(1, sizeof *slides);
    if (!slides)
        return fail_memory(error);
    rag_status status = relations_read(&relations, package, package_name(package, main), error);
    slides->relations = &relations;
    if (!status)
        status = xml_parse(package_bytes(package, main), &handler, slides, error);
    for (size_t i = 0; i < slides->count && !status; i++)
        status = read_slide(w, package, slides->list[i], i + 1, error);
    relations_release(&relations);
    free(slides);
    return status;
}

static rag_status read_pptx(const struct input *input, struct document *document,
                            rag_error *error)
{
    struct package package;
    const struct package_entry *main;
    rag_status status = office_open(&package, input, &main, error);
    if (status)
        return status;
    struct writer w;
    writer_init(&w, document, error);
    office_metadata(&w, &package);
    status = read_slides(&w, &package, main, error);
    package_release(&package);
    rag_status written = writer_finish(&w);
    return status ? status : written;
}

const struct reader pptx_reader = {"pptx", false, read_pptx};
